//! Rows of roles and their rights: the built-in ones, and a tenant's own.

use std::collections::BTreeSet;

use jiff::Timestamp;
use uuid::Uuid;

use super::row::Origin;
use super::statement::{insert_rows, run, statements};
use super::{StoreError, Tx};
use crate::domain::ids::{RoleId, TenantId};
use crate::domain::name::RoleName;
use crate::domain::permission::Permission;
use crate::domain::role::Role;

macro_rules! select {
    ($($rest:expr),+) => {
        concat!(
            "select r.id, r.tenant_id, r.name, r.rank, \
             (select string_agg(p.permission, ' ') from role_permissions p where p.role_id = r.id) as permissions \
             from roles r where (r.tenant_id is null or r.tenant_id = $1) ",
            $($rest),+
        )
    };
}

statements! {
    LIST = select!("order by r.tenant_id is not null, r.created_at, r.id");
    FIND = select!("and r.id = $2");
    FIND_BY_NAME = select!("and r.name = $2");
    INSERT = "insert into roles (id, tenant_id, name, rank, created_at, updated_at) \
        values ($1, $2, $3, $4, $5, $6)";
    UPDATE = "update roles set name = $3, rank = $4, updated_at = $5 where tenant_id = $1 and id = $2";
    ALLOW = "insert into role_permissions (role_id, permission) values {rows}", 2;
    FORBID_ALL = "delete from role_permissions where role_id = (select id from roles where tenant_id = $1 and id = $2)";
    DELETE = "delete from roles where tenant_id = $1 and id = $2";
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    tenant_id: Option<Uuid>,
    name: String,
    rank: String,
    permissions: Option<String>,
}

impl Row {
    fn parse(self) -> Result<Role, StoreError> {
        let origin = Origin {
            table: "roles",
            id: self.id,
        };
        Ok(Role {
            id: RoleId::from_uuid(self.id),
            tenant_id: self.tenant_id.map(TenantId::from_uuid),
            name: origin.text("name", &self.name)?,
            rank: origin.text("rank", &self.rank)?,
            permissions: permissions(&origin, self.permissions.as_deref())?,
        })
    }
}

/// Rights as `string_agg` joins them; none is null.
pub(super) fn permissions<I: std::fmt::Display>(
    origin: &Origin<I>,
    joined: Option<&str>,
) -> Result<BTreeSet<Permission>, StoreError> {
    let words = joined.unwrap_or_default().split_whitespace();
    words.map(|word| origin.text("permission", word)).collect()
}

/// The built-in roles, and the tenant's own; without a tenant the built-in ones only.
pub async fn list(tx: &mut Tx, tenant: Option<TenantId>) -> Result<Vec<Role>, StoreError> {
    run!(tx, fetch_all::<Row>(LIST, tenant.map(TenantId::uuid)))?
        .into_iter()
        .map(Row::parse)
        .collect()
}

/// A role that the tenant can give: a built-in one or its own.
pub async fn find(tx: &mut Tx, tenant: TenantId, id: RoleId) -> Result<Option<Role>, StoreError> {
    run!(tx, fetch_optional::<Row>(FIND, tenant.uuid(), id.uuid()))?
        .map(Row::parse)
        .transpose()
}

/// The same by its name.
pub async fn find_by_name(
    tx: &mut Tx,
    tenant: TenantId,
    name: &RoleName,
) -> Result<Option<Role>, StoreError> {
    run!(
        tx,
        fetch_optional::<Row>(FIND_BY_NAME, tenant.uuid(), name.as_str())
    )?
    .map(Row::parse)
    .transpose()
}

/// Adds a tenant's own role. A name that the tenant has already is a conflict.
pub async fn insert(tx: &mut Tx, tenant: TenantId, role: &Role, now: Timestamp) -> Result<(), StoreError> {
    run!(
        tx,
        execute(
            INSERT,
            role.id.uuid(),
            tenant.uuid(),
            role.name.as_str(),
            role.rank.as_str(),
            now.as_microsecond(),
            now.as_microsecond(),
        )
    )?;
    allow(tx, role).await
}

/// Replaces name and rights of a tenant's own role; false when it has none of that id.
pub async fn update(tx: &mut Tx, tenant: TenantId, role: &Role, now: Timestamp) -> Result<bool, StoreError> {
    let updated = run!(
        tx,
        execute(
            UPDATE,
            tenant.uuid(),
            role.id.uuid(),
            role.name.as_str(),
            role.rank.as_str(),
            now.as_microsecond(),
        )
    )?;
    if updated == 0 {
        return Ok(false);
    }
    run!(tx, execute(FORBID_ALL, tenant.uuid(), role.id.uuid()))?;
    allow(tx, role).await?;
    Ok(true)
}

/// Deletes a tenant's own role; false when it has none of that id. One that a user has is a bad reference.
pub async fn delete(tx: &mut Tx, tenant: TenantId, id: RoleId) -> Result<bool, StoreError> {
    Ok(run!(tx, execute(DELETE, tenant.uuid(), id.uuid()))? == 1)
}

async fn allow(tx: &mut Tx, role: &Role) -> Result<(), StoreError> {
    let rights: Vec<Permission> = role.permissions.iter().copied().collect();
    insert_rows!(tx, ALLOW, rights, |right| (role.id.uuid(), right.as_str()))?;
    Ok(())
}
