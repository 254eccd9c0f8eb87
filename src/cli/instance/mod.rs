//! `switchyard instance`: the PBXs that tenants are assigned to.

mod add;
mod change;
mod delete;
mod give_up;
mod reach;
mod show;
mod test;

use clap::Subcommand;
use serde_json::json;

use super::{Context, Failure};
use crate::app::views::InstanceView;
use crate::app::{instances, operator};
use crate::domain::instance::PbxInstance;
use crate::domain::name::InstanceName;

/// What to do with PBX instances.
#[derive(Subcommand)]
pub enum InstanceCommand {
    /// Add a PBX; nothing is deployed to it yet
    #[command(after_help = add::EXAMPLE)]
    Add(Box<add::Add>),
    /// List them by name
    #[command(after_help = "Example:\n  switchyard instance list")]
    List,
    /// Show one, without its secrets
    #[command(after_help = "Example:\n  switchyard instance show pbx1")]
    Show {
        /// Its name
        name: InstanceName,
    },
    /// Change how one is reached, or what it is called; its PBX hears of it with its next deploy
    #[command(after_help = change::EXAMPLE)]
    Change(Box<change::Change>),
    /// Delete one that serves no tenant
    #[command(after_help = delete::EXAMPLE)]
    Delete(delete::Delete),
    /// Delete one whose host is gone for good, without asking its PBX
    #[command(after_help = give_up::EXAMPLE)]
    GiveUp(give_up::GiveUp),
    /// Test connection, rights and paths of one that this host drives
    #[command(after_help = "Example:\n  switchyard instance test pbx1")]
    Test {
        /// Its name
        name: InstanceName,
    },
}

pub fn run(context: &mut Context<'_>, command: InstanceCommand) -> Result<(), Failure> {
    match command {
        InstanceCommand::Add(add) => add::run(context, *add),
        InstanceCommand::List => list(context),
        InstanceCommand::Show { name } => show::run(context, &name),
        InstanceCommand::Change(change) => change::run(context, *change),
        InstanceCommand::Delete(given) => delete::run(context, &given),
        InstanceCommand::GiveUp(given) => give_up::run(context, &given),
        InstanceCommand::Test { name } => test::run(context, &name),
    }
}

fn list(context: &mut Context<'_>) -> Result<(), Failure> {
    context.with_parts(async |context, parts| {
        let all = instances::list(&parts.app, &operator::platform(None)).await?;
        let rows: Vec<[String; 6]> = all.iter().map(row).collect();
        let views: Vec<InstanceView> = all.into_iter().map(InstanceView::from).collect();
        context.output.result(&json!({ "data": views }), |text| {
            text.table(["NAME", "KIND", "NODE", "CONTROL", "PLACE", "STATE"], &rows)
        })
    })
}

/// What is known of what it serves.
const fn state(instance: &PbxInstance) -> &'static str {
    match (instance.live, instance.applying) {
        (_, Some(_)) => "not proven",
        (Some(_), None) => "live",
        (None, None) => "never deployed",
    }
}

fn row(instance: &PbxInstance) -> [String; 6] {
    [
        instance.name.to_string(),
        instance.settings.kind().to_string(),
        instance.node.to_string(),
        instance.settings.control(),
        instance.settings.place(),
        state(instance).to_owned(),
    ]
}
