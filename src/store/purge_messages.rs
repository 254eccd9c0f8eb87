//! Which messages of mail boxes a purge is about to have removed: noted before the first one goes, forgotten with what counts
//! them.

use jiff::Timestamp;
use uuid::Uuid;

use super::row::Origin;
use super::statement::{run, statements};
use super::voicemail::MessagePlace;
use super::{StoreError, Tx};
use crate::domain::ids::{PurgeId, TenantId, VoicemailId};

statements! {
    NOTE = "insert into purge_messages (purge_id, position, voicemail_id, domain, mailbox, message, bytes, left_at, \
        place) select q.purge_id, q.position, m.id, m.domain, m.mailbox, m.message, m.bytes, m.left_at, $6 from purges p \
        join purge_parts q on q.purge_id = p.id join voicemail_messages m on m.tenant_id = p.tenant_id \
        where p.tenant_id = $1 and p.id = $2 and q.position = $3 and m.id = $4 and m.left_at < $5";
    NOTED = "select n.place, n.voicemail_id, n.domain, n.mailbox, n.message, n.bytes, n.left_at from purge_messages n \
        join purges p on p.id = n.purge_id where p.tenant_id = $1 and n.purge_id = $2 and n.position = $3 \
        order by n.left_at, n.voicemail_id";
    FORGET = "delete from purge_messages where purge_id = (select p.id from purges p where p.tenant_id = $1 and p.id = $2) \
        and position = $3";
    FORGET_ONE = "delete from purge_messages where purge_id = (select p.id from purges p where p.tenant_id = $1 \
        and p.id = $2) and position = $3 and voicemail_id = $4";
}

#[derive(sqlx::FromRow)]
struct Row {
    place: String,
    voicemail_id: Uuid,
    domain: String,
    mailbox: String,
    message: String,
    bytes: i64,
    left_at: i64,
}

/// Notes that a message is about to go; false where there is no such message from before that any more.
pub async fn note(
    tx: &mut Tx,
    tenant: TenantId,
    purge: PurgeId,
    (position, message): (i64, VoicemailId),
    before: Timestamp,
    place: &str,
) -> Result<bool, StoreError> {
    let noted = run!(
        tx,
        execute(
            NOTE,
            tenant.uuid(),
            purge.uuid(),
            position,
            message.uuid(),
            before.as_microsecond(),
            place
        )
    )?;
    Ok(noted == 1)
}

/// Messages that were about to go and are not counted yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Noted {
    /// Where they were then.
    pub place: String,
    /// Which.
    pub messages: Vec<MessagePlace>,
}

/// Those of a part; all of them are noted at once, in one place.
pub async fn noted(
    tx: &mut Tx,
    tenant: TenantId,
    purge: PurgeId,
    position: i64,
) -> Result<Option<Noted>, StoreError> {
    let rows = run!(tx, fetch_all::<Row>(NOTED, tenant.uuid(), purge.uuid(), position))?;
    let Some(first) = rows.first() else {
        return Ok(None);
    };
    let place = first.place.clone();
    let parse = |row: Row| {
        let origin = Origin {
            table: "purge_messages",
            id: row.voicemail_id,
        };
        Ok::<_, StoreError>(MessagePlace {
            id: VoicemailId::from_uuid(row.voicemail_id),
            domain: origin.text("domain", &row.domain)?,
            mailbox: origin.text("mailbox", &row.mailbox)?,
            message: origin.text("message", &row.message)?,
            bytes: row.bytes,
            left_at: origin.time("left_at", row.left_at)?,
        })
    };
    let messages = rows.into_iter().map(parse).collect::<Result<_, _>>()?;
    Ok(Some(Noted { place, messages }))
}

/// Forgets all of a part: what has become of them is counted.
pub async fn forget(tx: &mut Tx, tenant: TenantId, purge: PurgeId, position: i64) -> Result<(), StoreError> {
    run!(tx, execute(FORGET, tenant.uuid(), purge.uuid(), position))?;
    Ok(())
}

/// Forgets one of a part: what has become of it is counted.
pub async fn forget_one(
    tx: &mut Tx,
    tenant: TenantId,
    purge: PurgeId,
    (position, message): (i64, VoicemailId),
) -> Result<(), StoreError> {
    run!(
        tx,
        execute(FORGET_ONE, tenant.uuid(), purge.uuid(), position, message.uuid())
    )?;
    Ok(())
}
