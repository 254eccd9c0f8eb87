//! Accepting a deploy request, inside the transaction of whoever asks: the revision is taken now, not later.

use jiff::Timestamp;

use super::error::DeployError;
use crate::domain::deployment::{Deployment, DeploymentStatus, Scope};
use crate::domain::generation::Generation;
use crate::domain::ids::{DeploymentId, IdSource, InstanceId, RevisionId, TenantId};
use crate::store::{Tx, deployments, generations, revisions, served, tenants};

/// Asks for a tenant's head to go live.
pub async fn tenant(
    tx: &mut Tx,
    ids: &dyn IdSource,
    tenant_id: TenantId,
    requested_by: &str,
    now: Timestamp,
) -> Result<Deployment, DeployError> {
    let tenant = tenants::find(tx, tenant_id)
        .await?
        .ok_or_else(|| missing("the tenant"))?;
    let revision_id = revisions::take_head(tx, tenant_id, RevisionId::fresh(ids), now)
        .await?
        .ok_or_else(|| missing("the tenant"))?;
    let scope = Scope::Tenant {
        tenant_id,
        revision_id,
    };
    queue(tx, ids, tenant.instance_id, scope, requested_by, now).await
}

/// Asks for what an instance serves of a tenant to be brought in line with the tenant's status; neither what was edited
/// since nor what was gone back from goes live with it. `None`: the instance does not serve it.
pub async fn status(
    tx: &mut Tx,
    ids: &dyn IdSource,
    tenant_id: TenantId,
    instance_id: InstanceId,
    requested_by: &str,
    now: Timestamp,
) -> Result<Option<Deployment>, DeployError> {
    let Some(revision_id) = served::revision(tx, instance_id, tenant_id).await? else {
        return Ok(None);
    };
    let scope = Scope::TenantStatus {
        tenant_id,
        revision_id,
    };
    queue(tx, ids, instance_id, scope, requested_by, now)
        .await
        .map(Some)
}

/// Asks for a tenant to go back to what an earlier deployment of it served. `None`: that deployment never went live,
/// or its generation is no longer kept.
pub async fn tenant_rollback(
    tx: &mut Tx,
    ids: &dyn IdSource,
    tenant_id: TenantId,
    to: &Deployment,
    requested_by: &str,
    now: Timestamp,
) -> Result<Option<Deployment>, DeployError> {
    let served = matches!(to.status, DeploymentStatus::Live | DeploymentStatus::Partial);
    let Some(generation_id) = to.generation_id.filter(|_| served) else {
        return Ok(None);
    };
    let Some(generation) = generations::find(tx, to.instance_id, generation_id).await? else {
        return Ok(None);
    };
    let Some(revision_id) = generation.tenants.get(&tenant_id).copied() else {
        return Ok(None);
    };
    let tenant = tenants::find(tx, tenant_id)
        .await?
        .ok_or_else(|| missing("the tenant"))?;
    let scope = Scope::TenantRollback {
        tenant_id,
        revision_id,
    };
    queue(tx, ids, tenant.instance_id, scope, requested_by, now)
        .await
        .map(Some)
}

/// Asks for every tenant's head, the template set and the instance's settings to go live. Revisions are taken when
/// its turn comes.
pub async fn platform(
    tx: &mut Tx,
    ids: &dyn IdSource,
    instance_id: InstanceId,
    requested_by: &str,
    now: Timestamp,
) -> Result<Deployment, DeployError> {
    queue(tx, ids, instance_id, Scope::Platform, requested_by, now).await
}

/// Asks for an instance to go back to a generation that is kept, whatever it served then.
pub async fn platform_rollback(
    tx: &mut Tx,
    ids: &dyn IdSource,
    to: &Generation,
    requested_by: &str,
    now: Timestamp,
) -> Result<Deployment, DeployError> {
    let scope = Scope::PlatformRollback { generation_id: to.id };
    queue(tx, ids, to.instance_id, scope, requested_by, now).await
}

async fn queue(
    tx: &mut Tx,
    ids: &dyn IdSource,
    instance_id: InstanceId,
    scope: Scope,
    requested_by: &str,
    now: Timestamp,
) -> Result<Deployment, DeployError> {
    let deployment = Deployment {
        id: DeploymentId::fresh(ids),
        instance_id,
        scope,
        status: DeploymentStatus::Queued,
        requested_by: requested_by.to_owned(),
        generation_id: None,
        generation: None,
        changes: Vec::new(),
        findings: Vec::new(),
        created_at: now,
        ended_at: None,
    };
    deployments::insert(tx, &deployment).await?;
    Ok(deployment)
}

fn missing(what: &str) -> DeployError {
    DeployError::Missing {
        what: what.to_owned(),
    }
}
