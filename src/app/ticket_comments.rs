//! Comments on tickets: added, and never changed.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::App;
use super::error::AppError;
use super::idempotency::{Done, Once};
use super::precondition::{IfMatch, tag_of_ticket};
use super::ticket_guards as guards;
use super::tickets::{author, changed, seen};
use crate::auth::caller::Caller;
use crate::domain::ids::{CommentId, TicketId};
use crate::domain::invalid::FieldErrors;
use crate::domain::permission::Permission;
use crate::domain::ticket::{Ticket, TicketComment};
use crate::domain::ticket_text::TicketText;
use crate::store::ticket_comments;

/// A comment as it is written.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommentInput {
    /// What there is to say.
    #[schemars(with = "TicketText")]
    pub text: String,
}

/// What was said.
#[derive(Debug)]
pub struct Said {
    /// The comment.
    pub comment: TicketComment,
    /// Names the version of the ticket that it was said about, as that stands with it.
    pub tag: String,
}

/// Says something about a ticket; with `if_match` only if nothing was changed or said since.
pub async fn create(
    app: &App,
    caller: &Caller,
    id: TicketId,
    input: &CommentInput,
    if_match: &IfMatch,
    once: Option<&Once>,
) -> Result<Done<Said>, AppError> {
    let begun = app.begin_inside(caller, Permission::TicketsUpdate, "comment_on_ticket");
    let (mut tx, caller, tenant) = begun.await?;
    let ticket = seen(&mut tx, tenant, &caller, id).await?;
    caller.reason_to_change()?;
    let text = input.text.parse::<TicketText>();
    let text = text.map_err(|invalid| FieldErrors::one("text", invalid.reason()))?;
    if let Some(said) = app.answered_before(&mut tx, tenant, &caller, once).await? {
        let said: CommentId = said;
        let before = ticket_comments::find(&mut tx, tenant, id, said).await?;
        let comment = before.ok_or(AppError::NotFound)?;
        let tag = tag_of_ticket(&ticket);
        return Ok(Done::Before(Said { comment, tag }));
    }
    if_match.check(&tag_of_ticket(&ticket))?;
    guards::not_archived(&ticket)?;
    guards::not_closed(&ticket)?;
    let comment = TicketComment {
        id: CommentId::fresh(app.ids.as_ref()),
        author: author(&caller),
        text,
        created_at: app.now(),
    };
    guards::may_comment(&mut tx, &ticket, &comment).await?;
    ticket_comments::insert(&mut tx, tenant, id, &comment).await?;
    let entry = changed(
        "ticket.comment",
        &ticket,
        None,
        Some(json!({"comment_id": comment.id})),
    );
    app.audit(&mut tx, &caller, entry)?;
    app.keep_answer(&mut tx, tenant, &caller, once, comment.id)
        .await?;
    tx.commit().await?;
    let ticket = Ticket {
        version: ticket.version + 1,
        ..ticket
    };
    let tag = tag_of_ticket(&ticket);
    Ok(Done::Now(Said { comment, tag }))
}
