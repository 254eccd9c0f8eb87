//! Generations of an instance: which revision of each tenant it served.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use uuid::Uuid;

use super::row::Origin;
use super::statement::{insert_rows, run, statements};
use super::{StoreError, Tx};
use crate::domain::artifact::Artifact;
use crate::domain::digest::Digest;
use crate::domain::generation::Generation;
use crate::domain::ids::{GenerationId, InstanceId, RevisionId, TenantId};
use crate::domain::page::{Page, PageRequest};

const TABLE: &str = "generations";

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "select id, instance_id, number, template_digest, settings_revision, marker_salt, created_at \
             from generations ",
            $rest
        )
    };
}

statements! {
    INSERT = "insert into generations (id, instance_id, number, template_digest, settings_revision, marker_salt, \
        created_at) values ($1, $2, $3, $4, $5, $6, $7)";
    INSERT_TENANTS = "insert into generation_tenants (generation_id, tenant_id, revision_id) values {rows}", 3;
    FIND = select!("where instance_id = $1 and id = $2");
    FIND_BY_NUMBER = select!("where instance_id = $1 and number = $2");
    TENANTS = "select tenant_id, revision_id from generation_tenants where generation_id = $1";
    TENANT = "select tenant_id, revision_id from generation_tenants where generation_id = $1 and tenant_id = $2";
    FILES = "select file, digest from generation_files where generation_id = $1";
    PUT_FILES = "insert into generation_files (generation_id, file, digest) values {rows} \
        on conflict (generation_id, file) do update set digest = excluded.digest", 3;
    TOMBSTONES = "select tenant_id from generation_tombstones where generation_id = $1 order by tenant_id";
    NEXT_NUMBER = "update instances set last_generation = last_generation + 1 where id = $1 returning last_generation";
    SET_LIVE = "update generations set live_at = $2 where id = $1 and live_at is null";
    WAS_LIVE = "select count(*) from generations where id = $1 and live_at is not null";
    PRUNE = "delete from generations where instance_id = $1 and live_at is not null \
        and id not in (select id from generations where instance_id = $1 and live_at is not null \
            order by number desc limit $2) \
        and not exists (select 1 from instances i where i.id = $1 \
            and (i.live_generation_id = generations.id or i.applying_generation_id = generations.id))";
    FORGET_ATTEMPTS = "delete from generations where instance_id = $1 and live_at is null \
        and not exists (select 1 from instances i where i.id = $1 and i.applying_generation_id = generations.id) \
        and not exists (select 1 from deployments d where d.generation_id = generations.id and d.ended_at is null)";
    COUNT = "select count(*) from generations where instance_id = $1";
    LIST = "select g.id, g.number, g.template_digest, g.settings_revision, g.created_at, \
        (select count(*) from generation_tenants t where t.generation_id = g.id) as tenants \
        from generations g where g.instance_id = $1 order by g.number desc limit $2 offset $3";
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    instance_id: Uuid,
    number: i64,
    template_digest: String,
    settings_revision: i64,
    marker_salt: i64,
    created_at: i64,
}

#[derive(sqlx::FromRow)]
struct SummaryRow {
    id: Uuid,
    number: i64,
    template_digest: String,
    settings_revision: i64,
    created_at: i64,
    tenants: i64,
}

/// A generation with the number of its tenants instead of their revisions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GenerationSummary {
    /// Its id.
    pub id: GenerationId,
    /// Counts from 1 in each instance.
    pub number: i64,
    /// The template set that renders it.
    pub template_digest: Digest,
    /// The instance's settings it was made with.
    pub settings_revision: i64,
    /// How many tenants it serves.
    pub tenants: i64,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Adds a generation. Its template set must be kept, its tenants' revisions taken; a number that is used is
/// a conflict.
pub async fn insert(tx: &mut Tx, generation: &Generation) -> Result<(), StoreError> {
    run!(
        tx,
        execute(
            INSERT,
            generation.id.uuid(),
            generation.instance_id.uuid(),
            generation.number,
            generation.template_digest.to_string(),
            generation.settings_revision,
            generation.marker_salt,
            generation.created_at.as_microsecond(),
        )
    )?;
    let id = generation.id.uuid();
    let tenants: Vec<(&TenantId, &RevisionId)> = generation.tenants.iter().collect();
    insert_rows!(tx, INSERT_TENANTS, tenants, |(tenant, revision)| (
        id,
        tenant.uuid(),
        revision.uuid()
    ))?;
    Ok(())
}

/// The instance's generation with this id.
pub async fn find(
    tx: &mut Tx,
    instance: InstanceId,
    id: GenerationId,
) -> Result<Option<Generation>, StoreError> {
    let row = run!(tx, fetch_optional::<Row>(FIND, instance.uuid(), id.uuid()))?;
    with_tenants(tx, row).await
}

/// The same with the entries of a few tenants only.
pub async fn find_with(
    tx: &mut Tx,
    instance: InstanceId,
    id: GenerationId,
    tenants: &BTreeSet<TenantId>,
) -> Result<Option<Generation>, StoreError> {
    let Some(row) = run!(tx, fetch_optional::<Row>(FIND, instance.uuid(), id.uuid()))? else {
        return Ok(None);
    };
    let mut entries = Vec::new();
    for tenant in tenants {
        let entry = run!(
            tx,
            fetch_optional::<(Uuid, Uuid)>(TENANT, id.uuid(), tenant.uuid())
        )?;
        entries.extend(entry);
    }
    row.with(entries).map(Some)
}

