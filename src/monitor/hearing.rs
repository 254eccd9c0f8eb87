//! Whether a PBX tells of calls by itself, on the link that there is: who hears nothing knows no more than the last poll.

/// What the log says of a link on which nothing is heard.
pub const DEAF: &str = "its account is told of no calls: only polls find them, and what they find is told as stale; \
    `switchyard instance test` says what lacks";
/// What it says once a poll has proven that.
pub const CORRECTED: &str =
    "a poll found calls that no event had told of; see that the PBX's account may read calls";

/// What is known of that; nothing on a link that has just come up.
#[derive(Debug, Default)]
pub struct Hearing {
    /// Whether news of a call came: nothing proves more.
    has_heard: bool,
    /// Whether polls found what no news had told of.
    has_missed: bool,
    /// What the PBX says of it.
    told: Option<bool>,
}

impl Hearing {
    /// News of a call came.
    pub fn hear(&mut self) {
        self.has_heard = true;
    }

    /// A poll found what no news had told of.
    pub fn miss(&mut self) {
        self.has_missed = true;
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
        !self.has_heard && before == Some(false) && self.told == Some(true)
    }

    /// Whether nothing is heard of calls.
    #[must_use]
    pub fn is_deaf(&self) -> bool {
        !self.has_heard && (self.has_missed || self.told == Some(false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o10_who_is_told_to_hear_nothing_is_deaf_until_something_is_heard() {
        let mut hearing = Hearing::default();
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
    fn o10_another_link_is_made_once_the_account_may_hear() {
        let mut hearing = Hearing::default();
        assert!(!hearing.tell(Some(true)), "it is as it was");
        assert!(!hearing.is_deaf() && !hearing.is_asked());
        let mut hearing = Hearing::default();
        assert!(!hearing.tell(Some(false)));
        assert!(hearing.tell(Some(true)));
    }

    #[test]
    fn o10_what_polls_find_proves_that_nothing_is_heard_whatever_is_said() {
        let mut hearing = Hearing::default();
        assert!(!hearing.tell(Some(true)));
        hearing.miss();
        assert!(hearing.is_deaf());
        hearing.hear();
        hearing.miss();
        assert!(!hearing.is_deaf(), "one was missed, and others are heard");
    }
}
