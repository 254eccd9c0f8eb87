//! How many exports there are at once, and where they wait for who makes them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc::{self, Receiver, Sender};

use super::Job;
use crate::app::error::AppError;
use crate::domain::ids::TenantId;

/// Exports that this host makes at once: each reads all that there is.
pub const MOST: usize = 8;
/// The same of one tenant.
pub const MOST_OF_TENANT: usize = 2;
/// When to ask again.
const AGAIN: u64 = 60;

type Open = Arc<Mutex<BTreeMap<TenantId, usize>>>;

/// The exports of this process. Cheap to clone.
#[derive(Clone)]
pub(in crate::app) struct Exports {
    pub(super) sender: Sender<Job>,
    receiver: Arc<Mutex<Option<Receiver<Job>>>>,
    open: Open,
}

impl Default for Exports {
    fn default() -> Self {
        let (sender, receiver) = mpsc::channel(MOST);
        Self {
            sender,
            receiver: Arc::new(Mutex::new(Some(receiver))),
            open: Open::default(),
        }
    }
}

/// One export's place, given back with the value.
pub(super) struct Place {
    tenant: TenantId,
    open: Open,
}

impl Exports {
    /// A place for one more; refused where the tenant has as many as it may, or all have.
    pub(super) fn enter(&self, tenant: TenantId) -> Result<Place, AppError> {
        let mut open = lock(&self.open);
        let own = open.get(&tenant).copied().unwrap_or_default();
        if own >= MOST_OF_TENANT {
            return Err(too_many(format!(
                "{own} exports of this tenant are under way; wait until one has ended, or end one by closing its connection"
            )));
        }
        if open.values().sum::<usize>() >= MOST {
            return Err(too_many(format!(
                "{MOST} exports are under way on this server, as many as there may be; try again later"
            )));
        }
        open.insert(tenant, own + 1);
        drop(open);
        Ok(Place {
            tenant,
            open: Arc::clone(&self.open),
        })
    }

    /// What is asked for, for the one who makes it; none when somebody does already.
    pub(super) fn take(&self) -> Option<Receiver<Job>> {
        let mut receiver = self.receiver.lock().unwrap_or_else(PoisonError::into_inner);
        receiver.take()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = lock(&self.open);
        let left = open.remove(&self.tenant).unwrap_or_default().saturating_sub(1);
        if left > 0 {
            open.insert(self.tenant, left);
        }
    }
}

fn too_many(message: String) -> AppError {
    AppError::TooMany {
        code: "too_many_exports",
        message,
        seconds: AGAIN,
    }
}

fn lock(open: &Open) -> MutexGuard<'_, BTreeMap<TenantId, usize>> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn a46_a_tenant_and_the_host_have_so_many_exports_at_once_and_get_their_places_back() {
        let tenant = |number: u128| TenantId::from_uuid(Uuid::from_u128(number));
        let exports = Exports::default();
        let mut places: Vec<Place> = (0..MOST_OF_TENANT)
            .map(|_| exports.enter(tenant(0)).ok().unwrap())
            .collect();
        let refused = exports.enter(tenant(0)).err().unwrap();
        assert!(matches!(
            refused,
            AppError::TooMany {
                code: "too_many_exports",
                ..
            }
        ));
        for other in (1..).take(MOST - MOST_OF_TENANT) {
            places.push(exports.enter(tenant(other)).ok().unwrap());
        }
        assert!(exports.enter(tenant(1000)).is_err());
        drop(places.remove(0));
        let again = exports.enter(tenant(0)).ok().unwrap();
        assert!(exports.enter(tenant(1000)).is_err());
        drop((places, again));
        assert!(lock(&exports.open).is_empty(), "nothing is left behind");
    }
}
