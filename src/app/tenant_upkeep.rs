//! What has to become of suspended and deleted tenants by itself: PBXs follow, and what they no longer serve goes.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::App;
use super::audit::Changed;
use super::deployments::requested;
use super::error::AppError;
use super::tenant_deletion;
use crate::auth::caller::{Caller, Identity, Origin, Place};
use crate::deploy::request;
use crate::domain::deployment::Deployment;
use crate::domain::error_chain::error_chain;
use crate::domain::ids::{InstanceId, TenantId};
use crate::domain::permission::PlatformPermission;
use crate::store::{deployments, platform_tenants, tenant_lifecycle};

/// How long after a deploy that came to nothing the next one is asked for.
const AGAIN: SignedDuration = SignedDuration::from_mins(1);

/// Asks again where a PBX serves something else of a tenant than its status says, and removes the tenants that are to go
/// and that no PBX serves any more. Gives how many went.
pub async fn turn(app: &App) -> Result<usize, AppError> {
    let caller = Caller::new(Identity::SystemAuto, Place::Platform, None, Origin::default());
    let mut tx = app.store.read("tenants_served_otherwise").await?;
    let lagging = tenant_lifecycle::served_otherwise(&mut tx).await?;
    let leaving = tenant_lifecycle::leaving(&mut tx).await?;
    let expired = platform_tenants::with_expired_aliases(&mut tx, app.now()).await?;
    drop(tx);
    // One that fails keeps none of the others waiting.
    for tenant in expired {
        log(tenant, give_up_aliases(app, &caller, tenant).await);
    }
    for (instance, tenant) in lagging {
        log(tenant, ask_again(app, &caller, instance, tenant).await.map(drop));
    }
    let mut gone = 0;
    for tenant in leaving {
        match tenant_deletion::finish(app, &caller, tenant).await {
            Ok(finished) => gone += usize::from(finished),
            failed => log(tenant, failed.map(drop)),
        }
    }
    Ok(gone)
}

/// Another host may have been faster: then there is nothing to do any more.
fn log(tenant: TenantId, done: Result<(), AppError>) {
    match done {
        Ok(()) | Err(AppError::NotFound) => {}
        Err(error) => {
            let error = error_chain(&error);
            tracing::error!(%tenant, error, "a suspended or deleted tenant could not be looked after");
        }
    }
}

async fn ask_again(
    app: &App,
    caller: &Caller,
    instance: InstanceId,
    tenant: TenantId,
) -> Result<Option<Deployment>, AppError> {
    caller.platform(PlatformPermission::InstancesDeploy)?;
    let mut tx = app.begin_in(tenant, "follow_status").await?;
    let now = app.now();
    let newest = deployments::newest_on(&mut tx, instance, tenant).await?;
    let still = tenant_lifecycle::served_otherwise(&mut tx).await?;
    if !still.contains(&(instance, tenant)) || newest.as_ref().is_some_and(|newest| waits(newest, now)) {
        return Ok(None);
    }
    // Somebody asked for it, and for no less than that: what was made by hand meanwhile does not hold it back.
    let actor = newest.map_or_else(|| caller.identity().actor().name, |newest| newest.requested_by);
    let asked = request::status(&mut tx, app.ids.as_ref(), tenant, instance, &actor, now).await?;
    app.audit(&mut tx, caller, requested("config.deploy", &asked))?;
    tx.commit().await?;
    app.deploys.notify_one();
    Ok(Some(asked))
}

/// Former domains whose time is over are aliases no more from the tenant's next deploy on.
async fn give_up_aliases(app: &App, caller: &Caller, tenant: TenantId) -> Result<(), AppError> {
    caller.platform(PlatformPermission::InstancesDeploy)?;
    let mut tx = app.begin_in(tenant, "give_up_aliases").await?;
    let before = platform_tenants::aliases(&mut tx, tenant).await?;
    platform_tenants::drop_expired(&mut tx, tenant, app.now()).await?;
    let after = platform_tenants::aliases(&mut tx, tenant).await?;
    let entry = Changed {
        action: "tenant.alias_expired",
        resource: "tenant",
        target: tenant.to_string(),
        tenant_id: Some(tenant),
        before: Some(json!({"aliases": before})),
        after: Some(json!({"aliases": after})),
    };
    app.audit(&mut tx, caller, entry)?;
    Ok(tx.commit().await?)
}

/// Whether a deploy is under way, or came to nothing a moment ago.
fn waits(newest: &Deployment, now: Timestamp) -> bool {
    newest
        .ended_at
        .is_none_or(|ended| now.duration_since(ended) < AGAIN)
}
