//! A ticket as every surface shows it.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use crate::domain::audit::ActorKind;
use crate::domain::dial::ExtensionNumber;
use crate::domain::ids::{CommentId, ExtensionId, TicketId, UserId};
use crate::domain::name::PersonName;
use crate::domain::ticket::{Assignee, Ticket, TicketAuthor, TicketComment, TicketState, WholeTicket};
use crate::domain::ticket_text::{TicketSubject, TicketText};

/// A ticket, without what was said.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Ticket")]
pub struct TicketView {
    /// Its id.
    pub id: TicketId,
    /// What it is about.
    pub subject: TicketSubject,
    /// How far it has come.
    pub state: TicketState,
    /// Who opened it.
    pub opened_by: TicketAuthorView,
    /// Who looks after it; `null` for nobody.
    pub assignee: Option<AssigneeView>,
    /// The extension that it is about; one that was deleted since stays named.
    pub extension_id: Option<ExtensionId>,
    /// Its number.
    pub extension_number: Option<ExtensionNumber>,
    /// How many comments it has.
    pub comment_count: i64,
    /// Since when it is archived; `null` if it is not.
    pub archived_at: Option<Timestamp>,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When something was last changed or said.
    pub updated_at: Timestamp,
}

/// A ticket with all that was said.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "WholeTicket")]
pub struct WholeTicketView {
    #[serde(flatten)]
    ticket: TicketView,
    /// What it was opened with.
    text: TicketText,
    /// What was said since, oldest first.
    comments: Vec<TicketCommentView>,
}

/// What somebody said about a ticket.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TicketComment")]
pub struct TicketCommentView {
    /// Its id.
    pub id: CommentId,
    /// Who said it.
    pub author: TicketAuthorView,
    /// What they said.
    pub text: TicketText,
    /// When.
    pub created_at: Timestamp,
}

/// Who opened a ticket or said something.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TicketAuthor")]
pub struct TicketAuthorView {
    /// What kind of somebody; `manager` is one of the operator's people.
    pub kind: ActorKind,
    /// The user's or the key's id.
    pub id: Option<Uuid>,
    /// Their name; of who has left, as it was then.
    pub name: String,
    /// Whether it is a user who does not work for the tenant any more.
    pub has_left: bool,
}

/// Who looks after a ticket.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Assignee")]
pub struct AssigneeView {
    /// The user's id.
    pub id: UserId,
    /// Their name; of who has left, as it was then.
    pub name: PersonName,
    /// Whether they do not work for the tenant any more.
    pub has_left: bool,
}

impl From<Ticket> for TicketView {
    fn from(ticket: Ticket) -> Self {
        let (extension_id, extension_number) = ticket
            .extension
            .map(|extension| (extension.id, extension.number))
            .unzip();
        Self {
            id: ticket.id,
            subject: ticket.subject,
            state: ticket.state,
            opened_by: ticket.opened_by.into(),
            assignee: ticket.assignee.map(AssigneeView::from),
            extension_id,
            extension_number,
            comment_count: ticket.comments,
            archived_at: ticket.archived_at,
            created_at: ticket.created_at,
            updated_at: ticket.updated_at,
        }
    }
}

impl From<WholeTicket> for WholeTicketView {
    fn from(whole: WholeTicket) -> Self {
        let comments = whole.comments.into_iter().map(TicketCommentView::from);
        Self {
            ticket: whole.ticket.into(),
            text: whole.text,
            comments: comments.collect(),
        }
    }
}

impl From<TicketComment> for TicketCommentView {
    fn from(comment: TicketComment) -> Self {
        Self {
            id: comment.id,
            author: comment.author.into(),
            text: comment.text,
            created_at: comment.created_at,
        }
    }
}

impl From<TicketAuthor> for TicketAuthorView {
    fn from(author: TicketAuthor) -> Self {
        Self {
            kind: author.kind,
            id: author.id,
            name: author.name,
            has_left: author.has_left,
        }
    }
}

impl From<Assignee> for AssigneeView {
    fn from(assignee: Assignee) -> Self {
        Self {
            id: assignee.id,
            name: assignee.name,
            has_left: assignee.has_left,
        }
    }
}
