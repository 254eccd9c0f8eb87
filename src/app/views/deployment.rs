//! A deployment as every surface shows it.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::change::Change;
use crate::domain::deployment::{Deployment, DeploymentStatus, Scope, StageRecord};
use crate::domain::finding::Finding;
use crate::domain::ids::DeploymentId;

/// A deployment.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Deployment")]
pub struct DeploymentView {
    id: DeploymentId,
    generation: Option<i64>,
    status: DeploymentStatus,
    #[serde(flatten)]
    scope: Scope,
    requested_by: String,
    created_at: Timestamp,
    ended_at: Option<Timestamp>,
    stages: Vec<StageRecord>,
    findings: Vec<Finding>,
    changes: Vec<Change>,
}

impl DeploymentView {
    /// In a list, stages are left out.
    #[must_use]
    pub fn new(deployment: Deployment, stages: Vec<StageRecord>) -> Self {
        Self {
            id: deployment.id,
            generation: deployment.generation,
            status: deployment.status,
            scope: deployment.scope,
            requested_by: deployment.requested_by,
            created_at: deployment.created_at,
            ended_at: deployment.ended_at,
            stages,
            findings: deployment.findings,
            changes: deployment.changes,
        }
    }
}
