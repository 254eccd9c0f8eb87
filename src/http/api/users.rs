//! `/api/v1/org-users`: the users of a tenant.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::Deserialize;

use crate::app::views::UserView;
use crate::app::{App, users};
use crate::auth::caller::Caller;
use crate::domain::ids::UserId;
use crate::domain::user_query::UserQuery;
use crate::http::body::Body;
use crate::http::envelope::{list, single};
use crate::http::id::Id;
use crate::http::problem::Problem;
use crate::http::query::Query;

/// The name of a role.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoleChoice {
    role: String,
}

/// `GET /org-users`: one page, by name unless `sort` says otherwise.
pub async fn index(
    State(app): State<App>,
    caller: Caller,
    mut query: Query,
) -> Result<impl IntoResponse, Problem> {
    let wanted = wanted(&mut query);
    query.finish()?;
    let page = users::list(&app, &caller, &wanted).await?;
    Ok(list(page.map(|user| UserView::from(&user))))
}

/// What a list of users asks for, without what only the platform asks.
pub(super) fn wanted(query: &mut Query) -> UserQuery {
    let usual = UserQuery::default();
    let (sort, descending) = query.sort().unwrap_or((usual.sort, usual.descending));
    UserQuery {
        search: query.text("search"),
        status: query.optional("status"),
        role: query.optional("role"),
        sort,
        descending,
        page: query.page(),
        ..usual
    }
}

/// `GET /org-users/{id}`.
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<UserId>,
    query: Query,
) -> Result<impl IntoResponse, Problem> {
    let user = users::find(&app, &caller, id).await?;
    query.finish()?;
    Ok(single(UserView::from(&user)))
}

/// `PUT /org-users/{id}/role`.
pub async fn assign_role(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<UserId>,
    query: Query,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    users::exists(&app, &caller, id).await?;
    let choice: RoleChoice = body.json().await?;
    query.finish()?;
    let user = users::assign_role(&app, &caller, id, &choice.role).await?;
    Ok(single(UserView::from(&user)))
}

/// `POST /org-users/{id}/suspend`.
pub async fn suspend(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<UserId>,
    query: Query,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    users::exists(&app, &caller, id).await?;
    body.none().await?;
    query.finish()?;
    let user = users::suspend(&app, &caller, id).await?;
    Ok(single(UserView::from(&user)))
}

/// `POST /org-users/{id}/reactivate`.
pub async fn reactivate(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<UserId>,
    query: Query,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    users::exists(&app, &caller, id).await?;
    body.none().await?;
    query.finish()?;
    let user = users::reactivate(&app, &caller, id).await?;
    Ok(single(UserView::from(&user)))
}

/// `DELETE /org-users/{id}`.
pub async fn delete(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<UserId>,
    query: Query,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    users::exists(&app, &caller, id).await?;
    body.none().await?;
    query.finish()?;
    users::delete(&app, &caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
