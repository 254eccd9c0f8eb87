//! Whether a PBX tells of calls by itself, on the link that there is: who hears nothing knows no more than the last poll.

use std::time::Duration;

use tokio::time::Instant;

/// What the log says of a link on which nothing is heard.
pub const DEAF: &str = "its account is told of no calls: only polls find them, and what they find is told as stale; \
    `switchyard instance test` says what lacks";
/// What it says once a poll has proven that.
pub const CORRECTED: &str =
    "a poll found calls that no event had told of; see that the PBX's account may read calls";

/// For how long a link is kept on which nothing is heard although it should be, by how often it was made for that: the PBX
/// may read its files long after they were written.
pub const ANEW: [Duration; 4] = [
    Duration::from_mins(1),
    Duration::from_mins(2),
    Duration::from_mins(5),
    Duration::from_mins(10),
];

/// Why a link that was made anew is not believed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Doubt {
    /// The PBX's files say that something is heard now; it may not have read them yet.
    Told,
    /// On the one before, polls found what no news had told of.
    Missed,
}

/// What is known of that.
#[derive(Clone, Debug)]
pub struct Hearing {
    /// Whether news of a call came.
    has_heard: bool,
    /// Whether polls found what no news had told of, and none since has found it otherwise.
    has_missed: bool,
    /// What the PBX says of it.
    told: Option<bool>,
    doubt: Option<Doubt>,
    /// Whether a poll was taken already, from which on others find what was missed.
    is_polled: bool,
    /// How often a link was made anew since something was heard.
    again: usize,
    /// Since when it is listened on this link.
    since: Instant,
}

impl Hearing {
    /// Nothing is known.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            has_heard: false,
            has_missed: false,
            told: None,
            doubt: None,
            is_polled: false,
            again: 0,
            since: now,
        }
    }

    /// The same on another link: what was doubted is doubted on.
    #[must_use]
    pub fn on_another(&self, now: Instant) -> Self {
        Self {
            doubt: self.doubt,
            again: self.again,
            ..Self::new(now)
        }
    }

    /// News of a call came.
    pub fn hear(&mut self) {
        self.has_heard = true;
        self.doubt = None;
        self.again = 0;
    }

    /// A poll was taken. `missed`: it found what no news had told of.
    pub fn take(&mut self, missed: bool) {
        if missed {
            self.has_missed = true;
        } else {
            self.has_missed &= !self.has_heard;
            if self.is_polled && self.doubt == Some(Doubt::Told) {
                self.doubt = None;
            }
        }
        self.is_polled = true;
    }

    /// Whether the PBX is to be asked.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        !self.has_heard && self.told != Some(true)
    }

    /// What the PBX says, if it says anything. Gives whether that is otherwise than before, which only a new link heeds.
    #[must_use]
    pub fn tell(&mut self, told: Option<bool>) -> bool {
        let before = self.told;
        self.told = told.or(before);
        let is_new = !self.has_heard && before == Some(false) && self.told == Some(true);
        if is_new {
            self.doubt = Some(self.doubt.unwrap_or(Doubt::Told));
        }
        is_new
    }

    /// Whether another link is to be made since nothing is heard on this one that should be. `pauses`: as [`ANEW`].
    #[must_use]
    pub fn gives_up(&mut self, now: Instant, pauses: &[Duration; 4]) -> bool {
        let pause = pauses.get(self.again).unwrap_or(&pauses[3]);
        let is_over = now.duration_since(self.since) >= *pause;
        let gives_up = !self.has_heard && self.has_missed && self.told == Some(true) && is_over;
        if gives_up {
            self.doubt = Some(Doubt::Missed);
            self.again += 1;
        }
        gives_up
    }

    /// Whether what is known of calls is no newer than the last poll.
    #[must_use]
    pub fn is_deaf(&self) -> bool {
        self.has_missed || self.doubt.is_some() || (!self.has_heard && self.told == Some(false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hearing() -> Hearing {
        Hearing::new(Instant::now())
    }

    #[test]
    fn o10_who_is_told_to_hear_nothing_is_deaf_until_something_is_heard() {
        let mut hearing = hearing();
        assert!(!hearing.is_deaf() && hearing.is_asked());
        assert!(!hearing.tell(None));
        assert!(!hearing.is_deaf() && hearing.is_asked(), "nothing is known");
        assert!(!hearing.tell(Some(false)));
        assert!(hearing.is_deaf() && hearing.is_asked());
        assert!(!hearing.tell(None));
        assert!(hearing.is_deaf(), "no answer takes nothing back");
        hearing.hear();
        assert!(!hearing.is_deaf() && !hearing.is_asked());
        assert!(!hearing.tell(Some(true)), "it hears: no other link is needed");
    }

    #[test]
    fn o10_another_link_is_made_once_the_account_may_hear_and_believed_once_polls_find_nothing() {
        let mut before = hearing();
        assert!(!before.tell(Some(true)), "it is as it was");
        assert!(!before.is_deaf() && !before.is_asked());
        let mut before = hearing();
        assert!(!before.tell(Some(false)));
        assert!(before.tell(Some(true)));
        let mut hearing = before.on_another(Instant::now());
        assert!(hearing.is_deaf() && hearing.is_asked());
        hearing.take(false);
        assert!(hearing.is_deaf(), "the first finds only how it stands");
        hearing.take(false);
        assert!(!hearing.is_deaf());
    }

    #[test]
    fn o10_what_polls_find_is_doubted_until_one_finds_nothing_of_the_kind() {
        let mut hearing = hearing();
        assert!(!hearing.tell(Some(true)));
        hearing.take(true);
        assert!(hearing.is_deaf(), "whatever is said");
        hearing.take(false);
        assert!(hearing.is_deaf(), "nothing was heard, and nothing happened");
        hearing.hear();
        assert!(hearing.is_deaf(), "some are heard, and others may be missed");
        hearing.take(true);
        assert!(hearing.is_deaf());
        hearing.take(false);
        assert!(!hearing.is_deaf());
    }

    #[test]
    fn o10_who_hears_nothing_that_should_tries_another_link_ever_less_often_until_something_is_heard() {
        let mut now = Instant::now();
        let mut hearing = Hearing::new(now);
        for pause in ANEW.iter().chain([&ANEW[3]]) {
            now += *pause;
            assert!(!hearing.tell(Some(true)));
            assert!(!hearing.gives_up(now, &ANEW), "nothing was missed on this link");
            hearing.take(true);
            assert!(!hearing.gives_up(now.checked_sub(Duration::from_secs(1)).unwrap(), &ANEW));
            assert!(hearing.gives_up(now, &ANEW), "{pause:?}");
            hearing = hearing.on_another(now);
            hearing.take(false);
            hearing.take(false);
            assert!(hearing.is_deaf(), "only what is heard takes that back");
        }
        hearing.hear();
        assert!(!hearing.is_deaf());
        let mut other = hearing.on_another(now);
        other.take(true);
        assert!(
            !other.gives_up(now + ANEW[3], &ANEW),
            "nobody says that it should hear"
        );
        assert!(!other.tell(Some(true)));
        assert!(other.gives_up(now + ANEW[0], &ANEW), "from the beginning");
    }
}
