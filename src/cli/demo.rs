//! `switchyard demo`: starts the demo, says what can be tried with it, and serves until it is stopped.

use std::io;
use std::path::PathBuf;

use secrecy::ExposeSecret as _;
use serde_json::json;

use super::args::DemoArguments;
use super::deploy::stages;
use super::deploy::text::findings;
use super::exit::Exit;
use super::output::Text;
use super::{Context, Failure};
use crate::daemon::demo::{Demo, DemoOptions, Outcome};
use crate::domain::deployment::{Deployment, DeploymentStatus};

pub fn run(context: &mut Context<'_>, arguments: DemoArguments) -> Result<(), Failure> {
    let options = DemoOptions {
        directory: arguments.dir.unwrap_or_else(usual_directory),
        listen: arguments.listen,
        asterisk: arguments.asterisk,
        templates: arguments.templates,
    };
    let runtime = tokio::runtime::Runtime::new().map_err(Failure::Runtime)?;
    runtime.block_on(async {
        let demo = Demo::start(&options).await?;
        let failure = failure(&demo);
        let told = tell(context, &demo, arguments.once);
        if arguments.once {
            demo.stop().await;
            // How the deploy ended matters more than whether anybody read it.
            return failure.map_or(told, Err);
        }
        told?;
        if let Some(failure) = failure {
            context.output.warn(&failure.message())?;
        }
        context.output.out.flush()?;
        demo.run().await?;
        Ok(())
    })
}

/// Root's home is closed to the user that the private Asterisk runs as, so root's demo lies elsewhere.
fn usual_directory() -> PathBuf {
    if rustix::process::geteuid().is_root() {
        return PathBuf::from("/var/lib/switchyard-demo");
    }
    let variable = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let state = variable("XDG_STATE_HOME").or_else(|| variable("HOME").map(|home| home.join(".local/state")));
    state.unwrap_or_else(std::env::temp_dir).join("switchyard-demo")
}

fn failure(demo: &Demo) -> Option<Failure> {
    match &demo.outcome {
        Outcome::Deployed(deployment, _) => {
            let exit = match deployment.status {
                DeploymentStatus::Live | DeploymentStatus::Unchanged if demo.live => return None,
                DeploymentStatus::Unchanged => {
                    let message = "nothing was to be deployed, but the running Asterisk does not show what should be live";
                    return Some(Failure::Deploy(message.to_owned(), Exit::DeployFailed));
                }
                DeploymentStatus::RolledBack => Exit::DeployRolledBack,
                DeploymentStatus::Rejected | DeploymentStatus::Partial => Exit::DeployRejected,
                _ => Exit::DeployFailed,
            };
            let message = format!("the deploy ended {}; nothing of it is live", deployment.status);
            Some(Failure::Deploy(message, exit))
        }
        Outcome::FilesOnly { .. } => None,
        Outcome::NotWritten { reason } => Some(Failure::Deploy(reason.clone(), Exit::DeployRejected)),
    }
}

fn tell(context: &mut Context<'_>, demo: &Demo, once: bool) -> Result<(), Failure> {
    let (status, findings) = match &demo.outcome {
        Outcome::Deployed(deployment, _) => (deployment.status.as_str(), &deployment.findings),
        Outcome::FilesOnly { findings, .. } => ("files_only", findings),
        Outcome::NotWritten { .. } => ("not_written", &Vec::new()),
    };
    let value = json!({"ready": true, "status": status, "api": demo.api, "record": demo.record, "findings": findings});
    context.output.result(&value, |text| people(text, demo, once))
}

fn people(text: &mut Text<'_>, demo: &Demo, once: bool) -> io::Result<()> {
    let domains = demo
        .tenants
        .iter()
        .map(|tenant| (tenant.id, tenant.domain.clone()))
        .collect();
    match &demo.outcome {
        Outcome::Deployed(deployment, records) => {
            for stage in records {
                text.line(&stages::line(stage))?;
            }
            findings(text, &deployment.findings, &domains)?;
            text.line(&ended(deployment))?;
        }
        Outcome::FilesOnly {
            generation,
            findings: found,
        } => {
            findings(text, found, &domains)?;
            text.line(&format!(
                "Generation {generation} is written whole. No Asterisk runs, so nobody has read it, and nothing is proven."
            ))?;
            text.line(
                "A deploy of this demo ends `failed` and says so; templates, plans and the API can be tried.",
            )?;
            text.line("To see it live: `scripts/get-asterisk DIR`, then `switchyard demo --asterisk DIR/bin/asterisk`.")?;
        }
        Outcome::NotWritten { reason } => text.line(&format!("Nothing was written: {reason}"))?,
    }
    text.line("")?;
    if once {
        // Nothing stays that could be signed in to, or asked; the record is written all the same.
        return text.line("ready");
    }
    if let Some(sip) = demo.sip.filter(|_| demo.live) {
        text.line(&format!("Sign a softphone in at {sip} (UDP or TCP):"))?;
        for tenant in &demo.tenants {
            for extension in &tenant.extensions {
                text.line(&format!(
                    "  {:<10} user {}  domain {:<20}  password {}",
                    tenant.name,
                    extension.number,
                    tenant.domain.as_str(),
                    extension.secret.expose_secret()
                ))?;
            }
        }
        text.line("Call the other extension of the tenant, *43 for an echo, *97 for your own voicemail.")?;
    }
    text.line(&format!("API     {}", demo.api))?;
    text.line(&format!(
        "Record  {} (addresses and secrets for programs)",
        demo.record.display()
    ))?;
    text.line(&format!(
        "Manage  switchyard --config {}/switchyard.toml …",
        demo.directory.display()
    ))?;
    text.line("ready")
}

fn ended(deployment: &Deployment) -> String {
    match (deployment.status, deployment.generation) {
        (DeploymentStatus::Live, Some(generation)) => {
            format!("Generation {generation} is live: the running Asterisk was asked and serves it.")
        }
        (DeploymentStatus::Unchanged, _) => "Nothing differs from what is live.".to_owned(),
        (status, _) => format!("The deploy ended {status}."),
    }
}
