//! What was said about tickets, one tenant's at a time: added and read, never changed.

use jiff::Timestamp;
use uuid::Uuid;

use super::row::Origin;
use super::statement::{run, statements};
use super::tickets::author;
use super::{StoreError, Tx};
use crate::domain::ids::{CommentId, TenantId, TicketId};
use crate::domain::ticket::TicketComment;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "select c.id, c.author_kind, c.author_id, c.author_name, c.text, c.created_at, (select u.name from users u \
             where u.id = c.author_id and u.tenant_id = c.tenant_id) as author_now from ticket_comments c \
             where c.tenant_id = $1 and c.ticket_id = $2 ",
            $rest
        )
    };
}

statements! {
    INSERT = "insert into ticket_comments (id, ticket_id, tenant_id, author_kind, author_id, author_name, text, created_at) \
        select $1, t.id, t.tenant_id, $4, $5, $6, $7, $8 from tickets t where t.id = $2 and t.tenant_id = $3";
    COUNT_IN = "update tickets set comments = comments + 1, version = version + 1, updated_at = $3 \
        where tenant_id = $1 and id = $2";
    LIST = select!("order by c.created_at, c.id");
    FIND = select!("and c.id = $3");
    HELD = "select count(*), coalesce(sum(octet_length(text)), 0), count(*) filter (where author_id = $3), \
        coalesce(sum(octet_length(text)) filter (where author_id = $3), 0) from ticket_comments \
        where ticket_id = (select id from tickets where tenant_id = $1 and id = $2)";
    NTH_SAID = "select created_at from ticket_comments where tenant_id = $1 and author_id = $2 and created_at > $3 \
        order by created_at desc limit 1 offset $4";
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    author_kind: String,
    author_id: Option<Uuid>,
    author_name: String,
    author_now: Option<String>,
    text: String,
    created_at: i64,
}

impl Row {
    fn parse(self) -> Result<TicketComment, StoreError> {
        let origin = Origin {
            table: "ticket_comments",
            id: self.id,
        };
        let kind = origin.text("author_kind", &self.author_kind)?;
        Ok(TicketComment {
            id: CommentId::from_uuid(self.id),
            author: author(kind, self.author_id, self.author_name, self.author_now),
            text: origin.text("text", &self.text)?,
            created_at: origin.time("created_at", self.created_at)?,
        })
    }
}

/// Adds a comment to the tenant's ticket and counts it there; false when it has none of that id.
pub async fn insert(
    tx: &mut Tx,
    tenant: TenantId,
    ticket: TicketId,
    comment: &TicketComment,
) -> Result<bool, StoreError> {
    let at = comment.created_at.as_microsecond();
    let inserted = run!(
        tx,
        execute(
            INSERT,
            comment.id.uuid(),
            ticket.uuid(),
            tenant.uuid(),
            comment.author.kind.as_str(),
            comment.author.id,
            comment.author.name.as_str(),
            comment.text.as_str(),
            at,
        )
    )?;
    if inserted == 0 {
        return Ok(false);
    }
    Ok(run!(tx, execute(COUNT_IN, tenant.uuid(), ticket.uuid(), at))? == 1)
}

/// What was said about the tenant's ticket, oldest first.
pub async fn list(tx: &mut Tx, tenant: TenantId, ticket: TicketId) -> Result<Vec<TicketComment>, StoreError> {
    run!(tx, fetch_all::<Row>(LIST, tenant.uuid(), ticket.uuid()))?
        .into_iter()
        .map(Row::parse)
        .collect()
}

/// One comment on the tenant's ticket.
pub async fn find(
    tx: &mut Tx,
    tenant: TenantId,
    ticket: TicketId,
    id: CommentId,
) -> Result<Option<TicketComment>, StoreError> {
    run!(
        tx,
        fetch_optional::<Row>(FIND, tenant.uuid(), ticket.uuid(), id.uuid())
    )?
    .map(Row::parse)
    .transpose()
}

/// How much was said about a ticket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Held {
    /// How many comments there are.
    pub comments: i64,
    /// How many bytes of UTF-8 they have together.
    pub bytes: i64,
    /// How many of them one author wrote.
    pub own_comments: i64,
    /// How many bytes these have.
    pub own_bytes: i64,
}

/// How much was said about the tenant's ticket, and how much of it by this user or key.
pub async fn held(
    tx: &mut Tx,
    tenant: TenantId,
    ticket: TicketId,
    author: Option<Uuid>,
) -> Result<Held, StoreError> {
    let (comments, bytes, own_comments, own_bytes) = run!(
        tx,
        fetch_one::<(i64, i64, i64, i64)>(HELD, tenant.uuid(), ticket.uuid(), author)
    )?;
    Ok(Held {
        comments,
        bytes,
        own_comments,
        own_bytes,
    })
}

/// When somebody wrote the comment after which they wrote `later` others, if that was after `since`.
pub async fn nth_said(
    tx: &mut Tx,
    tenant: TenantId,
    author: Uuid,
    since: Timestamp,
    later: i64,
) -> Result<Option<Timestamp>, StoreError> {
    let since = since.as_microsecond();
    let row = run!(
        tx,
        fetch_optional::<(i64,)>(NTH_SAID, tenant.uuid(), author, since, later)
    )?;
    let origin = Origin {
        table: "ticket_comments",
        id: tenant,
    };
    row.map(|(at,)| origin.time("created_at", at)).transpose()
}
