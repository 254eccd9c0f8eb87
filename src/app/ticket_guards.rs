//! What no change of a ticket may do, and how many tickets and comments there may be: each asked in the change's own
//! transaction, under the tenant's lock.

use jiff::{SignedDuration, Timestamp};

use super::error::AppError;
use crate::auth::caller::{Caller, Identity};
use crate::domain::ids::{TenantId, UserId};
use crate::domain::ticket::{Ticket, TicketAuthor, TicketState};
use crate::store::{Tx, ticket_comments, tickets};

/// A tenant has no more tickets that wait for something: nobody looks after so many.
pub const MOST_WAITING: i64 = 1000;
/// A ticket has no more comments: all of them are read at once.
pub const MOST_COMMENTS: i64 = 200;
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
    may_wait(tx, tenant).await
}

/// Room for one more comment, in the ticket and of whoever writes it.
pub(super) async fn may_comment(
    tx: &mut Tx,
    ticket: &Ticket,
    author: &TicketAuthor,
    now: Timestamp,
) -> Result<(), AppError> {
    if let Some(id) = author.id {
        let tenant = ticket.tenant_id;
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
    if ticket.comments < MOST_COMMENTS {
        return Ok(());
    }
    let message = format!("a ticket may have {MOST_COMMENTS} comments; open another ticket");
    Err(AppError::conflict("max_comments_reached", message))
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
    tenant: TenantId,
    from: TicketState,
    to: TicketState,
) -> Result<(), AppError> {
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
        return may_wait(tx, tenant).await;
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

async fn may_wait(tx: &mut Tx, tenant: TenantId) -> Result<(), AppError> {
    if tickets::waiting(tx, tenant).await? < MOST_WAITING {
        return Ok(());
    }
    let message = format!(
        "the tenant may have {MOST_WAITING} tickets that are open or pending; resolve, close or archive some"
    );
    Err(AppError::conflict("max_tickets_reached", message))
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
