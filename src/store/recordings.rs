//! Recordings of calls, one tenant's at a time: where each file is, and which call it is of.

use jiff::Timestamp;
use uuid::Uuid;

use super::call_records::Seen;
use super::row::{Origin, until};
use super::statement::{run, statements};
use super::{StoreError, Tx};
use crate::domain::call_record::CallCursor;
use crate::domain::call_text::PbxCallId;
use crate::domain::ids::{CallRecordId, ExtensionId, InstanceId, RecordingId, TenantId};
use crate::domain::instance::NodeName;
use crate::domain::name::TenantName;
use crate::domain::recording::{FoundRecording, Recording, RecordingPage, RecordingPath, RecordingQuery};
use crate::domain::sip_domain::SipDomain;

/// Rows that are read at once where all are worked on.
const PORTION: i64 = 1_000;

macro_rules! of_file {
    () => {
        "from call_records r join call_record_parts p on p.record_id = r.id where p.channel = f.channel \
         and r.tenant_id = f.tenant_id and r.instance_id = f.instance_id"
    };
}

macro_rules! select {
    ($($which:expr),+ $(,)?) => {
        concat!(
            "select f.id, f.tenant_id, f.instance_id, f.path, f.bytes, f.written_at, (select r.id ", of_file!(),
            " order by r.started_at limit 1) as call_id from recordings f where f.tenant_id = $1 and (exists (select 1 ",
            of_file!(),
            " and exists (select 1 from call_record_extensions e join users u on u.extension_id = e.extension_id \
             where e.record_id = r.id and u.id = $2 and u.tenant_id = f.tenant_id)) or $2 is null) and ",
            $($which),+
        )
    };
}

statements! {
    PUT = "insert into recordings (id, tenant_id, instance_id, path, channel, bytes, written_at) \
        values ($1, $2, $3, $4, $5, $6, $7) on conflict (instance_id, path) do update \
        set bytes = excluded.bytes, written_at = excluded.written_at \
        where recordings.bytes <> excluded.bytes or recordings.written_at <> excluded.written_at";
    KNOWN = "select path, bytes, written_at from recordings where instance_id = $1 and path > $2 order by path limit $3";
    WHOSE = "select distinct r.tenant_id from call_records r join call_record_parts p on p.record_id = r.id \
        where p.channel = $1 and r.instance_id = $2 and (exists \
        (select 1 from tenants t where t.id = r.tenant_id and t.domain = $3) or exists \
        (select 1 from tenant_domain_aliases a where a.tenant_id = r.tenant_id and a.domain = $3) or exists \
        (select 1 from domain_tenures d where d.tenant_id = r.tenant_id and d.domain = $3)) limit 2";
    LOSE = "delete from recordings where instance_id = $1 and path = $2";
    LANDMARK = "select recordings_landmark from instances where id = $1";
    SET_LANDMARK = "update instances set recordings_landmark = $2 where id = $1";
    LOSE_ALL = "delete from recordings where instance_id = $1";
    OF_TENANT = "select id, path, written_at from recordings where tenant_id = $1 and instance_id = $2 \
        and written_at >= $3 and (written_at > $3 or id > $4) order by written_at, id limit $5";
    BY_TENANT = "select t.id, t.name, t.domain, count(*) from recordings f join tenants t on t.id = f.tenant_id \
        where f.instance_id = $1 group by t.id, t.name, t.domain order by t.name, t.id";
    ELSEWHERE = "select count(*) from recordings f join instances i on i.id = f.instance_id \
        where f.tenant_id = $1 and i.node <> $2";
    FIND = select!("f.id = $3");
    BEHIND = select!("f.id < $3 order by f.id desc limit $4");
    LOCK = "select id from recordings where tenant_id = $1 and id = $2", 0, " for update";
    DELETE = "delete from recordings where tenant_id = $1 and id = $2";
    LIST = select!("f.written_at >= $3 and f.written_at < $4 \
        and (exists (select 1 ", of_file!(), " and r.id = $5) or $5 is null) \
        and (exists (select 1 ", of_file!(), " and exists (select 1 from call_record_extensions x \
        where x.record_id = r.id and x.extension_id = $6)) or $6 is null) \
        and (f.written_at < $7 or (f.written_at = $7 and f.id < $8)) \
        order by f.written_at desc, f.id desc limit $9");
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    tenant_id: Uuid,
    instance_id: Uuid,
    path: String,
    bytes: i64,
    written_at: i64,
    call_id: Option<Uuid>,
}

