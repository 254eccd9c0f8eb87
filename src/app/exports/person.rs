//! The export of a person: what is about them, and of what is about others as well, their part.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::archive::Cut;
use super::calls;
use super::making::Making;
use super::people::SessionRow;
use super::tickets::Walk;
use super::voicemail;
use crate::app::error::AppError;
use crate::app::views::{
    ApiKeyView, AssigneeView, ExtensionView, RoleView, TicketAuthorView, TicketView, UserView,
};
use crate::domain::api_key::ApiKey;
use crate::domain::audit::{ActorKind, AuditRecord};
use crate::domain::call_record::CallCursor;
use crate::domain::dial::{DialNumber, ExtensionNumber};
use crate::domain::export::{ExportKind, Span};
use crate::domain::ids::{AuditId, CommentId, ExtensionId, TicketId, UserId};
use crate::domain::json_text::holds;
use crate::domain::ticket::TicketState;
use crate::domain::ticket_text::{TicketSubject, TicketText};
use crate::domain::user::User;
use crate::store::{
    api_keys, audit_of_person, exports, extensions, roles, sessions, tickets, users, voicemail as messages,
};

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
    let keys: Vec<ApiKey> = keys.into_iter().filter(|key| key.author_id == id).collect();
    let ids = keys.iter().map(|key| key.id.uuid());
    let ids = ids.chain([id.uuid()]).collect();
    for key in keys {
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
    let person = Person { user, ids };
    making.archive.end_parts().await?;
    own_tickets(making, &person).await?;
    said(making, &person).await?;
    making.archive.end_parts().await?;
    entries(making, &person).await
}

/// Somebody, and what they act as.
struct Person {
    user: User,
    /// Their own id, and those of their API keys.
    ids: BTreeSet<Uuid>,
}

impl Person {
    /// Whether that is them, or a key of theirs.
    fn is(&self, id: Option<Uuid>) -> bool {
        id.is_some_and(|id| self.ids.contains(&id))
    }
}

/// A ticket that they opened or look after. What somebody else wrote of it is not there: what it is about, which phone, and its text.
#[derive(Serialize)]
struct OwnTicketRow {
    id: TicketId,
    subject: Option<TicketSubject>,
    state: TicketState,
    opened_by: TicketAuthorView,
    assignee: Option<AssigneeView>,
    extension_id: Option<ExtensionId>,
    extension_number: Option<ExtensionNumber>,
    comment_count: i64,
    archived_at: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
    text: Option<TicketText>,
}

impl OwnTicketRow {
    fn new(ticket: TicketView, text: Option<TicketText>, is_own: bool) -> Self {
        Self {
            id: ticket.id,
            subject: Some(ticket.subject).filter(|_| is_own),
            state: ticket.state,
            opened_by: ticket.opened_by,
            assignee: ticket.assignee,
            extension_id: ticket.extension_id.filter(|_| is_own),
            extension_number: ticket.extension_number.filter(|_| is_own),
            comment_count: ticket.comment_count,
            archived_at: ticket.archived_at,
            created_at: ticket.created_at,
            updated_at: ticket.updated_at,
            text: text.filter(|_| is_own),
        }
    }
}

async fn own_tickets(making: &mut Making<'_>, person: &Person) -> Result<(), Cut> {
    let mut walk = Walk::new(Some(person.user.id));
    loop {
        let page = walk.next(making).await?;
        if page.is_empty() {
            return Ok(());
        }
        for ticket in page {
            let is_own = person.is(ticket.opened_by.id);
            let text = if is_own {
                let mut tx = making.read("export_ticket").await?;
                tickets::text(&mut tx, making.job.tenant, ticket.id).await?
            } else {
                None
            };
            let row = OwnTicketRow::new(ticket.into(), text, is_own);
            making.archive.row(ExportKind::Tickets, &row).await?;
        }
    }
}

#[derive(Serialize)]
struct CommentRow {
    id: CommentId,
    ticket_id: TicketId,
    text: TicketText,
    created_at: Timestamp,
}

/// What they said about whichever ticket, themselves or by a key.
async fn said(making: &mut Making<'_>, person: &Person) -> Result<(), Cut> {
    making.archive.name_kind(ExportKind::TicketComments);
    for author in &person.ids {
        let mut after = None;
        loop {
            let mut tx = making.read("export_comments").await?;
            let page = exports::said(&mut tx, making.job.tenant, *author, after, COMMENTS).await?;
            drop(tx);
            let Some(last) = page.last() else {
                break;
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
    Ok(())
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
async fn entries(making: &mut Making<'_>, person: &Person) -> Result<(), Cut> {
    making.archive.name_kind(ExportKind::AuditEntries);
    let mut after = None;
    loop {
        let mut tx = making.read("export_audit_entries").await?;
        let of = audit_of_person::Named {
            user: person.user.id,
            email: &person.user.email,
        };
        let page = audit_of_person::list(&mut tx, making.job.tenant, &of, after).await?;
        drop(tx);
        for row in page
            .entries
            .into_iter()
            .filter_map(|record| row_of(person, record))
        {
            making.archive.row(ExportKind::AuditEntries, &row).await?;
        }
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}

fn row_of(person: &Person, record: AuditRecord) -> Option<EntryRow> {
    let user = &person.user;
    let entry = record.entry;
    let id = user.id.to_string();
    let by_themselves = person.is(entry.actor.id);
    let names = |value: &Option<Value>| {
        value
            .as_ref()
            .is_some_and(|value| holds(value, &[&id, user.email.as_str()]))
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

/// A person by the extension that is theirs. Where it was theirs until some time, its settings are of whoever has it now.
pub(super) async fn extension(making: &mut Making<'_>, id: ExtensionId, within: Span) -> Result<(), Cut> {
    let tenant = making.job.tenant;
    let mut tx = making.read("export_extension").await?;
    let extension = extensions::find(&mut tx, tenant, id).await?;
    let extension = extension.ok_or(AppError::NotFound)?;
    let calls = exports::calls_of_extension(&mut tx, tenant, id, within).await?;
    let messages = messages::left_in(&mut tx, tenant, &extension.number, within).await?;
    drop(tx);
    if within.to.is_none() {
        let row = ExtensionView::from(extension);
        making.archive.row(ExportKind::Extensions, &row).await?;
    }
    calls::of_person(making, calls).await?;
    voicemail::of_person(making, messages).await
}

/// A person by a number.
pub(super) async fn number(making: &mut Making<'_>, number: &DialNumber, within: Span) -> Result<(), Cut> {
    let mut tx = making.read("export_number").await?;
    let tenant = making.job.tenant;
    let calls = exports::calls_of_number(&mut tx, tenant, number, within).await?;
    let messages = messages::left_by_or_in(&mut tx, tenant, number, within).await?;
    drop(tx);
    calls::of_person(making, calls).await?;
    voicemail::of_person(making, messages).await
}
