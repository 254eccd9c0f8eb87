//! Writing down what a deploy does, stage by stage, each in a transaction that proves that the lease is still held.

use jiff::Timestamp;

use super::engine::Engine;
use super::error::DeployError;
use super::lease::Lease;
use crate::domain::deployment::{DeploymentStatus, Stage, StageRecord, StageResult};
use crate::domain::finding::Finding;
use crate::domain::ids::{DeploymentId, InstanceId};
use crate::store::{Tx, deployments, generations, stages};

/// The pen of one deployment.
pub(super) struct Record<'a> {
    pub engine: &'a Engine,
    pub lease: &'a Lease<'a>,
    pub instance_id: InstanceId,
    pub deployment_id: DeploymentId,
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
        stages::end(&mut tx, self.deployment_id, stage, result, detail, self.now()).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Ends whatever stage still runs.
    pub async fn end_open_stages(&self, result: StageResult, detail: &str) -> Result<(), DeployError> {
        let mut tx = self.begin("end_open_stages").await?;
        for stage in stages::of_deployment(&mut tx, self.deployment_id).await? {
            if stage.ended_at.is_none() {
                let now = self.now();
                stages::end(&mut tx, self.deployment_id, stage.stage, result, detail, now).await?;
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
            stages::end(&mut tx, self.deployment_id, stage, result, detail, self.now()).await?;
        }
        deployments::end(&mut tx, self.deployment_id, status, findings, self.now()).await?;
        generations::forget_attempts(&mut tx, self.instance_id).await?;
        tx.commit().await?;
        Ok(status)
    }
}
