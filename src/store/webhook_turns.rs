//! Whose turn it is among webhooks for which events wait: one that is due, and that nobody has claimed.
//!
//! A clock that was ahead has left times behind that are far away, as any clock has where this one is behind: what is farther than
//! anything is left alone for counts as due, and a claim that lasts until then as lapsed.

use jiff::Timestamp;
use uuid::Uuid;

use super::row::{later, listed};
use super::statement::{run, statements};
use super::webhooks::origin;
use super::{StoreError, Tx};
use crate::domain::ids::TenantId;
use crate::domain::outbox::FARTHEST;

statements! {
    EARLIEST = "select min(case when claim > due then claim else due end) from \
        (select case when next_attempt_at > $2 then 0 else next_attempt_at end as due, \
        case when claimed_until > $2 then 0 else claimed_until end as claim \
        from webhooks where is_active and pending > 0 and instr($1, hex(tenant_id)) = 0) as waiting",
        postgres: "select min(case when claim > due then claim else due end) from \
        (select case when next_attempt_at > $2 then 0 else next_attempt_at end as due, \
        case when claimed_until > $2 then 0 else claimed_until end as claim \
        from webhooks where is_active and pending > 0 and tenant_id <> all (string_to_array($1, ',')::uuid[])) as waiting";
    /// Rows that another process is just claiming are passed over instead of waited for.
    DUE = "select id from webhooks where is_active and pending > 0 and next_attempt_at <= $1 \
        and (claimed_until is null or claimed_until <= $1) and instr($2, hex(tenant_id)) = 0 order by next_attempt_at, id limit 1",
        postgres: "select id from webhooks where is_active and pending > 0 and next_attempt_at <= $1 and (claimed_until is null \
        or claimed_until <= $1) and tenant_id <> all (string_to_array($2, ',')::uuid[]) order by next_attempt_at, id limit 1 \
        for update skip locked";
    /// Of those that a clock that was ahead has left behind, or any where this one is behind.
    LEFT_BEHIND = "select id from webhooks where is_active and pending > 0 and (next_attempt_at <= $1 or next_attempt_at > $3) \
        and (claimed_until is null or claimed_until <= $1 or claimed_until > $3) and instr($2, hex(tenant_id)) = 0 \
        order by next_attempt_at, id limit 1",
        postgres: "select id from webhooks where is_active and pending > 0 and (next_attempt_at <= $1 or next_attempt_at > $3) \
        and (claimed_until is null or claimed_until <= $1 or claimed_until > $3) \
        and tenant_id <> all (string_to_array($2, ',')::uuid[]) order by next_attempt_at, id limit 1 for update skip locked";
    /// Whoever goes by another clock did not wait between them: they say nothing of how long a webhook has failed.
    COUNT_ANEW = "update webhooks set attempts = 0 where id = $1 and next_attempt_at > $2";
}

/// When the next event of other tenants than these is due, or the next claim lapses; `None` where nothing waits.
pub async fn earliest(
    tx: &mut Tx,
    but_of: &[TenantId],
    now: Timestamp,
) -> Result<Option<Timestamp>, StoreError> {
    let far = later(now, FARTHEST);
    let (earliest,) = run!(tx, fetch_one::<(Option<i64>,)>(EARLIEST, listed(but_of), far))?;
    let time = |micros| origin(Uuid::nil()).time("next_attempt_at", micros);
    earliest.map(time).transpose()
}

/// The webhook of other tenants than these that has been due for longest.
pub(super) async fn due(
    tx: &mut Tx,
    but_of: &[TenantId],
    now: Timestamp,
) -> Result<Option<Uuid>, StoreError> {
    let (at, far, but_of) = (now.as_microsecond(), later(now, FARTHEST), listed(but_of));
    if let Some((id,)) = run!(tx, fetch_optional::<(Uuid,)>(DUE, at, &but_of))? {
        return Ok(Some(id));
    }
    let left = run!(tx, fetch_optional::<(Uuid,)>(LEFT_BEHIND, at, &but_of, far))?;
    let Some((id,)) = left else { return Ok(None) };
    run!(tx, execute(COUNT_ANEW, id, far))?;
    Ok(Some(id))
}
