//! One tenant as a deploy renders it: configuration, secrets and version, all of the same moment.

use std::collections::BTreeMap;

use super::engine::Engine;
use super::error::DeployError;
use super::plan::TenantVersion;
use crate::domain::ids::{ExtensionId, InstanceId, RevisionId, TenantId};
use crate::domain::revision::TenantConfig;
use crate::domain::secret::ExtensionSecrets;
use crate::store::{Tx, extension_secrets, revisions, tenants};

/// Which configuration of a tenant.
#[derive(Clone, Copy, Debug)]
pub(super) enum Which {
    /// One that was taken.
    Revision(RevisionId),
    /// As it is edited now. Its revision may not have been taken: only for looking.
    Head,
}

/// One tenant, ready to be rendered. Secrets, and what of it is served, are always the current ones.
pub(super) struct Subject {
    pub version: TenantVersion,
    /// The instance that is to serve it.
    pub instance_id: InstanceId,
    pub config: TenantConfig,
    pub secrets: BTreeMap<ExtensionId, ExtensionSecrets>,
}

impl Engine {
    /// Reads a tenant in a transaction of its own: rendering takes long, and nobody is to wait for it.
    pub(super) async fn subject(&self, tenant_id: TenantId, which: Which) -> Result<Subject, DeployError> {
        let mut tx = self.store.read("deploy_subject").await?;
        let missing = || DeployError::Missing {
            what: format!("the tenant {tenant_id}"),
        };
        let state = tenants::state_of(&mut tx, tenant_id).await?.ok_or_else(missing)?;
        let assigned = tenants::find(&mut tx, tenant_id).await?.ok_or_else(missing)?;
        let (revision_id, config) = match which {
            Which::Revision(id) => (id, config(&mut tx, tenant_id, id).await?),
            Which::Head => {
                let head = revisions::head(&mut tx, tenant_id).await?.ok_or_else(missing)?;
                let digest = head.digest().map_err(DeployError::Digest)?;
                let equal = revisions::find_by_digest(&mut tx, tenant_id, digest).await?;
                let id = equal.map_or_else(|| RevisionId::fresh(self.ids.as_ref()), |equal| equal.id);
                (id, head)
            }
        };
        Ok(Subject {
            version: TenantVersion {
                revision_id,
                secrets_version: state.secrets_version,
                service: state.service,
            },
            instance_id: assigned.instance_id,
            config,
            secrets: extension_secrets::of_tenant(&mut tx, tenant_id).await?,
        })
    }

    /// A revision's configuration.
    pub(super) async fn config(
        &self,
        tenant_id: TenantId,
        id: RevisionId,
    ) -> Result<TenantConfig, DeployError> {
        let mut tx = self.store.read("deploy_revision").await?;
        config(&mut tx, tenant_id, id).await
    }
}

async fn config(tx: &mut Tx, tenant_id: TenantId, id: RevisionId) -> Result<TenantConfig, DeployError> {
    revisions::find(tx, tenant_id, id)
        .await?
        .map(|revision| revision.config)
        .ok_or_else(|| DeployError::Missing {
            what: format!("the revision {id} of tenant {tenant_id}"),
        })
}
