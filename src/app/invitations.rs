//! Invitations: a user who has not chosen a password yet, and a link by which they do and come in.

use jiff::Timestamp;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;

use super::App;
use super::audit::Changed;
use super::error::AppError;
use super::guards;
use super::one_time::{recipient, subject};
use super::platform_users::member;
use super::sign_in::Login;
use super::user_changes::{bad_transition, changed, found, view};
use crate::auth::access::Act;
use crate::auth::caller::{Caller, Identity, Origin};
use crate::domain::email::EmailAddress;
use crate::domain::ids::UserId;
use crate::domain::invalid::{FieldErrors, Invalid};
use crate::domain::mail::{self, Line, Link, Mail, MailKind};
use crate::domain::name::{PersonName, RoleName};
use crate::domain::one_time_token::{OneTimeSecret, Purpose};
use crate::domain::password::{NewPassword, PasswordHash};
use crate::domain::permission::Permission;
use crate::domain::user::{External, Membership, User, UserStatus};
use crate::store::{Tx, roles, users};

/// Who is invited.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["email", "name"]))]
pub struct InvitationInput {
    /// Unique on the platform.
    #[schemars(with = "EmailAddress")]
    pub email: Option<String>,
    /// 1 to 100 characters.
    #[schemars(with = "PersonName")]
    pub name: Option<String>,
    /// The name of a role of the tenant; `agent` if absent.
    #[schemars(with = "Option<RoleName>")]
    pub role: Option<String>,
}

/// What became of an invitation.
pub struct Invitation {
    /// When the link is good for nothing any more.
    pub expires_at: Timestamp,
    /// The link, for whoever invites to hand on; `None` where it goes by mail.
    pub link: Option<Link>,
}

