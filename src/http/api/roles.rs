//! `/api/v1/roles`: the built-in roles and the tenant's own.

use axum::extract::State;

use crate::app::App;
use crate::app::precondition::tag_of_role;
use crate::app::roles::{self, RoleInput};
use crate::app::views::{RoleView, RolesView};
use crate::auth::caller::Caller;
use crate::domain::ids::RoleId;
use crate::domain::role::Role;
use crate::http::answer::{Created, NoContent, Replayed, Tagged};
use crate::http::body::{Body, Changes, NoBody, Patched};
use crate::http::envelope::{Bare, Single, single};
use crate::http::id::Id;
use crate::http::idempotency::Repeatable;
use crate::http::if_match::Precondition;
use crate::http::problem::Problem;
use crate::http::query::Query;

impl Patched for RoleInput {}

/// A role with the tag of its version.
type TaggedRole = Tagged<Single<RoleView>>;

fn tagged(role: Role) -> TaggedRole {
    Tagged::new(tag_of_role(&role), single(RoleView::from(role)))
}

/// `GET /roles`, with the platform's rights beside them.
pub async fn index(State(app): State<App>, caller: Caller, query: Query) -> Result<Bare<RolesView>, Problem> {
    query.read()?;
    let roles = roles::list(&app, &caller).await?;
    Ok(Bare(RolesView::new(roles)))
}

/// `GET /roles/{id}`.
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<RoleId>,
    query: Query,
) -> Result<TaggedRole, Problem> {
    let role = roles::find(&app, &caller, id).await?;
    query.read()?;
    Ok(tagged(role))
}

/// `POST /roles`; with an `Idempotency-Key` it is made once.
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    query: Query,
    repeatable: Repeatable,
    body: Body<RoleInput>,
) -> Result<Replayed<Created<TaggedRole>>, Problem> {
    caller.reason_to_change()?;
    let key = repeatable.key()?;
    let (bytes, input) = body.read_with_bytes().await?;
    query.read()?;
    let once = key.map(|key| key.with_open_body(&bytes));
    let done = roles::create(&app, &caller, input, once.as_ref()).await?;
    let replayed = done.is_repeated();
    Ok(Replayed::new(replayed, Created(tagged(done.into_inner()))))
}

/// `PATCH /roles/{id}`; with `If-Match` only of the version that it names.
pub async fn change(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<RoleId>,
    query: Query,
    precondition: Precondition,
    body: Changes<RoleInput>,
) -> Result<TaggedRole, Problem> {
    roles::exists(&app, &caller, id).await?;
    let if_match = precondition.if_match()?;
    let input = body.read().await?;
    query.read()?;
    let role = roles::change(&app, &caller, id, input, &if_match).await?;
    Ok(tagged(role))
}

/// `DELETE /roles/{id}`; with `If-Match` only of the version that it names.
pub async fn delete(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<RoleId>,
    query: Query,
    precondition: Precondition,
    body: NoBody,
) -> Result<NoContent, Problem> {
    roles::exists(&app, &caller, id).await?;
    let if_match = precondition.if_match()?;
    body.read().await?;
    query.read()?;
    roles::delete(&app, &caller, id, &if_match).await?;
    Ok(NoContent)
}
