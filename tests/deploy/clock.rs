//! A clock that a test may put forward and back, and a process that goes by it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use switchyard::app::App;
use switchyard::domain::clock::{Clock, SystemClock};
use switchyard::domain::ids::SystemIds;
use switchyard::domain::random::SystemRandom;
use tokio::sync::Notify;

use super::world::World;

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

    /// The use cases of a process whose clock this is.
    pub fn app(&self, world: &World) -> App {
        App::new(
            world.store.clone(),
            Arc::clone(&world.engine),
            Arc::new(self.clone()),
            Arc::new(SystemIds),
            Arc::new(SystemRandom),
            Arc::new(Notify::new()),
        )
    }
}

impl Clock for Shifted {
    fn now(&self) -> Timestamp {
        SystemClock.now() + SignedDuration::from_secs(self.0.load(Ordering::SeqCst))
    }
}
