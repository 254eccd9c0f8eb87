//! `/api/v1/platform/users`: users of every tenant, and those of the operator.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use secrecy::SecretString;
use serde::Deserialize;

use super::users::wanted;
use crate::app::App;
use crate::app::platform_users::{self, UserInput};
use crate::app::views::{InvitedView, UserView};
use crate::auth::caller::Caller;
use crate::domain::ids::UserId;
use crate::domain::user_query::UserQuery;
use crate::http::body::Body;
use crate::http::envelope::{list, single};
use crate::http::id::Id;
use crate::http::problem::Problem;
use crate::http::query::Query;

/// A new password.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordChoice {
    password: SecretString,
}

/// Whether somebody manages the platform.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManagerChoice {
    platform_manager: bool,
}

/// `GET /platform/users`: one page, by name unless `sort` says otherwise.
pub async fn index(
    State(app): State<App>,
    caller: Caller,
    mut query: Query,
) -> Result<impl IntoResponse, Problem> {
    let wanted = UserQuery {
        tenant_id: query.optional("tenant_id"),
        platform_manager: query.choice("platform_manager"),
        ..wanted(&mut query)
    };
    query.finish()?;
    let page = platform_users::list(&app, &caller, &wanted).await?;
    Ok(list(page.map(|user| UserView::from(&user))))
}

/// `GET /platform/users/{id}`.
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<UserId>,
    query: Query,
) -> Result<impl IntoResponse, Problem> {
    let user = platform_users::find(&app, &caller, id).await?;
    query.finish()?;
    Ok(single(UserView::from(&user)))
}

/// `POST /platform/users`.
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    query: Query,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    let input: UserInput = body.json().await?;
    query.finish()?;
    let (user, invitation) = platform_users::create(&app, &caller, input).await?;
    Ok((
        StatusCode::CREATED,
        single(InvitedView::new(&user, invitation.as_ref())),
    ))
}

/// `PUT /platform/users/{id}/password`.
pub async fn set_password(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<UserId>,
    query: Query,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    platform_users::find(&app, &caller, id).await?;
    let choice: PasswordChoice = body.json().await?;
    query.finish()?;
    platform_users::set_password(&app, &caller, id, &choice.password).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `PUT /platform/users/{id}/platform-manager`.
pub async fn set_platform_manager(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<UserId>,
    query: Query,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    platform_users::find(&app, &caller, id).await?;
    let choice: ManagerChoice = body.json().await?;
    query.finish()?;
    let user = platform_users::set_platform_manager(&app, &caller, id, choice.platform_manager).await?;
    Ok(single(UserView::from(&user)))
}
