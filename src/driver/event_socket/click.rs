//! Calling for somebody, their own phone first, then whom they want, by the dialplan of their tenant; and ending a call.

use std::time::Duration;

use super::{ANSWER, Switch, told, word};
use crate::domain::dial::DialNumber;
use crate::domain::leg::{Endpoint, LegId};
use crate::driver::DriverError;
use crate::wire::esl::{Error, UnknownReason};

/// A phone that is not there is refused at once; one that rings may ring on while nobody waits here.
const PATIENCE: Duration = Duration::from_millis(1_500);

impl Switch {
    /// Rings a phone, and once it is answered has it call a number as if that had been dialled on it.
    pub(super) async fn call(&self, from: &Endpoint, to: &DialNumber) -> Result<(), DriverError> {
        let user = word(&format!("{}@{}", from.number, from.domain))?;
        let (context, to) = (word(from.domain.as_str())?, word(to.as_str())?);
        match self.client().call_for(&user, &to, &context, PATIENCE).await {
            // It was sent and is being done: FreeSWITCH goes on whoever waits.
            Err(Error::Unknown {
                reason: UnknownReason::TimedOut { .. },
                ..
            }) => Ok(()),
            done => done.map_err(|error| told("a call", error)),
        }
    }
    /// Ends legs; one that is no more has ended.
    pub(super) async fn hang_up_legs(&self, legs: &[LegId]) -> Result<(), DriverError> {
        for leg in legs {
            let uuid = word(leg.as_str())?;
            let ended = self.client().hang_up(&uuid, ANSWER).await;
            ended.map_err(|error| told("the end of a call", error))?;
        }
        Ok(())
    }
}
