//! Erasures that do not come to an end by themselves, and what is forgotten of those that have ended or were never run.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use uuid::Uuid;

use super::row::{storable, to_json};
use super::statement::{run, statements};
use super::{StoreError, Tx};
use crate::domain::audit::CERTIFIED;
use crate::domain::erasure::ErasureSubject;
use crate::domain::ids::{ErasureId, TenantId};

statements! {
    FAILS = "update erasures set failures = failures + 1, failing_since = coalesce(failing_since, $3) \
        where tenant_id = $1 and id = $2 and status = 'running'";
    // By its id alone: it is for one that cannot be read.
    ABANDON = "update erasures set status = 'partial', ended_at = $4 where tenant_id = $1 and id = $2 and status = 'running' \
        and (failing_since <= $3 or failing_since >= $6) and failures >= $5";
    END_PARTS = "update erasure_parts set kept = kept + 1, unseen = true, detail = $3, ended_at = $4 \
        where erasure_id = (select e.id from erasures e where e.tenant_id = $1 and e.id = $2) and ended_at is null";
    // Where nothing says that something stays, one part that each erasure has does.
    SAY_SO = "insert into erasure_parts (erasure_id, position, place, kept, unseen, detail, ended_at) select e.id, \
        coalesce((select max(p.position) + 1 from erasure_parts p where p.erasure_id = e.id), 0), 'audit_payloads', 1, true, \
        $3, $4 from erasures e where e.tenant_id = $1 and e.id = $2 \
        and not exists (select 1 from erasure_parts p where p.erasure_id = e.id and p.kept > 0)";
    FORGET_MARKS = "update erasures set subject = $3, marks = null where tenant_id = $1 and id = $2 and status <> 'running' \
        and (ended_at is null or ended_at < $4)";
    CERTIFIED_AS = "select after from audit_entries where tenant_id = $1 and resource = 'erasure' and target_id = $2 \
        and action = $3 and after is not null order by number desc limit 1";
    STALE = "select tenant_id, id from erasures where status = 'partial' and marks is not null and ended_at < $1 \
        order by ended_at limit 100";
    FORGET_OPEN = "delete from erasures where id in (select id from erasures where status = 'open' and requested_at < $1 \
        order by requested_at limit 100)";
}

/// Counts that carrying one out has failed.
pub async fn fails(tx: &mut Tx, tenant: TenantId, id: ErasureId, now: Timestamp) -> Result<(), StoreError> {
    run!(tx, execute(FAILS, tenant.uuid(), id.uuid(), now.as_microsecond()))?;
    Ok(())
}

/// Ends one that cannot be read and has failed so often and for so long, by the time that is believed or by a clock that was put
/// back; false where there is no such one.
pub async fn abandon(
    tx: &mut Tx,
    tenant: TenantId,
    id: ErasureId,
    (times, long): (i64, SignedDuration),
    (believed, now): (Timestamp, Timestamp),
) -> Result<bool, StoreError> {
    let (before, after) = ((believed - long).as_microsecond(), (now + long).as_microsecond());
    let (tenant, id, at) = (tenant.uuid(), id.uuid(), now.as_microsecond());
    Ok(run!(tx, execute(ABANDON, tenant, id, before, at, times, after))? == 1)
}

/// Ends what is left of the parts, each with something that nobody knows, or has one more say so; asks nothing that may be
/// unreadable.
pub async fn end_parts(
    tx: &mut Tx,
    tenant: TenantId,
    id: ErasureId,
    why: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (tenant, id, at) = (tenant.uuid(), id.uuid(), now.as_microsecond());
    for statement in [END_PARTS, SAY_SO] {
        run!(tx, execute(statement, tenant, id, storable(why), at))?;
    }
    Ok(())
}

/// Forgets by what the person was found, where it does not run and did not end later than that: nothing is left that needs it.
/// Gives whether it did.
pub async fn forget_marks(
    tx: &mut Tx,
    tenant: TenantId,
    id: ErasureId,
    subject: &ErasureSubject,
    before: Timestamp,
) -> Result<bool, StoreError> {
    let subject = to_json("erasures.subject", subject)?;
    let (tenant, id, before) = (tenant.uuid(), id.uuid(), before.as_microsecond());
    Ok(run!(tx, execute(FORGET_MARKS, tenant, id, subject, before))? == 1)
}

/// Whether the log says what it did when it ended last.
pub async fn certified(tx: &mut Tx, tenant: TenantId, id: ErasureId) -> Result<bool, StoreError> {
    let (tenant, id) = (tenant.uuid(), id.to_string());
    let said = run!(
        tx,
        fetch_optional::<(String,)>(CERTIFIED_AS, tenant, id, CERTIFIED)
    )?;
    let said = said.and_then(|(json,)| serde_json::from_str::<Value>(&json).ok());
    Ok(said.is_some_and(|said| said.get("certificate").is_some()))
}

/// Some that ended before that with something kept, and by which the person is still known.
pub async fn stale(tx: &mut Tx, before: Timestamp) -> Result<Vec<(TenantId, ErasureId)>, StoreError> {
    let rows = run!(tx, fetch_all::<(Uuid, Uuid)>(STALE, before.as_microsecond()))?;
    let ids = rows.into_iter();
    Ok(ids
        .map(|(tenant, id)| (TenantId::from_uuid(tenant), ErasureId::from_uuid(id)))
        .collect())
}

/// Forgets some that were looked for before that and never run; gives how many.
pub async fn forget_open(tx: &mut Tx, before: Timestamp) -> Result<u64, StoreError> {
    run!(tx, execute(FORGET_OPEN, before.as_microsecond()))
}
