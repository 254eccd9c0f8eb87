//! The deploy button: preview, request, wait, look back, roll back, and ask the running PBX again.

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::App;
use super::audit::Changed;
use super::deployment_events::EVERY;
use super::error::AppError;
use super::idempotency::{Done, Once};
use crate::auth::access::Act;
use crate::auth::caller::Caller;
use crate::deploy::{Preview, Verification, request};
use crate::domain::deployment::{Deployment, DeploymentStatus, StageRecord};
use crate::domain::ids::{DeploymentId, InstanceId, TenantId};
use crate::domain::page::{Page, PageRequest};
use crate::domain::permission::{Permission, PlatformPermission};
use crate::store::{self, Tx, stages};

/// How often somebody who waits looks at first; then as often as the streams do.
pub(super) const LOOK: Duration = Duration::from_millis(50);
/// How long that is: many a deploy of one tenant has ended by then.
const AT_FIRST: Duration = Duration::from_secs(1);

/// What a deploy of the tenant's head would do.
pub async fn plan(app: &App, caller: &Caller) -> Result<Preview, AppError> {
    let tenant_id = caller.tenant(Permission::ConfigDeploy, Act::Read)?;
    let instance_id = instance_of(app, tenant_id).await?;
    app.engine
        .preview_tenant(instance_id, tenant_id)
        .await?
        .ok_or(AppError::NotFound)
}

/// What a platform deploy of an instance would do.
pub async fn plan_instance(app: &App, caller: &Caller, id: InstanceId) -> Result<Preview, AppError> {
    caller.platform(PlatformPermission::InstancesDeploy)?;
    app.engine.preview_platform(id).await?.ok_or(AppError::NotFound)
}

/// Asks for the tenant's head to go live.
pub async fn deploy(app: &App, caller: &Caller, once: Option<&Once>) -> Result<Done<Deployment>, AppError> {
    caller.tenant(Permission::ConfigDeploy, Act::Change)?;
    caller.reason_to_change()?;
    let begun = app.begin_inside(caller, Permission::ConfigDeploy, "request_deploy");
    let (mut tx, caller, tenant_id) = begun.await?;
    if let Some(before) = requested_before(app, &mut tx, tenant_id, &caller, once).await? {
        return Ok(Done::Before(before));
    }
    let actor = caller.identity().actor().name;
    let deployment = request::tenant(&mut tx, app.ids.as_ref(), tenant_id, &actor, app.now()).await?;
    app.audit(&mut tx, &caller, requested("config.deploy", &deployment))?;
    app.keep_answer(&mut tx, tenant_id, &caller, once, deployment.id)
        .await?;
    tx.commit().await?;
    app.deploys.notify_one();
    Ok(Done::Now(deployment))
}

/// Asks for all tenants of an instance, the template set and the settings to go live.
pub async fn deploy_instance(app: &App, caller: &Caller, id: InstanceId) -> Result<Deployment, AppError> {
    Ok(deploy_instance_once(app, caller, id, None).await?.into_inner())
}

/// The same, which has its effect once.
pub async fn deploy_instance_once(
    app: &App,
    caller: &Caller,
    id: InstanceId,
    once: Option<&Once>,
) -> Result<Done<Deployment>, AppError> {
    let right = PlatformPermission::InstancesDeploy;
    let begun = app.begin_on_platform(caller, right, None, "request_platform_deploy");
    let (mut tx, caller) = begun.await?;
    store::instances::find(&mut tx, id)
        .await?
        .ok_or(AppError::NotFound)?;
    if let Some(id) = app.answered_before(&mut tx, None, &caller, once).await? {
        let before = store::deployments::find_anywhere(&mut tx, id).await?;
        return before.map(Done::Before).ok_or(AppError::NotFound);
    }
    let actor = caller.identity().actor().name;
    let mut deployment = request::platform(&mut tx, app.ids.as_ref(), id, &actor, app.now()).await?;
    // Somebody may believe that an edit of theirs goes live with it.
    deployment.findings.extend(app.engine.templates().refused());
    store::deployments::add_findings(&mut tx, deployment.id, &deployment.findings).await?;
    app.audit(&mut tx, &caller, requested("instance.deploy", &deployment))?;
    app.keep_answer(&mut tx, None, &caller, once, deployment.id)
        .await?;
    tx.commit().await?;
    app.deploys.notify_one();
    Ok(Done::Now(deployment))
}

