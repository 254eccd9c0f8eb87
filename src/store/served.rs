//! What an instance was last proven to serve, tenant by tenant.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::row::{Origin, RawJson, to_json};
use super::statement::{insert_rows, run, statements};
use super::{StoreError, Tx};
use crate::domain::ids::{InstanceId, RevisionId, TenantId};
use crate::domain::served::Served;

statements! {
    ALL = "select tenant_id, revision_id, secrets_version, service, fragments from served where instance_id = $1";
    REVISION = "select revision_id from served where instance_id = $1 and tenant_id = $2";
    PUT = "insert into served (instance_id, tenant_id, revision_id, secrets_version, service, fragments) \
        values {rows} on conflict (instance_id, tenant_id) do update set revision_id = excluded.revision_id, \
        secrets_version = excluded.secrets_version, service = excluded.service, fragments = excluded.fragments", 6;
    DELETE = "delete from served where instance_id = $1 and tenant_id = $2";
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