impl Row {
    fn parse(self) -> Result<Recording, StoreError> {
        let origin = Origin {
            table: "recordings",
            id: self.id,
        };
        Ok(Recording {
            id: RecordingId::from_uuid(self.id),
            tenant_id: TenantId::from_uuid(self.tenant_id),
            instance_id: InstanceId::from_uuid(self.instance_id),
            path: origin.text("path", &self.path)?,
            bytes: self.bytes,
            written_at: origin.time("written_at", self.written_at)?,
            call_id: self.call_id.map(CallRecordId::from_uuid),
        })
    }
}

/// Keeps a recording that was found, or what has become of it; whose it is never changes.
pub async fn put(
    tx: &mut Tx,
    id: RecordingId,
    tenant: TenantId,
    instance: InstanceId,
    found: &FoundRecording,
) -> Result<(), StoreError> {
    let channel = found.path.channel();
    run!(
        tx,
        execute(
            PUT,
            id.uuid(),
            tenant.uuid(),
            instance.uuid(),
            found.path.as_str(),
            channel.as_ref().map(PbxCallId::as_str),
            found.bytes,
            found.written_at.as_microsecond(),
        )
    )?;
    Ok(())
}

/// The next that are known of an instance, by path: their length and when they were written. No more than 1,000; none once all
/// were given.
pub async fn known(
    tx: &mut Tx,
    instance: InstanceId,
    after: Option<&RecordingPath>,
) -> Result<Vec<FoundRecording>, StoreError> {
    let origin = Origin {
        table: "recordings",
        id: instance,
    };
    let after = after.map_or("", RecordingPath::as_str);
    let rows = run!(
        tx,
        fetch_all::<(String, i64, i64)>(KNOWN, instance.uuid(), after, PORTION)
    )?;
    rows.into_iter()
        .map(|(path, bytes, written_at)| {
            Ok(FoundRecording {
                path: origin.text("path", &path)?,
                bytes,
                written_at: origin.time("written_at", written_at)?,
            })
        })
        .collect()
}

/// Which tenant that has or had this domain a channel's call was of, as far as records tell; none where it was of several.
pub async fn whose(
    tx: &mut Tx,
    instance: InstanceId,
    channel: &PbxCallId,
    domain: &SipDomain,
) -> Result<Option<TenantId>, StoreError> {
    let rows = run!(
        tx,
        fetch_all::<(Uuid,)>(WHOSE, channel.as_str(), instance.uuid(), domain.as_str())
    )?;
    Ok(match rows.as_slice() {
        [(id,)] => Some(TenantId::from_uuid(*id)),
        _ => None,
    })
}

/// By what the directory of a PBX's recordings is known again; none where it never was.
pub async fn landmark(tx: &mut Tx, instance: InstanceId) -> Result<Option<String>, StoreError> {
    let found = run!(tx, fetch_optional::<(Option<String>,)>(LANDMARK, instance.uuid()))?;
    Ok(found.and_then(|(landmark,)| landmark))
}

/// Keeps that.
pub async fn set_landmark(tx: &mut Tx, instance: InstanceId, landmark: &str) -> Result<(), StoreError> {
    run!(tx, execute(SET_LANDMARK, instance.uuid(), landmark))?;
    Ok(())
}

/// Forgets one whose file is not there any more.
pub async fn lose(tx: &mut Tx, instance: InstanceId, path: &RecordingPath) -> Result<(), StoreError> {
    run!(tx, execute(LOSE, instance.uuid(), path.as_str()))?;
    Ok(())
}

/// Forgets all of an instance that goes.
pub(super) async fn lose_all(tx: &mut Tx, instance: InstanceId) -> Result<(), StoreError> {
    run!(tx, execute(LOSE_ALL, instance.uuid()))?;
    Ok(())
}

/// The next of a tenant that are on an instance, the oldest first, each with where it stands among them. No more than 1,000;
/// none once all were given.
pub async fn of_tenant(
    tx: &mut Tx,
    tenant: TenantId,
    instance: InstanceId,
    after: Option<CallCursor>,
) -> Result<Vec<(CallCursor, RecordingPath)>, StoreError> {
    let (at, id) = after.map_or((i64::MIN, Uuid::nil()), |cursor| {
        (cursor.at.as_microsecond(), cursor.id)
    });
    let rows = run!(
        tx,
        fetch_all::<(Uuid, String, i64)>(OF_TENANT, tenant.uuid(), instance.uuid(), at, id, PORTION)
    )?;
    rows.into_iter()
        .map(|(id, path, written_at)| {
            let origin = Origin {
                table: "recordings",
                id,
            };
            let at = origin.time("written_at", written_at)?;
            Ok((CallCursor { at, id }, origin.text("path", &path)?))
        })
        .collect()
}

