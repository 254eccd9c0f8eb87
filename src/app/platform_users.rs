//! Users as the platform's managers see them: in every tenant, and those of the operator.

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;

use super::App;
use super::error::AppError;
use super::idempotency::{Done, Once};
use super::invitations::Invitation;
use super::precondition::{IfMatch, tag_of_user};
use super::user_changes::{changed, found, locate, view};
use super::users::role_by_name;
use crate::auth::caller::Caller;
use crate::domain::email::EmailAddress;
use crate::domain::ids::{TenantId, UserId};
use crate::domain::invalid::{FieldErrors, Invalid};
use crate::domain::name::{PersonName, RoleName};
use crate::domain::page::Page;
use crate::domain::password::NewPassword;
use crate::domain::permission::PlatformPermission;
use crate::domain::tenant::TenantStatus;
use crate::domain::user::{Membership, User, UserStatus};
use crate::domain::user_query::UserQuery;
use crate::store::{Tx, tenants, user_lists, users};

/// A user as it is written. Without tenant it is one of the operator's people, and without role then.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["name", "email"]))]
pub struct UserInput {
    /// The tenant they work for.
    #[schemars(with = "Option<TenantId>")]
    pub tenant_id: Option<String>,
    /// 1 to 100 characters.
    #[schemars(with = "PersonName")]
    pub name: Option<String>,
    /// Unique on the platform.
    #[schemars(with = "EmailAddress")]
    pub email: Option<String>,
    /// The name of a role of the tenant; `agent` if absent.
    #[schemars(with = "Option<RoleName>")]
    pub role: Option<String>,
    /// What they sign in with.
    #[schemars(with = "Option<NewPassword>")]
    pub password: Option<SecretString>,
    /// In place of a password: they choose their own, by a link that works once.
    pub invite: Option<bool>,
    /// Whether they manage the platform.
    pub platform_manager: Option<bool>,
}

/// An input that reads well, before it is known whether its tenant and role are there.
struct Parsed {
    tenant: Option<TenantId>,
    name: PersonName,
    email: EmailAddress,
    role: String,
    /// None of an invited user.
    password: Option<NewPassword>,
    platform_manager: bool,
}

impl UserInput {
    fn parse(self) -> Result<Parsed, FieldErrors> {
        let mut errors = FieldErrors::default();
        let required = |text: Option<String>| text.ok_or_else(|| Invalid::new("is required"));
        let tenant = self
            .tenant_id
            .map(|text| errors.take("tenant_id", text.parse::<TenantId>()));
        let name = errors.take("name", required(self.name).and_then(|text| text.parse()));
        let email = errors.take(
            "email",
            required(self.email).and_then(|text| text.parse::<EmailAddress>()),
        );
        let platform_manager = self.platform_manager.unwrap_or_default();
        if tenant.is_none() && !platform_manager {
            errors.add("tenant_id", "is required; only a platform manager may be without");
        }
        if tenant.is_none() && self.role.is_some() {
            errors.add("role", "is a role in a tenant; leave it out, or name the tenant");
        }
        let password = match (self.password, self.invite.unwrap_or_default(), &email) {
            (None, false, _) => {
                errors.add("password", "is required, unless `invite` is true");
                None
            }
            (Some(_), true, _) => {
                errors.add("invite", "stands in place of a password; leave one of them out");
                None
            }
            (Some(text), false, Some(email)) => errors.take("password", NewPassword::choose(&text, email)),
            (None, true, _) | (Some(_), false, None) => None,
        };
        match (tenant.unwrap_or_default(), name, email, errors.check()) {
            (tenant, Some(name), Some(email), Ok(())) => Ok(Parsed {
                tenant,
                name,
                email,
                role: self.role.unwrap_or_else(|| "agent".to_owned()),
                password,
                platform_manager,
            }),
            (_, _, _, checked) => Err(checked.err().unwrap_or_default()),
        }
    }
}

/// Makes a user who signs in by password, or invites one.
pub async fn create(
    app: &App,
    caller: &Caller,
    input: UserInput,
) -> Result<(User, Option<Invitation>), AppError> {
    Ok(create_once(app, caller, input, None).await?.into_inner())
}

