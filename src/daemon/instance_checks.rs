//! The reconciler of what is known of PBXs: takes no input, and tests the connection to each of this host now and then.

use std::convert::Infallible;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::deploy_worker::own_instances;
use crate::app::{App, instance_checks};
use crate::domain::error_chain::error_chain;
use crate::domain::instance::NodeName;
use crate::store::Store;

/// A test makes Asterisk read its own files: often enough to see since when something is wrong, seldom enough to cost a
/// large box nothing.
pub const PERIOD: Duration = Duration::from_mins(5);

/// Tests each time that the period has passed, until the soft stop.
pub async fn run(
    app: App,
    store: Store,
    node: NodeName,
    period: Duration,
    stop: CancellationToken,
) -> Result<(), Infallible> {
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(period) => {}
        }
        let own = match own_instances(&store, &node).await {
            Ok(own) => own,
            Err(error) => {
                tracing::error!(error = error_chain(&error), "the instances could not be read");
                continue;
            }
        };
        for id in own {
            let looked = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                looked = instance_checks::look(&app, id) => looked,
            };
            if let Err(error) = looked {
                tracing::warn!(instance = %id, error = error_chain(&error), "its connection could not be tested");
            }
        }
    }
}
