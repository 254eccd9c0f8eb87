//! `/api/v1/org-users`: the users of a tenant.

use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::app::precondition::tag_of_user;
use crate::app::views::UserView;
use crate::app::{App, users};
use crate::auth::caller::Caller;
use crate::domain::ids::{ExtensionId, UserId};
use crate::domain::name::RoleName;
use crate::domain::user::User;
use crate::domain::user_query::UserQuery;
use crate::http::answer::{NoContent, Tagged};
use crate::http::body::{Body, NoBody};
use crate::http::envelope::{List, Single, list, single};
use crate::http::id::Id;
use crate::http::if_match::Precondition;
use crate::http::problem::Problem;
use crate::http::query::{Given, Parameters, Query};

/// A user with the tag of their version.
pub(super) type TaggedUser = Tagged<Single<UserView>>;

pub(super) fn tagged(user: &User) -> TaggedUser {
    Tagged::new(tag_of_user(user), single(UserView::from(user)))
}

/// The name of a role.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleChoice {
    #[schemars(with = "RoleName")]
    role: String,
}

/// A user's phone.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExtensionChoice {
    /// An extension of the tenant that nobody else has; null for none.
    #[serde(deserialize_with = "Option::deserialize")]
    extension_id: Option<ExtensionId>,
}

/// What a list of users asks for, without what only the platform asks.
impl Parameters for UserQuery {
    fn read(given: &mut Given) -> Self {
        let usual = Self::default();
        let (sort, descending) = given.sort().unwrap_or((usual.sort, usual.descending));
        Self {
            search: given.text("search", "A part of the name or the address, in any case."),
            status: given.optional("status"),
            role: given.optional("role"),
            sort,
            descending,
            page: given.page(),
            ..usual
        }
    }
}

/// `GET /org-users`: one page, by name unless `sort` says otherwise.
pub async fn index(
    State(app): State<App>,
    caller: Caller,
    query: Query<UserQuery>,
) -> Result<List<UserView>, Problem> {
    let wanted = query.read()?;
    let page = users::list(&app, &caller, &wanted).await?;
    Ok(list(page.map(|user| UserView::from(&user))))
}

/// `GET /org-users/{id}`.
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<UserId>,
    query: Query,
) -> Result<TaggedUser, Problem> {
    let user = users::find(&app, &caller, id).await?;
    query.read()?;
    Ok(tagged(&user))
}

/// `PUT /org-users/{id}/role`; with `If-Match` only of the version that it names.
pub async fn assign_role(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<UserId>,
    query: Query,
    precondition: Precondition,
    body: Body<RoleChoice>,
) -> Result<TaggedUser, Problem> {
    users::exists(&app, &caller, id).await?;
    let if_match = precondition.if_match()?;
    let choice = body.read().await?;
    query.read()?;
    let user = users::assign_role(&app, &caller, id, &choice.role, &if_match).await?;
    Ok(tagged(&user))
}

/// `PUT /org-users/{id}/extension`; with `If-Match` only of the version that it names.
pub async fn link_extension(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<UserId>,
    query: Query,
    precondition: Precondition,
    body: Body<ExtensionChoice>,
) -> Result<TaggedUser, Problem> {
    users::exists(&app, &caller, id).await?;
    let if_match = precondition.if_match()?;
    let ExtensionChoice { extension_id } = body.read().await?;
    query.read()?;
    let user = users::link_extension(&app, &caller, id, extension_id, &if_match).await?;
    Ok(tagged(&user))
}

/// `POST /org-users/{id}/suspend`; with `If-Match` only of the version that it names.
pub async fn suspend(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<UserId>,
    query: Query,
    precondition: Precondition,
    body: NoBody,
) -> Result<TaggedUser, Problem> {
    users::exists(&app, &caller, id).await?;
    let if_match = precondition.if_match()?;
    body.read().await?;
    query.read()?;
    let user = users::suspend(&app, &caller, id, &if_match).await?;
    Ok(tagged(&user))
}

/// `POST /org-users/{id}/reactivate`; with `If-Match` only of the version that it names.
pub async fn reactivate(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<UserId>,
    query: Query,
    precondition: Precondition,
    body: NoBody,
) -> Result<TaggedUser, Problem> {
    users::exists(&app, &caller, id).await?;
    let if_match = precondition.if_match()?;
    body.read().await?;
    query.read()?;
    let user = users::reactivate(&app, &caller, id, &if_match).await?;
    Ok(tagged(&user))
}

/// `DELETE /org-users/{id}`; with `If-Match` only of the version that it names.
pub async fn delete(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<UserId>,
    query: Query,
    precondition: Precondition,
    body: NoBody,
) -> Result<NoContent, Problem> {
    users::exists(&app, &caller, id).await?;
    let if_match = precondition.if_match()?;
    body.read().await?;
    query.read()?;
    users::delete(&app, &caller, id, &if_match).await?;
    Ok(NoContent)
}
