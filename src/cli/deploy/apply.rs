//! `switchyard deploy apply`.

use std::time::Duration;

use clap::Args;

use super::stages::Stages;
use super::target::{Found, Target};
use super::text;
use crate::app::carry_out::carry_out;
use crate::app::views::DeploymentView;
use crate::app::{deployments, operator};
use crate::cli::exit::Exit;
use crate::cli::{Context, Failure};
use crate::daemon::parts::Parts;
use crate::domain::deployment::{Deployment, DeploymentStatus, StageRecord};
use crate::domain::reason::Reason;

pub const EXAMPLE: &str = "Works with and without a running daemon. When this command is stopped, the deploy is finished or \
    undone by the daemon, or by the next command.\n\nExample:\n  switchyard deploy apply --tenant acme.example.com \
    --reason 'Ticket 4711: new phones'";

/// What the deploy says of a PBX that it did not reach.
const UNREACHABLE: &str = "pbx_unreachable";

/// What to put live.
#[derive(Args)]
pub struct Apply {
    #[command(flatten)]
    target: Target,
    /// Why, for the audit log
    #[arg(long, value_name = "TEXT")]
    reason: Option<Reason>,
    /// How long to wait for another process that drives the PBX
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    timeout: u64,
}

pub fn run(context: &mut Context<'_>, apply: Apply) -> Result<(), Failure> {
    context.with_parts(async |context, parts| {
        let found = apply.target.find(parts).await?;
        parts.check_templates().await;
        let deployment = if let Some(tenant) = &found.tenant {
            deployments::deploy(&parts.app, &operator::in_tenant(tenant, apply.reason), None)
                .await?
                .into_inner()
        } else {
            let caller = operator::platform(apply.reason);
            deployments::deploy_instance(&parts.app, &caller, found.instance.id).await?
        };
        follow(
            context,
            parts,
            &found,
            &deployment,
            Duration::from_secs(apply.timeout),
        )
        .await
    })
}

/// Drives a deployment that was asked for, or waits for who does, and tells each stage and how it ends.
pub async fn follow(
    context: &mut Context<'_>,
    parts: &Parts,
    found: &Found,
    deployment: &Deployment,
    patience: Duration,
) -> Result<(), Failure> {
    let here = found.instance.node == parts.node;
    if !here {
        context.output.warn(&format!(
            "{} is driven on the host {}; waiting for the daemon there",
            found.instance.name, found.instance.node
        ))?;
    }
    let mut stages = Stages::new(&mut context.output);
    let look = |deployment: &Deployment, records: &[StageRecord]| stages.look(deployment, records);
    let ended = Box::pin(carry_out(&parts.app, deployment, here, patience, look)).await;
    let told = stages.finish();
    let (deployment, records) = ended?;
    let (exit, outcome) = outcome(&deployment);
    let domains = text::domains(parts, &[], &deployment.findings).await?;
    let findings = deployment.findings.clone();
    let id = deployment.id;
    let view = DeploymentView::new(deployment, records);
    let told = told.map_err(Failure::from).and_then(|()| {
        context.output.result(&view, |out| {
            text::findings(out, &findings, &domains)?;
            if exit == Exit::Ok {
                out.line(&outcome)?;
            }
            out.line(&format!("`switchyard deploy show {id}` shows it again"))
        })
    });
    Failure::verdict(told, exit, outcome)
}

/// How the command ends, and why.
pub(super) fn outcome(deployment: &Deployment) -> (Exit, String) {
    let generation = deployment
        .generation
        .map_or_else(|| "the generation".to_owned(), |n| format!("generation {n}"));
    let unreachable = || {
        deployment
            .findings
            .iter()
            .any(|finding| finding.code == UNREACHABLE)
    };
    match deployment.status {
        DeploymentStatus::Live => (
            Exit::Ok,
            format!("live: the running PBX is proven to serve {generation}"),
        ),
        DeploymentStatus::Unchanged => (
            Exit::Ok,
            "unchanged: nothing differs from what is live; nothing was written or reloaded".to_owned(),
        ),
        DeploymentStatus::Partial => (
            Exit::DeployPartial,
            format!("partial: {generation} is live, less the tenants that the findings name"),
        ),
        DeploymentStatus::Rejected => (
            Exit::DeployRejected,
            "rejected: it does not validate; nothing was touched".to_owned(),
        ),
        DeploymentStatus::RolledBack => (
            Exit::DeployRolledBack,
            format!(
                "rolled back: {generation} was not proven, and what was live before is proven to run again"
            ),
        ),
        DeploymentStatus::Failed if unreachable() => (
            Exit::Unreachable,
            "failed: the PBX was not reached; this deploy touched nothing".to_owned(),
        ),
        DeploymentStatus::Failed => (
            Exit::DeployFailed,
            "failed: the findings say what is known and what to do".to_owned(),
        ),
        DeploymentStatus::Superseded => (
            Exit::DeploySuperseded,
            "superseded: a newer request covers this one".to_owned(),
        ),
        status if status.is_end() => (Exit::Failure, status.to_string()),
        status => (
            Exit::DeployPending,
            format!("{status}: not ended in the given time; it goes on without this command"),
        ),
    }
}

#[cfg(test)]
mod tests;
