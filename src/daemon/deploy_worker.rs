//! The reconciler of deploys: takes no input, works off what is queued for this host's instances, on a nudge and
//! periodically.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::deploy::{DeployError, Engine};
use crate::domain::error_chain::error_chain;
use crate::domain::instance::NodeName;
use crate::store::{Store, StoreError, instances};

/// Requests of other processes come without a nudge.
const PERIOD: Duration = Duration::from_secs(2);

/// Works until the soft stop; a deploy under way is finished first.
pub async fn run(
    store: Store,
    engine: Arc<Engine>,
    node: NodeName,
    nudge: Arc<Notify>,
    stop: CancellationToken,
) -> Result<(), Infallible> {
    while !stop.is_cancelled() {
        match own_instances(&store, &node).await {
            Ok(ids) => {
                let work = ids.into_iter().map(|id| {
                    let (engine, stop) = (&engine, &stop);
                    async move {
                        match engine.work_off(id, stop).await {
                            Ok(_) => {}
                            Err(DeployError::LeaseLost) => tracing::warn!(instance = %id, "another process took over"),
                            Err(error) => tracing::error!(instance = %id, error = error_chain(&error), "deploys stand still"),
                        }
                    }
                });
                join_all(work).await;
            }
            Err(error) => tracing::error!(error = error_chain(&error), "the instances could not be read"),
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = nudge.notified() => {}
            () = tokio::time::sleep(PERIOD) => {}
        }
    }
    Ok(())
}

async fn own_instances(
    store: &Store,
    node: &NodeName,
) -> Result<Vec<crate::domain::ids::InstanceId>, StoreError> {
    let mut tx = store.read("own_instances").await?;
    let all = instances::list(&mut tx).await?;
    Ok(all
        .into_iter()
        .filter(|instance| instance.node == *node)
        .map(|instance| instance.id)
        .collect())
}
