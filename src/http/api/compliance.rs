//! `/api/v1/compliance`: for how long a tenant keeps what it has, what is removed then, exports of it, and what people are told
//! of recording.

use axum::extract::State;

use crate::app::App;
use crate::app::consent;
use crate::app::exports;
use crate::app::idempotency::Done;
use crate::app::purges;
use crate::app::retention::{self, Retention};
use crate::app::views::{ConsentView, PurgePreviewView, PurgeView, RetentionView};
use crate::auth::caller::Caller;
use crate::domain::export::ExportInput;
use crate::domain::ids::PurgeId;
use crate::domain::page::PageRequest;
use crate::domain::purge::Purge;
use crate::domain::recording_notice::{ConsentInput, RecordingNotice};
use crate::domain::retention::RetentionInput;
use crate::http::answer::{Accepted, Either, Replayed, Tagged};
use crate::http::archive::Archive;
use crate::http::body::{Body, NoBody};
use crate::http::envelope::{List, Single, list, single};
use crate::http::id::Id;
use crate::http::idempotency::{Key, NotKept, Repeatable};
use crate::http::if_match::Precondition;
use crate::http::problem::Problem;
use crate::http::query::{Given, Parameters, Query};

/// `GET /compliance/retention`.
pub async fn retention(
    State(app): State<App>,
    caller: Caller,
    query: Query,
) -> Result<Tagged<Single<RetentionView>>, Problem> {
    query.read()?;
    Ok(tagged(retention::find(&app, &caller).await?))
}

/// `PUT /compliance/retention`: all kinds; with `If-Match` only of the policy that it names.
pub async fn set_retention(
    State(app): State<App>,
    caller: Caller,
    query: Query,
    precondition: Precondition,
    body: Body<RetentionInput>,
) -> Result<Tagged<Single<RetentionView>>, Problem> {
    let if_match = precondition.if_match()?;
    let input = body.read().await?;
    query.read()?;
    Ok(tagged(retention::replace(&app, &caller, input, &if_match).await?))
}

fn tagged(retention: Retention) -> Tagged<Single<RetentionView>> {
    Tagged::new(retention.policy.tag(), single(retention.into()))
}

/// `GET /compliance/consent`.
pub async fn consent(
    State(app): State<App>,
    caller: Caller,
    query: Query,
) -> Result<Tagged<Single<ConsentView>>, Problem> {
    query.read()?;
    Ok(told(consent::find(&app, &caller).await?))
}

/// `PUT /compliance/consent`: all of it; with `If-Match` only of the one that it names.
pub async fn set_consent(
    State(app): State<App>,
    caller: Caller,
    query: Query,
    precondition: Precondition,
    body: Body<ConsentInput>,
) -> Result<Tagged<Single<ConsentView>>, Problem> {
    let if_match = precondition.if_match()?;
    let input = body.read().await?;
    query.read()?;
    Ok(told(consent::replace(&app, &caller, input, &if_match).await?))
}

fn told(notice: RecordingNotice) -> Tagged<Single<ConsentView>> {
    Tagged::new(notice.tag(), single(notice.into()))
}

/// Whether what would go is only counted.
pub struct DryRun(bool);

impl Parameters for DryRun {
    fn read(given: &mut Given) -> Self {
        Self(given.flag("dry_run", "Whether what would go is only counted."))
    }
}

/// What would go, or what is to go.
type Asked = Either<Tagged<Single<PurgePreviewView>>, Replayed<Accepted<Tagged<Single<PurgeView>>>>>;

/// `POST /compliance/purge?dry_run`: 202, or 200 for a dry run; with `If-Match` only by the policy that it names. With an
/// `Idempotency-Key` it is asked for once.
pub async fn purge(
    State(app): State<App>,
    caller: Caller,
    query: Query<DryRun>,
    repeatable: Repeatable,
    precondition: Precondition,
    body: NoBody,
) -> Result<Asked, Problem> {
    let if_match = precondition.if_match()?;
    let key = repeatable.key()?;
    body.read().await?;
    let DryRun(dry_run) = query.read()?;
    if dry_run {
        let preview = purges::preview(&app, &caller, &if_match).await?;
        let tag = preview.policy.tag();
        return Ok(Either::This(Tagged::new(tag, single(preview.into()))));
    }
    let once = key.map(Key::without_body);
    let done = purges::request(&app, &caller, &if_match, once.as_ref()).await?;
    let replayed = matches!(done, Done::Before(_));
    let purge = done.into_inner();
    let shown = Tagged::new(purge.policy.tag(), single(PurgeView::from(purge)));
    Ok(Either::That(Replayed::new(replayed, Accepted(shown))))
}

/// `GET /compliance/purges`: one page, newest first, without their parts.
pub async fn purges(
    State(app): State<App>,
    caller: Caller,
    query: Query<PageRequest>,
) -> Result<List<PurgeView>, Problem> {
    let page = purges::list(&app, &caller, query.read()?).await?;
    Ok(list(page.map(|purge: Purge| PurgeView::from(purge))))
}

/// `GET /compliance/purges/{id}`.
pub async fn purge_report(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<PurgeId>,
    query: Query,
) -> Result<Single<PurgeView>, Problem> {
    let purge = purges::find(&app, &caller, id).await?;
    query.read()?;
    Ok(single(purge.into()))
}

/// `POST /compliance/exports`: a tar file that is made while it is read.
pub async fn export(
    State(app): State<App>,
    caller: Caller,
    query: Query,
    not_kept: NotKept,
    body: Body<ExportInput>,
) -> Result<Archive, Problem> {
    let input = body.read().await?;
    query.read()?;
    not_kept.refuse_key("ask for another export instead")?;
    Ok(Archive::new(exports::begin(&app, &caller, input).await?))
}
