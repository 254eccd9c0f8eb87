//! What becomes of an event after an attempt: delivered, tried again or given up; and of its webhook: disabled.

use std::time::Duration;

use jiff::Timestamp;

use crate::domain::random::Randomness;
use crate::outbox::pace;

/// An event that a webhook refuses for what it is is tried so often: the receiver may be mended meanwhile.
const REFUSALS: i64 = 5;
/// A webhook that refuses so many events in a row, and nothing but refuses for long enough, is disabled.
const MOST_REFUSED: i64 = 20;
/// How much of a reason is kept, in characters: the other side may have chosen its words, as in the names of a certificate.
const LONGEST_REASON: usize = 300;
/// How long a webhook is left alone for what is no fault of its own.
const OURS: Duration = Duration::from_mins(1);
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
    /// It could not be tried, for what is no fault of the webhook.
    Hindered { reason: String },
    /// The webhook says that it is there no longer.
    Gone,
    /// The daemon stops. Whether the webhook has it is not known.
    Interrupted,
}

impl Outcome {
    /// A failure that says nothing of the event.
    pub fn failed(reason: impl Into<String>) -> Self {
        Self::Failed {
            reason: bounded(&reason.into()),
            of_event: false,
        }
    }

    /// A failure of this host.
    pub fn hindered(reason: impl Into<String>) -> Self {
        Self::Hindered {
            reason: bounded(&reason.into()),
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

/// On one line, and not longer than anybody reads.
fn bounded(reason: &str) -> String {
    let visible = |c: char| if c.is_control() { ' ' } else { c };
    reason.chars().map(visible).take(LONGEST_REASON).collect()
}

/// What is known of a webhook when an attempt has ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    /// How often this event was tried, this time included.
    pub attempt: i64,
    /// How many events were given up before it, since one was taken.
    pub refused: i64,
    /// Since when nothing is taken.
    pub failing_since: Option<Timestamp>,
}

/// What is noted of it.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    Delivered,
    Again { at: Timestamp, reason: String },
    Wait { at: Timestamp, reason: String },
    GiveUp { reason: String },
    Disable { note: String },
    LetGo,
}

impl Verdict {
    /// The last attempt is made when the webhook has taken nothing for as long as that may be, whatever the pause before it.
    ///
    /// Time alone disables nothing: who was not tried all that time, because nothing was to be sent, the daemon stood still or
    /// the clock was put forward, has not failed all that time. Of one event that waits all that time there are more attempts
    /// than hours: pauses are an hour at most, and the first ones short.
    pub fn new(
        outcome: Outcome,
        record: Record,
        now: Timestamp,
        give_up_after: Duration,
        random: &dyn Randomness,
    ) -> Self {
        let later = |from: Timestamp, by: Duration| from.checked_add(by).unwrap_or(Timestamp::MAX);
        let disabled = |why: &str, reason: &str| Self::Disable {
            note: format!("disabled: {why}; the last time: {reason}"),
        };
        let (reason, of_event) = match outcome {
            Outcome::Delivered => return Self::Delivered,
            Outcome::Interrupted => return Self::LetGo,
            Outcome::Hindered { reason } => {
                let at = later(now, OURS);
                return Self::Wait { at, reason };
            }
            Outcome::Gone => {
                let note = "disabled: it answered with status 410, which says that it is gone for good";
                return Self::Disable {
                    note: note.to_owned(),
                };
            }
            Outcome::Failed { reason, of_event } => (reason, of_event),
        };
        let last = later(record.failing_since.unwrap_or(now), give_up_after);
        let hours = give_up_after.as_secs() / 3600;
        let is_over = now >= last;
        let enough = i64::try_from(hours).unwrap_or(i64::MAX).saturating_add(REFUSALS);
        if is_over && record.attempt >= enough {
            return disabled(&format!("it took nothing for {hours} hours"), &reason);
        }
        if of_event && record.attempt >= REFUSALS {
            let refused = record.refused.saturating_add(1);
            if is_over && refused >= MOST_REFUSED {
                return disabled(&format!("it refused {refused} events and took none"), &reason);
            }
            return Self::GiveUp { reason };
        }
        let next = later(now, pace::pause(record.attempt, random));
        Self::Again {
            at: if is_over { next } else { next.min(last) },
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
        verdict_after(0, outcome, attempt, since, now)
    }

    fn verdict_after(refused: i64, outcome: Outcome, attempt: i64, since: Option<i64>, now: i64) -> Verdict {
        let record = Record {
            attempt,
            refused,
            failing_since: since.map(at),
        };
        Verdict::new(outcome, record, at(now), DAY, &Nothing)
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
    }

    #[test]
    fn a_webhook_that_was_hardly_tried_is_not_disabled_however_long_ago_it_failed() {
        let week = 7 * 86_400;
        assert_eq!(
            verdict(Outcome::failed("x"), 1, Some(0), week),
            again(week + 10, "x"),
            "an event a week ago was refused, and this is the next one"
        );
        assert_eq!(
            verdict(Outcome::failed("x"), 28, Some(0), week),
            again(week + 3600, "x")
        );
        assert!(matches!(
            verdict(Outcome::failed("x"), 29, Some(0), week),
            Verdict::Disable { .. }
        ));
    }

    #[test]
    fn a_webhook_that_refuses_one_event_after_the_other_for_a_day_is_disabled() {
        let refused = || Outcome::of_status(422);
        let gives_up = |refused_before, now| {
            let verdict = verdict_after(refused_before, refused(), 5, Some(0), now);
            matches!(verdict, Verdict::GiveUp { .. })
        };
        assert!(gives_up(18, 86_400) && gives_up(19, 86_399) && gives_up(500, 86_399));
        let note =
            "disabled: it refused 20 events and took none; the last time: answers with status 422".to_owned();
        assert_eq!(
            verdict_after(19, refused(), 5, Some(0), 86_400),
            Verdict::Disable { note }
        );
    }

    #[test]
    fn what_is_no_fault_of_the_webhook_is_never_held_against_it() {
        let hindered = verdict(Outcome::hindered("x"), 500, Some(0), 10 * 86_400);
        let (at, reason) = (at(10 * 86_400 + 60), "x".to_owned());
        assert_eq!(hindered, Verdict::Wait { at, reason });
    }

    #[test]
    fn of_what_the_other_side_says_as_much_is_kept_as_somebody_reads_and_on_one_line() {
        let long = format!("a\n\0b{}", "é".repeat(100_000));
        for outcome in [Outcome::failed(long.clone()), Outcome::hindered(long)] {
            let (Outcome::Failed { reason, .. } | Outcome::Hindered { reason }) = outcome else {
                panic!("neither");
            };
            assert_eq!(reason.chars().count(), 300);
            assert!(reason.starts_with("a  bé"));
        }
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
