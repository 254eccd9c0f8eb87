//! The platform at a glance.

use super::App;
use super::error::AppError;
use crate::auth::caller::Caller;
use crate::domain::audit::AuditRecord;
use crate::domain::audit_query::AuditQuery;
use crate::domain::instance::PbxInstance;
use crate::domain::instance_check::CheckRecord;
use crate::domain::page::PageRequest;
use crate::domain::permission::PlatformPermission;
use crate::domain::query::{TenantQuery, TenantSort};
use crate::domain::tenant_overview::TenantOverview;
use crate::store::platform_figures::{self, Figures};
use crate::store::{audit, instance_checks, instances, tenant_overviews};

/// How many of the newest tenants and of the newest entries of the audit log are shown.
const RECENT: i64 = 10;

/// The platform at a glance, all of the same moment.
pub struct Dashboard {
    /// What there is in all.
    pub figures: Figures,
    /// Every instance, by name.
    pub instances: Vec<InstanceHealth>,
    /// The newest tenants, newest first.
    pub recent_tenants: Vec<TenantOverview>,
    /// The newest entries of the audit log, newest first.
    pub recent_audit: Vec<AuditRecord>,
}

/// How an instance is.
pub struct InstanceHealth {
    /// The instance.
    pub instance: PbxInstance,
    /// How many tenants are assigned to it.
    pub tenants: i64,
    /// What the last test of its connection found; none where it was never tested.
    pub last_check: Option<CheckRecord>,
}

/// Reads the platform's numbers.
pub async fn read(app: &App, caller: &Caller) -> Result<Dashboard, AppError> {
    caller.platform(PlatformPermission::Dashboard)?;
    let mut tx = app.store.read("dashboard").await?;
    let page = PageRequest::new(1, RECENT).unwrap_or_default();
    let newest = TenantQuery {
        sort: TenantSort::CreatedAt,
        descending: true,
        page,
        ..TenantQuery::default()
    };
    let log = AuditQuery {
        per_page: RECENT,
        ..AuditQuery::default()
    };
    let tenants = platform_figures::tenants_by_instance(&mut tx).await?;
    let mut health = Vec::new();
    for instance in instances::list(&mut tx).await? {
        let newest = instance_checks::newest(&mut tx, instance.id, 1).await?;
        health.push(InstanceHealth {
            tenants: tenants.get(&instance.id).copied().unwrap_or_default(),
            last_check: newest.into_iter().next(),
            instance,
        });
    }
    Ok(Dashboard {
        figures: platform_figures::read(&mut tx).await?,
        instances: health,
        recent_tenants: tenant_overviews::list(&mut tx, &newest).await?.items,
        recent_audit: audit::list_all(&mut tx, None, &log).await?.entries,
    })
}
