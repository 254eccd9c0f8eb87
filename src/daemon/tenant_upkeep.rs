//! The reconciler of suspended and deleted tenants: takes no input, has PBXs follow and removes what none serves any more.

use std::convert::Infallible;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::app::setbacks::Setbacks;
use crate::app::{App, tenant_upkeep};
use crate::domain::error_chain::error_chain;

/// As often as deploys are looked for: a deletion goes on where its deploy has ended.
pub const PERIOD: Duration = Duration::from_secs(2);

/// Looks, at once and then each time that the period has passed, until the soft stop.
pub async fn run(app: App, period: Duration, stop: CancellationToken) -> Result<(), Infallible> {
    let mut setbacks = Setbacks::default();
    loop {
        if let Err(error) = tenant_upkeep::turn(&app, &mut setbacks).await {
            tracing::error!(
                error = error_chain(&error),
                "suspended and deleted tenants could not be looked after"
            );
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(period) => {}
        }
    }
}
