//! Waiting for what comes by itself.

use std::time::{Duration, Instant};

/// Waits far longer than it should take.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "it did not come about that {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
