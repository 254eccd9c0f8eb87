//! `switchyard deploy history`.

use clap::Args;

use super::target::Target;
use crate::app::views::DeploymentView;
use crate::app::{deployments, operator};
use crate::cli::paging::{self, Paging};
use crate::cli::{Context, Failure};
use crate::domain::deployment::{Deployment, Scope};

/// Which deployments.
#[derive(Args)]
pub struct History {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    paging: Paging,
}

pub fn run(context: &mut Context<'_>, history: &History) -> Result<(), Failure> {
    let page = history.paging.request()?;
    context.with_parts(async |context, parts| {
        let found = history.target.find(parts).await?;
        let page = if let Some(tenant) = &found.tenant {
            deployments::list(&parts.app, &operator::in_tenant(tenant, None), page).await?
        } else {
            let caller = operator::platform(None);
            deployments::list_of_instance(&parts.app, &caller, found.instance.id, page).await?
        };
        let rows: Vec<[String; 6]> = page.items.iter().map(row).collect();
        let views = page.map(|deployment| DeploymentView::new(deployment, Vec::new()));
        paging::write(&mut context.output, &views, |text| {
            let headings = ["REQUESTED", "STATUS", "GENERATION", "OF", "BY", "ID"];
            text.table(headings, &rows)
        })
    })
}

fn row(deployment: &Deployment) -> [String; 6] {
    [
        format!("{:.0}", deployment.created_at),
        deployment.status.to_string(),
        deployment
            .generation
            .map(|number| number.to_string())
            .unwrap_or_default(),
        scope(&deployment.scope).to_owned(),
        deployment.requested_by.clone(),
        deployment.id.to_string(),
    ]
}

/// What a deployment moves, in a word.
pub fn scope(scope: &Scope) -> &'static str {
    match scope {
        Scope::Tenant { .. } => "tenant",
        Scope::TenantRollback { .. } => "tenant, back",
        Scope::TenantStatus { .. } => "tenant, status",
        Scope::Platform => "instance",
        Scope::PlatformRollback { .. } => "instance, back",
    }
}