/// The instance's generation with this number.
pub async fn find_by_number(
    tx: &mut Tx,
    instance: InstanceId,
    number: i64,
) -> Result<Option<Generation>, StoreError> {
    let row = run!(tx, fetch_optional::<Row>(FIND_BY_NUMBER, instance.uuid(), number))?;
    with_tenants(tx, row).await
}

async fn with_tenants(tx: &mut Tx, row: Option<Row>) -> Result<Option<Generation>, StoreError> {
    let Some(row) = row else { return Ok(None) };
    let entries = run!(tx, fetch_all::<(Uuid, Uuid)>(TENANTS, row.id))?;
    row.with(entries).map(Some)
}

impl Row {
    /// The generation with these entries: tenant and revision.
    fn with(self, entries: Vec<(Uuid, Uuid)>) -> Result<Generation, StoreError> {
        let origin = Origin {
            table: TABLE,
            id: self.id,
        };
        Ok(Generation {
            id: GenerationId::from_uuid(self.id),
            instance_id: InstanceId::from_uuid(self.instance_id),
            number: self.number,
            template_digest: origin.text("template_digest", &self.template_digest)?,
            settings_revision: self.settings_revision,
            marker_salt: self.marker_salt,
            tenants: entries
                .into_iter()
                .map(|(tenant, revision)| (TenantId::from_uuid(tenant), RevisionId::from_uuid(revision)))
                .collect(),
            created_at: origin.time("created_at", self.created_at)?,
        })
    }
}

/// Notes the digest of each file of a generation as it was written.
pub async fn put_files(
    tx: &mut Tx,
    id: GenerationId,
    files: &BTreeMap<Artifact, Digest>,
) -> Result<(), StoreError> {
    let rows: Vec<(&Artifact, &Digest)> = files.iter().collect();
    insert_rows!(tx, PUT_FILES, rows, |(file, digest)| (
        id.uuid(),
        file.as_str(),
        digest.to_string()
    ))?;
    Ok(())
}

/// The digest of each file of a generation as it was written; empty where none was noted.
pub async fn files(tx: &mut Tx, id: GenerationId) -> Result<BTreeMap<Artifact, Digest>, StoreError> {
    let origin = Origin {
        table: "generation_files",
        id: id.uuid(),
    };
    run!(tx, fetch_all::<(String, String)>(FILES, id.uuid()))?
        .into_iter()
        .map(|(file, digest)| Ok((origin.text("file", &file)?, origin.text("digest", &digest)?)))
        .collect()
}

/// The tenants that a generation served and that were deleted since.
pub async fn deleted_tenants(tx: &mut Tx, id: GenerationId) -> Result<Vec<TenantId>, StoreError> {
    let rows = run!(tx, fetch_all::<(Uuid,)>(TOMBSTONES, id.uuid()))?;
    Ok(rows
        .into_iter()
        .map(|(tenant,)| TenantId::from_uuid(tenant))
        .collect())
}

/// The number of the instance's next generation; none is given twice. Only the holder of the instance's lease makes one.
pub async fn next_number(tx: &mut Tx, instance: InstanceId) -> Result<i64, StoreError> {
    let next = run!(tx, fetch_optional::<(i64,)>(NEXT_NUMBER, instance.uuid()))?;
    let statement = NEXT_NUMBER.name;
    next.map(|(number,)| number)
        .ok_or(StoreError::Reference { statement })
}

/// Notes that a generation was proven to run; the first time counts.
pub async fn set_live(tx: &mut Tx, id: GenerationId, now: Timestamp) -> Result<(), StoreError> {
    run!(tx, execute(SET_LIVE, id.uuid(), now.as_microsecond()))?;
    Ok(())
}

/// Whether a generation was ever proven to run.
pub async fn was_live(tx: &mut Tx, id: GenerationId) -> Result<bool, StoreError> {
    let (count,) = run!(tx, fetch_one::<(i64,)>(WAS_LIVE, id.uuid()))?;
    Ok(count > 0)
}

/// Forgets all but the newest `keep` generations that ever ran, and never the one that is live or being applied. Answers
/// how many went.
pub async fn prune(tx: &mut Tx, instance: InstanceId, keep: u32) -> Result<u64, StoreError> {
    run!(tx, execute(PRUNE, instance.uuid(), i64::from(keep)))
}

/// Forgets the generations that never ran, once nothing is to come of them any more: none of a deployment that has not
/// ended, and never the one that is being applied. Answers how many went.
pub async fn forget_attempts(tx: &mut Tx, instance: InstanceId) -> Result<u64, StoreError> {
    run!(tx, execute(FORGET_ATTEMPTS, instance.uuid()))
}

/// The instance's generations, newest first.
pub async fn list(
    tx: &mut Tx,
    instance: InstanceId,
    page: PageRequest,
) -> Result<Page<GenerationSummary>, StoreError> {
    let (total,) = run!(tx, fetch_one::<(i64,)>(COUNT, instance.uuid()))?;
    let rows = run!(
        tx,
        fetch_all::<SummaryRow>(LIST, instance.uuid(), page.per_page(), page.offset())
    )?;
    let items = rows
        .into_iter()
        .map(|row| {
            let origin = Origin {
                table: TABLE,
                id: row.id,
            };
            Ok(GenerationSummary {
                id: GenerationId::from_uuid(row.id),
                number: row.number,
                template_digest: origin.text("template_digest", &row.template_digest)?,
                settings_revision: row.settings_revision,
                tenants: row.tenants,
                created_at: origin.time("created_at", row.created_at)?,
            })
        })
        .collect::<Result<_, StoreError>>()?;
    Ok(Page {
        items,
        total,
        request: page,
    })
}
