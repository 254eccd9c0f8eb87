//! Times in which a PBX may have had calls of which nothing is known.

use jiff::Timestamp;
use uuid::Uuid;

use super::row::Origin;
use super::statement::{run, statements};
use super::{StoreError, Tx};
use crate::domain::call_record::{CallFilter, CallGap};
use crate::domain::ids::{InstanceId, TenantId};

/// Gaps that are kept of each instance: the older ones are one. With one each minute they last for a week; what is looked for once
/// more is younger.
const KEPT: i64 = 10_000;

/// Of the PBXs that a tenant is on, within a filter's time.
macro_rules! of_tenant {
    ($columns:literal, $rest:literal) => {
        concat!(
            "select ",
            $columns,
            " from call_gaps g where g.instance_id in (select t.instance_id from tenants t where t.id = $1 \
             union select s.instance_id from served s where s.tenant_id = $1) and g.to_at >= $2 and g.from_at < $3 \
             and g.to_at >= (select t.created_at from tenants t where t.id = $1)",
            $rest
        )
    };
}

statements! {
    INSERT = "insert into call_gaps (instance_id, from_at, to_at) values ($1, $2, $3) \
        on conflict (instance_id, from_at) do update set to_at = excluded.to_at where call_gaps.to_at < excluded.to_at";
    OLDEST = "select min(from_at), max(from_at), max(to_at) from (select from_at, to_at from call_gaps where instance_id = $1 \
        order by from_at desc limit 1000000 offset $2) old";
    REMOVE_TO = "delete from call_gaps where instance_id = $1 and from_at <= $2";
    NEWEST = of_tenant!("g.instance_id, g.from_at, g.to_at", " order by g.from_at desc, g.instance_id desc limit $4");
    OLDER = of_tenant!("g.instance_id, min(g.from_at), max(g.to_at)",
        " and (g.from_at, g.instance_id) < ($4, $5) group by g.instance_id order by max(g.from_at) desc, g.instance_id desc");
    RECENT = "select from_at, to_at from call_gaps where instance_id = $1 and to_at >= $2 order by from_at";
    HEARD = "insert into call_listening (instance_id, heard_until) values ($1, $2) \
        on conflict (instance_id) do update set heard_until = excluded.heard_until \
        where call_listening.heard_until < excluded.heard_until";
    HEARD_UNTIL = "select heard_until from call_listening where instance_id = $1";
    FORGET_HEARD = "delete from call_listening where instance_id = $1";
    FORGET = "delete from call_gaps where instance_id = $1";
}

/// Notes a gap; of one that begins at the same time, the later end. Of too many the oldest become one, which spans what was between
/// them too: nothing is said to be whole that is not.
pub async fn insert(tx: &mut Tx, gap: CallGap) -> Result<(), StoreError> {
    let instance = gap.instance_id.uuid();
    let (from, to) = (gap.from.as_microsecond(), gap.to.as_microsecond());
    run!(tx, execute(INSERT, instance, from, to))?;
    // The oldest one that is kept is what the older ones become part of.
    let old = run!(
        tx,
        fetch_one::<(Option<i64>, Option<i64>, Option<i64>)>(OLDEST, instance, KEPT - 1)
    )?;
    if let (Some(first), Some(last), Some(end)) = old
        && first < last
    {
        run!(tx, execute(REMOVE_TO, instance, last))?;
        run!(tx, execute(INSERT, instance, first, end))?;
    }
    Ok(())
}

/// The gaps of the PBXs that a tenant is on, within a filter's time, newest first. Of more than so many the older ones are one of
/// each PBX, which spans what was between them too.
pub async fn of_tenant(
    tx: &mut Tx,
    tenant: TenantId,
    filter: &CallFilter,
    most: usize,
) -> Result<Vec<CallGap>, StoreError> {
    let from = filter.from.map_or(i64::MIN, Timestamp::as_microsecond);
    let to = filter.to.map_or(i64::MAX, Timestamp::as_microsecond);
    let limit = i64::try_from(most).unwrap_or(i64::MAX);
    let newest = run!(
        tx,
        fetch_all::<(Uuid, i64, i64)>(NEWEST, tenant.uuid(), from, to, limit)
    )?;
    let last = newest.last().filter(|_| newest.len() == most);
    let older = match last {
        Some((instance, begin, _)) => run!(
            tx,
            fetch_all::<(Uuid, i64, i64)>(OLDER, tenant.uuid(), from, to, *begin, *instance)
        )?,
        None => Vec::new(),
    };
    let gap = |(instance, from, to)| {
        let origin = Origin {
            table: "call_gaps",
            id: instance,
        };
        Ok(CallGap {
            instance_id: InstanceId::from_uuid(instance),
            from: origin.time("from_at", from)?,
            to: origin.time("to_at", to)?,
        })
    };
    newest.into_iter().chain(older).map(gap).collect()
}

/// Those of an instance that ended since then, oldest first.
pub async fn recent(tx: &mut Tx, instance: InstanceId, since: Timestamp) -> Result<Vec<CallGap>, StoreError> {
    let origin = Origin {
        table: "call_gaps",
        id: instance,
    };
    let rows = run!(
        tx,
        fetch_all::<(i64, i64)>(RECENT, instance.uuid(), since.as_microsecond())
    )?;
    let gap = |(from, to)| {
        Ok(CallGap {
            instance_id: instance,
            from: origin.time("from_at", from)?,
            to: origin.time("to_at", to)?,
        })
    };
    rows.into_iter().map(gap).collect()
}

/// Notes until when a PBX was listened to; never an earlier time than is known.
pub async fn heard(tx: &mut Tx, instance: InstanceId, until: Timestamp) -> Result<(), StoreError> {
    run!(tx, execute(HEARD, instance.uuid(), until.as_microsecond()))?;
    Ok(())
}

/// Until when a PBX was listened to; none where it never was.
pub async fn heard_until(tx: &mut Tx, instance: InstanceId) -> Result<Option<Timestamp>, StoreError> {
    let origin = Origin {
        table: "call_listening",
        id: instance,
    };
    let row = run!(tx, fetch_optional::<(i64,)>(HEARD_UNTIL, instance.uuid()))?;
    row.map(|(until,)| origin.time("heard_until", until)).transpose()
}

/// Forgets those of an instance that goes.
pub async fn forget(tx: &mut Tx, instance: InstanceId) -> Result<(), StoreError> {
    run!(tx, execute(FORGET, instance.uuid()))?;
    run!(tx, execute(FORGET_HEARD, instance.uuid()))?;
    Ok(())
}
