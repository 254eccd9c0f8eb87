//! A place on the way of a lookup at which a test holds it.

use std::time::Duration;

use tokio::sync::watch;

/// The place.
#[derive(Debug)]
pub struct Gate {
    /// Whether lookups wait until a test lets them go on.
    held: watch::Sender<bool>,
    /// How many are there.
    under_way: watch::Sender<usize>,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            held: watch::Sender::new(false),
            under_way: watch::Sender::new(0),
        }
    }
}

impl Gate {
    /// From now on each lookup waits here.
    pub fn hold(&self) {
        self.held.send_replace(true);
    }

    /// Those that wait go on.
    pub fn let_go(&self) {
        self.held.send_replace(false);
    }

    /// Waits until so many lookups are here.
    pub async fn until_under_way(&self, count: usize) {
        let mut under_way = self.under_way.subscribe();
        under_way.wait_for(|now| *now >= count).await.unwrap();
    }

    /// Goes past it, after a pause where nobody is held; whether a test held it.
    pub(super) async fn pass(&self, pause: Duration) -> bool {
        let mut held = self.held.subscribe();
        let was_held = *held.borrow_and_update();
        self.under_way.send_modify(|count| *count += 1);
        if was_held {
            held.wait_for(|held| !held).await.unwrap();
        } else if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        self.under_way.send_modify(|count| *count -= 1);
        was_held
    }
}
