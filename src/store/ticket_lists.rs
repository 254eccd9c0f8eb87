//! Lists of a tenant's tickets, newest first: each way of asking has an index that leads to its page.

use uuid::Uuid;

use super::statement::{run, statements};
use super::tickets::{Row, Sight, columns, columns_and_names};
use super::{StoreError, Tx};
use crate::domain::ids::{TenantId, TicketId, UserId};
use crate::domain::ticket::{Ticket, TicketState};
use crate::domain::ticket_query::{AssignedTo, TicketCursor, TicketPage, TicketQuery};

/// A page of those that are found so, behind the cursor.
macro_rules! found {
    ($which:expr) => {
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

/// What somebody both opened and looks after is found by the first of the two alone.
macro_rules! own {
    ($opened:literal, $assigned:literal) => {
        page!(
            "select * from (",
            found!($opened),
            ") opened union all select * from (",
            found!($assigned),
            ") assigned"
        )
    };
}

/// That it is assigned to somebody who does not work for the tenant any more.
macro_rules! left {
    () => {
        "t.assignee_id is not null and not exists (select 1 from users u where u.id = t.assignee_id \
         and u.tenant_id = t.tenant_id)"
    };
}

statements! {
    LIST = page!(found!("true"));
    LIST_IN_STATE = page!(found!("t.state = $6"));
    LIST_ASSIGNED = page!(found!("t.assignee_id = $6"));
    LIST_ASSIGNED_IN_STATE = page!(found!("t.assignee_id = $6 and t.state = $7"));
    LIST_UNASSIGNED = page!(found!("t.assignee_id is null"));
    LIST_UNASSIGNED_IN_STATE = page!(found!("t.assignee_id is null and t.state = $6"));
    // Who has left is not in the ticket: it is asked of one after the other, until the page is full.
    LIST_LEFT = page!(found!(left!()));
    LIST_LEFT_IN_STATE = page!(found!(concat!("t.state = $6 and ", left!())));
    LIST_OWN = own!(
        "t.opened_by_id = $6",
        "t.assignee_id = $6 and (t.opened_by_id <> $6 or t.opened_by_id is null)"
    );
    LIST_OWN_IN_STATE = own!(
        "t.opened_by_id = $6 and t.state = $7",
        "t.assignee_id = $6 and t.state = $7 and (t.opened_by_id <> $6 or t.opened_by_id is null)"
    );
    BEHIND = concat!("select ", columns_and_names!(), " from (select ", columns!(), " from tickets t \
        where t.tenant_id = $1 and t.id < $2 and (t.opened_by_id = $3 or t.assignee_id = $3 or t.opened_by_id in \
        (select k.id from api_keys k where k.tenant_id = $1 and k.author_id = $3) or $3 is null) \
        order by t.id desc limit $4) t order by t.id desc");
    // Of what one person or key opened: `case` keeps the databases from looking through what others opened.
    LIST_OPENED = page!(found!(concat!(
        "t.opened_by_id = $6 and case $7 when 'none' then t.assignee_id is null when 'left' then ",
        left!(),
        " else t.assignee_id = $8 end and (t.state = $9 or $9 is null)"
    )));
}

/// The next of the tenant's tickets, archived or not, behind an id, newest first by their ids, which never change: all, or those
/// that somebody or a key of theirs opened, or that they look after.
pub async fn behind(
    tx: &mut Tx,
    tenant: TenantId,
    whose: Option<UserId>,
    after: Option<TicketId>,
    most: i64,
) -> Result<Vec<Ticket>, StoreError> {
    let after = after.map_or(Uuid::max(), TicketId::uuid);
    let whose = whose.map(UserId::uuid);
    let rows = run!(tx, fetch_all::<Row>(BEHIND, tenant.uuid(), after, whose, most))?;
    rows.into_iter().map(Row::parse).collect()
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
    macro_rules! assigned {
        ($user:expr, $state:expr) => {
            match $state {
                None => rows!(LIST_ASSIGNED, $user),
                Some(state) => rows!(LIST_ASSIGNED_IN_STATE, $user, state),
            }
        };
    }
    let rows = match (sight, query.filter.assignee, state) {
        (Sight::All, None, None) => rows!(LIST),
        (Sight::All, None, Some(state)) => rows!(LIST_IN_STATE, state),
        (Sight::All, Some(AssignedTo::User(user)), state) => assigned!(user.uuid(), state),
        (Sight::All, Some(AssignedTo::Nobody), None) => rows!(LIST_UNASSIGNED),
        (Sight::All, Some(AssignedTo::Nobody), Some(state)) => rows!(LIST_UNASSIGNED_IN_STATE, state),
        (Sight::All, Some(AssignedTo::SomebodyWhoLeft), None) => rows!(LIST_LEFT),
        (Sight::All, Some(AssignedTo::SomebodyWhoLeft), Some(state)) => rows!(LIST_LEFT_IN_STATE, state),
        (Sight::Own(whose), None, None) => rows!(LIST_OWN, whose),
        (Sight::Own(whose), None, Some(state)) => rows!(LIST_OWN_IN_STATE, whose, state),
        // All of these are to be seen, whoever opened them.
        (Sight::Own(whose), Some(AssignedTo::User(user)), state) if user.uuid() == whose => {
            assigned!(whose, state)
        }
        (Sight::Own(whose), Some(assigned), state) => {
            let user = match assigned {
                AssignedTo::User(user) => Some(user.uuid()),
                AssignedTo::Nobody | AssignedTo::SomebodyWhoLeft => None,
            };
            rows!(LIST_OPENED, whose, assigned.to_string(), user, state)
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
