//! Purges and their reports: one tenant's at a time, but for whoever carries them out.

use jiff::Timestamp;
use uuid::Uuid;

use super::row::{Origin, RawJson, storable, to_json};
use super::statement::{run, statements};
use super::{StoreError, Tx};
use crate::domain::ids::{AuditId, InstanceId, PurgeId, TenantId};
use crate::domain::page::{Page, PageRequest};
use crate::domain::purge::{Amount, Batch, Purge, PurgeCursor, PurgePart};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "select p.id, p.tenant_id, p.requested_by, p.requested_at, p.policy, p.counted_from, p.status, p.ended_at \
             from purges p ",
            $rest
        )
    };
}

macro_rules! parts {
    ($rest:literal) => {
        concat!(
            "select position, kind, instance_id, cutoff, found, found_bytes, removed, bytes, kept, detail, after_at, \
             after_id, told_by, ended_at, setbacks, retry_at from purge_parts \
             where purge_id = (select p.id from purges p where p.tenant_id = $1 and p.id = $2) ",
            $rest
        )
    };
}

statements! {
    INSERT = "insert into purges (id, tenant_id, requested_by, requested_at, policy, counted_from, status, ended_at) \
        values ($1, $2, $3, $4, $5, $6, $7, $8)";
    INSERT_PART = "insert into purge_parts (purge_id, position, kind, instance_id, cutoff) values ($1, $2, $3, $4, $5)";
    FIND = select!("where p.tenant_id = $1 and p.id = $2");
    PARTS = parts!("order by position");
    PART = parts!("and position = $3");
    COUNT = "select count(*) from purges where tenant_id = $1";
    LIST = select!("where p.tenant_id = $1 order by p.requested_at desc, p.id desc limit $2 offset $3");
    RUNNING = "select p.tenant_id, p.id from purges p join tenants t on t.id = p.tenant_id \
        where p.ended_at is null and t.status <> 'deleting' order by p.requested_at, p.id";
    RUNNING_OF = "select id from purges where tenant_id = $1 and ended_at is null";
    LAST = "select max(requested_at) from purges where tenant_id = $1";
    BEGIN_PART = "update purge_parts set found = $4, found_bytes = $5, told_by = $6 \
        where purge_id = (select p.id from purges p where p.tenant_id = $1 and p.id = $2) and position = $3 \
        and found is null and ended_at is null";
    NOTE = "update purge_parts set removed = removed + $4, bytes = bytes + $5, kept = kept + $6, \
        detail = coalesce($7, detail), after_at = coalesce($8, after_at), after_id = coalesce($9, after_id), \
        setbacks = case when $4 > 0 then 0 else setbacks end, ended_at = $10 where purge_id = (select p.id from purges p where p.tenant_id = $1 and p.id = $2) \
        and position = $3 and ended_at is null";
    SET_BACK = "update purge_parts set setbacks = setbacks + 1, retry_at = $4 \
        where purge_id = (select p.id from purges p where p.tenant_id = $1 and p.id = $2) and position = $3 \
        and ended_at is null";
    ABANDON = "update purges set status = 'partial', ended_at = $3 where tenant_id = $1 and id = $2 and ended_at is null";
    END = "update purges set status = $3, ended_at = $4 where tenant_id = $1 and id = $2 and ended_at is null";
    PRUNE = "delete from purges where tenant_id = $1 and ended_at is not null and id not in \
        (select id from purges where tenant_id = $1 order by requested_at desc, id desc limit $2)";
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    tenant_id: Uuid,
    requested_by: String,
    requested_at: i64,
    policy: RawJson,
    counted_from: i64,
    status: String,
    ended_at: Option<i64>,
}

impl Row {
    fn parse(self) -> Result<Purge, StoreError> {
        let origin = Origin {
            table: "purges",
            id: self.id,
        };
        let ended_at = self.ended_at.map(|at| origin.time("ended_at", at));
        Ok(Purge {
            id: PurgeId::from_uuid(self.id),
            tenant_id: TenantId::from_uuid(self.tenant_id),
            requested_by: self.requested_by,
            requested_at: origin.time("requested_at", self.requested_at)?,
            policy: origin.json("policy", &self.policy)?,
            time: origin.time("counted_from", self.counted_from)?,
            status: origin.text("status", &self.status)?,
            ended_at: ended_at.transpose()?,
            parts: Vec::new(),
        })
    }
}

