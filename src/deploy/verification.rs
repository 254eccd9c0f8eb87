//! Asking the running PBX again, at any time, whether it still serves what was last proven, and looking at its files.

use schemars::JsonSchema;

use super::engine::Engine;
use super::error::DeployError;
use super::expectation::{Expectation, TenantExpectation};
use super::ground::{Ground, MadeWith};
use super::inquiry;
use super::preview::FileDiff;
use crate::domain::finding::Finding;
use crate::domain::ids::{InstanceId, TenantId};

/// What the PBX said, and what was found on disk.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, JsonSchema)]
pub struct Verification {
    /// The generation that should run; absent before the first.
    pub generation: Option<i64>,
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

    async fn verify(
        &self,
        instance_id: InstanceId,
        only: Option<TenantId>,
    ) -> Result<Verification, DeployError> {
        let (instance, driver) = self.driver(instance_id).await?;
        let mut tx = self.store.read("verify").await?;
        let ground = Ground::read(self, &mut tx, &instance, MadeWith::Live).await?;
        drop(tx);
        let mut expected = Expectation::markers_of(&ground.before);
        for (id, state) in &ground.before.tenants {
            if only.is_none_or(|only| only == *id) {
                let everything = TenantExpectation {
                    before: None,
                    after: Some(state.version),
                    all: true,
                    // The PBX has the secrets of the last deploy: newer ones are a pending change, no drift.
                    secrets: true,
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
        if only.is_some() {
            // Paths and texts are the operator's, or another tenant's.
            drift.findings.retain(|finding| finding.code == "drift");
            drift.files.clear();
        }
        findings.extend(drift.findings);
        Ok(Verification {
            generation: ground.live.map(|live| live.number),
            ok: !findings.iter().any(Finding::is_error),
            findings,
            files: drift.files,
        })
    }
}
