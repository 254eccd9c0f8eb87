//! What of a tenant is older than it is kept: counted, and removed some at a time.

use jiff::Timestamp;
use uuid::Uuid;

use super::row::Origin;
use super::statement::{run, statements};
use super::{StoreError, Tx};
use crate::domain::ids::{InstanceId, RecordingId, TenantId};
use crate::domain::purge::{Amount, PurgeCursor};
use crate::domain::recording::RecordingPath;

/// Deploys that ended before a time, that nothing is gone back to, and that nobody looks at to find out what is to be done:
/// the newest one of the tenant's configuration, and of its status on each PBX.
macro_rules! old_deployments {
    ($what:literal, $rest:literal) => {
        concat!(
            $what,
            " from deployments d where d.tenant_id = $1 and d.created_at < $2 and d.ended_at < $2 \
             and d.generation_id is null \
             and d.id not in (select e.id from deployments e where e.tenant_id = $1 and e.scope <> 'tenant_status' \
             order by e.created_at desc, e.id desc limit 1) \
             and (d.scope <> 'tenant_status' or (d.instance_id, d.queue_number) not in (select n.instance_id, \
             max(n.queue_number) from deployments n where n.tenant_id = $1 and n.scope = 'tenant_status' \
             group by n.instance_id))",
            $rest
        )
    };
}

macro_rules! old_recordings {
    ($index:literal) => {
        concat!(
            "select id, path, bytes, written_at from recordings",
            $index,
            " where tenant_id = $1 and instance_id = $2 and written_at < $3 and written_at >= $4 \
             and (written_at > $4 or id > $5) order by written_at, id limit $6"
        )
    };
}

statements! {
    COUNT_CALLS = "select count(*) from call_records where tenant_id = $1 and started_at < $2";
    ANY_CALL = "select cast(1 as bigint) from call_records where tenant_id = $1 and started_at < $2 limit 1";
    DELETE_CALLS = "delete from call_records where id in (select id from call_records \
        where tenant_id = $1 and started_at < $2 order by started_at, id limit $3)";
    PLACES = "select i.id from instances i where exists (select 1 from recordings f where f.tenant_id = $1 \
        and f.instance_id = i.id and f.written_at < $2) order by i.id";
    COUNT_RECORDINGS = "select count(*), cast(coalesce(sum(bytes), 0) as bigint) from recordings \
        where tenant_id = $1 and instance_id = $2 and written_at < $3";
    // Else SQLite goes through those of all PBXs.
    RECORDINGS = old_recordings!(" indexed by recordings_by_place"), postgres: old_recordings!("");
    COUNT_DEPLOYMENTS = old_deployments!("select count(*)", "");
    ANY_DEPLOYMENT = old_deployments!("select cast(1 as bigint)", " limit 1");
    DELETE_DEPLOYMENTS = concat!("delete from deployments where id in (",
        old_deployments!("select d.id", " order by d.created_at, d.id limit $3)"));
    COUNT_TICKETS = "select count(*) from tickets where tenant_id = $1 and archived_at is not null and archived_at < $2";
    ANY_TICKET = "select cast(1 as bigint) from tickets where tenant_id = $1 and archived_at is not null \
        and archived_at < $2 limit 1";
    DELETE_TICKETS = "delete from tickets where id in (select id from tickets where tenant_id = $1 \
        and archived_at is not null and archived_at < $2 order by archived_at, id limit $3)";
}

/// What lies in the database alone, each row with all that belongs to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rows {
    /// Records of calls, by when the call began.
    Calls,
    /// Records of deploys that may go, by when they ended.
    Deployments,
    /// Archived tickets with what was said about them, by when they were archived.
    Tickets,
}

/// How many there are from before that.
pub async fn count(
    tx: &mut Tx,
    tenant: TenantId,
    rows: Rows,
    before: Timestamp,
) -> Result<Amount, StoreError> {
    let statement = match rows {
        Rows::Calls => COUNT_CALLS,
        Rows::Deployments => COUNT_DEPLOYMENTS,
        Rows::Tickets => COUNT_TICKETS,
    };
    let (found,) = run!(
        tx,
        fetch_one::<(i64,)>(statement, tenant.uuid(), before.as_microsecond())
    )?;
    Ok(Amount { found, bytes: 0 })
}

