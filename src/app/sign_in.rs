//! Signing in, going on, and signing out.

use std::net::IpAddr;
use std::sync::Arc;

use secrecy::SecretString;
use serde_json::json;

use super::App;
use super::audit::Changed;
use super::error::AppError;
use super::user_changes::changed;
use crate::auth::caller::{Caller, Origin};
use crate::auth::denied::Denied;
use crate::auth::oidc::{ExternalIdentity, IdTokenError, Issuers};
use crate::auth::password_check::{CheckError, PasswordCheck};
use crate::auth::throttle::{Attempt, Throttle};
use crate::auth::token::{Claims, TokenKey};
use crate::domain::digest::Digest;
use crate::domain::email::EmailAddress;
use crate::domain::error_chain::error_chain;
use crate::domain::ids::SessionId;
use crate::domain::one_time_token::Purpose;
use crate::domain::password::{NewPassword, Password, PasswordHash};
use crate::domain::session::{LONGEST, MOST, Presence, Session};
use crate::domain::user::{External, User, UserStatus};
use crate::store::{StoreError, Tx, sealing_keys, sessions, users};

/// What proves who somebody is, and what says so afterwards.
pub struct SignIn {
    /// Checks passwords and counts what failed.
    pub check: PasswordCheck,
    /// Counts who asks for a new password, whatever comes of it.
    pub asking: Throttle,
    /// Verifies what others vouch for.
    pub issuers: Issuers,
    /// Signs tokens.
    pub tokens: Arc<TokenKey>,
}

/// Somebody who has signed in.
pub struct Login {
    /// What proves it from now on.
    pub token: SecretString,
    /// Who it is.
    pub presence: Presence,
}

/// Signs somebody in by password.
///
/// An unknown address and a wrong password get the same answer after the same work.
pub async fn with_password(
    app: &App,
    origin: Origin,
    email: &EmailAddress,
    password: &SecretString,
) -> Result<Login, AppError> {
    let known = known(app, email).await?;
    let (user, stored) = match known {
        Some((user, stored)) if user.status == UserStatus::Active => (Some(user), stored),
        _ => (None, None),
    };
    let (check, typed) = (&app.sign_in()?.check, Password::typed(password));
    let rehashed = check.check(email, origin.address, typed, stored.clone()).await?;
    let user = user.ok_or(Denied::Credentials)?;
    let mut tx = app.store.begin("sign_in").await?;
    let user = app.lock_user(&mut tx, user.id, user.tenant_id()).await?;
    // Comparing took its time: there may be another password by now, and then this one opens nothing.
    if users::password_hash(&mut tx, user.id).await? != stored {
        return Err(Denied::Credentials.into());
    }
    if let Some(hash) = rehashed {
        users::rehash(&mut tx, user.id, &hash).await?;
    }
    app.begin_session(tx, &user, origin, None).await
}

/// Signs somebody in whom a configured issuer vouches for, by the token that it gave them.
///
/// They are known by their id there, or the first time by the address that the issuer has verified; who was invited becomes
/// active. Who is unknown here gets nothing.
pub async fn with_id_token(app: &App, origin: Origin, token: &SecretString) -> Result<Login, AppError> {
    let identity = app.vouched(origin.address, token).await?;
    let external = External {
        issuer: identity.issuer.to_string(),
        subject: identity.subject,
    };
    if !app.is_known(&identity.email, &external).await? {
        // An issuer may let anybody register: strangers keep no other from writing, and are counted.
        app.sign_in()?.check.throttle().failed(by_address(origin.address));
        return Err(Denied::Credentials.into());
    }
    let mut tx = app.begin_on_user(None, "sign_in_by_issuer").await?;
    let (user, accepted) = match users::find_by_external(&mut tx, &external).await? {
        Some(user) => (user, None),
        None => app.recognise(&mut tx, &identity.email, &external).await?,
    };
    app.begin_session(tx, &user, origin, accepted).await
}

/// What is counted of somebody who names no account.
const fn by_address(address: Option<IpAddr>) -> Attempt<'static> {
    Attempt {
        account: None,
        address,
    }
}

/// The user with this address, and what their password is compared with.
async fn known(app: &App, email: &EmailAddress) -> Result<Option<(User, Option<PasswordHash>)>, AppError> {
    let mut tx = app.store.read("known_user").await?;
    let Some(user) = users::find_by_email(&mut tx, email).await? else {
        return Ok(None);
    };
    let hash = users::password_hash(&mut tx, user.id).await?;
    Ok(Some((user, hash)))
}

/// A new token for the session that asks, with the rights of now.
pub async fn refresh(app: &App, caller: &Caller) -> Result<Login, AppError> {
    let session = caller.own()?.session_id;
    let mut tx = app.store.read("refresh").await?;
    let presence = sessions::presence(&mut tx, session, None).await?;
    app.login(presence.ok_or(Denied::Credentials)?)
}

/// Ends the session that asks.
pub async fn out(app: &App, caller: &Caller) -> Result<(), AppError> {
    let session = caller.own()?.session_id;
    super::sessions::end(app, caller, session).await
}

