//! What an instance was last proven to serve, tenant by tenant.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use uuid::Uuid;

use super::row::{Origin, RawJson, to_json};
use super::statement::{insert_rows, run, statements};
use super::{StoreError, Tx, domains, platform_tenants};
use crate::domain::ids::{InstanceId, RevisionId, TenantId};
use crate::domain::served::Served;

statements! {
    ALL = "select tenant_id, revision_id, secrets_version, service, fragments from served where instance_id = $1";
    ONE = "select tenant_id, revision_id, secrets_version, service, fragments from served \
        where instance_id = $1 and tenant_id = $2";
    REVISION = "select revision_id from served where instance_id = $1 and tenant_id = $2";
    COUNT = "select count(*) from served where instance_id = $1";
    GONE = "select s.tenant_id from served s where s.instance_id = $1 and not exists (select 1 from tenants t \
        where t.id = s.tenant_id and t.instance_id = s.instance_id and t.status <> 'deleting')";
    ASSIGNED_ELSEWHERE = "select s.tenant_id, exists (select 1 from served o \
        join instances i on i.id = o.instance_id where o.tenant_id = t.id and o.instance_id = t.instance_id \
        and i.applying_generation_id is null) from served s join tenants t on t.id = s.tenant_id \
        where s.instance_id = $1 and t.instance_id <> $1 and t.status <> 'deleting'";
    PUT = "insert into served (instance_id, tenant_id, revision_id, secrets_version, service, fragments) \
        values {rows} on conflict (instance_id, tenant_id) do update set revision_id = excluded.revision_id, \
        secrets_version = excluded.secrets_version, service = excluded.service, fragments = excluded.fragments", 6;
    DELETE = "delete from served where instance_id = $1 and tenant_id = $2";
    CLEAR = "delete from served where instance_id = $1";
}

#[derive(sqlx::FromRow)]
struct Row {
    tenant_id: Uuid,
    revision_id: Uuid,
    secrets_version: i64,
    service: String,
    fragments: RawJson,
}

impl Row {
    fn parse(self) -> Result<(TenantId, Served), StoreError> {
        let origin = Origin {
            table: "served",
            id: self.tenant_id,
        };
        let served = Served {
            revision_id: RevisionId::from_uuid(self.revision_id),
            secrets_version: self.secrets_version,
            service: origin.text("service", &self.service)?,
            fragments: origin.json("fragments", &self.fragments)?,
        };
        Ok((TenantId::from_uuid(self.tenant_id), served))
    }
}

/// Every tenant that the instance serves.
pub async fn all(tx: &mut Tx, instance: InstanceId) -> Result<BTreeMap<TenantId, Served>, StoreError> {
    run!(tx, fetch_all::<Row>(ALL, instance.uuid()))?
        .into_iter()
        .map(Row::parse)
        .collect()
}

/// The revision of a tenant that the instance serves.
pub async fn revision(
    tx: &mut Tx,
    instance: InstanceId,
    tenant: TenantId,
) -> Result<Option<RevisionId>, StoreError> {
    let row = run!(
        tx,
        fetch_optional::<(Uuid,)>(REVISION, instance.uuid(), tenant.uuid())
    )?;
    Ok(row.map(|(id,)| RevisionId::from_uuid(id)))
}

/// What the instance serves of a few tenants.
pub async fn of(
    tx: &mut Tx,
    instance: InstanceId,
    tenants: &BTreeSet<TenantId>,
) -> Result<BTreeMap<TenantId, Served>, StoreError> {
    let mut found = BTreeMap::new();
    for tenant in tenants {
        let row = run!(tx, fetch_optional::<Row>(ONE, instance.uuid(), tenant.uuid()))?;
        found.extend(row.map(Row::parse).transpose()?);
    }
    Ok(found)
}

/// How many tenants the instance serves.
pub async fn count(tx: &mut Tx, instance: InstanceId) -> Result<usize, StoreError> {
    let (count,) = run!(tx, fetch_one::<(i64,)>(COUNT, instance.uuid()))?;
    Ok(usize::try_from(count).unwrap_or_default())
}

/// The tenants that the instance serves and that are its own no more.
pub async fn gone(tx: &mut Tx, instance: InstanceId) -> Result<Vec<TenantId>, StoreError> {
    let rows = run!(tx, fetch_all::<(Uuid,)>(GONE, instance.uuid()))?;
    Ok(rows.into_iter().map(|(id,)| TenantId::from_uuid(id)).collect())
}

/// The tenants that the instance serves and that another is to serve, each with whether that one does: of one whose PBX
/// may serve anything at the moment, that is not known.
pub async fn assigned_elsewhere(
    tx: &mut Tx,
    instance: InstanceId,
) -> Result<BTreeMap<TenantId, bool>, StoreError> {
    let rows = run!(tx, fetch_all::<(Uuid, bool)>(ASSIGNED_ELSEWHERE, instance.uuid()))?;
    Ok(rows
        .into_iter()
        .map(|(id, there)| (TenantId::from_uuid(id), there))
        .collect())
}

/// Forgets what the instance serves, where nobody will ask it any more.
pub async fn clear(tx: &mut Tx, instance: InstanceId) -> Result<u64, StoreError> {
    run!(tx, execute(CLEAR, instance.uuid()))
}

/// Notes what the instance is proven to serve now, and what begins with that: that a tenant which was moved has arrived,
/// and the time of former domains.
///
/// Rows of tenants before those of their domains, as whoever changes a tenant takes them. Where a tenant that arrives is given
/// another domain at that very moment, PostgreSQL may still end one of the two, which is then done again.
pub async fn prove(
    tx: &mut Tx,
    instance: InstanceId,
    served: &BTreeMap<TenantId, Served>,
    now: Timestamp,
) -> Result<(), StoreError> {
    replace(tx, instance, served).await?;
    platform_tenants::settle(tx).await?;
    domains::begin_time_of_aliases(tx, instance, now).await
}

/// Notes what the instance serves now; only rows that differ are written.
pub async fn replace(
    tx: &mut Tx,
    instance: InstanceId,
    served: &BTreeMap<TenantId, Served>,
) -> Result<(), StoreError> {
    let before = all(tx, instance).await?;
    for gone in before.keys().filter(|tenant| !served.contains_key(tenant)) {
        run!(tx, execute(DELETE, instance.uuid(), gone.uuid()))?;
    }
    let mut rows = Vec::new();
    for (tenant, now) in served
        .iter()
        .filter(|(tenant, now)| before.get(tenant) != Some(now))
    {
        rows.push((tenant.uuid(), now, to_json("served.fragments", &now.fragments)?));
    }
    insert_rows!(tx, PUT, rows, |(tenant, now, fragments)| (
        instance.uuid(),
        *tenant,
        now.revision_id.uuid(),
        now.secrets_version,
        now.service.as_str(),
        fragments,
    ))?;
    Ok(())
}
