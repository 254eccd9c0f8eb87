//! For how long a tenant keeps what it has, with the time that this is counted by.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::app::retention::Retention;
use crate::domain::retention::RetentionPolicy;
use crate::domain::trusted_time::HeldBack;
use crate::store::trusted_time::Known;

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
    /// Until when it is behind, if nobody sets the clock again and the service stays up; `null` where it is not, and where the
    /// operator has to say that the clock is right.
    held_back_until: Option<Timestamp>,
    /// Whether it stays behind until the operator says that the clock is right.
    needs_confirmation: bool,
}

impl From<Known> for ClockView {
    fn from(known: Known) -> Self {
        Self {
            time: known.time,
            held_back_until: known.held_back.and_then(|held| held.until),
            needs_confirmation: known.held_back.is_some_and(HeldBack::is_leap),
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
