//! The reconciler of deploys: takes no input, works off what is queued for this host's instances, on a nudge and
//! periodically.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::{self, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::deploy::{DeployError, Engine};
use crate::domain::error_chain::error_chain;
use crate::domain::ids::InstanceId;
use crate::domain::instance::NodeName;
use crate::store::{Store, StoreError, instances};

/// How often it looks.
#[derive(Clone, Copy, Debug)]
pub struct Rhythm {
    /// Requests of other processes come without a nudge.
    pub period: Duration,
    /// How long an instance is left alone after a fault of the program in one of its deploys: that may come again, and a
    /// deploy that is cut off too often is ended.
    pub after_panic: Duration,
}

impl Default for Rhythm {
    fn default() -> Self {
        Self {
            period: Duration::from_secs(2),
            after_panic: Duration::from_secs(15),
        }
    }
}

/// Works until the soft stop; a deploy under way is finished first.
///
/// Each instance has a task of its own: one that waits for the database must not keep another, which holds a connection,
/// from going on.
pub async fn run(
    store: Store,
    engine: Arc<Engine>,
    node: NodeName,
    nudge: Arc<Notify>,
    rhythm: Rhythm,
    stop: CancellationToken,
) -> Result<(), Infallible> {
    let mut work = Work::default();
    while !stop.is_cancelled() {
        // A nudge for an instance that is just ending its work would be lost.
        let mut missed = false;
        match own_instances(&store, &node).await {
            Ok(ids) => {
                for id in ids {
                    let deploys = work_off(Arc::clone(&engine), id, stop.clone());
                    missed |= !work.begin(id, deploys);
                }
            }
            Err(error) => tracing::error!(error = error_chain(&error), "the instances could not be read"),
        }
        // An instance that is done is looked at again by the next nudge or after the period.
        let pause = tokio::time::sleep(rhythm.period);
        tokio::pin!(pause);
        loop {
            tokio::select! {
                Some((id, panicked)) = work.ended() => {
                    if panicked {
                        let (rest, stop) = (rhythm.after_panic, stop.clone());
                        work.begin(id, async move {
                            tokio::select! {
                                () = tokio::time::sleep(rest) => {}
                                () = stop.cancelled() => {}
                            }
                        });
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
    while work.ended().await.is_some() {}
    Ok(())
}

/// What is going on, one task an instance.
#[derive(Default)]
struct Work {
    busy: BTreeSet<InstanceId>,
    tasks: JoinSet<()>,
    of: BTreeMap<task::Id, InstanceId>,
}

impl Work {
    /// Begins; false where something is going on for that instance.
    fn begin(&mut self, id: InstanceId, work: impl Future<Output = ()> + Send + 'static) -> bool {
        let is_free = self.busy.insert(id);
        if is_free {
            self.of.insert(self.tasks.spawn(work).id(), id);
        }
        is_free
    }

    /// Waits for one to end; gives its instance, and whether that was by a panic. `None` where nothing is going on.
    async fn ended(&mut self) -> Option<(InstanceId, bool)> {
        let (task, panic) = match self.tasks.join_next_with_id().await? {
            Ok((task, ())) => (task, None),
            Err(error) => (error.id(), Some(error)),
        };
        let id = self.of.remove(&task)?;
        self.busy.remove(&id);
        if let Some(error) = &panic {
            tracing::error!(instance = %id, %error, "its deploys broke off, and go on after a pause");
        }
        Some((id, panic.is_some()))
    }
}

async fn work_off(engine: Arc<Engine>, id: InstanceId, stop: CancellationToken) {
    match engine.work_off(id, &stop).await {
        Ok(_) => {}
        Err(DeployError::LeaseLost) => tracing::warn!(instance = %id, "another process took over"),
        Err(error) => tracing::error!(instance = %id, error = error_chain(&error), "deploys stand still"),
    }
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
