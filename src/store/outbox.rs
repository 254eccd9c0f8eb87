//! The outbox: messages wait in the transaction's own database until a worker of any process has sent them.
//!
//! One that was claimed is left alone by others until the claim lapses, unless a clock that was ahead has noted that, or this one is
//! behind. What it says is sealed while it waits, and gone once it was sent or given up.

use std::time::Duration;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use super::row::{Origin, later};
use super::statement::{run, statements};
use super::{StoreError, Tx, sealing_keys};
use crate::domain::ids::{MessageId, TenantId};
use crate::domain::outbox::{FARTHEST, MessageKind, Subject};

const TABLE: &str = "outbox";
/// How much of an error is kept, in characters.
const LONGEST_ERROR: usize = 500;

statements! {
    PUSH = "insert into outbox (id, kind, subject, tenant_id, payload, next_attempt_at, created_at) \
        values ($1, $2, $3, $4, $5, $6, $6)";
    EARLIEST = "select min(case when claim > due then claim else due end) from \
        (select case when next_attempt_at > $2 then 0 else next_attempt_at end as due, \
        case when claimed_until > $2 then 0 else claimed_until end as claim \
        from outbox where kind = $1 and payload is not null) as waiting";
    /// Rows that another process is just claiming are passed over instead of waited for.
    DUE = "select id from outbox where kind = $1 and payload is not null and next_attempt_at <= $2 \
        and (claimed_until is null or claimed_until <= $2) order by next_attempt_at, id limit 1", 0,
        " for update skip locked";
    /// Of those that a clock that was ahead has left behind, or any where this one is behind.
    LEFT_BEHIND = "select id from outbox where kind = $1 and payload is not null \
        and (next_attempt_at <= $2 or next_attempt_at > $3) \
        and (claimed_until is null or claimed_until <= $2 or claimed_until > $3) order by next_attempt_at, id limit 1", 0,
        " for update skip locked";
    /// Whoever goes by another clock did not wait between them. Once only, for who knows the number of the attempt has the mail.
    COUNT_ANEW = "update outbox set attempts = 0, next_attempt_at = $2 where id = $1 and next_attempt_at > $3";
    CLAIM = "update outbox set attempts = attempts + 1, claimed_by = $2, claimed_until = $3 where id = $1 \
        returning id, subject, tenant_id, payload, attempts, created_at";
    RENEW = "update outbox set claimed_until = $3 where id = $1 and attempts = $2 and payload is not null";
    /// What was sent was sent, whoever has claimed it since.
    DONE = "update outbox set payload = null, sent_at = $2, gave_up_at = null, claimed_by = null, \
        claimed_until = null, last_error = null where id = $1 and sent_at is null";
    RETRY_LATER = "update outbox set next_attempt_at = $3, last_error = coalesce($4, last_error), claimed_by = null, \
        claimed_until = null where id = $1 and attempts = $2 and payload is not null";
    GIVE_UP = "update outbox set payload = null, gave_up_at = $3, last_error = $4, claimed_by = null, \
        claimed_until = null where id = $1 and attempts = $2 and payload is not null";
    REVOKE = "delete from outbox where subject = $1 and tenant_id is not distinct from $2 and payload is not null";
    REVOKE_ANYWHERE = "delete from outbox where subject = $1 and payload is not null";
    LATEST = "select id, attempts, next_attempt_at, created_at, sent_at, gave_up_at, last_error from outbox \
        where subject = $1 and tenant_id is not distinct from $2 order by created_at desc, id desc limit 1";
    PURGE = "delete from outbox where id in (select id from outbox where payload is null \
        and coalesce(sent_at, gave_up_at) <= $1 order by coalesce(sent_at, gave_up_at), id limit 500)";
}

/// A message that is to be sent.
pub struct NewMessage {
    /// Its id; it stays the same over every attempt.
    pub id: MessageId,
    /// Who sends it.
    pub kind: MessageKind,
    /// What it is about.
    pub subject: Subject,
    /// Whose it is; `None` is the platform's own.
    pub tenant: Option<TenantId>,
    /// What it says.
    pub payload: SecretString,
    /// When it was written; from then on it is due.
    pub created_at: Timestamp,
}

