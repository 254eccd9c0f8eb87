//! What is put once into the configuration of an operator's own Asterisk, and taken out again: exactly these lines.

mod account;
mod backup;
mod call_records;
mod content;
mod directory;
mod edit;
mod foreign;
mod hold;
mod includes;
mod log_channel;
mod our_directory;
mod place;
mod read;
mod site;
mod swap;
pub(super) mod text;
mod voicemail_twins;

use std::path::{Path, PathBuf};

use secrecy::SecretString;
use thiserror::Error;

pub use account::{can_be_written, kept_secret};
pub use content::Content;
pub use foreign::Manager;
pub use hold::hold;
pub use place::PlaceError;
pub(super) use read::is_yes;
pub use site::{Site, Wanted};
pub use swap::{Change, Shown, SwapError, Swapped, swap};

use crate::domain::instance::AbsolutePath;
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
    /// Somebody else is at it.
    #[error("another `pbx install` or `pbx remove` is changing the files in {}; wait for its end", .0.display())]
    Busy(PathBuf),
    /// A file is not what it should be.
    #[error(transparent)]
    Place(#[from] PlaceError),
}

/// A part, with what puts it in.
struct Found {
    part: Part,
    changes: Vec<Change>,
    /// What has the running Asterisk heed it.
    reload: Option<String>,
    /// Whether only a restart has.
    restart: bool,
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
            restart: false,
        }
    }

    /// The same, with the line of Asterisk's console that has it heeded.
    fn heeded_by(mut self, line: impl Into<String>) -> Self {
        self.reload = Some(line.into());
        self
    }

    /// The same, which a running Asterisk heeds once it is restarted, if it is so.
    fn heeded_by_restart(mut self, so: bool) -> Self {
        self.restart = so;
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

/// What has a running Asterisk heed its files.
#[derive(Default)]
pub struct Heed {
    /// Lines of its console.
    pub reloads: Vec<String>,
    /// Whether it has to be restarted before it heeds all of it.
    pub restart: bool,
}

impl Heed {
    fn add(&mut self, found: &Found) {
        self.reloads.extend(found.reload.clone());
        self.restart |= found.restart;
    }
}

/// What is there, and what is to be done.
pub struct Plan {
    /// Every part.
    pub parts: Vec<Part>,
    /// What puts in what is missing, or takes out what is there.
    pub changes: Vec<Change>,
    /// What has the running Asterisk heed them.
    pub heed_changes: Heed,
    /// What has it heed what was in place already, too.
    pub heed_all: Heed,
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
    all.push(voicemail_twins::find(site)?);
    all.extend(call_records::find(site)?);
    all.extend(foreign::mappings(site)?);
    Ok(plan(all, manager))
}

/// What takes everything of ours out again. What leads to a directory of `others`, and that directory, stays.
///
/// What an install left that was cut off before anybody knew of it goes too: its lines tell of its directory.
pub fn removal(site: &Site, others: &[AbsolutePath]) -> Result<Plan, InstallError> {
    let (manager, _) = foreign::manager(site)?;
    let is_other = |path: &Path| others.iter().any(|other| other.as_path() == path);
    let mut directories = vec![site.config_dir.as_path().to_owned()];
    let leads = includes::leads(site)?.into_iter();
    directories.extend(leads.filter(|lead| lead.marked).map(|lead| lead.directory));
    directories.retain(|path| !is_other(path));
    directories.sort();
    directories.dedup();
    let mut all = includes::removal(site, &directories)?;
    all.push(account::removal(site)?.heeded_by(MANAGER));
    all.push(log_channel::removal(site)?.heeded_by(LOGGER));
    all.push(voicemail_twins::removal(site)?);
    all.push(call_records::removal(site)?);
    all.extend(directories.iter().map(|path| our_directory::removal(path)));
    Ok(plan(all, manager))
}

/// Whether the operator's files lead to a directory.
pub fn leads_to(site: &Site, directory: &AbsolutePath) -> Result<bool, InstallError> {
    let leads = includes::leads(site)?;
    Ok(leads.iter().any(|lead| lead.directory == directory.as_path()))
}

fn plan(all: Vec<Found>, manager: Manager) -> Plan {
    let mut plan = Plan {
        parts: Vec::new(),
        changes: Vec::new(),
        heed_changes: Heed::default(),
        heed_all: Heed::default(),
        manager,
    };
    for found in all {
        if !found.changes.is_empty() {
            plan.heed_changes.add(&found);
        }
        plan.heed_all.add(&found);
        plan.parts.push(found.part);
        plan.changes.extend(found.changes);
    }
    plan
}

#[cfg(test)]
mod tests;
