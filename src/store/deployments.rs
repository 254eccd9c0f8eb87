//! The records of deployments, and the queue that they wait in.

use jiff::Timestamp;
use uuid::Uuid;

use super::row::{Origin, RawJson, storable, to_json};
use super::statement::{run, statements};
use super::{StoreError, Tx, deployment_events};
use crate::domain::change::{Change, impersonal};
use crate::domain::deployment::{Deployment, DeploymentStatus, Scope};
use crate::domain::finding::Finding;
use crate::domain::generation::Generation;
use crate::domain::ids::{DeploymentId, GenerationId, InstanceId, RevisionId, TenantId};
use crate::domain::page::{Page, PageRequest};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "select id, instance_id, scope, tenant_id, revision_id, to_generation_id, status, requested_by, \
             generation_id, generation_number, changes, findings, created_at, ended_at from deployments ",
            $rest
        )
    };
}

statements! {
    NEXT_NUMBER = "insert into deployment_queues (instance_id, last_number) values ($1, 1) \
        on conflict (instance_id) do update set last_number = deployment_queues.last_number + 1 returning last_number";
    INSERT = "insert into deployments (id, instance_id, scope, tenant_id, revision_id, to_generation_id, status, \
        requested_by, generation_id, generation_number, changes, findings, created_at, ended_at, queue_number) \
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";
    FIND = select!("where instance_id = $1 and id = $2");
    STATUS = "select status from deployments where instance_id = $1 and id = $2";
    FIND_ANYWHERE = select!("where id = $1");
    FIND_OF_TENANT = select!("where tenant_id = $1 and id = $2");
    COUNT_OF_TENANT = "select count(*) from deployments where tenant_id = $1";
    LIST_OF_TENANT = select!("where tenant_id = $1 order by created_at desc, id desc limit $2 offset $3");
    NEWEST_OF_STATUS = select!("where instance_id = $1 and tenant_id = $2 and scope = 'tenant_status' \
        order by queue_number desc limit 1");
    NEWEST_OF_EDITS = select!("where tenant_id = $1 and scope <> 'tenant_status' \
        order by created_at desc, id desc limit 1");
    COUNT_OF_INSTANCE = "select count(*) from deployments where instance_id = $1";
    LIST_OF_INSTANCE = select!("where instance_id = $1 order by created_at desc, id desc limit $2 offset $3");
    NEXT_QUEUED = select!("where instance_id = $1 and ended_at is null and status = 'queued' \
        order by queue_number limit 1");
    QUEUED_EQUAL = select!("where instance_id = $1 and ended_at is null and status = 'queued' and scope = $2 \
        and (tenant_id = $3 or (tenant_id is null and $3 is null)) \
        and (revision_id = $4 or (revision_id is null and $4 is null)) \
        and (to_generation_id = $5 or (to_generation_id is null and $5 is null)) \
        order by queue_number");
    UNFINISHED = select!("where instance_id = $1 and ended_at is null and status <> 'queued' \
        order by queue_number");
    SET_STATUS = "update deployments set status = $2 where id = $1 and ended_at is null";
    SET_PLAN = "update deployments set generation_id = $2, generation_number = $3, changes = $4 \
        where id = $1 and ended_at is null";
    FINDINGS = "select findings from deployments where id = $1 and ended_at is null";
    SET_FINDINGS = "update deployments set findings = $2 where id = $1 and ended_at is null";
    END = "update deployments set status = $2, findings = $3, ended_at = $4 \
        where id = $1 and ended_at is null";
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    instance_id: Uuid,
    scope: String,
    tenant_id: Option<Uuid>,
    revision_id: Option<Uuid>,
    to_generation_id: Option<Uuid>,
    status: String,
    requested_by: String,
    generation_id: Option<Uuid>,
    generation_number: Option<i64>,
    changes: RawJson,
    findings: RawJson,
    created_at: i64,
    ended_at: Option<i64>,
}

