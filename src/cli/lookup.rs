//! Finds what arguments name; what is not there is said with where to look.

use super::Failure;
use crate::app::error::AppError;
use crate::app::{extensions, instances, operator, tenants};
use crate::daemon::parts::Parts;
use crate::domain::dial::ExtensionNumber;
use crate::domain::extension::Extension;
use crate::domain::instance::PbxInstance;
use crate::domain::name::InstanceName;
use crate::domain::sip_domain::SipDomain;
use crate::domain::tenant::Tenant;

/// The tenant of that domain.
pub async fn tenant(parts: &Parts, domain: &SipDomain) -> Result<Tenant, Failure> {
    match tenants::find_by_domain(&parts.app, &operator::platform(None), domain).await {
        Err(AppError::NotFound) => Err(Failure::Absent(format!(
            "there is no tenant {domain}; `switchyard tenant list` shows those there are"
        ))),
        found => Ok(found?),
    }
}

/// The tenant's extension with that number.
pub async fn extension(
    parts: &Parts,
    tenant: &Tenant,
    number: &ExtensionNumber,
) -> Result<Extension, Failure> {
    let caller = operator::in_tenant(tenant, None);
    match extensions::find_by_number(&parts.app, &caller, number).await {
        Err(AppError::NotFound) => {
            let domain = &tenant.domain;
            Err(Failure::Absent(format!(
                "{domain} has no extension {number}; `switchyard extension list --tenant {domain}` shows those it has"
            )))
        }
        found => Ok(found?),
    }
}

/// The instance of that name.
pub async fn instance(parts: &Parts, name: &InstanceName) -> Result<PbxInstance, Failure> {
    let caller = operator::platform(None);
    match instances::find_by_name(&parts.app, &caller, name).await {
        Err(AppError::NotFound) => {
            let all = instances::list(&parts.app, &caller).await?;
            let names: Vec<&str> = all.iter().map(|instance| instance.name.as_str()).collect();
            let there = if names.is_empty() {
                "there is none yet; `switchyard instance add` adds one".to_owned()
            } else {
                format!("there are: {}", names.join(", "))
            };
            Err(Failure::Absent(format!(
                "there is no PBX instance {name}; {there}"
            )))
        }
        found => Ok(found?),
    }
}
