//! The answers that go on for long: how many there are, and when all of them end.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};

use crate::domain::ids::TenantId;

/// The most that one tenant has open at a time: each looks into the database, and none may keep another tenant waiting.
pub const MOST: usize = 16;

/// The same of those that look into the database only while something happens: every dashboard of a tenant has one. Fewer where
/// there is little room: one tenant never takes more than a quarter of it.
const MOST_FOLLOWERS: usize = 256;

/// The open streams. Cheap to clone.
#[derive(Clone)]
pub struct Streams {
    stop: CancellationToken,
    open: Open,
    followers: Open,
    room: usize,
}

type Open = Arc<Mutex<BTreeMap<TenantId, usize>>>;

/// The place of one open stream, given back with the value.
pub struct Place {
    tenant: TenantId,
    stop: CancellationToken,
    open: Open,
}

impl Streams {
    /// `stop` ends all of them. `room`: the most that all tenants together follow with, so that others are let in too.
    #[must_use]
    pub fn new(stop: CancellationToken, room: usize) -> Self {
        let (open, followers) = (Open::default(), Open::default());
        Self {
            stop,
            open,
            followers,
            room,
        }
    }

    /// Ends when whoever waits should not wait any longer.
    pub fn stopped(&self) -> WaitForCancellationFuture<'_> {
        self.stop.cancelled()
    }

    /// A place for one more; none when the tenant has taken all that it may.
    #[must_use]
    pub fn enter(&self, tenant: TenantId) -> Option<Place> {
        self.place(&self.open, tenant, MOST, usize::MAX)
    }

    /// The same for one that waits for what happens.
    #[must_use]
    pub fn follow(&self, tenant: TenantId) -> Option<Place> {
        self.place(&self.followers, tenant, self.most_followers(), self.room)
    }

    /// The most that one tenant follows with at a time.
    #[must_use]
    pub fn most_followers(&self) -> usize {
        MOST_FOLLOWERS.min((self.room / 4).max(1))
    }

    fn place(&self, all: &Open, tenant: TenantId, most: usize, room: usize) -> Option<Place> {
        let mut open = lock(all);
        if room < usize::MAX && open.values().sum::<usize>() >= room {
            return None;
        }
        let count = open.entry(tenant).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        drop(open);
        Some(Place {
            tenant,
            stop: self.stop.clone(),
            open: Arc::clone(all),
        })
    }
}

impl Place {
    /// Ends when the stream should.
    pub fn stopped(&self) -> WaitForCancellationFuture<'_> {
        self.stop.cancelled()
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

fn lock(open: &Open) -> MutexGuard<'_, BTreeMap<TenantId, usize>> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn a_tenant_has_places_of_its_own_and_gives_them_back() {
        let [acme, globex] = [1, 2].map(|number| TenantId::from_uuid(Uuid::from_u128(number)));
        let streams = Streams::new(CancellationToken::new(), 8);
        let mut places: Vec<Place> = (0..MOST).map(|_| streams.enter(acme).unwrap()).collect();
        assert!(streams.enter(acme).is_none());
        let other = streams.enter(globex).unwrap();
        places.pop();
        let again = streams.enter(acme).unwrap();
        assert!(streams.enter(acme).is_none());
        drop((places, other, again));
        assert!(lock(&streams.open).is_empty(), "nothing is left behind");
    }

    #[test]
    fn o10_one_tenant_follows_with_a_quarter_of_the_room_at_most_and_all_of_them_with_all_of_it() {
        let tenants = [1, 2, 3, 4, 5].map(|number| TenantId::from_uuid(Uuid::from_u128(number)));
        let streams = Streams::new(CancellationToken::new(), 8);
        let mut places = Vec::new();
        for tenant in &tenants[..4] {
            places.extend((0..3).map_while(|_| streams.follow(*tenant)));
        }
        assert_eq!(places.len(), 8);
        assert!(streams.follow(tenants[4]).is_none());
        places.pop();
        assert!(streams.follow(tenants[4]).is_some());
        let wide = Streams::new(CancellationToken::new(), 4096);
        assert_eq!(wide.most_followers(), MOST_FOLLOWERS);
    }
}