/// A message that nobody else sends until the claim lapses.
pub struct Claimed {
    /// Its id.
    pub id: MessageId,
    /// How often it was claimed, this time included; who knows the number has it.
    pub attempt: i64,
    /// What it is about.
    pub subject: Subject,
    /// Whose it is.
    pub tenant: Option<TenantId>,
    /// When it was written.
    pub created_at: Timestamp,
    /// What it says, or why that cannot be read: other messages must not wait for it.
    pub payload: Result<SecretString, StoreError>,
}

/// How a message stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Standing {
    /// Its id.
    pub id: MessageId,
    /// How often somebody has set about sending it.
    pub attempts: i64,
    /// When it is tried next, while it waits.
    pub next_attempt_at: Timestamp,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it was sent.
    pub sent_at: Option<Timestamp>,
    /// When it was given up.
    pub gave_up_at: Option<Timestamp>,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
}

#[derive(sqlx::FromRow)]
struct ClaimedRow {
    id: Uuid,
    subject: String,
    tenant_id: Option<Uuid>,
    payload: Vec<u8>,
    attempts: i64,
    created_at: i64,
}

#[derive(sqlx::FromRow)]
struct StandingRow {
    id: Uuid,
    attempts: i64,
    next_attempt_at: i64,
    created_at: i64,
    sent_at: Option<i64>,
    gave_up_at: Option<i64>,
    last_error: Option<String>,
}

fn place(id: Uuid) -> String {
    format!("{TABLE}.payload/{}", id.hyphenated())
}

/// Puts a message into the outbox: it is sent once the transaction is committed, and never otherwise.
pub async fn push(tx: &mut Tx, message: &NewMessage) -> Result<(), StoreError> {
    sealing_keys::claim(tx).await?;
    let id = message.id.uuid();
    let sealed = tx.seal(&place(id), message.payload.expose_secret())?;
    run!(
        tx,
        execute(
            PUSH,
            id,
            message.kind.as_str(),
            message.subject.as_str(),
            message.tenant.map(TenantId::uuid),
            sealed,
            message.created_at.as_microsecond(),
        )
    )?;
    Ok(())
}

/// When the next message is due, or the next claim lapses; `None` where nothing waits.
pub async fn earliest(
    tx: &mut Tx,
    kind: MessageKind,
    now: Timestamp,
) -> Result<Option<Timestamp>, StoreError> {
    let far = later(now, FARTHEST);
    let (earliest,) = run!(tx, fetch_one::<(Option<i64>,)>(EARLIEST, kind.as_str(), far))?;
    let origin = Origin {
        table: TABLE,
        id: kind,
    };
    earliest
        .map(|micros| origin.time("next_attempt_at", micros))
        .transpose()
}

/// Claims the message that has been due for longest. `holder` names the process for people.
pub async fn claim_due(
    tx: &mut Tx,
    kind: MessageKind,
    holder: &str,
    now: Timestamp,
    ttl: Duration,
) -> Result<Option<Claimed>, StoreError> {
    let (of, at, far) = (kind.as_str(), now.as_microsecond(), later(now, FARTHEST));
    let mut due = run!(tx, fetch_optional::<(Uuid,)>(DUE, of, at))?;
    if due.is_none() {
        due = run!(tx, fetch_optional::<(Uuid,)>(LEFT_BEHIND, of, at, far))?;
        if let Some((id,)) = due {
            run!(tx, execute(COUNT_ANEW, id, at, far))?;
        }
    }
    let Some((id,)) = due else { return Ok(None) };
    let row = run!(tx, fetch_one::<ClaimedRow>(CLAIM, id, holder, later(now, ttl)))?;
    let origin = Origin { table: TABLE, id };
    Ok(Some(Claimed {
        id: MessageId::from_uuid(row.id),
        attempt: row.attempts,
        subject: origin.text("subject", &row.subject)?,
        tenant: row.tenant_id.map(TenantId::from_uuid),
        created_at: origin.time("created_at", row.created_at)?,
        payload: tx.unseal(&place(id), &row.payload),
    }))
}

