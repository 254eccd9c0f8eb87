//! Suspending a tenant and letting it work again, with what that means for its phones.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::App;
use super::audit::Changed;
use super::error::AppError;
use super::guards;
use super::precondition::IfMatch;
use super::tenant_change::check_version;
use crate::auth::caller::Caller;
use crate::deploy::request;
use crate::domain::ids::{DeploymentId, TenantId};
use crate::domain::invalid::{FieldErrors, Invalid};
use crate::domain::permission::PlatformPermission;
use crate::domain::reason::Reason;
use crate::domain::tenant::{Service, Suspension, SuspensionCategory, Tenant, TenantStatus};
use crate::store::tenant_lifecycle;
use crate::store::{Tx, tenants};

/// Why a tenant is to be suspended.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["category"]))]
pub struct SuspensionInput {
    /// The kind of reason.
    #[schemars(with = "SuspensionCategory")]
    pub category: Option<String>,
    /// The reason in words.
    #[schemars(with = "Option<Reason>")]
    pub reason: Option<String>,
}

/// A tenant whose status has changed, and the deploys that tell its PBX of it.
pub struct Followed {
    /// The tenant.
    pub tenant: Tenant,
    /// One for each instance that serves it, where its phones may do something else now.
    pub deployments: Vec<DeploymentId>,
}

/// Suspends a tenant: nobody of it signs in or calls the API, and its phones may do what its policy says.
pub async fn suspend(
    app: &App,
    caller: &Caller,
    id: TenantId,
    input: SuspensionInput,
    if_match: &IfMatch,
) -> Result<Followed, AppError> {
    caller.platform(PlatformPermission::TenantsSuspend)?;
    let mut errors = FieldErrors::default();
    let category = input.category.ok_or_else(|| Invalid::new("is required"));
    let category = errors.take(
        "category",
        category.and_then(|text| text.parse::<SuspensionCategory>()),
    );
    let reason = input
        .reason
        .and_then(|text| errors.take("reason", text.parse::<Reason>()));
    let Some(category) = category else {
        return Err(errors.into());
    };
    errors.check()?;

    let right = PlatformPermission::TenantsSuspend;
    let (mut tx, caller) = app
        .begin_on_platform(caller, right, Some(id), "suspend_tenant")
        .await?;
    let tenant = found(&mut tx, id).await?;
    check_version(&mut tx, id, if_match).await?;
    if tenant.status != TenantStatus::Active {
        return Err(bad_transition(tenant.status));
    }
    guards::not_last_managers(&mut tx, id).await?;
    let suspension = Suspension {
        category,
        reason,
        at: app.now(),
    };
    let service = service(&mut tx, &tenant).await?;
    tenant_lifecycle::suspend(&mut tx, id, &suspension).await?;
    let followed = app.have_followed(&mut tx, &caller, id, service).await?;
    let after = json!({"status": followed.tenant.status, "category": category, "reason": suspension.reason,
        "deployments": followed.deployments});
    let entry = changed("tenant.suspend", &tenant, after);
    app.audit(&mut tx, &caller, entry)?;
    tx.commit().await?;
    app.deploys.notify_one();
    Ok(followed)
}

/// Lets a suspended tenant work again.
pub async fn reactivate(
    app: &App,
    caller: &Caller,
    id: TenantId,
    if_match: &IfMatch,
) -> Result<Followed, AppError> {
    let right = PlatformPermission::TenantsSuspend;
    let begun = app.begin_on_platform(caller, right, Some(id), "reactivate_tenant");
    let (mut tx, caller) = begun.await?;
    let tenant = found(&mut tx, id).await?;
    check_version(&mut tx, id, if_match).await?;
    if tenant.status != TenantStatus::Suspended {
        return Err(bad_transition(tenant.status));
    }
    let service = service(&mut tx, &tenant).await?;
    tenant_lifecycle::reactivate(&mut tx, id, app.now()).await?;
    let followed = app.have_followed(&mut tx, &caller, id, service).await?;
    let after = json!({"status": followed.tenant.status, "deployments": followed.deployments});
    let entry = changed("tenant.reactivate", &tenant, after);
    app.audit(&mut tx, &caller, entry)?;
    tx.commit().await?;
    app.deploys.notify_one();
    Ok(followed)
}

impl App {
    /// Asks for what PBXs serve of a tenant to follow what was just written of it: where that is something else than
    /// `before`.
    pub(super) async fn have_followed(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        id: TenantId,
        before: Service,
    ) -> Result<Followed, AppError> {
        let tenant = found(tx, id).await?;
        let mut deployments = Vec::new();
        if service(tx, &tenant).await? != before {
            let actor = caller.identity().actor().name;
            for instance in tenant_lifecycle::serving(tx, id).await? {
                let asked = request::status(tx, self.ids.as_ref(), id, instance, &actor, self.now());
                deployments.extend(asked.await?.map(|asked| asked.id));
            }
        }
        Ok(Followed { tenant, deployments })
    }
}

/// What PBXs are to serve of a tenant.
pub(super) async fn service(tx: &mut Tx, tenant: &Tenant) -> Result<Service, AppError> {
    let standing = tenant_lifecycle::standing(tx, tenant.id).await?;
    let standing = standing.ok_or(AppError::NotFound)?;
    Ok(tenant.status.service(standing.policy))
}

/// A tenant that is there.
pub(super) async fn found(tx: &mut Tx, id: TenantId) -> Result<Tenant, AppError> {
    tenants::find(tx, id).await?.ok_or(AppError::NotFound)
}

/// What can become of a tenant in this status.
pub(super) fn bad_transition(status: TenantStatus) -> AppError {
    let allowed: &[&str] = match status {
        TenantStatus::Active => &["suspended"],
        TenantStatus::Suspended => &["active", "deleted"],
        TenantStatus::Deleting => &[],
    };
    AppError::BadTransition {
        from: status.as_str(),
        allowed,
    }
}

fn changed(action: &'static str, before: &Tenant, after: Value) -> Changed {
    Changed {
        action,
        resource: "tenant",
        target: before.id.to_string(),
        tenant_id: Some(before.id),
        before: Some(json!({"status": before.status})),
        after: Some(after),
    }
}
