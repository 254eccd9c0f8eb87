//! `/api/v1/org-users/me`: the own profile and password.

use axum::extract::State;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;

use super::users::{TaggedUser, tagged};
use crate::app::App;
use crate::app::profile::{self, ProfileChange};
use crate::auth::caller::Caller;
use crate::domain::contact::Contact;
use crate::domain::json_object;
use crate::domain::name::PersonName;
use crate::domain::password::{NewPassword, Password};
use crate::http::answer::NoContent;
use crate::http::body::{Body, Changes, Patched};
use crate::http::if_match::Precondition;
use crate::http::problem::Problem;
use crate::http::query::Query;

/// What changes; what is absent stays.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ProfileInput {
    name: Option<PersonName>,
    #[serde(deserialize_with = "json_object::optional")]
    contact: Option<Contact>,
}

impl Patched for ProfileInput {}

/// A new password, with the present one.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordInput {
    #[schemars(with = "Password")]
    current_password: SecretString,
    #[schemars(with = "NewPassword")]
    new_password: SecretString,
}

/// `GET /org-users/me/profile`.
pub async fn show(State(app): State<App>, caller: Caller, query: Query) -> Result<TaggedUser, Problem> {
    query.read()?;
    let user = profile::find(&app, &caller).await?;
    Ok(tagged(&user))
}

/// `PATCH /org-users/me/profile`: `contact` is replaced as a whole; with `If-Match` only of the version that it names.
pub async fn change(
    State(app): State<App>,
    caller: Caller,
    query: Query,
    precondition: Precondition,
    body: Changes<ProfileInput>,
) -> Result<TaggedUser, Problem> {
    let if_match = precondition.if_match()?;
    let input = body.read().await?;
    query.read()?;
    let change = ProfileChange {
        name: input.name,
        contact: input.contact,
    };
    let user = profile::change(&app, &caller, change, &if_match).await?;
    Ok(tagged(&user))
}

/// `PUT /org-users/me/password`.
pub async fn change_password(
    State(app): State<App>,
    caller: Caller,
    query: Query,
    body: Body<PasswordInput>,
) -> Result<NoContent, Problem> {
    let input = body.read().await?;
    query.read()?;
    profile::change_password(&app, &caller, &input.current_password, &input.new_password).await?;
    Ok(NoContent)
}