/// The same, which has its effect once.
pub async fn create_once(
    app: &App,
    caller: &Caller,
    input: UserInput,
    once: Option<&Once>,
) -> Result<Done<(User, Option<Invitation>)>, AppError> {
    caller.platform(PlatformPermission::UsersCreate)?;
    if input.platform_manager == Some(true) {
        caller.platform(PlatformPermission::Managers)?;
    }
    let parsed = input.parse()?;
    // Outside of the transaction: it takes its time.
    let hash = match parsed.password {
        None => None,
        Some(password) => Some(app.hash(password).await?),
    };
    let right = PlatformPermission::UsersCreate;
    let (mut tx, caller) = app.begin_on_platform(caller, right, None, "create_user").await?;
    if let Some(id) = app.answered_before(&mut tx, None, &caller, once).await? {
        let user = found(users::find_anywhere(&mut tx, id).await?)?;
        return Ok(Done::Before((user, None)));
    }
    let membership = match parsed.tenant {
        None => None,
        Some(tenant) => Some(member(app, &mut tx, tenant, &parsed.role).await?),
    };
    let status = match hash {
        Some(_) => UserStatus::Active,
        None => UserStatus::Invited,
    };
    let user = User {
        platform_manager: parsed.platform_manager,
        has_password: hash.is_some(),
        ..app.fresh_user(membership, parsed.email, parsed.name, status)
    };
    users::insert(&mut tx, &user, hash.as_ref()).await?;
    let invitation = match status {
        UserStatus::Invited => Some(app.send_invitation(&mut tx, &caller, &user).await?),
        UserStatus::Active | UserStatus::Suspended => None,
    };
    let entry = changed("user.create", &user, None, Some(view(&user)));
    app.audit(&mut tx, &caller, entry)?;
    app.keep_answer(&mut tx, None, &caller, once, user.id).await?;
    tx.commit().await?;
    app.posted();
    Ok(Done::Now((user, invitation)))
}

/// A place in a tenant, if there is one left.
pub(super) async fn member(
    app: &App,
    tx: &mut Tx,
    tenant: TenantId,
    role: &str,
) -> Result<Membership, AppError> {
    let unknown = || FieldErrors::one("tenant_id", "must be the id of a tenant");
    if !tenants::lock(tx, tenant).await? {
        return Err(unknown().into());
    }
    let there = tenants::find(tx, tenant).await?.ok_or_else(unknown)?;
    if there.status == TenantStatus::Deleting {
        return Err(FieldErrors::one("tenant_id", "is being deleted; choose another").into());
    }
    let role = role_by_name(tx, tenant, "role", role).await?;
    app.check_seat(tx, tenant).await?;
    Ok(Membership {
        tenant_id: tenant,
        tenant: there.name,
        role_id: role.id,
        role: role.name,
        rank: role.rank,
    })
}

/// One page of all users.
pub async fn list(app: &App, caller: &Caller, query: &UserQuery) -> Result<Page<User>, AppError> {
    caller.platform(PlatformPermission::UsersRead)?;
    let mut tx = app.store.read("list_all_users").await?;
    Ok(user_lists::list_all(&mut tx, query).await?)
}

/// One user.
pub async fn find(app: &App, caller: &Caller, id: UserId) -> Result<User, AppError> {
    caller.platform(PlatformPermission::UsersRead)?;
    let mut tx = app.store.read("find_user").await?;
    found(users::find_anywhere(&mut tx, id).await?)
}

/// One user by their address, as the command line names them.
pub async fn find_by_email(app: &App, caller: &Caller, email: &EmailAddress) -> Result<User, AppError> {
    caller.platform(PlatformPermission::UsersRead)?;
    let mut tx = app.store.read("find_user").await?;
    found(users::find_by_email(&mut tx, email).await?)
}

/// Gives a user another password; they have to sign in again.
pub async fn set_password(
    app: &App,
    caller: &Caller,
    id: UserId,
    password: &SecretString,
    if_match: &IfMatch,
) -> Result<(), AppError> {
    caller.platform(PlatformPermission::UsersWrite)?;
    let email = find(app, caller, id).await?.email;
    let chosen = NewPassword::choose(password, &email)
        .map_err(|invalid| FieldErrors::one("password", invalid.reason()))?;
    let hash = app.hash(chosen).await?;
    let right = PlatformPermission::UsersWrite;
    let (mut tx, caller, user) = begin_on(app, caller, right, id, "set_password").await?;
    if_match.check(&tag_of_user(&user))?;
    app.replace_password(&mut tx, &caller, &user, &hash).await?;
    tx.commit().await?;
    app.posted();
    Ok(())
}

/// Makes a user a platform manager, or ends that.
pub async fn set_platform_manager(
    app: &App,
    caller: &Caller,
    id: UserId,
    manages: bool,
    if_match: &IfMatch,
) -> Result<User, AppError> {
    let right = PlatformPermission::Managers;
    let (mut tx, caller, user) = begin_on(app, caller, right, id, "set_platform_manager").await?;
    if_match.check(&tag_of_user(&user))?;
    let user = app.set_platform_manager(&mut tx, &caller, &user, manages).await?;
    tx.commit().await?;
    Ok(user)
}

/// Begins a change of a user, wherever they are.
pub(super) async fn begin_on(
    app: &App,
    caller: &Caller,
    right: PlatformPermission,
    id: UserId,
    name: &'static str,
) -> Result<(Tx, Caller, User), AppError> {
    caller.platform(right)?;
    let tenant = locate(app, id).await?;
    let (mut tx, caller) = app.begin_on_platform(caller, right, tenant, name).await?;
    let user = found(users::find_anywhere(&mut tx, id).await?)?;
    Ok((tx, caller, user))
}
