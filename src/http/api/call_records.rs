//! `/api/v1/calls`: calls that are over.

use axum::extract::State;

use crate::app::App;
use crate::app::views::{CallGapView, CallRecordView};
use crate::app::{call_csv, call_records};
use crate::auth::caller::Caller;
use crate::domain::call_record::{CallFilter, CallQuery};
use crate::domain::ids::CallRecordId;
use crate::http::answer::Csv;
use crate::http::envelope::{BehindGaps, Single, behind_gaps, single};
use crate::http::id::Id;
use crate::http::problem::Problem;
use crate::http::query::{Given, Parameters, Query};

impl Parameters for CallFilter {
    fn read(given: &mut Given) -> Self {
        let filter = Self {
            direction: given.optional("direction"),
            extension: given.optional("extension"),
            number: given.text(
                "number",
                "The caller's number, or the one that was dialled; as a whole.",
            ),
            disposition: given.optional("disposition"),
            ..Self::default()
        };
        let (from, to) = (given.optional("from"), given.optional("to"));
        given.checked(filter.within(from, to))
    }
}

impl Parameters for CallQuery {
    fn read(given: &mut Given) -> Self {
        Self {
            filter: CallFilter::read(given),
            after: given.optional("cursor"),
            per_page: given.per_page(),
        }
    }
}

/// `GET /calls`: one page, newest first, with the times within it of which nothing is known.
pub async fn index(
    State(app): State<App>,
    caller: Caller,
    query: Query<CallQuery>,
) -> Result<BehindGaps<CallRecordView, CallGapView>, Problem> {
    let (page, gaps) = call_records::list(&app, &caller, &query.read()?).await?;
    Ok(behind_gaps(
        page.calls.into_iter().map(CallRecordView::from),
        page.next,
        gaps.into_iter().map(CallGapView::from),
    ))
}

/// `GET /calls/export`: all that match, as CSV.
pub async fn export(
    State(app): State<App>,
    caller: Caller,
    query: Query<CallFilter>,
) -> Result<Csv, Problem> {
    let calls = call_records::export(&app, &caller, query.read()?).await?;
    let written = call_csv::write(&calls).map_err(|error| Problem::internal(&error))?;
    Ok(Csv::new("calls.csv", written))
}

/// `GET /calls/{id}`.
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<CallRecordId>,
    query: Query,
) -> Result<Single<CallRecordView>, Problem> {
    let call = call_records::find(&app, &caller, id).await?;
    query.read()?;
    Ok(single(call.into()))
}