impl Row {
    fn parse(self) -> Result<Deployment, StoreError> {
        let origin = Origin {
            table: "deployments",
            id: self.id,
        };
        Ok(Deployment {
            id: DeploymentId::from_uuid(self.id),
            instance_id: InstanceId::from_uuid(self.instance_id),
            scope: self
                .scope()
                .ok_or_else(|| origin.corrupt("scope", "does not fit the other columns"))?,
            status: origin.text("status", &self.status)?,
            requested_by: self.requested_by,
            generation_id: self.generation_id.map(GenerationId::from_uuid),
            generation: self.generation_number,
            changes: origin.json("changes", &self.changes)?,
            findings: origin.json("findings", &self.findings)?,
            created_at: origin.time("created_at", self.created_at)?,
            ended_at: self
                .ended_at
                .map(|micros| origin.time("ended_at", micros))
                .transpose()?,
        })
    }

    fn scope(&self) -> Option<Scope> {
        let tenant_id = self.tenant_id.map(TenantId::from_uuid);
        let revision_id = self.revision_id.map(RevisionId::from_uuid);
        let generation_id = self.to_generation_id.map(GenerationId::from_uuid);
        match (self.scope.as_str(), tenant_id, revision_id) {
            ("platform", None, None) => Some(match generation_id {
                None => Scope::Platform,
                Some(generation_id) => Scope::PlatformRollback { generation_id },
            }),
            ("tenant", Some(tenant_id), Some(revision_id)) => Some(Scope::Tenant {
                tenant_id,
                revision_id,
            }),
            ("tenant_status", Some(tenant_id), Some(revision_id)) => Some(Scope::TenantStatus {
                tenant_id,
                revision_id,
            }),
            ("tenant_rollback", Some(tenant_id), Some(revision_id)) => Some(Scope::TenantRollback {
                tenant_id,
                revision_id,
            }),
            _ => None,
        }
    }
}

/// The columns of a scope: its word, its tenant, the revision that the tenant goes to, the generation that all go back to.
fn columns(scope: &Scope) -> (&'static str, Option<Uuid>, Option<Uuid>, Option<Uuid>) {
    let (word, tenant_id, revision_id) = match scope {
        Scope::Platform => return ("platform", None, None, None),
        Scope::PlatformRollback { generation_id } => {
            return ("platform", None, None, Some(generation_id.uuid()));
        }
        Scope::Tenant {
            tenant_id,
            revision_id,
        } => ("tenant", tenant_id, revision_id),
        Scope::TenantRollback {
            tenant_id,
            revision_id,
        } => ("tenant_rollback", tenant_id, revision_id),
        Scope::TenantStatus {
            tenant_id,
            revision_id,
        } => ("tenant_status", tenant_id, revision_id),
    };
    (word, Some(tenant_id.uuid()), Some(revision_id.uuid()), None)
}

/// Adds a record, behind all others in the queue of its instance: whoever adds another waits until this transaction ends.
pub async fn insert(tx: &mut Tx, deployment: &Deployment) -> Result<(), StoreError> {
    let (number,) = run!(
        tx,
        fetch_one::<(i64,)>(NEXT_NUMBER, deployment.instance_id.uuid())
    )?;
    let (scope, tenant, revision, to_generation) = columns(&deployment.scope);
    run!(
        tx,
        execute(
            INSERT,
            deployment.id.uuid(),
            deployment.instance_id.uuid(),
            scope,
            tenant,
            revision,
            to_generation,
            deployment.status.as_str(),
            storable(&deployment.requested_by),
            deployment.generation_id.map(GenerationId::uuid),
            deployment.generation,
            to_json("deployments.changes", &deployment.changes)?,
            to_json("deployments.findings", &deployment.findings)?,
            deployment.created_at.as_microsecond(),
            deployment.ended_at.map(Timestamp::as_microsecond),
            number,
        )
    )?;
    deployment_events::requested(tx, deployment);
    Ok(())
}

