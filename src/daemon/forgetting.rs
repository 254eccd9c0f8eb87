//! The reconciler of what is kept for a time, or as long as it is needed: takes no input, and removes what is not any more.

use std::convert::Infallible;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::app::error::AppError;
use crate::app::{App, erasures, idempotency, one_time, revisions, sessions};
use crate::domain::error_chain::error_chain;

/// Nobody waits for it: what is too old counts for nothing already.
pub const PERIOD: Duration = Duration::from_hours(1);

/// Removes, at once and then each time that the period has passed, until the soft stop.
pub async fn run(app: App, period: Duration, stop: CancellationToken) -> Result<(), Infallible> {
    loop {
        if let Err(error) = turn(&app, &stop).await {
            tracing::error!(
                error = error_chain(&error),
                "old answers, tokens, sessions, revisions and old erasures could not be removed"
            );
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(period) => {}
        }
    }
}

async fn turn(app: &App, stop: &CancellationToken) -> Result<(), AppError> {
    // Some at a time: no other writer waits for all of them.
    while !stop.is_cancelled() && some_forgotten(app).await? > 0 {}
    revisions::forget_unneeded(app, stop).await?;
    Ok(())
}

/// Some answers, tokens, sessions and erasures that count for nothing any more; how many.
async fn some_forgotten(app: &App) -> Result<u64, AppError> {
    let answers = idempotency::forget_old(app).await?;
    let tokens = one_time::forget_expired(app).await?;
    let sessions = sessions::forget_ended(app).await?;
    Ok(answers + tokens + sessions + erasures::forget_old(app).await?)
}
