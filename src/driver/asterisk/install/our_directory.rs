//! The directory that the daemon writes into and Asterisk reads.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

use super::content::Standing;
use super::directory::{Below, DirectoryChange};
use super::{Found, InstallError, PlaceError, Site};

const NAME: &str = "config_dir";
/// The daemon writes, Asterisk's group reads, and what is made inside has that group too.
const MODE: u32 = 0o2750;
/// What every deploy writes into it.
const DEPLOYED: &str = "generations";

/// Whether it is there, with owner, group and mode.
pub fn find(site: &Site) -> Result<Found, InstallError> {
    let path = site.config_dir.as_path();
    let after = Standing {
        uid: site.owner,
        gid: site.group,
        mode: MODE,
    };
    let before = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => Some(Standing::of(&metadata)),
        Ok(_) => {
            let detail = format!("{} is no directory", path.display());
            return Ok(Found::blocked(
                NAME,
                detail,
                "name another with --config-dir, or move it out of the way",
            ));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(source) => {
            let path = path.to_owned();
            return Err(PlaceError::Read { path, source }.into());
        }
    };
    let below = match before {
        Some(before) => misgiven(path, before, after)?,
        None => Vec::new(),
    };
    if before == Some(after) && below.is_empty() {
        return Ok(Found::in_place(NAME, format!("{} has {after}", path.display())));
    }
    if site.directory.starts_with(path) {
        let detail = format!("{} holds Asterisk's own configuration", path.display());
        return Ok(Found::blocked(
            NAME,
            detail,
            "name a directory below it with --config-dir",
        ));
    }
    // Its owner could replace whatever else is in it.
    if let Some(before) = before
        && before.uid != site.owner
        && let Some(other) = foreign(path)?
    {
        let detail = format!("{} holds {other}, which is not ours", path.display());
        return Ok(Found::blocked(
            NAME,
            detail,
            "name a directory of its own with --config-dir, or move that out of the way",
        ));
    }
    let detail = match before {
        Some(before) if before == after => {
            format!(
                "{} files and directories in {} are not of {after}",
                below.len(),
                path.display()
            )
        }
        Some(before) => format!("{} has {before} in place of {after}", path.display()),
        None => format!("{} is not there; it is to have {after}", path.display()),
    };
    let change = DirectoryChange {
        path: path.to_owned(),
        before,
        after: Some(after),
        below,
    };
    Ok(Found::missing(NAME, detail, change))
}

/// What was deployed and has not the owner and the group that it would be made with today. What belongs to a third user is
/// left alone.
fn misgiven(path: &Path, before: Standing, after: Standing) -> Result<Vec<Below>, InstallError> {
    let mut all = Vec::new();
    let mut open = vec![PathBuf::from(DEPLOYED)];
    while let Some(below) = open.pop() {
        let here = path.join(&below);
        let failed = |source| PlaceError::Read {
            path: here.clone(),
            source,
        };
        let gone = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
        let metadata = match fs::symlink_metadata(&here) {
            // A deploy clears away as it goes.
            Err(error) if gone(&error) => continue,
            metadata => metadata.map_err(failed)?,
        };
        let (uid, gid) = (metadata.uid(), metadata.gid());
        let is_ours = [before.uid, after.uid].contains(&uid) && (metadata.is_file() || metadata.is_dir());
        if is_ours && (uid, gid) != (after.uid, after.gid) {
            all.push(Below {
                path: below.clone(),
                uid,
                gid,
            });
        }
        if metadata.is_dir() {
            match fs::read_dir(&here) {
                Err(error) if gone(&error) => {}
                entries => {
                    for entry in entries.map_err(failed)? {
                        open.push(below.join(entry.map_err(failed)?.file_name()));
                    }
                }
            }
        }
    }
    Ok(all)
}

/// Something in a directory that no deploy makes.
fn foreign(path: &Path) -> Result<Option<String>, InstallError> {
    let failed = |source| PlaceError::Read {
        path: path.to_owned(),
        source,
    };
    for entry in fs::read_dir(path).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        if !["live", DEPLOYED].iter().any(|ours| name == *ours) {
            return Ok(Some(name.to_string_lossy().into_owned()));
        }
    }
    Ok(None)
}

/// Takes one away, if nothing is in it.
pub fn removal(path: &Path) -> Found {
    let Ok(metadata) = fs::symlink_metadata(path) else {
        return Found::in_place(NAME, format!("{} is not there", path.display()));
    };
    let empty = fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none());
    if !metadata.is_dir() || !empty {
        let detail = format!("{} stays, with what was deployed", path.display());
        return Found::in_place(NAME, detail);
    }
    let change = DirectoryChange {
        path: path.to_owned(),
        before: Some(Standing::of(&metadata)),
        after: None,
        below: Vec::new(),
    };
    Found::missing(NAME, format!("{} is empty and goes", path.display()), change)
}
