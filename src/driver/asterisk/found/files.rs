//! The files that an import may read: those of one directory, no more than a person or FreePBX writes.

use std::path::{Path, PathBuf};
use std::{fs, io};

use super::FoundError;
use crate::driver::pattern;

/// How many includes Asterisk follows into each other.
pub const DEEPEST: usize = 9;
/// More files are none that one import reads.
const MOST_FILES: usize = 10_000;
/// More bytes in all are none that one import reads.
const MOST_BYTES: u64 = 64 * 1024 * 1024;
/// Where lines say that files are, on the host that a copy was made on.
const CUSTOMARY: &str = "/etc/asterisk";

/// The files of an Asterisk.
pub struct Files {
    directory: PathBuf,
    /// Not where an Asterisk of this host has its files, so what lies elsewhere on this host is none of its.
    is_copy: bool,
    /// What was read of it.
    count: usize,
    bytes: u64,
}

impl Files {
    /// Those of that directory.
    pub fn of(directory: &Path) -> Self {
        let real = |path: &Path| fs::canonicalize(path).ok();
        Self {
            directory: directory.to_owned(),
            is_copy: real(directory) != real(Path::new(CUSTOMARY)),
            count: 0,
            bytes: 0,
        }
    }

    /// Where a file of the directory is.
    pub fn place(&self, file: &str) -> PathBuf {
        self.directory.join(file)
    }

    /// How it is called in a report.
    pub fn shown(&self, path: &Path) -> String {
        let path = path.strip_prefix(&self.directory).unwrap_or(path);
        path.display().to_string()
    }

    /// What a line includes, in order.
    pub fn included(&self, place: &str, path: &str) -> Result<Vec<PathBuf>, FoundError> {
        let inside = if self.is_copy {
            self.inside(path)
        } else {
            Some(path)
        };
        let Some(inside) = inside else {
            return Err(FoundError::Outside {
                place: place.to_owned(),
                path: path.to_owned(),
                directory: self.directory.clone(),
            });
        };
        pattern::files(&self.directory, inside, MOST_FILES).map_err(|source| FoundError::Read {
            path: self.directory.join(inside),
            source,
        })
    }

    /// Where a copy has what a line names.
    fn inside<'a>(&self, path: &'a str) -> Option<&'a str> {
        let below = |directory: &Path| Path::new(path).strip_prefix(directory).ok()?.to_str();
        let inside = if path.starts_with('/') {
            below(&self.directory).or_else(|| below(Path::new(CUSTOMARY)))?
        } else {
            path
        };
        Path::new(inside)
            .components()
            .all(|part| part != std::path::Component::ParentDir)
            .then_some(inside)
    }

    /// A file's bytes, as far as there is one: what is no regular file Asterisk passes over.
    pub fn bytes(&mut self, path: &Path) -> Result<Option<Vec<u8>>, FoundError> {
        let failed = |source| FoundError::Read {
            path: PathBuf::from(path),
            source,
        };
        let metadata = match fs::metadata(path) {
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                return Ok(None);
            }
            metadata => metadata.map_err(failed)?,
        };
        if !metadata.is_file() {
            return Ok(None);
        }
        self.count += 1;
        self.bytes += metadata.len();
        let what = if self.count > MOST_FILES {
            format!("{MOST_FILES} files, those counted again that are included again")
        } else if self.bytes > MOST_BYTES {
            format!("{} MiB in its files", MOST_BYTES / (1024 * 1024))
        } else {
            return fs::read(path).map(Some).map_err(failed);
        };
        Err(FoundError::TooMuch { what })
    }
}