#[derive(sqlx::FromRow)]
struct PartRow {
    position: i64,
    kind: String,
    instance_id: Option<Uuid>,
    cutoff: i64,
    found: Option<i64>,
    found_bytes: Option<i64>,
    removed: i64,
    bytes: i64,
    kept: i64,
    detail: Option<String>,
    after_at: Option<i64>,
    after_id: Option<Uuid>,
    told_by: Option<Uuid>,
    ended_at: Option<i64>,
    setbacks: i64,
    retry_at: Option<i64>,
}

impl PartRow {
    fn parse(self, purge: PurgeId) -> Result<PurgePart, StoreError> {
        let origin = Origin {
            table: "purge_parts",
            id: purge,
        };
        let found = self.found.zip(self.found_bytes);
        let after = self.after_at.zip(self.after_id);
        let ended_at = self.ended_at.map(|at| origin.time("ended_at", at));
        let retry_at = self.retry_at.map(|at| origin.time("retry_at", at));
        Ok(PurgePart {
            position: self.position,
            kind: origin.text("kind", &self.kind)?,
            instance_id: self.instance_id.map(InstanceId::from_uuid),
            cutoff: origin.time("cutoff", self.cutoff)?,
            found: found.map(|(found, bytes)| Amount { found, bytes }),
            removed: self.removed,
            bytes: self.bytes,
            kept: self.kept,
            detail: self.detail,
            after: after.map(|(at, id)| PurgeCursor { at, id }),
            told_by: self.told_by.map(AuditId::from_uuid),
            ended_at: ended_at.transpose()?,
            setbacks: self.setbacks,
            retry_at: retry_at.transpose()?,
        })
    }
}

/// Adds a purge with its parts, and forgets the tenant's oldest reports beyond so many; a conflict while another one of the
/// tenant runs.
pub async fn insert(tx: &mut Tx, purge: &Purge, keep: i64) -> Result<(), StoreError> {
    run!(
        tx,
        execute(
            INSERT,
            purge.id.uuid(),
            purge.tenant_id.uuid(),
            storable(&purge.requested_by),
            purge.requested_at.as_microsecond(),
            to_json("purges.policy", &purge.policy)?,
            purge.time.as_microsecond(),
            purge.status.as_str(),
            purge.ended_at.map(Timestamp::as_microsecond),
        )
    )?;
    for part in &purge.parts {
        run!(
            tx,
            execute(
                INSERT_PART,
                purge.id.uuid(),
                part.position,
                part.kind.as_str(),
                part.instance_id.map(InstanceId::uuid),
                part.cutoff.as_microsecond(),
            )
        )?;
    }
    run!(tx, execute(PRUNE, purge.tenant_id.uuid(), keep))?;
    Ok(())
}

/// The tenant's purge with this id.
pub async fn find(tx: &mut Tx, tenant: TenantId, id: PurgeId) -> Result<Option<Purge>, StoreError> {
    let Some(row) = run!(tx, fetch_optional::<Row>(FIND, tenant.uuid(), id.uuid()))? else {
        return Ok(None);
    };
    with_parts(tx, row.parse()?).await.map(Some)
}

async fn with_parts(tx: &mut Tx, mut purge: Purge) -> Result<Purge, StoreError> {
    let rows = run!(
        tx,
        fetch_all::<PartRow>(PARTS, purge.tenant_id.uuid(), purge.id.uuid())
    )?;
    let parts = rows.into_iter().map(|row| row.parse(purge.id));
    purge.parts = parts.collect::<Result<_, _>>()?;
    Ok(purge)
}

