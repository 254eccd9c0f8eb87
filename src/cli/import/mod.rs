//! `switchyard import`: tenants and extensions that stand on a PBX and were not made here.

mod asterisk;
mod fusionpbx;
mod report;

use clap::{Args, Subcommand};

use super::{Context, Failure};
use crate::app::pbx_import::Manner;

/// From which kind of PBX.
#[derive(Subcommand)]
pub enum ImportCommand {
    /// The extensions of an Asterisk's pjsip.conf and voicemail.conf, FreePBX's among them, into a tenant
    #[command(after_help = asterisk::EXAMPLE)]
    Asterisk(asterisk::FromAsterisk),
    /// The domains and extensions of a FusionPBX, as tenants of another PBX
    #[command(name = "fusionpbx", after_help = fusionpbx::EXAMPLE)]
    FusionPbx(fusionpbx::FromFusionPbx),
}

/// How it is gone about.
#[derive(Args)]
struct How {
    /// Only report what would happen
    #[arg(long)]
    dry_run: bool,
    /// Bring in what is good and leave out what is wrong; otherwise nothing is brought in where anything is wrong
    #[arg(long)]
    skip_wrong: bool,
}

impl How {
    const fn manner(&self) -> Manner {
        Manner {
            dry_run: self.dry_run,
            skip_wrong: self.skip_wrong,
        }
    }
}

pub fn run(context: &mut Context<'_>, command: ImportCommand) -> Result<(), Failure> {
    match command {
        ImportCommand::Asterisk(wanted) => asterisk::run(context, wanted),
        ImportCommand::FusionPbx(wanted) => fusionpbx::run(context, &wanted),
    }
}
