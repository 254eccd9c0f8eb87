//! What becomes of an event after an attempt: delivered, tried again or given up; and of its webhook: disabled.

use std::time::Duration;

use jiff::Timestamp;

use crate::domain::random::Randomness;
use crate::outbox::pace;

/// An event that a webhook refuses for what it is is tried so often: the receiver may be mended meanwhile.
const REFUSALS: i64 = 5;
/// For being there no longer.
const GONE: u16 = 410;

/// How an attempt ended.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Outcome {
    /// The webhook has it.
    Delivered,
    /// The webhook does not take it.
    Failed {
        reason: String,
        /// It is this event that it does not take.
        of_event: bool,
    },
    /// The webhook says that it is there no longer.
    Gone,
    /// The daemon stops. Whether the webhook has it is not known.
    Interrupted,
}

impl Outcome {
    /// A failure that says nothing of the event.
    pub fn failed(reason: impl Into<String>) -> Self {
        Self::Failed {
            reason: reason.into(),
            of_event: false,
        }
    }

    /// By the answer's status.
    pub fn of_status(status: u16) -> Self {
        let failed = |of_event, more: &str| Self::Failed {
            reason: format!("answers with status {status}{more}"),
            of_event,
        };
        match status {
            200..300 => Self::Delivered,
            300..400 => failed(false, "; redirects are not followed"),
            GONE => Self::Gone,
            // What is said of the content, and not of who asks, where, or how often.
            400 | 406 | 409 | 411..=415 | 417 | 422 | 431 => failed(true, ""),
            _ => failed(false, ""),
        }
    }
}

/// What is noted of it.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    Delivered,
    Again { at: Timestamp, reason: String },
    GiveUp { reason: String },
    Disable { note: String },
    LetGo,
}

impl Verdict {
    /// The last attempt is made when the webhook has taken nothing for as long as that may be, whatever the pause before it.
    pub fn new(
        outcome: Outcome,
        attempt: i64,
        failing_since: Option<Timestamp>,
        now: Timestamp,
        give_up_after: Duration,
        random: &dyn Randomness,
    ) -> Self {
        let later = |from: Timestamp, by: Duration| from.checked_add(by).unwrap_or(Timestamp::MAX);
        let (reason, of_event) = match outcome {
            Outcome::Delivered => return Self::Delivered,
            Outcome::Interrupted => return Self::LetGo,
            Outcome::Gone => {
                let note = "disabled: it answered with status 410, which says that it is gone for good";
                return Self::Disable {
                    note: note.to_owned(),
                };
            }
            Outcome::Failed { reason, of_event } => (reason, of_event),
        };
        let last = later(failing_since.unwrap_or(now), give_up_after);
        if now >= last {
            let hours = give_up_after.as_secs() / 3600;
            return Self::Disable {
                note: format!("disabled: it took nothing for {hours} hours; the last time: {reason}"),
            };
        }
        if of_event && attempt >= REFUSALS {
            return Self::GiveUp { reason };
        }
        Self::Again {
            at: later(now, pace::pause(attempt, random)).min(last),
            reason,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::random::NoRandomness;

    const DAY: Duration = Duration::from_hours(24);

    struct Nothing;

    impl Randomness for Nothing {
        fn fill(&self, _: &mut [u8]) -> Result<(), NoRandomness> {
            Err(NoRandomness)
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn verdict(outcome: Outcome, attempt: i64, since: Option<i64>, now: i64) -> Verdict {
        Verdict::new(outcome, attempt, since.map(at), at(now), DAY, &Nothing)
    }

    fn again(seconds: i64, reason: &str) -> Verdict {
        Verdict::Again {
            at: at(seconds),
            reason: reason.to_owned(),
        }
    }

    #[test]
    fn what_failed_is_tried_again_until_the_webhook_took_nothing_for_too_long() {
        let failed = || Outcome::failed("x");
        assert_eq!(verdict(failed(), 1, None, 5), again(15, "x"));
        assert_eq!(verdict(failed(), 3, Some(0), 60), again(100, "x"));
        assert_eq!(verdict(failed(), 30, Some(0), 60), again(3660, "x"));
        assert_eq!(
            verdict(failed(), 30, Some(0), 86_000),
            again(86_400, "x"),
            "at the very end once more"
        );
        let note = "disabled: it took nothing for 24 hours; the last time: x".to_owned();
        assert_eq!(verdict(failed(), 30, Some(0), 86_400), Verdict::Disable { note });
    }

    #[test]
    fn an_event_that_is_refused_for_what_it_is_does_not_hold_up_the_next_for_ever() {
        let refused = || Outcome::of_status(422);
        assert_eq!(
            verdict(refused(), 4, Some(0), 60),
            again(140, "answers with status 422")
        );
        let reason = "answers with status 422".to_owned();
        assert_eq!(verdict(refused(), 5, Some(0), 60), Verdict::GiveUp { reason });
        assert!(matches!(
            verdict(refused(), 1, Some(0), 90_000),
            Verdict::Disable { .. }
        ));
    }

    #[test]
    fn a_webhook_that_is_gone_is_disabled_at_once() {
        let gone = verdict(Outcome::of_status(410), 1, None, 0);
        assert!(matches!(gone, Verdict::Disable { note } if note.contains("410")));
        assert_eq!(verdict(Outcome::Interrupted, 1, None, 0), Verdict::LetGo);
        assert_eq!(verdict(Outcome::of_status(204), 1, None, 0), Verdict::Delivered);
    }

    #[test]
    fn only_a_success_is_one() {
        let is_of_event = |status| match Outcome::of_status(status) {
            Outcome::Failed { of_event, .. } => Some(of_event),
            _ => None,
        };
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(Outcome::of_status(status), Outcome::Delivered);
        }
        for status in [301, 302, 307, 308, 401, 403, 404, 408, 425, 429, 500, 502, 503] {
            assert_eq!(is_of_event(status), Some(false), "{status}");
        }
        for status in [400, 413, 415, 422] {
            assert_eq!(is_of_event(status), Some(true), "{status}");
        }
    }
}
