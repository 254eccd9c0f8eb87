//! `switchyard audit`: the audit log as a whole.

mod export;
mod spreadsheet;
mod verify;

use clap::Subcommand;

use super::{Context, Failure};

/// What to do with the audit log.
#[derive(Subcommand)]
pub enum AuditCommand {
    /// Look whether every entry is as it was written, and name each that is not; changes nothing
    #[command(after_help = verify::EXAMPLE)]
    Verify(verify::Verify),
    /// Write all entries that match, oldest first, as JSON lines or CSV
    #[command(after_help = export::EXAMPLE)]
    Export(Box<export::Export>),
}

pub fn run(context: &mut Context<'_>, command: AuditCommand) -> Result<(), Failure> {
    match command {
        AuditCommand::Verify(verify) => verify::run(context, &verify),
        AuditCommand::Export(export) => export::run(context, *export),
    }
}
