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
    ($rest:literal) => {
        concat!(
            "from deployments d where d.tenant_id = $1 and d.created_at < $2 and d.ended_at < $2 \
             and d.generation_id is null \
             and d.id not in (select e.id from deployments e where e.tenant_id = $1 and e.scope <> 'tenant_status' \
             order by e.created_at desc, e.id desc limit 1) \
             and (d.scope <> 'tenant_status' or exists (select 1 from deployments n where n.tenant_id = $1 \
             and n.instance_id = d.instance_id and n.scope = 'tenant_status' and n.queue_number > d.queue_number))",
            $rest
        )
    };
}

statements! {
    COUNT_CALLS = "select count(*), cast(0 as bigint) from call_records where tenant_id = $1 and started_at < $2";
    DELETE_CALLS = "delete from call_records where id in (select id from call_records \
        where tenant_id = $1 and started_at < $2 order by started_at, id limit $3)";
    PLACES = "select distinct instance_id from recordings where tenant_id = $1 and written_at < $2 order by instance_id";
    COUNT_RECORDINGS = "select count(*), cast(coalesce(sum(bytes), 0) as bigint) from recordings \
        where tenant_id = $1 and written_at < $2 and (instance_id = $3 or $3 is null)";
    RECORDINGS = "select id, path, bytes, written_at from recordings where tenant_id = $1 and instance_id = $2 \
        and written_at < $3 and written_at >= $4 and (written_at > $4 or id > $5) order by written_at, id limit $6";
    COUNT_DEPLOYMENTS = concat!("select count(*), cast(0 as bigint) ", old_deployments!(""));
    DELETE_DEPLOYMENTS = concat!("delete from deployments where id in (select d.id ",
        old_deployments!(" order by d.created_at, d.id limit $3)"));
}

/// How many records of calls there are that began before that.
pub async fn count_calls(tx: &mut Tx, tenant: TenantId, before: Timestamp) -> Result<Amount, StoreError> {
    let counted = run!(
        tx,
        fetch_one::<(i64, i64)>(COUNT_CALLS, tenant.uuid(), before.as_microsecond())
    )?;
    Ok(amount(counted))
}

/// Deletes the oldest of them, up to so many; gives how many it was.
pub async fn delete_calls(
    tx: &mut Tx,
    tenant: TenantId,
    before: Timestamp,
    most: i64,
) -> Result<i64, StoreError> {
    let deleted = run!(
        tx,
        execute(DELETE_CALLS, tenant.uuid(), before.as_microsecond(), most)
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

/// How many there are, on one PBX or on all.
pub async fn count_recordings(
    tx: &mut Tx,
    tenant: TenantId,
    instance: Option<InstanceId>,
    before: Timestamp,
) -> Result<Amount, StoreError> {
    let counted = run!(
        tx,
        fetch_one::<(i64, i64)>(
            COUNT_RECORDINGS,
            tenant.uuid(),
            before.as_microsecond(),
            instance.map(InstanceId::uuid)
        )
    )?;
    Ok(amount(counted))
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
    let parse = |(id, path, bytes, written_at): (Uuid, String, i64, i64)| {
        let origin = Origin {
            table: "recordings",
            id,
        };
        Ok(OldRecording {
            id: RecordingId::from_uuid(id),
            path: origin.text("path", &path)?,
            bytes,
            written_at: origin.time("written_at", written_at)?,
        })
    };
    rows.into_iter().map(parse).collect()
}

/// How many records of deploys there are that ended before that and may go.
pub async fn count_deployments(
    tx: &mut Tx,
    tenant: TenantId,
    before: Timestamp,
) -> Result<Amount, StoreError> {
    let counted = run!(
        tx,
        fetch_one::<(i64, i64)>(COUNT_DEPLOYMENTS, tenant.uuid(), before.as_microsecond())
    )?;
    Ok(amount(counted))
}

/// Deletes the oldest of them, up to so many; gives how many it was.
pub async fn delete_deployments(
    tx: &mut Tx,
    tenant: TenantId,
    before: Timestamp,
    most: i64,
) -> Result<i64, StoreError> {
    let deleted = run!(
        tx,
        execute(DELETE_DEPLOYMENTS, tenant.uuid(), before.as_microsecond(), most)
    )?;
    Ok(i64::try_from(deleted).unwrap_or(i64::MAX))
}

const fn amount((found, bytes): (i64, i64)) -> Amount {
    Amount { found, bytes }
}