/// Whether there is one from before that: all of them are not counted for it.
pub async fn any(tx: &mut Tx, tenant: TenantId, rows: Rows, before: Timestamp) -> Result<bool, StoreError> {
    let statement = match rows {
        Rows::Calls => ANY_CALL,
        Rows::Deployments => ANY_DEPLOYMENT,
        Rows::Tickets => ANY_TICKET,
    };
    let one = run!(
        tx,
        fetch_optional::<(i64,)>(statement, tenant.uuid(), before.as_microsecond())
    )?;
    Ok(one.is_some())
}

/// Deletes the oldest of them, up to so many; gives how many it was.
pub async fn delete(
    tx: &mut Tx,
    tenant: TenantId,
    rows: Rows,
    before: Timestamp,
    most: i64,
) -> Result<i64, StoreError> {
    let statement = match rows {
        Rows::Calls => DELETE_CALLS,
        Rows::Deployments => DELETE_DEPLOYMENTS,
        Rows::Tickets => DELETE_TICKETS,
    };
    let deleted = run!(
        tx,
        execute(statement, tenant.uuid(), before.as_microsecond(), most)
    )?;
    Ok(i64::try_from(deleted).unwrap_or(i64::MAX))
}

/// The PBXs on which recordings lie that were last written to before that.
pub async fn places(tx: &mut Tx, tenant: TenantId, before: Timestamp) -> Result<Vec<InstanceId>, StoreError> {
    let rows = run!(
        tx,
        fetch_all::<(Uuid,)>(PLACES, tenant.uuid(), before.as_microsecond())
    )?;
    Ok(rows.into_iter().map(|(id,)| InstanceId::from_uuid(id)).collect())
}

/// How many there are on a PBX.
pub async fn count_recordings(
    tx: &mut Tx,
    tenant: TenantId,
    instance: InstanceId,
    before: Timestamp,
) -> Result<Amount, StoreError> {
    let (found, bytes) = run!(
        tx,
        fetch_one::<(i64, i64)>(
            COUNT_RECORDINGS,
            tenant.uuid(),
            instance.uuid(),
            before.as_microsecond()
        )
    )?;
    Ok(Amount { found, bytes })
}

/// A recording that is older than it is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OldRecording {
    /// Its id.
    pub id: RecordingId,
    /// Its file.
    pub path: RecordingPath,
    /// How long that is.
    pub bytes: i64,
    /// When it was last written to.
    pub written_at: Timestamp,
}

impl OldRecording {
    pub(super) fn parse(
        table: &'static str,
        (id, path, bytes, written_at): (Uuid, String, i64, i64),
    ) -> Result<Self, StoreError> {
        let origin = Origin { table, id };
        Ok(Self {
            id: RecordingId::from_uuid(id),
            path: origin.text("path", &path)?,
            bytes,
            written_at: origin.time("written_at", written_at)?,
        })
    }

    /// Its place among all of the tenant.
    #[must_use]
    pub fn cursor(&self) -> PurgeCursor {
        PurgeCursor {
            at: self.written_at.as_microsecond(),
            id: self.id.uuid(),
        }
    }
}

/// The oldest of them on a PBX behind one of them, up to so many.
pub async fn recordings(
    tx: &mut Tx,
    tenant: TenantId,
    instance: InstanceId,
    before: Timestamp,
    after: Option<PurgeCursor>,
    most: i64,
) -> Result<Vec<OldRecording>, StoreError> {
    let (at, id) = after.map_or((i64::MIN, Uuid::nil()), |after| (after.at, after.id));
    let rows = run!(
        tx,
        fetch_all::<(Uuid, String, i64, i64)>(
            RECORDINGS,
            tenant.uuid(),
            instance.uuid(),
            before.as_microsecond(),
            at,
            id,
            most
        )
    )?;
    let parse = |row| OldRecording::parse("recordings", row);
    rows.into_iter().map(parse).collect()
}
