//! A deployment's progress as it happens, whichever process works on it.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::App;
use super::error::AppError;
use crate::auth::access::Act;
use crate::auth::caller::Caller;
use crate::domain::deployment::{Deployment, Progress, StageRecord};
use crate::domain::ids::DeploymentId;
use crate::domain::permission::Permission;
use crate::store::{deployments, stages};

/// How often is looked.
pub(super) const EVERY: Duration = Duration::from_millis(250);

/// A deployment as it stood at a moment.
pub struct Step {
    /// Names the moment.
    pub progress: Progress,
    /// The deployment.
    pub deployment: Deployment,
    /// Its stages.
    pub stages: Vec<StageRecord>,
}

/// Waits until a deployment of the tenant stands otherwise than at the moment that `seen` names, at most for `patience`;
/// `None` when it does not by then.
///
/// As long as nothing changes, only two short columns are read each time.
pub async fn next(
    app: &App,
    caller: &Caller,
    id: DeploymentId,
    seen: Option<&str>,
    patience: Duration,
) -> Result<Option<Step>, AppError> {
    let tenant_id = caller.tenant(Permission::ConfigDeploy, Act::Read)?;
    let deadline = Instant::now() + patience;
    loop {
        let mut tx = app.store.read("watch_deployment").await?;
        let progress = stages::progress_of_tenant(&mut tx, tenant_id, id)
            .await?
            .ok_or(AppError::NotFound)?;
        if seen != Some(progress.to_string().as_str()) {
            let deployment = deployments::find_of_tenant(&mut tx, tenant_id, id)
                .await?
                .ok_or(AppError::NotFound)?;
            let stages = stages::of_deployment(&mut tx, id).await?;
            return Ok(Some(Step {
                progress,
                deployment,
                stages,
            }));
        }
        drop(tx);
        if Instant::now() >= deadline {
            return Ok(None);
        }
        sleep(EVERY).await;
    }
}
