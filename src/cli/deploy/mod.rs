//! `switchyard deploy`: what would change, putting it live, and what was done.

pub mod aftermath;
mod apply;
mod history;
mod plan;
mod rollback;
mod show;
pub mod stages;
mod target;
pub mod text;
mod verify;

use clap::Subcommand;

use super::{Context, Failure};

/// What to do about what is live.
#[derive(Subcommand)]
pub enum DeployCommand {
    /// Show what a deploy would change: objects, findings and lines; changes nothing
    #[command(after_help = "Example:\n  switchyard deploy plan --tenant acme.example.com")]
    Plan(target::Target),
    /// Put it live: plan, validate, apply, and have the running PBX prove it, or go back
    #[command(after_help = apply::EXAMPLE)]
    Apply(apply::Apply),
    /// Go back to what an earlier generation served, with the secrets of today, and have the running PBX prove it
    #[command(after_help = rollback::EXAMPLE)]
    Rollback(rollback::Rollback),
    /// Ask the running PBX for everything that was deployed, and compare its files; changes nothing
    #[command(after_help = "Example:\n  switchyard deploy verify --instance pbx1")]
    Verify(target::Target),
    /// List deployments, newest first, one page at a time
    #[command(after_help = "Example:\n  switchyard deploy history --instance pbx1 --per-page 10")]
    History(history::History),
    /// Show one deployment with its stages, findings and changes
    #[command(after_help = "Example:\n  switchyard deploy show 01930000-0000-7000-8000-000000000001")]
    Show(show::Show),
}

pub fn run(context: &mut Context<'_>, command: DeployCommand) -> Result<(), Failure> {
    match command {
        DeployCommand::Plan(target) => plan::run(context, &target),
        DeployCommand::Apply(apply) => apply::run(context, apply),
        DeployCommand::Rollback(rollback) => rollback::run(context, rollback),
        DeployCommand::Verify(target) => verify::run(context, &target),
        DeployCommand::History(history) => history::run(context, &history),
        DeployCommand::Show(show) => show::run(context, &show),
    }
}
