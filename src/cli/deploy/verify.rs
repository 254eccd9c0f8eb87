//! `switchyard deploy verify`.

use super::target::Target;
use super::text;
use crate::app::{deployments, operator};
use crate::cli::exit::Exit;
use crate::cli::{Context, Failure};
use crate::domain::deployment::VerificationState;

pub fn run(context: &mut Context<'_>, target: &Target) -> Result<(), Failure> {
    context.with_parts(async |context, parts| {
        let found = target.find(parts).await?;
        let seen = if let Some(tenant) = &found.tenant {
            deployments::verify(&parts.app, &operator::in_tenant(tenant, None)).await?
        } else {
            let caller = operator::platform(None);
            deployments::verify_instance(&parts.app, &caller, found.instance.id).await?
        };
        let domains = text::domains(parts, &[], &seen.findings).await?;
        let read = if found.instance.settings.is_local() {
            "files"
        } else {
            "rows"
        };
        let (exit, outcome) = match (seen.state, seen.generation) {
            (VerificationState::AsDeployed, Some(number)) => (
                Exit::Ok,
                format!("the running PBX and its {read} are as generation {number} has them"),
            ),
            (VerificationState::AsDeployed, None) => (
                Exit::Ok,
                "nothing was deployed yet, and nothing of it is served".to_owned(),
            ),
            (VerificationState::Differs, _) => (
                Exit::NotVerified,
                "something is not as it was deployed; `switchyard deploy apply` puts it right".to_owned(),
            ),
            (VerificationState::DeployUnderWay, _) => (
                Exit::DeployPending,
                "a deploy is under way; ask again once it has ended".to_owned(),
            ),
        };
        let told = context.output.result(&seen, |out| {
            text::findings(out, &seen.findings, &domains)?;
            for file in &seen.files {
                out.heading(file.file.as_str())?;
                text::diff(out, &file.diff)?;
            }
            if seen.ok {
                out.line(&outcome)?;
            }
            Ok(())
        });
        Failure::verdict(told, exit, outcome)
    })
}
