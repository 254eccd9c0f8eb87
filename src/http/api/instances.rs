//! `/api/v1/platform/pbx-instances`: the PBXs that tenants are assigned to.

use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::app::instance_changes;
use crate::app::instance_checks;
use crate::app::instance_input::InstanceInput;
use crate::app::instance_loss::{self, LostInstance};
use crate::app::views::{ChecksView, DeploymentView, InstanceView, PlanView, VerificationView};
use crate::app::{App, deployments, instances};
use crate::auth::caller::Caller;
use crate::domain::ids::{DeploymentId, InstanceId};
use crate::domain::instance::PbxInstance;
use crate::domain::instance_check::CheckRecord;
use crate::domain::page::PageRequest;
use crate::http::answer::{Accepted, Created, NoContent, Replayed, Tagged};
use crate::http::body::{Body, Changes, NoBody, Patched};
use crate::http::envelope::{List, Single, all, list, single};
use crate::http::id::Id;
use crate::http::idempotency::{Key, Repeatable};
use crate::http::if_match::Precondition;
use crate::http::problem::Problem;
use crate::http::query::Query;

/// What giving an instance up is confirmed with.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GiveUp {
    /// The instance's name, letter by letter.
    #[schemars(length(max = 50))]
    confirm: String,
}

impl Patched for InstanceInput {
    const FIXED: &'static [&'static str] = &["kind", "node"];
}

/// An instance with the tag of its version.
type TaggedInstance = Tagged<Single<InstanceView>>;

fn tagged((instance, tag): (PbxInstance, String)) -> TaggedInstance {
    Tagged::new(tag, single(instance.into()))
}

/// `GET /platform/pbx-instances`: all of them, by name.
pub async fn index(
    State(app): State<App>,
    caller: Caller,
    query: Query,
) -> Result<Single<Vec<InstanceView>>, Problem> {
    query.read()?;
    let found = instances::list(&app, &caller).await?;
    Ok(all(found.into_iter().map(InstanceView::from)))
}

/// `GET /platform/pbx-instances/{id}`.
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<InstanceId>,
    query: Query,
) -> Result<TaggedInstance, Problem> {
    let found = instance_changes::show(&app, &caller, id).await?;
    query.read()?;
    Ok(tagged(found))
}

/// `POST /platform/pbx-instances`; with an `Idempotency-Key` it is made once.
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    query: Query,
    repeatable: Repeatable,
    body: Body<InstanceInput>,
) -> Result<Replayed<Created<TaggedInstance>>, Problem> {
    let key = repeatable.key()?;
    let (bytes, input) = body.read_with_bytes().await?;
    query.read()?;
    let once = key.map(|key| key.with_body(&bytes));
    let done = instance_changes::add(&app, &caller, input, once.as_ref()).await?;
    let replayed = done.is_repeated();
    Ok(Replayed::new(replayed, Created(tagged(done.into_inner()))))
}

/// `PATCH /platform/pbx-instances/{id}`; with `If-Match` only of the version that it names.
pub async fn change(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<InstanceId>,
    query: Query,
    precondition: Precondition,
    body: Changes<InstanceInput>,
) -> Result<TaggedInstance, Problem> {
    instances::find(&app, &caller, id).await?;
    let if_match = precondition.if_match()?;
    let input = body.read().await?;
    query.read()?;
    let changed = instance_changes::change(&app, &caller, id, input, &if_match).await?;
    Ok(tagged(changed))
}

/// `DELETE /platform/pbx-instances/{id}`; with `If-Match` only of the version that it names.
pub async fn delete(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<InstanceId>,
    query: Query,
    precondition: Precondition,
    body: NoBody,
) -> Result<NoContent, Problem> {
    instances::find(&app, &caller, id).await?;
    let if_match = precondition.if_match()?;
    body.read().await?;
    query.read()?;
    instance_changes::delete(&app, &caller, id, &if_match).await?;
    Ok(NoContent)
}

