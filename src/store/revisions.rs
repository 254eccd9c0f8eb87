//! Revisions, and the head that they are taken of.

use jiff::Timestamp;
use uuid::Uuid;

use super::row::{Origin, RawJson, to_json};
use super::statement::{run, statements};
use super::{StoreError, Tx, domains, extensions, tenants};
use crate::domain::digest::Digest;
use crate::domain::ids::{RevisionId, TenantId};
use crate::domain::page::{Page, PageRequest};
use crate::domain::revision::{ExtensionConfig, Revision, TenantConfig};

const TABLE: &str = "revisions";

/// Revisions that are removed in one transaction: each may be as large as all of the tenant's configuration.
pub const PORTION: u32 = 20;

/// Revisions `r` that nothing will ask for. `$lapsed`: a lease that ended before this is held by nobody, whatever clock its
/// holder goes by.
///
/// A deploy that is to serve a revision names it, and its generation names all that it serves. The heads that a deploy of a
/// whole instance takes are named by nothing but their tenants until it has planned, and by nothing at all where these are
/// edited, or given another instance, meanwhile: so none of any tenant goes while such a plan is being worked out.
macro_rules! unneeded {
    ($lapsed:literal) => {
        concat!(
            "not exists (select 1 from generation_tenants g where g.tenant_id = r.tenant_id and g.revision_id = r.id) \
             and not exists (select 1 from served s where s.tenant_id = r.tenant_id and s.revision_id = r.id) \
             and not exists (select 1 from tenants t where t.id = r.tenant_id and t.head_revision_id = r.id) \
             and not exists (select 1 from deployments d where d.tenant_id = r.tenant_id and d.revision_id = r.id \
             and d.ended_at is null) \
             and not exists (select 1 from leases l cross join deployments d where l.expires_at > ",
            $lapsed,
            " and d.instance_id = l.instance_id and d.ended_at is null and d.scope = 'platform' and d.status = 'planning')"
        )
    };
}

statements! {
    INSERT = "insert into revisions (id, tenant_id, number, digest, config, created_at) \
        values ($1, $2, $3, $4, $5, $6)";
    FIND = "select id, tenant_id, number, digest, config, created_at from revisions \
        where tenant_id = $1 and id = $2";
    FIND_BY_DIGEST = "select id, tenant_id, number, digest, config, created_at from revisions \
        where tenant_id = $1 and digest = $2";
    // A daemon of a former version may have taken some meanwhile, and counted none.
    NEXT_NUMBER = "update tenants set last_revision = 1 + (select case when tenants.last_revision > coalesce(max(r.number), 0) \
        then tenants.last_revision else coalesce(max(r.number), 0) end from revisions r where r.tenant_id = $1) \
        where id = $1 returning last_revision";
    COUNT = "select count(*) from revisions where tenant_id = $1";
    LIST = "select id, number, digest, created_at from revisions where tenant_id = $1 \
        order by number desc limit $2 offset $3";
    WITH_UNNEEDED = concat!("select r.tenant_id from revisions r where r.tenant_id > $1 and ", unneeded!("$2"),
        " order by r.tenant_id limit 1");
    FORGET_UNNEEDED = concat!("delete from revisions where tenant_id = $1 and id in \
        (select r.id from revisions r where r.tenant_id = $1 and ", unneeded!("$2"), " order by r.number limit $3)");
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    tenant_id: Uuid,
    number: i64,
    digest: String,
    config: RawJson,
    created_at: i64,
}

impl Row {
    fn parse(self) -> Result<Revision, StoreError> {
        let origin = Origin {
            table: TABLE,
            id: self.id,
        };
        Ok(Revision {
            id: RevisionId::from_uuid(self.id),
            tenant_id: TenantId::from_uuid(self.tenant_id),
            number: self.number,
            digest: origin.text("digest", &self.digest)?,
            config: origin.json("config", &self.config)?,
            created_at: origin.time("created_at", self.created_at)?,
        })
    }
}

/// A revision without its configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RevisionSummary {
    /// Its id.
    pub id: RevisionId,
    /// Counts from 1 in each tenant; none is given twice.
    pub number: i64,
    /// Of the configuration.
    pub digest: Digest,
    /// When it was taken.
    pub created_at: Timestamp,
}

/// The configuration as it is edited now: what a new revision would hold. None when there is no such tenant.
///
/// In a transaction of [`Store::read`](super::Store::read) all of it is of the same moment.
pub async fn head(tx: &mut Tx, tenant: TenantId) -> Result<Option<TenantConfig>, StoreError> {
    let Some(found) = tenants::find(tx, tenant).await? else {
        return Ok(None);
    };
    let extensions = extensions::all(tx, tenant)
        .await?
        .into_iter()
        .map(|extension| ExtensionConfig {
            id: extension.id,
            number: extension.number,
            settings: extension.settings,
        });
    Ok(Some(TenantConfig {
        name: found.name,
        domain: found.domain,
        aliases: domains::aliases(tx, tenant).await?,
        timezone: found.timezone,
        recording: found.recording,
        notice: found.notice,
        extensions: extensions.collect(),
    }))
}

