//! What the caller's tenant tells people of its recording their calls.

use serde_json::{Value, json};

use super::App;
use super::audit::Changed;
use super::error::AppError;
use super::own_tenant::own;
use super::precondition::IfMatch;
use crate::auth::access::Act;
use crate::auth::caller::Caller;
use crate::domain::permission::Permission;
use crate::domain::recording_notice::{ConsentInput, RecordingNotice};
use crate::domain::tenant::TenantSettings;
use crate::store::tenant_settings;

/// What they are told.
pub async fn find(app: &App, caller: &Caller) -> Result<RecordingNotice, AppError> {
    let tenant = caller.tenant(Permission::ComplianceRead, Act::Read)?;
    let mut tx = app.store.read("find_consent").await?;
    Ok(own(&mut tx, tenant).await?.tenant.notice)
}

/// Replaces it; what changes nothing leaves no trace. It goes live with the next deploy.
pub async fn replace(
    app: &App,
    caller: &Caller,
    input: ConsentInput,
    if_match: &IfMatch,
) -> Result<RecordingNotice, AppError> {
    caller.tenant(Permission::ComplianceWrite, Act::Change)?;
    caller.reason_to_change()?;
    let begun = app.begin_inside(caller, Permission::ComplianceWrite, "replace_consent");
    let (mut tx, caller, tenant) = begun.await?;
    let before = own(&mut tx, tenant).await?.settings();
    let notice = input.parse()?;
    if_match.check(&before.notice.tag())?;
    if notice == before.notice {
        return Ok(notice);
    }
    let after = TenantSettings {
        notice,
        ..before.clone()
    };
    tenant_settings::update(&mut tx, tenant, &before, &after, app.now()).await?;
    let changed = Changed {
        action: "compliance.set_consent",
        // It is one of the tenant's settings, and whoever follows these is told.
        resource: "tenant",
        target: tenant.to_string(),
        tenant_id: Some(tenant),
        before: Some(said(&before.notice)),
        after: Some(said(&after.notice)),
    };
    app.audit(&mut tx, &caller, changed)?;
    tx.commit().await?;
    Ok(after.notice)
}

fn said(notice: &RecordingNotice) -> Value {
    json!({"recording_notice": notice.hearers, "recording_notice_sound": notice.sound})
}
