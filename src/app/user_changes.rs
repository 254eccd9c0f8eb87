//! What can be done to a user, by whomever: each change with its guards, the sessions it ends and its audit entry, in the
//! caller's transaction and under the locks that [`App::begin_on_user`] takes.

use serde_json::{Value, json};

use super::App;
use super::audit::Changed;
use super::error::AppError;
use super::guards;
use super::one_time::{recipient, subject};
use crate::auth::caller::{Caller, Identity};
use crate::domain::contact::Contact;
use crate::domain::email::EmailAddress;
use crate::domain::ids::{ExtensionId, SessionId, TenantId, UserId};
use crate::domain::invalid::FieldErrors;
use crate::domain::mail::{self, Line, Mail, MailKind};
use crate::domain::name::PersonName;
use crate::domain::password::PasswordHash;
use crate::domain::role::Role;
use crate::domain::user::{Membership, User, UserStatus};
use crate::store::{Tx, extensions, sessions, tenants, users};

/// How a mail names whoever looks after the host.
const OPERATOR: &str = "the operator of this server";

impl App {
    /// Suspends a user: no sign-in, and every session ends.
    pub(super) async fn suspend_user(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        user: &User,
    ) -> Result<User, AppError> {
        guards::acts_on(caller, user)?;
        if user.status != UserStatus::Active {
            return Err(bad_transition(user.status));
        }
        guards::not_last_owner(tx, user).await?;
        guards::not_last_manager(tx, user).await?;
        self.void_links(tx, user).await?;
        users::set_status(tx, user.id, UserStatus::Suspended, self.now()).await?;
        sessions::end_all(tx, user.id, None).await?;
        self.audit_user(tx, caller, "user.suspend", user).await
    }

    /// Lets a suspended user sign in again.
    pub(super) async fn reactivate_user(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        user: &User,
    ) -> Result<User, AppError> {
        guards::acts_on(caller, user)?;
        if user.status != UserStatus::Suspended {
            return Err(bad_transition(user.status));
        }
        if let Some(tenant) = user.tenant_id() {
            self.check_seat(tx, tenant).await?;
        }
        users::set_status(tx, user.id, UserStatus::Active, self.now()).await?;
        self.audit_user(tx, caller, "user.reactivate", user).await
    }

    /// Gives a user another role of their tenant; they have to sign in again.
    pub(super) async fn assign_role(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        user: &User,
        role: &Role,
    ) -> Result<User, AppError> {
        guards::acts_on(caller, user)?;
        guards::gives(caller, role)?;
        if user.membership.as_ref().is_some_and(|of| of.role_id == role.id) {
            return Ok(user.clone());
        }
        guards::not_last_owner(tx, user).await?;
        self.void_links(tx, user).await?;
        users::set_role(tx, user.id, role.id, self.now()).await?;
        sessions::end_all(tx, user.id, None).await?;
        self.audit_user(tx, caller, "user.assign_role", user).await
    }

    /// Gives a user a phone, another one or none.
    pub(super) async fn link_extension(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        user: &User,
        extension: Option<ExtensionId>,
    ) -> Result<User, AppError> {
        guards::acts_on(caller, user)?;
        if user.extension_id == extension {
            return Ok(user.clone());
        }
        may_be_phone_of(tx, user, extension).await?;
        users::set_person(tx, user.id, &user.name, &user.contact, extension, self.now()).await?;
        self.audit_user(tx, caller, "user.link_extension", user).await
    }

    /// Deletes a user; what the audit log says of them stays.
    pub(super) async fn delete_user(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        user: &User,
    ) -> Result<(), AppError> {
        self.remove_user(tx, caller, user, "user.delete").await
    }

    /// The same under another name.
    pub(super) async fn remove_user(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        user: &User,
        action: &'static str,
    ) -> Result<(), AppError> {
        guards::acts_on(caller, user)?;
        guards::not_last_owner(tx, user).await?;
        guards::not_last_manager(tx, user).await?;
        // Their links are good for nothing once they are gone, and nothing else is sent to them.
        for kind in MailKind::ALL {
            self.take_back(tx, &subject(*kind, user.id)?).await?;
        }
        users::delete(tx, user.id).await?;
        let changed = changed(action, user, Some(view(user)), None);
        self.audit(tx, caller, changed).map(drop)
    }

    /// A user who has just been made, in a tenant or, without a membership, of the operator.
    pub(super) fn fresh_user(
        &self,
        membership: Option<Membership>,
        email: EmailAddress,
        name: PersonName,
        status: UserStatus,
    ) -> User {
        let now = self.now();
        User {
            id: UserId::fresh(self.ids.as_ref()),
            membership,
            email,
            name,
            status,
            platform_manager: false,
            contact: Contact::default(),
            extension_id: None,
            has_password: false,
            external: None,
            last_login_at: None,
            version: 1,
            created_at: now,
            updated_at: now,
        }
    }

