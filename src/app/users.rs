//! The users of a tenant: look at them, give them roles, suspend, reactivate and remove them.

use super::App;
use super::error::AppError;
use super::precondition::{IfMatch, tag_of_user};
use super::user_changes::found;
use crate::auth::access::Act;
use crate::auth::caller::Caller;
use crate::domain::ids::{ExtensionId, TenantId, UserId};
use crate::domain::invalid::FieldErrors;
use crate::domain::name::RoleName;
use crate::domain::page::Page;
use crate::domain::permission::Permission;
use crate::domain::role::Role;
use crate::domain::user::User;
use crate::domain::user_query::UserQuery;
use crate::store::{Tx, roles, user_lists, users};

/// One page of the tenant's users.
pub async fn list(app: &App, caller: &Caller, query: &UserQuery) -> Result<Page<User>, AppError> {
    let tenant = caller.tenant(Permission::UsersList, Act::Read)?;
    let mut tx = app.store.read("list_users").await?;
    Ok(user_lists::list(&mut tx, tenant, query).await?)
}

/// One user.
pub async fn find(app: &App, caller: &Caller, id: UserId) -> Result<User, AppError> {
    let tenant = caller.tenant(Permission::UsersList, Act::Read)?;
    let mut tx = app.store.read("find_user").await?;
    found(users::find(&mut tx, tenant, id).await?)
}

/// Refuses an id that the tenant has no user of, before a body is looked at.
pub async fn exists(app: &App, caller: &Caller, id: UserId) -> Result<(), AppError> {
    let tenant = caller.inside(Act::Change)?;
    let mut tx = app.store.read("find_user").await?;
    found(users::find(&mut tx, tenant, id).await?).map(drop)
}

/// Gives a user another role; they have to sign in again.
pub async fn assign_role(
    app: &App,
    caller: &Caller,
    id: UserId,
    role: &str,
    if_match: &IfMatch,
) -> Result<User, AppError> {
    let (mut tx, caller, tenant) = app
        .begin_on_member(caller, Permission::UsersAssignRole, "assign_role")
        .await?;
    let user = found(users::find(&mut tx, tenant, id).await?)?;
    caller.reason_to_change()?;
    let role = role_by_name(&mut tx, tenant, "role", role).await?;
    if_match.check(&tag_of_user(&user))?;
    let user = app.assign_role(&mut tx, &caller, &user, &role).await?;
    tx.commit().await?;
    Ok(user)
}

/// Gives a user a phone, which is an extension of the tenant that nobody else has, or takes it from them.
pub async fn link_extension(
    app: &App,
    caller: &Caller,
    id: UserId,
    extension: Option<ExtensionId>,
    if_match: &IfMatch,
) -> Result<User, AppError> {
    let (mut tx, caller, tenant) = app
        .begin_on_member(caller, Permission::UsersAssignRole, "link_extension")
        .await?;
    let user = found(users::find(&mut tx, tenant, id).await?)?;
    caller.reason_to_change()?;
    if_match.check(&tag_of_user(&user))?;
    let user = app.link_extension(&mut tx, &caller, &user, extension).await?;
    tx.commit().await?;
    Ok(user)
}

/// Suspends a user: no sign-in, and every session ends.
pub async fn suspend(app: &App, caller: &Caller, id: UserId, if_match: &IfMatch) -> Result<User, AppError> {
    let (mut tx, caller, tenant) = app
        .begin_on_member(caller, Permission::UsersDelete, "suspend_user")
        .await?;
    let user = found(users::find(&mut tx, tenant, id).await?)?;
    caller.reason_to_change()?;
    if_match.check(&tag_of_user(&user))?;
    let user = app.suspend_user(&mut tx, &caller, &user).await?;
    tx.commit().await?;
    Ok(user)
}

/// Lets a suspended user sign in again.
pub async fn reactivate(
    app: &App,
    caller: &Caller,
    id: UserId,
    if_match: &IfMatch,
) -> Result<User, AppError> {
    let (mut tx, caller, tenant) = app
        .begin_on_member(caller, Permission::UsersDelete, "reactivate_user")
        .await?;
    let user = found(users::find(&mut tx, tenant, id).await?)?;
    caller.reason_to_change()?;
    if_match.check(&tag_of_user(&user))?;
    let user = app.reactivate_user(&mut tx, &caller, &user).await?;
    tx.commit().await?;
    Ok(user)
}

/// Removes a user.
pub async fn delete(app: &App, caller: &Caller, id: UserId, if_match: &IfMatch) -> Result<(), AppError> {
    let (mut tx, caller, tenant) = app
        .begin_on_member(caller, Permission::UsersDelete, "delete_user")
        .await?;
    let user = found(users::find(&mut tx, tenant, id).await?)?;
    caller.reason_to_change()?;
    if_match.check(&tag_of_user(&user))?;
    app.delete_user(&mut tx, &caller, &user).await?;
    Ok(tx.commit().await?)
}

/// The role of a tenant that a field names.
pub(super) async fn role_by_name(
    tx: &mut Tx,
    tenant: TenantId,
    field: &str,
    name: &str,
) -> Result<Role, AppError> {
    let unknown = || FieldErrors::one(field, "must be the name of one of the tenant's roles");
    let name: RoleName = name.parse().map_err(|_| unknown())?;
    let role = roles::find_by_name(tx, tenant, &name).await?;
    Ok(role.ok_or_else(unknown)?)
}
