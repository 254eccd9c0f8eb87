//! Tickets, one tenant's at a time: one by its id, as far as it may be seen; opened, changed, archived.

use jiff::Timestamp;
use uuid::Uuid;

use super::row::Origin;
use super::statement::{run, statements};
use super::{StoreError, Tx};
use crate::domain::audit::ActorKind;
use crate::domain::ids::{ExtensionId, TenantId, TicketId, UserId};
use crate::domain::ticket::{Assignee, Ticket, TicketAuthor, TicketExtension};
use crate::domain::ticket_text::TicketText;

/// Which tickets somebody may see.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sight {
    /// All of the tenant.
    All,
    /// Those that this user or key opened, or that are assigned to this user.
    Own(Uuid),
}

impl Sight {
    /// Whose tickets to ask for; none for all.
    pub(super) const fn whose(self) -> Option<Uuid> {
        match self {
            Self::All => None,
            Self::Own(id) => Some(id),
        }
    }
}

/// What a row of `t` holds but for the text, which is long.
macro_rules! columns {
    () => {
        "t.id, t.tenant_id, t.subject, t.state, t.opened_by_kind, t.opened_by_id, t.opened_by_name, t.assignee_id, \
         t.assignee_name, t.extension_id, t.extension_number, t.comments, t.archived_at, t.version, t.created_at, \
         t.updated_at"
    };
}

/// The same with the names, as they are, of those who work for the tenant.
macro_rules! columns_and_names {
    () => {
        concat!(
            $crate::store::tickets::columns!(),
            ", (select u.name from users u where u.id = t.opened_by_id and u.tenant_id = t.tenant_id) as opened_by_now, \
             (select u.name from users u where u.id = t.assignee_id and u.tenant_id = t.tenant_id) as assignee_now"
        )
    };
}

pub(super) use {columns, columns_and_names};

statements! {
    INSERT = "insert into tickets (id, tenant_id, subject, text, state, opened_by_kind, opened_by_id, opened_by_name, \
        extension_id, extension_number, comments, archived, version, created_at, updated_at) \
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, false, $12, $13, $14)";
    FIND = concat!("select ", columns_and_names!(), " from tickets t where t.tenant_id = $1 and t.id = $2 \
        and (t.opened_by_id = $3 or t.assignee_id = $3 or $3 is null)");
    TEXT = "select text from tickets where tenant_id = $1 and id = $2";
    // Whoever it is assigned to already stays named as they were when they were given it.
    UPDATE = "update tickets set subject = $3, state = $4, assignee_id = $5, \
        assignee_name = case when assignee_id = $5 then assignee_name else $6 end, extension_id = $7, \
        extension_number = $8, version = version + 1, updated_at = $9 where tenant_id = $1 and id = $2";
    ARCHIVE = "update tickets set archived = true, archived_at = $3, version = version + 1, updated_at = $3 \
        where tenant_id = $1 and id = $2";
    COUNT = "select count(*) from tickets where tenant_id = $1";
    WAITING = "select count(*) from tickets where tenant_id = $1 and archived = false and state in ('open', 'pending')";
    WAITING_OF_ONE = "select count(*) from tickets where tenant_id = $1 and archived = false and opened_by_id = $2 \
        and state in ('open', 'pending')";
    // Archived or not: so it is found by the index of the lists.
    NTH_OPENED = "select created_at from tickets where tenant_id = $1 and archived in (false, true) \
        and opened_by_id = $2 and created_at > $3 order by created_at desc limit 1 offset $4";
}

#[derive(sqlx::FromRow)]
pub(super) struct Row {
    id: Uuid,
    tenant_id: Uuid,
    subject: String,
    state: String,
    opened_by_kind: String,
    opened_by_id: Option<Uuid>,
    opened_by_name: String,
    opened_by_now: Option<String>,
    assignee_id: Option<Uuid>,
    assignee_name: Option<String>,
    assignee_now: Option<String>,
    extension_id: Option<Uuid>,
    extension_number: Option<String>,
    comments: i64,
    archived_at: Option<i64>,
    version: i64,
    created_at: i64,
    updated_at: i64,
}

impl Row {
    pub(super) fn parse(self) -> Result<Ticket, StoreError> {
        let origin = Origin {
            table: "tickets",
            id: self.id,
        };
        let kind = origin.text("opened_by_kind", &self.opened_by_kind)?;
        let assignee = self.assignee_id.zip(self.assignee_name).map(|(id, name)| {
            Ok::<_, StoreError>(Assignee {
                id: UserId::from_uuid(id),
                has_left: self.assignee_now.is_none(),
                name: origin.text("assignee_name", &self.assignee_now.unwrap_or(name))?,
            })
        });
        let extension = self.extension_id.zip(self.extension_number).map(|(id, number)| {
            Ok::<_, StoreError>(TicketExtension {
                id: ExtensionId::from_uuid(id),
                number: origin.text("extension_number", &number)?,
            })
        });
        let archived_at = self.archived_at.map(|at| origin.time("archived_at", at));
        Ok(Ticket {
            id: TicketId::from_uuid(self.id),
            tenant_id: TenantId::from_uuid(self.tenant_id),
            subject: origin.text("subject", &self.subject)?,
            state: origin.text("state", &self.state)?,
            opened_by: author(kind, self.opened_by_id, self.opened_by_name, self.opened_by_now),
            assignee: assignee.transpose()?,
            extension: extension.transpose()?,
            comments: self.comments,
            archived_at: archived_at.transpose()?,
            version: self.version,
            created_at: origin.time("created_at", self.created_at)?,
            updated_at: origin.time("updated_at", self.updated_at)?,
        })
    }
}

