//! `/api/v1/compliance/erasure-requests`: what a tenant has of a person, looked for, erased, and certified.

use axum::extract::State;

use crate::app::App;
use crate::app::erasures;
use crate::app::views::{CertificateView, ErasureView};
use crate::auth::caller::Caller;
use crate::domain::erasure::Erasure;
use crate::domain::erasure_input::ErasureInput;
use crate::domain::ids::ErasureId;
use crate::domain::page::PageRequest;
use crate::http::answer::{Accepted, Created, Replayed, Tagged};
use crate::http::body::{Body, NoBody};
use crate::http::envelope::{List, Single, list, single};
use crate::http::id::Id;
use crate::http::idempotency::{Key, Repeatable};
use crate::http::if_match::Precondition;
use crate::http::problem::Problem;
use crate::http::query::Query;

fn tagged(erasure: Erasure) -> Tagged<Single<ErasureView>> {
    Tagged::new(erasure.tag(), single(erasure.into()))
}

/// `POST /compliance/erasure-requests`: looks for everything of a person, and erases nothing. With an `Idempotency-Key` it is
/// asked for once.
pub async fn request(
    State(app): State<App>,
    caller: Caller,
    query: Query,
    repeatable: Repeatable,
    body: Body<ErasureInput>,
) -> Result<Replayed<Created<Tagged<Single<ErasureView>>>>, Problem> {
    let key = repeatable.key()?;
    let (bytes, input) = body.read_with_bytes().await?;
    query.read()?;
    // A number is found by trying where what is kept of it needs no key.
    let once = key.map(|key| key.with_body(&bytes));
    let done = erasures::request(&app, &caller, input, once.as_ref()).await?;
    let replayed = done.is_repeated();
    Ok(Replayed::new(replayed, Created(tagged(done.into_inner()))))
}

/// `GET /compliance/erasure-requests`: one page, newest first, without their parts.
pub async fn erasures(
    State(app): State<App>,
    caller: Caller,
    query: Query<PageRequest>,
) -> Result<List<ErasureView>, Problem> {
    let page = erasures::list(&app, &caller, query.read()?).await?;
    Ok(list(page.map(|erasure: Erasure| ErasureView::from(erasure))))
}

/// `GET /compliance/erasure-requests/{id}`.
pub async fn find(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<ErasureId>,
    query: Query,
) -> Result<Tagged<Single<ErasureView>>, Problem> {
    let erasure = erasures::find(&app, &caller, id).await?;
    query.read()?;
    Ok(tagged(erasure))
}

/// `POST /compliance/erasure-requests/{id}/run`: 202; with `If-Match` only if it is as it was shown. With an `Idempotency-Key` it
/// is run once.
pub async fn run(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<ErasureId>,
    query: Query,
    repeatable: Repeatable,
    precondition: Precondition,
    body: NoBody,
) -> Result<Replayed<Accepted<Tagged<Single<ErasureView>>>>, Problem> {
    erasures::find(&app, &caller, id).await?;
    caller.reason_to_change()?;
    let if_match = precondition.if_match()?;
    let key = repeatable.key()?;
    body.read().await?;
    query.read()?;
    let once = key.map(Key::without_body);
    let done = erasures::run(&app, &caller, id, &if_match, once.as_ref()).await?;
    let replayed = done.is_repeated();
    Ok(Replayed::new(replayed, Accepted(tagged(done.into_inner()))))
}

/// `GET /compliance/erasure-requests/{id}/certificate`.
pub async fn certificate(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<ErasureId>,
    query: Query,
) -> Result<Single<CertificateView>, Problem> {
    erasures::find(&app, &caller, id).await?;
    query.read()?;
    let erasure = erasures::certificate(&app, &caller, id).await?;
    Ok(single(erasure.into()))
}
