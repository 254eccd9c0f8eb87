//! `switchyard import fusionpbx`.

use clap::Args;

use super::{How, report};
use crate::app::{operator, pbx_import};
use crate::cli::{Context, Failure, lookup};
use crate::domain::name::InstanceName;
use crate::domain::sip_domain::SipDomain;

pub const EXAMPLE: &str = "Each domain becomes a tenant of the other PBX, with its extensions and mailboxes; phones keep their \
    passwords, and the FusionPBX goes on as it is. Once the other PBX is deployed and the domain's DNS leads there, delete the \
    domain in FusionPBX.\n\nExample:\n  switchyard import fusionpbx --instance pbx2 --onto pbx1 --dry-run";

/// From which FusionPBX to which PBX.
#[derive(Args)]
pub struct FromFusionPbx {
    /// The FusionPBX, by the name that it was added under
    #[arg(long, value_name = "NAME")]
    instance: InstanceName,
    /// The PBX that is to serve the tenants
    #[arg(long, value_name = "NAME")]
    onto: InstanceName,
    /// Only this domain; may be given more than once [default: every domain that was not made from here]
    #[arg(long = "domain", value_name = "DOMAIN")]
    domains: Vec<SipDomain>,
    #[command(flatten)]
    how: How,
}

pub fn run(context: &mut Context<'_>, wanted: &FromFusionPbx) -> Result<(), Failure> {
    let manner = wanted.how.manner();
    context.with_parts(async |context, parts| {
        let source = lookup::instance(parts, &wanted.instance).await?;
        let onto = lookup::instance(parts, &wanted.onto).await?;
        let caller = operator::platform(None);
        let done =
            pbx_import::from_fusionpbx(&parts.app, &caller, source.id, &wanted.domains, onto.id, manner)
                .await?;
        report::write(&mut context.output, &done, manner)
    })
}
