//! A tenant as every surface shows it.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::ids::{InstanceId, TenantId};
use crate::domain::name::TenantName;
use crate::domain::sip_domain::SipDomain;
use crate::domain::tenant::{Tenant, TenantStatus};
use crate::domain::timezone::Timezone;

/// A tenant.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Tenant")]
pub struct TenantView {
    /// Its id.
    pub id: TenantId,
    /// As people call it.
    pub name: TenantName,
    /// Its SIP domain.
    pub domain: SipDomain,
    /// Whether it is served.
    pub status: TenantStatus,
    /// The PBX that serves it.
    pub pbx_instance_id: InstanceId,
    /// For voicemail's times.
    pub timezone: Timezone,
    /// When it was made.
    pub created_at: Timestamp,
}

impl From<Tenant> for TenantView {
    fn from(tenant: Tenant) -> Self {
        Self {
            id: tenant.id,
            name: tenant.name,
            domain: tenant.domain,
            status: tenant.status,
            pbx_instance_id: tenant.instance_id,
            timezone: tenant.timezone,
            created_at: tenant.created_at,
        }
    }
}
