//! Links that work once: a token made, mailed or handed on, and taken when it is presented.

use std::net::IpAddr;

use super::App;
use super::error::AppError;
use crate::auth::password_check::CheckError;
use crate::auth::throttle::Attempt;
use crate::domain::ids::{OneTimeTokenId, UserId};
use crate::domain::invalid::FieldErrors;
use crate::domain::mail::{Line, Link, Recipient};
use crate::domain::one_time_token::{OneTimeSecret, OneTimeToken, Purpose};
use crate::domain::outbox::Subject;
use crate::domain::user::User;
use crate::store::{Tx, one_time_tokens, users};

/// What the outbox files a user's link under.
pub(super) fn subject(purpose: Purpose, user: UserId) -> Result<Subject, AppError> {
    let subject = Subject::of(purpose.page().as_str(), user.uuid());
    subject.map_err(|invalid| FieldErrors::one("subject", invalid.reason()).into())
}

/// Whom a mail to a user is for.
pub(super) fn recipient(user: &User) -> Recipient {
    Recipient {
        address: user.email.clone(),
        name: Line::from(&user.name),
    }
}

/// The same for a token that never was, was used, was replaced and has expired.
fn void() -> AppError {
    let reason =
        "is good for nothing, or not any more: it works once and for a limited time; ask for another";
    FieldErrors::one("token", reason).into()
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
        one_time_tokens::revoke(tx, purpose, user.id).await?;
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
        let token = one_time_tokens::find(&mut tx, purpose, secret.digest()).await?;
        let Some(token) = token.filter(|token| token.is_good(self.now())) else {
            throttle.failed(attempt);
            return Err(void());
        };
        users::find_anywhere(&mut tx, token.user_id)
            .await?
            .ok_or_else(void)
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
        let token = one_time_tokens::find(tx, purpose, secret.digest()).await?;
        let token = token.filter(|token| token.is_good(self.now())).ok_or_else(void)?;
        let user = users::find_anywhere(tx, token.user_id).await?.ok_or_else(void)?;
        self.void(tx, purpose, &user).await?;
        Ok(user)
    }

    /// Makes every link that a user was sent good for nothing: what it would open has changed since.
    pub(super) async fn void_links(&self, tx: &mut Tx, user: &User) -> Result<(), AppError> {
        for purpose in [Purpose::Invitation, Purpose::PasswordReset] {
            self.void(tx, purpose, user).await?;
        }
        Ok(())
    }

    /// Makes a user's link good for nothing, and a mail with it that still waits is not sent.
    pub(super) async fn void(&self, tx: &mut Tx, purpose: Purpose, user: &User) -> Result<(), AppError> {
        one_time_tokens::revoke(tx, purpose, user.id).await?;
        self.take_back(tx, user.tenant_id(), &subject(purpose, user.id)?)
            .await
    }
}
