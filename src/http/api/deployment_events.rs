//! `/api/v1/config/deployments/{id}/events`: a deployment's progress as server-sent events.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::Event;
use futures_util::stream;

use crate::app::App;
use crate::app::deployment_events::{self, Step};
use crate::app::deployments;
use crate::app::views::DeploymentView;
use crate::auth::caller::Caller;
use crate::domain::ids::DeploymentId;
use crate::http::answer::{Either, NoContent};
use crate::http::envelope::single;
use crate::http::events::{Events, LastEventId};
use crate::http::id::Id;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::standing::Standing;
use crate::http::streams::{self, Place, Streams};

/// A caller whose rights were revoked sees nothing more after this.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// `GET /config/deployments/{id}/events`: the deployment as it stands, and again each time its status or stages change,
/// until it has ended.
///
/// 204 when the last of it was seen before: a browser then connects no more.
pub async fn follow(
    State(app): State<App>,
    State(streams): State<Streams>,
    caller: Caller,
    Extension(standing): Extension<Arc<Standing>>,
    Id(id): Id<DeploymentId>,
    query: Query,
    LastEventId(seen): LastEventId,
) -> Result<Either<Events, NoContent>, Problem> {
    let (found, _) = deployments::find(&app, &caller, id).await?;
    query.read()?;
    let tenant = found.scope.tenant_id().ok_or_else(Problem::not_found)?;
    let first = deployment_events::next(&app, &caller, id, seen.as_deref(), Duration::ZERO).await?;
    if first.is_none() && found.status.is_end() {
        return Ok(Either::That(NoContent));
    }
    let following = Following {
        place: streams.enter(tenant).ok_or_else(too_many)?,
        seen,
        app,
        standing,
        id,
        first,
    };
    let events = stream::unfold(Some(following), async |following| following?.event().await);
    Ok(Either::This(Events::new(events)))
}

fn too_many() -> Problem {
    let advice = format!(
        "the tenant has {} streams open; end one, or ask for the deployment without `/events`",
        streams::MOST
    );
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_streams", advice)
}

/// Somebody who follows a deployment; gone with the connection.
struct Following {
    app: App,
    standing: Arc<Standing>,
    id: DeploymentId,
    seen: Option<String>,
    /// What is told at once.
    first: Option<Step>,
    place: Place,
}

impl Following {
    /// The next event, and who goes on after it; none after the last.
    async fn event(mut self) -> Option<(Result<Event, axum::Error>, Option<Self>)> {
        let step = match self.first.take() {
            Some(step) => step,
            None => self.step().await?,
        };
        let (id, ended) = (step.progress.to_string(), step.progress.status.is_end());
        let view = DeploymentView::new(step.deployment, step.stages);
        let event = Event::default().id(id.as_str()).json_data(single(view));
        self.seen = Some(id);
        Some((event, (!ended).then_some(self)))
    }

    /// None when the server stops, and when there is nothing more for this caller: asked again, they hear why.
    async fn step(&self) -> Option<Step> {
        let looking = async {
            loop {
                let caller = self.standing.caller_still().await?;
                let seen = self.seen.as_deref();
                let next = deployment_events::next(&self.app, &caller, self.id, seen, ASK_AGAIN).await?;
                if let Some(step) = next {
                    // It was waited for: they may not be who they were.
                    self.standing.caller_still().await?;
                    return Ok::<Step, Problem>(step);
                }
            }
        };
        tokio::select! {
            biased;
            () = self.place.stopped() => None,
            step = looking => step
                .inspect_err(|problem| tracing::info!(code = problem.code(), "a stream ends early"))
                .ok(),
        }
    }
}
