//! Calling for somebody: their own phone first, then whom they want, by the dialplan of their tenant.

use std::time::Duration;

use tokio::time::timeout;

use super::{Switch, told, word};
use crate::domain::dial::DialNumber;
use crate::domain::leg::Endpoint;
use crate::driver::DriverError;

/// A phone that is not there is refused at once; one that rings may ring on while nobody waits here.
const PATIENCE: Duration = Duration::from_millis(1_500);

impl Switch {
    /// Rings a phone, and once it is answered has it call a number as if that had been dialled on it.
    pub(super) async fn call(&self, from: &Endpoint, to: &DialNumber) -> Result<(), DriverError> {
        let user = word(&format!("{}@{}", from.number, from.domain))?;
        let (context, to) = (word(from.domain.as_str())?, word(to.as_str())?);
        match timeout(PATIENCE, self.client().call_for(&user, &to, &context, PATIENCE)).await {
            // It is being done: FreeSWITCH goes on whoever waits.
            Err(_) => Ok(()),
            Ok(done) => done.map_err(|error| told("a call", error)),
        }
    }
}
