//! What no change of a ticket may do, and how many tickets and comments there may be: each asked in the change's own
//! transaction, under the tenant's lock.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::error::AppError;
use crate::auth::caller::{Caller, Identity};
use crate::domain::ids::{TenantId, UserId};
use crate::domain::ticket::{Ticket, TicketAuthor, TicketComment, TicketState};
use crate::store::{Tx, ticket_comments, tickets};

/// A tenant has no more tickets, archived ones among them: by this what all of them hold is bounded.
pub const MOST_TICKETS: i64 = 10_000;
/// A tenant has no more tickets that wait for something: nobody looks after so many.
pub const MOST_WAITING: i64 = 1000;
/// No more of these were opened by the same person or key: so nobody takes the tenant's room from the others.
pub const MOST_WAITING_OF_ONE: i64 = 200;
/// A ticket has no more comments: all of them are read at once.
pub const MOST_COMMENTS: i64 = 200;
/// They have no more bytes together, for the same reason.
pub const MOST_BYTES: i64 = 256 * 1024;
/// No more of the comments are by the same person or key: so nobody takes the ticket's room from the others.
pub const MOST_COMMENTS_OF_ONE: i64 = MOST_COMMENTS / 2;
/// No more of the bytes.
pub const MOST_BYTES_OF_ONE: i64 = MOST_BYTES / 2;
/// Nobody opens more tickets within [`SPAN`].
pub const MOST_OPENED: i64 = 60;
/// Nobody writes more comments within [`SPAN`].
pub const MOST_SAID: i64 = 300;
/// In which tickets and comments are counted.
const SPAN: SignedDuration = SignedDuration::from_hours(1);

/// Room for one more ticket, of the tenant's and of whoever opens it.
pub(super) async fn may_open(
    tx: &mut Tx,
    tenant: TenantId,
    opener: &TicketAuthor,
    now: Timestamp,
) -> Result<(), AppError> {
    if let Some(id) = opener.id {
        let earliest = tickets::nth_opened(tx, tenant, id, now - SPAN, MOST_OPENED - 1).await?;
        if let Some(earliest) = earliest {
            return Err(too_many(
                "too_many_tickets",
                "tickets",
                MOST_OPENED,
                earliest,
                now,
            ));
        }
    }
    may_wait(tx, tenant, opener.id).await?;
    if tickets::count(tx, tenant).await? < MOST_TICKETS {
        return Ok(());
    }
    let message = format!(
        "the tenant has {MOST_TICKETS} tickets, archived ones among them, and may have no more; archive some, and say under \
         `tickets` of the tenant's retention for how many days archived ones are kept"
    );
    Err(AppError::conflict("max_tickets_reached", message))
}

/// Room for one more comment, in the ticket and of whoever writes it.
pub(super) async fn may_comment(
    tx: &mut Tx,
    ticket: &Ticket,
    comment: &TicketComment,
) -> Result<(), AppError> {
    let (tenant, author, now) = (ticket.tenant_id, comment.author.id, comment.created_at);
    if let Some(id) = author {
        let earliest = ticket_comments::nth_said(tx, tenant, id, now - SPAN, MOST_SAID - 1).await?;
        if let Some(earliest) = earliest {
            return Err(too_many(
                "too_many_comments",
                "comments",
                MOST_SAID,
                earliest,
                now,
            ));
        }
    }
    let held = ticket_comments::held(tx, tenant, ticket.id, author).await?;
    let more = i64::try_from(comment.text.as_str().len()).unwrap_or(i64::MAX);
    if held.comments >= MOST_COMMENTS || held.bytes.saturating_add(more) > MOST_BYTES {
        let message = format!(
            "a ticket may have {MOST_COMMENTS} comments with {MOST_BYTES} bytes together; open another ticket"
        );
        return Err(AppError::conflict("max_comments_reached", message));
    }
    if held.own_comments >= MOST_COMMENTS_OF_ONE || held.own_bytes.saturating_add(more) > MOST_BYTES_OF_ONE {
        let message = format!(
            "of a ticket's comments you may write {MOST_COMMENTS_OF_ONE} with {MOST_BYTES_OF_ONE} bytes together; \
             open another ticket"
        );
        return Err(AppError::conflict("max_comments_reached", message));
    }
    Ok(())
}

/// Nothing changes of an archived ticket.
pub(super) fn not_archived(ticket: &Ticket) -> Result<(), AppError> {
    if ticket.archived_at.is_none() {
        return Ok(());
    }
    let message = "this ticket is archived, and stays as it is; open another one";
    Err(AppError::conflict("archived", message))
}