/// Asks for the tenant to go back to what an earlier deployment of it served.
pub async fn roll_back(
    app: &App,
    caller: &Caller,
    to: DeploymentId,
    once: Option<&Once>,
) -> Result<Done<Deployment>, AppError> {
    let begun = app.begin_inside(caller, Permission::ConfigDeploy, "request_rollback");
    let (mut tx, caller, tenant_id) = begun.await?;
    let to = store::deployments::find_of_tenant(&mut tx, tenant_id, to)
        .await?
        .ok_or(AppError::NotFound)?;
    caller.reason_to_change()?;
    if let Some(before) = requested_before(app, &mut tx, tenant_id, &caller, once).await? {
        return Ok(Done::Before(before));
    }
    let actor = caller.identity().actor().name;
    let deployment = request::tenant_rollback(&mut tx, app.ids.as_ref(), tenant_id, &to, &actor, app.now())
        .await?
        .ok_or_else(never_live)?;
    app.audit(&mut tx, &caller, requested("config.rollback", &deployment))?;
    app.keep_answer(&mut tx, tenant_id, &caller, once, deployment.id)
        .await?;
    tx.commit().await?;
    app.deploys.notify_one();
    Ok(Done::Now(deployment))
}

/// Asks for an instance to go back to a generation that was live and is kept, by its number.
pub async fn roll_back_instance(
    app: &App,
    caller: &Caller,
    id: InstanceId,
    number: i64,
) -> Result<Deployment, AppError> {
    let right = PlatformPermission::InstancesDeploy;
    let begun = app.begin_on_platform(caller, right, None, "request_platform_rollback");
    let (mut tx, caller) = begun.await?;
    store::instances::find(&mut tx, id)
        .await?
        .ok_or(AppError::NotFound)?;
    let to = store::generations::find_by_number(&mut tx, id, number).await?;
    let Some(to) = to else { return Err(never_live()) };
    if !store::generations::was_live(&mut tx, to.id).await? {
        return Err(never_live());
    }
    let actor = caller.identity().actor().name;
    let deployment = request::platform_rollback(&mut tx, app.ids.as_ref(), &to, &actor, app.now()).await?;
    app.audit(&mut tx, &caller, requested("instance.rollback", &deployment))?;
    tx.commit().await?;
    app.deploys.notify_one();
    Ok(deployment)
}

fn never_live() -> AppError {
    AppError::conflict(
        "never_live",
        "that one never went live, or is no longer kept; choose another",
    )
}

/// A deployment of the tenant with its stages.
pub async fn find(
    app: &App,
    caller: &Caller,
    id: DeploymentId,
) -> Result<(Deployment, Vec<StageRecord>), AppError> {
    let tenant_id = caller.tenant(Permission::ConfigDeploy, Act::Read)?;
    let mut tx = app.store.read("find_deployment").await?;
    let deployment = store::deployments::find_of_tenant(&mut tx, tenant_id, id)
        .await?
        .ok_or(AppError::NotFound)?;
    let stages = stages::of_deployment(&mut tx, id).await?;
    Ok((deployment, stages))
}

/// The tenant's deployments, newest first.
pub async fn list(app: &App, caller: &Caller, page: PageRequest) -> Result<Page<Deployment>, AppError> {
    let tenant_id = caller.tenant(Permission::ConfigDeploy, Act::Read)?;
    let mut tx = app.store.read("list_deployments").await?;
    Ok(store::deployments::list_of_tenant(&mut tx, tenant_id, page).await?)
}

/// A deployment of an instance with its stages.
pub async fn find_of_instance(
    app: &App,
    caller: &Caller,
    instance_id: InstanceId,
    id: DeploymentId,
) -> Result<(Deployment, Vec<StageRecord>), AppError> {
    caller.platform(PlatformPermission::InstancesDeploy)?;
    let mut tx = app.store.read("find_deployment").await?;
    let deployment = store::deployments::find(&mut tx, instance_id, id)
        .await?
        .ok_or(AppError::NotFound)?;
    let stages = stages::of_deployment(&mut tx, id).await?;
    Ok((deployment, stages))
}

