//! Writing down what a deploy does, stage by stage, each in a transaction that proves that the lease is still held.

use jiff::Timestamp;

use super::discretion;
use super::engine::Engine;
use super::error::DeployError;
use super::lease::Lease;
use crate::domain::deployment::{DeploymentStatus, Stage, StageRecord, StageResult};
use crate::domain::finding::Finding;
use crate::domain::ids::{DeploymentId, InstanceId, TenantId};
use crate::store::{Tx, deployments, generations, stages};

/// The pen of one deployment.
pub(super) struct Record<'a> {
    pub engine: &'a Engine,
    pub lease: &'a Lease<'a>,
    pub instance_id: InstanceId,
    pub deployment_id: DeploymentId,
    /// Whose record it is, if it is one tenant's.
    pub tenant_id: Option<TenantId>,
}

impl Record<'_> {
    pub fn now(&self) -> Timestamp {
        self.engine.clock.now()
    }

    /// A transaction in which the lease is known to be held.
    pub async fn begin(&self, name: &'static str) -> Result<Tx, DeployError> {
        self.lease.begin(name).await
    }

    /// Begins a stage; the deployment's status follows.
    pub async fn stage(&self, stage: Stage) -> Result<(), DeployError> {
        let status = match stage {
            Stage::Planning => DeploymentStatus::Planning,
            Stage::Validating => DeploymentStatus::Validating,
            Stage::Applying => DeploymentStatus::Applying,
            Stage::Verifying | Stage::RollingBack => DeploymentStatus::Verifying,
        };
        let mut tx = self.begin("begin_stage").await?;
        deployments::set_status(&mut tx, self.deployment_id, status).await?;
        stages::begin(&mut tx, self.deployment_id, stage, self.now()).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Ends a stage.
    pub async fn stage_end(
        &self,
        stage: Stage,
        result: StageResult,
        detail: &str,
    ) -> Result<(), DeployError> {
        let mut tx = self.begin("end_stage").await?;
        let detail = self.discreet(&mut tx, result, detail).await?;
        let detail = detail.as_str();
        stages::end(&mut tx, self.deployment_id, stage, result, detail, self.now()).await?;
        tx.commit().await?;
        Ok(())
    }

    /// A detail as whoever reads the record may see it: where a stage did not end well, a PBX may have spoken.
    async fn discreet(&self, tx: &mut Tx, result: StageResult, detail: &str) -> Result<String, DeployError> {
        let Some(own) = self.tenant_id.filter(|_| result != StageResult::Ok) else {
            return Ok(detail.to_owned());
        };
        let others = discretion::others(tx, self.instance_id, own).await?;
        Ok(discretion::detail(&others, detail).to_owned())
    }

    /// Ends whatever stage still runs.
    pub async fn end_open_stages(&self, result: StageResult, detail: &str) -> Result<(), DeployError> {
        let mut tx = self.begin("end_open_stages").await?;
        for stage in stages::of_deployment(&mut tx, self.deployment_id).await? {
            if stage.ended_at.is_none() {
                let now = self.now();
                let detail = self.discreet(&mut tx, result, detail).await?;
                stages::end(&mut tx, self.deployment_id, stage.stage, result, &detail, now).await?;
            }
        }
        tx.commit().await?;
        Ok(())
    }

    /// How many stages were cut off.
    pub async fn interruptions(&self) -> Result<usize, DeployError> {
        let mut tx = self.engine.store.read("interruptions").await?;
        let stages = stages::of_deployment(&mut tx, self.deployment_id).await?;
        let cut = |stage: &&StageRecord| stage.result == Some(StageResult::Interrupted);
        Ok(stages.iter().filter(cut).count())
    }

    /// Ends the deployment, and its last stage where that still runs, in a transaction of [`Self::begin`]. What was tried
    /// and never ran is forgotten: the record has its number.
    pub async fn end(
        &self,
        mut tx: Tx,
        last: Option<(Stage, StageResult, &str)>,
        status: DeploymentStatus,
        findings: &[Finding],
    ) -> Result<DeploymentStatus, DeployError> {
        if let Some((stage, result, detail)) = last {
            let detail = self.discreet(&mut tx, result, detail).await?;
            stages::end(&mut tx, self.deployment_id, stage, result, &detail, self.now()).await?;
        }
        deployments::end(&mut tx, self.deployment_id, status, findings, self.now()).await?;
        generations::forget_attempts(&mut tx, self.instance_id).await?;
        tx.commit().await?;
        Ok(status)
    }
}
