//! The audit log: appended to in the transaction of the change, never altered.

use jiff::Timestamp;
use uuid::Uuid;

use super::row::{Origin, RawJson, storable, to_json};
use super::statement::{run, statements};
use super::{Statement, StoreError, Tx};
use crate::domain::audit::{AuditCursor, AuditEntry, AuditFilter, AuditPage};
use crate::domain::ids::{AuditId, TenantId};

/// Entries on a page.
const PER_PAGE: i64 = 100;

macro_rules! page_of {
    ($whose:literal) => {
        concat!(
            "select id, at, actor, action, resource, target_id, tenant_id, before, after, reason, request_id, \
             address from audit_entries where ",
            $whose,
            " and (actor = $2 or $2 is null) and (action = $3 or $3 is null) \
             and (resource = $4 or $4 is null) and at >= $5 and at < $6 \
             and (at < $7 or (at = $7 and id < $8)) order by at desc, id desc limit $9"
        )
    };
}

statements! {
    APPEND = "insert into audit_entries (id, at, actor, action, resource, target_id, tenant_id, before, after, \
        reason, request_id, address) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    OF_TENANT = page_of!("tenant_id = $1");
    LAST_CHANGE = "select max(at) from audit_entries where tenant_id = $1 \
        and resource <> 'deployment' and action <> 'extension.reveal_secret'";
    OF_PLATFORM = page_of!("(tenant_id = $1 or $1 is null)");
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    at: i64,
    actor: String,
    action: String,
    resource: String,
    target_id: String,
    tenant_id: Option<Uuid>,
    before: Option<RawJson>,
    after: Option<RawJson>,
    reason: Option<String>,
    request_id: Option<String>,
    address: Option<String>,
}

impl Row {
    fn parse(self) -> Result<AuditEntry, StoreError> {
        let origin = Origin {
            table: "audit_entries",
            id: self.id,
        };
        Ok(AuditEntry {
            id: AuditId::from_uuid(self.id),
            at: origin.time("at", self.at)?,
            actor: self.actor,
            action: self.action,
            resource: self.resource,
            target_id: self.target_id,
            tenant_id: self.tenant_id.map(TenantId::from_uuid),
            before: self.before.map(|json| origin.json("before", &json)).transpose()?,
            after: self.after.map(|json| origin.json("after", &json)).transpose()?,
            reason: self.reason,
            request_id: self.request_id,
            address: self.address,
        })
    }
}

/// Adds an entry.
pub async fn append(tx: &mut Tx, entry: &AuditEntry) -> Result<(), StoreError> {
    let json = |what, value: &Option<_>| value.as_ref().map(|value| to_json(what, value)).transpose();
    run!(
        tx,
        execute(
            APPEND,
            entry.id.uuid(),
            entry.at.as_microsecond(),
            storable(&entry.actor),
            storable(&entry.action),
            storable(&entry.resource),
            storable(&entry.target_id),
            entry.tenant_id.map(TenantId::uuid),
            json("audit_entries.before", &entry.before)?,
            json("audit_entries.after", &entry.after)?,
            entry.reason.as_deref().map(storable),
            entry.request_id.as_deref().map(storable),
            entry.address.as_deref().map(storable),
        )
    )?;
    Ok(())
}

/// One page of a tenant's entries that match, newest first; the first page, or the one behind `after`.
pub async fn list(
    tx: &mut Tx,
    tenant: TenantId,
    filter: &AuditFilter,
    after: Option<AuditCursor>,
) -> Result<AuditPage, StoreError> {
    entries(tx, OF_TENANT, Some(tenant), filter, after).await
}

/// The same over all tenants and the platform itself, or one tenant: for platform managers only.
pub async fn list_all(
    tx: &mut Tx,
    tenant: Option<TenantId>,
    filter: &AuditFilter,
    after: Option<AuditCursor>,
) -> Result<AuditPage, StoreError> {
    entries(tx, OF_PLATFORM, tenant, filter, after).await
}

/// When something of the tenant was changed last, other than by a deploy.
pub async fn last_change(tx: &mut Tx, tenant: TenantId) -> Result<Option<Timestamp>, StoreError> {
    let (at,) = run!(tx, fetch_one::<(Option<i64>,)>(LAST_CHANGE, tenant.uuid()))?;
    let origin = Origin {
        table: "audit_entries",
        id: tenant,
    };
    at.map(|at| origin.time("at", at)).transpose()
}

async fn entries(
    tx: &mut Tx,
    statement: Statement,
    tenant: Option<TenantId>,
    filter: &AuditFilter,
    after: Option<AuditCursor>,
) -> Result<AuditPage, StoreError> {
    let behind = Behind::new(after);
    let rows = run!(
        tx,
        fetch_all::<Row>(
            statement,
            tenant.map(TenantId::uuid),
            filter.actor.as_deref().map(storable),
            filter.action.as_deref().map(storable),
            filter.resource.as_deref().map(storable),
            filter.from.map_or(i64::MIN, Timestamp::as_microsecond),
            filter.to.map_or(i64::MAX, Timestamp::as_microsecond),
            behind.at,
            behind.id,
            PER_PAGE + 1,
        )
    )?;
    page(rows)
}

/// The entry that a page begins behind.
struct Behind {
    at: i64,
    id: Uuid,
}

impl Behind {
    /// Without a cursor: behind an entry that is newer than all.
    fn new(cursor: Option<AuditCursor>) -> Self {
        let first = Self {
            at: i64::MAX,
            id: Uuid::max(),
        };
        cursor.map_or(first, |cursor| Self {
            at: cursor.at.as_microsecond(),
            id: cursor.id.uuid(),
        })
    }
}

/// One row more than a page was asked for: it tells whether there is a next one.
fn page(rows: Vec<Row>) -> Result<AuditPage, StoreError> {
    let per_page = usize::try_from(PER_PAGE).unwrap_or(usize::MAX);
    let more = rows.len() > per_page;
    let entries = rows
        .into_iter()
        .take(per_page)
        .map(Row::parse)
        .collect::<Result<Vec<AuditEntry>, _>>()?;
    let next = entries.last().filter(|_| more).map(|last| AuditCursor {
        at: last.at,
        id: last.id,
    });
    Ok(AuditPage { entries, next })
}
