//! The audit log: page by page, as a whole for an export, and checked from its first entry to its head.

use super::App;
use super::error::AppError;
use crate::auth::access::Act;
use crate::auth::caller::Caller;
use crate::domain::audit::{AuditHead, AuditRecord};
use crate::domain::audit_check::{AuditCheck, AuditReport};
use crate::domain::audit_query::{AuditFilter, AuditPage, AuditQuery};
use crate::domain::ids::TenantId;
use crate::domain::permission::{Permission, PlatformPermission};
use crate::store::{audit, audit_chain};

/// Entries that are in memory at once while the log is read as a whole.
const BATCH: i64 = 500;

/// One page of the entries of the tenant that the caller acts in.
pub async fn list(app: &App, caller: &Caller, query: &AuditQuery) -> Result<AuditPage, AppError> {
    let tenant = caller.tenant(Permission::AuditLogRead, Act::Read)?;
    let mut tx = app.store.read("list_audit_log").await?;
    Ok(audit::list(&mut tx, tenant, query).await?)
}

/// One page of the entries of all tenants and of the platform, or of one tenant, which need not be there any more.
pub async fn list_all(
    app: &App,
    caller: &Caller,
    tenant: Option<TenantId>,
    query: &AuditQuery,
) -> Result<AuditPage, AppError> {
    caller.platform(PlatformPermission::Audit)?;
    let mut tx = app.store.read("list_audit_log").await?;
    Ok(audit::list_all(&mut tx, tenant, query).await?)
}

/// Gives every entry that matches to `take`, by number, as they were at one moment; answers the head of that moment.
pub async fn export<E: From<AppError>>(
    app: &App,
    caller: &Caller,
    tenant: Option<TenantId>,
    filter: &AuditFilter,
    mut take: impl FnMut(AuditRecord) -> Result<(), E>,
) -> Result<Option<AuditHead>, E> {
    caller
        .platform(PlatformPermission::Audit)
        .map_err(AppError::from)?;
    let mut tx = app.store.read("export_audit_log").await.map_err(AppError::from)?;
    let head = audit_chain::head(&mut tx).await.map_err(AppError::from)?;
    let mut last = i64::MIN;
    loop {
        let records = audit::after(&mut tx, tenant, filter, last, BATCH).await;
        let records = records.map_err(AppError::from)?;
        let Some(end) = records.last() else { break };
        last = end.number;
        records.into_iter().try_for_each(&mut take)?;
    }
    Ok(head)
}

/// Looks whether the whole log is as it was written, and still holds the head that was kept elsewhere.
///
/// It reads one moment of the database, and keeps nobody from writing meanwhile.
pub async fn verify(app: &App, caller: &Caller, kept: Option<AuditHead>) -> Result<AuditReport, AppError> {
    caller.platform(PlatformPermission::Audit)?;
    let mut tx = app.store.read("verify_audit_log").await?;
    let mut check = AuditCheck::new(audit_chain::head(&mut tx).await?, kept);
    let mut last = i64::MIN;
    loop {
        let links = audit_chain::after(&mut tx, last, BATCH).await?;
        let Some(end) = links.last() else { break };
        last = end.link.number;
        for link in links {
            check.see(link);
        }
    }
    Ok(check.finish())
}
