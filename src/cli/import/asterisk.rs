//! `switchyard import asterisk`.

use std::path::PathBuf;

use clap::Args;

use super::{How, report};
use crate::app::{operator, pbx_import};
use crate::cli::{Context, Failure, lookup};
use crate::domain::sip_domain::SipDomain;

pub const EXAMPLE: &str = "The files are read as Asterisk reads them, with includes and templates; no program of theirs is run. \
    Phones keep their passwords. Where Asterisk has only a digest, or a password that none of ours could be, the digest is \
    kept, and `switchyard extension rotate` gives a secret that can be shown.\n\nExample:\n  switchyard import asterisk \
    --tenant acme.example.com --directory /etc/asterisk --dry-run";

/// From where into which tenant.
#[derive(Args)]
pub struct FromAsterisk {
    /// Whose they become, by SIP domain
    #[arg(long, value_name = "DOMAIN")]
    tenant: SipDomain,
    /// The directory that Asterisk is configured in, or a copy of it
    #[arg(long, value_name = "DIR", default_value = "/etc/asterisk")]
    directory: PathBuf,
    /// Only endpoints whose calls begin in this context
    #[arg(long)]
    context: Option<String>,
    #[command(flatten)]
    how: How,
}

pub fn run(context: &mut Context<'_>, wanted: FromAsterisk) -> Result<(), Failure> {
    let manner = wanted.how.manner();
    context.with_parts(async |context, parts| {
        let tenant = lookup::tenant(parts, &wanted.tenant).await?;
        let caller = operator::in_tenant(&tenant, None);
        let done =
            pbx_import::from_asterisk(&parts.app, &caller, wanted.directory, wanted.context, manner).await?;
        report::write(&mut context.output, &done, manner)
    })
}
