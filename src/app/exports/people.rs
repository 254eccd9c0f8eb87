//! Of an export, people: users with their sign-ins, what they may, and the audit log of what was done.

use jiff::Timestamp;
use serde::Serialize;

use super::archive::Cut;
use super::making::Making;
use crate::app::views::{ApiKeyView, AuditEntryView, RoleView, UserView};
use crate::domain::audit_query::AuditQuery;
use crate::domain::digest::Digest;
use crate::domain::export::ExportKind;
use crate::domain::ids::{SessionId, UserId};
use crate::domain::session::Session;
use crate::store::{api_keys, audit, exports, roles, sessions, users};

/// Users that are read at once, with their sessions.
const USERS: usize = 50;
/// Entries of the audit log that are read at once.
const ENTRIES: i64 = 200;

/// A sign-in that has not ended.
#[derive(Serialize)]
pub(super) struct SessionRow {
    id: SessionId,
    user_id: UserId,
    created_at: Timestamp,
    last_used_at: Timestamp,
    expires_at: Timestamp,
    address: Option<String>,
    agent: Option<String>,
}

impl From<Session> for SessionRow {
    fn from(session: Session) -> Self {
        Self {
            id: session.id,
            user_id: session.user_id,
            created_at: session.created_at,
            last_used_at: session.last_used_at,
            expires_at: session.expires_at,
            address: session.address,
            agent: session.agent,
        }
    }
}

/// An entry of the audit log with what holds it in the chain; its number would tell how much happens in other tenants.
#[derive(Serialize)]
struct ChainedRow {
    #[serde(flatten)]
    entry: AuditEntryView,
    payload_digest: Digest,
    digest: Digest,
}

/// All users, what they may, and the keys of programs.
pub(super) async fn all(making: &mut Making<'_>) -> Result<(), Cut> {
    let tenant = making.job.tenant;
    for kind in [
        ExportKind::Users,
        ExportKind::Sessions,
        ExportKind::Roles,
        ExportKind::ApiKeys,
    ] {
        making.archive.name_kind(kind);
    }
    let mut tx = making.read("export_rights").await?;
    let roles = roles::list(&mut tx, Some(tenant)).await?;
    let keys = api_keys::list(&mut tx, tenant).await?;
    let ids = exports::users(&mut tx, tenant).await?;
    drop(tx);
    for role in roles {
        making
            .archive
            .row(ExportKind::Roles, &RoleView::from(role))
            .await?;
    }
    for key in keys {
        making
            .archive
            .row(ExportKind::ApiKeys, &ApiKeyView::from(key))
            .await?;
    }
    for ids in ids.chunks(USERS) {
        let now = making.app.now();
        let mut tx = making.read("export_users").await?;
        let mut page = Vec::with_capacity(ids.len());
        for id in ids {
            let user = users::find(&mut tx, tenant, *id).await?;
            let sessions = match &user {
                Some(user) => sessions::of_user(&mut tx, user.id, now).await?,
                None => Vec::new(),
            };
            page.push((user, sessions));
        }
        drop(tx);
        for (user, sessions) in page {
            let row = user.as_ref().map(UserView::from);
            making.found(ExportKind::Users, row.as_ref()).await?;
            for session in sessions {
                making
                    .archive
                    .row(ExportKind::Sessions, &SessionRow::from(session))
                    .await?;
            }
        }
    }
    Ok(())
}

/// All that the audit log tells the tenant, newest first.
pub(super) async fn audit_entries(making: &mut Making<'_>) -> Result<(), Cut> {
    making.archive.name_kind(ExportKind::AuditEntries);
    let mut query = AuditQuery {
        per_page: ENTRIES,
        ..AuditQuery::default()
    };
    loop {
        let mut tx = making.read("export_audit_entries").await?;
        let page = audit::list(&mut tx, making.job.tenant, &query).await?;
        drop(tx);
        for record in page.entries {
            let row = ChainedRow {
                payload_digest: record.payload_digest,
                digest: record.digest,
                entry: AuditEntryView::of_tenant(record),
            };
            making.archive.row(ExportKind::AuditEntries, &row).await?;
        }
        query.after = page.next;
        if query.after.is_none() {
            return Ok(());
        }
    }
}
