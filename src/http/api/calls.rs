//! `/api/v1/calls/active`.

use axum::extract::State;

use crate::app::App;
use crate::app::calls;
use crate::app::views::CallsView;
use crate::auth::caller::Caller;
use crate::http::envelope::Bare;
use crate::http::problem::Problem;
use crate::http::query::Query;

/// `GET /calls/active`: all of the tenant's calls, or those of the caller's own extension.
pub async fn active(
    State(app): State<App>,
    caller: Caller,
    query: Query,
) -> Result<Bare<CallsView>, Problem> {
    query.read()?;
    Ok(Bare(calls::active(&app, &caller).await?.into()))
}
