//! What happens in a tenant, for whoever follows it: each event is kept once, however many read it, and who is too slow is told
//! how much they missed.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::domain::call::{Call, Freshness};
use crate::domain::deployment::{Deployment, StageRecord};
use crate::domain::dial::ExtensionNumber;
use crate::domain::ids::{ExtensionId, TenantId};

/// How many events of a tenant are kept for who is slow, or comes again.
const KEPT: usize = 512;
/// For how long events are kept, and looked for, after the last reader of a tenant has gone: it may come again.
const FORGOTTEN: Duration = Duration::from_mins(2);

/// What has happened.
#[derive(Debug)]
pub enum Happening {
    /// A call began, changed or ended.
    Call {
        /// As it was; none where it began.
        before: Option<Arc<Call>>,
        /// As it is; none where it ended.
        now: Option<Arc<Call>>,
    },
    /// A phone of an extension signed in or out.
    Phones {
        /// Whose.
        extension_id: Option<ExtensionId>,
        /// Its number.
        number: ExtensionNumber,
        /// How many can be reached now.
        contacts: usize,
    },
    /// It is known again how things stand, or not any more.
    Known(Freshness),
    /// A deployment got further.
    Deployment {
        /// As it stands.
        deployment: Box<Deployment>,
        /// With its stages.
        stages: Vec<StageRecord>,
    },
}

/// Names an event of a stream, so that who comes again can say what they have seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EventId {
    process: u32,
    ring: u64,
    number: u64,
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}-{}-{}", self.process, self.ring, self.number)
    }
}

impl FromStr for EventId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.splitn(3, '-');
        let mut part = || parts.next().ok_or(());
        Ok(Self {
            process: u32::from_str_radix(part()?, 16).map_err(|_| ())?,
            ring: part()?.parse().map_err(|_| ())?,
            number: part()?.parse().map_err(|_| ())?,
        })
    }
}

/// The streams of all tenants. Cheap to clone.
#[derive(Clone)]
pub struct Streams(Arc<Shared>);

struct Shared {
    process: u32,
    rings: Mutex<HashMap<TenantId, Arc<Ring>>>,
    made: AtomicU64,
}

struct Ring {
    number: u64,
    kept: Mutex<Kept>,
    wake: watch::Sender<u64>,
}

struct Kept {
    events: VecDeque<Arc<Happening>>,
    /// The number of the event that comes next; those that are kept are the ones just before.
    next: u64,
    /// The number that came next when the last reader was seen.
    read: u64,
    /// When the last reader went that has gone.
    left: Instant,
}

impl Kept {
    fn oldest(&self) -> u64 {
        self.next
            .saturating_sub(u64::try_from(self.events.len()).unwrap_or(u64::MAX))
    }
}

impl Ring {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Streams {
    /// `process`: another one each time that the daemon starts.
    #[must_use]
    pub fn new(process: u32) -> Self {
        Self(Arc::new(Shared {
            process,
            rings: Mutex::default(),
            made: AtomicU64::new(1),
        }))
    }

    fn rings(&self) -> MutexGuard<'_, HashMap<TenantId, Arc<Ring>>> {
        self.0.rings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether anybody follows a tenant, or did a while ago and may come again.
    #[must_use]
    pub fn is_followed(&self, tenant: TenantId) -> bool {
        self.rings().contains_key(&tenant)
    }

    /// The tenants that are followed, or were a while ago; what nobody has followed for longer is forgotten.
    #[must_use]
    pub fn followed(&self) -> Vec<TenantId> {
        self.followed_at(Instant::now())
    }

    fn followed_at(&self, now: Instant) -> Vec<TenantId> {
        let left = |ring: &Ring| now.saturating_duration_since(ring.lock().left);
        let mut rings = self.rings();
        rings.retain(|_, ring| ring.wake.receiver_count() > 0 || left(ring) < FORGOTTEN);
        rings.keys().copied().collect()
    }

    /// Tells who follows a tenant. What nobody follows is kept nowhere.
    pub fn tell(&self, tenant: TenantId, happening: Happening) {
        let mut rings = self.rings();
        let Some(ring) = rings.get(&tenant) else {
            return;
        };
        let mut kept = ring.lock();
        if ring.wake.receiver_count() > 0 {
            kept.read = kept.next;
        }
        if kept.events.len() >= KEPT {
            kept.events.pop_front();
        }
        kept.events.push_back(Arc::new(happening));
        kept.next += 1;
        let (next, oldest, read) = (kept.next, kept.oldest(), kept.read);
        drop(kept);
        ring.wake.send_replace(next);
        // Whoever comes again by now has missed some of it anyway.
        if oldest > read {
            rings.remove(&tenant);
        }
    }

    /// Follows a tenant from now on, or from what was seen last.
    #[must_use]
    pub fn follow(&self, tenant: TenantId, seen: Option<EventId>) -> Reader {
        let mut rings = self.rings();
        let ring = rings.entry(tenant).or_insert_with(|| {
            Arc::new(Ring {
                number: self.0.made.fetch_add(1, Ordering::Relaxed),
                kept: Mutex::new(Kept {
                    events: VecDeque::new(),
                    next: 1,
                    read: 1,
                    left: Instant::now(),
                }),
                wake: watch::Sender::new(1),
            })
        });
        let ring = Arc::clone(ring);
        let wake = ring.wake.subscribe();
        let kept = ring.lock();
        let known = seen.filter(|seen| {
            seen.process == self.0.process && seen.ring == ring.number && seen.number < kept.next
        });
        let next = known.map_or(kept.next, |seen| seen.number + 1);
        drop(kept);
        drop(rings);
        Reader {
            process: self.0.process,
            goes_on: known.is_some(),
            ring,
            wake,
            next,
        }
    }
}

/// What a reader gets.
#[derive(Debug)]
pub enum Heard {
    /// The next event.
    Event(EventId, Arc<Happening>),
    /// So many were missed before what comes next.
    Missed(u64),
}

/// Somebody who follows a tenant.
pub struct Reader {
    process: u32,
    ring: Arc<Ring>,
    wake: watch::Receiver<u64>,
    next: u64,
    goes_on: bool,
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.ring.lock().left = Instant::now();
    }
}

impl Reader {
    /// Whether it goes on behind what was seen last; else what happened since is not known here.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        self.goes_on
    }

    /// Names the last event before what comes next.
    #[must_use]
    pub fn position(&self) -> EventId {
        EventId {
            process: self.process,
            ring: self.ring.number,
            number: self.next.saturating_sub(1),
        }
    }

    /// Whether something is there already.
    #[must_use]
    pub fn has_more(&self) -> bool {
        self.next < self.ring.lock().next
    }

    /// What is there already.
    pub fn ready(&mut self) -> Option<Heard> {
        let kept = self.ring.lock();
        let oldest = kept.oldest();
        if self.next < oldest {
            let missed = oldest - self.next;
            self.next = oldest;
            return Some(Heard::Missed(missed));
        }
        let index = usize::try_from(self.next - oldest).ok()?;
        let happening = Arc::clone(kept.events.get(index)?);
        drop(kept);
        self.next += 1;
        Some(Heard::Event(self.position(), happening))
    }

    /// Waits until something is there. Cancel safe.
    pub async fn woken(&mut self) {
        let next = self.next;
        // The ring is held by this reader, and its other side with it.
        let _ = self.wake.wait_for(|made| *made > next).await;
    }
}

#[cfg(test)]
mod tests;
