//! What happens in a tenant, for whoever follows it: each event is kept once, however many read it, and who is too slow is told
//! how much they missed.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::domain::call::{Call, Freshness};
use crate::domain::deployment::{Deployment, StageRecord};
use crate::domain::dial::ExtensionNumber;
use crate::domain::ids::{ExtensionId, TenantId};

/// How many events of a tenant are kept for who is slow, or comes again.
const KEPT: usize = 512;

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

    /// The tenants that are followed.
    #[must_use]
    pub fn followed(&self) -> Vec<TenantId> {
        self.rings().keys().copied().collect()
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
mod tests {
    use super::*;
    use uuid::Uuid;

    fn tenant(number: u128) -> TenantId {
        TenantId::from_uuid(Uuid::from_u128(number))
    }

    fn tell(streams: &Streams, contacts: usize) {
        let happening = Happening::Phones {
            extension_id: None,
            number: "1001".parse().unwrap(),
            contacts,
        };
        streams.tell(tenant(1), happening);
    }

    /// The numbers of what is there, and how many were missed.
    fn read(reader: &mut Reader) -> (Vec<usize>, u64) {
        let (mut read, mut missed) = (Vec::new(), 0);
        while let Some(heard) = reader.ready() {
            match heard {
                Heard::Event(_, happening) => match &*happening {
                    Happening::Phones { contacts, .. } => read.push(*contacts),
                    other => panic!("{other:?}"),
                },
                Heard::Missed(count) => missed += count,
            }
        }
        (read, missed)
    }

    #[test]
    fn o10_each_reader_hears_what_happens_in_its_tenant_from_then_on() {
        let streams = Streams::new(7);
        tell(&streams, 1);
        let (mut first, mut other) = (streams.follow(tenant(1), None), streams.follow(tenant(2), None));
        tell(&streams, 2);
        let mut second = streams.follow(tenant(1), None);
        tell(&streams, 3);
        assert_eq!(read(&mut first), (vec![2, 3], 0));
        assert_eq!(read(&mut second), (vec![3], 0));
        assert_eq!(read(&mut other), (vec![], 0));
    }

    #[test]
    fn o10_who_comes_again_goes_on_behind_what_they_saw() {
        let streams = Streams::new(7);
        let mut reader = streams.follow(tenant(1), None);
        assert!(!reader.goes_on());
        tell(&streams, 1);
        tell(&streams, 2);
        let Some(Heard::Event(seen, _)) = reader.ready() else {
            panic!()
        };
        drop(reader);
        tell(&streams, 3);
        let seen: EventId = seen.to_string().parse().unwrap();
        let mut again = streams.follow(tenant(1), Some(seen));
        assert!(again.goes_on());
        assert_eq!(read(&mut again), (vec![2, 3], 0));
        for other in [
            EventId { process: 8, ..seen },
            EventId { ring: 99, ..seen },
            EventId { number: 99, ..seen },
        ] {
            assert!(!streams.follow(tenant(1), Some(other)).goes_on(), "{other}");
        }
    }

    #[test]
    fn o10_a_slow_reader_is_told_how_much_it_missed_and_goes_on() {
        let streams = Streams::new(7);
        let mut reader = streams.follow(tenant(1), None);
        for number in 0..KEPT + 5 {
            tell(&streams, number);
        }
        let (heard, missed) = read(&mut reader);
        assert_eq!((heard.len(), missed, heard[0]), (KEPT, 5, 5));
    }

    #[test]
    fn what_nobody_follows_any_more_is_forgotten_once_nobody_could_go_on() {
        let streams = Streams::new(7);
        drop(streams.follow(tenant(1), None));
        for number in 0..KEPT {
            tell(&streams, number);
            assert!(streams.is_followed(tenant(1)), "{number}");
        }
        tell(&streams, 0);
        assert!(!streams.is_followed(tenant(1)));
    }

    #[test]
    fn what_is_no_name_of_an_event_is_none() {
        for text in ["", "1", "1-2", "x-1-1", "1-2-x", "1-2-3-4"] {
            assert!(text.parse::<EventId>().is_err(), "{text}");
        }
    }
}
