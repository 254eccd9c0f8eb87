//! Erasures of what a tenant has of a person, and how far each has come: one tenant's at a time, but for whoever carries them out.

use jiff::Timestamp;
use uuid::Uuid;

use super::row::{Origin, RawJson, storable, to_json};
use super::statement::{run, statements};
use super::{StoreError, Tx};
use crate::domain::erasure::{Erased, Erasure, ErasurePart, Marks};
use crate::domain::ids::{ErasureId, InstanceId, TenantId};
use crate::domain::page::{Page, PageRequest};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "select e.id, e.tenant_id, e.requested_by, e.requested_at, e.subject, e.marks, e.call_records, e.preview, \
             e.status, e.run_by, e.run_at, e.noted_at, e.failures, e.failing_since, e.ended_at from erasures e ",
            $rest
        )
    };
}

macro_rules! parts {
    ($rest:literal) => {
        concat!(
            "select position, place, instance_id, found, erased, bytes, kept, detail, unseen, ended_at from erasure_parts \
             where erasure_id = (select e.id from erasures e where e.tenant_id = $1 and e.id = $2) ",
            $rest
        )
    };
}

statements! {
    INSERT = "insert into erasures (id, tenant_id, requested_by, requested_at, subject, marks, call_records, preview, status) \
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    FIND = select!("where e.tenant_id = $1 and e.id = $2");
    PARTS = parts!("order by position");
    PART = parts!("and position = $3");
    COUNT = "select count(*) from erasures where tenant_id = $1";
    LIST = select!("where e.tenant_id = $1 order by e.requested_at desc, e.id desc limit $2 offset $3");
    RUNNING = "select e.tenant_id, e.id from erasures e join tenants t on t.id = e.tenant_id \
        where e.status = 'running' and t.status <> 'deleting' order by e.run_at, e.id";
    RUNNING_OF = "select id from erasures where tenant_id = $1 and status = 'running'";
    // While one runs, nothing is gone before it is noted; and what begins later is not noted.
    LAST_NOTED = "select max(coalesce(noted_at, run_at)) from erasures where tenant_id = $1 and run_at is not null";
    RUN = "update erasures set status = 'running', run_by = $3, run_at = $4, noted_at = null, failures = 0, failing_since = null, \
        ended_at = null, marks = $5 \
        where tenant_id = $1 and id = $2 and status in ('open', 'partial')";
    IS_TO_NOTE = "select cast(1 as bigint) from erasures where tenant_id = $1 and id = $2 and status = 'running' \
        and noted_at is null and run_at = $3";
    NOTED = "update erasures set noted_at = $3 where tenant_id = $1 and id = $2 and status = 'running' and noted_at is null";
    PUT_PART = "insert into erasure_parts (erasure_id, position, place, instance_id) \
        select e.id, $3, $4, $5 from erasures e where e.tenant_id = $1 and e.id = $2 \
        on conflict (erasure_id, position) do update set found = null, kept = 0, detail = null, unseen = false, \
        ended_at = null";
    // What was erased before counts as found once more.
    LOOKED = "update erasure_parts set found = erased + $4 \
        where erasure_id = (select e.id from erasures e where e.tenant_id = $1 and e.id = $2) and position = $3";
    NOTE = "update erasure_parts set erased = erased + $4, bytes = bytes + $5, kept = kept + $6, \
        detail = coalesce($7, detail), unseen = (unseen or $8), ended_at = $9 \
        where erasure_id = (select e.id from erasures e where e.tenant_id = $1 and e.id = $2) and position = $3 \
        and ended_at is null";
    FARES_WELL = "update erasures set failures = 0, failing_since = null where tenant_id = $1 and id = $2 and failures > 0";
    END = "update erasures set status = $3, ended_at = $4 where tenant_id = $1 and id = $2 and status = 'running'";
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    tenant_id: Uuid,
    requested_by: String,
    requested_at: i64,
    subject: RawJson,
    marks: Option<RawJson>,
    call_records: String,
    preview: RawJson,
    status: String,
    run_by: Option<String>,
    run_at: Option<i64>,
    noted_at: Option<i64>,
    failures: i64,
    failing_since: Option<i64>,
    ended_at: Option<i64>,
}

