//! `/api/v1/roles`: the built-in roles and the tenant's own.

use axum::extract::State;

use crate::app::App;
use crate::app::roles::{self, RoleInput};
use crate::app::views::{RoleView, RolesView};
use crate::auth::caller::Caller;
use crate::domain::ids::RoleId;
use crate::http::answer::{Created, NoContent};
use crate::http::body::{Body, Changes, NoBody, Patched};
use crate::http::envelope::{Bare, Single, single};
use crate::http::id::Id;
use crate::http::problem::Problem;
use crate::http::query::Query;

impl Patched for RoleInput {}

/// `GET /roles`, with the platform's rights beside them.
pub async fn index(State(app): State<App>, caller: Caller, query: Query) -> Result<Bare<RolesView>, Problem> {
    query.read()?;
    let roles = roles::list(&app, &caller).await?;
    Ok(Bare(RolesView::new(roles)))
}

/// `POST /roles`.
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    query: Query,
    body: Body<RoleInput>,
) -> Result<Created<Single<RoleView>>, Problem> {
    let input = body.read().await?;
    query.read()?;
    let role = roles::create(&app, &caller, input).await?;
    Ok(Created(single(RoleView::from(role))))
}

/// `PATCH /roles/{id}`.
pub async fn change(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<RoleId>,
    query: Query,
    body: Changes<RoleInput>,
) -> Result<Single<RoleView>, Problem> {
    roles::exists(&app, &caller, id).await?;
    let input = body.read().await?;
    query.read()?;
    let role = roles::change(&app, &caller, id, input).await?;
    Ok(single(RoleView::from(role)))
}

/// `DELETE /roles/{id}`.
pub async fn delete(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<RoleId>,
    query: Query,
    body: NoBody,
) -> Result<NoContent, Problem> {
    roles::exists(&app, &caller, id).await?;
    body.read().await?;
    query.read()?;
    roles::delete(&app, &caller, id).await?;
    Ok(NoContent)
}
