//! One at a time: who changes the files of an Asterisk holds its directory meanwhile, and clears up after one that was cut
//! off.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::content::is_prepared;
use super::{InstallError, PlaceError, Site, account, place};

/// What is changed, as far as it is there.
const FILES: [&str; 6] = [
    "pjsip.conf",
    "extensions.conf",
    "voicemail.conf",
    "manager.conf",
    "logger.conf",
    "modules.conf",
];

/// Nobody else changes the files until this is dropped.
#[must_use]
pub struct Held {
    _directory: File,
}

/// Holds the directory of the Asterisk; files that were prepared there and never took their place go.
pub fn hold(site: &Site) -> Result<Held, InstallError> {
    let failed = |path: &Path, source: io::Error| PlaceError::Read {
        path: path.to_owned(),
        source,
    };
    let directory = File::open(&site.directory).map_err(|error| failed(&site.directory, error))?;
    match flock(&directory, FlockOperation::NonBlockingLockExclusive) {
        Err(Errno::WOULDBLOCK) => return Err(InstallError::Busy(site.directory.clone())),
        locked => locked.map_err(|errno| failed(&site.directory, errno.into()))?,
    }
    let mut files: Vec<PathBuf> = account::possible_files(site)?;
    for name in FILES {
        // Behind a link, it is prepared where it really is.
        files.extend(place::find(&site.file(name))?.map(|file| file.path));
    }
    let mut folders: Vec<&Path> = files.iter().filter_map(|file| file.parent()).collect();
    folders.push(&site.directory);
    folders.sort_unstable();
    folders.dedup();
    for folder in folders {
        clear(folder).map_err(|error| failed(folder, error))?;
    }
    Ok(Held {
        _directory: directory,
    })
}

fn clear(folder: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(is_prepared) && entry.file_type()?.is_file() {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