/// A deployment of any instance with its stages.
pub async fn find_anywhere(
    app: &App,
    caller: &Caller,
    id: DeploymentId,
) -> Result<(Deployment, Vec<StageRecord>), AppError> {
    caller.platform(PlatformPermission::InstancesDeploy)?;
    let mut tx = app.store.read("find_deployment").await?;
    let deployment = store::deployments::find_anywhere(&mut tx, id)
        .await?
        .ok_or(AppError::NotFound)?;
    let stages = stages::of_deployment(&mut tx, id).await?;
    Ok((deployment, stages))
}

/// An instance's deployments, newest first.
pub async fn list_of_instance(
    app: &App,
    caller: &Caller,
    instance_id: InstanceId,
    page: PageRequest,
) -> Result<Page<Deployment>, AppError> {
    caller.platform(PlatformPermission::InstancesDeploy)?;
    let mut tx = app.store.read("list_deployments").await?;
    Ok(store::deployments::list_of_instance(&mut tx, instance_id, page).await?)
}

/// Waits for a deployment to end, at most for `patience`; gives it as it stands then.
pub async fn wait(
    app: &App,
    deployment: &Deployment,
    patience: Duration,
) -> Result<(Deployment, Vec<StageRecord>), AppError> {
    let Deployment { instance_id, id, .. } = *deployment;
    let began = Instant::now();
    loop {
        let mut tx = app.store.read("wait_for_deployment").await?;
        let status = store::deployments::status(&mut tx, instance_id, id).await?;
        let waited = began.elapsed();
        if status.is_none_or(DeploymentStatus::is_end) || waited >= patience {
            let found = store::deployments::find(&mut tx, instance_id, id).await?;
            let stages = stages::of_deployment(&mut tx, id).await?;
            return Ok((found.ok_or(AppError::NotFound)?, stages));
        }
        drop(tx);
        let pause = if waited < AT_FIRST { LOOK } else { EVERY };
        sleep(pause.min(patience.saturating_sub(waited))).await;
    }
}

/// Works an instance's queue off in this process until a deployment has ended, by our hand or by that of the process
/// that holds the lease.
pub async fn work_until_ended(app: &App, deployment: &Deployment) -> Result<(), AppError> {
    loop {
        app.engine
            .work_off(deployment.instance_id, &CancellationToken::new())
            .await?;
        let (found, _) = wait(app, deployment, LOOK).await?;
        if found.status.is_end() {
            return Ok(());
        }
    }
}

/// Asks the running PBX whether it still serves what was deployed of the tenant.
pub async fn verify(app: &App, caller: &Caller) -> Result<Verification, AppError> {
    let tenant_id = caller.tenant(Permission::ConfigDeploy, Act::Read)?;
    let instance_id = instance_of(app, tenant_id).await?;
    Ok(app.engine.verify_tenant(instance_id, tenant_id).await?)
}

/// The same of every tenant of an instance, with what somebody made of its files.
pub async fn verify_instance(app: &App, caller: &Caller, id: InstanceId) -> Result<Verification, AppError> {
    caller.platform(PlatformPermission::InstancesDeploy)?;
    Ok(app.engine.verify_instance(id).await?)
}

/// The deployment that an equal request asked for before, as it stands now.
async fn requested_before(
    app: &App,
    tx: &mut Tx,
    tenant_id: TenantId,
    caller: &Caller,
    once: Option<&Once>,
) -> Result<Option<Deployment>, AppError> {
    let Some(id) = app.answered_before(tx, tenant_id, caller, once).await? else {
        return Ok(None);
    };
    let found = store::deployments::find_of_tenant(tx, tenant_id, id).await?;
    found.map(Some).ok_or(AppError::NotFound)
}

async fn instance_of(app: &App, tenant_id: TenantId) -> Result<InstanceId, AppError> {
    let mut tx = app.store.read("find_tenant").await?;
    let tenant = store::tenants::find(&mut tx, tenant_id)
        .await?
        .ok_or(AppError::NotFound)?;
    Ok(tenant.instance_id)
}

pub(super) fn requested(action: &'static str, deployment: &Deployment) -> Changed {
    Changed {
        action,
        resource: "deployment",
        target: deployment.id.to_string(),
        tenant_id: deployment.scope.tenant_id(),
        before: None,
        after: Some(json!({ "scope": deployment.scope })),
    }
}
