//! Calls that are over, from what a PBX tells to the records of the tenants they belong to; and what was missed of them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::domain::call_part::EndedPart;
use crate::domain::call_record::CallGap;
use crate::domain::clock::Clock;
use crate::domain::error_chain::error_chain;
use crate::domain::ids::{CallRecordId, IdSource, InstanceId, TenantId};
use crate::driver::feed::News;
use crate::store::call_records::{self, OfCall};
use crate::store::{Store, StoreError, call_gaps, domains};

/// Parts that wait while the database is away; beyond that the oldest are lost, which is told.
const WAITING: usize = 10_000;
/// Parts that are kept in one transaction.
const BATCH: usize = 50;
/// How old what is known of domains may be when one is asked for that is not among them.
const FRESH: SignedDuration = SignedDuration::from_secs(2);
/// For how long a link may have been dead before that is noticed: what it carries is not heard from then on.
const UNNOTICED: SignedDuration = SignedDuration::from_secs(6);
/// How often it is noted that a PBX is listened to.
const NOTED: SignedDuration = SignedDuration::from_secs(30);

/// Keeps the records of one PBX's calls.
pub struct Keeper {
    store: Store,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    instance: InstanceId,
    known: Known,
    waiting: VecDeque<EndedPart>,
    is_up: bool,
    /// When it was last noted that the PBX is listened to.
    noted: Option<Timestamp>,
    /// A gap that could not be noted yet.
    gap: Option<CallGap>,
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
    fn tenant(&self, names: &[String]) -> Option<TenantId> {
        names.iter().find_map(|name| self.by_name.get(name.as_str()).copied())
    }

    fn is_own(&self, tenant: TenantId, domain: &str) -> bool {
        self.own.get(&tenant).is_some_and(|own| own.contains(domain))
    }
}

impl Keeper {
    /// Of an instance.
    #[must_use]
    pub fn new(store: Store, clock: Arc<dyn Clock>, ids: Arc<dyn IdSource>, instance: InstanceId) -> Self {
        Self {
            store,
            clock,
            ids,
            instance,
            known: Known::default(),
            waiting: VecDeque::new(),
            is_up: false,
            noted: None,
            gap: None,
        }
    }

    /// Heeds a piece of news, in the order in which they come.
    pub fn hear(&mut self, news: &News) {
        let now = self.clock.now();
        match news {
            News::LinkUp => self.is_up = true,
            News::LinkDown => {
                self.is_up = false;
                self.noted = None;
            }
            // Nobody knows what it was.
            News::Lost => self.missed(now - UNNOTICED, now),
            News::Record(part) => {
                if self.waiting.len() >= WAITING {
                    self.waiting.pop_front();
                    self.missed(now - UNNOTICED, now);
                }
                self.waiting.push_back(part.as_ref().clone());
            }
            _ => {}
        }
    }

    /// Whether something waits to be written.
    #[must_use]
    pub fn has_work(&self) -> bool {
        let now = self.clock.now();
        let is_due = |noted: Timestamp| now.duration_since(noted) >= NOTED;
        !self.waiting.is_empty() || self.gap.is_some() || (self.is_up && self.noted.is_none_or(is_due))
    }

    /// Writes what waits. After an error it waits on, and nothing is lost by asking again.
    pub async fn write(&mut self) -> Result<(), StoreError> {
        if self.is_up && self.noted.is_none() {
            self.look_back().await?;
        }
        while !self.waiting.is_empty() {
            self.write_some().await?;
        }
        if let Some(gap) = self.gap {
            let mut tx = self.store.begin("note_gap").await?;
            call_gaps::insert(&mut tx, gap).await?;
            tx.commit().await?;
            self.gap = None;
        }
        let now = self.clock.now();
        if self.is_up && self.noted.is_none_or(|noted| now.duration_since(noted) >= NOTED) {
            self.note(now).await?;
        }
        Ok(())
    }

    /// Notes what was missed since the PBX was last listened to.
    async fn look_back(&mut self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let mut tx = self.store.read("heard_until").await?;
        let heard = call_gaps::heard_until(&mut tx, self.instance).await?;
        drop(tx);
        if let Some(heard) = heard.filter(|heard| *heard < now) {
            self.missed(heard, now);
        }
        Ok(())
    }

    fn missed(&mut self, from: Timestamp, to: Timestamp) {
        let from = self.gap.map_or(from, |gap| gap.from.min(from));
        self.gap = Some(CallGap {
            instance_id: self.instance,
            from,
            to,
        });
    }

    /// What happened up to then has been heard, as far as a link that is dead and not noticed yet does not hide it.
    async fn note(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.store.begin("note_listening").await?;
        call_gaps::heard(&mut tx, self.instance, now - UNNOTICED).await?;
        tx.commit().await?;
        self.noted = Some(now);
        Ok(())
    }

    async fn write_some(&mut self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let some: Vec<EndedPart> = self.waiting.iter().take(BATCH).cloned().collect();
        let is_unknown = some.iter().any(|told| self.known.tenant(&told.names).is_none());
        let is_old = |read: Timestamp| now.duration_since(read) >= FRESH;
        if is_unknown && self.known.read_at.is_none_or(is_old) {
            self.known = Known::read(&self.store, self.instance, now).await?;
        }
        let mut tx = self.store.begin("keep_calls").await?;
        // In the same order in whichever process: two that tell of the same calls never wait for each other.
        let mut sorted: Vec<&EndedPart> = some.iter().collect();
        sorted.sort_by(|one, other| one.call.cmp(&other.call));
        for told in sorted {
            // It is of nobody whom we know: the operator's own.
            let Some(tenant) = self.known.tenant(&told.names) else {
                continue;
            };
            let of = OfCall {
                id: CallRecordId::fresh(self.ids.as_ref()),
                tenant,
                instance: self.instance,
                call: &told.call,
            };
            let is_own = |domain: &str| self.known.is_own(tenant, domain);
            call_records::keep(&mut tx, of, &told.part, is_own).await?;
        }
        tx.commit().await?;
        self.waiting.drain(..some.len());
        Ok(())
    }
}

/// Writes what waits, and says so where that fails.
pub async fn write(keeper: &mut Keeper) {
    if let Err(error) = keeper.write().await {
        let waiting = keeper.waiting.len();
        tracing::warn!(error = error_chain(&error), waiting, "calls that are over wait for the database");
    }
}
