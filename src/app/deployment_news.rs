//! Tells who follows a tenant of its deployments, whichever process works on them.

use std::collections::HashMap;
use std::convert::Infallible;
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::App;
use super::error::AppError;
use crate::domain::deployment::Progress;
use crate::domain::error_chain::error_chain;
use crate::domain::ids::{DeploymentId, TenantId};
use crate::monitor::stream::Happening;
use crate::store::{deployments, stages};

/// How often is looked; more seldom where many tenants are followed.
const EVERY: Duration = Duration::from_millis(500);
/// What a look may take of the time, for each tenant.
const EACH: Duration = Duration::from_millis(2);

/// How far each of the newest deployments of a tenant was when it was looked at last.
type Seen = HashMap<TenantId, HashMap<DeploymentId, Progress>>;

/// Looks until the soft stop.
pub async fn run(app: App, stop: CancellationToken) -> Result<(), Infallible> {
    let mut seen = Seen::new();
    let mut failed = false;
    loop {
        let followed = app.board.streams().followed();
        seen.retain(|tenant, _| followed.contains(tenant));
        let pause = EVERY.max(EACH.saturating_mul(u32::try_from(followed.len()).unwrap_or(u32::MAX)));
        let looked = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            looked = look(&app, &followed, &mut seen) => looked,
        };
        if let Err(error) = &looked
            && !failed
        {
            tracing::warn!(
                error = error_chain(error),
                "deployments could not be looked at for who follows them"
            );
        }
        failed = looked.is_err();
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = sleep(pause) => {}
        }
    }
}

async fn look(app: &App, followed: &[TenantId], seen: &mut Seen) -> Result<(), AppError> {
    if followed.is_empty() {
        return Ok(());
    }
    let mut tx = app.store.read("watch_deployments").await?;
    for tenant in followed {
        let newest = stages::newest_progress(&mut tx, *tenant).await?;
        let now: HashMap<DeploymentId, Progress> = newest.iter().copied().collect();
        // What was before somebody followed is told by nobody.
        let Some(before) = seen.get_mut(tenant) else {
            seen.insert(*tenant, now);
            continue;
        };
        for (id, progress) in newest.into_iter().rev() {
            if before.get(&id) == Some(&progress) {
                continue;
            }
            if let Some(deployment) = deployments::find_of_tenant(&mut tx, *tenant, id).await? {
                let happening = Happening::Deployment {
                    deployment: Box::new(deployment),
                    stages: stages::of_deployment(&mut tx, id).await?,
                };
                app.board.streams().tell(*tenant, happening);
            }
            // Not before it is told: the look may fail in between.
            before.insert(id, progress);
        }
        *before = now;
    }
    Ok(())
}
