//! What is put once into the configuration of an operator's own Asterisk, and taken out again: exactly these lines.

mod account;
mod edit;
mod foreign;
mod includes;
mod log_channel;
mod our_directory;
mod place;
mod read;
mod site;
mod swap;
mod text;
mod voicemail_twins;

use std::path::PathBuf;

use secrecy::SecretString;
use thiserror::Error;

pub use account::{can_be_written, kept_secret};
pub use foreign::Manager;
pub use place::PlaceError;
pub use site::{Site, Wanted};
pub use swap::{Change, SwapError, Swapped, backup_of, is_backup, swap};

use crate::domain::invalid::Invalid;
use crate::domain::pbx_part::{Part, State};

/// Has the accounts of the manager interface read again.
const MANAGER: &str = "manager reload";
/// Has the log channels read again.
const LOGGER: &str = "logger reload";

/// Why an Asterisk cannot be looked at.
#[derive(Debug, Error)]
pub enum InstallError {
    /// No such directory.
    #[error("there is no Asterisk configuration in {}; name its directory with --asterisk-dir", .0.display())]
    NoAsterisk(PathBuf),
    /// No such group.
    #[error("there is no group {0}; name the one that Asterisk runs with by --asterisk-group")]
    NoGroup(String),
    /// A path that cannot stand in a configuration file.
    #[error("the path {} {reason}", .path.display())]
    Path {
        /// The path.
        path: PathBuf,
        /// Why not.
        reason: Invalid,
    },
    /// A file is not what it should be.
    #[error(transparent)]
    Place(#[from] PlaceError),
}

/// A part, with what puts it in.
struct Found {
    part: Part,
    changes: Vec<Change>,
    /// What has the running Asterisk heed the changes.
    reload: Option<String>,
}

impl Found {
    fn new(name: &'static str, state: State, detail: String, mend: Option<String>) -> Self {
        Self {
            part: Part {
                name,
                state,
                detail,
                mend,
            },
            changes: Vec::new(),
            reload: None,
        }
    }

    /// The same, with the line of Asterisk's console that has a change heeded.
    fn heeded_by(mut self, line: impl Into<String>) -> Self {
        self.reload = (!self.changes.is_empty()).then(|| line.into());
        self
    }

    fn in_place(name: &'static str, detail: impl Into<String>) -> Self {
        Self::new(name, State::InPlace, detail.into(), None)
    }

    fn missing(name: &'static str, detail: impl Into<String>, change: impl Into<Change>) -> Self {
        let mut found = Self::new(name, State::Missing, detail.into(), None);
        found.changes.push(change.into());
        found
    }

    /// To be put in, once it is known what with.
    fn missing_here(name: &'static str, detail: impl Into<String>) -> Self {
        Self::new(name, State::Missing, detail.into(), None)
    }

    fn doubtful(name: &'static str, detail: impl Into<String>, mend: impl Into<String>) -> Self {
        Self::new(name, State::Doubtful, detail.into(), Some(mend.into()))
    }

    fn blocked(name: &'static str, detail: impl Into<String>, mend: impl Into<String>) -> Self {
        Self::new(name, State::Blocked, detail.into(), Some(mend.into()))
    }
}

/// What is there, and what is to be done.
pub struct Plan {
    /// Every part.
    pub parts: Vec<Part>,
    /// What puts in what is missing, or takes out what is there.
    pub changes: Vec<Change>,
    /// The lines of Asterisk's console that have the running one heed them.
    pub reloads: Vec<String>,
    /// Whether it has to be restarted before it heeds them all.
    pub restart: bool,
    /// Where its manager interface is reached.
    pub manager: Manager,
}

/// Why it is looked at.
#[derive(Clone, Copy)]
pub enum Aim<'a> {
    /// To put in what is missing, with this secret of the account.
    Install(&'a SecretString),
    /// To tell what is missing; what the operator put in by hand is as good. A secret, if known, is what the account must
    /// have.
    Tell(Option<&'a SecretString>),
}

/// What is there, and what puts in the rest.
pub fn survey(site: &Site, aim: Aim<'_>) -> Result<Plan, InstallError> {
    let (manager, interface) = foreign::manager(site)?;
    let mut all = vec![our_directory::find(site)?];
    all.extend(includes::find(site)?);
    all.push(interface);
    all.push(account::find(site, &manager, aim)?.heeded_by(MANAGER));
    all.push(log_channel::find(site)?.heeded_by(LOGGER));
    let twins = voicemail_twins::find(site)?;
    let restart = !twins.changes.is_empty();
    all.push(twins);
    all.extend(foreign::mappings(site)?);
    Ok(plan(all, restart, manager))
}

/// What takes everything of ours out again.
pub fn removal(site: &Site) -> Result<Plan, InstallError> {
    let (manager, _) = foreign::manager(site)?;
    let mut all = includes::removal(site)?;
    all.push(account::removal(site)?.heeded_by(MANAGER));
    all.push(log_channel::removal(site)?.heeded_by(LOGGER));
    let twins = voicemail_twins::removal(site)?;
    let restart = !twins.changes.is_empty();
    all.push(twins);
    all.push(our_directory::removal(site));
    Ok(plan(all, restart, manager))
}

fn plan(all: Vec<Found>, restart: bool, manager: Manager) -> Plan {
    let mut plan = Plan {
        parts: Vec::new(),
        changes: Vec::new(),
        reloads: Vec::new(),
        restart,
        manager,
    };
    for found in all {
        plan.parts.push(found.part);
        plan.changes.extend(found.changes);
        plan.reloads.extend(found.reload);
    }
    plan
}

#[cfg(test)]
mod tests;
