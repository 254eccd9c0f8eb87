//! The operator's own Asterisk on this host: what leads from its files to ours is put in, taken out and looked at.

mod install;
mod reload;
mod remove;
mod signals;
mod status;
mod work;

use std::path::{Path, PathBuf};

use serde::Serialize;
use thiserror::Error;

pub use self::install::{InstallOptions, Installed, TlsChoice, install};
pub use self::reload::{Reloaded, reload};
pub use self::remove::{RemoveOptions, Removed, remove};
pub use self::status::{Status, status, status_of};
use super::identity::IdentityError;
use super::parts::PartsError;
use super::settings::SettingError;
use crate::app::error::AppError;
use crate::domain::instance::{AbsolutePath, AsteriskSettings, NodeName, PbxInstance, PbxKind};
use crate::domain::invalid::Invalid;
use crate::domain::name::InstanceName;
use crate::domain::pbx_part::Part;
use crate::domain::random::NoRandomness;
use crate::driver::asterisk::install::{Change, Content, InstallError, Shown, SwapError};

/// Where Asterisk's configuration usually is.
const USUAL: &str = "/etc/asterisk";

/// Why nothing was done.
#[derive(Debug, Error)]
pub enum OwnPbxError {
    /// A value of the configuration.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// Root cannot act as the daemon's user.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The database cannot be used.
    #[error(transparent)]
    Parts(#[from] PartsError),
    /// The use case was not carried out.
    #[error(transparent)]
    App(#[from] AppError),
    /// The Asterisk cannot be looked at.
    #[error(transparent)]
    Look(#[from] InstallError),
    /// The instance is no Asterisk.
    #[error("{name} is an instance of kind `{kind}`; `switchyard pbx` is for an Asterisk of this host")]
    OtherKind {
        /// Its name.
        name: InstanceName,
        /// What it is.
        kind: PbxKind,
    },
    /// The lines are another instance's.
    #[error("what leads from {} to {config_dir} is of {other}; `switchyard pbx remove {other}` takes it out", .asterisk_dir)]
    Belongs {
        /// Where they stand.
        asterisk_dir: AbsolutePath,
        /// Where they lead to.
        config_dir: AbsolutePath,
        /// Whose they are.
        other: InstanceName,
    },
    /// A signal came.
    #[error(
        "interrupted while the instance was being registered, and {}; `switchyard instance list` shows whether it is registered",
        kept(.0)
    )]
    Interrupted(Vec<String>),
    /// No such instance.
    #[error("there is no PBX instance {0}; `switchyard instance list` shows those there are")]
    Absent(InstanceName),
    /// Another host's.
    #[error("{name} is driven on the host {node}; its Asterisk is looked after there")]
    Elsewhere {
        /// The instance.
        name: InstanceName,
        /// Its host.
        node: NodeName,
    },
    /// Something that only the operator can mend.
    #[error("nothing was touched: {}", .0.iter().map(blocked).collect::<Vec<_>>().join("; "))]
    Blocked(Vec<Part>),
    /// Tenants would lose their PBX.
    #[error(
        "{name} serves {tenants} tenants, whose phones would lose it; nothing was touched, `--force` takes it out all the same"
    )]
    Serving {
        /// The instance.
        name: InstanceName,
        /// How many.
        tenants: usize,
    },
    /// The files were not changed.
    #[error(transparent)]
    Swap(#[from] SwapError),
    /// What the files say cannot be kept.
    #[error("the manager interface's address {0}")]
    Address(#[from] Invalid),
    /// No secret.
    #[error(transparent)]
    Random(#[from] NoRandomness),
    /// The runtime could not be started, or signals not be received.
    #[error("the runtime could not be started")]
    Runtime(#[source] std::io::Error),
    /// The files were changed, and then put back.
    #[error("the instance could not be registered, and {}", kept(.left))]
    NotRegistered {
        /// What could not be put back.
        left: Vec<String>,
        /// Why it could not.
        #[source]
        source: Box<OwnPbxError>,
    },
}

impl OwnPbxError {
    /// Whether an argument or a key of the configuration has to be another one.
    #[must_use]
    pub fn is_invalid_input(&self) -> bool {
        match self {
            Self::Look(error) => !matches!(error, InstallError::Place(_) | InstallError::Busy(_)),
            Self::Setting(_) => true,
            _ => false,
        }
    }

    /// Whether what is there is in the way.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        match self {
            Self::Blocked(_)
            | Self::Elsewhere { .. }
            | Self::OtherKind { .. }
            | Self::Belongs { .. }
            | Self::Serving { .. }
            | Self::Look(InstallError::Busy(_)) => true,
            Self::App(error) => matches!(error, AppError::Conflict { .. } | AppError::Taken { .. }),
            Self::NotRegistered { source, .. } => source.is_conflict(),
            _ => false,
        }
    }
}

fn blocked(part: &Part) -> String {
    let mend = part.mend.as_deref().unwrap_or("see its documentation");
    format!("{}: {}", part.detail, mend)
}

fn kept(left: &[String]) -> String {
    if left.is_empty() {
        "every file is as it was".to_owned()
    } else {
        format!("these files could not be put back: {}", left.join("; "))
    }
}

/// What became, or would become, of a file or directory.
#[derive(Debug, Serialize)]
pub struct FileChanged {
    /// Which.
    pub path: String,
    /// What it was before is kept there.
    pub backup: Option<String>,
    /// The lines that come (`+`) and go (`-`); a secret is not among them.
    pub lines: Vec<String>,
}

impl FileChanged {
    fn of(change: &Change) -> Self {
        let path = change.path().display().to_string();
        let file = match change {
            Change::Directory(directory) => {
                return Self {
                    path,
                    backup: None,
                    lines: directory.lines(),
                };
            }
            Change::File(file) => file,
        };
        let text = |content: &Option<Content>| {
            let bytes = content.as_ref().map(|content| content.bytes.as_slice());
            let text = String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
            match file.shown {
                Shown::Changed => text,
                Shown::WithoutSecret => without_secret(&text),
                Shown::Nothing => String::new(),
            }
        };
        let (before, after) = (text(&file.before), text(&file.after));
        let diff = similar::TextDiff::from_lines(&before, &after);
        let lines = diff.iter_all_changes().filter_map(|change| {
            let sign = match change.tag() {
                similar::ChangeTag::Insert => '+',
                similar::ChangeTag::Delete => '-',
                similar::ChangeTag::Equal => return None,
            };
            Some(format!("{sign}{}", change.value().trim_end_matches(['\r', '\n'])))
        });
        Self {
            path,
            backup: file.backup.as_ref().map(|copy| copy.display().to_string()),
            lines: lines.collect(),
        }
    }
}

fn without_secret(text: &str) -> String {
    let shown = |line: &str| match line.split_once("secret = ") {
        Some(("", _)) => "secret = (not shown)".to_owned(),
        _ => line.to_owned(),
    };
    text.lines().map(|line| shown(line) + "\n").collect()
}

/// The directory of Asterisk's own files: the one named, or the one that ours lies in, or the usual one.
fn asterisk_dir(
    named: Option<AbsolutePath>,
    known: Option<&PbxInstance>,
) -> Result<AbsolutePath, OwnPbxError> {
    let beside = known.and_then(|instance| {
        let settings = instance.settings.asterisk()?;
        let parent = settings.config_dir.as_path().parent()?;
        parent.join("manager.conf").exists().then(|| parent.to_owned())
    });
    match (named, beside) {
        (Some(path), _) => Ok(path),
        (None, beside) => {
            let path = beside.unwrap_or_else(|| PathBuf::from(USUAL));
            Ok(path.display().to_string().parse()?)
        }
    }
}

/// How an instance is reached that must be an Asterisk.
fn asterisk(instance: &PbxInstance) -> Result<&AsteriskSettings, OwnPbxError> {
    instance
        .settings
        .asterisk()
        .ok_or_else(|| OwnPbxError::OtherKind {
            name: instance.name.clone(),
            kind: instance.settings.kind(),
        })
}

/// Asterisk's main file, for its own program.
fn main_file(directory: &Path) -> PathBuf {
    directory.join("asterisk.conf")
}
