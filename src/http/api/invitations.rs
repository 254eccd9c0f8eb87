//! `/api/v1/org-users/invite`, `/api/v1/org-users/{id}/invitation` and `/api/v1/auth/invitations`: inviting, and accepting.

use axum::extract::State;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;

use super::auth::shown;
use crate::app::invitations::{self, Acceptance, InvitationInput};
use crate::app::views::{InvitedView, LoginView};
use crate::app::{App, users};
use crate::auth::caller::{Caller, Origin};
use crate::domain::ids::UserId;
use crate::domain::invalid::FieldErrors;
use crate::domain::one_time_token::OneTimeSecret;
use crate::domain::password::NewPassword;
use crate::http::answer::{Accepted, Created, NoContent};
use crate::http::body::{Body, NoBody};
use crate::http::envelope::{Bare, Single, single};
use crate::http::id::Id;
use crate::http::idempotency::ShownOnce;
use crate::http::problem::Problem;
use crate::http::query::Query;

/// What an invited user accepts with: the link's token, and a password or the token of an issuer of identities.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptanceInput {
    #[schemars(with = "OneTimeSecret")]
    token: SecretString,
    #[schemars(with = "Option<NewPassword>")]
    password: Option<SecretString>,
    #[schemars(with = "Option<String>", regex(pattern = "^[A-Za-z0-9_.-]+$"))]
    firebase_token: Option<SecretString>,
}

/// `POST /org-users/invite`: shows the link, this once, where no mail goes out.
pub async fn invite(
    State(app): State<App>,
    caller: Caller,
    query: Query,
    once: ShownOnce,
    body: Body<InvitationInput>,
) -> Result<Created<Single<InvitedView>>, Problem> {
    let input = body.read().await?;
    query.read()?;
    once.refuse_key("look for the address, and send the invitation again instead")?;
    let (user, invitation) = invitations::invite(&app, &caller, input).await?;
    Ok(Created(single(InvitedView::new(&user, Some(&invitation)))))
}

/// `POST /org-users/{id}/invitation`: another link in the place of the one before.
pub async fn again(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<UserId>,
    query: Query,
    once: ShownOnce,
    body: NoBody,
) -> Result<Accepted<Single<InvitedView>>, Problem> {
    users::exists(&app, &caller, id).await?;
    body.read().await?;
    query.read()?;
    once.refuse_key("send it again instead")?;
    let (user, invitation) = invitations::again(&app, &caller, id).await?;
    Ok(Accepted(single(InvitedView::new(&user, Some(&invitation)))))
}

/// `DELETE /org-users/{id}/invitation`.
pub async fn revoke(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<UserId>,
    query: Query,
    body: NoBody,
) -> Result<NoContent, Problem> {
    users::exists(&app, &caller, id).await?;
    body.read().await?;
    query.read()?;
    invitations::revoke(&app, &caller, id).await?;
    Ok(NoContent)
}

/// `POST /auth/invitations/accept`.
pub async fn accept(
    State(app): State<App>,
    origin: Origin,
    query: Query,
    body: Body<AcceptanceInput>,
) -> Result<Bare<LoginView>, Problem> {
    let input = body.read().await?;
    query.read()?;
    let by = match (&input.password, &input.firebase_token) {
        (Some(password), None) => Acceptance::Password(password),
        (None, Some(token)) => Acceptance::IdToken(token),
        (None, None) => return Err(FieldErrors::one("password", "is required, or `firebase_token`").into()),
        (Some(_), Some(_)) => {
            let reason = "stands in place of a password; leave one of them out";
            return Err(FieldErrors::one("firebase_token", reason).into());
        }
    };
    let login = invitations::accept(&app, origin, input.token.clone(), by).await?;
    Ok(shown(login))
}
