//! `POST /api/v1/calls`.

use axum::extract::State;

use crate::app::App;
use crate::app::click_to_call::{self, ClickInput};
use crate::auth::caller::Caller;
use crate::http::answer::{Accepted, Nothing, Replayed};
use crate::http::body::Body;
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
