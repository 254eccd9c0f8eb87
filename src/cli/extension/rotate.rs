//! `switchyard extension rotate`.

use clap::Args;
use serde_json::json;

use crate::app::precondition::IfMatch;
use crate::app::{extensions, operator};
use crate::cli::{Context, Failure, lookup};
use crate::domain::dial::ExtensionNumber;
use crate::domain::sip_domain::SipDomain;

pub const EXAMPLE: &str = "Phones sign in with the old secret until the tenant is deployed, and with the new one from then \
    on.\n\nExample:\n  switchyard extension rotate --tenant acme.example.com 1001";

/// Whose secret.
#[derive(Args)]
pub struct Rotate {
    /// Whose it is, by SIP domain
    #[arg(long, value_name = "DOMAIN")]
    tenant: SipDomain,
    /// Its number
    number: ExtensionNumber,
}

pub fn run(context: &mut Context<'_>, rotate: &Rotate) -> Result<(), Failure> {
    context.with_parts(async |context, parts| {
        let tenant = lookup::tenant(parts, &rotate.tenant).await?;
        let extension = lookup::extension(parts, &tenant, &rotate.number).await?;
        let caller = operator::in_tenant(&tenant, None);
        let secret = extensions::rotate_secret(&parts.app, &caller, extension.id, &IfMatch::Any).await?;
        let secret = secret.expose();
        let value = json!({"id": extension.id, "number": extension.number, "secret": secret});
        context.output.result(&value, |text| {
            text.fields(&[("secret", secret)])?;
            text.line(&format!(
                "`switchyard deploy apply --tenant {}` puts it live; until then phones need the old one",
                tenant.domain
            ))
        })
    })
}
