//! Tenants of the platform: add, list, show, and change what only the platform may.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::App;
use super::audit::Changed;
use super::error::AppError;
use crate::auth::caller::Caller;
use crate::domain::ids::{InstanceId, TenantId};
use crate::domain::invalid::{FieldErrors, Invalid};
use crate::domain::name::TenantName;
use crate::domain::page::Page;
use crate::domain::permission::PlatformPermission;
use crate::domain::query::TenantQuery;
use crate::domain::recording_notice::RecordingNotice;
use crate::domain::sip_domain::SipDomain;
use crate::domain::tenant::{RecordingPolicy, Tenant, TenantStatus};
use crate::domain::tenant_overview::TenantOverview;
use crate::domain::timezone::Timezone;
use crate::domain::user::User;
use crate::store::{self, Tx, domains, instances, tenant_overviews};

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

/// An input that reads well, before it is known whether its domain is free and its PBX is there.
pub(super) struct ParsedTenant {
    name: TenantName,
    domain: SipDomain,
    timezone: Timezone,
    instance: Option<InstanceId>,
}

impl ParsedTenant {
    pub(super) const fn domain(&self) -> &SipDomain {
        &self.domain
    }
}

impl TenantInput {
    /// Reads it; with a suffix the domain may be absent, and is made of the name.
    pub(super) fn parse(self, errors: &mut FieldErrors, suffix: Option<&SipDomain>) -> Option<ParsedTenant> {
        let required = |text: Option<String>| text.ok_or_else(|| Invalid::new("is required"));
        let domain = match (self.domain, suffix, &self.name) {
            (None, Some(suffix), Some(name)) => errors.take("domain", domain_of(name, suffix)),
            // It may be made of the name, which is missing.
            (None, Some(_), None) => None,
            (given, _, _) => errors.take("domain", required(given).and_then(|text| text.parse())),
        };
        let name = errors.take("name", required(self.name).and_then(|text| text.parse()));
        let timezone = self
            .timezone
            .map(|text| errors.take("timezone", text.parse::<Timezone>()));
        let instance = self
            .pbx_instance_id
            .map(|text| errors.take("pbx_instance_id", text.parse::<InstanceId>()));
        Some(ParsedTenant {
            name: name?,
            domain: domain?,
            timezone: timezone.unwrap_or_else(|| Some(Timezone::utc()))?,
            instance: match instance {
                Some(instance) => Some(instance?),
                None => None,
            },
        })
    }
}

/// The domain that is made of a name.
fn domain_of(name: &str, suffix: &SipDomain) -> Result<SipDomain, Invalid> {
    let made = slug(name).ok_or_else(|| {
        Invalid::new("is required: the name has no letter from a to z and no digit to make one of")
    });
    let whole = made.map(|slug| format!("{slug}.{suffix}"))?;
    whole
        .parse()
        .map_err(|_| Invalid::new("is required: the one that the name would make is too long"))
}

/// What stands before the suffix in a domain that is made of a name: letters, digits and single hyphens.
fn slug(name: &str) -> Option<String> {
    let lower = name.to_lowercase();
    let words = lower.split(|c: char| !c.is_ascii_alphanumeric());
    let slug = words
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join("-");
    (!slug.is_empty()).then_some(slug)
}

/// Makes a tenant, without anybody in it yet.
pub async fn create(app: &App, caller: &Caller, input: TenantInput) -> Result<Tenant, AppError> {
    caller.platform(PlatformPermission::TenantsCreate)?;
    let mut errors = FieldErrors::default();
    let parsed = input.parse(&mut errors, app.domain_suffix.as_ref());
    let Some(parsed) = parsed else {
        return Err(errors.into());
    };
    let right = PlatformPermission::TenantsCreate;
    let (mut tx, caller) = app
        .begin_on_platform(caller, right, None, "create_tenant")
        .await?;
    let tenant = app.insert_tenant(&mut tx, parsed).await?;
    app.audit(&mut tx, &caller, made(&tenant, None))?;
    tx.commit().await?;
    Ok(tenant)
}

impl App {
    pub(super) async fn insert_tenant(&self, tx: &mut Tx, parsed: ParsedTenant) -> Result<Tenant, AppError> {
        let all = instances::list(tx).await?;
        let instance = match (parsed.instance, all.as_slice()) {
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
        let now = self.now();
        let tenant = Tenant {
            id: TenantId::fresh(self.ids.as_ref()),
            name: parsed.name,
            domain: parsed.domain,
            status: TenantStatus::Active,
            instance_id: instance.id,
            timezone: parsed.timezone,
            recording: RecordingPolicy::ByExtension,
            notice: RecordingNotice::unsaid(),
            secrets_version: 1,
            created_at: now,
            updated_at: now,
        };
        store::tenants::insert(tx, &tenant).await?;
        if domains::is_reserved(tx, &tenant.domain, tenant.id).await? {
            return Err(former_domain());
        }
        Ok(tenant)
    }
}

/// The entry of a new tenant, with its owner where it has one from the start.
pub(super) fn made(tenant: &Tenant, owner: Option<&User>) -> Changed {
    let owner = owner.map(|owner| json!({"id": owner.id, "name": owner.name, "email": owner.email}));
    let after = json!({"name": tenant.name, "domain": tenant.domain, "timezone": tenant.timezone,
        "pbx_instance_id": tenant.instance_id, "owner": owner});
    Changed {
        action: "tenant.create",
        resource: "tenant",
        target: tenant.id.to_string(),
        tenant_id: Some(tenant.id),
        before: None,
        after: Some(after),
    }
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

/// Another tenant's phones may still sign in at this domain, or a deploy may go back to it.
pub(super) fn former_domain() -> AppError {
    AppError::Taken {
        field: "domain".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o24_a_domain_is_made_of_the_name_where_there_is_a_suffix() {
        let made = |name: &str, suffix: Option<&str>| {
            let suffix = suffix.map(|suffix| suffix.parse().unwrap());
            let input = TenantInput {
                name: Some(name.to_owned()),
                ..TenantInput::default()
            };
            let parsed = input.parse(&mut FieldErrors::default(), suffix.as_ref());
            parsed.map(|parsed| parsed.domain.to_string())
        };
        let pbx = Some("pbx.example.com");
        assert_eq!(
            made("Acme & Co. KG", pbx).as_deref(),
            Some("acme-co-kg.pbx.example.com")
        );
        assert_eq!(made("株式会社", pbx), None);
        assert_eq!(made("Acme", None), None);
    }
}
