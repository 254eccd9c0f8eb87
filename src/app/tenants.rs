//! Tenants of the platform: add, list, show, and change what only the platform may.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::App;
use super::audit::Changed;
use super::error::AppError;
use crate::auth::caller::Caller;
use crate::domain::ids::{InstanceId, TenantId};
use crate::domain::invalid::{FieldErrors, Invalid};
use crate::domain::page::Page;
use crate::domain::permission::PlatformPermission;
use crate::domain::query::TenantQuery;
use crate::domain::sip_domain::SipDomain;
use crate::domain::tenant::{Tenant, TenantStatus};
use crate::domain::tenant_overview::TenantOverview;
use crate::domain::timezone::Timezone;
use crate::store::{self, instances, tenant_overviews, tenant_settings};

/// A tenant as it is written.
#[derive(Clone, Default, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TenantInput {
    /// 3 to 50 characters.
    pub name: Option<String>,
    /// Its SIP domain.
    pub domain: Option<String>,
    /// IANA; UTC if absent.
    pub timezone: Option<String>,
    /// Required unless exactly one instance exists.
    pub pbx_instance_id: Option<String>,
}

/// Makes a tenant.
pub async fn create(app: &App, caller: &Caller, input: TenantInput) -> Result<Tenant, AppError> {
    caller.platform(PlatformPermission::TenantsCreate)?;
    let mut errors = FieldErrors::default();
    let required = |text: Option<String>| text.ok_or_else(|| Invalid::new("is required"));
    let name = errors.take("name", required(input.name).and_then(|text| text.parse()));
    let domain = errors.take(
        "domain",
        required(input.domain).and_then(|text| text.parse::<SipDomain>()),
    );
    let timezone = input
        .timezone
        .and_then(|text| errors.take("timezone", text.parse::<Timezone>()));
    let wanted = input
        .pbx_instance_id
        .and_then(|text| errors.take("pbx_instance_id", text.parse::<InstanceId>()));
    let (Some(name), Some(domain)) = (name, domain) else {
        return Err(errors.into());
    };
    errors.check()?;

    let mut tx = app.store.begin("create_tenant").await?;
    let all = instances::list(&mut tx).await?;
    let instance = match (wanted, all.as_slice()) {
        (Some(id), all) => all.iter().find(|instance| instance.id == id),
        (None, [only]) => Some(only),
        (None, _) => None,
    };
    let Some(instance) = instance else {
        let reason = if all.is_empty() {
            "must name an instance, and there is none yet; add one first"
        } else {
            "must name an instance; it may be absent only while exactly one exists"
        };
        return Err(FieldErrors::one("pbx_instance_id", reason).into());
    };
    let now = app.now();
    let tenant = Tenant {
        id: TenantId::fresh(app.ids.as_ref()),
        name,
        domain,
        status: TenantStatus::Active,
        instance_id: instance.id,
        timezone: timezone.unwrap_or_else(Timezone::utc),
        secrets_version: 1,
        created_at: now,
        updated_at: now,
    };
    if tenant_settings::holder(&mut tx, &tenant.domain).await?.is_some() {
        return Err(former_domain());
    }
    store::tenants::insert(&mut tx, &tenant).await?;
    let after = json!({"name": tenant.name, "domain": tenant.domain, "timezone": tenant.timezone,
        "pbx_instance_id": tenant.instance_id});
    let changed = Changed {
        action: "tenant.create",
        resource: "tenant",
        target: tenant.id.to_string(),
        tenant_id: Some(tenant.id),
        before: None,
        after: Some(after),
    };
    app.audit(&mut tx, caller, changed)?;
    tx.commit().await?;
    Ok(tenant)
}

/// One page of all tenants, with what is counted of each.
pub async fn list(app: &App, caller: &Caller, query: &TenantQuery) -> Result<Page<TenantOverview>, AppError> {
    caller.platform(PlatformPermission::TenantsRead)?;
    let mut tx = app.store.read("list_tenants").await?;
    Ok(tenant_overviews::list(&mut tx, query).await?)
}

/// One tenant.
pub async fn find(app: &App, caller: &Caller, id: TenantId) -> Result<Tenant, AppError> {
    caller.platform(PlatformPermission::TenantsRead)?;
    let mut tx = app.store.read("find_tenant").await?;
    store::tenants::find(&mut tx, id).await?.ok_or(AppError::NotFound)
}

/// One tenant by its domain, as the command line names them.
pub async fn find_by_domain(app: &App, caller: &Caller, domain: &SipDomain) -> Result<Tenant, AppError> {
    caller.platform(PlatformPermission::TenantsRead)?;
    let mut tx = app.store.read("find_tenant").await?;
    store::tenants::find_by_domain(&mut tx, domain)
        .await?
        .ok_or(AppError::NotFound)
}

/// Another tenant's phones may still sign in at this domain.
pub(super) fn former_domain() -> AppError {
    AppError::Taken {
        field: "domain".to_owned(),
    }
}
