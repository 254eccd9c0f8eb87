//! A link that is opened again whenever it breaks.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::connection::serve;
use super::hub::Handle;
use super::pending::Outgoing;
use super::{LinkFailure as _, Protocol};

/// However short the waits are set, we do not try without a pause.
const MIN_WAIT: Duration = Duration::from_millis(20);

/// How long to wait between tries.
#[derive(Debug, Clone)]
pub struct Backoff {
    /// After the first failure; doubled after each further one.
    pub first: Duration,
    pub max: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(250),
            max: Duration::from_secs(15),
        }
    }
}

impl Backoff {
    /// The failures in a row, with one more link that had held for `held`.
    ///
    /// One that broke soon is a failure like any other, or a server that accepts and drops us would be called again
    /// and again without a pause.
    fn count(&self, failures: u32, held: Duration) -> u32 {
        if held > self.max {
            1
        } else {
            failures.saturating_add(1)
        }
    }

    /// The wait after `failures` failures in a row. Half of it is left to chance, so that several daemons do not come
    /// back to one PBX in step.
    fn wait(&self, failures: u32, chance: u32) -> Duration {
        let doubled = self
            .first
            .saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)));
        let half = doubled.min(self.max).max(MIN_WAIT) / 2;
        half.saturating_add(half.mul_f64(f64::from(chance) / f64::from(u32::MAX)))
    }
}

/// A client whose link [`Supervisor::run`] keeps up. `chance` gives evenly spread numbers; no secret hangs on them.
pub fn supervise<P: Protocol, C: FnMut() -> u32>(
    config: P::Config,
    backoff: Backoff,
    chance: C,
) -> (Handle<P>, Supervisor<P, C>) {
    let (handle, queue) = Handle::new(P::room(&config));
    let supervisor = Supervisor {
        config,
        backoff,
        chance,
        handle: handle.clone(),
        queue,
    };
    (handle, supervisor)
}

/// The work of a link; its owner spawns or polls [`Self::run`].
#[derive(Debug)]
#[must_use = "a link is not opened unless its supervisor is run"]
pub struct Supervisor<P: Protocol, C> {
    config: P::Config,
    backoff: Backoff,
    chance: C,
    handle: Handle<P>,
    queue: mpsc::Receiver<Outgoing<P>>,
}

impl<P: Protocol, C: FnMut() -> u32> Supervisor<P, C> {
    /// Keeps the link up until `stop` is cancelled.
    pub async fn run(mut self, stop: CancellationToken) {
        stop.run_until_cancelled(self.keep_up()).await;
    }

    async fn keep_up(&mut self) {
        let mut failures = 0_u32;
        loop {
            let (reason, held) = self.one_link().await;
            failures = self.backoff.count(failures, held);
            let wait = if reason.is_refusal() {
                self.backoff.max.max(MIN_WAIT)
            } else {
                self.backoff.wait(failures, (self.chance)())
            };
            let next_try = Instant::now().checked_add(wait);
            let reason = self.handle.hub().link_down(reason, next_try);
            if failures == 1 {
                tracing::warn!(
                    error = &reason as &dyn std::error::Error,
                    "no link to {}",
                    P::PEER
                );
            }
            sleep(wait).await;
        }
    }

    /// Opens the link and serves it. Says why it ended and how long it had held.
    async fn one_link(&mut self) -> (P::LinkError, Duration) {
        let mut line = match P::open(&self.config).await {
            Ok(line) => line,
            Err(error) => return (error, Duration::ZERO),
        };
        let since = Instant::now();
        self.handle.hub().link_up(since);
        tracing::info!("linked to {}", P::PEER);
        let timing = P::timing(&self.config);
        let reason = serve(&mut line, &self.handle, &mut self.queue, timing).await;
        (reason, since.elapsed())
    }
}

/// However the work ends, also by a dropped future, nobody is left waiting for it.
impl<P: Protocol, C> Drop for Supervisor<P, C> {
    fn drop(&mut self) {
        self.handle.hub().link_down(P::LinkError::stopped(), None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_link_that_held_ends_the_row_of_failures() {
        let backoff = Backoff::default();
        assert_eq!(backoff.count(4, Duration::ZERO), 5);
        assert_eq!(backoff.count(4, backoff.max), 5);
        assert_eq!(backoff.count(4, backoff.max * 2), 1);
        assert_eq!(backoff.count(u32::MAX, Duration::ZERO), u32::MAX);
    }

    #[test]
    fn waits_double_up_to_the_limit_and_half_is_chance() {
        let backoff = Backoff {
            first: Duration::from_millis(250),
            max: Duration::from_secs(15),
        };
        let longest: Vec<u128> = (1..9).map(|n| backoff.wait(n, u32::MAX).as_millis()).collect();
        assert_eq!(longest, [250, 500, 1000, 2000, 4000, 8000, 15000, 15000]);
        assert_eq!(backoff.wait(1, 0).as_millis(), 125);
        assert_eq!(backoff.wait(u32::MAX, 0).as_millis(), 7500);
        let none = Backoff {
            first: Duration::ZERO,
            max: Duration::ZERO,
        };
        assert_eq!(none.wait(1, u32::MAX), MIN_WAIT);
        let endless = Backoff {
            first: Duration::MAX,
            max: Duration::MAX,
        };
        assert!(endless.wait(9, u32::MAX) > Duration::from_secs(u64::MAX / 2));
    }
}
