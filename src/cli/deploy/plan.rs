//! `switchyard deploy plan`.

use super::target::Target;
use super::text;
use crate::app::{deployments, operator};
use crate::cli::exit::Exit;
use crate::cli::{Context, Failure};

const REJECTED: &str = "a deploy would be rejected";

pub fn run(context: &mut Context<'_>, target: &Target) -> Result<(), Failure> {
    context.with_parts(async |context, parts| {
        let found = target.find(parts).await?;
        parts.check_templates().await;
        let plan = match &found.tenant {
            Some(tenant) => deployments::plan(&parts.app, &operator::in_tenant(tenant, None)).await?,
            None => {
                deployments::plan_instance(&parts.app, &operator::platform(None), found.instance.id).await?
            }
        };
        let domains = text::domains(parts, &plan.changes, &plan.findings).await?;
        let told = context.output.result(&plan, |out| {
            let live = match plan.live_generation {
                Some(number) => format!("generation {number} is live"),
                None => "nothing was deployed yet".to_owned(),
            };
            let then = if plan.rejected {
                REJECTED.to_owned()
            } else if plan.unchanged {
                "a deploy would do nothing".to_owned()
            } else if plan.reload.is_empty() {
                "a deploy would reload nothing".to_owned()
            } else {
                format!("a deploy would reload {}", plan.reload.join(", "))
            };
            out.line(&format!("{}: {live}; {then}", found.instance.name))?;
            text::findings(out, &plan.findings, &domains)?;
            text::changes(out, &plan.changes, &domains)?;
            for file in &plan.files {
                out.heading(file.file.as_str())?;
                text::diff(out, &file.diff)?;
                if file.diff.is_empty() {
                    out.line("only secrets differ, which are not shown")?;
                }
                if file.truncated {
                    out.line("and more, which is left out here")?;
                }
            }
            Ok(())
        });
        let exit = if plan.rejected {
            Exit::DeployRejected
        } else {
            Exit::Ok
        };
        Failure::verdict(
            told,
            exit,
            format!("{REJECTED}: it does not validate, as the findings say"),
        )
    })
}
