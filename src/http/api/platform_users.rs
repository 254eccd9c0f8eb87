//! `/api/v1/platform/users`: users of every tenant, and those of the operator.

use axum::extract::State;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;

use crate::app::App;
use crate::app::platform_users::{self, UserInput};
use crate::app::views::{InvitedView, UserView};
use crate::auth::caller::Caller;
use crate::domain::ids::UserId;
use crate::domain::password::NewPassword;
use crate::domain::user_query::UserQuery;
use crate::http::answer::{Created, NoContent};
use crate::http::body::Body;
use crate::http::envelope::{List, Single, list, single};
use crate::http::id::Id;
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
) -> Result<Single<UserView>, Problem> {
    let user = platform_users::find(&app, &caller, id).await?;
    query.read()?;
    Ok(single(UserView::from(&user)))
}

/// `POST /platform/users`.
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    query: Query,
    body: Body<UserInput>,
) -> Result<Created<Single<InvitedView>>, Problem> {
    let input = body.read().await?;
    query.read()?;
    let (user, invitation) = platform_users::create(&app, &caller, input).await?;
    Ok(Created(single(InvitedView::new(&user, invitation.as_ref()))))
}

/// `PUT /platform/users/{id}/password`.
pub async fn set_password(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<UserId>,
    query: Query,
    body: Body<PasswordChoice>,
) -> Result<NoContent, Problem> {
    platform_users::find(&app, &caller, id).await?;
    let choice = body.read().await?;
    query.read()?;
    platform_users::set_password(&app, &caller, id, &choice.password).await?;
    Ok(NoContent)
}

/// `PUT /platform/users/{id}/platform-manager`.
pub async fn set_platform_manager(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<UserId>,
    query: Query,
    body: Body<ManagerChoice>,
) -> Result<Single<UserView>, Problem> {
    platform_users::find(&app, &caller, id).await?;
    let choice = body.read().await?;
    query.read()?;
    let user = platform_users::set_platform_manager(&app, &caller, id, choice.platform_manager).await?;
    Ok(single(UserView::from(&user)))
}
