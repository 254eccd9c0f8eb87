//! `switchyard deploy rollback`.

use std::time::Duration;

use clap::Args;

use super::apply::follow;
use super::target::Target;
use crate::app::{deployments, operator};
use crate::cli::{Context, Failure};
use crate::domain::ids::DeploymentId;
use crate::domain::reason::Reason;

pub const EXAMPLE: &str = "SIP secrets and suspensions stay what they are today. What is edited stays too, and goes live with the \
    next deploy.\n\nExample:\n  switchyard deploy rollback --instance pbx1 --to 41";

/// What goes back, and to what.
#[derive(Args)]
pub struct Rollback {
    #[command(flatten)]
    target: Target,
    /// Of an instance, the number of a generation; of a tenant, the id of its deployment; `deploy history` lists both
    #[arg(long, value_name = "GENERATION|ID")]
    to: String,
    /// Why, for the audit log
    #[arg(long, value_name = "TEXT")]
    reason: Option<Reason>,
    /// How long to wait for another process that drives the PBX
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    timeout: u64,
}

pub fn run(context: &mut Context<'_>, rollback: Rollback) -> Result<(), Failure> {
    context.with_parts(async |context, parts| {
        let found = rollback.target.find(parts).await?;
        parts.check_templates().await;
        let deployment = if let Some(tenant) = &found.tenant {
            let to: DeploymentId = parsed(&rollback.to, "is the id of a deployment of the tenant")?;
            let caller = operator::in_tenant(tenant, rollback.reason);
            deployments::roll_back(&parts.app, &caller, to, None)
                .await?
                .into_inner()
        } else {
            let to: i64 = parsed(&rollback.to, "is the number of a generation of the instance")?;
            let caller = operator::platform(rollback.reason);
            deployments::roll_back_instance(&parts.app, &caller, found.instance.id, to).await?
        };
        let patience = Duration::from_secs(rollback.timeout);
        follow(context, parts, &found, &deployment, patience).await
    })
}

fn parsed<T: std::str::FromStr>(text: &str, what: &str) -> Result<T, Failure> {
    text.parse().map_err(|_| {
        let reason = format!("{what}; `switchyard deploy history` lists them");
        Failure::Input(vec![("--to".to_owned(), reason)])
    })
}