/// Somebody by the name of now if they work for the tenant, and by that of then if they do not.
pub(super) fn author(kind: ActorKind, id: Option<Uuid>, then: String, now: Option<String>) -> TicketAuthor {
    TicketAuthor {
        kind,
        id,
        has_left: kind == ActorKind::User && now.is_none(),
        name: now.unwrap_or(then),
    }
}

/// Adds a ticket, which is assigned to nobody.
pub async fn insert(tx: &mut Tx, ticket: &Ticket, text: &TicketText) -> Result<(), StoreError> {
    let extension = ticket.extension.as_ref();
    run!(
        tx,
        execute(
            INSERT,
            ticket.id.uuid(),
            ticket.tenant_id.uuid(),
            ticket.subject.as_str(),
            text.as_str(),
            ticket.state.as_str(),
            ticket.opened_by.kind.as_str(),
            ticket.opened_by.id,
            ticket.opened_by.name.as_str(),
            extension.map(|extension| extension.id.uuid()),
            extension.map(|extension| extension.number.as_str()),
            ticket.comments,
            ticket.version,
            ticket.created_at.as_microsecond(),
            ticket.updated_at.as_microsecond(),
        )
    )?;
    Ok(())
}

/// One ticket of the tenant, if it may be seen.
pub async fn find(
    tx: &mut Tx,
    tenant: TenantId,
    sight: Sight,
    id: TicketId,
) -> Result<Option<Ticket>, StoreError> {
    run!(
        tx,
        fetch_optional::<Row>(FIND, tenant.uuid(), id.uuid(), sight.whose())
    )?
    .map(Row::parse)
    .transpose()
}

/// What a ticket of the tenant was opened with.
pub async fn text(tx: &mut Tx, tenant: TenantId, id: TicketId) -> Result<Option<TicketText>, StoreError> {
    let origin = Origin { table: "tickets", id };
    run!(tx, fetch_optional::<(String,)>(TEXT, tenant.uuid(), id.uuid()))?
        .map(|(text,)| origin.text("text", &text))
        .transpose()
}

/// Puts subject, state, assignee and extension in the place of those of the tenant's ticket, and counts the change; false
/// when it has none of that id.
pub async fn update(
    tx: &mut Tx,
    tenant: TenantId,
    ticket: &Ticket,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let (assignee, extension) = (ticket.assignee.as_ref(), ticket.extension.as_ref());
    let updated = run!(
        tx,
        execute(
            UPDATE,
            tenant.uuid(),
            ticket.id.uuid(),
            ticket.subject.as_str(),
            ticket.state.as_str(),
            assignee.map(|assignee| assignee.id.uuid()),
            assignee.map(|assignee| assignee.name.as_str()),
            extension.map(|extension| extension.id.uuid()),
            extension.map(|extension| extension.number.as_str()),
            now.as_microsecond(),
        )
    )?;
    Ok(updated == 1)
}

/// Archives the tenant's ticket; false when it has none of that id.
pub async fn archive(
    tx: &mut Tx,
    tenant: TenantId,
    id: TicketId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    Ok(run!(
        tx,
        execute(ARCHIVE, tenant.uuid(), id.uuid(), now.as_microsecond())
    )? == 1)
}

/// How many tickets of the tenant wait for something, archived ones left out: those for which
/// [`is_waiting`](crate::domain::ticket::TicketState::is_waiting) holds.
pub async fn waiting(tx: &mut Tx, tenant: TenantId) -> Result<i64, StoreError> {
    let (count,) = run!(tx, fetch_one::<(i64,)>(WAITING, tenant.uuid()))?;
    Ok(count)
}

/// The same of those that one user or key opened.
pub async fn waiting_of(tx: &mut Tx, tenant: TenantId, opener: Uuid) -> Result<i64, StoreError> {
    let (count,) = run!(tx, fetch_one::<(i64,)>(WAITING_OF_ONE, tenant.uuid(), opener))?;
    Ok(count)
}

/// How many tickets the tenant has, archived ones among them.
pub async fn count(tx: &mut Tx, tenant: TenantId) -> Result<i64, StoreError> {
    let (count,) = run!(tx, fetch_one::<(i64,)>(COUNT, tenant.uuid()))?;
    Ok(count)
}

/// When somebody opened the ticket after which they opened `later` others, if that was after `since`.
pub async fn nth_opened(
    tx: &mut Tx,
    tenant: TenantId,
    opener: Uuid,
    since: Timestamp,
    later: i64,
) -> Result<Option<Timestamp>, StoreError> {
    let since = since.as_microsecond();
    let row = run!(
        tx,
        fetch_optional::<(i64,)>(NTH_OPENED, tenant.uuid(), opener, since, later)
    )?;
    let origin = Origin {
        table: "tickets",
        id: tenant,
    };
    row.map(|(at,)| origin.time("created_at", at)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ticket::TicketState;

    #[test]
    fn a16_the_tickets_that_are_counted_as_waiting_are_in_the_states_that_wait() {
        let waiting = TicketState::ALL.iter().filter(|state| state.is_waiting());
        let words: Vec<String> = waiting.map(|state| format!("'{state}'")).collect();
        for statement in [WAITING, WAITING_OF_ONE] {
            let ending = format!("state in ({})", words.join(", "));
            assert!(statement.sql.ends_with(&ending), "{}", statement.name);
        }
    }
}