/// The tenant's purges without their parts, newest first.
pub async fn list(tx: &mut Tx, tenant: TenantId, page: PageRequest) -> Result<Page<Purge>, StoreError> {
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
pub async fn running(tx: &mut Tx) -> Result<Vec<(TenantId, PurgeId)>, StoreError> {
    let rows = run!(tx, fetch_all::<(Uuid, Uuid)>(RUNNING))?;
    let ids = rows.into_iter();
    Ok(ids
        .map(|(tenant, id)| (TenantId::from_uuid(tenant), PurgeId::from_uuid(id)))
        .collect())
}

/// The one of the tenant that runs.
pub async fn running_of(tx: &mut Tx, tenant: TenantId) -> Result<Option<PurgeId>, StoreError> {
    let row = run!(tx, fetch_optional::<(Uuid,)>(RUNNING_OF, tenant.uuid()))?;
    Ok(row.map(|(id,)| PurgeId::from_uuid(id)))
}

/// When the tenant's last one was asked for.
pub async fn last_requested(tx: &mut Tx, tenant: TenantId) -> Result<Option<Timestamp>, StoreError> {
    let (at,) = run!(tx, fetch_one::<(Option<i64>,)>(LAST, tenant.uuid()))?;
    let origin = Origin {
        table: "purges",
        id: tenant,
    };
    at.map(|at| origin.time("requested_at", at)).transpose()
}

/// A part as it stands.
pub async fn part(
    tx: &mut Tx,
    tenant: TenantId,
    purge: PurgeId,
    position: i64,
) -> Result<Option<PurgePart>, StoreError> {
    let row = run!(
        tx,
        fetch_optional::<PartRow>(PART, tenant.uuid(), purge.uuid(), position)
    )?;
    row.map(|row| row.parse(purge)).transpose()
}

/// Notes what there is to remove; false where the part has begun before.
pub async fn begin_part(
    tx: &mut Tx,
    tenant: TenantId,
    purge: PurgeId,
    position: i64,
    amount: Amount,
    told_by: Option<AuditId>,
) -> Result<bool, StoreError> {
    let told_by = told_by.map(AuditId::uuid);
    let begun = run!(
        tx,
        execute(
            BEGIN_PART,
            tenant.uuid(),
            purge.uuid(),
            position,
            amount.found,
            amount.bytes,
            told_by
        )
    )?;
    Ok(begun == 1)
}

/// Notes what a batch did, in the transaction that does it; false where the part has ended.
pub async fn note(
    tx: &mut Tx,
    tenant: TenantId,
    purge: PurgeId,
    position: i64,
    batch: &Batch,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let noted = run!(
        tx,
        execute(
            NOTE,
            tenant.uuid(),
            purge.uuid(),
            position,
            batch.removed,
            batch.bytes,
            batch.kept,
            batch.detail.as_deref().map(storable),
            batch.after.map(|after| after.at),
            batch.after.map(|after| after.id),
            batch.is_last.then_some(now.as_microsecond()),
        )
    )?;
    Ok(noted == 1)
}

/// Notes that a part failed, and when it is tried again.
pub async fn set_back(
    tx: &mut Tx,
    tenant: TenantId,
    purge: PurgeId,
    position: i64,
    retry_at: Timestamp,
) -> Result<(), StoreError> {
    let at = retry_at.as_microsecond();
    run!(tx, execute(SET_BACK, tenant.uuid(), purge.uuid(), position, at))?;
    Ok(())
}

/// Ends one that cannot be read, so that another one can be asked for; false where it has ended.
pub async fn abandon(
    tx: &mut Tx,
    tenant: TenantId,
    purge: PurgeId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let at = now.as_microsecond();
    Ok(run!(tx, execute(ABANDON, tenant.uuid(), purge.uuid(), at))? == 1)
}

/// Ends a purge; false where it has ended.
pub async fn end(tx: &mut Tx, purge: &Purge, now: Timestamp) -> Result<bool, StoreError> {
    let (tenant, status) = (purge.tenant_id.uuid(), purge.outcome());
    let at = now.as_microsecond();
    let ended = run!(tx, execute(END, tenant, purge.id.uuid(), status.as_str(), at))?;
    Ok(ended == 1)
}
