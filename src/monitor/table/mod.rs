//! Which legs a PBX has up: news in, a bounded table out, without clock or PBX.

use std::collections::{BTreeSet, HashMap, HashSet};

use jiff::Timestamp;

use crate::domain::leg::{Leg, LegId};

/// A PBX that is busy tells late. What it has not told after so many polls it tells no more.
const LATE: u64 = 3;

/// A poll that is under way.
#[derive(Debug, PartialEq, Eq)]
pub struct Begun(u64);

/// Why what a poll says is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// News were lost while it was under way: it may be older than what was lost.
    #[error("news were lost while the poll was under way")]
    Outdated,
    /// It says more than is kept; so many of it were taken.
    #[error("the PBX has more legs up than the {0} that are kept")]
    TooMany(usize),
}

/// The legs of one PBX.
///
/// News alone are not believed for ever: one that is missed leaves a ghost, or hides a call. A full poll says how things stand,
/// and the two are brought together by when the poll was *begun*: what is heard of a leg while it is under way is newer
/// than what it says of that leg.
#[derive(Debug)]
pub struct Table {
    limit: usize,
    legs: HashMap<LegId, Leg>,
    calls: HashMap<LegId, BTreeSet<LegId>>,
    /// Legs that have ended, each with the number of polls that had been begun by then: news that come late, and polls
    /// that were begun before, do not bring one back.
    ended: HashMap<LegId, u64>,
    polls: u64,
    /// The legs that were heard of since the poll that is under way was begun.
    window: Option<HashSet<LegId>>,
    is_current: bool,
    changed: HashSet<LegId>,
    /// What polls have put right, each with which one. The news of it may be on their way.
    put_right: HashMap<LegId, u64>,
}

