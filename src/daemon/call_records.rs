//! The reconciler of recordings: takes no input, and brings what is known of them in line with the disk of each PBX of this
//! host; and the maker of calls that are asked for.

use std::convert::Infallible;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::deploy_worker::own_instances;
use crate::app::{App, click_to_call};
use crate::domain::error_chain::error_chain;
use crate::domain::ids::{InstanceId, SystemIds};
use crate::domain::instance::NodeName;
use crate::monitor::recordings;
use crate::store::{Store, instances};

/// Often enough to hear a call soon after it, seldom enough to cost a large disk nothing.
pub const PERIOD: Duration = Duration::from_secs(30);
/// Calls that are made at once.
const AT_ONCE: usize = 16;

/// Looks each time that the period has passed, until the soft stop.
pub async fn find_recordings(
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
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = find(&store, id) => {}
            }
        }
    }
}

async fn find(store: &Store, id: InstanceId) {
    let looked = async {
        let mut tx = store.read("instance_of_recordings").await?;
        let instance = instances::find(&mut tx, id).await?;
        drop(tx);
        match instance {
            Some(instance) => {
                // Of tenants that go, also those that another host finishes.
                let removed = recordings::remove_leaving(store, &SystemIds, &instance).await?;
                for (tenant, error) in &removed.kept {
                    let error = error_chain(error);
                    tracing::warn!(instance = %id, %tenant, error, "recordings of a tenant that goes are kept");
                }
                recordings::search(store, &SystemIds, &instance).await
            }
            None => Ok(recordings::Searched::default()),
        }
    };
    match looked.await {
        Ok(found) if found == recordings::Searched::default() => {}
        Ok(found) => tracing::debug!(instance = %id, found.kept, found.lost, "recordings were looked at"),
        Err(error) => {
            tracing::warn!(instance = %id, error = error_chain(&error), "recordings could not be looked at");
        }
    }
}

/// Makes the calls that are asked for, until the soft stop.
pub async fn make_calls(app: App, stop: CancellationToken) -> Result<(), Infallible> {
    let Some(mut asked) = click_to_call::take(&app) else {
        stop.cancelled().await;
        return Ok(());
    };
    let mut making = JoinSet::new();
    loop {
        let click = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            Some(_) = making.join_next(), if !making.is_empty() => continue,
            click = asked.recv(), if making.len() < AT_ONCE => click,
        };
        let Some(click) = click else {
            return Ok(());
        };
        let app = app.clone();
        making.spawn(async move { click_to_call::make(&app, click).await });
    }
}
