//! A forgotten password: a link by mail, by which its owner chooses another one.
//!
//! Whoever asks is answered before anybody looks whether there is such a user: neither answer nor its time tells. What was
//! asked for waits in this process, and a task of the daemon works it off.

use std::sync::Arc;

use secrecy::SecretString;
use tokio::sync::{Mutex, mpsc};

use super::App;
use super::error::AppError;
use super::one_time::{recipient, subject};
use super::user_changes::{changed, found};
use crate::auth::caller::{Caller, Identity, Origin, Place};
use crate::auth::password_check::CheckError;
use crate::auth::throttle::Attempt;
use crate::domain::email::EmailAddress;
use crate::domain::error_chain::error_chain;
use crate::domain::mail::{self, Mail, MailKind};
use crate::domain::one_time_token::{OneTimeSecret, Purpose};
use crate::domain::user::{User, UserStatus};
use crate::store::{Tx, one_time_tokens, sealing_keys, tenants, users};

/// No more wait: whoever asks then is sent away, instead of being told that it is seen to.
const MOST_WAITING: usize = 256;

/// Somebody has forgotten a password, or says so.
pub struct Asked {
    origin: Origin,
    email: EmailAddress,
}

/// What was asked for and waits. Clones share it.
#[derive(Clone)]
pub(super) struct Waiting {
    put: mpsc::Sender<Asked>,
    take: Arc<Mutex<mpsc::Receiver<Asked>>>,
}

impl Default for Waiting {
    fn default() -> Self {
        let (put, take) = mpsc::channel(MOST_WAITING);
        let take = Arc::new(Mutex::new(take));
        Self { put, take }
    }
}

/// Has a link sent to whoever signs in with this address by password, once there is time.
///
/// Each address that asks is counted, whomever it asks for, on a counter of its own.
pub async fn request(app: &App, origin: Origin, email: EmailAddress) -> Result<(), AppError> {
    if !app.sends_mails() {
        let message = "this server sends no mails; ask whoever looks after it for a new password";
        return Err(AppError::conflict("no_mail_server", message));
    }
    let attempt = Attempt {
        account: None,
        address: origin.address,
    };
    let asking = &app.sign_in()?.asking;
    asking.spend(attempt).map_err(CheckError::from)?;
    // What would be in the way of every link is said at once.
    let mut tx = app.store.read("check_sealing_key").await?;
    sealing_keys::check(&mut tx).await?;
    let asked = Asked { origin, email };
    app.resets.put.try_send(asked).map_err(|_| AppError::Crowded)
}

/// The next that was asked for, once there is one; nothing once no more is taken and all was seen to.
pub async fn next(app: &App) -> Option<Asked> {
    app.resets.take.lock().await.recv().await
}

/// Takes no more; what waits already stays to be seen to.
pub async fn close(app: &App) {
    app.resets.take.lock().await.close();
}

/// Sends a link, where there is somebody to send one to.
pub async fn see_to(app: &App, asked: Asked) {
    let request_id = asked.origin.request_id.as_ref().map(ToString::to_string);
    match send(app, asked).await {
        // The user, or their tenant, has gone in this very moment.
        Ok(()) | Err(AppError::NotFound) => {}
        Err(error) => {
            // Without the address: it says that somebody is a user here, or who tries.
            let error = error_chain(&error);
            tracing::error!(request_id, error, "a link for a new password could not be sent");
        }
    }
}

async fn send(app: &App, asked: Asked) -> Result<(), AppError> {
    let mut tx = app.store.read("forgotten_password").await?;
    let Some(user) = users::find_by_email(&mut tx, &asked.email).await? else {
        return Ok(());
    };
    if !app.lacks_a_link(&mut tx, &user).await? {
        return Ok(());
    }
    drop(tx);
    let mut tx = app
        .begin_on_user(user.tenant_id(), "request_password_reset")
        .await?;
    let user = found(users::find_anywhere(&mut tx, user.id).await?)?;
    if !app.lacks_a_link(&mut tx, &user).await? {
        return Ok(());
    }
    app.send_reset(&mut tx, &user).await?;
    let entry = changed("user.request_password_reset", &user, None, None);
    app.audit(&mut tx, &nobody(asked.origin), entry)?;
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
    app.put_password(&mut tx, &user, &hash, None, None).await?;
    let entry = changed("user.reset_password", &user, None, None);
    app.audit(&mut tx, &nobody(origin), entry)?;
    tx.commit().await?;
    app.posted();
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
    /// Whether a user may choose another password by a link, and has none that is good.
    ///
    /// One that is good is not replaced: anybody may ask, and would else void the owner's own link over and over.
    async fn lacks_a_link(&self, tx: &mut Tx, user: &User) -> Result<bool, AppError> {
        if !user.has_password || user.status != UserStatus::Active {
            return Ok(false);
        }
        if let Some(tenant) = user.tenant_id() {
            let tenant = tenants::find(tx, tenant).await?;
            if !tenant.is_some_and(|tenant| tenant.status.is_active()) {
                return Ok(false);
            }
        }
        let sent = one_time_tokens::of_user(tx, Purpose::PasswordReset, user.id).await?;
        Ok(!sent.is_some_and(|token| token.is_good(self.now())))
    }

    async fn send_reset(&self, tx: &mut Tx, user: &User) -> Result<(), AppError> {
        let (token, link) = self.one_time_link(tx, Purpose::PasswordReset, user).await?;
        let mail = Mail::PasswordReset(mail::PasswordReset {
            to: recipient(user),
            link,
            expires_at: token.expires_at,
        });
        let subject = subject(MailKind::PasswordReset, user.id)?;
        // There is a mail server: nothing is left to hand on.
        self.post(tx, user.tenant_id(), &subject, &mail).await.map(drop)
    }
}
