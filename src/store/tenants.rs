//! Rows of tenants.

use jiff::Timestamp;
use uuid::Uuid;

use super::row::{Origin, name_key, search_pattern};
use super::statement::{run, statements};
use super::{Statement, StoreError, Tx};
use crate::domain::ids::{InstanceId, RevisionId, TenantId};
use crate::domain::limits::{Limits, SessionTimeout};
use crate::domain::page::Page;
use crate::domain::query::{TenantQuery, TenantSort};
use crate::domain::sip_domain::SipDomain;
use crate::domain::tenant::{Tenant, TenantStatus};

macro_rules! select {
    ($($rest:expr),+) => {
        concat!(
            "select id, name, domain, status, instance_id, timezone, secrets_version, created_at, updated_at \
             from tenants ",
            $($rest),+
        )
    };
}

macro_rules! matching {
    () => {
        "where (name_key like $1 escape '\\' or domain like $1 escape '\\' or $1 is null) \
         and (status = $2 or $2 is null) and (instance_id = $3 or $3 is null)"
    };
}

macro_rules! page_by {
    ($order:literal) => {
        select!(matching!(), " order by ", $order, " limit $4 offset $5")
    };
}

/// Tenants of which something is not served as it stands: its head, its secrets, its status.
macro_rules! pending {
    ($whose:literal) => {
        concat!(
            "select t.id, t.status, t.secrets_version, t.head_revision_id from tenants t \
             left join served s on s.instance_id = t.instance_id and s.tenant_id = t.id where ",
            $whose,
            " and (s.tenant_id is null or t.head_revision_id is null or t.head_revision_id <> s.revision_id \
             or t.secrets_version <> s.secrets_version or t.status <> s.status) order by t.id"
        )
    };
}

statements! {
    PENDING_OF_INSTANCE = pending!("t.instance_id = $1");
    PENDING = pending!("t.id = $1");
    INSERT = "insert into tenants (id, name, name_key, domain, status, instance_id, timezone, \
        secrets_version, created_at, updated_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    FIND = select!("where id = $1");
    FIND_BY_DOMAIN = select!("where domain = $1");
    COUNT = concat!("select count(*) from tenants ", matching!());
    BY_NAME = page_by!("name_key, id");
    BY_NAME_DOWN = page_by!("name_key desc, id desc");
    BY_DOMAIN = page_by!("domain");
    BY_DOMAIN_DOWN = page_by!("domain desc");
    BY_STATUS = page_by!("status, id");
    BY_STATUS_DOWN = page_by!("status desc, id desc");
    BY_CREATED_AT = page_by!("created_at, id");
    BY_CREATED_AT_DOWN = page_by!("created_at desc, id desc");
    STATES_OF_INSTANCE = "select id, status, secrets_version, head_revision_id from tenants \
        where instance_id = $1 order by id";
    STATE = "select id, status, secrets_version, head_revision_id from tenants where id = $1";
    DOMAINS_OF_INSTANCE = "select id, domain from tenants where instance_id = $1";
    LIMITS = "select session_timeout_minutes, max_users, max_extensions, max_concurrent_calls from tenants \
        where id = $1";
    SET_STATUS = "update tenants set status = $2, updated_at = $3, secrets_version = secrets_version + 1 \
        where id = $1";
    BUMP_SECRETS_VERSION = "update tenants set secrets_version = secrets_version + 1 \
        where id = $1 returning secrets_version";
    SET_HEAD_REVISION = "update tenants set head_revision_id = $2 where id = $1";
    FORGET_HEAD_REVISION = "update tenants set head_revision_id = null where id = $1";
    BURY = "insert into generation_tombstones (generation_id, tenant_id, name) \
        select g.generation_id, t.id, t.name from generation_tenants g join tenants t on t.id = g.tenant_id where t.id = $1";
    DELETE = "delete from tenants where id = $1";
    LOCK = "update tenants set updated_at = updated_at where id = $1";
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    name: String,
    domain: String,
    status: String,
    instance_id: Uuid,
    timezone: String,
    secrets_version: i64,
    created_at: i64,
    updated_at: i64,
}

