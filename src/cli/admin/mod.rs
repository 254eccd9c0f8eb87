//! `switchyard admin`: who manages the platform, from the host itself.

mod create_manager;
mod invite;
mod manager;
mod reset_password;

use std::path::Path;

use clap::Subcommand;
use secrecy::SecretString;

use super::{Context, Failure, secret_argument};
use crate::app::error::AppError;
use crate::app::{operator, platform_users};
use crate::daemon::parts::Parts;
use crate::domain::email::EmailAddress;
use crate::domain::random::{self, LETTERS, SystemRandom};
use crate::domain::user::User;

/// The variable that may hold a password.
const VARIABLE: &str = "SWITCHYARD_PASSWORD";

/// What to do with users of the platform.
#[derive(Subcommand)]
pub enum AdminCommand {
    /// Add a platform manager who signs in by password
    #[command(after_help = create_manager::EXAMPLE)]
    CreateManager(create_manager::CreateManager),
    /// Invite a user, who chooses a password by a link that works once
    #[command(after_help = invite::EXAMPLE)]
    Invite(invite::Invite),
    /// Make a user a platform manager
    #[command(after_help = "Example:\n  switchyard admin grant ann@example.com")]
    Grant(manager::Who),
    /// Let a user be a platform manager no longer; their sessions end at once
    #[command(after_help = "Example:\n  switchyard admin revoke ann@example.com")]
    Revoke(manager::Who),
    /// Give a user another password; their sessions end at once
    #[command(after_help = reset_password::EXAMPLE)]
    ResetPassword(reset_password::ResetPassword),
}

pub fn run(context: &mut Context<'_>, command: AdminCommand) -> Result<(), Failure> {
    match command {
        AdminCommand::CreateManager(create) => create_manager::run(context, create),
        AdminCommand::Invite(invite) => invite::run(context, invite),
        AdminCommand::Grant(who) => manager::run(context, &who, true),
        AdminCommand::Revoke(who) => manager::run(context, &who, false),
        AdminCommand::ResetPassword(reset) => reset_password::run(context, &reset),
    }
}

/// The given password, or a new one; whether it is new and has to be shown.
fn password(context: &mut Context<'_>, file: Option<&Path>) -> Result<(SecretString, bool), Failure> {
    if let Some(given) = secret_argument::read(context, file, VARIABLE)? {
        return Ok((given, false));
    }
    let drawn = random::text(&SystemRandom, LETTERS, 24).map_err(AppError::from)?;
    Ok((drawn.into(), true))
}

/// The user with an address.
async fn user(parts: &Parts, email: &EmailAddress) -> Result<User, Failure> {
    match platform_users::find_by_email(&parts.app, &operator::platform(None), email).await {
        Err(AppError::NotFound) => Err(Failure::Absent(format!("there is no user {email}"))),
        found => Ok(found?),
    }
}
