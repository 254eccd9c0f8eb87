//! Deployments: one record for each press of the deploy button.

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::change::Change;
use super::finding::Finding;
use super::ids::{DeploymentId, GenerationId, InstanceId, RevisionId, TenantId};
use super::parsed::word_enum;

word_enum! {
    /// Where a deployment stands.
    DeploymentStatus {
        /// Waiting for the instance to be free.
        Queued = "queued",
        /// Finding out what would change.
        Planning = "planning",
        /// Checking it, by our rules and by the shadow Asterisk.
        Validating = "validating",
        /// Putting it in place.
        Applying = "applying",
        /// Asking the running PBX for it.
        Verifying = "verifying",
        /// Proven to run.
        Live = "live",
        /// Nothing to do; nothing was written or reloaded.
        Unchanged = "unchanged",
        /// Proven to run, less the tenants that the findings name.
        Partial = "partial",
        /// Refused by validation; nothing was touched.
        Rejected = "rejected",
        /// Not proven, and the former generation is proven to run again.
        RolledBack = "rolled_back",
        /// Neither proven nor proven back; the findings say what is known and what to do.
        Failed = "failed",
        /// A newer request covers it.
        Superseded = "superseded",
    }
}

impl DeploymentStatus {
    /// Whether nothing more will happen.
    #[must_use]
    pub const fn is_end(self) -> bool {
        !matches!(
            self,
            Self::Queued | Self::Planning | Self::Validating | Self::Applying | Self::Verifying
        )
    }

    /// Whether the running PBX was proven to serve what was asked for.
    #[must_use]
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Live | Self::Unchanged)
    }
}

word_enum! {
    /// A step of a deployment; each leaves a row behind.
    Stage {
        /// Finding out what would change.
        Planning = "planning",
        /// Checking it.
        Validating = "validating",
        /// Putting it in place.
        Applying = "applying",
        /// Asking the running PBX for it.
        Verifying = "verifying",
        /// Putting the former generation back, and asking for that.
        RollingBack = "rolling_back",
    }
}

word_enum! {
    /// How a stage ended.
    StageResult {
        /// As it should.
        Ok = "ok",
        /// It said no: findings tell why.
        Refused = "refused",
        /// It could not be carried out.
        Failed = "failed",
        /// The process died in it; what follows was done at the next start.
        Interrupted = "interrupted",
    }
}

word_enum! {
    /// What a look at the running PBX came to.
    VerificationState {
        /// All of it was seen as it should be.
        AsDeployed = "as_deployed",
        /// Something is otherwise; the findings say what.
        Differs = "differs",
        /// A deploy is under way: what runs now is neither what was nor what will be.
        DeployUnderWay = "deploy_under_way",
    }
}

/// One step of a deployment.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct StageRecord {
    /// Which step.
    pub stage: Stage,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended; absent while it runs.
    pub ended_at: Option<Timestamp>,
    /// How it ended; absent while it runs.
    pub result: Option<StageResult>,
    /// What was done, for people: files written, modules reloaded, objects asked for.
    pub detail: String,
}

/// How far a deployment is: no two moments of it between which its status or stages changed have the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Where it stands.
    pub status: DeploymentStatus,
    /// How many stages have begun.
    pub begun: i64,
    /// How many of them have ended.
    pub ended: i64,
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.status.as_str(), self.begun, self.ended)
    }
}

/// What a deployment is to move.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "scope", rename_all = "snake_case")]
pub enum Scope {
    /// One tenant's entry, to the copy of its head that was taken when the request was accepted.
    Tenant {
        /// Whose.
        tenant_id: TenantId,
        /// That copy.
        revision_id: RevisionId,
    },
    /// One tenant's entry, back to the revision that an earlier deployment served.
    TenantRollback {
        /// Whose.
        tenant_id: TenantId,
        /// The revision that comes back.
        revision_id: RevisionId,
    },
    /// What one tenant is served, in line with its status: whatever revision is live when its turn comes stays live.
    TenantStatus {
        /// Whose.
        tenant_id: TenantId,
        /// The revision that was live when it was asked for.
        revision_id: RevisionId,
    },
    /// Every tenant, the template set and the instance's settings.
    Platform,
    /// Every tenant and the template set, back to what an earlier generation served.
    PlatformRollback {
        /// That generation.
        generation_id: GenerationId,
    },
}

impl Scope {
    /// The one tenant it moves, if it is one.
    #[must_use]
    pub const fn tenant_id(&self) -> Option<TenantId> {
        match self {
            Self::Tenant { tenant_id, .. }
            | Self::TenantRollback { tenant_id, .. }
            | Self::TenantStatus { tenant_id, .. } => Some(*tenant_id),
            Self::Platform | Self::PlatformRollback { .. } => None,
        }
    }
}

/// The record of one press of the deploy button.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Deployment {
    /// Its id.
    pub id: DeploymentId,
    /// The instance it is for.
    pub instance_id: InstanceId,
    /// What it is to move.
    pub scope: Scope,
    /// Where it stands.
    pub status: DeploymentStatus,
    /// Who asked, as the audit log names actors.
    pub requested_by: String,
    /// The generation it made; absent while none was needed.
    pub generation_id: Option<GenerationId>,
    /// That generation's number.
    pub generation: Option<i64>,
    /// What it changes.
    pub changes: Vec<Change>,
    /// What it noticed.
    pub findings: Vec<Finding>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// Who asks for the deploys that nobody asks for, as the audit log names them.
pub const AUTOMATIC: &str = "system:auto";

impl Deployment {
    /// Whether nobody asked for it.
    #[must_use]
    pub fn is_automatic(&self) -> bool {
        self.requested_by == AUTOMATIC
    }
}
