//! A time that does not run ahead: what is old by it is old, whatever somebody makes of the host's clock.
//!
//! The time that a daemon is up is counted by a clock which nobody sets. How far the host's clock is ahead of that count is
//! noted with each beat, and the least that was seen within the last 24 hours of up-time is what is believed. So a clock that
//! is put forward, and one that was not looked at for long, is believed after a day of up-time; one that is put back at once.
//! By how old things are they are removed for good: for that a leap is believed only once somebody has said that it is right.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// For how much up-time a clock has to stay ahead to be believed.
pub const DOUBT: Duration = Duration::from_hours(24);
/// For how much up-time it is known what was believed before a clock that is behind: longer than that one is believed itself.
const REMEMBERED: Duration = Duration::from_hours(48);
/// A clock that is put forward by more than this is believed by nobody's patience alone: hosts are seldom off for so long, and
/// those that start with a wrong clock are often years ahead.
pub const LEAP: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Less than this is no jump: the two clocks are not read in the same moment.
const JITTER: i64 = 1_000_000;
/// A clock that is put back by no more than this, in microseconds, is the same still.
const STEP: i64 = 60 * 1_000_000;
/// More than this is not counted from one beat to the next: a time in which nobody could look is no time in which the clock was
/// seen to go well.
const MOST_OF_A_BEAT: Duration = Duration::from_mins(5);
/// What is held back by no more than this is not worth telling.
const NOTICED: SignedDuration = SignedDuration::from_mins(5);
/// Jumps that are told apart.
const MOST: usize = 64;

/// What was seen of the clock so far.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TrustedTime {
    /// How long daemons were up since the first beat, in microseconds.
    up: i64,
    /// Where the host's clock stood, the smaller and earlier ones first.
    seen: Vec<Standing>,
    /// The furthest ahead that was believed of late: a clock that was behind for a while comes back to it without a leap.
    believed: Standing,
}

/// How far the clock was ahead of the count, in microseconds, and at which count it was last seen so.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Standing {
    /// How far ahead.
    pub ahead: i64,
    /// When, by the count.
    pub last: i64,
}

/// That the clock is ahead of what is believed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HeldBack {
    /// By how much.
    pub by: SignedDuration,
    /// Until when, if the daemon stays up and the clock is left alone; by that clock. None where somebody has to say that it is
    /// right.
    pub until: Option<Timestamp>,
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

impl HeldBack {
    /// Whether somebody has to say that the clock is right.
    #[must_use]
    pub const fn is_leap(self) -> bool {
        self.until.is_none()
    }
}

impl TrustedTime {
    /// At the first beat there is nothing that the clock could be held to.
    #[must_use]
    pub fn first(wall: Timestamp) -> Self {
        let first = Standing {
            ahead: wall.as_microsecond(),
            last: 0,
        };
        Self {
            up: 0,
            seen: vec![first],
            believed: first,
        }
    }

    /// As it was kept; none where that cannot be.
    #[must_use]
    pub fn kept(up: i64, seen: Vec<Standing>, believed: Option<Standing>) -> Option<Self> {
        let ordered = seen
            .iter()
            .zip(seen.iter().skip(1))
            .all(|(one, next)| one.ahead < next.ahead && one.last <= next.last);
        let known = seen.last().is_some_and(|last| last.last <= up);
        // A former version kept none.
        let believed = believed.or_else(|| seen.first().copied())?;
        (ordered && known && up >= 0 && believed.last <= up).then_some(Self { up, seen, believed })
    }

    /// The count, for keeping.
    #[must_use]
    pub const fn up(&self) -> i64 {
        self.up
    }

    /// What was seen, for keeping.
    #[must_use]
    pub fn seen(&self) -> &[Standing] {
        &self.seen
    }

    /// The furthest that was believed, for keeping.
    #[must_use]
    pub const fn believed(&self) -> Standing {
        self.believed
    }

    /// Another beat, so much up-time after the last one.
    #[must_use]
    pub fn beat(mut self, wall: Timestamp, elapsed: Duration) -> Self {
        self.up = self.up.saturating_add(micros(elapsed));
        let ahead = wall.as_microsecond().saturating_sub(self.up);
        // Behind what was seen: it is believed at once.
        while self.seen.last().is_some_and(|last| last.ahead > ahead) {
            self.seen.pop();
        }
        match self.seen.last_mut() {
            Some(last) if ahead.saturating_sub(last.ahead) <= JITTER => last.last = self.up,
            _ => self.seen.push(Standing { ahead, last: self.up }),
        }
        self.forget_old();
        while self.seen.len() > MOST {
            // Of the last two the smaller is held for as long as the larger: too much doubt does no harm.
            self.seen.pop();
            if let Some(last) = self.seen.last_mut() {
                last.last = self.up;
            }
        }
        self.remember();
        self
    }

    fn remember(&mut self) {
        let Some(first) = self.seen.first() else { return };
        let is_past = self.up.saturating_sub(self.believed.last) >= micros(REMEMBERED);
        // A clock is put back by a little each day.
        let is_it = first.ahead.saturating_add(STEP) >= self.believed.ahead;
        if is_past || is_it {
            self.believed = Standing {
                ahead: first.ahead,
                last: self.up,
            };
        }
    }

