//! `/api/v1/platform/tenants`: every customer, from active over suspended to gone.

use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::app::tenant_change::{self, TenantPatch};
use crate::app::tenant_creation::{self, NewTenantInput};
use crate::app::tenant_deletion::{self, DeletionPreview};
use crate::app::tenant_status::{self, SuspensionInput};
use crate::app::views::{
    ChangedTenantView, FollowedView, LeavingView, NewTenantView, TenantDetailView, TenantRowView,
};
use crate::app::{App, tenants};
use crate::auth::caller::Caller;
use crate::domain::ids::TenantId;
use crate::domain::query::TenantQuery;
use crate::http::answer::{Accepted, Created, Tagged};
use crate::http::body::{Body, Changes, NoBody, Patched};
use crate::http::envelope::{List, Single, list, single};
use crate::http::id::Id;
use crate::http::idempotency::ShownOnce;
use crate::http::if_match::Precondition;
use crate::http::problem::Problem;
use crate::http::query::{Given, Parameters, Query};

/// What a deletion is confirmed with.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    /// The tenant's name, letter by letter.
    #[schemars(length(max = 50))]
    confirm: String,
}

impl Patched for TenantPatch {}

impl Parameters for TenantQuery {
    fn read(given: &mut Given) -> Self {
        let usual = Self::default();
        let (sort, descending) = given.sort().unwrap_or((usual.sort, usual.descending));
        Self {
            search: given.text("search", "A part of the name or the domain, in any case."),
            status: given.optional("status"),
            instance_id: given.optional("pbx_instance_id"),
            sort,
            descending,
            page: given.page(),
        }
    }
}

/// `GET /platform/tenants`: one page, by name unless `sort` says otherwise.
pub async fn index(
    State(app): State<App>,
    caller: Caller,
    query: Query<TenantQuery>,
) -> Result<List<TenantRowView>, Problem> {
    let wanted = query.read()?;
    let page = tenants::list(&app, &caller, &wanted).await?;
    Ok(list(page.map(TenantRowView::from)))
}

/// `POST /platform/tenants`: shows the owner's link, this once, where no mail goes out.
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    query: Query,
    once: ShownOnce,
    body: Body<NewTenantInput>,
) -> Result<Created<Single<NewTenantView>>, Problem> {
    let input = body.read().await?;
    query.read()?;
    once.refuse_key("look for the domain, and send the owner's invitation again instead")?;
    let made = tenant_creation::create(&app, &caller, input).await?;
    Ok(Created(single(NewTenantView::from(&made))))
}

/// `GET /platform/tenants/{id}`.
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<TenantId>,
    query: Query,
) -> Result<Tagged<Single<TenantDetailView>>, Problem> {
    let detail = tenant_change::show(&app, &caller, id).await?;
    query.read()?;
    Ok(Tagged::new(detail.tag(), single(detail.into())))
}

/// `PATCH /platform/tenants/{id}`; with `If-Match` only of the version that it names.
pub async fn change(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<TenantId>,
    query: Query,
    precondition: Precondition,
    body: Changes<TenantPatch>,
) -> Result<Tagged<Single<ChangedTenantView>>, Problem> {
    tenants::find(&app, &caller, id).await?;
    let if_match = precondition.if_match()?;
    let patch = body.read().await?;
    query.read()?;
    let (detail, warnings) = tenant_change::change(&app, &caller, id, patch, &if_match).await?;
    let tag = detail.tag();
    let tenant = detail.into();
    Ok(Tagged::new(tag, single(ChangedTenantView { tenant, warnings })))
}

/// `POST /platform/tenants/{id}/suspend`; with `If-Match` only of the version that it names.
pub async fn suspend(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<TenantId>,
    query: Query,
    precondition: Precondition,
    body: Body<SuspensionInput>,
) -> Result<Single<FollowedView>, Problem> {
    tenants::find(&app, &caller, id).await?;
    let if_match = precondition.if_match()?;
    let input = body.read().await?;
    query.read()?;
    let followed = tenant_status::suspend(&app, &caller, id, input, &if_match).await?;
    Ok(single(followed.into()))
}

/// `POST /platform/tenants/{id}/reactivate`; with `If-Match` only of the version that it names.
pub async fn reactivate(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<TenantId>,
    query: Query,
    precondition: Precondition,
    body: NoBody,
) -> Result<Single<FollowedView>, Problem> {
    tenants::find(&app, &caller, id).await?;
    let if_match = precondition.if_match()?;
    body.read().await?;
    query.read()?;
    let followed = tenant_status::reactivate(&app, &caller, id, &if_match).await?;
    Ok(single(followed.into()))
}

/// `GET /platform/tenants/{id}/deletion-preview`.
pub async fn preview_deletion(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<TenantId>,
    query: Query,
) -> Result<Single<DeletionPreview>, Problem> {
    let preview = tenant_deletion::preview(&app, &caller, id).await?;
    query.read()?;
    Ok(single(preview))
}

/// `DELETE /platform/tenants/{id}`: 202, and gone as soon as no PBX serves it any more; with `If-Match` only of the version
/// that it names.
pub async fn delete(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<TenantId>,
    query: Query,
    precondition: Precondition,
    body: Body<Confirmation>,
) -> Result<Accepted<Single<LeavingView>>, Problem> {
    tenants::find(&app, &caller, id).await?;
    let if_match = precondition.if_match()?;
    let Confirmation { confirm } = body.read().await?;
    query.read()?;
    let leaving = tenant_deletion::delete(&app, &caller, id, &confirm, &if_match).await?;
    Ok(Accepted(single(leaving.into())))
}
