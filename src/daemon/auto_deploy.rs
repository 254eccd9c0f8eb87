//! The reconciler of edits: asks for a deploy of each tenant that was edited and left alone since.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::deploy_worker::own_instances;
use crate::app::App;
use crate::app::auto_deploy::{self, Pending};
use crate::app::error::AppError;
use crate::domain::error_chain::error_chain;
use crate::domain::ids::TenantId;
use crate::domain::instance::NodeName;
use crate::store::Store;

/// Edits come from any process: they are looked for.
const PERIOD: Duration = Duration::from_secs(1);
/// Where edits do not end, they go live after so many times the quiet that is waited for.
const LONGEST: u32 = 12;

/// When each tenant that waits was seen to, first.
type Since = BTreeMap<TenantId, Instant>;

/// Asks until the soft stop, for the tenants of this host's instances.
pub async fn run(
    app: App,
    store: Store,
    node: NodeName,
    debounce: Duration,
    stop: CancellationToken,
) -> Result<(), Infallible> {
    let mut since = Since::new();
    loop {
        if let Err(error) = turn(&app, &store, &node, debounce, &mut since).await {
            tracing::error!(error = error_chain(&error), "edits could not be looked for");
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(PERIOD) => {}
        }
    }
}

async fn turn(
    app: &App,
    store: &Store,
    node: &NodeName,
    debounce: Duration,
    since: &mut Since,
) -> Result<(), AppError> {
    let mut waiting = Vec::new();
    for instance_id in own_instances(store, node).await? {
        waiting.extend(auto_deploy::pending(app, instance_id).await?);
    }
    for tenant_id in due(&waiting, debounce, Instant::now(), since) {
        match auto_deploy::request(app, tenant_id).await {
            Ok(Some(deployment)) => {
                tracing::info!(%tenant_id, deployment = %deployment.id, "its edits are deployed");
            }
            // Taken back or deleted in between.
            Ok(None) | Err(AppError::NotFound) => {}
            // What ails one tenant keeps no other waiting.
            Err(error) => {
                tracing::error!(%tenant_id, error = error_chain(&error), "it could not be deployed");
            }
        }
    }
    Ok(())
}

/// Those whose time has come, which begin anew to wait.
fn due(waiting: &[Pending], debounce: Duration, now: Instant, since: &mut Since) -> Vec<TenantId> {
    since.retain(|id, _| waiting.iter().any(|pending| pending.tenant_id == *id));
    let mut due = Vec::new();
    for pending in waiting {
        let first = *since.entry(pending.tenant_id).or_insert(now);
        if pending.quiet >= debounce || now.duration_since(first) >= debounce * LONGEST {
            since.remove(&pending.tenant_id);
            due.push(pending.tenant_id);
        }
    }
    due
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const DEBOUNCE: Duration = Duration::from_secs(5);
    const ID: TenantId = TenantId::from_uuid(Uuid::nil());

    fn quiet_for(seconds: u64) -> Vec<Pending> {
        vec![Pending {
            tenant_id: ID,
            quiet: Duration::from_secs(seconds),
        }]
    }

    #[test]
    fn an_edit_waits_for_quiet() {
        let (now, mut since) = (Instant::now(), Since::new());
        assert!(due(&quiet_for(4), DEBOUNCE, now, &mut since).is_empty());
        assert_eq!(due(&quiet_for(5), DEBOUNCE, now, &mut since), [ID]);
    }

    #[test]
    fn edits_without_an_end_do_not_wait_for_ever() {
        let (now, mut since) = (Instant::now(), Since::new());
        for second in 0..60 {
            let at = now + Duration::from_secs(second);
            assert!(
                due(&quiet_for(0), DEBOUNCE, at, &mut since).is_empty(),
                "{second}"
            );
        }
        let at = now + DEBOUNCE * LONGEST;
        assert_eq!(due(&quiet_for(0), DEBOUNCE, at, &mut since), [ID]);
        assert!(
            due(&quiet_for(0), DEBOUNCE, at, &mut since).is_empty(),
            "it begins anew"
        );
        // One that went live in between is forgotten.
        assert!(due(&[], DEBOUNCE, at, &mut since).is_empty() && since.is_empty());
    }
}
