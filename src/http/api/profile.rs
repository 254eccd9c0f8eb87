//! `/api/v1/org-users/me`: the own profile and password.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use secrecy::SecretString;
use serde::Deserialize;

use crate::app::App;
use crate::app::profile::{self, ProfileChange};
use crate::app::views::UserView;
use crate::auth::caller::Caller;
use crate::domain::contact::Contact;
use crate::domain::name::PersonName;
use crate::http::body::Body;
use crate::http::envelope::single;
use crate::http::problem::Problem;
use crate::http::query::Query;

/// What changes; what is absent stays.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
pub struct ProfileInput {
    name: Option<PersonName>,
    contact: Option<Contact>,
}

/// A new password, with the present one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordInput {
    current_password: SecretString,
    new_password: SecretString,
}

/// `GET /org-users/me/profile`.
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    query: Query,
) -> Result<impl IntoResponse, Problem> {
    query.finish()?;
    let user = profile::find(&app, &caller).await?;
    Ok(single(UserView::from(&user)))
}

/// `PATCH /org-users/me/profile`: `contact` is replaced as a whole.
pub async fn change(
    State(app): State<App>,
    caller: Caller,
    query: Query,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    let input: ProfileInput = body.json().await?;
    query.finish()?;
    let change = ProfileChange {
        name: input.name,
        contact: input.contact,
    };
    let user = profile::change(&app, &caller, change).await?;
    Ok(single(UserView::from(&user)))
}

/// `PUT /org-users/me/password`.
pub async fn change_password(
    State(app): State<App>,
    caller: Caller,
    query: Query,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    let input: PasswordInput = body.json().await?;
    query.finish()?;
    profile::change_password(&app, &caller, &input.current_password, &input.new_password).await?;
    Ok(StatusCode::NO_CONTENT)
}
