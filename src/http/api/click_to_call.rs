//! `POST /api/v1/calls` and `DELETE /api/v1/calls/active/{id}`.

use axum::extract::State;

use crate::app::App;
use crate::app::click_to_call::{self, ClickInput};
use crate::app::hang_up;
use crate::auth::caller::Caller;
use crate::domain::ids::CallId;
use crate::http::answer::{Accepted, NoContent, Nothing, Replayed};
use crate::http::body::{Body, NoBody};
use crate::http::id::Id;
use crate::http::idempotency::Repeatable;
use crate::http::problem::Problem;
use crate::http::query::Query;

/// `POST /calls`: has a number called from the own extension, whose phone rings first. 202 once the PBX is asked; what comes
/// of it shows by the call.
pub async fn call(
    State(app): State<App>,
    caller: Caller,
    query: Query,
    repeatable: Repeatable,
    body: Body<ClickInput>,
) -> Result<Replayed<Accepted<Nothing>>, Problem> {
    caller.reason_to_change()?;
    let key = repeatable.key()?;
    let (bytes, input) = body.read_with_bytes().await?;
    query.read()?;
    let once = key.map(|key| key.with_open_body(&bytes));
    let done = click_to_call::call(&app, &caller, input, once.as_ref()).await?;
    Ok(Replayed::new(done.is_repeated(), Accepted(Nothing)))
}

/// `DELETE /calls/active/{id}`: ends an own call, or with `config.write` any of the tenant.
pub async fn hang_up(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<CallId>,
    query: Query,
    body: NoBody,
) -> Result<NoContent, Problem> {
    hang_up::check(&app, &caller, id).await?;
    caller.reason_to_change()?;
    body.read().await?;
    query.read()?;
    hang_up::end(&app, &caller, id).await?;
    Ok(NoContent)
}
