//! `/api/v1/platform/users`: users of every tenant, and those of the operator.

use axum::extract::State;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;

use super::users::{TaggedUser, tagged};
use crate::app::App;
use crate::app::platform_users::{self, UserInput};
use crate::app::precondition::tag_of_user;
use crate::app::views::{InvitedView, UserView};
use crate::auth::caller::Caller;
use crate::domain::ids::UserId;
use crate::domain::password::NewPassword;
use crate::domain::user_query::UserQuery;
use crate::http::answer::{Created, NoContent, Replayed, Tagged};
use crate::http::body::Body;
use crate::http::envelope::{List, Single, list, single};
use crate::http::id::Id;
use crate::http::idempotency::{Repeatable, ShownOnce};
use crate::http::if_match::Precondition;
use crate::http::problem::Problem;
use crate::http::query::{Given, Parameters, Query};

/// A new password.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChoice {
    #[schemars(with = "NewPassword")]
    password: SecretString,
}

/// Whether somebody manages the platform.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ManagerChoice {
    platform_manager: bool,
}

/// What a list of the users of all tenants asks for.
pub struct OfAllTenants(UserQuery);

impl Parameters for OfAllTenants {
    fn read(given: &mut Given) -> Self {
        Self(UserQuery {
            tenant_id: given.optional("tenant_id"),
            platform_manager: given.choice("platform_manager", "Only platform managers, or only others."),
            ..UserQuery::read(given)
        })
    }
}

/// `GET /platform/users`: one page, by name unless `sort` says otherwise.
pub async fn index(
    State(app): State<App>,
    caller: Caller,
    query: Query<OfAllTenants>,
) -> Result<List<UserView>, Problem> {
    let OfAllTenants(wanted) = query.read()?;
    let page = platform_users::list(&app, &caller, &wanted).await?;
    Ok(list(page.map(|user| UserView::from(&user))))
}

/// `GET /platform/users/{id}`.
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<UserId>,
    query: Query,
) -> Result<TaggedUser, Problem> {
    let user = platform_users::find(&app, &caller, id).await?;
    query.read()?;
    Ok(tagged(&user))
}

/// `POST /platform/users`: with an `Idempotency-Key` a user is made once, where none is invited: their link is shown once.
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    query: Query,
    repeatable: Repeatable,
    once: ShownOnce,
    body: Body<UserInput>,
) -> Result<Replayed<Created<Tagged<Single<InvitedView>>>>, Problem> {
    let key = repeatable.key()?;
    let (bytes, input) = body.read_with_bytes().await?;
    query.read()?;
    if input.invite == Some(true) {
        once.refuse_key("look for the address, and send the invitation again instead")?;
    }
    let once = key.map(|key| key.with_body(&bytes));
    let done = platform_users::create_once(&app, &caller, input, once.as_ref()).await?;
    let replayed = done.is_repeated();
    let (user, invitation) = done.into_inner();
    let made = single(InvitedView::new(&user, invitation.as_ref()));
    Ok(Replayed::new(
        replayed,
        Created(Tagged::new(tag_of_user(&user), made)),
    ))
}

/// `PUT /platform/users/{id}/password`; with `If-Match` only of the version that it names.
pub async fn set_password(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<UserId>,
    query: Query,
    precondition: Precondition,
    body: Body<PasswordChoice>,
) -> Result<NoContent, Problem> {
    platform_users::find(&app, &caller, id).await?;
    let if_match = precondition.if_match()?;
    let choice = body.read().await?;
    query.read()?;
    platform_users::set_password(&app, &caller, id, &choice.password, &if_match).await?;
    Ok(NoContent)
}

/// `PUT /platform/users/{id}/platform-manager`; with `If-Match` only of the version that it names.
pub async fn set_platform_manager(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<UserId>,
    query: Query,
    precondition: Precondition,
    body: Body<ManagerChoice>,
) -> Result<TaggedUser, Problem> {
    platform_users::find(&app, &caller, id).await?;
    let if_match = precondition.if_match()?;
    let choice = body.read().await?;
    query.read()?;
    let manages = choice.platform_manager;
    let user = platform_users::set_platform_manager(&app, &caller, id, manages, &if_match).await?;
    Ok(tagged(&user))
}
