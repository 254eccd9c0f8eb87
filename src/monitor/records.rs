//! Calls that are over, from what a PBX tells to the records of the tenants they belong to; and what was missed of them.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::timeout;

use super::book::{BATCH, Book, How, Told};
use crate::domain::call_part::EndedPart;
use crate::domain::call_record::CallGap;
use crate::domain::clock::Clock;
use crate::domain::error_chain::error_chain;
use crate::domain::ids::{IdSource, InstanceId};
use crate::driver::feed::{News, Past, Poll};
use crate::store::{Store, StoreError, call_gaps};

/// Parts that wait while the database is away; beyond that the oldest are lost, which is told.
const WAITING: usize = 10_000;
/// For how long a link may have been dead before that is noticed: what it carries is not heard from then on.
const UNNOTICED: SignedDuration = SignedDuration::from_secs(6);
/// A call that cannot be kept is told as missed from its begin on, for so long at most.
const LONGEST_CALL: SignedDuration = SignedDuration::from_hours(24);
/// For what the PBX still tells of the past.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is noted that a PBX is listened to.
const NOTED: SignedDuration = SignedDuration::from_secs(30);

/// Keeps the records of one PBX's calls.
pub struct Keeper {
    store: Store,
    clock: Arc<dyn Clock>,
    instance: InstanceId,
    book: Book,
    waiting: VecDeque<Told>,
    /// What was told afterwards and waits too, however much that is: what is heard by now goes before it.
    told_afterwards: VecDeque<EndedPart>,
    /// For asking what was missed, once the PBX is heard of again.
    past: Option<Box<dyn Poll>>,
    must_look_back: bool,
    is_up: bool,
    /// When the link first broke, where that is not noted yet.
    broke_at: Option<Timestamp>,
    /// When it was last noted that the PBX is listened to.
    noted: Option<Timestamp>,
    /// A gap that could not be noted yet.
    gap: Option<CallGap>,
    /// The gap that was noted last; one that touches it makes it longer.
    noted_gap: Option<CallGap>,
}

impl Keeper {
    /// Of an instance.
    #[must_use]
    pub fn new(store: Store, clock: Arc<dyn Clock>, ids: Arc<dyn IdSource>, instance: InstanceId) -> Self {
        Self {
            book: Book::new(store.clone(), Arc::clone(&clock), ids, instance),
            store,
            clock,
            instance,
            waiting: VecDeque::new(),
            told_afterwards: VecDeque::new(),
            past: None,
            must_look_back: false,
            is_up: false,
            broke_at: None,
            noted: None,
            gap: None,
            noted_gap: None,
        }
    }

    /// Heeds a piece of news that comes now, in the order in which they come.
    pub fn hear(&mut self, news: &News) {
        self.hear_of(news, self.clock.now());
    }

    /// The same of one that came `at` some time and could not be looked at until now.
    pub fn hear_of(&mut self, news: &News, at: Timestamp) {
        match news {
            News::LinkUp => {
                self.is_up = true;
                self.must_look_back = true;
            }
            News::LinkDown => {
                // Until the time before has been looked back upon, that begins where it did.
                if self.is_up && !self.must_look_back {
                    self.broke_at.get_or_insert(at);
                }
                self.is_up = false;
            }
            // Nobody knows what it was.
            News::Lost | News::RecordLost => self.missed(at - UNNOTICED, at),
            News::Record(part) => {
                if self.waiting.len() >= WAITING
                    && let Some(Told { part: told, .. }) = self.waiting.pop_front()
                {
                    self.missed(told.part.started, told.part.ended);
                }
                self.waiting.push_back(Told {
                    part: part.as_ref().clone(),
                    how: How::Live,
                });
            }
            _ => {}
        }
    }

    /// The PBX is heard of again, and may be asked what it told to nobody.
    pub fn hear_up(&mut self, past: Box<dyn Poll>) {
        self.past = Some(past);
        self.hear(&News::LinkUp);
    }

    /// News since then found no room before they could be looked at, and nobody knows what they were.
    pub fn overran(&mut self, since: Timestamp) {
        self.missed(since - UNNOTICED, self.clock.now().max(since));
    }

