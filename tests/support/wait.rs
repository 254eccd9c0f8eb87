//! Waiting for what comes by itself.

use std::time::{Duration, Instant};

/// Waits far longer than it should take; whether it came.
pub async fn came(mut holds: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        if Instant::now() >= deadline {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    true
}

/// Waits until it came about.
pub async fn until(what: &str, holds: impl FnMut() -> bool) {
    assert!(came(holds).await, "it did not come about that {what}");
}
