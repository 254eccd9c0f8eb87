//! Work that lasts: where it panics it begins anew, after a rest.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::domain::ids::InstanceId;

/// Before it begins anew: it may panic again at once, having read everything again. Twice as long after each further time.
const REST: Duration = Duration::from_secs(5);
/// What went on for longer than that begins as if it had never panicked.
const LONG: Duration = Duration::from_hours(1);

/// Has this done for an instance until it comes to its end, however often it panics; it rests for no longer than `longest`.
/// `what`: as the log calls it. `end`: it is to come to its end, and does not rest before that.
pub(super) async fn last<F: Future<Output = ()>>(
    (what, instance): (&str, InstanceId),
    longest: Duration,
    end: &CancellationToken,
    work: impl Fn() -> F,
) {
    let mut before = None;
    loop {
        let (begun, is_last) = (Instant::now(), end.is_cancelled());
        // Nothing of what it was at is used again.
        if AssertUnwindSafe(work()).catch_unwind().await.is_ok() {
            return;
        }
        tracing::error!(%instance, "{what} panicked; it begins anew");
        if is_last {
            return;
        }
        let rest = next_rest(before, begun.elapsed(), longest);
        end.run_until_cancelled(sleep(rest)).await;
        before = Some(rest);
    }
}

/// The rest after what went on for so long, behind the one `before`.
fn next_rest(before: Option<Duration>, went_on: Duration, longest: Duration) -> Duration {
    let before = before.filter(|_| went_on <= LONG);
    before.map_or(REST, |before| before.saturating_mul(2).min(longest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rests_twice_as_long_after_each_panic_and_shortly_again_where_it_went_on_for_long() {
        let minute = Duration::from_mins(1);
        let mut rest = None;
        let mut rests = |minutes| {
            rest = Some(next_rest(rest, minute * minutes, LONG));
            rest.unwrap().as_secs()
        };
        assert_eq!([0, 0, 60, 0, 61, 0].map(&mut rests), [5, 10, 20, 40, 5, 10]);
        assert_eq!([0; 20].map(&mut rests)[19], LONG.as_secs());
    }
}
