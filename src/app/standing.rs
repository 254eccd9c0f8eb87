//! How a change begins: under its locks, and by whoever asks as the database knows them then, so that nobody changes
//! anything by what was taken from them since their request was let in.

use super::App;
use super::error::AppError;
use crate::auth::access::Act;
use crate::auth::caller::{Caller, Identity, SignedIn};
use crate::auth::denied::Denied;
use crate::auth::key_holder::KeyHolder;
use crate::domain::api_key::KeyPresence;
use crate::domain::ids::{TenantId, UserId};
use crate::domain::permission::{Permission, PlatformPermission};
use crate::domain::session::Presence;
use crate::domain::user::User;
use crate::store::{Tx, api_keys, sessions, tenants, user_counts, users};

impl App {
    /// Begins a change by whoever has a right in the tenant that they act in, after every other one there; gives the caller
    /// and the tenant.
    ///
    /// A right of the tenant's own people is taken under this lock. The flag of the operator's is taken under the platform's:
    /// what one of them changes while theirs is being taken counts as changed before.
    pub(super) async fn begin_inside(
        &self,
        caller: &Caller,
        right: Permission,
        name: &'static str,
    ) -> Result<(Tx, Caller, TenantId), AppError> {
        let tenant = caller.tenant(right, Act::Change)?;
        let mut tx = self.begin_in(tenant, name).await?;
        let caller = self.still_inside(&mut tx, caller, right, tenant).await?;
        Ok((tx, caller, tenant))
    }

    /// The same of a change of one of the tenant's users, or of what they may: after every other one of anybody's rights.
    pub(super) async fn begin_on_member(
        &self,
        caller: &Caller,
        right: Permission,
        name: &'static str,
    ) -> Result<(Tx, Caller, TenantId), AppError> {
        let tenant = caller.tenant(right, Act::Change)?;
        let mut tx = self.begin_on_user(Some(tenant), name).await?;
        let caller = self.still_inside(&mut tx, caller, right, tenant).await?;
        Ok((tx, caller, tenant))
    }

    /// Begins a change on the platform, of a tenant where one is named, after every other one; gives the caller.
    pub(super) async fn begin_on_platform(
        &self,
        caller: &Caller,
        right: PlatformPermission,
        tenant: Option<TenantId>,
        name: &'static str,
    ) -> Result<(Tx, Caller), AppError> {
        caller.platform(right)?;
        let mut tx = self.begin_on_user(None, name).await?;
        let caller = self.still(&mut tx, caller).await?;
        caller.platform(right)?;
        lock_tenant(&mut tx, tenant).await?;
        Ok((tx, caller))
    }

    /// Begins a change by which a user changes only what is their own; gives the caller, and them as they are now.
    ///
    /// Whoever suspends or moves them, or ends their sessions, has done so before, or waits and then sees this change.
    pub(super) async fn begin_own(
        &self,
        caller: &Caller,
        name: &'static str,
    ) -> Result<(Tx, Caller, User), AppError> {
        let own = caller.own()?;
        let mut tx = self.store.begin(name).await?;
        let home = own.home.as_ref().map(|home| home.membership.tenant_id);
        if let Some(home) = home {
            tenants::lock(&mut tx, home).await?;
        }
        let user = self.lock_user(&mut tx, own.user_id, home).await?;
        let caller = self.still(&mut tx, caller).await?;
        caller.own()?;
        Ok((tx, caller, user))
    }

    /// Begins a change inside of a tenant, after every other one there: what it reads stays so until it has written.
    ///
    /// Of nobody's asking, like the next one: who asks for a change is for those above to look at.
    pub(super) async fn begin_in(&self, tenant: TenantId, name: &'static str) -> Result<Tx, AppError> {
        let mut tx = self.store.begin(name).await?;
        lock_tenant(&mut tx, Some(tenant)).await?;
        Ok(tx)
    }

