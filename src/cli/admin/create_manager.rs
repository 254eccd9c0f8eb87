//! `switchyard admin create-manager`.

use std::path::PathBuf;

use clap::Args;
use secrecy::ExposeSecret as _;
use serde_json::json;

use super::password;
use crate::app::operator;
use crate::app::platform_users::{self, UserInput};
use crate::cli::{Context, Failure};

pub const EXAMPLE: &str = "The password comes from a file or from SWITCHYARD_PASSWORD, never from the command line, which \
    other users can read; without either one is made and shown.\n\nExample:\n  switchyard admin create-manager \
    --email ann@example.com --name 'Ann Example'";

/// A new platform manager.
#[derive(Args)]
pub struct CreateManager {
    /// What they sign in with
    #[arg(long, value_name = "ADDRESS")]
    email: String,
    /// 1 to 100 characters
    #[arg(long)]
    name: String,
    /// A file that holds the password and nothing else; `-` reads it from standard input
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

pub fn run(context: &mut Context<'_>, create: CreateManager) -> Result<(), Failure> {
    let (password, is_new) = password(context, create.password_file.as_deref())?;
    context.with_parts(async |context, parts| {
        let input = UserInput {
            name: Some(create.name),
            email: Some(create.email),
            password: Some(password.clone()),
            platform_manager: Some(true),
            ..UserInput::default()
        };
        let (user, _) = platform_users::create(&parts.app, &operator::platform(None), input).await?;
        let shown = is_new.then(|| password.expose_secret());
        let value = json!({"id": user.id, "email": user.email, "name": user.name, "password": shown});
        context.output.result(&value, |text| {
            text.line(&format!("{} manages the platform", user.email))?;
            shown.map_or(Ok(()), |shown| text.fields(&[("password", shown)]))
        })
    })
}
