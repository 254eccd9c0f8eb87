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
/// `what`: as the log calls it. `end`: it is to come to its end, and does not rest before that. Gives whether it came to its end.
pub(super) async fn last<F: Future<Output = ()>>(
    (what, instance): (&str, InstanceId),
    longest: Duration,
    end: &CancellationToken,
    work: impl Fn() -> F,
) -> bool {
    let mut before = None;
    loop {
        let (begun, is_last) = (Instant::now(), end.is_cancelled());
        // Nothing of what it was at is used again.
        if AssertUnwindSafe(work()).catch_unwind().await.is_ok() {
            return true;
        }
        if is_last {
            tracing::error!(%instance, "{what} panicked at the end, and does not begin anew");
            return false;
        }
        tracing::error!(%instance, "{what} panicked; it begins anew");
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
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::domain::ids::{IdSource as _, SystemIds};

    /// Has done what panics so often before it comes to its end, and the end is there while it rests for the first time; gives
    /// whether it came to its end, and how often it began.
    async fn lasts(panics: usize) -> (bool, usize) {
        let (end, begun) = (CancellationToken::new(), AtomicUsize::new(0));
        let named = ("a test", InstanceId::from_uuid(SystemIds.next()));
        let work = async || {
            let before = begun.fetch_add(1, Ordering::SeqCst);
            assert!(before >= panics, "as a test wants it");
        };
        let ends = async { end.cancel() };
        let (is_ended, ()) = tokio::join!(last(named, LONG, &end, work), ends);
        (is_ended, begun.into_inner())
    }

    #[tokio::test]
    async fn what_panics_at_the_end_once_more_has_not_come_to_its_end() {
        assert_eq!(lasts(0).await, (true, 1));
        assert_eq!(lasts(1).await, (true, 2));
        assert_eq!(lasts(2).await, (false, 2));
    }

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