/// The revision that the head equals: the one that was taken since the last edit, or one that is taken now, with the id
/// `fresh` if no other holds the same. None when there is no such tenant.
pub async fn take_head(
    tx: &mut Tx,
    tenant: TenantId,
    fresh: RevisionId,
    now: Timestamp,
) -> Result<Option<RevisionId>, StoreError> {
    // Nobody may edit it between the reading and the note of what was read.
    tenants::lock(tx, tenant).await?;
    let Some(state) = tenants::state_of(tx, tenant).await? else {
        return Ok(None);
    };
    if let Some(known) = state.head_revision {
        return Ok(Some(known));
    }
    let Some(config) = head(tx, tenant).await? else {
        return Ok(None);
    };
    let revision = take(tx, tenant, &config, fresh, now).await?;
    tenants::set_head_revision(tx, tenant, revision.id).await?;
    Ok(Some(revision.id))
}

/// Keeps a copy of a configuration: the revision that holds an equal one, or a new one with the id `fresh`.
pub async fn take(
    tx: &mut Tx,
    tenant: TenantId,
    config: &TenantConfig,
    fresh: RevisionId,
    now: Timestamp,
) -> Result<Revision, StoreError> {
    let digest = config.digest().map_err(|source| StoreError::Unwritable {
        what: "revisions.config",
        source,
    })?;
    // Somebody else may be taking the same one, or the same number, or removing it.
    tenants::lock(tx, tenant).await?;
    if let Some(revision) = find_by_digest(tx, tenant, digest).await? {
        domains::note_tenures(tx, &revision).await?;
        return Ok(revision);
    }
    let next = run!(tx, fetch_optional::<(i64,)>(NEXT_NUMBER, tenant.uuid()))?;
    let statement = NEXT_NUMBER.name;
    let (number,) = next.ok_or(StoreError::Reference { statement })?;
    let revision = Revision {
        id: fresh,
        tenant_id: tenant,
        number,
        digest,
        config: config.clone(),
        created_at: now,
    };
    run!(
        tx,
        execute(
            INSERT,
            fresh.uuid(),
            tenant.uuid(),
            revision.number,
            digest.to_string(),
            to_json("revisions.config", config)?,
            now.as_microsecond(),
        )
    )?;
    domains::note(tx, &revision).await?;
    Ok(revision)
}

/// The tenant's revision whose configuration has this digest.
pub async fn find_by_digest(
    tx: &mut Tx,
    tenant: TenantId,
    digest: Digest,
) -> Result<Option<Revision>, StoreError> {
    run!(
        tx,
        fetch_optional::<Row>(FIND_BY_DIGEST, tenant.uuid(), digest.to_string())
    )?
    .map(Row::parse)
    .transpose()
}

/// The tenant's revision with this id.
pub async fn find(tx: &mut Tx, tenant: TenantId, id: RevisionId) -> Result<Option<Revision>, StoreError> {
    run!(tx, fetch_optional::<Row>(FIND, tenant.uuid(), id.uuid()))?
        .map(Row::parse)
        .transpose()
}

/// The tenant's revisions, newest first.
pub async fn list(
    tx: &mut Tx,
    tenant: TenantId,
    page: PageRequest,
) -> Result<Page<RevisionSummary>, StoreError> {
    let (total,) = run!(tx, fetch_one::<(i64,)>(COUNT, tenant.uuid()))?;
    let rows = run!(
        tx,
        fetch_all::<(Uuid, i64, String, i64)>(LIST, tenant.uuid(), page.per_page(), page.offset())
    )?;
    let items = rows
        .into_iter()
        .map(|(id, number, digest, created_at)| {
            let origin = Origin { table: TABLE, id };
            Ok(RevisionSummary {
                id: RevisionId::from_uuid(id),
                number,
                digest: origin.text("digest", &digest)?,
                created_at: origin.time("created_at", created_at)?,
            })
        })
        .collect::<Result<_, StoreError>>()?;
    Ok(Page {
        items,
        total,
        request: page,
    })
}

/// The next tenant behind one, or the first, that has a revision which nothing needs any more. `lapsed`: whatever lease ended
/// before is held by nobody.
pub async fn with_unneeded(
    tx: &mut Tx,
    after: Option<TenantId>,
    lapsed: Timestamp,
) -> Result<Option<TenantId>, StoreError> {
    let after = after.map_or(Uuid::nil(), TenantId::uuid);
    let row = run!(
        tx,
        fetch_optional::<(Uuid,)>(WITH_UNNEEDED, after, lapsed.as_microsecond())
    )?;
    Ok(row.map(|(id,)| TenantId::from_uuid(id)))
}

/// Removes the oldest revisions of a tenant that nothing needs any more, one portion; answers how many went. The transaction must hold
/// the tenant's lock, taken before: whoever takes a head, or asks for a deploy of one, holds it too.
pub async fn forget_unneeded(tx: &mut Tx, tenant: TenantId, lapsed: Timestamp) -> Result<u64, StoreError> {
    run!(
        tx,
        execute(
            FORGET_UNNEEDED,
            tenant.uuid(),
            lapsed.as_microsecond(),
            i64::from(PORTION),
        )
    )
}