/// How many recordings a tenant has on an instance.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Held {
    /// Which tenant.
    pub tenant: TenantId,
    /// As people call it.
    pub name: TenantName,
    /// Its SIP domain.
    pub domain: SipDomain,
    /// How many are known.
    pub recordings: i64,
}

/// Whose recordings are known to be on an instance, and how many, by the tenants' names.
pub async fn by_tenant(tx: &mut Tx, instance: InstanceId) -> Result<Vec<Held>, StoreError> {
    let rows = run!(
        tx,
        fetch_all::<(Uuid, String, String, i64)>(BY_TENANT, instance.uuid())
    )?;
    rows.into_iter()
        .map(|(id, name, domain, recordings)| {
            let origin = Origin { table: "tenants", id };
            Ok(Held {
                tenant: TenantId::from_uuid(id),
                name: origin.text("name", &name)?,
                domain: origin.text("domain", &domain)?,
                recordings,
            })
        })
        .collect()
}

/// How many of a tenant are on other hosts than this.
pub async fn elsewhere(tx: &mut Tx, tenant: TenantId, node: &NodeName) -> Result<i64, StoreError> {
    let (count,) = run!(tx, fetch_one::<(i64,)>(ELSEWHERE, tenant.uuid(), node.as_str()))?;
    Ok(count)
}

/// One recording of the tenant, if its call may be seen.
pub async fn find(
    tx: &mut Tx,
    tenant: TenantId,
    seen: Seen,
    id: RecordingId,
) -> Result<Option<Recording>, StoreError> {
    run!(
        tx,
        fetch_optional::<Row>(FIND, tenant.uuid(), seen.user(), id.uuid())
    )?
    .map(Row::parse)
    .transpose()
}

/// The next of the tenant, behind an id, newest first by their ids: these never change.
pub async fn behind(
    tx: &mut Tx,
    tenant: TenantId,
    after: Option<RecordingId>,
    most: i64,
) -> Result<Vec<Recording>, StoreError> {
    let after = after.map_or(Uuid::max(), RecordingId::uuid);
    let all = Seen::All.user();
    let rows = run!(tx, fetch_all::<Row>(BEHIND, tenant.uuid(), all, after, most))?;
    rows.into_iter().map(Row::parse).collect()
}

/// Keeps others from it until this transaction ends; false when the tenant has no such recording.
pub async fn lock(tx: &mut Tx, tenant: TenantId, id: RecordingId) -> Result<bool, StoreError> {
    let row = run!(tx, fetch_optional::<(Uuid,)>(LOCK, tenant.uuid(), id.uuid()))?;
    Ok(row.is_some())
}

/// Forgets one; false when the tenant has no such recording.
pub async fn delete(tx: &mut Tx, tenant: TenantId, id: RecordingId) -> Result<bool, StoreError> {
    Ok(run!(tx, execute(DELETE, tenant.uuid(), id.uuid()))? == 1)
}

/// One page of the recordings of the tenant that match and whose calls may be seen, newest first.
pub async fn list(
    tx: &mut Tx,
    tenant: TenantId,
    seen: Seen,
    query: &RecordingQuery,
) -> Result<RecordingPage, StoreError> {
    let (at, id) = query.after.map_or((i64::MAX, Uuid::max()), |cursor| {
        (cursor.at.as_microsecond(), cursor.id)
    });
    let rows = run!(
        tx,
        fetch_all::<Row>(
            LIST,
            tenant.uuid(),
            seen.user(),
            query.from.map_or(i64::MIN, Timestamp::as_microsecond),
            until(query.to, at),
            query.call.map(CallRecordId::uuid),
            query.extension.map(ExtensionId::uuid),
            at,
            id,
            query.per_page + 1,
        )
    )?;
    let mut recordings = rows.into_iter().map(Row::parse).collect::<Result<Vec<_>, _>>()?;
    let per_page = usize::try_from(query.per_page).unwrap_or(usize::MAX);
    let more = recordings.len() > per_page;
    recordings.truncate(per_page);
    let next = recordings.last().filter(|_| more).map(|last| CallCursor {
        at: last.written_at,
        id: last.id.uuid(),
    });
    Ok(RecordingPage { recordings, next })
}
