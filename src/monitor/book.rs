//! Writes parts of calls that are over into the records of the tenants that they belong to, however they became known.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::ended_calls::EndedCalls;
use crate::domain::call_part::EndedPart;
use crate::domain::clock::Clock;
use crate::domain::error_chain::error_chain;
use crate::domain::ids::{CallRecordId, IdSource, InstanceId, TenantId};
use crate::domain::retention::RetentionKind;
use crate::domain::sip_domain::SipDomain;
use crate::driver::feed::{Skipped, Untold};
use crate::store::call_records::{self, OfCall};
use crate::store::{
    Store, StoreError, Tx, domains, erasures, recorded_calls, retention, tenants, trusted_time,
};

/// Parts that are kept in one transaction.
pub(super) const BATCH: usize = 50;
/// How old what is known of domains may be: one that has changed hands must not give its calls to who had it before.
const FRESH: SignedDuration = SignedDuration::from_secs(2);
/// By how much the clocks of the two hosts may differ.
pub(super) const CLOCKS: SignedDuration = SignedDuration::from_mins(2);
/// A tenant that somebody holds for longer is not waited for.
const HELD: Duration = Duration::from_secs(5);
/// By how much the clocks may differ where an erasure would be undone.
const ERASED: SignedDuration = SignedDuration::from_hours(1);

/// How a part of a call became known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum How {
    /// The PBX told of it as it was over.
    Live,
    /// It was told afterwards, in whole seconds.
    Afterwards,
    /// It was read where the PBX writes calls down, perhaps long after: whose the domain is may have changed, and another way
    /// may have told more of it.
    Archive,
}

/// A part of a call that is over.
pub(super) struct Told {
    pub part: EndedPart,
    pub how: How,
}

/// The records of one PBX's calls.
pub(super) struct Book {
    store: Store,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    instance: InstanceId,
    known: Known,
}

/// Whose each domain is, and each tenant's own.
#[derive(Default)]
struct Known {
    by_name: BTreeMap<String, TenantId>,
    own: BTreeMap<TenantId, BTreeSet<String>>,
    read_at: Option<Timestamp>,
}

impl Known {
    async fn read(store: &Store, instance: InstanceId, now: Timestamp) -> Result<Self, StoreError> {
        let mut tx = store.read("domains_of_calls").await?;
        let mut known = Self {
            read_at: Some(now),
            ..Self::default()
        };
        for (tenant, domain) in domains::known_on(&mut tx, instance).await? {
            known.by_name.insert(domain.to_string(), tenant);
            // FusionPBX names a domain by the id that we gave it.
            known.by_name.insert(tenant.to_string(), tenant);
            known.own.entry(tenant).or_default().insert(domain.into());
        }
        Ok(known)
    }

    /// Whose a call is: by a name as a whole, never by a part of one.
    fn tenant<'a>(&self, mut names: impl Iterator<Item = &'a String>) -> Option<TenantId> {
        names.find_map(|name| self.by_name.get(name.as_str()).copied())
    }

    fn is_own(&self, tenant: TenantId, domain: &str) -> bool {
        self.own.get(&tenant).is_some_and(|own| own.contains(domain))
    }
}

impl Book {
    /// Of an instance.
    pub fn new(store: Store, clock: Arc<dyn Clock>, ids: Arc<dyn IdSource>, instance: InstanceId) -> Self {
        Self {
            store,
            clock,
            ids,
            instance,
            known: Known::default(),
        }
    }

    /// Reads whose each domain is, unless that was read just now.
    pub async fn refresh(&mut self) -> Result<(), StoreError> {
        let now = self.clock.now();
        // A clock that was put back makes it old too.
        let is_old = |read: Timestamp| now.duration_since(read).abs() >= FRESH;
        if self.known.read_at.is_none_or(is_old) {
            self.read_anew().await?;
        }
        Ok(())
    }

    /// Reads it whenever it was read last.
    pub async fn read_anew(&mut self) -> Result<(), StoreError> {
        self.known = Known::read(&self.store, self.instance, self.clock.now()).await?;
        Ok(())
    }