impl Row {
    fn parse(self) -> Result<Tenant, StoreError> {
        let origin = Origin {
            table: "tenants",
            id: self.id,
        };
        Ok(Tenant {
            id: TenantId::from_uuid(self.id),
            name: origin.text("name", &self.name)?,
            domain: origin.text("domain", &self.domain)?,
            status: origin.text("status", &self.status)?,
            instance_id: InstanceId::from_uuid(self.instance_id),
            timezone: origin.text("timezone", &self.timezone)?,
            secrets_version: self.secrets_version,
            created_at: origin.time("created_at", self.created_at)?,
            updated_at: origin.time("updated_at", self.updated_at)?,
        })
    }
}

/// What of a tenant is read when rendering and is in no revision.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TenantState {
    /// Which tenant.
    pub id: TenantId,
    /// Whether it is served.
    pub status: TenantStatus,
    /// Counts the changes of secrets and status.
    pub secrets_version: i64,
    /// The revision that its head equals; none where it was edited since one was taken.
    pub head_revision: Option<RevisionId>,
}

type StateRow = (Uuid, String, i64, Option<Uuid>);

fn state((id, status, secrets_version, head_revision): StateRow) -> Result<TenantState, StoreError> {
    Ok(TenantState {
        id: TenantId::from_uuid(id),
        status: Origin { table: "tenants", id }.text("status", &status)?,
        secrets_version,
        head_revision: head_revision.map(RevisionId::from_uuid),
    })
}

/// Adds a tenant. A domain that is taken is a conflict, an absent instance a bad reference.
pub async fn insert(tx: &mut Tx, tenant: &Tenant) -> Result<(), StoreError> {
    run!(
        tx,
        execute(
            INSERT,
            tenant.id.uuid(),
            tenant.name.as_str(),
            name_key(tenant.name.as_str()),
            tenant.domain.as_str(),
            tenant.status.as_str(),
            tenant.instance_id.uuid(),
            tenant.timezone.as_str(),
            tenant.secrets_version,
            tenant.created_at.as_microsecond(),
            tenant.updated_at.as_microsecond(),
        )
    )?;
    Ok(())
}

/// The tenant with this id.
pub async fn find(tx: &mut Tx, id: TenantId) -> Result<Option<Tenant>, StoreError> {
    run!(tx, fetch_optional::<Row>(FIND, id.uuid()))?
        .map(Row::parse)
        .transpose()
}

/// The tenant with this SIP domain.
pub async fn find_by_domain(tx: &mut Tx, domain: &SipDomain) -> Result<Option<Tenant>, StoreError> {
    run!(tx, fetch_optional::<Row>(FIND_BY_DOMAIN, domain.as_str()))?
        .map(Row::parse)
        .transpose()
}

/// One page of the tenants that match.
pub async fn list(tx: &mut Tx, query: &TenantQuery) -> Result<Page<Tenant>, StoreError> {
    let search = search_pattern(query.search.as_deref());
    let status = query.status.map(TenantStatus::as_str);
    let instance = query.instance_id.map(InstanceId::uuid);
    let (total,) = run!(
        tx,
        fetch_one::<(i64,)>(COUNT, search.as_deref(), status, instance)
    )?;
    let statement = page_statement(query.sort, query.descending);
    let (limit, offset) = (query.page.per_page(), query.page.offset());
    let rows = run!(
        tx,
        fetch_all::<Row>(statement, search.as_deref(), status, instance, limit, offset)
    )?;
    let items = rows.into_iter().map(Row::parse).collect::<Result<_, _>>()?;
    Ok(Page {
        items,
        total,
        request: query.page,
    })
}

const fn page_statement(sort: TenantSort, descending: bool) -> Statement {
    match (sort, descending) {
        (TenantSort::Name, false) => BY_NAME,
        (TenantSort::Name, true) => BY_NAME_DOWN,
        (TenantSort::Domain, false) => BY_DOMAIN,
        (TenantSort::Domain, true) => BY_DOMAIN_DOWN,
        (TenantSort::Status, false) => BY_STATUS,
        (TenantSort::Status, true) => BY_STATUS_DOWN,
        (TenantSort::CreatedAt, false) => BY_CREATED_AT,
        (TenantSort::CreatedAt, true) => BY_CREATED_AT_DOWN,
    }
}

/// What a tenant may have.
pub async fn limits(tx: &mut Tx, id: TenantId) -> Result<Option<Limits>, StoreError> {
    type Row = (i64, Option<i64>, Option<i64>, Option<i64>);
    let row = run!(tx, fetch_optional::<Row>(LIMITS, id.uuid()))?;
    let origin = Origin { table: "tenants", id };
    row.map(|(minutes, max_users, max_extensions, max_concurrent_calls)| {
        let session_timeout_minutes = SessionTimeout::new(minutes)
            .map_err(|invalid| origin.corrupt("session_timeout_minutes", invalid))?;
        Ok(Limits {
            session_timeout_minutes,
            max_users,
            max_extensions,
            max_concurrent_calls,
        })
    })
    .transpose()
}

