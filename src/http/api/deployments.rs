//! `/api/v1/config`: the deploy button of a tenant.

use std::time::Duration;

use axum::extract::State;

use crate::app::App;
use crate::app::deployments;
use crate::app::idempotency::Done;
use crate::app::views::{DeploymentView, PlanView, VerificationView};
use crate::auth::caller::Caller;
use crate::domain::deployment::Deployment;
use crate::domain::ids::DeploymentId;
use crate::domain::page::PageRequest;
use crate::http::answer::{Accepted, Either, Replayed};
use crate::http::body::NoBody;
use crate::http::envelope::{List, Single, list, single};
use crate::http::id::Id;
use crate::http::idempotency::{Key, Repeatable};
use crate::http::problem::Problem;
use crate::http::query::{Given, Parameters, Query};
use crate::http::streams::Streams;

/// A request that waits is answered after this in any case.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// A deployment that has ended, or one that goes on.
type Asked = Replayed<Either<Single<DeploymentView>, Accepted<Single<DeploymentView>>>>;

/// Whether the answer waits for the end.
pub struct Wait(bool);

impl Parameters for Wait {
    fn read(given: &mut Given) -> Self {
        Self(given.flag(
            "wait",
            "Whether to answer once it has ended, after 60 seconds at the latest.",
        ))
    }
}

impl Parameters for PageRequest {
    fn read(given: &mut Given) -> Self {
        given.page()
    }
}

/// `GET /config/plan`.
pub async fn plan(State(app): State<App>, caller: Caller, query: Query) -> Result<Single<PlanView>, Problem> {
    query.read()?;
    Ok(single(deployments::plan(&app, &caller).await?.into()))
}

/// `POST /config/deploy?wait`: 202, or 200 when it was waited for and ended; at once where the
/// tenant has taken all places for that. With an `Idempotency-Key` it is asked for once.
pub async fn deploy(
    State(app): State<App>,
    State(streams): State<Streams>,
    caller: Caller,
    query: Query<Wait>,
    repeatable: Repeatable,
    body: NoBody,
) -> Result<Asked, Problem> {
    caller.reason_to_change()?;
    let key = repeatable.key()?;
    body.read().await?;
    let Wait(wait) = query.read()?;
    let once = key.map(Key::without_body);
    let done = deployments::deploy(&app, &caller, once.as_ref()).await?;
    answer(&app, &streams, done, wait).await
}

/// `POST /config/deployments/{id}/rollback?wait`.
pub async fn roll_back(
    State(app): State<App>,
    State(streams): State<Streams>,
    caller: Caller,
    Id(id): Id<DeploymentId>,
    query: Query<Wait>,
    repeatable: Repeatable,
    body: NoBody,
) -> Result<Asked, Problem> {
    deployments::find(&app, &caller, id).await?;
    caller.reason_to_change()?;
    let key = repeatable.key()?;
    body.read().await?;
    let Wait(wait) = query.read()?;
    let once = key.map(Key::without_body);
    let done = deployments::roll_back(&app, &caller, id, once.as_ref()).await?;
    answer(&app, &streams, done, wait).await
}

/// `GET /config/deployments`: one page, newest first.
pub async fn index(
    State(app): State<App>,
    caller: Caller,
    query: Query<PageRequest>,
) -> Result<List<DeploymentView>, Problem> {
    let page = deployments::list(&app, &caller, query.read()?).await?;
    Ok(list(
        page.map(|deployment| DeploymentView::new(deployment, Vec::new())),
    ))
}

/// `GET /config/deployments/{id}`.
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<DeploymentId>,
    query: Query,
) -> Result<Single<DeploymentView>, Problem> {
    let (deployment, stages) = deployments::find(&app, &caller, id).await?;
    query.read()?;
    Ok(single(DeploymentView::new(deployment, stages)))
}

/// `GET /config/verify`.
pub async fn verify(
    State(app): State<App>,
    caller: Caller,
    query: Query,
) -> Result<Single<VerificationView>, Problem> {
    query.read()?;
    Ok(single(deployments::verify(&app, &caller).await?.into()))
}

async fn answer(app: &App, streams: &Streams, done: Done<Deployment>, wait: bool) -> Result<Asked, Problem> {
    let replayed = done.is_repeated();
    let deployment = done.into_inner();
    // Whoever waits looks into the database again and again, as a stream does. For one too many it goes on all the same.
    let place = deployment
        .scope
        .tenant_id()
        .filter(|_| wait)
        .and_then(|tenant| streams.enter(tenant));
    let patience = place.as_ref().map_or(Duration::ZERO, |_| LONGEST_WAIT);
    let (deployment, stages) = tokio::select! {
        // Whoever works on it may be another process: the server's stop does not wait for that.
        () = streams.stopped() => deployments::wait(app, &deployment, Duration::ZERO).await?,
        waited = deployments::wait(app, &deployment, patience) => waited?,
    };
    drop(place);
    let ended = wait && deployment.status.is_end();
    let shown = single(DeploymentView::new(deployment, stages));
    let answer = if ended {
        Either::This(shown)
    } else {
        Either::That(Accepted(shown))
    };
    Ok(Replayed::new(replayed, answer))
}
