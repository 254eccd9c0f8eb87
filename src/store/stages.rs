//! The stages of deployments.

use jiff::Timestamp;
use uuid::Uuid;

use super::row::{Origin, storable};
use super::statement::{run, statements};
use super::{StoreError, Tx};
use crate::domain::deployment::{Progress, Stage, StageRecord, StageResult};
use crate::domain::ids::{DeploymentId, TenantId};

statements! {
    BEGIN = "insert into deployment_stages (deployment_id, position, stage, started_at, detail) \
        select $1, coalesce(max(position), 0) + 1, $2, $3, '' from deployment_stages where deployment_id = $1";
    END = "update deployment_stages set result = $3, detail = $4, ended_at = $5 \
        where deployment_id = $1 and stage = $2 and ended_at is null";
    PROGRESS_OF_TENANT = "select d.status, count(s.position), count(s.ended_at) from deployments d \
        left join deployment_stages s on s.deployment_id = d.id \
        where d.tenant_id = $1 and d.id = $2 group by d.id, d.status";
    NEWEST_PROGRESS = "select d.id, d.status,         (select count(*) from deployment_stages s where s.deployment_id = d.id),         (select count(*) from deployment_stages s where s.deployment_id = d.id and s.ended_at is not null)         from deployments d where d.tenant_id = $1 order by d.created_at desc, d.id desc limit 5";
    OF_DEPLOYMENT = "select stage, started_at, ended_at, result, detail from deployment_stages \
        where deployment_id = $1 order by position";
}

#[derive(sqlx::FromRow)]
struct Row {
    stage: String,
    started_at: i64,
    ended_at: Option<i64>,
    result: Option<String>,
    detail: String,
}

/// Begins a stage. It is a conflict while another stage of the deployment runs.
pub async fn begin(
    tx: &mut Tx,
    deployment: DeploymentId,
    stage: Stage,
    now: Timestamp,
) -> Result<(), StoreError> {
    run!(
        tx,
        execute(BEGIN, deployment.uuid(), stage.as_str(), now.as_microsecond())
    )?;
    Ok(())
}

/// Ends a stage; false when it does not run.
pub async fn end(
    tx: &mut Tx,
    deployment: DeploymentId,
    stage: Stage,
    result: StageResult,
    detail: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let ended = run!(
        tx,
        execute(
            END,
            deployment.uuid(),
            stage.as_str(),
            result.as_str(),
            storable(detail),
            now.as_microsecond(),
        )
    )?;
    Ok(ended == 1)
}

/// How far the tenant's own deployment with this id is.
pub async fn progress_of_tenant(
    tx: &mut Tx,
    tenant: TenantId,
    id: DeploymentId,
) -> Result<Option<Progress>, StoreError> {
    let row = run!(
        tx,
        fetch_optional::<(String, i64, i64)>(PROGRESS_OF_TENANT, tenant.uuid(), id.uuid())
    )?;
    let origin = Origin {
        table: "deployments",
        id,
    };
    row.map(|(status, begun, ended)| {
        Ok(Progress {
            status: origin.text("status", &status)?,
            begun,
            ended,
        })
    })
    .transpose()
}

/// How far the newest of the tenant's own deployments are, newest first.
pub async fn newest_progress(
    tx: &mut Tx,
    tenant: TenantId,
) -> Result<Vec<(DeploymentId, Progress)>, StoreError> {
    let rows = run!(
        tx,
        fetch_all::<(Uuid, String, i64, i64)>(NEWEST_PROGRESS, tenant.uuid())
    )?;
    rows.into_iter()
        .map(|(id, status, begun, ended)| {
            let id = DeploymentId::from_uuid(id);
            let origin = Origin {
                table: "deployments",
                id,
            };
            let status = origin.text("status", &status)?;
            Ok((id, Progress { status, begun, ended }))
        })
        .collect()
}

/// The stages of a deployment, in the order in which they began.
pub async fn of_deployment(tx: &mut Tx, deployment: DeploymentId) -> Result<Vec<StageRecord>, StoreError> {
    let origin = Origin {
        table: "deployment_stages",
        id: deployment,
    };
    let parse = |row: Row| {
        let ended_at = row
            .ended_at
            .map(|micros| origin.time("ended_at", micros))
            .transpose()?;
        let result = row.result.map(|word| origin.text("result", &word)).transpose()?;
        Ok(StageRecord {
            stage: origin.text("stage", &row.stage)?,
            started_at: origin.time("started_at", row.started_at)?,
            ended_at,
            result,
            detail: row.detail,
        })
    };
    run!(tx, fetch_all::<Row>(OF_DEPLOYMENT, deployment.uuid()))?
        .into_iter()
        .map(parse)
        .collect()
}
