//! The directory that the daemon writes into and Asterisk reads.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::swap::{DirectoryChange, Standing};
use super::{Found, InstallError, PlaceError, Site};

const NAME: &str = "config_dir";
/// The daemon writes, Asterisk's group reads, and what is made inside has that group too.
const MODE: u32 = 0o2750;

/// Whether it is there, with owner, group and mode.
pub fn find(site: &Site) -> Result<Found, InstallError> {
    let path = site.config_dir.as_path();
    let after = Standing {
        uid: site.owner,
        gid: site.group,
        mode: MODE,
    };
    let before = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => Some(Standing {
            uid: metadata.uid(),
            gid: metadata.gid(),
            mode: metadata.mode() & 0o7777,
        }),
        Ok(_) => {
            let detail = format!("{} is no directory", path.display());
            return Ok(Found::blocked(
                NAME,
                detail,
                "name another with --config-dir, or move it out of the way",
            ));
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(source) => {
            let path = path.to_owned();
            return Err(PlaceError::Read { path, source }.into());
        }
    };
    let words = |standing: Standing| {
        format!(
            "user {}, group {}, mode {:o}",
            standing.uid, standing.gid, standing.mode
        )
    };
    if before == Some(after) {
        return Ok(Found::in_place(
            NAME,
            format!("{} has {}", path.display(), words(after)),
        ));
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
        Some(before) => format!(
            "{} has {} in place of {}",
            path.display(),
            words(before),
            words(after)
        ),
        None => format!("{} is not there; it is to have {}", path.display(), words(after)),
    };
    let change = DirectoryChange {
        path: path.to_owned(),
        before,
        after: Some(after),
    };
    Ok(Found::missing(NAME, detail, change))
}

/// Something in a directory that no deploy makes.
fn foreign(path: &Path) -> Result<Option<String>, InstallError> {
    let failed = |source| PlaceError::Read {
        path: path.to_owned(),
        source,
    };
    for entry in fs::read_dir(path).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        if !["live", "generations"].iter().any(|ours| name == *ours) {
            return Ok(Some(name.to_string_lossy().into_owned()));
        }
    }
    Ok(None)
}

/// Takes it away, if nothing is in it.
pub fn removal(site: &Site) -> Found {
    let path = site.config_dir.as_path();
    let Ok(metadata) = fs::symlink_metadata(path) else {
        return Found::in_place(NAME, format!("{} is not there", path.display()));
    };
    let empty = fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none());
    if !metadata.is_dir() || !empty {
        let detail = format!("{} stays, with what was deployed", path.display());
        return Found::in_place(NAME, detail);
    }
    let before = Standing {
        uid: metadata.uid(),
        gid: metadata.gid(),
        mode: metadata.mode() & 0o7777,
    };
    let change = DirectoryChange {
        path: path.to_owned(),
        before: Some(before),
        after: None,
    };
    Found::missing(NAME, format!("{} is empty and goes", path.display()), change)
}
