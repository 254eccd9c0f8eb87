//! `switchyard admin reset-password`.

use std::path::PathBuf;

use clap::Args;
use secrecy::ExposeSecret as _;
use serde_json::json;

use super::{password, user};
use crate::app::precondition::IfMatch;
use crate::app::{operator, platform_users};
use crate::cli::{Context, Failure};
use crate::domain::email::EmailAddress;

pub const EXAMPLE: &str = "The password comes from a file or from SWITCHYARD_PASSWORD, never from the command line, which \
    other users can read; without either one is made and shown.\n\nExample:\n  switchyard admin reset-password \
    ann@example.com --password-file /root/new-password";

/// Whose password.
#[derive(Args)]
pub struct ResetPassword {
    /// What they sign in with
    email: EmailAddress,
    /// A file that holds the password and nothing else; `-` reads it from standard input
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

pub fn run(context: &mut Context<'_>, reset: &ResetPassword) -> Result<(), Failure> {
    let (password, is_new) = password(context, reset.password_file.as_deref())?;
    context.with_parts(async |context, parts| {
        let user = user(parts, &reset.email).await?;
        platform_users::set_password(
            &parts.app,
            &operator::platform(None),
            user.id,
            &password,
            &IfMatch::Any,
        )
        .await?;
        let shown = is_new.then(|| password.expose_secret());
        let value = json!({"id": user.id, "email": user.email, "password": shown});
        context.output.result(&value, |text| {
            text.line(&format!(
                "{} has a new password, and has to sign in again",
                user.email
            ))?;
            shown.map_or(Ok(()), |shown| text.fields(&[("password", shown)]))
        })
    })
}
