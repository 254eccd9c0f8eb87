//! Deploys that nobody asked for: what was edited in a tenant goes live by itself.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::App;
use super::deployments::requested;
use super::error::AppError;
use crate::auth::caller::{Caller, Identity, Origin, Place};
use crate::deploy::request;
use crate::domain::deployment::{Deployment, DeploymentStatus, Scope};
use crate::domain::ids::{InstanceId, RevisionId, TenantId};
use crate::domain::permission::PlatformPermission;
use crate::store::{audit, deployment_history, deployments, revisions, tenants};

/// A deploy that failed is tried again after as long as its edit has been waiting, within these bounds.
const SOONEST: SignedDuration = SignedDuration::from_mins(1);
const LATEST: SignedDuration = SignedDuration::from_hours(1);

/// A tenant with something that is not live, and that a deploy may put live.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pending {
    /// Which tenant.
    pub tenant_id: TenantId,
    /// For how long nothing was changed in it.
    pub quiet: Duration,
}

/// The tenants of an instance to deploy, as soon as each has been left alone.
pub async fn pending(app: &App, instance_id: InstanceId) -> Result<Vec<Pending>, AppError> {
    let mut tx = app.store.read("pending_tenants").await?;
    let now = app.now();
    let mut found = Vec::new();
    let taken_back = deployment_history::last_rollback(&mut tx, instance_id).await?;
    for state in tenants::pending_of_instance(&mut tx, instance_id).await? {
        let changed = audit::last_change(&mut tx, state.id).await?;
        let newest = deployments::newest_of_edits(&mut tx, state.id).await?;
        let idle = newest
            .as_ref()
            .is_some_and(|newest| !leaves_to_do(newest, state.head_revision, changed, now));
        if idle || is_taken_back(taken_back, newest.as_ref(), changed) {
            continue;
        }
        // Another host's clock may be ahead.
        let quiet = changed.map_or(LATEST, |changed| now.duration_since(changed));
        found.push(Pending {
            tenant_id: state.id,
            quiet: Duration::try_from(quiet).unwrap_or_default(),
        });
    }
    Ok(found)
}

/// Asks for the tenant's head to go live; `None` where it turns out that nothing is to be done.
pub async fn request(app: &App, tenant_id: TenantId) -> Result<Option<Deployment>, AppError> {
    let caller = Caller::new(Identity::SystemAuto, Place::Platform, None, Origin::default());
    caller.platform(PlatformPermission::InstancesDeploy)?;
    let mut tx = app.begin_in(tenant_id, "request_auto_deploy").await?;
    let now = app.now();
    // An edit that was taken back leaves the head that is live.
    let fresh = RevisionId::fresh(app.ids.as_ref());
    let head = revisions::take_head(&mut tx, tenant_id, fresh, now).await?;
    let is_pending = tenants::pending(&mut tx, tenant_id).await?.is_some();
    let changed = audit::last_change(&mut tx, tenant_id).await?;
    let newest = deployments::newest_of_edits(&mut tx, tenant_id).await?;
    let Some(tenant) = tenants::find(&mut tx, tenant_id).await? else {
        return Err(AppError::NotFound);
    };
    let taken_back = deployment_history::last_rollback(&mut tx, tenant.instance_id).await?;
    let idle = newest
        .as_ref()
        .is_some_and(|newest| !leaves_to_do(newest, head, changed, now));
    if !is_pending || idle || is_taken_back(taken_back, newest.as_ref(), changed) {
        tx.commit().await?;
        return Ok(None);
    }
    let actor = caller.identity().actor().name;
    let deployment = request::tenant(&mut tx, app.ids.as_ref(), tenant_id, &actor, now).await?;
    app.audit(&mut tx, &caller, requested("config.deploy", &deployment))?;
    tx.commit().await?;
    app.deploys.notify_one();
    Ok(Some(deployment))
}

/// Whether somebody had the whole instance go back since: that is not undone until the tenant is edited again.
fn is_taken_back(
    taken_back: Option<Timestamp>,
    newest: Option<&Deployment>,
    changed: Option<Timestamp>,
) -> bool {
    taken_back.is_some_and(|at| {
        newest.is_none_or(|newest| newest.created_at <= at) && changed.is_none_or(|changed| changed <= at)
    })
}

/// Whether the tenant's newest deployment leaves a reason for another. `head`: none where it was edited since one was
/// asked for.
fn leaves_to_do(
    newest: &Deployment,
    head: Option<RevisionId>,
    changed: Option<Timestamp>,
    now: Timestamp,
) -> bool {
    let Some(ended) = newest.ended_at else {
        return false;
    };
    // A rollback goes to another revision than the head on purpose.
    let other_head = match newest.scope {
        Scope::Tenant { revision_id, .. } => head != Some(revision_id),
        Scope::TenantRollback { .. }
        | Scope::TenantStatus { .. }
        | Scope::Platform
        | Scope::PlatformRollback { .. } => head.is_none(),
    };
    if other_head || changed.is_some_and(|changed| changed > newest.created_at) {
        return true;
    }
    // What was rejected or not proven will be so again; a PBX that was away comes back.
    newest.status == DeploymentStatus::Failed && {
        let waited = changed.map_or(SOONEST, |changed| ended.duration_since(changed));
        now.duration_since(ended) >= waited.clamp(SOONEST, LATEST)
    }
}

#[cfg(test)]
mod tests;
