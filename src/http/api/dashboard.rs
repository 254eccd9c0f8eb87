//! `/api/v1/platform/dashboard`.

use axum::extract::State;

use crate::app::App;
use crate::app::dashboard;
use crate::app::views::DashboardView;
use crate::auth::caller::Caller;
use crate::http::envelope::{Single, single};
use crate::http::problem::Problem;
use crate::http::query::Query;

/// `GET /platform/dashboard`.
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    query: Query,
) -> Result<Single<DashboardView>, Problem> {
    query.read()?;
    Ok(single(dashboard::read(&app, &caller).await?.into()))
}