    /// Gives a user another password, and ends their sessions.
    pub(super) async fn replace_password(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        user: &User,
        hash: &PasswordHash,
    ) -> Result<(), AppError> {
        guards::acts_on(caller, user)?;
        let by = match caller.identity() {
            Identity::User(somebody) => Some(Line::from(&somebody.name)),
            Identity::ApiKey(_) | Identity::SystemCli | Identity::SystemAuto => OPERATOR.parse().ok(),
        };
        self.put_password(tx, user, hash, by, None).await?;
        let changed = changed("user.reset_password", user, None, None);
        self.audit(tx, caller, changed).map(drop)
    }

    /// Puts another password in the place of a user's and tells them by mail, with whoever did it for them; all of their
    /// sessions end but for one that is named, and their links are void.
    pub(super) async fn put_password(
        &self,
        tx: &mut Tx,
        user: &User,
        hash: &PasswordHash,
        by: Option<Line>,
        but: Option<SessionId>,
    ) -> Result<(), AppError> {
        let now = self.now();
        self.void_links(tx, user).await?;
        users::set_password_hash(tx, user.id, hash, now).await?;
        sessions::end_all(tx, user.id, but).await?;
        let mail = Mail::PasswordChanged(mail::PasswordChanged {
            to: recipient(user),
            changed_at: now,
            by,
        });
        let subject = subject(MailKind::PasswordChanged, user.id)?;
        self.post(tx, user.tenant_id(), &subject, &mail).await.map(drop)
    }

    /// Makes a user a platform manager, or ends that; then they have to sign in again.
    pub(super) async fn set_platform_manager(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        user: &User,
        manages: bool,
    ) -> Result<User, AppError> {
        guards::not_self(caller, user.id)?;
        if user.platform_manager == manages {
            return Ok(user.clone());
        }
        if !manages {
            guards::not_last_manager(tx, user).await?;
            guards::works_somewhere(user)?;
        }
        self.void_links(tx, user).await?;
        users::set_platform_manager(tx, user.id, manages, self.now()).await?;
        if !manages {
            sessions::end_all(tx, user.id, None).await?;
        }
        let action = if manages {
            "user.grant_platform_manager"
        } else {
            "user.revoke_platform_manager"
        };
        self.audit_user(tx, caller, action, user).await
    }

    /// C13, under the tenant's lock.
    pub(super) async fn check_seat(&self, tx: &mut Tx, tenant: TenantId) -> Result<(), AppError> {
        let limits = tenants::limits(tx, tenant).await?.ok_or(AppError::NotFound)?;
        guards::seat(tx, tenant, limits.max_users).await
    }

    /// Writes the entry of what became of a user, and answers the user as they are now.
    pub(super) async fn audit_user(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        action: &'static str,
        before: &User,
    ) -> Result<User, AppError> {
        let after = found(users::find_anywhere(tx, before.id).await?)?;
        let changed = changed(action, &after, Some(view(before)), Some(view(&after)));
        self.audit(tx, caller, changed)?;
        Ok(after)
    }
}

/// A user that the caller may know of.
pub(super) fn found(user: Option<User>) -> Result<User, AppError> {
    user.ok_or(AppError::NotFound)
}

/// The entry of a change of a user.
pub(super) fn changed(
    action: &'static str,
    user: &User,
    before: Option<Value>,
    after: Option<Value>,
) -> Changed {
    Changed {
        action,
        resource: "user",
        target: user.id.to_string(),
        tenant_id: user.tenant_id(),
        before,
        after,
    }
}

/// What an admin edits of a user.
pub(super) fn view(user: &User) -> Value {
    json!({
        "email": user.email, "name": user.name, "status": user.status, "contact": user.contact,
        "role": user.membership.as_ref().map(|membership| &membership.role),
        "tenant_id": user.tenant_id(), "extension_id": user.extension_id, "platform_manager": user.platform_manager,
    })
}

/// The id of a user who is looked for anywhere, with the tenant whose lock a change of them needs.
pub(super) async fn locate(app: &App, id: UserId) -> Result<Option<TenantId>, AppError> {
    let mut tx = app.store.read("locate_user").await?;
    Ok(found(users::find_anywhere(&mut tx, id).await?)?.tenant_id())
}

/// A36: a user's phone is an extension of their tenant. One that is another tenant's is answered like one that is not there.
pub(super) async fn may_be_phone_of(
    tx: &mut Tx,
    user: &User,
    extension: Option<ExtensionId>,
) -> Result<(), AppError> {
    let Some(extension) = extension else {
        return Ok(());
    };
    let Some(tenant) = user.tenant_id() else {
        let reason = "is an extension of a tenant, and this user works for none; give them a tenant first";
        return Err(FieldErrors::one("extension_id", reason).into());
    };
    // Nobody deletes it meanwhile, also where the user has changed tenants since their tenant was locked.
    tenants::lock(tx, tenant).await?;
    if extensions::find(tx, tenant, extension).await?.is_none() {
        let reason = "must be the id of an extension of the user's tenant";
        return Err(FieldErrors::one("extension_id", reason).into());
    }
    Ok(())
}

/// What can become of a user in this status.
pub(super) fn bad_transition(status: UserStatus) -> AppError {
    let allowed: &[&str] = match status {
        UserStatus::Invited => &[],
        UserStatus::Active => &["suspended"],
        UserStatus::Suspended => &["active"],
    };
    AppError::BadTransition {
        from: status.as_str(),
        allowed,
    }
}
