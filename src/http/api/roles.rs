//! `/api/v1/roles`: the built-in roles and the tenant's own.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;

use crate::app::App;
use crate::app::roles::{self, RoleInput};
use crate::app::views::{RoleView, RolesView};
use crate::auth::caller::Caller;
use crate::domain::ids::RoleId;
use crate::http::body::Body;
use crate::http::envelope::single;
use crate::http::id::Id;
use crate::http::problem::Problem;
use crate::http::query::Query;

/// `GET /roles`, with the platform's rights beside them.
pub async fn index(
    State(app): State<App>,
    caller: Caller,
    query: Query,
) -> Result<impl IntoResponse, Problem> {
    query.finish()?;
    let roles = roles::list(&app, &caller).await?;
    Ok(Json(RolesView::new(roles)))
}

/// `POST /roles`.
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    query: Query,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    let input: RoleInput = body.json().await?;
    query.finish()?;
    let role = roles::create(&app, &caller, input).await?;
    Ok((StatusCode::CREATED, single(RoleView::from(role))))
}

/// `PATCH /roles/{id}`.
pub async fn change(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<RoleId>,
    query: Query,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    roles::exists(&app, &caller, id).await?;
    let input: RoleInput = body.json().await?;
    query.finish()?;
    let role = roles::change(&app, &caller, id, input).await?;
    Ok(single(RoleView::from(role)))
}

/// `DELETE /roles/{id}`.
pub async fn delete(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<RoleId>,
    query: Query,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    roles::exists(&app, &caller, id).await?;
    body.none().await?;
    query.finish()?;
    roles::delete(&app, &caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
