//! What is known of all calls and phones at the moment: written by the listeners, read by whoever asks.

mod told;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::broadcast;

pub use self::told::{Figures, Report, Told, ToldPhones};
use super::stream::{Happening, Streams};
use crate::domain::call::{Call, CallState, Freshness, Presence};
use crate::domain::dial::ExtensionNumber;
use crate::domain::ids::{CallId, ExtensionId, InstanceId, TenantId};
use crate::domain::leg::LegId;

/// So much news of calls waits for whoever hears of all of them; beyond that the oldest is lost.
const NEWS: usize = 1024;

/// A call as it was, and as it is: none before it began, and once it ended.
pub type CallNews = (Option<Arc<Call>>, Option<Arc<Call>>);

/// The calls of all PBXs that are listened to here. Cheap to clone.
#[derive(Clone)]
pub struct Board(Arc<Shared>);

struct Shared {
    /// What changes is told before the lock is let go of, so that it is told in the order in which it became so.
    instances: RwLock<BTreeMap<InstanceId, Known>>,
    streams: Streams,
    calls: broadcast::Sender<CallNews>,
    /// What is older than this may be otherwise by now, whatever its listener says.
    oldest: SignedDuration,
}

#[derive(Default)]
struct Known {
    calls: Freshness,
    phones_are_stale: bool,
    by_link: HashMap<LegId, Arc<Call>>,
    by_tenant: HashMap<TenantId, BTreeMap<CallId, Arc<Call>>>,
    phones: HashMap<(TenantId, ExtensionNumber), usize>,
    /// Those that may have phones there.
    tenants: HashSet<TenantId>,
    corrected: u64,
}

/// One that nobody reports to.
impl Default for Board {
    fn default() -> Self {
        Self::new(Streams::new(0), SignedDuration::ZERO)
    }
}

impl Board {
    /// `oldest`: what is older may be otherwise by now.
    #[must_use]
    pub fn new(streams: Streams, oldest: SignedDuration) -> Self {
        Self(Arc::new(Shared {
            instances: RwLock::default(),
            streams,
            calls: broadcast::Sender::new(NEWS),
            oldest,
        }))
    }

    /// Who is told of what happens.
    #[must_use]
    pub fn streams(&self) -> &Streams {
        &self.0.streams
    }

    /// Hears of every call of every tenant from now on.
    #[must_use]
    pub fn calls(&self) -> broadcast::Receiver<CallNews> {
        self.0.calls.subscribe()
    }

