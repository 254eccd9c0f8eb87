//! Whether a tenant may still be served under the domains of a revision.

use super::error::DeployError;
use super::moves::Moves;
use crate::domain::finding::Finding;
use crate::domain::ids::TenantId;
use crate::domain::revision::TenantConfig;
use crate::store::domains;

impl Moves<'_> {
    /// An error where a domain of the configuration, or a former one in it, is another tenant's by now: a PBX tells tenants
    /// by nothing else. It does not name the domain, since whoever reads the record may not hear of the other.
    pub(super) async fn domains_of_others(
        &self,
        tenant_id: TenantId,
        config: &TenantConfig,
    ) -> Result<Option<Finding>, DeployError> {
        let mut tx = self.engine.store.read("domains_of_others").await?;
        for domain in std::iter::once(&config.domain).chain(&config.aliases) {
            if domains::is_anothers(&mut tx, domain, tenant_id, self.instance.id).await? {
                let message = "it would be served under a domain, or a former one, that is another tenant's by now; go back \
                    to a later deployment, or deploy the tenant as it stands now";
                return Ok(Some(Finding::error("domain_taken", message).of_tenant(tenant_id)));
            }
        }
        Ok(None)
    }
}
