//! Live calls: what each PBX tells of its calls and phones, brought together so that a figure is right or says that it
//! may not be.

pub mod board;
mod call;
pub mod desk;
mod directory;
mod listener;
mod phones;
pub mod recordings;
pub mod records;
pub mod stream;
pub mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{Id, JoinSet};
use tokio_util::sync::CancellationToken;

use self::listener::Listener;
pub use self::listener::Tools;
use crate::domain::digest::Digest;
use crate::domain::error_chain::error_chain;
use crate::domain::ids::InstanceId;
use crate::domain::instance::{InstanceSettings, NodeName, PbxInstance};
use crate::domain::instance_secrets::InstanceSecrets;
use crate::driver::feed::FeedFactory;
use crate::store::{Store, StoreError, instances};

/// How often it is looked which instances there are, and whether one is reached otherwise by now.
const LOOK: Duration = Duration::from_secs(2);
/// A listener that panicked would do so again at once.
const REST: Duration = Duration::from_secs(5);

/// How an instance is listened to; another way is another listener.
#[derive(Clone, PartialEq, Eq)]
struct Way {
    settings: InstanceSettings,
    secrets: Option<Digest>,
}

/// Who listens to an instance.
struct Listening {
    way: Way,
    stop: CancellationToken,
    task: Id,
}

/// Keeps a listener on each instance of this host until the soft stop, as they come, change and go.
pub async fn run(
    node: NodeName,
    feeds: Arc<dyn FeedFactory>,
    tools: Tools,
    stop: CancellationToken,
) -> Result<(), Infallible> {
    let mut listeners: BTreeMap<InstanceId, Listening> = BTreeMap::new();
    let mut tasks: JoinSet<()> = JoinSet::new();
    let mut failed = false;
    loop {
        let looked = tokio::select! {
            () = stop.cancelled() => break,
            looked = look(&tools.store, &node) => looked,
        };
        match looked {
            Ok(own) => {
                failed = false;
                follow(&own, feeds.as_ref(), &tools, &mut listeners, &mut tasks).await;
            }
            Err(error) => {
                if !failed {
                    tracing::error!(error = error_chain(&error), "the instances could not be read");
                }
                failed = true;
            }
        }
        let pause = tokio::time::sleep(LOOK);
        tokio::pin!(pause);
        loop {
            tokio::select! {
                () = &mut pause => break,
                () = stop.cancelled() => break,
                Some(ended) = tasks.join_next_with_id() => {
                    let (task, panicked) = match ended {
                        Ok((task, ())) => (task, false),
                        Err(error) => (error.id(), error.is_panic()),
                    };
                    forget(task, panicked, &tools, &mut listeners).await;
                }
            }
        }
    }
    for listening in listeners.values() {
        listening.stop.cancel();
    }
    while tasks.join_next().await.is_some() {}
    Ok(())
}

/// The instances of this host that can be listened to.
async fn look(store: &Store, node: &NodeName) -> Result<Vec<(PbxInstance, Way)>, StoreError> {
    let mut tx = store.read("monitor_instances").await?;
    let mut own = Vec::new();
    for instance in instances::list(&mut tx).await? {
        if instance.node == *node {
            let way = Way {
                settings: instance.settings.clone(),
                secrets: instances::secrets_mark(&mut tx, instance.id).await?,
            };
            own.push((instance, way));
        }
    }
    Ok(own)
}

async fn follow(
    own: &[(PbxInstance, Way)],
    feeds: &dyn FeedFactory,
    tools: &Tools,
    listeners: &mut BTreeMap<InstanceId, Listening>,
    tasks: &mut JoinSet<()>,
) {
    let there: BTreeSet<InstanceId> = own.iter().map(|(instance, _)| instance.id).collect();
    listeners.retain(|id, listening| {
        let stays = there.contains(id);
        if !stays {
            listening.stop.cancel();
            tools.board.remove(*id);
        }
        stays
    });
    for (instance, way) in own {
        let id = instance.id;
        if listeners.get(&id).is_some_and(|listening| listening.way == *way) {
            continue;
        }
        if let Some(before) = listeners.remove(&id) {
            before.stop.cancel();
            // It may be another PBX by now.
            tools.board.remove(id);
        }
        let secrets = match secrets(&tools.store, id).await {
            Ok(Some(secrets)) => secrets,
            Ok(None) => continue,
            Err(error) => {
                tracing::warn!(instance = %id, error = error_chain(&error), "its secrets cannot be read: its calls are not known");
                continue;
            }
        };
        let Some(feed) = feeds.feed(instance, secrets) else {
            continue;
        };
        tools.board.add(id);
        let stop = CancellationToken::new();
        let listener = Listener::new(id, feed, tools.clone());
        let task = tasks.spawn(listener.run(stop.clone())).id();
        let way = way.clone();
        listeners.insert(id, Listening { way, stop, task });
    }
}

async fn secrets(store: &Store, id: InstanceId) -> Result<Option<InstanceSecrets>, StoreError> {
    let mut tx = store.read("monitor_secrets").await?;
    instances::secrets(&mut tx, id).await
}

/// A listener has ended that nobody stopped: the next look begins another.
async fn forget(task: Id, panicked: bool, tools: &Tools, listeners: &mut BTreeMap<InstanceId, Listening>) {
    let Some(id) = listeners
        .iter()
        .find_map(|(id, listening)| (listening.task == task).then_some(*id))
    else {
        return;
    };
    tools.board.doubt(id);
    if panicked {
        tracing::error!(instance = %id, "its listener panicked; another begins");
        tokio::time::sleep(REST).await;
    }
    listeners.remove(&id);
}
