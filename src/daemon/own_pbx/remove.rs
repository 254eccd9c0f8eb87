//! Takes out of an Asterisk's own files what was put in; the instance stays in the database, with its history.

use super::work::{Host, look, with_parts};
use super::{FileChanged, OwnPbxError, asterisk_dir, install, status};
use crate::config::Config;
use crate::daemon::identity;
use crate::domain::instance::{AbsolutePath, PbxInstance};
use crate::domain::name::InstanceName;
use crate::driver::asterisk::install::{self as files, Site, Wanted};

/// What to remove.
pub struct RemoveOptions {
    /// The instance.
    pub name: InstanceName,
    /// The directory of Asterisk's own files.
    pub asterisk_dir: Option<AbsolutePath>,
    /// Also while tenants are served.
    pub force: bool,
    /// The running Asterisk is to read again all that led to us.
    pub reload: bool,
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
    /// Whether the instance is in the database.
    pub known: bool,
}

/// Removes all of it, or nothing; also what an install left that was cut off before it could register the instance.
pub fn remove(config: &Config, options: &RemoveOptions) -> Result<Removed, OwnPbxError> {
    let name = &options.name;
    let Host { known, others } = with_parts(config, async |parts| look(parts, name).await)?;
    if let Some(known) = &known {
        let in_use = known.tenants > 0 || known.instance.applying.is_some();
        if in_use && !options.force && !options.dry_run {
            return Err(OwnPbxError::Serving {
                name: name.clone(),
                tenants: known.tenants,
            });
        }
    }
    let instance = known.as_ref().map(|known| &known.instance);
    let asterisk_dir = asterisk_dir(options.asterisk_dir.clone(), instance)?;
    let site = match instance {
        Some(instance) => status::site(config, asterisk_dir.clone(), instance)?,
        None => unknown(config, asterisk_dir.clone(), &others)?,
    };
    let _held = (!options.dry_run).then(|| files::hold(&site)).transpose()?;
    let plan = files::removal(&site, &directories(&others))?;
    if instance.is_none() && plan.changes.is_empty() {
        return Err(OwnPbxError::Absent(name.clone()));
    }
    let removed = Removed {
        asterisk_dir,
        changes: plan.changes.iter().map(FileChanged::of).collect(),
        // Of one that was cut off, nobody knows what Asterisk has read.
        reloads: if options.reload {
            plan.heed_all.reloads
        } else {
            plan.heed_changes.reloads
        },
        restart: plan.heed_changes.restart,
        known: instance.is_some(),
    };
    if !options.dry_run {
        // Nothing comes after it that could fail, so nothing has to be put back.
        drop(files::swap(plan.changes)?);
    }
    Ok(removed)
}

fn directories(others: &[PbxInstance]) -> Vec<AbsolutePath> {
    let asterisks = others.iter().filter_map(|other| other.settings.asterisk());
    asterisks.map(|settings| settings.config_dir.clone()).collect()
}

/// The Asterisk of an instance that nobody knows, unless it is another's.
fn unknown(config: &Config, asterisk_dir: AbsolutePath, others: &[PbxInstance]) -> Result<Site, OwnPbxError> {
    let site = Site::survey(Wanted {
        asterisk_dir: asterisk_dir.clone(),
        config_dir: None,
        log_file: None,
        modules_dir: None,
        group: None,
        account: install::ACCOUNT.parse()?,
        owner: identity::user(config)?,
        tls: false,
    })?;
    for other in others {
        let Some(settings) = other.settings.asterisk() else {
            continue;
        };
        if files::leads_to(&site, &settings.config_dir)? {
            return Err(OwnPbxError::Belongs {
                asterisk_dir,
                config_dir: settings.config_dir.clone(),
                other: other.name.clone(),
            });
        }
    }
    Ok(site)
}