impl Row {
    fn parse(self) -> Result<Erasure, StoreError> {
        let origin = Origin {
            table: "erasures",
            id: self.id,
        };
        let marks = self.marks.map(|marks| origin.json("marks", &marks));
        let run_at = self.run_at.map(|at| origin.time("run_at", at));
        let noted_at = self.noted_at.map(|at| origin.time("noted_at", at));
        let failing_since = self.failing_since.map(|at| origin.time("failing_since", at));
        let ended_at = self.ended_at.map(|at| origin.time("ended_at", at));
        Ok(Erasure {
            id: ErasureId::from_uuid(self.id),
            tenant_id: TenantId::from_uuid(self.tenant_id),
            requested_by: self.requested_by,
            requested_at: origin.time("requested_at", self.requested_at)?,
            subject: origin.json("subject", &self.subject)?,
            marks: marks.transpose()?,
            call_records: origin.text("call_records", &self.call_records)?,
            preview: origin.json("preview", &self.preview)?,
            status: origin.text("status", &self.status)?,
            run_by: self.run_by,
            run_at: run_at.transpose()?,
            noted_at: noted_at.transpose()?,
            failures: self.failures,
            failing_since: failing_since.transpose()?,
            ended_at: ended_at.transpose()?,
            parts: Vec::new(),
        })
    }
}

#[derive(sqlx::FromRow)]
struct PartRow {
    position: i64,
    place: String,
    instance_id: Option<Uuid>,
    found: Option<i64>,
    erased: i64,
    bytes: i64,
    kept: i64,
    detail: Option<String>,
    unseen: bool,
    ended_at: Option<i64>,
}

impl PartRow {
    fn parse(self, erasure: ErasureId) -> Result<ErasurePart, StoreError> {
        let origin = Origin {
            table: "erasure_parts",
            id: erasure,
        };
        let ended_at = self.ended_at.map(|at| origin.time("ended_at", at));
        Ok(ErasurePart {
            position: self.position,
            place: origin.text("place", &self.place)?,
            instance_id: self.instance_id.map(InstanceId::from_uuid),
            found: self.found,
            erased: self.erased,
            bytes: self.bytes,
            kept: self.kept,
            detail: self.detail,
            unseen: self.unseen,
            ended_at: ended_at.transpose()?,
        })
    }
}

/// Adds an erasure that is to be run.
pub async fn insert(tx: &mut Tx, erasure: &Erasure) -> Result<(), StoreError> {
    let marks = erasure.marks.as_ref();
    let marks = marks.map(|marks| to_json("erasures.marks", marks)).transpose()?;
    run!(
        tx,
        execute(
            INSERT,
            erasure.id.uuid(),
            erasure.tenant_id.uuid(),
            storable(&erasure.requested_by),
            erasure.requested_at.as_microsecond(),
            to_json("erasures.subject", &erasure.subject)?,
            marks,
            erasure.call_records.as_str(),
            to_json("erasures.preview", &erasure.preview)?,
            erasure.status.as_str(),
        )
    )?;
    Ok(())
}

/// The tenant's erasure with this id.
pub async fn find(tx: &mut Tx, tenant: TenantId, id: ErasureId) -> Result<Option<Erasure>, StoreError> {
    let Some(row) = run!(tx, fetch_optional::<Row>(FIND, tenant.uuid(), id.uuid()))? else {
        return Ok(None);
    };
    let mut erasure = row.parse()?;
    let rows = run!(tx, fetch_all::<PartRow>(PARTS, tenant.uuid(), id.uuid()))?;
    let parts = rows.into_iter().map(|row| row.parse(id));
    erasure.parts = parts.collect::<Result<_, _>>()?;
    Ok(Some(erasure))
}

/// The tenant's erasures without their parts, newest first.
pub async fn list(tx: &mut Tx, tenant: TenantId, page: PageRequest) -> Result<Page<Erasure>, StoreError> {
    let (total,) = run!(tx, fetch_one::<(i64,)>(COUNT, tenant.uuid()))?;
    let rows = run!(
        tx,
        fetch_all::<Row>(LIST, tenant.uuid(), page.per_page(), page.offset())
    )?;
    Ok(Page {
        items: rows.into_iter().map(Row::parse).collect::<Result<_, _>>()?,
        total,
        request: page,
    })
}

/// All that run, of whichever tenant but those that are to go, oldest first. By their ids: one that cannot be read keeps none
/// of the others.
pub async fn running(tx: &mut Tx) -> Result<Vec<(TenantId, ErasureId)>, StoreError> {
    let rows = run!(tx, fetch_all::<(Uuid, Uuid)>(RUNNING))?;
    let ids = rows.into_iter();
    Ok(ids
        .map(|(tenant, id)| (TenantId::from_uuid(tenant), ErasureId::from_uuid(id)))
        .collect())
}

