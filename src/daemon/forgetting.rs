//! The reconciler of what is kept for a time only: takes no input, and removes what that time has passed for.

use std::convert::Infallible;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::app::error::AppError;
use crate::app::{App, idempotency};
use crate::domain::error_chain::error_chain;

/// Nobody waits for it: what is too old counts for nothing already.
pub const PERIOD: Duration = Duration::from_hours(1);

/// Removes, at once and then each time that the period has passed, until the soft stop.
pub async fn run(app: App, period: Duration, stop: CancellationToken) -> Result<(), Infallible> {
    loop {
        if let Err(error) = turn(&app, &stop).await {
            tracing::error!(error = error_chain(&error), "old answers could not be removed");
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(period) => {}
        }
    }
}

async fn turn(app: &App, stop: &CancellationToken) -> Result<(), AppError> {
    // Some at a time: no other writer waits for all of them.
    while !stop.is_cancelled() && idempotency::forget_old(app).await? > 0 {}
    Ok(())
}
