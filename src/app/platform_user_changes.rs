//! What platform managers change of users: person, role, status and tenant; and removing them.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::App;
use super::audit::merged;
use super::error::AppError;
use super::guards;
use super::patch::Patch;
use super::platform_users::{begin_on, member};
use super::precondition::{IfMatch, tag_of_user};
use super::tell;
use super::user_changes::{bad_transition, changed, found, may_be_phone_of, view};
use super::users::role_by_name;
use crate::auth::caller::Caller;
use crate::domain::contact::Contact;
use crate::domain::given::given;
use crate::domain::ids::{ExtensionId, TenantId, UserId};
use crate::domain::invalid::FieldErrors;
use crate::domain::json_object;
use crate::domain::name::{PersonName, RoleName};
use crate::domain::permission::PlatformPermission;
use crate::domain::user::{User, UserStatus};
use crate::store::{Tx, api_keys, sessions, tenants, users};

/// What is to change of a user; what is absent stays.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct UserPatch {
    /// As people call them.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "PersonName")]
    pub name: Option<String>,
    /// How else they are reached; replaces all of it.
    #[serde(deserialize_with = "json_object::optional")]
    pub contact: Option<Contact>,
    /// The name of a role of their tenant.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "RoleName")]
    pub role: Option<String>,
    /// Whether they may sign in; nobody becomes invited again.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "UserStatus")]
    pub status: Option<String>,
    /// Their phone: an extension of their tenant that nobody else has; `null` for none.
    #[schemars(with = "Option<ExtensionId>")]
    pub extension_id: Patch<ExtensionId>,
}

/// Changes a user, wherever they are; with another role, or suspended, they have to sign in again.
pub async fn change(
    app: &App,
    caller: &Caller,
    id: UserId,
    patch: UserPatch,
    if_match: &IfMatch,
) -> Result<User, AppError> {
    caller.platform(PlatformPermission::UsersWrite)?;
    let mut errors = FieldErrors::default();
    let name = patch
        .name
        .and_then(|text| errors.take("name", text.parse::<PersonName>()));
    let status = patch
        .status
        .and_then(|text| errors.take("status", text.parse::<UserStatus>()));
    if status == Some(UserStatus::Invited) {
        errors.add(
            "status",
            "must be `active` or `suspended`; nobody becomes invited again",
        );
    }
    errors.check()?;

    let right = PlatformPermission::UsersWrite;
    let (mut tx, caller, before) = begin_on(app, caller, right, id, "change_user").await?;
    if_match.check(&tag_of_user(&before))?;
    guards::acts_on(&caller, &before)?;
    let now = app.now();
    if let Some(role) = &patch.role {
        app.change_role(&mut tx, &caller, &before, role).await?;
    }
    if let Some(status) = status.filter(|status| *status != before.status) {
        app.change_status(&mut tx, &before, status).await?;
    }
    let name = name.unwrap_or_else(|| before.name.clone());
    let contact = patch.contact.unwrap_or_else(|| before.contact.clone());
    let extension = patch.extension_id.over(before.extension_id);
    if extension != before.extension_id {
        may_be_phone_of(&mut tx, &before, extension).await?;
    }
    if name != before.name || contact != before.contact || extension != before.extension_id {
        users::set_person(&mut tx, id, &name, &contact, extension, now).await?;
    }
    let unchanged = users::find_anywhere(&mut tx, id)
        .await?
        .is_some_and(|after| after == before);
    if unchanged {
        return Ok(before);
    }
    let after = app.audit_user(&mut tx, &caller, "user.change", &before).await?;
    tx.commit().await?;
    Ok(after)
}

impl App {
    async fn change_role(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        user: &User,
        role: &str,
    ) -> Result<(), AppError> {
        let Some(membership) = &user.membership else {
            let reason = "is a role in a tenant, and this user works for none; give them a tenant first";
            return Err(FieldErrors::one("role", reason).into());
        };
        let role = role_by_name(tx, membership.tenant_id, "role", role).await?;
        if role.id == membership.role_id {
            return Ok(());
        }
        guards::reaches(caller, role.rank)?;
        guards::not_last_owner(tx, user).await?;
        self.void_links(tx, user).await?;
        users::set_role(tx, user.id, role.id, self.now()).await?;
        sessions::end_all(tx, user.id, None).await?;
        Ok(())
    }

