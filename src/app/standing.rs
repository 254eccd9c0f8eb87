//! What is asked again under the lock: who asks, and where, may have been suspended or ended since the request came.

use super::App;
use super::error::AppError;
use crate::auth::access::Act;
use crate::auth::caller::{Caller, Identity, SignedIn};
use crate::auth::denied::Denied;
use crate::auth::key_holder::KeyHolder;
use crate::domain::api_key::KeyPresence;
use crate::domain::ids::{TenantId, UserId};
use crate::domain::permission::Permission;
use crate::domain::session::Presence;
use crate::domain::user::User;
use crate::store::{Tx, api_keys, sessions, tenants, users};

impl App {
    /// Begins a change by whoever acts in a tenant, after every other one there.
    pub(super) async fn begin_inside(&self, tenant: TenantId, name: &'static str) -> Result<Tx, AppError> {
        let mut tx = self.begin_in(tenant, name).await?;
        served(&mut tx, Some(tenant)).await?;
        Ok(tx)
    }

    /// The same of a change of one of the tenant's users.
    pub(super) async fn begin_on_member(&self, tenant: TenantId, name: &'static str) -> Result<Tx, AppError> {
        let mut tx = self.begin_on_user(Some(tenant), name).await?;
        served(&mut tx, Some(tenant)).await?;
        Ok(tx)
    }

    /// Begins a change by which a user changes only what is their own; gives them as they are now.
    ///
    /// Whoever suspends or moves them, or ends their sessions, has done so before, or waits and then sees this change.
    pub(super) async fn begin_own(&self, own: &SignedIn, name: &'static str) -> Result<(Tx, User), AppError> {
        let mut tx = self.store.begin(name).await?;
        let home = own.home.as_ref().map(|home| home.membership.tenant_id);
        if let Some(home) = home {
            tenants::lock(&mut tx, home).await?;
        }
        let user = self.lock_user(&mut tx, own.user_id, home).await?;
        self.still_signed_in(&mut tx, own).await?;
        Ok((tx, user))
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

    /// The caller with the rights of now, for whoever gives of them: what was taken from them since they were let in, they
    /// give back to nobody, and not to themselves.
    pub(super) async fn giver(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        right: Permission,
    ) -> Result<Caller, AppError> {
        let now = match caller.identity() {
            Identity::User(user) => {
                let presence = self.present(tx, user, caller.operates_in()).await?;
                caller.signed_in_still(presence)
            }
            Identity::ApiKey(key) => caller.of_key_still(self.key_present(tx, key).await?),
            Identity::SystemCli | Identity::SystemAuto => caller.clone(),
        };
        now.tenant(right, Act::Change)?;
        Ok(now)
    }

    /// Refuses whoever has waited for a turn, and manages the platform no longer.
    pub(super) async fn still_manages(&self, tx: &mut Tx, caller: &Caller) -> Result<(), AppError> {
        let Identity::User(user) = caller.identity() else {
            return Ok(());
        };
        if self.still_signed_in(tx, user).await?.platform_manager {
            Ok(())
        } else {
            Err(Denied::Permission.into())
        }
    }

    /// Refuses somebody whose session has ended since.
    pub(super) async fn still_signed_in(&self, tx: &mut Tx, own: &SignedIn) -> Result<Presence, AppError> {
        self.present(tx, own, None).await
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

    async fn key_present(&self, tx: &mut Tx, key: &KeyHolder) -> Result<KeyPresence, AppError> {
        let row = api_keys::find(tx, key.tenant_id, key.key_id).await?;
        let row = row.ok_or(Denied::Credentials)?;
        let presence = api_keys::presence(tx, &row.prefix).await?;
        let presence = presence.filter(|presence| presence.lasts(self.now()));
        presence.ok_or_else(|| Denied::Credentials.into())
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