    /// Whether something waits to be written.
    #[must_use]
    pub fn has_work(&self) -> bool {
        let now = self.clock.now();
        let is_due = |noted: Timestamp| now.duration_since(noted) >= NOTED;
        !self.waiting.is_empty()
            || !self.told_afterwards.is_empty()
            || self.gap.is_some()
            || self.broke_at.is_some()
            || self.must_look_back
            || (self.is_up && self.noted.is_none_or(is_due))
    }

    /// Writes what waits. After an error it waits on, and nothing is lost by asking again.
    pub async fn write(&mut self) -> Result<(), StoreError> {
        // However long it takes: of what comes meanwhile nothing is known yet.
        let now = self.clock.now();
        // First, so that no time is noted as heard of which something is neither on record nor told as missed.
        self.write_known().await?;
        if let Some(broke_at) = self.broke_at {
            self.note(broke_at).await?;
            (self.broke_at, self.noted) = (None, None);
        }
        if self.must_look_back {
            self.look_back().await?;
            self.must_look_back = false;
        }
        self.write_known().await?;
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
        let past = self.past.take();
        let Some(heard) = heard.filter(|heard| *heard < now) else {
            return Ok(());
        };
        let told = match past {
            Some(past) => timeout(PATIENCE, past.ended_since(heard)).await.ok().flatten(),
            None => None,
        };
        let Some(Past { parts, known_from }) = told else {
            self.missed(heard, now);
            return Ok(());
        };
        if let Some(known_from) = known_from {
            self.missed(heard, known_from.clamp(heard, now));
        }
        // Where some are left of those that were told before, they are among these.
        self.told_afterwards = parts.into();
        Ok(())
    }

    /// Writes the parts that wait, and what was missed.
    async fn write_known(&mut self) -> Result<(), StoreError> {
        while self.has_parts() {
            self.write_some().await?;
        }
        if let Some(gap) = self.gap {
            let before = self.noted_gap.filter(|before| before.touches(&gap));
            let gap = before.map_or(gap, |before| before.with(&gap));
            let mut tx = self.store.begin("note_gap").await?;
            call_gaps::insert(&mut tx, gap).await?;
            tx.commit().await?;
            (self.gap, self.noted_gap) = (None, Some(gap));
        }
        Ok(())
    }

    /// Whether a part waits; what was told afterwards comes up in pieces, once nothing else does.
    fn has_parts(&mut self) -> bool {
        if self.waiting.is_empty() {
            let count = self.told_afterwards.len().min(BATCH);
            let some = self.told_afterwards.drain(..count);
            self.waiting.extend(some.map(|part| Told {
                part,
                how: How::Afterwards,
            }));
        }
        !self.waiting.is_empty()
    }

    fn missed(&mut self, from: Timestamp, to: Timestamp) {
        let missed = CallGap {
            instance_id: self.instance,
            from,
            to,
        };
        self.gap = Some(self.gap.map_or(missed, |gap| gap.with(&missed)));
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
        self.book.refresh().await?;
        let count = self.waiting.len().min(BATCH);
        match self.keep(0..count).await {
            Err(error) if !error.may_pass() => {
                // A tenant may have gone, and one call must not keep the others from being kept.
                self.book.read_anew().await?;
                for one in 0..count {
                    if let Err(error) = self.keep(one..one + 1).await {
                        if error.may_pass() {
                            // Those before it may have been removed by then.
                            self.waiting.drain(..one);
                            return Err(error);
                        }
                        tracing::error!(error = error_chain(&error), "a call that is over cannot be kept");
                        if let Some(Told { part, .. }) = self.waiting.get(one) {
                            let (started, ended) = (part.part.started, part.part.ended);
                            // Whoever says that it began in 1970 makes no gap of all that was since.
                            let began = started.clamp(ended - LONGEST_CALL, ended - UNNOTICED);
                            self.missed(began, ended);
                        }
                    }
                }
            }
            kept => kept?,
        }
        self.waiting.drain(..count);
        Ok(())
    }

    /// Keeps some of those that wait, which wait on.
    async fn keep(&self, which: Range<usize>) -> Result<(), StoreError> {
        self.book.keep(self.waiting.range(which)).await.map(drop)
    }
}

/// Writes what waits, and says so where that fails.
pub async fn write(keeper: &mut Keeper) {
    if let Err(error) = keeper.write().await {
        let waiting = keeper.waiting.len();
        tracing::warn!(
            error = error_chain(&error),
            waiting,
            "calls that are over wait for the database"
        );
    }
}
