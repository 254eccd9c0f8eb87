//! A link that is opened again whenever it breaks.

use std::mem::{Discriminant, discriminant};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::connection::serve;
use super::hub::Handle;
use super::lookup::Lookup;
use super::pending::Outgoing;
use super::{LinkFailure as _, Protocol};

/// However short the waits are set, we do not try without a pause.
const MIN_WAIT: Duration = Duration::from_millis(20);

/// The log says no more often than this that there is no link, or that this is for another reason by now.
const QUIET: Duration = Duration::from_secs(15);

/// How long to wait between tries.
#[derive(Debug, Clone)]
pub struct Backoff {
    /// After the first failure; doubled after each further one.
    pub first: Duration,
    /// However often it failed: also where nonsense came, or who took the connection closed it. Such a try costs the PBX a
    /// connection, no guard takes it for a guess, and who talks sense again is heard after no more than this.
    pub max: Duration,
    /// Where the PBX says no we wait for `max`, twice as long after each further no in a row, and this long at the most: one
    /// that is just starting may refuse for a moment, and who is refused often may be shut out by its guard.
    pub refused: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        let max = Duration::from_secs(15);
        Self {
            first: Duration::from_millis(250),
            max,
            refused: max,
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
        let half = doubled(self.first, failures).min(self.max).max(MIN_WAIT) / 2;
        half.saturating_add(half.mul_f64(f64::from(chance) / f64::from(u32::MAX)))
    }

    /// The wait after `refusals` refusals in a row.
    fn wait_refused(&self, refusals: u32) -> Duration {
        let longest = self.refused.max(self.max);
        doubled(self.max, refusals).min(longest).max(MIN_WAIT)
    }
}

/// What has become of a wait after so many in a row.
fn doubled(first: Duration, times: u32) -> Duration {
    first.saturating_mul(2_u32.saturating_pow(times.saturating_sub(1)))
}

/// What the log says of a link: one line when it breaks, one for each other reason that keeps it down and one when it is back,
/// however often it is tried meanwhile.
#[derive(Debug)]
struct Said<R> {
    is_up: Option<bool>,
    /// When it last said that there is no link, and why.
    down: Option<(Instant, R)>,
}

impl<R> Default for Said<R> {
    fn default() -> Self {
        let (is_up, down) = (None, None);
        Self { is_up, down }
    }
}

impl<R: PartialEq> Said<R> {
    /// The link is up now; gives whether that is to be said.
    fn up(&mut self) -> bool {
        self.is_up.replace(true) != Some(true)
    }

    /// There is none; gives whether that is to be said.
    fn down(&mut self, now: Instant, reason: R) -> bool {
        let is_said = self.is_up == Some(false);
        let is_nothing_new = |(at, said): &(Instant, R)| {
            now.saturating_duration_since(*at) < QUIET || (is_said && *said == reason)
        };
        if self.down.as_ref().is_some_and(is_nothing_new) {
            return false;
        }
        (self.is_up, self.down) = (Some(false), Some((now, reason)));
        true
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
        said: Said::default(),
        lookup: Lookup::default(),
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
    said: Said<Discriminant<P::LinkError>>,
    lookup: Lookup,
    handle: Handle<P>,
    queue: mpsc::Receiver<Outgoing<P>>,
}

impl<P: Protocol, C: FnMut() -> u32> Supervisor<P, C> {
    /// Keeps the link up until `stop` is cancelled.
    pub async fn run(mut self, stop: CancellationToken) {
        stop.run_until_cancelled(self.keep_up()).await;
    }

    async fn keep_up(&mut self) {
        let (mut failures, mut refusals) = (0_u32, 0_u32);
        loop {
            let (opened, held) = self.one_link().await;
            failures = self.backoff.count(failures, held);
            let (reason, wait) = match opened {
                // Whatever else went wrong since the last one, who says no and lets nobody in between is asked ever more rarely.
                Err(reason) if reason.is_refusal() => {
                    refusals = refusals.saturating_add(1);
                    (reason, self.backoff.wait_refused(refusals))
                }
                Err(reason) => (reason, self.backoff.wait(failures, (self.chance)())),
                Ok(reason) => {
                    refusals = 0;
                    (reason, self.backoff.wait(failures, (self.chance)()))
                }
            };
            let next_try = Instant::now().checked_add(wait);
            let reason = self.handle.hub().link_down(reason, next_try);
            if self.said.down(Instant::now(), discriminant(&*reason)) {
                tracing::warn!(
                    error = &reason as &dyn std::error::Error,
                    "no link to {}",
                    P::PEER
                );
            }
            sleep(wait).await;
        }
    }