/// `POST /platform/pbx-instances/{id}/give-up`: its host is gone for good.
pub async fn give_up(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<InstanceId>,
    query: Query,
    body: Body<GiveUp>,
) -> Result<Single<LostInstance>, Problem> {
    instances::find(&app, &caller, id).await?;
    let GiveUp { confirm } = body.read().await?;
    query.read()?;
    Ok(single(instance_loss::give_up(&app, &caller, id, &confirm).await?))
}

/// `POST /platform/pbx-instances/test`: of one that is to be added.
pub async fn test_new(
    State(app): State<App>,
    caller: Caller,
    query: Query,
    body: Body<InstanceInput>,
) -> Result<Single<ChecksView>, Problem> {
    let input = body.read().await?;
    query.read()?;
    let checks = instance_checks::test_new(&app, &caller, input).await?;
    Ok(single(checks.into()))
}

/// `POST /platform/pbx-instances/{id}/test`.
pub async fn test(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<InstanceId>,
    query: Query,
    body: NoBody,
) -> Result<Single<ChecksView>, Problem> {
    instances::find(&app, &caller, id).await?;
    body.read().await?;
    query.read()?;
    let checks = instance_checks::test(&app, &caller, id).await?;
    Ok(single(checks.into()))
}

/// `GET /platform/pbx-instances/{id}/checks`: what the newest tests found, newest first.
pub async fn checks(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<InstanceId>,
    query: Query,
) -> Result<Single<Vec<CheckRecord>>, Problem> {
    let found = instance_checks::history(&app, &caller, id).await?;
    query.read()?;
    Ok(all(found))
}

/// `POST /platform/pbx-instances/{id}/deploy`: every tenant of it, the template set and its settings; with an
/// `Idempotency-Key` it is asked for once.
pub async fn deploy(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<InstanceId>,
    query: Query,
    repeatable: Repeatable,
    body: NoBody,
) -> Result<Replayed<Accepted<Single<DeploymentView>>>, Problem> {
    instances::find(&app, &caller, id).await?;
    let key = repeatable.key()?;
    body.read().await?;
    query.read()?;
    let once = key.map(Key::without_body);
    let done = deployments::deploy_instance_once(&app, &caller, id, once.as_ref()).await?;
    let replayed = done.is_repeated();
    let deployment = DeploymentView::new(done.into_inner(), Vec::new());
    Ok(Replayed::new(replayed, Accepted(single(deployment))))
}

/// `GET /platform/pbx-instances/{id}/plan`: what such a deploy would change.
pub async fn plan(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<InstanceId>,
    query: Query,
) -> Result<Single<PlanView>, Problem> {
    instances::find(&app, &caller, id).await?;
    query.read()?;
    Ok(single(
        deployments::plan_instance(&app, &caller, id).await?.into(),
    ))
}

/// `GET /platform/pbx-instances/{id}/verify`: whether it still serves what was proven last.
pub async fn verify(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<InstanceId>,
    query: Query,
) -> Result<Single<VerificationView>, Problem> {
    instances::find(&app, &caller, id).await?;
    query.read()?;
    Ok(single(
        deployments::verify_instance(&app, &caller, id).await?.into(),
    ))
}

/// `GET /platform/pbx-instances/{id}/deployments`: one page, newest first.
pub async fn deployments(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<InstanceId>,
    query: Query<PageRequest>,
) -> Result<List<DeploymentView>, Problem> {
    instances::find(&app, &caller, id).await?;
    let page = query.read()?;
    let page = deployments::list_of_instance(&app, &caller, id, page).await?;
    Ok(list(
        page.map(|deployment| DeploymentView::new(deployment, Vec::new())),
    ))
}

/// `GET /platform/deployments/{id}`: of whichever tenant and instance.
pub async fn show_deployment(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<DeploymentId>,
    query: Query,
) -> Result<Single<DeploymentView>, Problem> {
    let (deployment, stages) = deployments::find_anywhere(&app, &caller, id).await?;
    query.read()?;
    Ok(single(DeploymentView::new(deployment, stages)))
}