    async fn change_status(&self, tx: &mut Tx, user: &User, status: UserStatus) -> Result<(), AppError> {
        match (user.status, status) {
            (UserStatus::Active, UserStatus::Suspended) => {
                guards::not_last_owner(tx, user).await?;
                guards::not_last_manager(tx, user).await?;
            }
            (UserStatus::Suspended, UserStatus::Active) => {
                if let Some(tenant) = user.tenant_id() {
                    self.check_seat(tx, tenant).await?;
                }
            }
            (from, _) => return Err(bad_transition(from)),
        }
        self.void_links(tx, user).await?;
        users::set_status(tx, user.id, status, self.now()).await?;
        if status == UserStatus::Suspended {
            sessions::end_all(tx, user.id, None).await?;
        }
        Ok(())
    }
}

/// Has a user work for another tenant, or, as a platform manager, for none; they have to sign in again.
///
/// Their phone is the former tenant's, and stays there; the API keys that they made there end.
pub async fn change_tenant(
    app: &App,
    caller: &Caller,
    id: UserId,
    tenant: Option<TenantId>,
    role: Option<&str>,
    if_match: &IfMatch,
) -> Result<User, AppError> {
    let right = PlatformPermission::UsersWrite;
    let (mut tx, caller, before) = begin_on(app, caller, right, id, "move_user").await?;
    if_match.check(&tag_of_user(&before))?;
    guards::acts_on(&caller, &before)?;
    if tenant == before.tenant_id() {
        if role.is_some() {
            let reason = "is for the tenant that somebody moves to; change the role where they are";
            return Err(FieldErrors::one("role", reason).into());
        }
        return Ok(before);
    }
    guards::not_last_owner(&mut tx, &before).await?;
    let membership = match tenant {
        None if !before.platform_manager => {
            let reason = "is required; only a platform manager may be without";
            return Err(FieldErrors::one("tenant_id", reason).into());
        }
        None if role.is_some() => {
            let reason = "is a role in a tenant; leave it out, or name the tenant";
            return Err(FieldErrors::one("role", reason).into());
        }
        None => None,
        Some(tenant) => Some(member(app, &mut tx, tenant, role.unwrap_or("agent")).await?),
    };
    let place = membership.as_ref().map(|of| (of.tenant_id, of.role_id));
    if let Some(tenant) = tenant
        && tenants::find(&mut tx, tenant)
            .await?
            .is_some_and(|there| !there.status.is_active())
    {
        // Nobody signs in from there.
        guards::not_last_manager(&mut tx, &before).await?;
    }
    app.void_links(&mut tx, &before).await?;
    users::set_membership(&mut tx, id, place, app.now()).await?;
    sessions::end_all(&mut tx, id, None).await?;
    let ended = match before.tenant_id() {
        // They would be good again, should their author ever come back.
        Some(former) => api_keys::delete_of_author(&mut tx, former, id).await?,
        None => BTreeSet::new(),
    };
    let after = found(users::find_anywhere(&mut tx, id).await?)?;
    let mut is = view(&after);
    if !ended.is_empty() {
        is = merged(is, json!({"ended_api_keys": ended}));
    }
    let mut entry = changed("user.move", &after, Some(view(&before)), Some(is));
    // The platform's: neither tenant reads what the other has.
    entry.tenant_id = None;
    let entry = app.audit(&mut tx, &caller, entry)?;
    let told = tell::moved(id, entry, app.now(), before.tenant_id(), after.tenant_id());
    tx.tell(told);
    tx.commit().await?;
    Ok(after)
}

/// Removes a user, wherever they are.
pub async fn delete(app: &App, caller: &Caller, id: UserId, if_match: &IfMatch) -> Result<(), AppError> {
    let right = PlatformPermission::UsersDelete;
    let (mut tx, caller, user) = begin_on(app, caller, right, id, "delete_user").await?;
    if_match.check(&tag_of_user(&user))?;
    app.delete_user(&mut tx, &caller, &user).await?;
    Ok(tx.commit().await?)
}