/// What an invited user proves with that it is they, from then on.
pub enum Acceptance<'a> {
    /// A password that they choose.
    Password(&'a SecretString),
    /// An issuer's token, for the address that was invited.
    IdToken(&'a SecretString),
}

/// The same when it was looked at.
enum Proof {
    Password(PasswordHash),
    External(External),
}

impl InvitationInput {
    fn parse(self) -> Result<(EmailAddress, PersonName, String), FieldErrors> {
        let mut errors = FieldErrors::default();
        let required = |text: Option<String>| text.ok_or_else(|| Invalid::new("is required"));
        let email = errors.take("email", required(self.email).and_then(|text| text.parse()));
        let name = errors.take("name", required(self.name).and_then(|text| text.parse()));
        match (email, name) {
            (Some(email), Some(name)) => Ok((email, name, self.role.unwrap_or_else(|| "agent".to_owned()))),
            _ => Err(errors),
        }
    }
}

/// Invites somebody into the caller's tenant.
pub async fn invite(
    app: &App,
    caller: &Caller,
    input: InvitationInput,
) -> Result<(User, Invitation), AppError> {
    caller.tenant(Permission::UsersCreate, Act::Change)?;
    caller.reason_to_change()?;
    let (email, name, role) = input.parse()?;
    let (mut tx, caller, tenant) = app
        .begin_on_member(caller, Permission::UsersCreate, "invite")
        .await?;
    let membership = member(app, &mut tx, tenant, &role).await?;
    may_give(&mut tx, &caller, &membership).await?;
    let user = app.fresh_user(Some(membership), email, name, UserStatus::Invited);
    users::insert(&mut tx, &user, None).await?;
    let invitation = app.send_invitation(&mut tx, &caller, &user).await?;
    let entry = changed("user.invite", &user, None, Some(view(&user)));
    app.audit(&mut tx, &caller, entry)?;
    tx.commit().await?;
    app.posted();
    Ok((user, invitation))
}

/// Invites a user once more; the link of before is good for nothing from then on.
pub async fn again(app: &App, caller: &Caller, id: UserId) -> Result<(User, Invitation), AppError> {
    let (mut tx, caller, tenant) = app
        .begin_on_member(caller, Permission::UsersCreate, "invite_again")
        .await?;
    let user = found(users::find(&mut tx, tenant, id).await?)?;
    caller.reason_to_change()?;
    may_invite(&caller, &user)?;
    if let Some(membership) = &user.membership {
        may_give(&mut tx, &caller, membership).await?;
    }
    let invitation = app.send_invitation(&mut tx, &caller, &user).await?;
    let entry = changed("user.invite_again", &user, None, None);
    app.audit(&mut tx, &caller, entry)?;
    tx.commit().await?;
    app.posted();
    Ok((user, invitation))
}

/// Takes an invitation back, and the user with it.
pub async fn revoke(app: &App, caller: &Caller, id: UserId) -> Result<(), AppError> {
    let (mut tx, caller, tenant) = app
        .begin_on_member(caller, Permission::UsersCreate, "revoke_invitation")
        .await?;
    let user = found(users::find(&mut tx, tenant, id).await?)?;
    caller.reason_to_change()?;
    may_invite(&caller, &user)?;
    app.remove_user(&mut tx, &caller, &user, "user.revoke_invitation")
        .await?;
    Ok(tx.commit().await?)
}

/// Whoever invites may be shown the link, and could follow it: so nobody invites whom they could not make.
fn may_invite(caller: &Caller, user: &User) -> Result<(), AppError> {
    guards::acts_on(caller, user)?;
    if user.status != UserStatus::Invited {
        return Err(bad_transition(user.status));
    }
    Ok(())
}

/// Whether the caller may give somebody their role, which whoever follows the link has.
async fn may_give(tx: &mut Tx, caller: &Caller, membership: &Membership) -> Result<(), AppError> {
    let role = roles::find(tx, membership.tenant_id, membership.role_id).await?;
    guards::gives(caller, &role.ok_or(AppError::NotFound)?)
}

/// Accepts an invitation, and signs in; once.
pub async fn accept(
    app: &App,
    origin: Origin,
    token: SecretString,
    by: Acceptance<'_>,
) -> Result<Login, AppError> {
    let secret = OneTimeSecret::presented(token);
    let invited = app.holder(Purpose::Invitation, &secret, origin.address).await?;
    // Outside of the transaction: it takes its time.
    let proof = match by {
        Acceptance::Password(text) => Proof::Password(app.chosen("password", text, &invited).await?),
        Acceptance::IdToken(token) => {
            let identity = app.vouched(origin.address, token).await?;
            if identity.email != invited.email {
                let reason = "must be of the address that was invited; sign in with that one";
                return Err(FieldErrors::one("firebase_token", reason).into());
            }
            Proof::External(External {
                issuer: identity.issuer.to_string(),
                subject: identity.subject,
            })
        }
    };
    let mut tx = app
        .begin_on_user(invited.tenant_id(), "accept_invitation")
        .await?;
    let before = app.take_token(&mut tx, Purpose::Invitation, &secret).await?;
    let now = app.now();
    match proof {
        Proof::Password(hash) => users::set_password_hash(&mut tx, before.id, &hash, now).await?,
        Proof::External(external) => {
            if users::find_by_external(&mut tx, &external).await?.is_some() {
                let reason = "is of somebody who is a user here already";
                return Err(FieldErrors::one("firebase_token", reason).into());
            }
            users::set_external(&mut tx, before.id, &external, now).await?
        }
    };
    let entry = app.accepted(&mut tx, &before).await?;
    app.begin_session(tx, &before, origin, Some(entry)).await
}

impl App {
    /// Makes an invited user active; gives the entry of that.
    pub(super) async fn accepted(&self, tx: &mut Tx, before: &User) -> Result<Changed, AppError> {
        users::set_status(tx, before.id, UserStatus::Active, self.now()).await?;
        let after = found(users::find_anywhere(tx, before.id).await?)?;
        Ok(changed(
            "user.accept_invitation",
            &after,
            Some(view(before)),
            Some(view(&after)),
        ))
    }

    /// Gives an invited user a link in the place of a former one, by mail where there is a mail server.
    pub(super) async fn send_invitation(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        user: &User,
    ) -> Result<Invitation, AppError> {
        let (token, link) = self.one_time_link(tx, Purpose::Invitation, user).await?;
        let inviter = match caller.identity() {
            Identity::User(inviter) => Some(Line::from(&inviter.name)),
            Identity::ApiKey(_) | Identity::SystemCli | Identity::SystemAuto => None,
        };
        let mail = Mail::Invitation(mail::Invitation {
            to: recipient(user),
            tenant: user.membership.as_ref().map(|of| Line::from(&of.tenant)),
            inviter,
            link,
            expires_at: token.expires_at,
        });
        let subject = subject(MailKind::Invitation, user.id)?;
        let link = self.post(tx, user.tenant_id(), &subject, &mail).await?;
        Ok(Invitation {
            expires_at: token.expires_at,
            link,
        })
    }

    /// What is kept of a password that a user chose.
    pub(super) async fn chosen(
        &self,
        field: &str,
        text: &SecretString,
        user: &User,
    ) -> Result<PasswordHash, AppError> {
        let chosen = NewPassword::choose(text, &user.email)
            .map_err(|invalid| FieldErrors::one(field, invalid.reason()))?;
        self.hash(chosen).await
    }
}
