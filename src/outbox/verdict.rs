//! What becomes of a mail after an attempt: sent, tried again, or given up.

use std::time::Duration;

use jiff::Timestamp;

use super::pace;
use super::smtp::SmtpError;
use crate::domain::random::Randomness;
use crate::store::outbox::Claimed;

/// A mail that is refused for good is tried so often: what refuses it may be a setting that somebody corrects.
const REFUSALS: i64 = 5;

/// How an attempt ended.
pub(super) enum Outcome {
    /// The server has it.
    Sent,
    /// It was taken back, or another process has it.
    NotOurs,
    /// The daemon stops, and the server has not got it.
    Interrupted,
    /// What it offers has expired.
    Worthless(String),
    /// The server has not taken it.
    Failed {
        reason: String,
        /// No other mail would have fared better.
        of_server: bool,
        /// The server wants it neither now nor later.
        of_mail: bool,
    },
}

impl Outcome {
    /// A failure that says nothing of the server or the mail.
    pub fn failed(reason: impl Into<String>) -> Self {
        Self::Failed {
            reason: reason.into(),
            of_server: false,
            of_mail: false,
        }
    }
}

impl From<SmtpError> for Outcome {
    fn from(error: SmtpError) -> Self {
        Self::Failed {
            reason: error.to_string(),
            of_server: error.is_of_server(),
            of_mail: error.is_of_mail(),
        }
    }
}

/// What is noted of it.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    Sent,
    NotOurs,
    Again { at: Timestamp, reason: Option<String> },
    GiveUp { reason: String },
}

impl Verdict {
    /// The last attempt is made when the mail is as old as it may become, whatever the pause before it.
    pub fn new(
        outcome: Outcome,
        claimed: &Claimed,
        now: Timestamp,
        give_up_after: Duration,
        random: &dyn Randomness,
    ) -> Self {
        let later = |from: Timestamp, by: Duration| from.checked_add(by).unwrap_or(Timestamp::MAX);
        match outcome {
            Outcome::Sent => Self::Sent,
            Outcome::NotOurs => Self::NotOurs,
            Outcome::Interrupted => Self::Again {
                at: now,
                reason: None,
            },
            Outcome::Worthless(reason) => Self::GiveUp { reason },
            Outcome::Failed { reason, of_mail, .. } => {
                let last = later(claimed.created_at, give_up_after);
                if now >= last || (of_mail && claimed.attempt >= REFUSALS) {
                    return Self::GiveUp { reason };
                }
                let pause = if of_mail {
                    pace::LONGEST
                } else {
                    pace::pause(claimed.attempt, random)
                };
                Self::Again {
                    at: later(now, pause).min(last),
                    reason: Some(reason),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::MessageId;
    use crate::domain::random::NoRandomness;
    use uuid::Uuid;

    const DAY: Duration = Duration::from_hours(24);

    struct None;

    impl Randomness for None {
        fn fill(&self, _: &mut [u8]) -> Result<(), NoRandomness> {
            Err(NoRandomness)
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn verdict(outcome: Outcome, attempt: i64, seconds: i64) -> Verdict {
        let claimed = Claimed {
            id: MessageId::from_uuid(Uuid::nil()),
            attempt,
            subject: format!("invitation/{}", Uuid::nil()).parse().unwrap(),
            tenant: Option::None,
            created_at: at(0),
            payload: Ok("x".to_owned().into()),
        };
        Verdict::new(outcome, &claimed, at(seconds), DAY, &None)
    }

    fn again(seconds: i64) -> Verdict {
        Verdict::Again {
            at: at(seconds),
            reason: Some("x".to_owned()),
        }
    }

    fn refused() -> Outcome {
        Outcome::Failed {
            reason: "x".to_owned(),
            of_server: false,
            of_mail: true,
        }
    }

    #[test]
    fn what_failed_is_tried_again_until_it_is_too_old() {
        let given_up = Verdict::GiveUp {
            reason: "x".to_owned(),
        };
        assert_eq!(verdict(Outcome::failed("x"), 1, 5), again(15));
        assert_eq!(verdict(Outcome::failed("x"), 30, 5), again(3605));
        assert_eq!(
            verdict(Outcome::failed("x"), 30, 86_000),
            again(86_400),
            "at the very end once more"
        );
        assert_eq!(verdict(Outcome::failed("x"), 30, 86_400), given_up);
        assert_eq!(verdict(Outcome::failed("x"), 1, 900_000), given_up);
    }

    #[test]
    fn what_is_refused_for_good_is_tried_hourly_and_not_for_ever() {
        assert_eq!(verdict(refused(), 1, 5), again(3605));
        assert_eq!(verdict(refused(), 4, 5), again(3605));
        let given_up = Verdict::GiveUp {
            reason: "x".to_owned(),
        };
        assert_eq!(verdict(refused(), 5, 5), given_up);
    }

    #[test]
    fn what_was_interrupted_is_due_at_once() {
        let at_once = Verdict::Again {
            at: at(5),
            reason: Option::None,
        };
        assert_eq!(verdict(Outcome::Interrupted, 1, 5), at_once);
        assert_eq!(
            verdict(Outcome::Interrupted, 1, 900_000),
            Verdict::Again {
                at: at(900_000),
                reason: Option::None
            }
        );
    }
}
