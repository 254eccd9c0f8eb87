//! `switchyard extension`: the SIP accounts of a tenant.

pub mod add;
mod import;
mod list;
mod reveal;
mod rotate;

use clap::Subcommand;

use super::{Context, Failure};

/// What to do with extensions.
#[derive(Subcommand)]
pub enum ExtensionCommand {
    /// Add an extension, and show its generated secrets
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
    /// Show the SIP secret and the voicemail PIN of one extension, or of all; audited
    #[command(after_help = reveal::EXAMPLE)]
    Reveal(reveal::Reveal),
    /// Give an extension a new SIP secret, and show it
    #[command(after_help = rotate::EXAMPLE)]
    Rotate(rotate::Rotate),
}

pub fn run(context: &mut Context<'_>, command: ExtensionCommand) -> Result<(), Failure> {
    match command {
        ExtensionCommand::Add(add) => add::run(context, *add),
        ExtensionCommand::List(list) => list::run(context, *list),
        ExtensionCommand::Import(import) => import::run(context, &import),
        ExtensionCommand::Reveal(reveal) => reveal::run(context, &reveal),
        ExtensionCommand::Rotate(rotate) => rotate::run(context, &rotate),
    }
}
