//! Lists of a tenant's tickets, newest first: each way of asking has an index that leads to its page.

use uuid::Uuid;

use super::statement::{run, statements};
use super::tickets::{Row, Sight, columns, columns_and_names};
use super::{StoreError, Tx};
use crate::domain::ids::{TenantId, UserId};
use crate::domain::ticket::TicketState;
use crate::domain::ticket_query::{AssignedTo, TicketCursor, TicketPage, TicketQuery};

/// A page of those that are found so, behind the cursor.
macro_rules! found {
    ($which:literal) => {
        concat!(
            "select ",
            columns!(),
            " from tickets t where t.tenant_id = $1 and t.archived = $2 and (t.created_at, t.id) < ($3, $4) and ",
            $which,
            " order by t.created_at desc, t.id desc limit $5"
        )
    };
}

/// The same with names, which are looked up for those of the page alone.
macro_rules! page {
    ($($found:expr),+) => {
        concat!(
            "select ",
            columns_and_names!(),
            " from (",
            $($found),+,
            ") t order by t.created_at desc, t.id desc limit $5"
        )
    };
}

statements! {
    LIST = page!(found!("true"));
    LIST_IN_STATE = page!(found!("t.state = $6"));
    LIST_ASSIGNED = page!(found!("t.assignee_id = $6 and (t.state = $7 or $7 is null)"));
    LIST_UNASSIGNED = page!(found!("t.assignee_id is null and (t.state = $6 or $6 is null)"));
    // By an index each: what somebody both opened and looks after is found by the first.
    LIST_OWN = page!(
        "select * from (",
        found!("t.opened_by_id = $6 and (t.state = $7 or $7 is null) and (t.assignee_id = $8 or $8 is null) \
            and (t.assignee_id is null or not $9)"),
        ") opened union all select * from (",
        found!("t.assignee_id = $6 and (t.opened_by_id <> $6 or t.opened_by_id is null) \
            and (t.state = $7 or $7 is null) and (t.assignee_id = $8 or $8 is null) and not $9"),
        ") assigned"
    );
}

/// One page of the tenant's tickets that match and may be seen, newest first.
pub async fn list(
    tx: &mut Tx,
    tenant: TenantId,
    sight: Sight,
    query: &TicketQuery,
) -> Result<TicketPage, StoreError> {
    let state = query.filter.state.map(TicketState::as_str);
    // Without a cursor: behind a ticket that is newer than all.
    let (at, id) = query.after.map_or((i64::MAX, Uuid::max()), |cursor| {
        (cursor.at.as_microsecond(), cursor.id)
    });
    // One row more than was asked for tells whether there is a next page.
    macro_rules! rows {
        ($statement:expr $(, $more:expr)*) => {
            run!(
                tx,
                fetch_all::<Row>(
                    $statement,
                    tenant.uuid(),
                    query.filter.archived,
                    at,
                    id,
                    query.per_page + 1
                    $(, $more)*
                )
            )?
        };
    }
    let rows = match (sight, query.filter.assignee, state) {
        (Sight::All, None, None) => rows!(LIST),
        (Sight::All, None, Some(state)) => rows!(LIST_IN_STATE, state),
        (Sight::All, Some(AssignedTo::User(user)), state) => rows!(LIST_ASSIGNED, user.uuid(), state),
        (Sight::All, Some(AssignedTo::Nobody), state) => rows!(LIST_UNASSIGNED, state),
        (Sight::Own(whose), assignee, state) => {
            let user = match assignee {
                Some(AssignedTo::User(user)) => Some(UserId::uuid(user)),
                Some(AssignedTo::Nobody) | None => None,
            };
            let nobody = assignee == Some(AssignedTo::Nobody);
            rows!(LIST_OWN, whose, state, user, nobody)
        }
    };
    let mut tickets = rows.into_iter().map(Row::parse).collect::<Result<Vec<_>, _>>()?;
    let per_page = usize::try_from(query.per_page).unwrap_or(usize::MAX);
    let more = tickets.len() > per_page;
    tickets.truncate(per_page);
    let next = tickets.last().filter(|_| more).map(|last| TicketCursor {
        at: last.created_at,
        id: last.id.uuid(),
    });
    Ok(TicketPage { tickets, next })
}
