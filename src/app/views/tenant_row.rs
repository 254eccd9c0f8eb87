//! A tenant as the platform's list shows it.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::TenantView;
use crate::domain::name::InstanceName;
use crate::domain::tenant_overview::{Files, Owner, TenantOverview};

/// A tenant with what is counted of it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TenantRow")]
pub struct TenantRowView {
    /// The tenant.
    #[serde(flatten)]
    pub tenant: TenantView,
    /// The name of the PBX that serves it.
    pub pbx_instance: InstanceName,
    /// The owner who was there first; none where there is none yet.
    pub owner: Option<Owner>,
    /// Active users.
    pub users: i64,
    /// Extensions, whatever their status.
    pub extensions: i64,
    /// Recordings of its calls; null where its PBX's settings name no directory of them. Voicemail messages are not counted.
    pub files: Option<Files>,
    /// When somebody of it signed in last.
    pub last_activity: Option<Timestamp>,
}

impl From<TenantOverview> for TenantRowView {
    fn from(overview: TenantOverview) -> Self {
        Self {
            tenant: overview.tenant.into(),
            pbx_instance: overview.instance,
            owner: overview.owner,
            users: overview.users,
            extensions: overview.extensions,
            files: overview.files,
            last_activity: overview.last_activity,
        }
    }
}