impl App {
    /// Without a sealing key nobody signs in: there is nothing to sign tokens with.
    pub(super) fn sign_in(&self) -> Result<&SignIn, AppError> {
        self.sign_in
            .as_deref()
            .ok_or(AppError::SealingKeyMissing(StoreError::NoSealingKey))
    }

    /// What is kept of a password.
    pub(super) async fn hash(&self, password: NewPassword) -> Result<PasswordHash, AppError> {
        Ok(self.sign_in()?.check.hasher().hash(password).await?)
    }

    /// Whom the issuer of an ID token vouches for; tokens that do not do are counted like wrong passwords.
    pub(super) async fn vouched(
        &self,
        address: Option<IpAddr>,
        token: &SecretString,
    ) -> Result<ExternalIdentity, AppError> {
        let attempt = by_address(address);
        let sign_in = self.sign_in()?;
        let throttle = sign_in.check.throttle();
        throttle.check(attempt).map_err(CheckError::from)?;
        match sign_in.issuers.verify(token).await {
            Err(error @ IdTokenError::Refused(_)) => {
                tracing::info!(error = error_chain(&error), "an ID token is refused");
                throttle.failed(attempt);
                Err(Denied::Credentials.into())
            }
            verified => Ok(verified?),
        }
    }

    async fn is_known(&self, email: &EmailAddress, external: &External) -> Result<bool, AppError> {
        let mut tx = self.store.read("known_by_issuer").await?;
        let known = users::find_by_external(&mut tx, external).await?.is_some();
        Ok(known || users::find_by_email(&mut tx, email).await?.is_some())
    }

    /// Links the user with this address to whom an issuer knows, and accepts their invitation, with the entry of that.
    async fn recognise(
        &self,
        tx: &mut Tx,
        email: &EmailAddress,
        external: &External,
    ) -> Result<(User, Option<Changed>), AppError> {
        let known = users::find_by_email(tx, email).await?;
        // Somebody else at the issuer got hold of the address.
        let known = known.filter(|user| user.external.is_none());
        let user = known.ok_or(Denied::Credentials)?;
        users::set_external(tx, user.id, external, self.now()).await?;
        if user.status != UserStatus::Invited {
            let after = json!({"issuer": external.issuer, "subject": Digest::of(&external.subject)});
            let entry = changed("user.link_identity", &user, None, Some(after));
            return Ok((user, Some(entry)));
        }
        self.void(tx, Purpose::Invitation, &user).await?;
        let entry = self.accepted(tx, &user).await?;
        Ok((user, Some(entry)))
    }

    /// Begins a session in the transaction of what proved who it is, and ends that.
    ///
    /// The entry tells of the session, or of what the session is only a part of.
    pub(super) async fn begin_session(
        &self,
        mut tx: Tx,
        user: &User,
        origin: Origin,
        whole: Option<Changed>,
    ) -> Result<Login, AppError> {
        // Another key than the database's would sign what no other host takes.
        sealing_keys::check(&mut tx).await?;
        let now = self.now();
        let session = Session {
            id: SessionId::fresh(self.ids.as_ref()),
            user_id: user.id,
            created_at: now,
            last_used_at: now,
            expires_at: now + LONGEST,
            address: origin.address.map(|address| address.to_string()),
            agent: origin.agent.as_ref().map(ToString::to_string),
        };
        sessions::purge(&mut tx, user.id, now).await?;
        sessions::insert(&mut tx, &session).await?;
        let presence = sessions::presence(&mut tx, session.id, None).await?;
        // As it is in this transaction: the user may have been suspended since the password was compared.
        let presence = presence.filter(|presence| presence.is_good(now));
        let presence = presence.ok_or(Denied::Credentials)?;
        // Locks them: of two who sign in at once, the second sees the session of the first.
        users::set_last_login(&mut tx, user.id, now).await?;
        let ended = sessions::make_room(&mut tx, user.id, session.id, now - presence.rest(), MOST).await?;
        let caller = Caller::signed_in(presence.clone(), false, Ok(None), origin);
        // Of a suspended tenant.
        caller.standing()?;
        let begun = Changed {
            action: "session.begin",
            resource: "session",
            target: session.id.to_string(),
            tenant_id: user.tenant_id(),
            before: None,
            after: (ended > 0).then(|| json!({"ended_sessions": ended})),
        };
        self.audit(&mut tx, &caller, whole.unwrap_or(begun))?;
        let login = self.login(presence)?;
        tx.commit().await?;
        Ok(login)
    }

    fn login(&self, presence: Presence) -> Result<Login, AppError> {
        let home = presence.home.as_ref();
        let claims = Claims {
            user_id: presence.session.user_id,
            session_id: presence.session.id,
            tenant_id: home.map(|home| home.membership.tenant_id),
            role: home.map(|home| home.membership.role.to_string()),
            permissions: home.map_or_else(Vec::new, |home| home.permissions.iter().copied().collect()),
            issued_at: self.now(),
            expires_at: presence.session.expires_at,
        };
        let token = self.sign_in()?.tokens.sign(&claims)?;
        Ok(Login { token, presence })
    }
}
