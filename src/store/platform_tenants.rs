//! What the platform changes of a tenant, and where it is live meanwhile.

use uuid::Uuid;

use super::row::name_key;
use super::statement::{run, statements};
use super::{StoreError, Tx, tenants};
use crate::domain::ids::{InstanceId, TenantId};
use crate::domain::limits::Limits;
use crate::domain::tenant::{SuspensionPolicy, Tenant};

statements! {
    UPDATE = "update tenants set name = $2, name_key = $3, domain = $4, instance_id = $5, timezone = $6, \
        session_timeout_minutes = $7, max_users = $8, max_extensions = $9, max_concurrent_calls = $10, \
        suspension_policy = $11, updated_at = $12 where id = $1";
    SET_MOVING = "update tenants set moving = true where id = $1";
    SETTLE = "update tenants set moving = false where moving \
        and exists (select 1 from served s where s.tenant_id = tenants.id and s.instance_id = tenants.instance_id) \
        and not exists (select 1 from served s where s.tenant_id = tenants.id and s.instance_id <> tenants.instance_id)";
    IS_MOVING = "select moving from tenants where id = $1";
    LIVE_ELSEWHERE = "select instance_id from served where tenant_id = $1 \
        and instance_id <> (select instance_id from tenants where id = $1) order by instance_id";
    IS_LIVE_HERE = "select count(*) from served s join tenants t on t.id = s.tenant_id and t.instance_id = s.instance_id \
        where t.id = $1";
}

/// Replaces what the platform may change; false when there is no tenant by this id. A domain that is taken is a conflict.
pub async fn update(
    tx: &mut Tx,
    tenant: &Tenant,
    limits: &Limits,
    policy: SuspensionPolicy,
) -> Result<bool, StoreError> {
    let changed = run!(
        tx,
        execute(
            UPDATE,
            tenant.id.uuid(),
            tenant.name.as_str(),
            name_key(tenant.name.as_str()),
            tenant.domain.as_str(),
            tenant.instance_id.uuid(),
            tenant.timezone.as_str(),
            limits.session_timeout_minutes.minutes(),
            limits.max_users,
            limits.max_extensions,
            limits.max_concurrent_calls,
            policy.as_str(),
            tenant.updated_at.as_microsecond(),
        )
    )?;
    tenants::forget_head_revision(tx, tenant.id).await?;
    Ok(changed == 1)
}

/// Where a tenant is live, compared with where it is to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Whereabouts {
    /// Whether the instance that it is assigned to serves it.
    pub here: bool,
    /// Other instances that serve it still.
    pub elsewhere: Vec<InstanceId>,
    /// Whether it was given another instance since it was last served by its own alone.
    pub moving: bool,
}

impl Whereabouts {
    /// Whether it is still to become live on its instance after a move, or to go from another.
    #[must_use]
    pub fn resync_required(&self) -> bool {
        !self.elsewhere.is_empty() || (self.moving && !self.here)
    }
}

/// Notes that a tenant which PBXs serve was given another instance.
pub async fn set_moving(tx: &mut Tx, tenant: TenantId) -> Result<(), StoreError> {
    run!(tx, execute(SET_MOVING, tenant.uuid()))?;
    Ok(())
}

/// Notes which tenants have arrived where they were moved to: to be called once it is proven what an instance serves.
pub async fn settle(tx: &mut Tx) -> Result<(), StoreError> {
    run!(tx, execute(SETTLE))?;
    Ok(())
}

/// Where a tenant is live.
pub async fn whereabouts(tx: &mut Tx, tenant: TenantId) -> Result<Whereabouts, StoreError> {
    let (here,) = run!(tx, fetch_one::<(i64,)>(IS_LIVE_HERE, tenant.uuid()))?;
    let rows = run!(tx, fetch_all::<(Uuid,)>(LIVE_ELSEWHERE, tenant.uuid()))?;
    let moving = run!(tx, fetch_optional::<(bool,)>(IS_MOVING, tenant.uuid()))?;
    Ok(Whereabouts {
        moving: moving.is_some_and(|(moving,)| moving),
        here: here > 0,
        elsewhere: rows.into_iter().map(|(id,)| InstanceId::from_uuid(id)).collect(),
    })
}