    /// Begins a change of a user, after every other one that guards might count.
    ///
    /// The platform first, then the tenant: so two changes never wait for each other.
    pub(super) async fn begin_on_user(
        &self,
        tenant: Option<TenantId>,
        name: &'static str,
    ) -> Result<Tx, AppError> {
        let mut tx = self.store.begin(name).await?;
        user_counts::lock_platform(&mut tx).await?;
        lock_tenant(&mut tx, tenant).await?;
        Ok(tx)
    }

    /// Locks a user who was seen to work for this tenant; gives them as they are now.
    ///
    /// Whoever suspends, moves or deletes them, or suspends their tenant, locks them too: so a sign-in waits for none of what
    /// else is done in the tenant.
    pub(super) async fn lock_user(
        &self,
        tx: &mut Tx,
        id: UserId,
        tenant: Option<TenantId>,
    ) -> Result<User, AppError> {
        users::lock(tx, id).await?;
        let user = users::find_anywhere(tx, id).await?;
        // Whoever was moved in this very moment has to sign in again in any case.
        let user = user.filter(|user| user.tenant_id() == tenant);
        user.ok_or_else(|| Denied::Credentials.into())
    }

    /// The caller with the rights of now, who still has this one in that tenant.
    pub(super) async fn still_inside(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        right: Permission,
        tenant: TenantId,
    ) -> Result<Caller, AppError> {
        let caller = match caller.identity() {
            // All that is asked of the others is in what is read of them.
            Identity::SystemCli | Identity::SystemAuto => {
                served(tx, Some(tenant)).await?;
                caller.clone()
            }
            Identity::User(_) | Identity::ApiKey(_) => self.still(tx, caller).await?,
        };
        if caller.tenant(right, Act::Change)? == tenant {
            Ok(caller)
        } else {
            Err(Denied::Credentials.into())
        }
    }

    /// The caller with the rights of now.
    async fn still(&self, tx: &mut Tx, caller: &Caller) -> Result<Caller, AppError> {
        Ok(match caller.identity() {
            Identity::User(user) => {
                let presence = self.present(tx, user, caller.operates_in()).await?;
                caller.signed_in_still(presence)
            }
            Identity::ApiKey(key) => caller.of_key_still(self.key_present(tx, key).await?),
            // What the host may, nobody takes from it.
            Identity::SystemCli | Identity::SystemAuto => caller.clone(),
        })
    }

    async fn present(
        &self,
        tx: &mut Tx,
        own: &SignedIn,
        entered: Option<TenantId>,
    ) -> Result<Presence, AppError> {
        let presence = sessions::presence(tx, own.session_id, entered).await?;
        let presence = presence.filter(|presence| presence.is_good(self.now()));
        let presence = presence.ok_or(Denied::Credentials)?;
        match &presence.home {
            Some(home) if !home.status.is_active() => Err(Denied::TenantSuspended.into()),
            _ => Ok(presence),
        }
    }

    /// By what was presented: a key that was rotated since opens nothing to whoever has only the former one.
    async fn key_present(&self, tx: &mut Tx, key: &KeyHolder) -> Result<KeyPresence, AppError> {
        let presence = api_keys::presence(tx, &key.prefix).await?;
        let presence = presence.filter(|presence| presence.lasts(self.now()));
        presence.ok_or_else(|| Denied::Credentials.into())
    }
}

async fn lock_tenant(tx: &mut Tx, tenant: Option<TenantId>) -> Result<(), AppError> {
    match tenant {
        Some(tenant) if !tenants::lock(tx, tenant).await? => Err(AppError::NotFound),
        _ => Ok(()),
    }
}

/// Refuses what is to be done in a tenant that is not served; who works for none has none to wait for.
pub(super) async fn served(tx: &mut Tx, tenant: Option<TenantId>) -> Result<(), AppError> {
    let Some(tenant) = tenant else {
        return Ok(());
    };
    let there = tenants::find(tx, tenant).await?.ok_or(AppError::NotFound)?;
    if there.status.is_active() {
        Ok(())
    } else {
        Err(Denied::TenantSuspended.into())
    }
}
