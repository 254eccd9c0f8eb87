//! The connection test of an event socket, with what to do where it does not take orders.

use super::Socket;
use crate::driver::{Check, DriverError};

const NAME: &str = "event_socket";

/// Whether it is reached, lets us in and answers.
pub async fn check(socket: &Socket) -> Check {
    let answered = async { socket.switch().await?.ready().await };
    match answered.await {
        Ok(()) => Check::good(NAME, "FreeSWITCH answers".to_owned()),
        Err(error) => {
            let mend = match error {
                DriverError::Refused { .. } => {
                    "see the password and apply-inbound-acl in FreeSWITCH's event_socket.conf.xml, then `reload mod_event_socket`"
                }
                _ => "see that FreeSWITCH runs and that event_socket.conf.xml has it listen there",
            };
            Check::bad(NAME, error.full(), mend)
        }
    }
}