    /// Whether a clock was seen that is ahead of this one.
    fn is_ahead_of(&self, wall: Timestamp) -> bool {
        let ahead = wall.as_microsecond().saturating_sub(self.up);
        self.seen.last().is_some_and(|last| last.ahead > ahead)
    }

    fn forget_old(&mut self) {
        let fresh = self.fresh();
        match self.leap() {
            // It stays, as what is led away from; what came of the leap grows old as ever.
            Some(before) if before < fresh => {
                self.seen.drain(before + 1..fresh);
                self.seen.drain(..before);
            }
            _ => {
                self.seen.drain(..fresh);
            }
        }
    }

    /// The place of the first standing of the last day.
    fn fresh(&self) -> usize {
        let doubt = micros(DOUBT);
        self.seen
            .iter()
            .position(|standing| self.up.saturating_sub(standing.last) < doubt)
            .unwrap_or_default()
    }

    /// The place of the standing that the first leap leads away from.
    fn leap(&self) -> Option<usize> {
        let leap = i64::try_from(LEAP.as_micros()).unwrap_or(i64::MAX);
        let mut steps = self.seen.iter().zip(self.seen.iter().skip(1));
        steps.position(|(before, next)| {
            next.ahead.saturating_sub(before.ahead.max(self.believed.ahead)) > leap
        })
    }

    /// Somebody says that this clock is right: it is believed from now on, whatever was seen before.
    #[must_use]
    pub fn believing(self, wall: Timestamp) -> Self {
        let now = Standing {
            ahead: wall.as_microsecond().saturating_sub(self.up),
            last: self.up,
        };
        Self {
            up: self.up,
            seen: vec![now],
            believed: now,
        }
    }

    /// The time that is believed, as of the last beat.
    #[must_use]
    pub fn time(&self) -> Timestamp {
        self.time_of(self.seen.first())
    }

    /// The same after a day of up-time whatever the clock has done: for what only waits, where nothing goes by that.
    #[must_use]
    pub fn waited(&self) -> Timestamp {
        self.time_of(self.seen.get(self.fresh()))
    }

    fn time_of(&self, standing: Option<&Standing>) -> Timestamp {
        let ahead = standing.map_or(i64::MIN, |standing| standing.ahead);
        Timestamp::from_microsecond(ahead.saturating_add(self.up)).unwrap_or(Timestamp::MIN)
    }

    /// Whether the clock is ahead of that, as of the last beat.
    #[must_use]
    pub fn held_back(&self) -> Option<HeldBack> {
        let last = self.seen.last()?;
        let wall = Timestamp::from_microsecond(last.ahead.saturating_add(self.up)).ok()?;
        let by = wall.duration_since(self.time());
        let before = self.seen.iter().rev().nth(1)?;
        if by <= NOTICED {
            return None;
        }
        let doubt = SignedDuration::try_from(DOUBT).ok()?;
        let passed = SignedDuration::from_micros(self.up.saturating_sub(before.last));
        let until = wall.checked_add(doubt.saturating_sub(passed)).ok()?;
        Some(HeldBack {
            by,
            until: self.leap().is_none().then_some(until),
        })
    }
}

/// What is kept of it, with the number of the beat.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Beat {
    /// Each beat has the next one.
    pub number: i64,
    /// As of that beat.
    pub time: TrustedTime,
}

/// One daemon's part in it. Of several on one database, one beats: up-time is counted once, whoever is up.
///
/// A daemon counts the time since a beat that it saw or made only where no other one has beaten since. So what is counted never
/// overlaps, and when the one that beats is gone, another one goes on by itself.
#[derive(Default, Debug)]
pub struct Heart {
    /// The last beat that it knows, and when it knew it.
    known: Option<(i64, Instant)>,
}

impl Heart {
    /// What is to be kept next; none where another daemon beats, whose clock is not ahead of this one's, or nothing was seen so
    /// far.
    ///
    /// To be asked while nobody else can beat. `now`: taken then, of a clock that nobody sets.
    pub fn beat(&mut self, kept: Option<Beat>, wall: Timestamp, now: Instant) -> Option<Beat> {
        let next = match (kept, self.known) {
            (None, _) => Beat {
                number: 1,
                time: TrustedTime::first(wall),
            },
            (Some(kept), Some((number, since))) if kept.number == number => Beat {
                number: number.saturating_add(1),
                time: kept
                    .time
                    .beat(wall, now.saturating_duration_since(since).min(MOST_OF_A_BEAT)),
            },
            (Some(kept), _) => {
                self.known = Some((kept.number, now));
                // Another daemon beats. Where this one's clock is behind, the other's may be wrong: no time is counted, and
                // what is not believed of the other's is not believed for another day.
                return kept.time.is_ahead_of(wall).then(|| Beat {
                    number: kept.number,
                    time: kept.time.beat(wall, Duration::ZERO),
                });
            }
        };
        self.known = Some((next.number, now));
        Some(next)
    }
}

#[cfg(test)]
mod tests;
