//! What another domain or another PBX means for a tenant's phones, told to whoever changes it: kinds of PBX differ in that.

use super::error::AppError;
use crate::domain::instance::{PbxInstance, PbxKind};
use crate::domain::revision::TenantConfig;
use crate::domain::sip_domain::SipDomain;
use crate::domain::tenant::Tenant;
use crate::store::{Tx, extension_secrets, instances, revisions};

/// So many numbers are named.
const NAMED: usize = 20;

/// Told once the rows are changed.
pub(super) async fn told(tx: &mut Tx, before: &Tenant, after: &Tenant) -> Result<Vec<String>, AppError> {
    let is_renamed = before.domain != after.domain;
    if !is_renamed && before.instance_id == after.instance_id {
        return Ok(Vec::new());
    }
    let (Some(pbx), Some(config)) = (
        instances::find(tx, after.instance_id).await?,
        revisions::head(tx, after.id).await?,
    ) else {
        return Ok(Vec::new());
    };
    if pbx.settings.kind() == PbxKind::Asterisk {
        let (old, new) = (&before.domain, &after.domain);
        let is_kept = is_renamed && config.aliases.contains(old);
        return Ok(is_kept
            .then(|| {
                format!(
                    "phones may sign in at {old} for 30 days from the deploy on that puts {new} live; set them up for {new} until \
                     then"
                )
            })
            .into_iter()
            .collect());
    }
    let secrets = extension_secrets::of_tenant(tx, after.id).await?;
    let refused = config.active().filter(|extension| {
        let own = secrets.get(&extension.id);
        own.is_some_and(|own| !own.sip.is_good_for(&config.domain))
    });
    let refused: Vec<&str> = refused.map(|extension| extension.number.as_str()).collect();
    let told = [one_name(&pbx, &config), other_realm(&pbx, &config, &refused)];
    Ok(told.into_iter().flatten().collect())
}

/// FreeSWITCH looks users up under the one name that a domain has.
fn one_name(pbx: &PbxInstance, config: &TenantConfig) -> Option<String> {
    let names: Vec<&str> = config.aliases.iter().map(SipDomain::as_str).collect();
    (!names.is_empty()).then(|| {
        format!(
            "{} serves a tenant under its one domain: from the deploy on that puts {} live there, phones that sign in at {} are \
             refused; set them up for {} then",
            pbx.name,
            config.domain,
            names.join(", "),
            config.domain
        )
    })
}

/// A digest is good for one realm, and FreeSWITCH has no other than the domain.
fn other_realm(pbx: &PbxInstance, config: &TenantConfig, refused: &[&str]) -> Option<String> {
    if refused.is_empty() {
        return None;
    }
    let named = refused.get(..NAMED).unwrap_or(refused).join(", ");
    let more = match refused.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Some(format!(
        "phones of {named}{more} cannot sign in at {} on {}: all that is known of their passwords is a digest for another realm; \
         rotate those secrets, and give the phones the new ones",
        config.domain, pbx.name
    ))
}