    /// Every tenant whose calls there may be, as far as that was read.
    pub fn tenants(&self) -> Vec<TenantId> {
        self.known.own.keys().copied().collect()
    }

    /// Those of an archive that are to be kept, by tenant: nothing is written for what is known. No more at a time than [`BATCH`].
    /// `skipped` counts those that are kept nowhere.
    pub async fn missed(
        &self,
        parts: &[EndedPart],
        skipped: &mut Skipped,
    ) -> Result<BTreeMap<TenantId, Vec<Told>>, StoreError> {
        let mut tx = self.store.read("missed_calls").await?;
        let mut missed: BTreeMap<TenantId, Vec<Told>> = BTreeMap::new();
        // A leg that was called comes behind its caller's.
        let (callers, called) = parts
            .iter()
            .partition::<Vec<_>, _>(|told| told.part.channel == told.call);
        let mut unreadable = BTreeSet::new();
        for part in callers.into_iter().chain(called) {
            let how = How::Archive;
            let Some(tenant) = self.tenant(part, how) else {
                continue;
            };
            let mut found = missed.get(&tenant).into_iter().flatten();
            let is_found = found.any(|told| told.part.part.channel == part.call);
            match self.is_wanted(&mut tx, tenant, part, is_found).await {
                Ok(Wanted::Known) => {}
                Ok(Wanted::No(why)) => skipped.add(why),
                Ok(Wanted::Yes) => {
                    let part = part.clone();
                    missed.entry(tenant).or_default().push(Told { part, how });
                }
                // What of one tenant cannot be read must not keep the calls of others.
                Err(error @ StoreError::Corrupt { .. }) => {
                    if unreadable.insert(tenant) {
                        let error = error_chain(&error);
                        tracing::error!(error, %tenant, "whether calls that were missed are to be kept cannot be told");
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(missed)
    }

    /// Keeps these in one transaction; gives how many it has kept.
    pub async fn keep<'a>(&self, some: impl Iterator<Item = &'a Told>) -> Result<usize, StoreError> {
        let mut tx = self.store.begin("keep_calls").await?;
        // In the same order in whichever process: two that tell of the same calls never wait for each other.
        let mut sorted: Vec<&Told> = some.collect();
        let is_called = |told: &EndedPart| told.part.channel != told.call;
        sorted.sort_by(|one, other| {
            let [one, other] = [one, other].map(|told| (&told.part.call, is_called(&told.part)));
            one.cmp(&other)
        });
        let held = self.hold(&mut tx, &sorted).await?;
        let (mut ended, mut kept) = (EndedCalls::default(), 0);
        for Told { part: told, how } in sorted {
            // It is of nobody whom we know: the operator's own.
            let Some(tenant) = self.tenant(told, *how) else {
                continue;
            };
            // Once more: it may have become known meanwhile, or somebody was erased.
            if *how == How::Archive
                && (!held.contains(&tenant)
                    || self.is_wanted(&mut tx, tenant, told, false).await? != Wanted::Yes)
            {
                continue;
            }
            let of = OfCall {
                id: CallRecordId::fresh(self.ids.as_ref()),
                tenant,
                instance: self.instance,
                call: &told.call,
                is_rough: *how != How::Live,
            };
            let is_own = |domain: &str| self.known.is_own(tenant, domain);
            ended.begin(&mut tx, tenant, self.instance, &told.call).await?;
            let record = call_records::keep(&mut tx, of, &told.part, is_own).await?;
            if *how == How::Archive {
                // By today's numbers: somebody else may have one of them since.
                recorded_calls::take_back_newer(&mut tx, tenant, record, told.part.started).await?;
            }
            kept += 1;
        }
        let (ids, now) = (self.ids.as_ref(), self.clock.now());
        ended.tell(&mut tx, self.instance, ids, now).await?;
        tx.commit().await?;
        Ok(kept)
    }

    /// Locks the tenants of what an archive tells, and gives those that are there. An erasure begins before that or behind it:
    /// it is seen, or finds what is kept here. And of two processes that look for the same calls the second finds those of the
    /// first. In the same order in whichever process.
    async fn hold(&self, tx: &mut Tx, told: &[&Told]) -> Result<BTreeSet<TenantId>, StoreError> {
        let archived = told.iter().filter(|told| told.how == How::Archive);
        let tenants: BTreeSet<TenantId> = archived
            .filter_map(|told| self.tenant(&told.part, told.how))
            .collect();
        let mut held = BTreeSet::new();
        if tenants.is_empty() {
            return Ok(held);
        }
        // By the database: whoever only goes away leaves it waiting, and a connection with it.
        tenants::limit_locks(tx, Some(HELD)).await?;
        for tenant in tenants {
            if tenants::lock(tx, tenant).await? {
                held.insert(tenant);
            }
        }
        tenants::limit_locks(tx, None).await?;
        Ok(held)
    }

    /// Whose a call is. What an archive tells is of whom its first name says alone: by the other ones it may have been
    /// another's.
    fn tenant(&self, told: &EndedPart, how: How) -> Option<TenantId> {
        let count = if how == How::Archive { 1 } else { usize::MAX };
        self.known.tenant(told.names.iter().take(count))
    }

    /// Whether what an archive tells is to be kept: not what is on record already, was another's, would have gone by now, or
    /// may name somebody who was erased.
    async fn is_wanted(
        &self,
        tx: &mut Tx,
        tenant: TenantId,
        told: &EndedPart,
        is_call_found: bool,
    ) -> Result<Wanted, StoreError> {
        // What was heard knows better which call a leg was of; and a leg that led to another may be of a call that is on record
        // by the id of a third.
        let (channel, call) = (&told.part.channel, &told.call);
        if recorded_calls::is_told(tx, tenant, self.instance, channel, None).await?
            || recorded_calls::is_told(tx, tenant, self.instance, call, Some(call)).await?
        {
            return Ok(Wanted::Known);
        }
        if !was_own(tx, tenant, told).await? {
            return Ok(Wanted::No(Untold::OtherDomain));
        }
        // A leg that was called comes with its call or not at all: that one may have gone, and began before.
        if channel != call
            && !is_call_found
            && !recorded_calls::is_told(tx, tenant, self.instance, call, None).await?
        {
            return Ok(Wanted::No(Untold::CallerUnknown));
        }
        // To be asked behind that: a record that an erasure has removed is missing only once the erasure is there. A number that
        // was erased is forgotten, so nothing tells which calls were that person's.
        let erased = erasures::last_noted(tx, tenant).await?;
        if erased.is_some_and(|erased| told.part.started <= erased + ERASED) {
            return Ok(Wanted::No(Untold::Erased));
        }
        let keep = retention::find(tx, tenant).await?.of(RetentionKind::CallRecords);
        let known = trusted_time::known(tx, self.clock.now()).await?;
        let cutoff = keep.cutoff(known.time);
        if cutoff.is_some_and(|cutoff| told.part.started < cutoff) {
            return Ok(Wanted::No(Untold::Old));
        }
        Ok(Wanted::Yes)
    }
}

/// What is to become of what an archive tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Wanted {
    Yes,
    /// It is on record, as whoever heard of it told it, or an earlier look.
    Known,
    No(Untold),
}

/// Whether a tenant had one of the domains that name a call when that began, as the last who had taken it by then: a domain
/// may have changed hands since.
async fn was_own(tx: &mut Tx, tenant: TenantId, told: &EndedPart) -> Result<bool, StoreError> {
    let domains = told
        .names
        .iter()
        .filter_map(|name| name.parse::<SipDomain>().ok());
    for domain in domains {
        let holders = domains::holders(tx, &domain).await?;
        let before = holders.iter().filter(|(_, since)| *since <= told.part.started);
        let holder = before.max_by_key(|(_, since)| *since);
        if holder.is_some_and(|(holder, _)| *holder == tenant) {
            return Ok(true);
        }
    }
    Ok(false)
}
