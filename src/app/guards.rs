//! Guards and limits: what no change may do, whoever asks, each asked in the change's own transaction under the lock of
//! what it counts.

use super::error::AppError;
use crate::auth::caller::{Caller, Identity, Place, SignedIn};
use crate::domain::api_key::ApiKey;
use crate::domain::ids::{TenantId, UserId};
use crate::domain::permission::{Permission, PlatformPermission};
use crate::domain::role::{Rank, Role};
use crate::domain::tenant::TenantStatus;
use crate::domain::user::{User, UserStatus};
use crate::store::user_counts::{managers_besides, managers_inside, owners_besides, seats};
use crate::store::{Tx, api_keys, extensions, roles, webhooks};

/// A tenant has no more API keys: whoever needs one for each of so many programs has lost sight of them.
const MOST_KEYS: i64 = 100;

/// A tenant has no more webhooks: every event is sent to each of them.
const MOST_WEBHOOKS: i64 = 20;

/// A tenant has no more roles of its own: all of them are listed at once.
const MOST_ROLES: usize = 100;

/// Somebody who acts on users.
///
/// O70: not on themselves. A40: on those below them only; owners, the operator's people and the host on everybody, but only
/// the latter two on the operator's people, whom no tenant gets rid of.
pub(super) fn acts_on(caller: &Caller, target: &User) -> Result<(), AppError> {
    not_self(caller, target.id)?;
    if target.platform_manager && caller.platform(PlatformPermission::Managers).is_err() {
        let message = "this is one of the operator's people; ask a platform manager";
        return Err(AppError::conflict("rank", message));
    }
    match &target.membership {
        Some(membership) => reaches(caller, membership.rank),
        None => Ok(()),
    }
}

/// O70.
pub(super) fn not_self(caller: &Caller, target: UserId) -> Result<(), AppError> {
    match caller.identity() {
        Identity::User(user) if user.user_id == target => Err(AppError::conflict(
            "self_protection",
            "this is your own account; somebody else has to do it",
        )),
        _ => Ok(()),
    }
}

/// A40: whether the caller may give a role of this rank, or act on somebody who has one.
pub(super) fn reaches(caller: &Caller, rank: Rank) -> Result<(), AppError> {
    if rank_of(caller).reaches(rank) {
        return Ok(());
    }
    let message = format!("this needs a rank above {rank}; ask somebody who has one");
    Err(AppError::conflict("rank", message))
}

/// A07: whether the caller may give this role. Nobody gives a right that they have not themselves: whoever gets the role, by a
/// link that the giver may be shown, could do what the giver may not.
pub(super) fn gives(caller: &Caller, role: &Role) -> Result<(), AppError> {
    reaches(caller, role.rank)?;
    let more = |right: Permission| match caller.identity() {
        // An owner of a tenant has rights there that none of the operator's people has, and they make owners.
        Identity::User(user) => user.platform_manager,
        // What is a person's own is nothing that a key could have.
        Identity::ApiKey(_) => right == Permission::UsersViewSelf,
        Identity::SystemCli | Identity::SystemAuto => false,
    };
    let refused = |right: &&Permission| !caller.may(**right) && !more(**right);
    match role.permissions.iter().find(refused) {
        None => Ok(()),
        Some(right) => {
            let message = format!(
                "the role {} allows {right}, which you may not yourself; ask somebody who may",
                role.name
            );
            Err(AppError::conflict("rank", message))
        }
    }
}

fn rank_of(caller: &Caller) -> Rank {
    match (caller.identity(), caller.place()) {
        (Identity::User(user), Place::Home { .. }) if !user.platform_manager => {
            let home = user.home.as_ref();
            home.map_or(Rank::Agent, |home| home.membership.rank)
        }
        (Identity::ApiKey(key), Place::Home { .. }) => key.rank,
        // The operator's people and the host's command line have an owner's rank in whichever tenant, also in the one that
        // they work for: they may enter that too.
        (Identity::User(_) | Identity::SystemCli, _) => Rank::Owner,
        (Identity::ApiKey(_) | Identity::SystemAuto, _) => Rank::Agent,
    }
}

/// O69: somebody who can sign in owns the tenant once this user does no longer.
///
/// An owner who has not accepted the invitation yet may go while anybody else owns the tenant or is invited to.
pub(super) async fn not_last_owner(tx: &mut Tx, target: &User) -> Result<(), AppError> {
    let Some(membership) = target.membership.as_ref().filter(|of| of.rank == Rank::Owner) else {
        return Ok(());
    };
    let others = owners_besides(tx, membership.tenant_id, target.id).await?;
    let enough = match target.status {
        UserStatus::Active => others.active > 0,
        UserStatus::Invited | UserStatus::Suspended => others.active_or_invited > 0,
    };
    if enough {
        return Ok(());
    }
    Err(AppError::conflict(
        "last_owner",
        "this is the tenant's last owner; make somebody else an owner first",
    ))
}

/// O71: somebody who can sign in manages the platform once this user does no longer.
pub(super) async fn not_last_manager(tx: &mut Tx, target: &User) -> Result<(), AppError> {
    if !target.platform_manager || managers_besides(tx, Some(target.id), None).await? > 0 {
        return Ok(());
    }
    Err(last_manager())
}

