//! The reconciler of what has to go: takes no input, asks for purges each day, and carries out purges and erasures that were asked
//! for.

use std::convert::Infallible;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::app::setbacks::Setbacks;
use crate::app::{App, erasures, purge_work, purges};
use crate::domain::error_chain::error_chain;

/// Whoever asks for one sees it begin.
pub const PERIOD: Duration = Duration::from_secs(2);
/// Once a day something may be to be asked for.
const ASKING: Duration = Duration::from_hours(1);

/// Looks, at once and then each time that the period has passed, until the soft stop.
pub async fn run(app: App, period: Duration, stop: CancellationToken) -> Result<(), Infallible> {
    let mut asked: Option<Instant> = None;
    let (mut setbacks, mut of_erasures) = (Setbacks::default(), Setbacks::default());
    loop {
        if asked.is_none_or(|asked| asked.elapsed() >= ASKING) {
            asked = Some(Instant::now());
            if let Err(error) = purges::request_due(&app).await {
                tracing::error!(error = error_chain(&error), "purges could not be asked for");
            }
        }
        let mut is_left = match purge_work::work(&app, &mut setbacks, &stop).await {
            Ok(is_left) => is_left,
            Err(error) => {
                tracing::error!(error = error_chain(&error), "purges could not be looked for");
                false
            }
        };
        match erasures::work::work(&app, &mut of_erasures, &stop).await {
            Ok(is_more) => is_left |= is_more,
            Err(error) => {
                tracing::error!(error = error_chain(&error), "erasures could not be looked for");
            }
        }
        let pause = if is_left { Duration::ZERO } else { period };
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(pause) => {}
        }
    }
}