/// Nothing is said about a ticket that is over.
pub(super) fn not_closed(ticket: &Ticket) -> Result<(), AppError> {
    if ticket.state != TicketState::Closed {
        return Ok(());
    }
    let message = "this ticket is closed; reopen it first: its `state` becomes `open`";
    Err(AppError::conflict("ticket_closed", message))
}

/// Whether a ticket may become that; one that is reopened waits again, and needs room like a new one.
pub(super) async fn transition(
    tx: &mut Tx,
    caller: &Caller,
    ticket: &Ticket,
    to: TicketState,
) -> Result<(), AppError> {
    let from = ticket.state;
    if from == to {
        return Ok(());
    }
    if !from.becomes(to) {
        return Err(AppError::BadTransition {
            from: from.as_str(),
            allowed: from.next(),
        });
    }
    if to.is_waiting() && !from.is_waiting() {
        // Who reopens what another opened takes nothing of their own room, nor do they have to mind the other's.
        let opener = ticket.opened_by.id.filter(|_| has_opened(caller, ticket));
        return may_wait(tx, ticket.tenant_id, opener).await;
    }
    Ok(())
}

/// Whoever sees their own tickets only is given others, and may give theirs back; who looks after what is for those to say
/// who see all.
pub(super) fn may_assign(caller: &Caller, ticket: &Ticket, to: Option<UserId>) -> Result<(), AppError> {
    let gives_back = match (caller.identity(), &ticket.assignee) {
        (Identity::User(user), Some(assignee)) => to.is_none() && assignee.id == user.user_id,
        _ => false,
    };
    if gives_back || !caller.sees_own_tickets_only() {
        return Ok(());
    }
    let message =
        "tickets are assigned by those who see all of them; you may give back one that is assigned to you";
    Err(AppError::conflict("rank", message))
}

/// What a ticket is about is for those to say who opened it, or who see all: whoever it is assigned to reads what they are
/// asked for, and does not rewrite it.
pub(super) fn may_rewrite(caller: &Caller, ticket: &Ticket) -> Result<(), AppError> {
    if has_opened(caller, ticket) || !caller.sees_own_tickets_only() {
        return Ok(());
    }
    let message =
        "`subject` is changed by whoever opened the ticket, and by those who see all tickets; add a comment";
    Err(AppError::conflict("rank", message))
}

fn has_opened(caller: &Caller, ticket: &Ticket) -> bool {
    let id = caller.identity().actor().id;
    id.is_some() && id == ticket.opened_by.id
}

/// Room for one more ticket that waits, of the tenant's and of whoever opens it.
async fn may_wait(tx: &mut Tx, tenant: TenantId, opener: Option<Uuid>) -> Result<(), AppError> {
    if tickets::waiting(tx, tenant).await? >= MOST_WAITING {
        let message = format!(
            "the tenant may have {MOST_WAITING} tickets that are open or pending; resolve, close or archive some"
        );
        return Err(AppError::conflict("max_tickets_reached", message));
    }
    if let Some(opener) = opener
        && tickets::waiting_of(tx, tenant, opener).await? >= MOST_WAITING_OF_ONE
    {
        let message = format!(
            "you may have opened {MOST_WAITING_OF_ONE} tickets that are open or pending; resolve or close some of yours"
        );
        return Err(AppError::conflict("max_tickets_reached", message));
    }
    Ok(())
}

/// Until the earliest of those that count does not count any more.
fn too_many(code: &'static str, what: &str, most: i64, earliest: Timestamp, now: Timestamp) -> AppError {
    let left = SPAN - now.duration_since(earliest);
    let seconds = u64::try_from(left.as_secs()).unwrap_or(0) + 1;
    AppError::TooMany {
        code,
        message: format!("you may write {most} {what} within an hour; try again in {seconds} seconds"),
        seconds,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a16_who_wrote_too_much_is_told_when_the_first_of_it_is_an_hour_old() {
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(10);
        let seconds = |ago: i64| {
            let earliest = now - SignedDuration::from_secs(ago);
            match too_many("too_many_tickets", "tickets", 60, earliest, now) {
                AppError::TooMany { seconds, .. } => seconds,
                other => panic!("{other}"),
            }
        };
        assert_eq!((seconds(0), seconds(3599), seconds(3600)), (3601, 2, 1));
    }
}
