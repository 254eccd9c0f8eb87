//! `/api/v1/org`: the caller's own tenant.

use axum::extract::State;

use crate::app::App;
use crate::app::own_tenant::{self, OwnTenant, OwnTenantInput};
use crate::app::precondition;
use crate::app::views::{OwnTenantView, UsageView};
use crate::auth::caller::Caller;
use crate::http::answer::Tagged;
use crate::http::body::{Changes, Patched};
use crate::http::envelope::{Single, single};
use crate::http::if_match::Precondition;
use crate::http::problem::Problem;
use crate::http::query::Query;

impl Patched for OwnTenantInput {}

/// `GET /org`.
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    query: Query,
) -> Result<Tagged<Single<OwnTenantView>>, Problem> {
    query.read()?;
    Ok(tagged(own_tenant::find(&app, &caller).await?))
}

/// `PATCH /org`; with `If-Match` only of the settings that it names.
pub async fn change(
    State(app): State<App>,
    caller: Caller,
    query: Query,
    precondition: Precondition,
    body: Changes<OwnTenantInput>,
) -> Result<Tagged<Single<OwnTenantView>>, Problem> {
    let if_match = precondition.if_match()?;
    let input = body.read().await?;
    query.read()?;
    let changed = own_tenant::change(&app, &caller, input, &if_match).await?;
    Ok(tagged(changed))
}

/// `GET /org/usage`.
pub async fn usage(
    State(app): State<App>,
    caller: Caller,
    query: Query,
) -> Result<Single<UsageView>, Problem> {
    query.read()?;
    Ok(single(own_tenant::usage(&app, &caller).await?.into()))
}

fn tagged(own: OwnTenant) -> Tagged<Single<OwnTenantView>> {
    Tagged::new(precondition::tag_of_settings(&own.settings()), single(own.into()))
}
