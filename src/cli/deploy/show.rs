//! `switchyard deploy show`.

use clap::Args;

use super::history::scope;
use super::{stages, text};
use crate::app::error::AppError;
use crate::app::views::DeploymentView;
use crate::app::{deployments, operator};
use crate::cli::{Context, Failure};
use crate::domain::ids::DeploymentId;

/// Which deployment.
#[derive(Args)]
pub struct Show {
    /// Its id, as `deploy apply` and `deploy history` print it
    id: DeploymentId,
}

pub fn run(context: &mut Context<'_>, show: &Show) -> Result<(), Failure> {
    context.with_parts(async |context, parts| {
        let caller = operator::platform(None);
        let (deployment, records) = match deployments::find_anywhere(&parts.app, &caller, show.id).await {
            Err(AppError::NotFound) => {
                return Err(Failure::Absent(format!(
                    "there is no deployment {}; `switchyard deploy history` lists those there are",
                    show.id
                )));
            }
            found => found?,
        };
        let domains = text::domains(parts, &deployment.changes, &deployment.findings).await?;
        let (told, stage_records) = (deployment.clone(), records.clone());
        context
            .output
            .result(&DeploymentView::new(deployment, records), |out| {
                let of = told.scope.tenant_id().and_then(|id| domains.get(&id));
                out.fields(&[
                    ("id", told.id.to_string()),
                    ("status", told.status.to_string()),
                    (
                        "generation",
                        told.generation.map_or_else(|| "–".to_owned(), |n| n.to_string()),
                    ),
                    (
                        "of",
                        format!(
                            "{} {}",
                            scope(&told.scope),
                            of.map(ToString::to_string).unwrap_or_default()
                        ),
                    ),
                    ("requested by", told.requested_by.clone()),
                    ("requested", format!("{:.0}", told.created_at)),
                    (
                        "ended",
                        told.ended_at
                            .map_or_else(|| "–".to_owned(), |end| format!("{end:.0}")),
                    ),
                ])?;
                if !stage_records.is_empty() {
                    out.heading("STAGES")?;
                }
                for record in &stage_records {
                    out.line(&stages::line(record))?;
                }
                text::findings(out, &told.findings, &domains)?;
                text::changes(out, &told.changes, &domains)
            })
    })
}
