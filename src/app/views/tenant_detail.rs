//! All of a tenant as the platform sees it.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::TenantRowView;
use crate::app::tenant_change::TenantDetail;
use crate::app::tenant_upkeep::Behind;
use crate::domain::ids::InstanceId;
use crate::domain::limits::SessionTimeout;
use crate::domain::reason::Reason;
use crate::domain::sip_domain::SipDomain;
use crate::domain::tenant::{Suspension, SuspensionCategory, SuspensionPolicy};

/// A tenant with its limits, its suspension, and where it is live.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TenantDetail")]
pub struct TenantDetailView {
    /// As in the list.
    #[serde(flatten)]
    pub row: TenantRowView,
    /// For how many minutes a session may rest.
    pub session_timeout_minutes: SessionTimeout,
    /// Active and invited users; null where that is not limited.
    pub max_users: Option<i64>,
    /// Extensions; null where that is not limited.
    pub max_extensions: Option<i64>,
    /// Calls at the same time; null where that is not limited.
    pub max_concurrent_calls: Option<i64>,
    /// What its phones may do while it is suspended.
    pub suspension_policy: SuspensionPolicy,
    /// Why it is suspended; null where it is not.
    pub suspension: Option<SuspensionView>,
    /// Domains that it had before and that its phones may still sign in at.
    pub aliases: Vec<SipDomain>,
    /// Whether its instance was proven to serve it.
    pub live: bool,
    /// Other instances that serve it still.
    pub live_elsewhere: Vec<InstanceId>,
    /// Whether it was given another instance, and is not served by that one alone yet.
    pub resync_required: bool,
    /// The instances that serve something else of it than its status says.
    pub behind: Vec<BehindView>,
}

/// An instance that has not followed the tenant's status yet.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Behind")]
pub struct BehindView {
    /// Which instance.
    pub pbx_instance_id: InstanceId,
    /// Why the last deploy that was to change that came to nothing; null while none has.
    pub reason: Option<String>,
    /// When the next one is asked for at the earliest; null while one is under way.
    pub again_at: Option<Timestamp>,
}

impl From<Behind> for BehindView {
    fn from(behind: Behind) -> Self {
        Self {
            pbx_instance_id: behind.instance,
            reason: behind.reason,
            again_at: behind.again_at,
        }
    }
}

/// Since when and why a tenant is suspended.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Suspension")]
pub struct SuspensionView {
    /// The kind of reason.
    pub category: SuspensionCategory,
    /// The reason in words.
    pub reason: Option<Reason>,
    /// Since when.
    pub since: Timestamp,
}

impl From<Suspension> for SuspensionView {
    fn from(suspension: Suspension) -> Self {
        Self {
            category: suspension.category,
            reason: suspension.reason,
            since: suspension.at,
        }
    }
}

impl From<TenantDetail> for TenantDetailView {
    fn from(detail: TenantDetail) -> Self {
        Self {
            session_timeout_minutes: detail.limits.session_timeout_minutes,
            max_users: detail.limits.max_users,
            max_extensions: detail.limits.max_extensions,
            max_concurrent_calls: detail.limits.max_concurrent_calls,
            suspension_policy: detail.standing.policy,
            resync_required: detail.whereabouts.resync_required(),
            suspension: detail.standing.suspension.map(SuspensionView::from),
            aliases: detail.aliases,
            behind: detail.behind.into_iter().map(BehindView::from).collect(),
            live: detail.whereabouts.here,
            live_elsewhere: detail.whereabouts.elsewhere,
            row: detail.overview.into(),
        }
    }
}
