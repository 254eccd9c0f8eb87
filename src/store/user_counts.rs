//! How many users there are of a kind, for guards and limits; and the locks under which that stays so.

use super::statement::{run, statements};
use super::{StoreError, Tx};
use crate::domain::ids::{RoleId, TenantId, UserId};

statements! {
    LOCK_PLATFORM = "update platform set only_row = only_row";
    OWNERS_BESIDES = "select count(*) filter (where u.status = 'active'), count(*) from users u \
        join roles r on r.id = u.role_id where u.tenant_id = $1 and u.id <> $2 and r.tenant_id is null \
        and r.rank = 'owner' and u.status <> 'suspended'";
    // One who works for a suspended tenant cannot sign in.
    MANAGERS_BESIDES = "select count(*) from users u left join tenants t on t.id = u.tenant_id \
        where u.platform_manager and u.status = 'active' and (t.id is null or t.status = 'active') \
        and (u.id <> $1 or $1 is null) and (u.tenant_id is null or u.tenant_id <> $2 or $2 is null)";
    MANAGERS_INSIDE = "select count(*) from users where tenant_id = $1 and platform_manager";
    SEATS = "select count(*) from users where tenant_id = $1 and status <> 'suspended'";
    WITH_ROLE = "select count(*) from users where tenant_id = $1 and role_id = $2";
}

/// Keeps others that lock the platform waiting until this transaction ends.
///
/// Taken before any tenant's lock, so that two never wait for each other.
pub async fn lock_platform(tx: &mut Tx) -> Result<(), StoreError> {
    run!(tx, execute(LOCK_PLATFORM))?;
    Ok(())
}

/// Owners of a tenant other than a user.
pub struct Owners {
    /// Who can sign in.
    pub active: i64,
    /// Who can, or could by accepting an invitation.
    pub active_or_invited: i64,
}

/// The owners of a tenant other than this user; custom roles do not count, whatever they allow.
pub async fn owners_besides(tx: &mut Tx, tenant: TenantId, user: UserId) -> Result<Owners, StoreError> {
    let (active, active_or_invited) = run!(
        tx,
        fetch_one::<(i64, i64)>(OWNERS_BESIDES, tenant.uuid(), user.uuid())
    )?;
    Ok(Owners {
        active,
        active_or_invited,
    })
}

/// The platform managers who can sign in, other than a user and those of a tenant.
pub async fn managers_besides(
    tx: &mut Tx,
    user: Option<UserId>,
    tenant: Option<TenantId>,
) -> Result<i64, StoreError> {
    let (user, tenant) = (user.map(UserId::uuid), tenant.map(TenantId::uuid));
    let (count,) = run!(tx, fetch_one::<(i64,)>(MANAGERS_BESIDES, user, tenant))?;
    Ok(count)
}

/// The platform managers who work for a tenant.
pub async fn managers_inside(tx: &mut Tx, tenant: TenantId) -> Result<i64, StoreError> {
    let (count,) = run!(tx, fetch_one::<(i64,)>(MANAGERS_INSIDE, tenant.uuid()))?;
    Ok(count)
}

/// The users of a tenant that its limit counts: active and invited ones.
pub async fn seats(tx: &mut Tx, tenant: TenantId) -> Result<i64, StoreError> {
    let (count,) = run!(tx, fetch_one::<(i64,)>(SEATS, tenant.uuid()))?;
    Ok(count)
}

/// The users of a tenant who have a role.
pub async fn with_role(tx: &mut Tx, tenant: TenantId, role: RoleId) -> Result<i64, StoreError> {
    let (count,) = run!(tx, fetch_one::<(i64,)>(WITH_ROLE, tenant.uuid(), role.uuid()))?;
    Ok(count)
}
