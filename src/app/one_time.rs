//! Links that work once: a token made, mailed or handed on, and taken when it is presented.

use std::net::IpAddr;

use super::App;
use super::error::AppError;
use super::standing::served;
use crate::auth::password_check::CheckError;
use crate::auth::throttle::Attempt;
use crate::domain::ids::{OneTimeTokenId, UserId};
use crate::domain::invalid::FieldErrors;
use crate::domain::mail::{Line, Link, MailKind, Recipient};
use crate::domain::one_time_token::{OneTimeSecret, OneTimeToken, Purpose};
use crate::domain::outbox::Subject;
use crate::domain::user::{User, UserStatus};
use crate::store::{Tx, one_time_tokens, users};

/// What the outbox files a mail to a user under.
pub(super) fn subject(kind: MailKind, user: UserId) -> Result<Subject, AppError> {
    let subject = Subject::of(kind.as_str(), user.uuid());
    subject.map_err(|invalid| FieldErrors::one("subject", invalid.reason()).into())
}

/// The mail that a link goes by.
const fn kind(purpose: Purpose) -> MailKind {
    match purpose {
        Purpose::Invitation => MailKind::Invitation,
        Purpose::PasswordReset => MailKind::PasswordReset,
    }
}

/// Whom a link of this purpose is good for: nobody accepts twice, and who may not sign in chooses no password.
const fn status(purpose: Purpose) -> UserStatus {
    match purpose {
        Purpose::Invitation => UserStatus::Invited,
        Purpose::PasswordReset => UserStatus::Active,
    }
}

/// Whom a mail to a user is for.
pub(super) fn recipient(user: &User) -> Recipient {
    Recipient {
        address: user.email.clone(),
        name: Line::from(&user.name),
    }
}

/// The same for a token that never was, was used, was replaced, has expired, and whose user may not use it.
fn void() -> AppError {
    let reason =
        "is good for nothing, or not any more: it works once and for a limited time; ask for another";
    FieldErrors::one("token", reason).into()
}

/// Removes some of the tokens that have expired; gives how many.
pub async fn forget_expired(app: &App) -> Result<u64, AppError> {
    let mut tx = app.store.begin("forget_expired_tokens").await?;
    let forgotten = one_time_tokens::purge(&mut tx, app.now()).await?;
    tx.commit().await?;
    Ok(forgotten)
}

impl App {
    /// Gives a user a token in the place of a former one, and the link with it.
    pub(super) async fn one_time_link(
        &self,
        tx: &mut Tx,
        purpose: Purpose,
        user: &User,
    ) -> Result<(OneTimeToken, Link), AppError> {
        let secret = OneTimeSecret::generate(self.random.as_ref())?;
        let link = self.link(purpose.page(), secret.text())?;
        let now = self.now();
        let token = OneTimeToken {
            id: OneTimeTokenId::fresh(self.ids.as_ref()),
            user_id: user.id,
            purpose,
            created_at: now,
            expires_at: now + purpose.lifetime(),
        };
        self.void(tx, purpose, user).await?;
        one_time_tokens::insert(tx, &token, secret.digest()).await?;
        Ok((token, link))
    }

    /// Whose token this is, before anything is done with it; one that is no good is counted like a wrong password.
    pub(super) async fn holder(
        &self,
        purpose: Purpose,
        secret: &OneTimeSecret,
        address: Option<IpAddr>,
    ) -> Result<User, AppError> {
        let attempt = Attempt {
            account: None,
            address,
        };
        let throttle = self.sign_in()?.check.throttle();
        throttle.check(attempt).map_err(CheckError::from)?;
        let mut tx = self.store.read("one_time_token").await?;
        let Some(user) = self.good_for(&mut tx, purpose, secret).await? else {
            throttle.failed(attempt);
            return Err(void());
        };
        served(&mut tx, user.tenant_id()).await?;
        Ok(user)
    }

    /// Whom a token is good for, if anybody.
    async fn good_for(
        &self,
        tx: &mut Tx,
        purpose: Purpose,
        secret: &OneTimeSecret,
    ) -> Result<Option<User>, AppError> {
        let token = one_time_tokens::find(tx, purpose, secret.digest()).await?;
        let Some(token) = token.filter(|token| token.is_good(self.now())) else {
            return Ok(None);
        };
        let user = users::find_anywhere(tx, token.user_id).await?;
        Ok(user.filter(|user| user.status == status(purpose)))
    }

    /// Takes a token: of many who present it at the same time, one comes through. Gives its user as they are now.
    ///
    /// The transaction must hold the platform's lock ([`App::begin_on_user`]).
    pub(super) async fn take_token(
        &self,
        tx: &mut Tx,
        purpose: Purpose,
        secret: &OneTimeSecret,
    ) -> Result<User, AppError> {
        let user = self.good_for(tx, purpose, secret).await?.ok_or_else(void)?;
        served(tx, user.tenant_id()).await?;
        self.void(tx, purpose, &user).await?;
        Ok(user)
    }

    /// Makes every link that a user was sent good for nothing: what it would open has changed since.
    pub(super) async fn void_links(&self, tx: &mut Tx, user: &User) -> Result<(), AppError> {
        for purpose in Purpose::ALL {
            self.void(tx, *purpose, user).await?;
        }
        Ok(())
    }

    /// Makes a user's link good for nothing, and a mail with it that still waits is not sent.
    pub(super) async fn void(&self, tx: &mut Tx, purpose: Purpose, user: &User) -> Result<(), AppError> {
        one_time_tokens::revoke(tx, purpose, user.id).await?;
        self.take_back(tx, &subject(kind(purpose), user.id)?).await
    }
}
