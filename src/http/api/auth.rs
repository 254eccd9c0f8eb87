//! `/api/v1/auth`: signing in, going on, signing out, and the own sessions.

use axum::extract::State;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;

use crate::app::sign_in::{self, Login};
use crate::app::views::{LoginView, SessionView};
use crate::app::{App, sessions};
use crate::auth::caller::{Caller, Origin};
use crate::domain::email::EmailAddress;
use crate::domain::ids::SessionId;
use crate::domain::invalid::FieldErrors;
use crate::domain::password::Password;
use crate::http::answer::NoContent;
use crate::http::body::{Body, NoBody};
use crate::http::envelope::{Bare, Single, all};
use crate::http::id::Id;
use crate::http::problem::Problem;
use crate::http::query::Query;

/// What somebody signs in with: address and password, or the token of an issuer of identities.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginInput {
    email: Option<EmailAddress>,
    #[schemars(with = "Option<Password>")]
    password: Option<SecretString>,
    #[schemars(with = "Option<String>", regex(pattern = "^[A-Za-z0-9_.-]+$"))]
    firebase_token: Option<SecretString>,
}

/// `POST /auth/user-login`.
pub async fn user_login(
    State(app): State<App>,
    origin: Origin,
    query: Query,
    body: Body<LoginInput>,
) -> Result<Bare<LoginView>, Problem> {
    let input = body.read().await?;
    query.read()?;
    let login = match input {
        LoginInput {
            email: Some(email),
            password: Some(password),
            firebase_token: None,
        } => sign_in::with_password(&app, origin, &email, &password).await?,
        LoginInput {
            email: None,
            password: None,
            firebase_token: Some(token),
        } => sign_in::with_id_token(&app, origin, &token).await?,
        incomplete => return Err(incomplete.lacking().into()),
    };
    Ok(shown(login))
}

impl LoginInput {
    /// What is missing, or too much.
    fn lacking(self) -> FieldErrors {
        let mut errors = FieldErrors::default();
        if self.firebase_token.is_some() {
            errors.add("firebase_token", "stands alone, without `email` and `password`");
            return errors;
        }
        for (field, given) in [
            ("email", self.email.is_some()),
            ("password", self.password.is_some()),
        ] {
            if !given {
                errors.add(field, "is required, unless `firebase_token` stands alone");
            }
        }
        errors
    }
}

/// `POST /auth/refresh`.
pub async fn refresh(
    State(app): State<App>,
    caller: Caller,
    query: Query,
    body: NoBody,
) -> Result<Bare<LoginView>, Problem> {
    body.read().await?;
    query.read()?;
    Ok(shown(sign_in::refresh(&app, &caller).await?))
}

/// `POST /auth/logout`.
pub async fn logout(
    State(app): State<App>,
    caller: Caller,
    query: Query,
    body: NoBody,
) -> Result<NoContent, Problem> {
    body.read().await?;
    query.read()?;
    sign_in::out(&app, &caller).await?;
    Ok(NoContent)
}

/// `GET /auth/sessions`.
pub async fn sessions(
    State(app): State<App>,
    caller: Caller,
    query: Query,
) -> Result<Single<Vec<SessionView>>, Problem> {
    query.read()?;
    let current = caller.own()?.session_id;
    let own = sessions::list(&app, &caller).await?;
    Ok(all(own
        .into_iter()
        .map(|session| SessionView::new(session, current))))
}

/// `DELETE /auth/sessions`: all but the one that asks.
pub async fn end_sessions(
    State(app): State<App>,
    caller: Caller,
    query: Query,
    body: NoBody,
) -> Result<NoContent, Problem> {
    body.read().await?;
    query.read()?;
    sessions::end_others(&app, &caller).await?;
    Ok(NoContent)
}

/// `DELETE /auth/sessions/{id}`.
pub async fn end_session(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<SessionId>,
    query: Query,
    body: NoBody,
) -> Result<NoContent, Problem> {
    body.read().await?;
    query.read()?;
    sessions::end(&app, &caller, id).await?;
    Ok(NoContent)
}

/// Not in `data`, as the contract has it.
pub(super) fn shown(login: Login) -> Bare<LoginView> {
    Bare(LoginView::revealing(&login.token, login.presence))
}
