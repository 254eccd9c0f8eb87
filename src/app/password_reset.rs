//! A forgotten password: a link by mail, by which its owner chooses another one.

use jiff::SignedDuration;
use secrecy::SecretString;

use super::App;
use super::error::AppError;
use super::one_time::{recipient, subject};
use super::user_changes::changed;
use crate::auth::caller::{Caller, Identity, Origin, Place};
use crate::auth::password_check::CheckError;
use crate::auth::throttle::Attempt;
use crate::domain::email::EmailAddress;
use crate::domain::mail::{self, Mail};
use crate::domain::one_time_token::{OneTimeSecret, Purpose};
use crate::domain::user::{User, UserStatus};
use crate::store::{Tx, one_time_tokens, sessions, users};

/// A user gets a link again after this time at the earliest, however often somebody asks for one.
const PAUSE: SignedDuration = SignedDuration::from_mins(5);

/// Sends a link to whoever signs in with this address by password. The answer is the same where nobody does.
pub async fn request(app: &App, origin: Origin, email: &EmailAddress) -> Result<(), AppError> {
    if !app.sends_mails() {
        let message = "this server sends no mails; ask whoever looks after it for a new password";
        return Err(AppError::conflict("no_mail_server", message));
    }
    let attempt = Attempt {
        account: None,
        address: origin.address,
    };
    let throttle = app.sign_in()?.check.throttle();
    throttle.check(attempt).map_err(CheckError::from)?;
    let mut tx = app.begin_on_user(None, "request_password_reset").await?;
    let known = users::find_by_email(&mut tx, email).await?;
    let Some(user) = known.filter(|user| user.has_password && user.status == UserStatus::Active) else {
        // Who tries out addresses is stopped like who tries out passwords.
        throttle.failed(attempt);
        return Ok(());
    };
    let before = one_time_tokens::of_user(&mut tx, Purpose::PasswordReset, user.id).await?;
    if before.is_some_and(|token| app.now().duration_since(token.created_at) < PAUSE) {
        return Ok(());
    }
    app.send_reset(&mut tx, &user).await?;
    let entry = changed("user.request_password_reset", &user, None, None);
    app.audit(&mut tx, &nobody(origin), entry)?;
    tx.commit().await?;
    app.posted();
    Ok(())
}

/// Takes another password from whoever followed the link; all of the user's sessions end.
pub async fn confirm(
    app: &App,
    origin: Origin,
    token: SecretString,
    password: &SecretString,
) -> Result<(), AppError> {
    let secret = OneTimeSecret::presented(token);
    let purpose = Purpose::PasswordReset;
    let holder = app.holder(purpose, &secret, origin.address).await?;
    // Outside of the transaction: it takes its time.
    let hash = app.chosen("password", password, &holder).await?;
    let mut tx = app.begin_on_user(holder.tenant_id(), "reset_password").await?;
    let user = app.take_token(&mut tx, purpose, &secret).await?;
    users::set_password_hash(&mut tx, user.id, &hash, app.now()).await?;
    sessions::end_all(&mut tx, user.id, None).await?;
    let entry = changed("user.reset_password", &user, None, None);
    app.audit(&mut tx, &nobody(origin), entry)?;
    tx.commit().await?;
    // Whoever was locked out by somebody's tries is in again.
    let account = Attempt {
        account: Some(&user.email),
        address: None,
    };
    app.sign_in()?.check.throttle().succeeded(account);
    Ok(())
}

/// Whoever asked has not proven who they are: it is the daemon that acts.
fn nobody(origin: Origin) -> Caller {
    Caller::new(Identity::SystemAuto, Place::Platform, None, origin)
}

impl App {
    async fn send_reset(&self, tx: &mut Tx, user: &User) -> Result<(), AppError> {
        let (token, link) = self.one_time_link(tx, Purpose::PasswordReset, user).await?;
        let mail = Mail::PasswordReset(mail::PasswordReset {
            to: recipient(user),
            link,
            expires_at: token.expires_at,
        });
        let subject = subject(Purpose::PasswordReset, user.id)?;
        // There is a mail server: nothing is left to hand on.
        self.post(tx, user.tenant_id(), &subject, &mail).await.map(drop)
    }
}
