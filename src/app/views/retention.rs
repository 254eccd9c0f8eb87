//! For how long a tenant keeps what it has, with the time that this is counted by.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::app::retention::Retention;
use crate::app::trusted_time::KnownTime;
use crate::domain::retention::RetentionPolicy;

/// For how long a tenant keeps what it has.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "RetentionAndClock")]
pub struct RetentionView {
    #[serde(flatten)]
    policy: RetentionPolicy,
    clock: ClockView,
}

/// The time that ages are counted by.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Clock")]
struct ClockView {
    /// Not ahead of the clock; behind it while a jump of it is not believed.
    time: Timestamp,
    /// Until when it is behind, if nobody sets the clock again and the service stays up; `null` where it is not.
    held_back_until: Option<Timestamp>,
}

impl From<KnownTime> for ClockView {
    fn from(known: KnownTime) -> Self {
        Self {
            time: known.time,
            held_back_until: known.held_back.map(|held| held.until),
        }
    }
}

impl From<Retention> for RetentionView {
    fn from(retention: Retention) -> Self {
        Self {
            policy: retention.policy,
            clock: retention.time.into(),
        }
    }
}