/// The tenants that are assigned to an instance, by id.
pub async fn states_of_instance(tx: &mut Tx, id: InstanceId) -> Result<Vec<TenantState>, StoreError> {
    run!(tx, fetch_all::<StateRow>(STATES_OF_INSTANCE, id.uuid()))?
        .into_iter()
        .map(state)
        .collect()
}

/// Status, secrets' version and head revision of one tenant.
pub async fn state_of(tx: &mut Tx, id: TenantId) -> Result<Option<TenantState>, StoreError> {
    run!(tx, fetch_optional::<StateRow>(STATE, id.uuid()))?
        .map(state)
        .transpose()
}

/// The tenants of an instance that a deploy would change, or may: of one without a head revision only that it was
/// edited is known.
pub async fn pending_of_instance(tx: &mut Tx, id: InstanceId) -> Result<Vec<TenantState>, StoreError> {
    run!(tx, fetch_all::<StateRow>(PENDING_OF_INSTANCE, id.uuid()))?
        .into_iter()
        .map(state)
        .collect()
}

/// The same of one tenant; `None` where nothing is pending.
pub async fn pending(tx: &mut Tx, id: TenantId) -> Result<Option<TenantState>, StoreError> {
    run!(tx, fetch_optional::<StateRow>(PENDING, id.uuid()))?
        .map(state)
        .transpose()
}

/// Notes the revision that the head equals.
pub(super) async fn set_head_revision(
    tx: &mut Tx,
    id: TenantId,
    revision: RevisionId,
) -> Result<(), StoreError> {
    run!(tx, execute(SET_HEAD_REVISION, id.uuid(), revision.uuid()))?;
    Ok(())
}

/// To be called with every change of what a revision would hold.
pub(super) async fn forget_head_revision(tx: &mut Tx, id: TenantId) -> Result<(), StoreError> {
    run!(tx, execute(FORGET_HEAD_REVISION, id.uuid()))?;
    Ok(())
}

/// The domains of the tenants that are assigned to an instance.
pub async fn domains_of_instance(
    tx: &mut Tx,
    id: InstanceId,
) -> Result<Vec<(TenantId, SipDomain)>, StoreError> {
    let rows = run!(tx, fetch_all::<(Uuid, String)>(DOMAINS_OF_INSTANCE, id.uuid()))?;
    rows.into_iter()
        .map(|(id, domain)| {
            let domain = Origin { table: "tenants", id }.text("domain", &domain)?;
            Ok((TenantId::from_uuid(id), domain))
        })
        .collect()
}

/// Suspends or reactivates, which counts as a change of secrets; false when there is no such tenant.
pub async fn set_status(
    tx: &mut Tx,
    id: TenantId,
    status: TenantStatus,
    now: Timestamp,
) -> Result<bool, StoreError> {
    Ok(run!(
        tx,
        execute(SET_STATUS, id.uuid(), status.as_str(), now.as_microsecond())
    )? == 1)
}

/// Counts a change of a secret; answers the new version.
pub async fn bump_secrets_version(tx: &mut Tx, id: TenantId) -> Result<Option<i64>, StoreError> {
    let version = run!(tx, fetch_optional::<(i64,)>(BUMP_SECRETS_VERSION, id.uuid()))?;
    Ok(version.map(|(version,)| version))
}

/// Deletes a tenant with all that is its own; false when there is no such tenant. One that a PBX still serves is in use:
/// a deploy has to prove it gone first. The generations that served it keep its name, to say that it does not come back.
pub async fn delete(tx: &mut Tx, id: TenantId) -> Result<bool, StoreError> {
    run!(tx, execute(BURY, id.uuid()))?;
    Ok(run!(tx, execute(DELETE, id.uuid()))? == 1)
}

/// Keeps other transactions that lock the same tenant waiting until this one ends; false when there is no
/// such tenant.
///
/// An update that changes nothing, because SQLite has no `for update` (and needs none: it has one writer).
pub async fn lock(tx: &mut Tx, id: TenantId) -> Result<bool, StoreError> {
    Ok(run!(tx, execute(LOCK, id.uuid()))? == 1)
}