/// The instance's deployment with this id.
pub async fn find(
    tx: &mut Tx,
    instance: InstanceId,
    id: DeploymentId,
) -> Result<Option<Deployment>, StoreError> {
    run!(tx, fetch_optional::<Row>(FIND, instance.uuid(), id.uuid()))?
        .map(Row::parse)
        .transpose()
}

/// Where the deployment with this id stands: less to read than the whole, for those who look again and again.
pub async fn status(
    tx: &mut Tx,
    instance: InstanceId,
    id: DeploymentId,
) -> Result<Option<DeploymentStatus>, StoreError> {
    let origin = Origin {
        table: "deployments",
        id,
    };
    run!(
        tx,
        fetch_optional::<(String,)>(STATUS, instance.uuid(), id.uuid())
    )?
    .map(|(status,)| origin.text("status", &status))
    .transpose()
}

/// The deployment with this id, for the platform's operator: whichever instance and tenant it is of.
pub async fn find_anywhere(tx: &mut Tx, id: DeploymentId) -> Result<Option<Deployment>, StoreError> {
    run!(tx, fetch_optional::<Row>(FIND_ANYWHERE, id.uuid()))?
        .map(Row::parse)
        .transpose()
}

/// The tenant's own deployment with this id.
pub async fn find_of_tenant(
    tx: &mut Tx,
    tenant: TenantId,
    id: DeploymentId,
) -> Result<Option<Deployment>, StoreError> {
    run!(
        tx,
        fetch_optional::<Row>(FIND_OF_TENANT, tenant.uuid(), id.uuid())
    )?
    .map(Row::parse)
    .transpose()
}

/// The tenant's own deployments, newest first.
pub async fn list_of_tenant(
    tx: &mut Tx,
    tenant: TenantId,
    page: PageRequest,
) -> Result<Page<Deployment>, StoreError> {
    let (total,) = run!(tx, fetch_one::<(i64,)>(COUNT_OF_TENANT, tenant.uuid()))?;
    let rows = run!(
        tx,
        fetch_all::<Row>(LIST_OF_TENANT, tenant.uuid(), page.per_page(), page.offset())
    )?;
    Ok(Page {
        items: parse_all(rows)?,
        total,
        request: page,
    })
}

/// What was asked for last because of a tenant's status on an instance.
pub async fn newest_of_status(
    tx: &mut Tx,
    instance: InstanceId,
    tenant: TenantId,
) -> Result<Option<Deployment>, StoreError> {
    run!(
        tx,
        fetch_optional::<Row>(NEWEST_OF_STATUS, instance.uuid(), tenant.uuid())
    )?
    .map(Row::parse)
    .transpose()
}

/// What was asked for last of a tenant's configuration, whichever instance it was for: no change of its status.
pub async fn newest_of_edits(tx: &mut Tx, tenant: TenantId) -> Result<Option<Deployment>, StoreError> {
    run!(tx, fetch_optional::<Row>(NEWEST_OF_EDITS, tenant.uuid()))?
        .map(Row::parse)
        .transpose()
}

/// All deployments of the instance, newest first.
pub async fn list_of_instance(
    tx: &mut Tx,
    instance: InstanceId,
    page: PageRequest,
) -> Result<Page<Deployment>, StoreError> {
    let (total,) = run!(tx, fetch_one::<(i64,)>(COUNT_OF_INSTANCE, instance.uuid()))?;
    let rows = run!(
        tx,
        fetch_all::<Row>(LIST_OF_INSTANCE, instance.uuid(), page.per_page(), page.offset())
    )?;
    Ok(Page {
        items: parse_all(rows)?,
        total,
        request: page,
    })
}

/// The one that waits longest.
pub async fn next_queued(tx: &mut Tx, instance: InstanceId) -> Result<Option<Deployment>, StoreError> {
    run!(tx, fetch_optional::<Row>(NEXT_QUEUED, instance.uuid()))?
        .map(Row::parse)
        .transpose()
}