    /// Opens the link and serves it. Says why it could not be opened, or why it ended, and how long it had held.
    async fn one_link(&mut self) -> (Result<P::LinkError, P::LinkError>, Duration) {
        let mut line = match P::open(&self.config, &mut self.lookup).await {
            Ok(line) => line,
            Err(error) => return (Err(error), Duration::ZERO),
        };
        let since = Instant::now();
        self.handle.hub().link_up(since);
        if self.said.up() {
            tracing::info!("linked to {}", P::PEER);
        }
        let timing = P::timing(&self.config);
        let reason = serve(&mut line, &self.handle, &mut self.queue, timing).await;
        (Ok(reason), since.elapsed())
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
        let backoff = Backoff::default();
        let longest: Vec<u128> = (1..9).map(|n| backoff.wait(n, u32::MAX).as_millis()).collect();
        assert_eq!(longest, [250, 500, 1000, 2000, 4000, 8000, 15000, 15000]);
        assert_eq!(backoff.wait(1, 0).as_millis(), 125);
        assert_eq!(backoff.wait(u32::MAX, 0).as_millis(), 7500);
        let none = Backoff {
            first: Duration::ZERO,
            max: Duration::ZERO,
            refused: Duration::ZERO,
        };
        assert_eq!([none.wait(1, u32::MAX), none.wait_refused(9)], [MIN_WAIT; 2]);
        let endless = Backoff {
            first: Duration::MAX,
            max: Duration::MAX,
            refused: Duration::ZERO,
        };
        assert!(endless.wait(9, u32::MAX) > Duration::from_secs(u64::MAX / 2));
        assert_eq!(endless.wait_refused(9), Duration::MAX);
    }

    #[test]
    fn the_first_refusal_waits_no_longer_than_a_failure_and_each_further_one_twice_as_long_up_to_its_limit() {
        let backoff = Backoff {
            max: Duration::from_millis(500),
            ..Backoff::default()
        };
        let waits: Vec<u128> = (1..8).map(|n| backoff.wait_refused(n).as_millis()).collect();
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 15000, 15000]);
        assert_eq!(backoff.wait(9, u32::MAX).as_millis(), 500);
    }

    #[test]
    fn the_log_says_once_that_there_is_no_link_once_that_it_is_back_and_of_one_that_flaps_little() {
        let begun = Instant::now();
        let at = |second| begun + Duration::from_secs(second);
        let mut said = Said::default();
        assert!(said.down(at(0), "cut"), "there is none from the beginning");
        assert!(
            (1..100).all(|second| !said.down(at(second), "cut")),
            "each try fails"
        );
        assert!(said.up());
        assert!(
            said.down(at(100), "cut") && said.up(),
            "it broke soon, and is back"
        );
        for second in 101..115 {
            assert!(!said.down(at(second), "cut") && !said.up(), "{second}");
        }
        assert!(
            !said.down(at(114), "cut") && said.down(at(115), "cut"),
            "it stays down"
        );
        assert!(said.up() && !said.up());
    }

    #[test]
    fn the_log_says_once_that_a_link_is_down_for_another_reason_and_of_one_that_changes_with_each_try_little()
    {
        let begun = Instant::now();
        let at = |second| begun + Duration::from_secs(second);
        let mut said = Said::default();
        assert!(said.down(at(0), "cut"));
        let lines = |said: &mut Said<_>, seconds: std::ops::Range<u64>, reason: fn(u64) -> &'static str| {
            seconds
                .filter(|second| said.down(at(*second), reason(*second)))
                .count()
        };
        // It is down for one reason, and then for another.
        assert_eq!(lines(&mut said, 1..60, |_| "refused"), 1);
        // Each try fails for another reason than the one before.
        let either = |second: u64| {
            if second.is_multiple_of(2) {
                "cut"
            } else {
                "refused"
            }
        };
        assert_eq!(lines(&mut said, 60..120, either), 4);
        assert!(said.up());
    }
}
