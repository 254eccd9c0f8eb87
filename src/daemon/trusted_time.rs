//! The watcher of the clock: takes no input, and notes where it stands.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::app::{App, trusted_time};
use crate::domain::error_chain::error_chain;
use crate::domain::trusted_time::Heart;

/// What is older is counted in days.
pub const PERIOD: Duration = Duration::from_mins(1);

/// It is told as often, for nothing else happens.
const DAILY: Duration = Duration::from_hours(24);
/// What a leap means.
const LEAPT: &str = "this host's clock was put forward by more than 30 days, or no daemon ran for so long: what is kept for days \
    does not grow older by that until `switchyard clock believe --date` says that the clock is right";

/// Looks, at once and then each time that the period has passed, until the soft stop.
pub async fn run(app: App, period: Duration, stop: CancellationToken) -> Result<(), Infallible> {
    let mut heart = Heart::default();
    let mut told: Option<Instant> = None;
    loop {
        match trusted_time::beat(&app, &mut heart).await {
            Ok(false) => told = None,
            Ok(true) if told.is_some_and(|told| told.elapsed() < DAILY) => {}
            Ok(true) => {
                tracing::warn!("{LEAPT}");
                told = Some(Instant::now());
            }
            Err(error) => tracing::error!(
                error = error_chain(&error),
                "where the clock stands could not be noted; nothing is purged until it is"
            ),
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(period) => {}
        }
    }
}
