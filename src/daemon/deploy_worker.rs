//! The reconciler of deploys: takes no input, works off what is queued for this host's instances, on a nudge and
//! periodically.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::deploy::{DeployError, Engine};
use crate::domain::error_chain::error_chain;
use crate::domain::ids::InstanceId;
use crate::domain::instance::NodeName;
use crate::store::{Store, StoreError, instances};

/// Requests of other processes come without a nudge.
const PERIOD: Duration = Duration::from_secs(2);

/// Works until the soft stop; a deploy under way is finished first.
///
/// Each instance has a task of its own: one that waits for the database must not keep another, which holds a connection,
/// from going on.
pub async fn run(
    store: Store,
    engine: Arc<Engine>,
    node: NodeName,
    nudge: Arc<Notify>,
    stop: CancellationToken,
) -> Result<(), Infallible> {
    let mut busy = BTreeSet::new();
    let mut working = JoinSet::new();
    while !stop.is_cancelled() {
        // A nudge for an instance that is just ending its work would be lost.
        let mut missed = false;
        match own_instances(&store, &node).await {
            Ok(ids) => {
                for id in ids {
                    if busy.insert(id) {
                        working.spawn(work_off(Arc::clone(&engine), id, stop.clone()));
                    } else {
                        missed = true;
                    }
                }
            }
            Err(error) => tracing::error!(error = error_chain(&error), "the instances could not be read"),
        }
        // An instance that is done is looked at again by the next nudge or after the period.
        let pause = tokio::time::sleep(PERIOD);
        tokio::pin!(pause);
        loop {
            tokio::select! {
                Some(done) = working.join_next() => {
                    match done {
                        Ok(id) => {
                            busy.remove(&id);
                        }
                        // Its instance stays in `busy`: what panicked once would panic again.
                        Err(error) => tracing::error!(%error, "the deploys of an instance ended early"),
                    }
                    if missed {
                        break;
                    }
                }
                () = stop.cancelled() => break,
                () = nudge.notified() => break,
                () = &mut pause => break,
            }
        }
    }
    while working.join_next().await.is_some() {}
    Ok(())
}

async fn work_off(engine: Arc<Engine>, id: InstanceId, stop: CancellationToken) -> InstanceId {
    match engine.work_off(id, &stop).await {
        Ok(_) => {}
        Err(DeployError::LeaseLost) => tracing::warn!(instance = %id, "another process took over"),
        Err(error) => tracing::error!(instance = %id, error = error_chain(&error), "deploys stand still"),
    }
    id
}

/// The instances that this host drives.
pub(super) async fn own_instances(store: &Store, node: &NodeName) -> Result<Vec<InstanceId>, StoreError> {
    let mut tx = store.read("own_instances").await?;
    let all = instances::list(&mut tx).await?;
    Ok(all
        .into_iter()
        .filter(|instance| instance.node == *node)
        .map(|instance| instance.id)
        .collect())
}
