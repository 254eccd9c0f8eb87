//! The deadlines of a link, and the watch over its silence.

use std::time::Duration;

use tokio::time::sleep;

use super::hub::Handle;
use super::{LinkFailure as _, Protocol};

/// However short `Timing::idle` is set, we do not ask without a pause.
const MIN_IDLE: Duration = Duration::from_millis(20);

/// Deadlines of the link itself; each request brings its own.
#[derive(Debug, Clone)]
pub struct Timing {
    /// From the first packet to where the sign-in can be sent.
    pub connect: Duration,
    /// How long a sign-in that was sent may take. Asterisk answers a wrong secret only after one second, and who asks again before
    /// that is taken for somebody who guesses.
    pub sign_in: Duration,
    /// After this long without a message the link is asked for a sign of life.
    pub idle: Duration,
    /// How long that sign may take. A PBX does not answer while it works at another request of the same connection.
    pub ping: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            sign_in: Duration::from_secs(10),
            idle: Duration::from_secs(15),
            ping: Duration::from_secs(10),
        }
    }
}

impl Timing {
    /// Ends only when the link gives no sign of life.
    pub(super) async fn keep_alive<P: Protocol>(&self, handle: &Handle<P>) -> P::LinkError {
        let idle = self.idle.max(MIN_IDLE);
        let pending = &handle.hub().pending;
        loop {
            let quiet_for = pending.last_heard().elapsed();
            if quiet_for < idle {
                sleep(idle.saturating_sub(quiet_for)).await;
            } else if !pending.may_ping() {
                sleep(idle / 4).await;
            } else if !handle.is_alive(self.ping).await {
                return P::LinkError::silent(self.ping);
            }
        }
    }
}
