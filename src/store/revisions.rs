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

statements! {
    INSERT = "insert into revisions (id, tenant_id, number, digest, config, created_at) \
        values ($1, $2, $3, $4, $5, $6)";
    FIND = "select id, tenant_id, number, digest, config, created_at from revisions \
        where tenant_id = $1 and id = $2";
    FIND_BY_DIGEST = "select id, tenant_id, number, digest, config, created_at from revisions \
        where tenant_id = $1 and digest = $2";
    LAST_NUMBER = "select coalesce(max(number), 0) from revisions where tenant_id = $1";
    COUNT = "select count(*) from revisions where tenant_id = $1";
    LIST = "select id, number, digest, created_at from revisions where tenant_id = $1 \
        order by number desc limit $2 offset $3";
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
    /// Counts from 1 in each tenant.
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
    if let Some(revision) = find_by_digest(tx, tenant, digest).await? {
        return Ok(revision);
    }
    // Somebody else may be taking the same one, or the same number.
    tenants::lock(tx, tenant).await?;
    if let Some(revision) = find_by_digest(tx, tenant, digest).await? {
        return Ok(revision);
    }
    let (last,) = run!(tx, fetch_one::<(i64,)>(LAST_NUMBER, tenant.uuid()))?;
    let revision = Revision {
        id: fresh,
        tenant_id: tenant,
        number: last + 1,
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
    domains::note(tx, tenant, fresh, config).await?;
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