/// Prolongs a claim right before the sending; false when the message was taken back, or another process has it.
pub async fn renew(
    tx: &mut Tx,
    claimed: &Claimed,
    now: Timestamp,
    ttl: Duration,
) -> Result<bool, StoreError> {
    let (id, end) = (claimed.id.uuid(), later(now, ttl));
    Ok(run!(tx, execute(RENEW, id, claimed.attempt, end))? == 1)
}

/// Notes that a message was sent; false when it was taken back meanwhile.
pub async fn done(tx: &mut Tx, id: MessageId, now: Timestamp) -> Result<bool, StoreError> {
    Ok(run!(tx, execute(DONE, id.uuid(), now.as_microsecond()))? == 1)
}

/// Lets a message go until `at`; without an error the former one stays. False when it is not ours any more.
pub async fn retry_later(
    tx: &mut Tx,
    claimed: &Claimed,
    at: Timestamp,
    error: Option<&str>,
) -> Result<bool, StoreError> {
    let (id, at, error) = (claimed.id.uuid(), at.as_microsecond(), error.map(kept));
    Ok(run!(tx, execute(RETRY_LATER, id, claimed.attempt, at, error))? == 1)
}

/// Gives a message up; false when it is not ours any more.
pub async fn give_up(
    tx: &mut Tx,
    claimed: &Claimed,
    now: Timestamp,
    error: &str,
) -> Result<bool, StoreError> {
    let (id, now) = (claimed.id.uuid(), now.as_microsecond());
    Ok(run!(tx, execute(GIVE_UP, id, claimed.attempt, now, kept(error)))? == 1)
}

/// Takes back what waits of a subject; answers how many there were. What is on the wire at this moment still arrives.
pub async fn revoke(tx: &mut Tx, tenant: Option<TenantId>, subject: &Subject) -> Result<u64, StoreError> {
    run!(tx, execute(REVOKE, subject.as_str(), tenant.map(TenantId::uuid)))
}

/// The same in whichever tenant: of somebody who has moved, what was filed under the former one.
pub async fn revoke_anywhere(tx: &mut Tx, subject: &Subject) -> Result<u64, StoreError> {
    run!(tx, execute(REVOKE_ANYWHERE, subject.as_str()))
}

/// How the newest message of a subject stands.
pub async fn latest(
    tx: &mut Tx,
    tenant: Option<TenantId>,
    subject: &Subject,
) -> Result<Option<Standing>, StoreError> {
    let row = run!(
        tx,
        fetch_optional::<StandingRow>(LATEST, subject.as_str(), tenant.map(TenantId::uuid))
    )?;
    row.map(|row| {
        let origin = Origin {
            table: TABLE,
            id: row.id,
        };
        let optional =
            |column, micros: Option<i64>| micros.map(|micros| origin.time(column, micros)).transpose();
        Ok(Standing {
            id: MessageId::from_uuid(row.id),
            attempts: row.attempts,
            next_attempt_at: origin.time("next_attempt_at", row.next_attempt_at)?,
            created_at: origin.time("created_at", row.created_at)?,
            sent_at: optional("sent_at", row.sent_at)?,
            gave_up_at: optional("gave_up_at", row.gave_up_at)?,
            last_error: row.last_error,
        })
    })
    .transpose()
}

/// Removes some of what was sent or given up until then; answers how many.
pub async fn purge(tx: &mut Tx, until: Timestamp) -> Result<u64, StoreError> {
    run!(tx, execute(PURGE, until.as_microsecond()))
}

/// An error on one line, cut to what is kept.
fn kept(error: &str) -> String {
    let visible = |c: char| if c.is_control() { ' ' } else { c };
    error.chars().map(visible).take(LONGEST_ERROR).collect()
}
