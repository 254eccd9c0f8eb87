//! Asking the running PBX again, at any time, whether it still serves what was last proven.

use super::engine::Engine;
use super::error::DeployError;
use super::expectation::expect_tenant;
use super::ground::{Ground, MadeWith};
use crate::domain::finding::Finding;
use crate::domain::ids::{InstanceId, TenantId};
use crate::driver::Expected;
use crate::store::{extension_secrets, revisions};

/// What the PBX said.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Verification {
    /// The generation that should run; absent before the first.
    pub generation: Option<i64>,
    /// Whether all of the tenant was seen as it should be.
    pub ok: bool,
    /// What was not.
    pub findings: Vec<Finding>,
}

impl Engine {
    /// Asks for the markers and for every object of one tenant.
    pub async fn verify_tenant(
        &self,
        instance_id: InstanceId,
        tenant_id: TenantId,
    ) -> Result<Verification, DeployError> {
        let (instance, driver) = self.driver(instance_id).await?;
        let mut tx = self.store.read("verify").await?;
        let ground = Ground::read(self, &mut tx, &instance, MadeWith::Live).await?;
        let mut expected = Expected {
            markers: ground.before.markers(),
            ..Expected::default()
        };
        let generation = ground.live.as_ref().map(|live| live.number);
        let mut findings = Vec::new();
        match ground.before.tenants.get(&tenant_id) {
            None => {
                let message = "nothing of this tenant was ever deployed; deploy it";
                findings.push(Finding::error("never_deployed", message).of_tenant(tenant_id));
            }
            Some(state) => {
                let revision = revisions::find(&mut tx, tenant_id, state.version.revision_id).await?;
                let config = revision.map(|revision| revision.config);
                let secrets = extension_secrets::of_tenant(&mut tx, tenant_id).await?;
                // The PBX has the secrets of the last deploy: newer ones are a pending change, no drift.
                let states = crate::store::tenants::states_of_instance(&mut tx, instance_id).await?;
                let current = states
                    .iter()
                    .find(|s| s.id == tenant_id)
                    .map(|s| s.secrets_version);
                let secrets = (current == Some(state.version.secrets_version)).then_some(&secrets);
                expect_tenant(&mut expected, tenant_id, None, config.as_ref(), true, secrets);
            }
        }
        drop(tx);
        // A PBX that does not answer is what was to be found out, no failure of ours.
        findings.extend(match driver.verify(&expected).await {
            Ok(differences) => differences,
            Err(error) => vec![Finding::error("pbx_not_asked", error.full())],
        });
        Ok(Verification {
            generation,
            ok: findings.is_empty(),
            findings,
        })
    }
}
