//! `/api/v1/platform/users/{id}`: what platform managers change of a user, and removing one.

use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;

use super::users::{TaggedUser, tagged};
use crate::app::platform_user_changes::{self, UserPatch};
use crate::app::{App, platform_users};
use crate::auth::caller::Caller;
use crate::domain::ids::{TenantId, UserId};
use crate::domain::name::RoleName;
use crate::http::answer::NoContent;
use crate::http::body::{Body, Changes, NoBody, Patched};
use crate::http::id::Id;
use crate::http::if_match::Precondition;
use crate::http::problem::Problem;
use crate::http::query::Query;

/// Where a user is to work.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TenantChoice {
    /// The tenant; null for a platform manager who is to work for none.
    #[serde(deserialize_with = "Option::deserialize")]
    tenant_id: Option<TenantId>,
    /// The name of a role of that tenant; `agent` if absent.
    #[schemars(with = "Option<RoleName>")]
    role: Option<String>,
}

impl Patched for UserPatch {}

/// `PATCH /platform/users/{id}`; with `If-Match` only of the version that it names.
pub async fn change(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<UserId>,
    query: Query,
    precondition: Precondition,
    body: Changes<UserPatch>,
) -> Result<TaggedUser, Problem> {
    platform_users::find(&app, &caller, id).await?;
    let if_match = precondition.if_match()?;
    let patch = body.read().await?;
    query.read()?;
    let user = platform_user_changes::change(&app, &caller, id, patch, &if_match).await?;
    Ok(tagged(&user))
}

/// `PUT /platform/users/{id}/tenant`; with `If-Match` only of the version that it names.
pub async fn set_tenant(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<UserId>,
    query: Query,
    precondition: Precondition,
    body: Body<TenantChoice>,
) -> Result<TaggedUser, Problem> {
    platform_users::find(&app, &caller, id).await?;
    let if_match = precondition.if_match()?;
    let TenantChoice { tenant_id, role } = body.read().await?;
    query.read()?;
    let role = role.as_deref();
    let user = platform_user_changes::change_tenant(&app, &caller, id, tenant_id, role, &if_match).await?;
    Ok(tagged(&user))
}

/// `DELETE /platform/users/{id}`; with `If-Match` only of the version that it names.
pub async fn delete(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<UserId>,
    query: Query,
    precondition: Precondition,
    body: NoBody,
) -> Result<NoContent, Problem> {
    platform_users::find(&app, &caller, id).await?;
    let if_match = precondition.if_match()?;
    body.read().await?;
    query.read()?;
    platform_user_changes::delete(&app, &caller, id, &if_match).await?;
    Ok(NoContent)
}