impl Table {
    /// Nothing is known yet. `limit`: the most legs that are kept.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            legs: HashMap::new(),
            calls: HashMap::new(),
            ended: HashMap::new(),
            polls: 0,
            window: None,
            is_current: false,
            changed: HashSet::new(),
            put_right: HashMap::new(),
        }
    }

    /// Whether it is known to be as the PBX says. Where not, a poll that is begun now makes it so.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.is_current
    }

    /// A leg as it stands now.
    pub fn hear(&mut self, mut leg: Leg, at: Timestamp) {
        self.put_right.remove(&leg.id);
        if self.ended.contains_key(&leg.id) {
            return;
        }
        let known = self.legs.get(&leg.id);
        if known.is_none() && self.legs.len() >= self.limit {
            return self.lose();
        }
        if leg.is_up && leg.answered_at.is_none() && known.is_none_or(|known| !known.is_up) {
            leg.answered_at = Some(at);
        }
        if let Some(window) = &mut self.window {
            window.insert(leg.id.clone());
        }
        self.put(leg);
    }

    /// A leg is no more.
    pub fn end(&mut self, id: LegId) {
        if self.ended.len() >= self.limit {
            // Polls are too seldom for so many ends; which of them a poll knows cannot be told apart any more.
            self.ended.clear();
            self.lose();
        }
        self.remove(&id);
        self.put_right.remove(&id);
        self.ended.entry(id).or_insert(self.polls);
    }

    /// News were lost, or may have been: what is here is of before.
    pub fn lose(&mut self) {
        self.is_current = false;
        self.window = None;
        self.put_right.clear();
    }

    /// Begins a poll: to be called before the PBX is asked. One that was begun before is forgotten.
    #[must_use = "what the PBX answers belongs to this poll"]
    pub fn begin_poll(&mut self) -> Begun {
        self.polls += 1;
        self.window = Some(HashSet::new());
        Begun(self.polls)
    }

    /// Whether a poll is under way of which the answer would be taken.
    #[must_use]
    pub fn is_polled(&self) -> bool {
        self.window.is_some()
    }

    /// Takes what a poll says; gives how many legs an earlier one had put right of which no news has come since, although
    /// none seemed to be lost.
    pub fn end_poll(&mut self, begun: &Begun, polled: Vec<Leg>) -> Result<usize, NotTaken> {
        let heard = match self.window.take() {
            Some(heard) if begun.0 == self.polls => heard,
            window => {
                self.window = window;
                return Err(NotTaken::Outdated);
            }
        };
        let many = polled.len() > self.limit;
        let shown: HashSet<LegId> = polled.iter().map(|leg| leg.id.clone()).collect();
        let gone = |id: &LegId| !shown.contains(id) && !heard.contains(id);
        let gone: Vec<LegId> = self.legs.keys().filter(|id| gone(id)).cloned().collect();
        for id in &gone {
            self.remove(id);
        }
        let known = self.put_right.len();
        self.put_right.retain(|_, poll| *poll + LATE > begun.0);
        let unheard = known - self.put_right.len();
        let mut put_right = gone;
        for leg in polled {
            // Two polls that were begun after its end and show it know better than whoever told of that end.
            let has_ended = self.ended.get(&leg.id).is_some_and(|polls| polls + 1 >= begun.0);
            if has_ended || heard.contains(&leg.id) && self.legs.contains_key(&leg.id) {
                continue;
            }
            let is_known = self.legs.contains_key(&leg.id);
            if is_known || self.legs.len() < self.limit {
                if !is_known {
                    put_right.push(leg.id.clone());
                }
                self.put(leg);
            }
        }
        self.ended
            .retain(|id, polls| *polls >= begun.0 || *polls + 1 == begun.0 && shown.contains(id));
        if self.is_current {
            self.put_right
                .extend(put_right.into_iter().map(|id| (id, begun.0)));
        }
        self.is_current = !many;
        if many {
            Err(NotTaken::TooMany(self.limit))
        } else {
            Ok(unheard)
        }
    }

    /// Every call, by what the PBX calls it.
    pub fn calls(&self) -> impl Iterator<Item = &LegId> {
        self.calls.keys()
    }

    /// The legs of a call; none where there is no such call any more.
    #[must_use]
    pub fn legs_of(&self, call: &LegId) -> Vec<&Leg> {
        let ids = self.calls.get(call).into_iter().flatten();
        ids.filter_map(|id| self.legs.get(id)).collect()
    }

    /// The calls of which a leg came, changed or went since this was asked last.
    pub fn take_changed(&mut self) -> HashSet<LegId> {
        std::mem::take(&mut self.changed)
    }

    /// Every call is to be looked at again.
    pub fn change_all(&mut self) {
        self.changed.extend(self.calls.keys().cloned());
    }

    /// What is known already stays where the news do not say it.
    fn put(&mut self, mut leg: Leg) {
        match self.legs.remove(&leg.id) {
            Some(known) if known == leg => {}
            Some(known) => {
                if known.call != leg.call {
                    self.unlink(&known);
                }
                leg.dialled = known.dialled.or(leg.dialled);
                if leg.is_up {
                    leg.answered_at = known.answered_at.or(leg.answered_at);
                }
                self.changed.insert(leg.call.clone());
            }
            None => {
                self.changed.insert(leg.call.clone());
            }
        }
        self.calls
            .entry(leg.call.clone())
            .or_default()
            .insert(leg.id.clone());
        self.legs.insert(leg.id.clone(), leg);
    }

    fn remove(&mut self, id: &LegId) {
        if let Some(leg) = self.legs.remove(id) {
            self.unlink(&leg);
        }
    }

    fn unlink(&mut self, leg: &Leg) {
        self.changed.insert(leg.call.clone());
        if let Some(legs) = self.calls.get_mut(&leg.call) {
            legs.remove(&leg.id);
            if legs.is_empty() {
                self.calls.remove(&leg.call);
            }
        }
    }

    /// How much is kept, in all.
    #[cfg(test)]
    fn size(&self) -> usize {
        let heard = self.window.as_ref().map_or(0, HashSet::len);
        [
            self.legs.len(),
            self.calls.len(),
            self.ended.len(),
            heard,
            self.put_right.len() / 6,
        ]
        .into_iter()
        .max()
        .unwrap()
    }
}

#[cfg(test)]
mod tests;
