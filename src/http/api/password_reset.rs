//! `/api/v1/auth/password-reset`: a forgotten password.

use axum::extract::State;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;

use crate::app::{App, password_reset};
use crate::auth::caller::Origin;
use crate::domain::email::EmailAddress;
use crate::domain::one_time_token::OneTimeSecret;
use crate::domain::password::NewPassword;
use crate::http::answer::{Accepted, NoContent};
use crate::http::body::Body;
use crate::http::problem::Problem;
use crate::http::query::Query;

/// Whose password.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Forgotten {
    email: EmailAddress,
}

/// The link's token, and another password.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    #[schemars(with = "OneTimeSecret")]
    token: SecretString,
    #[schemars(with = "NewPassword")]
    password: SecretString,
}

/// `POST /auth/password-reset`: the same answer, whoever has the address.
pub async fn request(
    State(app): State<App>,
    origin: Origin,
    query: Query,
    body: Body<Forgotten>,
) -> Result<Accepted<NoContent>, Problem> {
    let Forgotten { email } = body.read().await?;
    query.read()?;
    password_reset::request(&app, origin, email).await?;
    Ok(Accepted(NoContent))
}

/// `POST /auth/password-reset/confirm`: all sessions of the user end.
pub async fn confirm(
    State(app): State<App>,
    origin: Origin,
    query: Query,
    body: Body<Confirmation>,
) -> Result<NoContent, Problem> {
    let Confirmation { token, password } = body.read().await?;
    query.read()?;
    password_reset::confirm(&app, origin, token, &password).await?;
    Ok(NoContent)
}
