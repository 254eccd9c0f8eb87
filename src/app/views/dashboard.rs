//! The platform at a glance.

use schemars::JsonSchema;
use serde::Serialize;

use super::{AuditEntryView, TenantRowView};
use crate::app::dashboard::{Dashboard, InstanceHealth};
use crate::domain::call::Freshness;
use crate::domain::ids::{InstanceId, TenantId};
use crate::domain::instance::{NodeName, PbxKind};
use crate::domain::instance_check::CheckRecord;
use crate::domain::name::InstanceName;

/// The platform at a glance.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Dashboard")]
pub struct DashboardView {
    /// Tenants by status.
    pub tenants: TenantFigures,
    /// Users, whatever their status.
    pub users: Total,
    /// Extensions, whatever their status.
    pub extensions: Total,
    /// Calls that are up.
    pub active_calls: ActiveCalls,
    /// Every instance, by name.
    pub instances: Vec<InstanceHealthView>,
    /// The newest tenants, newest first.
    pub recent_tenants: Vec<TenantRowView>,
    /// The newest entries of the audit log, newest first.
    pub recent_audit: Vec<AuditEntryView>,
}

/// Tenants by status; those that are being deleted are in the total only.
#[derive(Serialize, JsonSchema)]
pub struct TenantFigures {
    /// All of them.
    pub total: i64,
    /// Those that are served.
    pub active: i64,
    /// Those that are suspended.
    pub suspended: i64,
}

/// How many there are.
#[derive(Serialize, JsonSchema)]
pub struct Total {
    /// All of them.
    pub total: i64,
}

/// Calls that are up; nothing is known of those of a PBX that another host drives.
#[derive(Serialize, JsonSchema)]
pub struct ActiveCalls {
    /// All of them; null where that of one PBX is not known.
    pub total: Option<usize>,
    /// How well that is known: as well as that of the PBX which was heard of least.
    #[serde(flatten)]
    pub freshness: Freshness,
    /// Those of each tenant that is known to have any; of a PBX that is not known others may have some.
    pub by_tenant: Vec<CallsOfTenant>,
}

/// The calls of one tenant.
#[derive(Serialize, JsonSchema)]
pub struct CallsOfTenant {
    /// Which tenant.
    pub tenant_id: TenantId,
    /// How many are known of.
    pub total: usize,
    /// How well that is known: no better than the calls of the PBX that is to serve the tenant.
    #[serde(flatten)]
    pub freshness: Freshness,
}

/// The calls of one PBX, those of no tenant too.
#[derive(Serialize, JsonSchema)]
pub struct CallsOfInstance {
    /// How many; null where nothing was ever heard of them.
    pub total: Option<usize>,
    /// How well that is known.
    #[serde(flatten)]
    pub freshness: Freshness,
}

/// How an instance is.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "InstanceHealth")]
pub struct InstanceHealthView {
    /// Its id.
    pub id: InstanceId,
    /// As the operator calls it.
    pub name: InstanceName,
    /// What it is.
    pub kind: PbxKind,
    /// The host that drives it.
    pub node: NodeName,
    /// Whether a generation was proven to run on it, and no other is being applied.
    pub live: bool,
    /// How many tenants are assigned to it.
    pub tenants: i64,
    /// What the last test of its connection found; null where it was never tested.
    pub last_check: Option<CheckRecord>,
    /// Its calls that are up.
    pub active_calls: CallsOfInstance,
}

impl From<InstanceHealth> for InstanceHealthView {
    fn from(health: InstanceHealth) -> Self {
        let instance = health.instance;
        Self {
            id: instance.id,
            kind: instance.settings.kind(),
            live: instance.live.is_some() && instance.applying.is_none(),
            name: instance.name,
            node: instance.node,
            tenants: health.tenants,
            last_check: health.last_check,
            active_calls: CallsOfInstance {
                total: health.calls.total,
                freshness: health.calls.freshness,
            },
        }
    }
}

impl From<Dashboard> for DashboardView {
    fn from(dashboard: Dashboard) -> Self {
        let figures = dashboard.figures;
        let calls = dashboard.calls;
        let by_tenant = calls
            .by_tenant
            .into_iter()
            .map(|(tenant_id, (total, freshness))| CallsOfTenant {
                tenant_id,
                total,
                freshness,
            });
        Self {
            tenants: TenantFigures {
                total: figures.tenants,
                active: figures.active_tenants,
                suspended: figures.suspended_tenants,
            },
            users: Total { total: figures.users },
            extensions: Total {
                total: figures.extensions,
            },
            active_calls: ActiveCalls {
                total: calls.total,
                freshness: calls.freshness,
                by_tenant: by_tenant.collect(),
            },
            instances: dashboard
                .instances
                .into_iter()
                .map(InstanceHealthView::from)
                .collect(),
            recent_tenants: dashboard
                .recent_tenants
                .into_iter()
                .map(TenantRowView::from)
                .collect(),
            recent_audit: dashboard
                .recent_audit
                .into_iter()
                .map(AuditEntryView::of_platform)
                .collect(),
        }
    }
}
