//! The export of a person: what is about them, and of what is about others as well, their part.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::archive::Cut;
use super::calls;
use super::making::Making;
use super::people::{ENTRIES, SessionRow};
use super::tickets::{TicketRow, Walk};
use crate::app::error::AppError;
use crate::app::views::{ApiKeyView, ExtensionView, RoleView, UserView};
use crate::domain::audit::{ActorKind, AuditRecord};
use crate::domain::audit_query::AuditQuery;
use crate::domain::call_record::{CallCursor, CallFilter};
use crate::domain::dial::DialNumber;
use crate::domain::export::ExportKind;
use crate::domain::ids::{AuditId, CommentId, ExtensionId, TicketId, UserId};
use crate::domain::ticket_text::TicketText;
use crate::domain::user::User;
use crate::store::tickets::Sight;
use crate::store::{api_keys, audit, exports, extensions, roles, sessions, tickets, users};

/// Comments that are read at once.
const COMMENTS: i64 = 100;

/// A person by their login.
pub(super) async fn user(making: &mut Making<'_>, id: UserId) -> Result<(), Cut> {
    let tenant = making.job.tenant;
    let now = making.app.now();
    let mut tx = making.read("export_user").await?;
    let user = users::find(&mut tx, tenant, id)
        .await?
        .ok_or(AppError::NotFound)?;
    let role = match &user.membership {
        Some(membership) => roles::find_by_name(&mut tx, tenant, &membership.role).await?,
        None => None,
    };
    let keys = api_keys::list(&mut tx, tenant).await?;
    let sessions = sessions::of_user(&mut tx, id, now).await?;
    drop(tx);
    for kind in [
        ExportKind::Users,
        ExportKind::Roles,
        ExportKind::ApiKeys,
        ExportKind::Sessions,
    ] {
        making.archive.name_kind(kind);
    }
    making
        .archive
        .row(ExportKind::Users, &UserView::from(&user))
        .await?;
    if let Some(role) = role {
        making
            .archive
            .row(ExportKind::Roles, &RoleView::from(role))
            .await?;
    }
    for key in keys.into_iter().filter(|key| key.author_id == id) {
        making
            .archive
            .row(ExportKind::ApiKeys, &ApiKeyView::from(key))
            .await?;
    }
    for session in sessions {
        making
            .archive
            .row(ExportKind::Sessions, &SessionRow::from(session))
            .await?;
    }
    own_tickets(making, id).await?;
    said(making, id).await?;
    entries(making, &user).await
}

/// Tickets that they opened or look after; what they say only where they wrote it.
async fn own_tickets(making: &mut Making<'_>, user: UserId) -> Result<(), Cut> {
    let mut walk = Walk::new(Sight::Own(user.uuid()));
    while let Some(page) = walk.next(making).await? {
        for ticket in page {
            let text = if ticket.opened_by.id == Some(user.uuid()) {
                let mut tx = making.read("export_ticket").await?;
                tickets::text(&mut tx, making.job.tenant, ticket.id).await?
            } else {
                None
            };
            let row = TicketRow {
                ticket: ticket.into(),
                text,
            };
            making.archive.row(ExportKind::Tickets, &row).await?;
        }
    }
    Ok(())
}

#[derive(Serialize)]
struct CommentRow {
    id: CommentId,
    ticket_id: TicketId,
    text: TicketText,
    created_at: Timestamp,
}

/// What they said about whichever ticket.
async fn said(making: &mut Making<'_>, user: UserId) -> Result<(), Cut> {
    making.archive.name_kind(ExportKind::TicketComments);
    let mut after = None;
    loop {
        let mut tx = making.read("export_comments").await?;
        let page = exports::said(&mut tx, making.job.tenant, user, after, COMMENTS).await?;
        drop(tx);
        let Some(last) = page.last() else {
            return Ok(());
        };
        after = Some(CallCursor {
            at: last.created_at,
            id: last.id.uuid(),
        });
        for comment in page {
            let row = CommentRow {
                id: comment.id,
                ticket_id: comment.ticket_id,
                text: comment.text,
                created_at: comment.created_at,
            };
            making.archive.row(ExportKind::TicketComments, &row).await?;
        }
    }
}

