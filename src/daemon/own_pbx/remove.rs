//! Takes out of an Asterisk's own files what was put in; the instance stays in the database, with its history.

use super::work::{known, with_parts};
use super::{FileChanged, OwnPbxError, asterisk_dir, status};
use crate::config::Config;
use crate::domain::instance::AbsolutePath;
use crate::domain::name::InstanceName;
use crate::driver::asterisk::install as files;

/// What to remove.
pub struct RemoveOptions {
    /// The instance.
    pub name: InstanceName,
    /// The directory of Asterisk's own files.
    pub asterisk_dir: Option<AbsolutePath>,
    /// Also while tenants are served.
    pub force: bool,
    /// Nothing is changed.
    pub dry_run: bool,
}

/// What was done, or would be.
pub struct Removed {
    /// The directory of Asterisk's own files.
    pub asterisk_dir: AbsolutePath,
    /// What changed; empty where nothing of ours was there.
    pub changes: Vec<FileChanged>,
    /// The lines of Asterisk's console that have it heed the changes.
    pub reloads: Vec<String>,
    /// Whether Asterisk has to be restarted.
    pub restart: bool,
}

/// Removes all of it, or nothing.
pub fn remove(config: &Config, options: &RemoveOptions) -> Result<Removed, OwnPbxError> {
    let name = &options.name;
    let known = with_parts(config, async |parts| known(parts, name).await)?
        .ok_or_else(|| OwnPbxError::Absent(name.clone()))?;
    let in_use = known.tenants > 0 || known.instance.applying.is_some();
    if in_use && !options.force && !options.dry_run {
        return Err(OwnPbxError::Serving {
            name: name.clone(),
            tenants: known.tenants,
        });
    }
    let asterisk_dir = asterisk_dir(options.asterisk_dir.clone(), Some(&known.instance))?;
    let site = status::site(config, asterisk_dir.clone(), &known.instance)?;
    let plan = files::removal(&site)?;
    let removed = Removed {
        asterisk_dir,
        changes: plan.changes.iter().map(FileChanged::of).collect(),
        reloads: plan.reloads,
        restart: plan.restart,
    };
    if !options.dry_run {
        // Nothing comes after it that could fail, so nothing has to be put back.
        drop(files::swap(plan.changes)?);
    }
    Ok(removed)
}