/// All that wait and ask for the same, oldest first.
pub async fn queued_equal(
    tx: &mut Tx,
    instance: InstanceId,
    scope: &Scope,
) -> Result<Vec<Deployment>, StoreError> {
    let (word, tenant, revision, to_generation) = columns(scope);
    parse_all(run!(
        tx,
        fetch_all::<Row>(
            QUEUED_EQUAL,
            instance.uuid(),
            word,
            tenant,
            revision,
            to_generation
        )
    )?)
}

/// All that were begun and have not ended, oldest first: after a crash, what is to be resumed.
pub async fn unfinished(tx: &mut Tx, instance: InstanceId) -> Result<Vec<Deployment>, StoreError> {
    parse_all(run!(tx, fetch_all::<Row>(UNFINISHED, instance.uuid()))?)
}

fn parse_all(rows: Vec<Row>) -> Result<Vec<Deployment>, StoreError> {
    rows.into_iter().map(Row::parse).collect()
}

/// Moves a deployment on to a status that is no end; false when it has ended.
pub async fn set_status(tx: &mut Tx, id: DeploymentId, status: DeploymentStatus) -> Result<bool, StoreError> {
    Ok(run!(tx, execute(SET_STATUS, id.uuid(), status.as_str()))? == 1)
}

/// Notes what the deployment will do; false when it has ended. Who has a phone may be forgotten before the record is: it says that
/// something of theirs was changed, and not what it was.
pub async fn set_plan(
    tx: &mut Tx,
    id: DeploymentId,
    generation: Option<&Generation>,
    changes: &[Change],
) -> Result<bool, StoreError> {
    let generation_id = generation.map(|generation| generation.id.uuid());
    let number = generation.map(|generation| generation.number);
    let changes = to_json("deployments.changes", &impersonal(changes))?;
    Ok(run!(tx, execute(SET_PLAN, id.uuid(), generation_id, number, changes))? == 1)
}

/// Adds to what the deployment noticed; false when it has ended. Only the lease's holder may call it.
pub async fn add_findings(tx: &mut Tx, id: DeploymentId, findings: &[Finding]) -> Result<bool, StoreError> {
    let Some(all) = with_findings(tx, id, findings).await? else {
        return Ok(false);
    };
    let all = to_json("deployments.findings", &all)?;
    Ok(run!(tx, execute(SET_FINDINGS, id.uuid(), all))? == 1)
}

/// Ends a deployment with a status that is an end, and the last findings; false when it has ended already.
pub async fn end(
    tx: &mut Tx,
    id: DeploymentId,
    status: DeploymentStatus,
    findings: &[Finding],
    now: Timestamp,
) -> Result<bool, StoreError> {
    let Some(all) = with_findings(tx, id, findings).await? else {
        return Ok(false);
    };
    let all = to_json("deployments.findings", &all)?;
    let (status, at) = (status.as_str(), now.as_microsecond());
    let ended = run!(tx, execute(END, id.uuid(), status, all, at))? == 1;
    if ended {
        deployment_events::ended(tx, id, now).await?;
    }
    Ok(ended)
}

/// The findings so far and some more; none when the deployment has ended or is absent.
async fn with_findings(
    tx: &mut Tx,
    id: DeploymentId,
    more: &[Finding],
) -> Result<Option<Vec<Finding>>, StoreError> {
    let Some((kept,)) = run!(tx, fetch_optional::<(RawJson,)>(FINDINGS, id.uuid()))? else {
        return Ok(None);
    };
    let mut all: Vec<Finding> = Origin {
        table: "deployments",
        id,
    }
    .json("findings", &kept)?;
    // What was noticed at the request may be noticed again by who carries it out.
    let fresh: Vec<Finding> = more
        .iter()
        .filter(|finding| !all.contains(finding))
        .cloned()
        .collect();
    all.extend(fresh);
    Ok(Some(all))
}