/// What an entry of the audit log has to do with somebody.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Part {
    /// They did something, and nobody did it to them.
    Caused,
    /// It was done to them, by themselves or somebody else.
    About,
    /// They are named in what was done to something else.
    Named,
}

/// An entry, as far as it is theirs: from where something was done belongs to whoever did it, and what a thing was and became to
/// whom it is about.
#[derive(Serialize)]
struct EntryRow {
    id: AuditId,
    at: Timestamp,
    part: Part,
    by_themselves: bool,
    actor_kind: ActorKind,
    action: String,
    resource: String,
    target_id: String,
    before: Option<Value>,
    after: Option<Value>,
    reason: Option<String>,
    address: Option<String>,
    agent: Option<String>,
    blanked_by: Option<AuditId>,
}

/// Entries of the tenant's audit log that they caused or that name them, newest first.
async fn entries(making: &mut Making<'_>, user: &User) -> Result<(), Cut> {
    making.archive.name_kind(ExportKind::AuditEntries);
    let mut query = AuditQuery {
        per_page: ENTRIES,
        ..AuditQuery::default()
    };
    loop {
        let mut tx = making.read("export_audit_entries").await?;
        let page = audit::list(&mut tx, making.job.tenant, &query).await?;
        drop(tx);
        for row in page.entries.into_iter().filter_map(|record| row_of(user, record)) {
            making.archive.row(ExportKind::AuditEntries, &row).await?;
        }
        query.after = page.next;
        if query.after.is_none() {
            return Ok(());
        }
    }
}

fn row_of(user: &User, record: AuditRecord) -> Option<EntryRow> {
    let entry = record.entry;
    let id = user.id.to_string();
    let by_themselves = entry.actor.id == Some(user.id.uuid());
    let names = |value: &Option<Value>| {
        value
            .as_ref()
            .is_some_and(|value| names(value, &id, user.email.as_str()))
    };
    let part = if entry.target_id == id {
        Part::About
    } else if by_themselves {
        Part::Caused
    } else if names(&entry.before) || names(&entry.after) {
        Part::Named
    } else {
        return None;
    };
    let about = |value: Option<Value>| value.filter(|_| part == Part::About);
    let own = |text: Option<String>| text.filter(|_| by_themselves);
    Some(EntryRow {
        id: entry.id,
        at: entry.at,
        part,
        by_themselves,
        actor_kind: entry.actor.kind,
        action: entry.action,
        resource: entry.resource,
        target_id: entry.target_id,
        before: about(entry.before),
        after: about(entry.after),
        reason: own(entry.reason),
        address: own(entry.address),
        agent: own(entry.agent),
        blanked_by: record.blanked_by,
    })
}

/// Whether a text in it is one of these.
fn names(value: &Value, id: &str, email: &str) -> bool {
    match value {
        Value::String(text) => text == id || text == email,
        Value::Array(values) => values.iter().any(|value| names(value, id, email)),
        Value::Object(fields) => fields.values().any(|value| names(value, id, email)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// A person by the extension that is theirs.
pub(super) async fn extension(making: &mut Making<'_>, id: ExtensionId) -> Result<(), Cut> {
    let mut tx = making.read("export_extension").await?;
    let extension = extensions::find(&mut tx, making.job.tenant, id).await?;
    drop(tx);
    let extension = extension.ok_or(AppError::NotFound)?;
    making
        .archive
        .row(ExportKind::Extensions, &ExtensionView::from(extension))
        .await?;
    let filter = CallFilter {
        extension: Some(id),
        ..CallFilter::default()
    };
    calls::matching(making, filter, true).await
}

/// A person by a number.
pub(super) async fn number(making: &mut Making<'_>, number: &DialNumber) -> Result<(), Cut> {
    let filter = CallFilter {
        number: Some(number.to_string()),
        ..CallFilter::default()
    };
    calls::matching(making, filter, true).await
}