/// The one of the tenant that runs.
pub async fn running_of(tx: &mut Tx, tenant: TenantId) -> Result<Option<ErasureId>, StoreError> {
    let row = run!(tx, fetch_optional::<(Uuid,)>(RUNNING_OF, tenant.uuid()))?;
    Ok(row.map(|(id,)| ErasureId::from_uuid(id)))
}

/// Until when calls may have begun from which the tenant's erasures took somebody; none where none was run.
pub async fn last_noted(tx: &mut Tx, tenant: TenantId) -> Result<Option<Timestamp>, StoreError> {
    let (at,) = run!(tx, fetch_one::<(Option<i64>,)>(LAST_NOTED, tenant.uuid()))?;
    let origin = Origin {
        table: "erasures",
        id: tenant,
    };
    at.map(|at| origin.time("noted_at", at)).transpose()
}

/// Has one run that is open or has kept something, by what the person is known by now; false where it is neither.
pub async fn run(
    tx: &mut Tx,
    tenant: TenantId,
    id: ErasureId,
    by: &str,
    marks: &Marks,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let (at, marks) = (now.as_microsecond(), to_json("erasures.marks", marks)?);
    let begun = run!(
        tx,
        execute(RUN, tenant.uuid(), id.uuid(), storable(by), at, marks)
    )?;
    Ok(begun == 1)
}

/// Whether what there is is still to be noted, of the run that began then.
pub async fn is_to_note(tx: &mut Tx, erasure: &Erasure) -> Result<bool, StoreError> {
    let (tenant, id) = (erasure.tenant_id.uuid(), erasure.id.uuid());
    let run_at = erasure.run_at.map(Timestamp::as_microsecond);
    let row = run!(tx, fetch_optional::<(i64,)>(IS_TO_NOTE, tenant, id, run_at))?;
    Ok(row.is_some())
}

/// Says that what there is is noted from here on; false where somebody has done so.
pub async fn noted(tx: &mut Tx, tenant: TenantId, id: ErasureId, now: Timestamp) -> Result<bool, StoreError> {
    let at = now.as_microsecond();
    Ok(run!(tx, execute(NOTED, tenant.uuid(), id.uuid(), at))? == 1)
}

/// Adds a part that nobody has looked at so far, or begins one again that has ended.
pub async fn put_part(
    tx: &mut Tx,
    tenant: TenantId,
    id: ErasureId,
    part: &ErasurePart,
) -> Result<(), StoreError> {
    let instance = part.instance_id.map(InstanceId::uuid);
    run!(
        tx,
        execute(
            PUT_PART,
            tenant.uuid(),
            id.uuid(),
            part.position,
            part.place.as_str(),
            instance
        )
    )?;
    Ok(())
}

/// Notes how much is left to erase of a part.
pub async fn looked(
    tx: &mut Tx,
    tenant: TenantId,
    id: ErasureId,
    position: i64,
    left: i64,
) -> Result<(), StoreError> {
    run!(tx, execute(LOOKED, tenant.uuid(), id.uuid(), position, left))?;
    Ok(())
}

/// A part as it stands.
pub async fn part(
    tx: &mut Tx,
    tenant: TenantId,
    id: ErasureId,
    position: i64,
) -> Result<Option<ErasurePart>, StoreError> {
    let row = run!(
        tx,
        fetch_optional::<PartRow>(PART, tenant.uuid(), id.uuid(), position)
    )?;
    row.map(|row| row.parse(id)).transpose()
}

/// Notes what was erased, in the transaction that erases it; false where the part has ended.
pub async fn note(
    tx: &mut Tx,
    tenant: TenantId,
    id: ErasureId,
    position: i64,
    erased: &Erased,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let noted = run!(
        tx,
        execute(
            NOTE,
            tenant.uuid(),
            id.uuid(),
            position,
            erased.erased,
            erased.bytes,
            erased.kept,
            erased.detail.as_deref().map(storable),
            erased.unseen,
            erased.is_last.then_some(now.as_microsecond()),
        )
    )?;
    // It does not fail without an end.
    if erased.erased > 0 {
        run!(tx, execute(FARES_WELL, tenant.uuid(), id.uuid()))?;
    }
    Ok(noted == 1)
}

/// Ends an erasure; false where it has ended.
pub async fn end(tx: &mut Tx, erasure: &Erasure, now: Timestamp) -> Result<bool, StoreError> {
    let (tenant, status) = (erasure.tenant_id.uuid(), erasure.outcome());
    let at = now.as_microsecond();
    let ended = run!(tx, execute(END, tenant, erasure.id.uuid(), status.as_str(), at))?;
    Ok(ended == 1)
}
