//! The own profile: look at it, change it, choose another password.

use secrecy::SecretString;

use super::App;
use super::error::AppError;
use super::precondition::{IfMatch, tag_of_user};
use super::user_changes::{changed, found};
use crate::auth::caller::Caller;
use crate::auth::password_check::CheckError;
use crate::domain::contact::Contact;
use crate::domain::invalid::FieldErrors;
use crate::domain::name::PersonName;
use crate::domain::password::{NewPassword, Password};
use crate::domain::user::User;
use crate::store::users;

/// What a user changes of themselves; what is absent stays.
#[derive(Default)]
pub struct ProfileChange {
    /// As people call them.
    pub name: Option<PersonName>,
    /// How else they are reached.
    pub contact: Option<Contact>,
}

/// The caller's own profile.
pub async fn find(app: &App, caller: &Caller) -> Result<User, AppError> {
    let own = caller.own()?;
    let mut tx = app.store.read("find_profile").await?;
    found(users::find_anywhere(&mut tx, own.user_id).await?)
}

/// Changes the caller's name and contact fields.
pub async fn change(
    app: &App,
    caller: &Caller,
    change: ProfileChange,
    if_match: &IfMatch,
) -> Result<User, AppError> {
    let (mut tx, caller, before) = app.begin_own(caller, "change_profile").await?;
    if_match.check(&tag_of_user(&before))?;
    let name = change.name.unwrap_or_else(|| before.name.clone());
    let contact = change.contact.unwrap_or_else(|| before.contact.clone());
    if name == before.name && contact == before.contact {
        return Ok(before);
    }
    users::set_person(
        &mut tx,
        before.id,
        &name,
        &contact,
        before.extension_id,
        app.now(),
    )
    .await?;
    let after = app.audit_user(&mut tx, &caller, "user.change", &before).await?;
    tx.commit().await?;
    Ok(after)
}

/// Chooses another password, which the present one proves the right to; all other sessions end.
pub async fn change_password(
    app: &App,
    caller: &Caller,
    present: &SecretString,
    new: &SecretString,
) -> Result<(), AppError> {
    let own = caller.own()?;
    let new = NewPassword::choose(new, &own.email)
        .map_err(|invalid| FieldErrors::one("new_password", invalid.reason()))?;
    let mut tx = app.store.read("own_password").await?;
    let stored = users::password_hash(&mut tx, own.user_id).await?;
    drop(tx);
    let (address, present) = (caller.origin().address, Password::typed(present));
    match app
        .sign_in()?
        .check
        .check(&own.email, address, present, stored.clone())
        .await
    {
        Err(CheckError::Wrong) => {
            return Err(not_yours());
        }
        checked => drop(checked?),
    }
    let hash = app.hash(new).await?;
    let (mut tx, now, user) = app.begin_own(caller, "change_password").await?;
    // Comparing took its time: there may be another one by now.
    if users::password_hash(&mut tx, user.id).await? != stored {
        return Err(not_yours());
    }
    app.put_password(&mut tx, &user, &hash, None, Some(own.session_id))
        .await?;
    let entry = changed("user.change_password", &user, None, None);
    app.audit(&mut tx, &now, entry)?;
    tx.commit().await?;
    app.posted();
    Ok(())
}

fn not_yours() -> AppError {
    FieldErrors::one("current_password", "is not your password").into()
}
