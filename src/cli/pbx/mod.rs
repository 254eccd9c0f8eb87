//! `switchyard pbx`: the Asterisk of this host, whose own files lead to ours.

mod install;
mod remove;
mod status;

use std::io;

use clap::Subcommand;
use serde_json::{Value, json};

use super::exit::Exit;
use super::output::{ADDED, REMOVED, Text};
use super::{Context, Failure};
use crate::config::Config;
use crate::daemon::own_pbx::{self, FileChanged, Reloaded};
use crate::domain::instance::AbsolutePath;

/// What to do with the Asterisk of this host.
#[derive(Subcommand)]
pub enum PbxCommand {
    /// Put in what leads from Asterisk's own files to ours, and register the instance; twice changes nothing
    #[command(after_help = install::EXAMPLE)]
    Install(Box<install::Install>),
    /// Take exactly that out again; the instance stays registered
    #[command(after_help = remove::EXAMPLE)]
    Remove(remove::Remove),
    /// Show what is in place and what is missing, each with its mend
    #[command(after_help = "Example:\n  switchyard pbx status pbx1")]
    Status(status::StatusArguments),
}

pub fn run(context: &mut Context<'_>, command: PbxCommand) -> Result<(), Failure> {
    match command {
        PbxCommand::Install(install) => install::run(context, *install),
        PbxCommand::Remove(remove) => remove::run(context, remove),
        PbxCommand::Status(status) => status::run(context, status),
    }
}

/// What the running Asterisk has to be told, and what became of it.
struct Heeding {
    reloads: Vec<String>,
    restart: bool,
    /// `None` where it was not to be told.
    done: Option<Vec<Reloaded>>,
}

impl Heeding {
    fn new(
        config: &Config,
        asterisk_dir: &AbsolutePath,
        reloads: Vec<String>,
        restart: bool,
        now: bool,
    ) -> Result<Self, Failure> {
        let done = now
            .then(|| own_pbx::reload(config, asterisk_dir.as_path(), &reloads))
            .transpose()?;
        Ok(Self {
            reloads,
            restart,
            done,
        })
    }

    fn json(&self) -> Value {
        json!({"reloads": self.reloads, "reloaded": self.done, "restart_needed": self.restart})
    }

    fn write(&self, text: &mut Text<'_>) -> io::Result<()> {
        match &self.done {
            None => {
                for line in &self.reloads {
                    text.line(&format!("then type  asterisk -rx '{line}'"))?;
                }
            }
            Some(done) => {
                for Reloaded { line, error } in done {
                    match error {
                        None => text.line(&format!("asterisk was told: {line}"))?,
                        Some(error) => text.line(&format!("asterisk did not take: {line} ({error})"))?,
                    }
                }
            }
        }
        if self.restart {
            text.line("Asterisk has to be restarted before all of it takes effect; when, is yours to say")?;
        }
        Ok(())
    }

    /// Whether what was to be told was told.
    fn verdict(&self, told: Result<(), Failure>) -> Result<(), Failure> {
        let failed = self
            .done
            .iter()
            .flatten()
            .any(|reloaded| reloaded.error.is_some());
        let exit = if failed { Exit::Unreachable } else { Exit::Ok };
        let message = "the files are changed, but the running Asterisk did not take every line; is it up?";
        Failure::verdict(told, exit, message)
    }
}

fn changes(text: &mut Text<'_>, changes: &[FileChanged], dry_run: bool) -> io::Result<()> {
    for change in changes {
        let verb = if dry_run { "would change" } else { "changed" };
        text.heading(&format!("{verb} {}", change.path))?;
        for line in &change.lines {
            let style = if line.starts_with('+') { ADDED } else { REMOVED };
            text.styled(&format!("  {line}"), style)?;
        }
        if let Some(backup) = &change.backup
            && !dry_run
        {
            text.line(&format!("  as it was: {backup}"))?;
        }
    }
    Ok(())
}
