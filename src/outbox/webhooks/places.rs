//! The requests that are on their way: so many at once, and of them no more than its share for each tenant.

use std::collections::BTreeMap;

use tokio::task::{Id, JoinSet};

use crate::domain::ids::TenantId;

/// So many webhooks are sent to at once.
const AT_ONCE: usize = 128;
/// So many of one tenant's: whatever hangs of a few tenants, others find a place.
const SHARE: usize = 8;

/// Who has which of the places.
#[derive(Default)]
pub(super) struct Places {
    tasks: JoinSet<()>,
    of: BTreeMap<Id, TenantId>,
}

impl Places {
    /// Whether one is free.
    pub fn has_one(&self) -> bool {
        self.tasks.len() < AT_ONCE
    }

    /// The tenants that have their share.
    pub fn full(&self) -> Vec<TenantId> {
        let mut counts = BTreeMap::<TenantId, usize>::new();
        for tenant in self.of.values() {
            *counts.entry(*tenant).or_default() += 1;
        }
        let full = counts.into_iter().filter(|(_, count)| *count >= SHARE);
        full.map(|(tenant, _)| tenant).collect()
    }

    /// Takes one, until the request has ended.
    pub fn take(&mut self, tenant: TenantId, request: impl Future<Output = ()> + Send + 'static) {
        let task = self.tasks.spawn(request);
        self.of.insert(task.id(), tenant);
    }

    /// Gives those back whose requests have ended.
    pub fn give_back(&mut self) {
        while let Some(ended) = self.tasks.try_join_next_with_id() {
            let id = ended.map_or_else(|broken| broken.id(), |(id, ())| id);
            self.of.remove(&id);
        }
    }

    /// Waits until one was given back; false where none is taken.
    pub async fn one_is_given_back(&mut self) -> bool {
        let Some(ended) = self.tasks.join_next_with_id().await else {
            return false;
        };
        let id = ended.map_or_else(|broken| broken.id(), |(id, ())| id);
        self.of.remove(&id);
        true
    }
}
