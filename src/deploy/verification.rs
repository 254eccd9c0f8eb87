//! Asking the running PBX again, at any time, whether it still serves what was last proven, and looking at its files.

use std::time::Duration;

use schemars::JsonSchema;
use tokio::time::{Instant, sleep};

use super::engine::Engine;
use super::error::DeployError;
use super::expectation::{Expectation, TenantExpectation};
use super::ground::{Ground, MadeWith};
use super::inquiry;
use super::preview::FileDiff;
use crate::domain::deployment::VerificationState;
use crate::domain::finding::{Finding, Severity};
use crate::domain::ids::{DeploymentId, GenerationId, InstanceId, TenantId};
use crate::store::{deployments, instances};

/// How long is waited for the end of a deploy that is under way, and how often is looked.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(100);

/// What the PBX said, and what was found on disk.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, JsonSchema)]
pub struct Verification {
    /// The generation that should run; absent before the first.
    pub generation: Option<i64>,
    /// What it came to.
    pub state: VerificationState,
    /// Whether all of it was seen as it should be.
    pub ok: bool,
    /// What was not.
    pub findings: Vec<Finding>,
    /// What somebody made of our files; of a whole instance only, since a file is every tenant's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileDiff>,
}

impl Engine {
    /// Asks for the markers and for every object of one tenant, and whether the files are as they were written.
    pub async fn verify_tenant(
        &self,
        instance_id: InstanceId,
        tenant_id: TenantId,
    ) -> Result<Verification, DeployError> {
        self.verify(instance_id, Some(tenant_id)).await
    }

    /// The same of every tenant, with what was made of each file.
    pub async fn verify_instance(&self, instance_id: InstanceId) -> Result<Verification, DeployError> {
        self.verify(instance_id, None).await
    }

    /// Looks at a moment at which no deploy moves anything; where there is none for a while, it says so.
    async fn verify(
        &self,
        instance_id: InstanceId,
        only: Option<TenantId>,
    ) -> Result<Verification, DeployError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let before = self.situation(instance_id).await?;
            if before.under_way.is_none() {
                // What a look reads may be gone once a deploy has moved it.
                let seen = self.look(instance_id, only).await;
                if self.situation(instance_id).await? == before {
                    return seen;
                }
            }
            if Instant::now() >= deadline {
                return Ok(Verification::under_way());
            }
            sleep(PAUSE).await;
        }
    }

    async fn situation(&self, instance_id: InstanceId) -> Result<Situation, DeployError> {
        let mut tx = self.store.read("situation").await?;
        let instance = instances::find(&mut tx, instance_id).await?;
        let begun = deployments::unfinished(&mut tx, instance_id).await?;
        Ok(Situation {
            live: instance.as_ref().and_then(|instance| instance.live),
            applying: instance.and_then(|instance| instance.applying),
            under_way: begun.first().map(|deployment| deployment.id),
        })
    }

    async fn look(
        &self,
        instance_id: InstanceId,
        only: Option<TenantId>,
    ) -> Result<Verification, DeployError> {
        let (instance, driver) = self.driver_in_force(instance_id).await?;
        let mut tx = self.store.read("verify").await?;
        let ground = Ground::read(self, &mut tx, &instance, MadeWith::Live).await?;
        drop(tx);
        let mut expected = Expectation::markers_of(&ground.before);
        for (id, state) in &ground.before.tenants {
            if only.is_none_or(|only| only == *id) {
                let everything = TenantExpectation {
                    before: None,
                    tried: None,
                    after: Some(state.version),
                    all: true,
                    // The PBX has the secrets of the last deploy: newer ones are a pending change, no drift.
                    secrets: true,
                    is_new: false,
                };
                expected.tenants.insert(*id, everything);
            }
        }
        let mut findings = Vec::new();
        if let Some(tenant_id) = only.filter(|id| !expected.tenants.contains_key(id)) {
            let message = "nothing of this tenant was ever deployed; deploy it";
            findings.push(Finding::error("never_deployed", message).of_tenant(tenant_id));
        }
        // A PBX that does not answer is what was to be found out, no failure of ours.
        match inquiry::ask(self, driver.as_ref(), &expected).await {
            Ok(answer) => findings.extend(answer.differences),
            Err(DeployError::Driver(error)) => {
                findings.push(Finding::error("pbx_not_asked", error.full()));
            }
            Err(error) => return Err(error),
        }
        let mut drift = self.drift(&instance, driver.as_ref(), &ground).await?;
        let astray = self.not_included(&instance, driver.as_ref(), &ground).await?;
        drift.findings.extend(astray);
        if only.is_some() {
            drift.for_tenant();
        }
        findings.extend(drift.findings);
        let ok = !findings.iter().any(Finding::is_error);
        Ok(Verification {
            generation: ground.live.map(|live| live.number),
            state: if ok {
                VerificationState::AsDeployed
            } else {
                VerificationState::Differs
            },
            ok,
            findings,
            files: drift.files,
        })
    }
}

/// What a deploy moves.
#[derive(PartialEq, Eq)]
struct Situation {
    live: Option<GenerationId>,
    applying: Option<GenerationId>,
    /// One that has begun and has not ended.
    under_way: Option<DeploymentId>,
}

impl Verification {
    fn under_way() -> Self {
        let message = "a deploy is under way: what runs now is neither what was nor what will be; ask again once it has ended";
        Self {
            generation: None,
            state: VerificationState::DeployUnderWay,
            ok: false,
            findings: vec![Finding::new(Severity::Info, "deploy_under_way", message)],
            files: Vec::new(),
        }
    }
}
