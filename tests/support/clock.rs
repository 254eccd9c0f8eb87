//! A clock that a test may put forward and back, and a process that goes by it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use switchyard::domain::clock::{Clock, SystemClock};

/// The system's clock, which a test may put forward and back.
#[derive(Clone, Default)]
pub struct Shifted(Arc<AtomicI64>);

impl Shifted {
    pub fn forward(&self, by: Duration) {
        self.jump(i64::try_from(by.as_secs()).unwrap());
    }

    /// So many seconds, forward or back.
    pub fn jump(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for Shifted {
    fn now(&self) -> Timestamp {
        SystemClock.now() + SignedDuration::from_secs(self.0.load(Ordering::SeqCst))
    }
}
