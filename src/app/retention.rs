//! For how long the caller's tenant keeps what it has.

use serde_json::json;

use super::App;
use super::audit::Changed;
use super::error::AppError;
use super::precondition::IfMatch;
use crate::auth::access::Act;
use crate::auth::caller::Caller;
use crate::domain::permission::Permission;
use crate::domain::retention::{RetentionInput, RetentionPolicy};
use crate::store::retention;
use crate::store::trusted_time::Known;

/// A policy with the time that it is counted by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retention {
    /// The policy.
    pub policy: RetentionPolicy,
    /// The time.
    pub time: Known,
}

/// The policy of the caller's tenant.
pub async fn find(app: &App, caller: &Caller) -> Result<Retention, AppError> {
    let tenant = caller.tenant(Permission::ComplianceRead, Act::Read)?;
    let mut tx = app.store.read("find_retention").await?;
    Ok(Retention {
        policy: retention::find(&mut tx, tenant).await?,
        time: app.known_time(&mut tx).await?,
    })
}

/// Replaces it; what changes nothing leaves no trace.
///
/// A purge that runs goes by it from its next batch on.
pub async fn replace(
    app: &App,
    caller: &Caller,
    input: RetentionInput,
    if_match: &IfMatch,
) -> Result<Retention, AppError> {
    caller.tenant(Permission::ComplianceWrite, Act::Change)?;
    caller.reason_to_change()?;
    let begun = app.begin_inside(caller, Permission::ComplianceWrite, "replace_retention");
    let (mut tx, caller, tenant) = begun.await?;
    let before = retention::find(&mut tx, tenant).await?;
    let after = input.parse()?;
    if_match.check(&before.tag())?;
    let replaced = Retention {
        policy: after,
        time: app.known_time(&mut tx).await?,
    };
    if after == before {
        return Ok(replaced);
    }
    retention::put(&mut tx, tenant, &after).await?;
    let changed = Changed {
        action: "compliance.set_retention",
        resource: "retention",
        target: tenant.to_string(),
        tenant_id: Some(tenant),
        before: Some(json!(before)),
        after: Some(json!(after)),
    };
    app.audit(&mut tx, &caller, changed)?;
    tx.commit().await?;
    Ok(replaced)
}
