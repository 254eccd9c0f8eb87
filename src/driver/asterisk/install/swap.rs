//! Changes several files as one: all are prepared first, then each takes its place by one rename, and what was changed is
//! put back where one fails.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;
use thiserror::Error;

use super::content::Content;
use super::directory::{DirectoryChange, changed};

/// A change of one file. It may hold a secret, so it has no `Debug`.
pub struct FileChange {
    /// The file itself, no link.
    pub path: PathBuf,
    /// What it is; `None` where it is not there.
    pub before: Option<Content>,
    /// What it is to be; `None` takes it away.
    pub after: Option<Content>,
    /// Where it is kept as it was, if it is.
    pub backup: Option<PathBuf>,
    /// What of it may be shown.
    pub shown: Shown,
}

/// What of a file's lines may be shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shown {
    /// Those that change.
    Changed,
    /// Those that change, without the secret of ours.
    WithoutSecret,
    /// None: all of it changes, and it is the operator's, with his secrets.
    Nothing,
}

/// A file that is written already, under a passing name; `None` where there is to be none.
type Prepared = Option<NamedTempFile>;

/// One step on the way.
pub enum Change {
    /// Of a file.
    File(FileChange),
    /// Of a directory.
    Directory(DirectoryChange),
}

/// Why nothing is changed.
#[derive(Debug, Error)]
#[error("{} cannot be changed{}", .path.display(), tail(.left))]
pub struct SwapError {
    /// Which file.
    pub path: PathBuf,
    /// What could not be put back as it was.
    pub left: Vec<String>,
    /// Why.
    #[source]
    pub source: io::Error,
}

fn tail(left: &[String]) -> String {
    if left.is_empty() {
        "; nothing is, everything is as it was".to_owned()
    } else {
        format!(
            ", and what was changed could not all be put back: {}",
            left.join("; ")
        )
    }
}

impl From<FileChange> for Change {
    fn from(change: FileChange) -> Self {
        Self::File(change)
    }
}

impl From<DirectoryChange> for Change {
    fn from(change: DirectoryChange) -> Self {
        Self::Directory(change)
    }
}

impl Change {
    /// What is changed.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::File(change) => &change.path,
            Self::Directory(change) => &change.path,
        }
    }

    /// What takes its place, and before it the copy of what is there.
    fn prepare(&self) -> io::Result<(Option<(Self, Prepared)>, Prepared)> {
        let Self::File(change) = self else {
            return Ok((None, None));
        };
        let copy = change.copy()?.map(|copy| {
            let prepared = copy.prepare(copy.after.as_ref())?;
            Ok::<_, io::Error>((copy.into(), prepared))
        });
        Ok((copy.transpose()?, change.prepare(change.after.as_ref())?))
    }

    fn make(&self, prepared: Prepared) -> io::Result<()> {
        match self {
            Self::File(change) => change.turn(change.before.as_ref(), prepared),
            Self::Directory(change) => change.make(),
        }
    }

    fn undo(&self) -> io::Result<()> {
        match self {
            Self::File(change) => {
                let prepared = change.prepare(change.before.as_ref())?;
                change.turn(change.after.as_ref(), prepared)
            }
            Self::Directory(change) => change.undo(),
        }
    }

    /// Cut off between two steps, the lines that lead to our directory still tell where it is.
    pub(super) fn rank(&self) -> u8 {
        match self {
            Self::Directory(directory) if directory.after.is_none() => 0,
            Self::File(_) => 1,
            Self::Directory(_) => 2,
        }
    }
}

impl FileChange {
    fn prepare(&self, content: Option<&Content>) -> io::Result<Prepared> {
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        content.map(|content| content.prepare(folder)).transpose()
    }

    /// Puts what was prepared in the place of what must be there, whoever may have been here in between.
    fn turn(&self, from: Option<&Content>, to: Prepared) -> io::Result<()> {
        let same = match (current(&self.path)?, from) {
            (Some(now), Some(from)) => now.is(from),
            (None, None) => true,
            _ => false,
        };
        if !same {
            return Err(changed());
        }
        match to {
            Some(file) if from.is_some() => drop(file.persist(&self.path)?),
            Some(file) => drop(file.persist_noclobber(&self.path)?),
            None => fs::remove_file(&self.path)?,
        }
        Ok(())
    }

    /// The copy of it as it was, unless it is kept already.
    fn copy(&self) -> io::Result<Option<Self>> {
        let (Some(path), Some(before)) = (&self.backup, &self.before) else {
            return Ok(None);
        };
        match current(path)? {
            Some(kept) if kept.bytes == before.bytes => Ok(None),
            Some(_) => Err(changed()),
            None => Ok(Some(Self {
                path: path.clone(),
                before: None,
                after: Some(before.clone()),
                backup: None,
                shown: Shown::Nothing,
            })),
        }
    }
}

/// What was changed, for as long as it may have to be put back.
#[must_use]
pub struct Swapped {
    made: Vec<Change>,
}

impl Swapped {
    /// What took its place stays there when the power fails; else which folder, and why not.
    fn sync(&self) -> Result<(), (PathBuf, io::Error)> {
        let mut folders: Vec<&Path> = self
            .made
            .iter()
            .filter_map(|change| change.path().parent())
            .collect();
        folders.sort_unstable();
        folders.dedup();
        folders.into_iter().try_for_each(|folder| {
            let synced = File::open(folder).and_then(|folder| folder.sync_all());
            synced.map_err(|error| (folder.to_owned(), error))
        })
    }

    /// Puts everything back, last change first; says what could not be. What somebody else has changed since stays as it
    /// is, and the copy of it as it was before.
    #[must_use]
    pub fn undo(self) -> Vec<String> {
        let mut left = Vec::new();
        let mut needed = Vec::new();
        for change in self.made.iter().rev() {
            if needed.contains(&change.path()) {
                continue;
            }
            let Err(failed) = change.undo() else {
                continue;
            };
            let mut tail = String::new();
            if let Change::File(FileChange {
                backup: Some(copy), ..
            }) = change
            {
                tail = format!(", so it stays; as it was before is kept in {}", copy.display());
                needed.push(copy.as_path());
            }
            left.push(format!("{}: {failed}{tail}", change.path().display()));
        }
        if let Err((folder, failed)) = self.sync() {
            left.push(format!("{}: {failed}", folder.display()));
        }
        left
    }
}

/// Makes all changes, or none.
pub fn swap(mut changes: Vec<Change>) -> Result<Swapped, SwapError> {
    let mut swapped = Swapped { made: Vec::new() };
    changes.sort_by_key(Change::rank);
    let mut steps = Vec::new();
    for change in changes {
        match change.prepare() {
            Ok((copy, prepared)) => {
                steps.extend(copy);
                steps.push((change, prepared));
            }
            Err(source) => return Err(failed(swapped, change.path(), source)),
        }
    }
    for (change, prepared) in steps {
        match change.make(prepared) {
            Ok(()) => swapped.made.push(change),
            Err(source) => return Err(failed(swapped, change.path(), source)),
        }
    }
    match swapped.sync() {
        Ok(()) => Ok(swapped),
        Err((folder, source)) => Err(failed(swapped, &folder, source)),
    }
}

fn failed(swapped: Swapped, path: &Path, source: io::Error) -> SwapError {
    SwapError {
        path: path.to_owned(),
        left: swapped.undo(),
        source,
    }
}

fn current(path: &Path) -> io::Result<Option<Content>> {
    match Content::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
