//! `switchyard extension`: the SIP accounts of a tenant.

pub mod add;
mod import;
mod list;

use clap::Subcommand;

use super::{Context, Failure};

/// What to do with extensions.
#[derive(Subcommand)]
pub enum ExtensionCommand {
    /// Add an extension, and show its generated secrets once
    #[command(after_help = add::EXAMPLE)]
    Add(Box<add::Add>),
    /// List a tenant's extensions, one page at a time
    #[command(
        after_help = "Example:\n  switchyard extension list --tenant acme.example.com --search ann --page 2"
    )]
    List(Box<list::List>),
    /// Add all extensions of a CSV file, or none and report every row
    #[command(after_help = import::EXAMPLE)]
    Import(import::Import),
}

pub fn run(context: &mut Context<'_>, command: ExtensionCommand) -> Result<(), Failure> {
    match command {
        ExtensionCommand::Add(add) => add::run(context, *add),
        ExtensionCommand::List(list) => list::run(context, *list),
        ExtensionCommand::Import(import) => import::run(context, &import),
    }
}
