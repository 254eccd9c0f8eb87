//! Ending a call that is up: one's own, or any of the tenant for whoever may change its configuration.

use serde_json::json;
use tokio::time::timeout;

use super::App;
use super::audit::Changed;
use super::calls::{Sight, view};
use super::click_to_call::{MAKING, own_extension_id, refused};
use super::error::AppError;
use super::places::NoPlace;
use crate::auth::caller::Caller;
use crate::deploy::DeployError;
use crate::domain::call::Call;
use crate::domain::error_chain::error_chain;
use crate::domain::ids::{CallId, TenantId};
use crate::domain::permission::Permission;
use crate::store::tenants;

const RIGHT: Permission = Permission::CallsClickToCall;

/// Whether there is such a call for the caller, which is asked before anything else of the request.
pub async fn check(app: &App, caller: &Caller, id: CallId) -> Result<(), AppError> {
    let tenant = caller.tenant(RIGHT, crate::auth::access::Act::Change)?;
    let sees = if caller.may(Permission::ConfigWrite) {
        Sight::All
    } else {
        match view(app, caller).await {
            Ok(view) => view.sight,
            // Without a right to see calls it is the own ones.
            Err(AppError::Denied(_)) => Sight::Own(own(app, caller, tenant).await?),
            Err(error) => return Err(error),
        }
    };
    let call = app.board.call(tenant, id).ok_or(AppError::NotFound)?;
    if sees.shows(&call) {
        Ok(())
    } else {
        Err(AppError::NotFound)
    }
}

/// Ends a call.
pub async fn end(app: &App, caller: &Caller, id: CallId) -> Result<(), AppError> {
    check(app, caller, id).await?;
    let (mut tx, caller, tenant) = app.begin_inside(caller, RIGHT, "hang_up").await?;
    caller.reason_to_change()?;
    let call = app.board.call(tenant, id).ok_or(AppError::NotFound)?;
    let own = own_extension_id(&mut tx, &caller, tenant).await?;
    let is_own = own.is_some_and(|extension| call.involves(extension));
    if !is_own && !caller.may(Permission::ConfigWrite) {
        return Err(AppError::conflict(
            "not_own_call",
            "this call is not one of your extension's; whoever may change the configuration can end it",
        ));
    }
    tenants::find(&mut tx, tenant).await?.ok_or(AppError::NotFound)?;
    let place = app.hanging_up.enter(call.id, call.instance_id).map_err(|none| {
        let (code, message) = match none {
            NoPlace::Taken => ("call_under_way", "this call is being ended already"),
            NoPlace::Full => ("too_many_calls", "too many calls are being ended; try again"),
        };
        AppError::conflict(code, message)
    })?;
    app.audit(&mut tx, &caller, ended(&call, tenant))?;
    tx.commit().await?;
    let asked = async {
        let (_, driver) = app.engine.driver(call.instance_id).await?;
        driver.hang_up(&call.legs).await?;
        Ok::<_, DeployError>(())
    };
    // As of a call that is to be made: a PBX that does not answer keeps few waiting.
    let ended = timeout(MAKING, asked).await;
    drop(place);
    let Ok(ended) = ended else {
        let message = "the PBX does not answer; it is not known whether the call was ended";
        tracing::warn!(instance = %call.instance_id, "{message}");
        return Err(AppError::conflict("call_failed", message));
    };
    ended.map_err(|error| {
        tracing::warn!(instance = %call.instance_id, error = error_chain(&error), "a call was not ended");
        let refused = refused(&error.into());
        AppError::conflict(refused.code, refused.message)
    })
}

async fn own(
    app: &App,
    caller: &Caller,
    tenant: TenantId,
) -> Result<Option<crate::domain::ids::ExtensionId>, AppError> {
    let mut tx = app.store.read("own_extension").await?;
    own_extension_id(&mut tx, caller, tenant).await
}

fn ended(call: &Call, tenant: TenantId) -> Changed {
    Changed {
        action: "call.hang_up",
        resource: "call",
        target: call.id.to_string(),
        tenant_id: Some(tenant),
        before: Some(json!({
            "from": call.from.as_str(),
            "to": call.to.as_str(),
            "direction": call.direction,
            "started_at": call.started_at,
        })),
        after: None,
    }
}
