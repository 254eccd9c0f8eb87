//! `/api/v1/api-keys`: what programs of a tenant call with.

use axum::extract::State;

use crate::app::App;
use crate::app::api_keys::{self, KeyInput};
use crate::app::views::{ApiKeyView, CreatedKeyView};
use crate::auth::caller::Caller;
use crate::domain::ids::ApiKeyId;
use crate::domain::page::PageRequest;
use crate::http::answer::{Created, NoContent};
use crate::http::body::{Body, NoBody};
use crate::http::envelope::{List, Single, list, single};
use crate::http::id::Id;
use crate::http::idempotency::ShownOnce;
use crate::http::problem::Problem;
use crate::http::query::Query;

/// `GET /api-keys`: newest first.
pub async fn index(
    State(app): State<App>,
    caller: Caller,
    query: Query<PageRequest>,
) -> Result<List<ApiKeyView>, Problem> {
    let page = query.read()?;
    let keys = api_keys::list(&app, &caller, page).await?;
    Ok(list(keys.map(ApiKeyView::from)))
}

/// `POST /api-keys`: shows the whole key, this once.
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    query: Query,
    once: ShownOnce,
    body: Body<KeyInput>,
) -> Result<Created<Single<CreatedKeyView>>, Problem> {
    let input = body.read().await?;
    query.read()?;
    once.refuse_key("revoke the key, and make another instead")?;
    let (key, secret) = api_keys::create(&app, &caller, input).await?;
    Ok(Created(single(CreatedKeyView::revealing(key, &secret))))
}

/// `POST /api-keys/{id}/rotate`: another secret, shown this once; the one before is void.
pub async fn rotate(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<ApiKeyId>,
    query: Query,
    once: ShownOnce,
    body: NoBody,
) -> Result<Single<CreatedKeyView>, Problem> {
    api_keys::exists(&app, &caller, id).await?;
    body.read().await?;
    query.read()?;
    once.refuse_key("rotate it again instead")?;
    let (key, secret) = api_keys::rotate(&app, &caller, id).await?;
    Ok(single(CreatedKeyView::revealing(key, &secret)))
}

/// `DELETE /api-keys/{id}`.
pub async fn revoke(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<ApiKeyId>,
    query: Query,
    body: NoBody,
) -> Result<NoContent, Problem> {
    api_keys::exists(&app, &caller, id).await?;
    body.read().await?;
    query.read()?;
    api_keys::revoke(&app, &caller, id).await?;
    Ok(NoContent)
}