/// O71: somebody who can sign in manages the platform once nobody of this tenant can.
pub(super) async fn not_last_managers(tx: &mut Tx, tenant: TenantId) -> Result<(), AppError> {
    if managers_inside(tx, tenant).await? == 0 || managers_besides(tx, None, Some(tenant)).await? > 0 {
        return Ok(());
    }
    Err(last_manager())
}

fn last_manager() -> AppError {
    AppError::conflict(
        "last_platform_manager",
        "nobody else could manage the platform; make somebody else a platform manager first",
    )
}

/// Only whoever manages the platform may work for no tenant.
pub(super) fn works_somewhere(target: &User) -> Result<(), AppError> {
    if target.membership.is_some() {
        return Ok(());
    }
    let message = "this user works for no tenant, which only a platform manager may; give them a tenant first, or delete them";
    Err(AppError::conflict("tenant_required", message))
}

/// O34: a tenant whose people work does not go.
pub(super) fn suspended_first(status: TenantStatus) -> Result<(), AppError> {
    if status != TenantStatus::Active {
        return Ok(());
    }
    let message = "only a suspended tenant can be deleted; suspend it first";
    Err(AppError::conflict("must_suspend_first", message))
}

/// O37: none of the operator's people goes with a tenant.
pub(super) async fn no_managers_inside(tx: &mut Tx, tenant: TenantId) -> Result<(), AppError> {
    if managers_inside(tx, tenant).await? == 0 {
        return Ok(());
    }
    let message =
        "platform managers work for this tenant; move them to another one, or end their flag, first";
    Err(AppError::conflict("platform_managers_inside", message))
}

/// What goes for good goes by its name; `what` says whose.
pub(super) fn confirmed(confirm: &str, name: &str, what: &str) -> Result<(), AppError> {
    if confirm == name {
        return Ok(());
    }
    let message = format!("`confirm` must be {what}, letter by letter");
    Err(AppError::conflict("confirmation_mismatch", message))
}

/// Whoever has a key rotated is shown one with all of its rights, so they must have them; and it is good while whoever made it
/// may sign in.
pub(super) fn hands_on(caller: &SignedIn, key: &ApiKey, author: Option<&User>) -> Result<(), AppError> {
    if author.is_none_or(|author| author.status != UserStatus::Active) {
        let message = "whoever made the key may not sign in, so it is good for nothing; make one of your own";
        return Err(AppError::conflict("author_inactive", message));
    }
    match key.permissions.iter().find(|right| !caller.may(**right)) {
        None => Ok(()),
        Some(lacking) => {
            let message = format!(
                "the key may {lacking}, which you may not yourself; ask somebody who may, or revoke the key and make one of your own"
            );
            Err(AppError::conflict("rank", message))
        }
    }
}

/// O58: room for one more API key.
pub(super) async fn key(tx: &mut Tx, tenant: TenantId) -> Result<(), AppError> {
    if api_keys::count(tx, tenant).await? < MOST_KEYS {
        return Ok(());
    }
    let message = format!("a tenant may have {MOST_KEYS} API keys; revoke one that is not used any more");
    Err(AppError::conflict("max_api_keys_reached", message))
}

/// Room for one more webhook.
pub(super) async fn webhook(tx: &mut Tx, tenant: TenantId) -> Result<(), AppError> {
    if webhooks::count(tx, tenant).await? < MOST_WEBHOOKS {
        return Ok(());
    }
    let message = format!("a tenant may have {MOST_WEBHOOKS} webhooks; delete one that is not used any more");
    Err(AppError::conflict("max_webhooks_reached", message))
}

/// A07: room for one more role of the tenant's own.
pub(super) async fn role(tx: &mut Tx, tenant: TenantId) -> Result<(), AppError> {
    let all = roles::list(tx, Some(tenant)).await?;
    if all.iter().filter(|role| !role.is_built_in()).count() < MOST_ROLES {
        return Ok(());
    }
    let message = format!("a tenant may have {MOST_ROLES} roles of its own; delete one that nobody has");
    Err(AppError::conflict("max_roles_reached", message))
}

/// C13: room for one more user.
pub(super) async fn seat(tx: &mut Tx, tenant: TenantId, most: Option<i64>) -> Result<(), AppError> {
    match most {
        Some(most) if seats(tx, tenant).await? >= most => {
            let message = format!("the tenant may have {most} users; remove one, or ask for a higher limit");
            Err(AppError::conflict("max_users_reached", message))
        }
        _ => Ok(()),
    }
}

/// C14: room for so many more extensions.
pub(super) async fn room(
    tx: &mut Tx,
    tenant: TenantId,
    most: Option<i64>,
    more: usize,
) -> Result<(), AppError> {
    let Some(most) = most else {
        return Ok(());
    };
    let there = extensions::count(tx, tenant).await?;
    if there.saturating_add(i64::try_from(more).unwrap_or(i64::MAX)) <= most {
        return Ok(());
    }
    let message = format!(
        "the tenant may have {most} extensions and has {there}; remove some, or ask for a higher limit"
    );
    Err(AppError::conflict("max_extensions_reached", message))
}
