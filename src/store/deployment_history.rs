//! How often and when deploys ended in a way that decides whether another is asked for.

use jiff::Timestamp;

use super::row::Origin;
use super::statement::{run, statements};
use super::{StoreError, Tx};
use crate::domain::ids::{InstanceId, TenantId};

statements! {
    SETBACKS = "select count(*) from deployments where instance_id = $1 and tenant_id = $2 and scope = 'tenant_status' \
        and status in ('rejected', 'rolled_back', 'failed') and created_at >= $3 and queue_number > \
        coalesce((select max(queue_number) from deployments where instance_id = $1 \
        and (tenant_id = $2 or tenant_id is null) and status in ('live', 'unchanged')), 0)";
    UNDER_WAY = "select count(*) from deployments where instance_id = $1 and tenant_id = $2 and ended_at is null";
    LAST_ROLLBACK = "select max(created_at) from deployments where instance_id = $1 \
        and to_generation_id is not null and status in ('live', 'partial', 'unchanged')";
}

/// How many deploys of a tenant's status on an instance came to nothing, one after another, of those asked for since then.
pub async fn setbacks(
    tx: &mut Tx,
    instance: InstanceId,
    tenant: TenantId,
    since: Timestamp,
) -> Result<u32, StoreError> {
    let since = since.as_microsecond();
    let (count,) = run!(
        tx,
        fetch_one::<(i64,)>(SETBACKS, instance.uuid(), tenant.uuid(), since)
    )?;
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Whether a deploy of a tenant on an instance waits or is carried out, whatever it moves.
pub async fn is_under_way(tx: &mut Tx, instance: InstanceId, tenant: TenantId) -> Result<bool, StoreError> {
    let (unfinished,) = run!(tx, fetch_one::<(i64,)>(UNDER_WAY, instance.uuid(), tenant.uuid()))?;
    Ok(unfinished > 0)
}

/// When somebody last asked for the whole instance to go back, and it did.
pub async fn last_rollback(tx: &mut Tx, instance: InstanceId) -> Result<Option<Timestamp>, StoreError> {
    let (at,) = run!(tx, fetch_one::<(Option<i64>,)>(LAST_ROLLBACK, instance.uuid()))?;
    let origin = Origin {
        table: "deployments",
        id: instance,
    };
    at.map(|micros| origin.time("created_at", micros)).transpose()
}