    /// How many hear of every call.
    #[must_use]
    pub fn hearers(&self) -> usize {
        self.0.calls.receiver_count()
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<InstanceId, Known>> {
        self.0.instances.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<InstanceId, Known>> {
        self.0.instances.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// A PBX is listened to from now on; nothing is known of it yet.
    pub fn add(&self, instance: InstanceId) {
        let known = Known {
            calls: Freshness::UNKNOWN,
            phones_are_stale: true,
            ..Known::default()
        };
        self.write().entry(instance).or_insert(known);
    }

    /// It is not listened to any more, for it is another host's or gone: nothing is said of it.
    pub fn remove(&self, instance: InstanceId) {
        let mut instances = self.write();
        let removed = instances.remove(&instance);
        // First, so that nobody takes the calls for ended while the figures still look known.
        self.tell_of_freshness(Freshness::UNKNOWN);
        for call in removed.into_iter().flat_map(|known| known.by_link.into_values()) {
            self.tell_of_call(Some(call), None);
        }
    }

    /// Its listener is gone, and another will come: what is known may be otherwise by now.
    pub fn doubt(&self, instance: InstanceId) {
        let mut instances = self.write();
        let Some(known) = instances.get_mut(&instance) else {
            return;
        };
        let was_stale = std::mem::replace(&mut known.calls.stale, true);
        let freshness = known.calls;
        if !was_stale {
            self.tell_of_freshness(freshness);
        }
    }

    /// Takes what a listener tells.
    pub fn report(&self, instance: InstanceId, report: Report) {
        let mut happened = Vec::new();
        let mut instances = self.write();
        // Whoever stops it does so before they say what becomes of what it told, for which they wait here.
        if report.stop.is_cancelled() {
            return;
        }
        let Some(known) = instances.get_mut(&instance) else {
            return;
        };
        let mut calls = report.calls.items;
        if report.calls.are_all {
            let told: HashSet<&LegId> = calls.iter().map(|(link, _)| link).collect();
            let others = known.by_link.keys().filter(|link| !told.contains(link));
            let others: Vec<LegId> = others.cloned().collect();
            calls.extend(others.into_iter().map(|link| (link, None)));
        }
        for (link, call) in calls {
            let before = known.by_link.get(&link).cloned();
            if before.as_deref() == call.as_ref() {
                continue;
            }
            let now = call.map(Arc::new);
            known.put(link, before.as_ref(), now.as_ref());
            happened.push((before, now));
        }
        let was_stale = known.calls.stale;
        known.calls.stale = report.calls.are_stale || report.are_calls_polled;
        if !report.calls.are_stale {
            known.calls.as_of = Some(report.at);
        }
        known.phones_are_stale = report.phones.are_stale;
        known.corrected = report.corrected;
        if let Some(tenants) = report.tenants {
            known.tenants = tenants;
        }
        let phones = known.put_phones(report.phones);
        let freshness = known.calls;
        for (before, now) in happened {
            self.tell_of_call(before, now);
        }
        for (tenant, number, extension_id, contacts) in phones {
            let happening = Happening::Phones {
                extension_id,
                number,
                contacts,
            };
            self.0.streams.tell(tenant, happening);
        }
        if was_stale != freshness.stale {
            self.tell_of_freshness(freshness);
        }
    }

    /// Whose PBX it is only the database knows: who follows a tenant of another one hears it too, and asks.
    fn tell_of_freshness(&self, freshness: Freshness) {
        for tenant in self.0.streams.followed() {
            self.0.streams.tell(tenant, Happening::Known(freshness));
        }
    }

    fn tell_of_call(&self, before: Option<Arc<Call>>, now: Option<Arc<Call>>) {
        // Nobody may be there to hear of it.
        let _ = self.0.calls.send((before.clone(), now.clone()));
        let [was, is] = [&before, &now].map(|call| call.as_ref().and_then(|call| call.tenant_id));
        if was == is {
            if let Some(tenant) = is {
                self.0.streams.tell(tenant, Happening::Call { before, now });
            }
            return;
        }
        // It has become another tenant's: for the one it ended, for the other it begins.
        if let Some(tenant) = was {
            self.0.streams.tell(tenant, Happening::Call { before, now: None });
        }
        if let Some(tenant) = is {
            self.0.streams.tell(tenant, Happening::Call { before: None, now });
        }
    }

    /// The calls of a tenant, and how well they are known; `instance`: the PBX that is to serve it.
    #[must_use]
    pub fn of_tenant(
        &self,
        tenant: TenantId,
        instance: InstanceId,
        now: Timestamp,
    ) -> (Vec<Arc<Call>>, Freshness) {
        let instances = self.read();
        let own = instances
            .values()
            .filter_map(|known| known.by_tenant.get(&tenant));
        let mut calls: Vec<Arc<Call>> = own.flat_map(BTreeMap::values).cloned().collect();
        let freshness = self.freshness_of(&instances, tenant, instance, now);
        drop(instances);
        calls.sort_by_key(|call| (call.started_at, call.id));
        (calls, freshness)
    }

    /// How well the calls of a tenant are known.
    #[must_use]
    pub fn freshness(&self, tenant: TenantId, instance: InstanceId, now: Timestamp) -> Freshness {
        self.freshness_of(&self.read(), tenant, instance, now)
    }

    fn freshness_of(
        &self,
        instances: &BTreeMap<InstanceId, Known>,
        tenant: TenantId,
        instance: InstanceId,
        now: Timestamp,
    ) -> Freshness {
        let own = instances.get(&instance);
        let own = own.map_or(Freshness::UNKNOWN, |known| known.freshness(now, self.0.oldest));
        // Calls that go on where the tenant was before count as well.
        let others = instances.iter();
        let others = others.filter(|(id, known)| **id != instance && known.by_tenant.contains_key(&tenant));
        others.fold(own, |freshness, (_, known)| {
            freshness.and(known.freshness(now, self.0.oldest))
        })
    }

    /// A call that is up.
    #[must_use]
    pub fn call(&self, tenant: TenantId, id: CallId) -> Option<Arc<Call>> {
        let instances = self.read();
        instances
            .values()
            .find_map(|known| known.by_tenant.get(&tenant)?.get(&id).cloned())
    }

    /// Who is there, of these extensions of a tenant, in their order; none where that is not known. `instance`: the PBX that
    /// is to serve it.
    #[must_use]
    pub fn presences(
        &self,
        tenant: TenantId,
        instance: InstanceId,
        extensions: &[(ExtensionId, &ExtensionNumber)],
        now: Timestamp,
    ) -> Vec<Option<Presence>> {
        let instances = self.read();
        let is_fresh = |known: &&Known| !known.phones_are_stale && !known.freshness(now, self.0.oldest).stale;
        let serves = |known: &Known| known.tenants.contains(&tenant) && is_fresh(&known);
        if !instances.get(&instance).is_some_and(serves) {
            return vec![None; extensions.len()];
        }
        // Where the tenant was before it may have phones and calls still.
        let (known, doubted): (Vec<&Known>, Vec<&Known>) = instances.values().partition(is_fresh);
        let [busy, maybe_busy] = [&known, &doubted].map(|at| busy(at, tenant));
        let presence = |(id, number): &(ExtensionId, &ExtensionNumber)| {
            let key = (tenant, (*number).clone());
            let reached = |at: &[&Known]| at.iter().any(|known| known.phones.contains_key(&key));
            match busy.get(id) {
                Some(presence) => Some(*presence),
                None if maybe_busy.contains_key(id) => None,
                None if reached(&known) => Some(Presence::Available),
                None if reached(&doubted) => None,
                None => Some(Presence::Offline),
            }
        };
        extensions.iter().map(presence).collect()
    }

    /// Every PBX that is listened to here.
    #[must_use]
    pub fn figures(&self, now: Timestamp) -> Vec<Figures> {
        let instances = self.read();
        let figures = instances.iter().map(|(id, known)| Figures {
            instance_id: *id,
            total: known.by_link.len(),
            by_tenant: known
                .by_tenant
                .iter()
                .map(|(tenant, calls)| (*tenant, calls.len()))
                .collect(),
            freshness: known.freshness(now, self.0.oldest),
            corrected: known.corrected,
        });
        figures.collect()
    }
}

/// Who of a tenant takes part in calls of these PBXs.
fn busy(at: &[&Known], tenant: TenantId) -> HashMap<ExtensionId, Presence> {
    let mut busy = HashMap::new();
    let calls = at.iter().filter_map(|known| known.by_tenant.get(&tenant));
    for call in calls.flat_map(BTreeMap::values) {
        for extension in &call.extension_ids {
            let presence = busy.entry(*extension).or_insert(Presence::Ringing);
            if call.state == CallState::Answered {
                *presence = Presence::OnCall;
            }
        }
    }
    busy
}

impl Known {
    /// Gives those of which there are more or fewer now.
    fn put_phones(&mut self, told: Told<ToldPhones>) -> Vec<ToldPhones> {
        let before = if told.are_all {
            std::mem::take(&mut self.phones)
        } else {
            HashMap::new()
        };
        let mut changed = Vec::new();
        let mut untold: BTreeSet<&(TenantId, ExtensionNumber)> = before.keys().collect();
        for (tenant, number, id, contacts) in told.items {
            let key = (tenant, number.clone());
            untold.remove(&key);
            let now = (contacts > 0).then_some(contacts);
            let was = match now {
                Some(contacts) => self.phones.insert(key.clone(), contacts),
                None => self.phones.remove(&key),
            };
            if was.or(before.get(&key).copied()) != now {
                changed.push((tenant, number, id, contacts));
            }
        }
        // Those whose tenant or number is not known any more.
        let gone = untold
            .into_iter()
            .map(|(tenant, number)| (*tenant, number.clone(), None, 0));
        changed.extend(gone);
        changed
    }

    fn put(&mut self, link: LegId, before: Option<&Arc<Call>>, now: Option<&Arc<Call>>) {
        if let Some(before) = before
            && let Some(tenant) = before.tenant_id
            && let Some(calls) = self.by_tenant.get_mut(&tenant)
        {
            calls.remove(&before.id);
            if calls.is_empty() {
                self.by_tenant.remove(&tenant);
            }
        }
        match now {
            Some(call) => {
                if let Some(tenant) = call.tenant_id {
                    self.by_tenant
                        .entry(tenant)
                        .or_default()
                        .insert(call.id, Arc::clone(call));
                }
                self.by_link.insert(link, Arc::clone(call));
            }
            None => {
                self.by_link.remove(&link);
            }
        }
    }

    /// A listener that stands still says nothing any more: then age tells.
    fn freshness(&self, now: Timestamp, oldest: SignedDuration) -> Freshness {
        let is_old = self
            .calls
            .as_of
            .is_none_or(|as_of| now.duration_since(as_of) > oldest);
        Freshness {
            stale: self.calls.stale || is_old,
            ..self.calls
        }
    }
}

#[cfg(test)]
mod tests;
