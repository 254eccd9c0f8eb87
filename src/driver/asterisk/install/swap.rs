//! Changes several files as one: all are prepared first, then each takes its place by one rename, and what was changed is
//! put back where one fails.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use tempfile::NamedTempFile;
use thiserror::Error;

/// Stands behind the name of a file's copy as it was before.
const BACKUP: &str = ".before-switchyard";

/// A change of one file. It may hold a secret, so it has no `Debug`.
pub struct FileChange {
    /// The file itself, no link.
    pub path: PathBuf,
    /// What it holds; `None` where it is not there.
    pub before: Option<Vec<u8>>,
    /// What it is to hold; `None` takes it away.
    pub after: Option<Vec<u8>>,
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Its mode.
    pub mode: u32,
    /// Whether it is kept as it was, beside it.
    pub backup: bool,
    /// Whether it holds a secret of ours and is not shown.
    pub secret: bool,
}

/// Owner, group and mode of a directory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Standing {
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// The mode.
    pub mode: u32,
}

/// A change of one directory.
pub struct DirectoryChange {
    /// The directory.
    pub path: PathBuf,
    /// How it is; `None` where it is not there.
    pub before: Option<Standing>,
    /// How it is to be; `None` takes it away, as long as it is empty.
    pub after: Option<Standing>,
}

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

    fn make(&self, prepared: Option<NamedTempFile>) -> io::Result<()> {
        match self {
            Self::File(change) => {
                if current(&change.path)? != change.before {
                    return Err(io::Error::other("somebody changed it meanwhile; try again"));
                }
                match prepared {
                    Some(file) => put(file, &change.path, change.before.is_some()),
                    None => fs::remove_file(&change.path),
                }
            }
            Self::Directory(change) => stand(&change.path, change.before, change.after),
        }
    }

    fn undo(&self) -> io::Result<()> {
        match self {
            Self::File(change) => match &change.before {
                Some(bytes) => put(change.prepare(bytes)?, &change.path, true),
                None => fs::remove_file(&change.path),
            },
            Self::Directory(change) => stand(&change.path, change.after, change.before),
        }
    }
}

impl FileChange {
    fn prepare(&self, bytes: &[u8]) -> io::Result<NamedTempFile> {
        let mut file = NamedTempFile::new_in(self.path.parent().unwrap_or(Path::new("/")))?;
        file.write_all(bytes)?;
        let metadata = file.as_file().metadata()?;
        if (metadata.uid(), metadata.gid()) != (self.uid, self.gid) {
            fchown(file.as_file(), Some(self.uid), Some(self.gid))?;
        }
        // After the owner: a change of owner clears bits of the mode.
        file.as_file()
            .set_permissions(Permissions::from_mode(self.mode))?;
        file.as_file().sync_all()?;
        Ok(file)
    }
}

/// Whether this is where a file is kept as it was.
#[must_use]
pub fn is_backup(path: &Path) -> bool {
    path.to_string_lossy().ends_with(BACKUP)
}

/// Where a file is kept as it was.
#[must_use]
pub fn backup_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(BACKUP);
    path.with_file_name(name)
}

/// What was changed, for as long as it may have to be put back.
#[must_use]
pub struct Swapped {
    made: Vec<Change>,
}

impl Swapped {
    /// Every change that was made.
    #[must_use]
    pub fn made(&self) -> &[Change] {
        &self.made
    }

    /// Puts everything back, last change first; says what could not be.
    #[must_use]
    pub fn undo(self) -> Vec<String> {
        self.made
            .iter()
            .rev()
            .filter_map(|change| {
                let failed = change.undo().err()?;
                Some(format!("{}: {failed}", change.path().display()))
            })
            .collect()
    }
}

/// Makes all changes, or none.
pub fn swap(changes: Vec<Change>) -> Result<Swapped, SwapError> {
    let mut swapped = Swapped { made: Vec::new() };
    // A directory comes before the files in it: they could not be prepared without it.
    let (directories, files): (Vec<_>, Vec<_>) = changes
        .into_iter()
        .partition(|change| matches!(change, Change::Directory(directory) if directory.after.is_some()));
    for change in directories {
        take(&mut swapped, change, None)?;
    }
    let mut prepared = Vec::new();
    for change in files {
        let file = match &change {
            Change::File(file) => file.after.as_ref().map(|bytes| file.prepare(bytes)).transpose(),
            Change::Directory(_) => Ok(None),
        };
        match file {
            Ok(file) => prepared.push((change, file)),
            Err(source) => return Err(failed(swapped, change.path(), source)),
        }
    }
    for (change, file) in prepared {
        if let Change::File(file) = &change
            && file.backup
            && let Some(bytes) = &file.before
            && let Err(source) = keep(&mut swapped, file, bytes)
        {
            return Err(failed(swapped, &backup_of(&file.path), source));
        }
        take(&mut swapped, change, file)?;
    }
    Ok(swapped)
}

fn take(swapped: &mut Swapped, change: Change, file: Option<NamedTempFile>) -> Result<(), SwapError> {
    match change.make(file) {
        Ok(()) => {
            swapped.made.push(change);
            Ok(())
        }
        Err(source) => {
            let made = std::mem::take(&mut swapped.made);
            Err(failed(Swapped { made }, change.path(), source))
        }
    }
}

fn failed(swapped: Swapped, path: &Path, source: io::Error) -> SwapError {
    SwapError {
        path: path.to_owned(),
        left: swapped.undo(),
        source,
    }
}

/// Keeps a file as it was, unless it is kept already.
fn keep(swapped: &mut Swapped, file: &FileChange, bytes: &[u8]) -> io::Result<()> {
    let backup = FileChange {
        path: backup_of(&file.path),
        before: None,
        after: Some(bytes.to_vec()),
        backup: false,
        ..*file
    };
    if current(&backup.path)?.is_some() {
        return Ok(());
    }
    put(backup.prepare(bytes)?, &backup.path, false)?;
    swapped.made.push(Change::File(backup));
    Ok(())
}

fn put(file: NamedTempFile, path: &Path, there: bool) -> io::Result<()> {
    if there {
        file.persist(path)?;
    } else {
        file.persist_noclobber(path)?;
    }
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

fn current(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if !metadata.is_file() => Err(io::Error::other("it is no regular file")),
        Ok(_) => fs::read(path).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn stand(path: &Path, before: Option<Standing>, after: Option<Standing>) -> io::Result<()> {
    let Some(after) = after else {
        return fs::remove_dir(path);
    };
    if before.is_none() {
        DirBuilder::new().mode(0o700).create(path)?;
    }
    let made = settle(path, after);
    if made.is_err() && before.is_none() {
        // The first failure is the one to tell.
        let _ = fs::remove_dir(path);
    }
    made
}

fn settle(path: &Path, after: Standing) -> io::Result<()> {
    // Through the open directory: where another user put a link in its place, root must not follow it.
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::RDONLY | OFlags::CLOEXEC;
    let directory = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    let metadata = directory.metadata()?;
    if (metadata.uid(), metadata.gid()) != (after.uid, after.gid) {
        fchown(&directory, Some(after.uid), Some(after.gid))?;
    }
    directory.set_permissions(Permissions::from_mode(after.mode))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(path: PathBuf, before: Option<&str>, after: Option<&str>) -> Change {
        let own = rustix::process::geteuid().as_raw();
        let group = rustix::process::getegid().as_raw();
        Change::File(FileChange {
            path,
            before: before.map(|text| text.as_bytes().to_vec()),
            after: after.map(|text| text.as_bytes().to_vec()),
            uid: own,
            gid: group,
            mode: 0o640,
            backup: true,
            secret: false,
        })
    }

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn all_is_changed_and_kept_as_it_was_once() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::write(at("a"), "one").unwrap();
        let _ = swap(vec![
            change(at("a"), Some("one"), Some("two")),
            change(at("b"), None, Some("new")),
        ])
        .unwrap();
        let _ = swap(vec![change(at("a"), Some("two"), Some("three"))]).unwrap();
        assert_eq!(fs::read(at("a")).unwrap(), b"three");
        assert_eq!(fs::read(at("a.before-switchyard")).unwrap(), b"one");
        assert_eq!(fs::metadata(at("a")).unwrap().mode() & 0o777, 0o640);
        assert_eq!(names(directory.path()), ["a", "a.before-switchyard", "b"]);
    }

    #[test]
    fn one_failure_puts_all_back() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::write(at("a"), "one").unwrap();
        fs::write(at("c"), "changed by somebody").unwrap();
        let own = Standing {
            uid: rustix::process::geteuid().as_raw(),
            gid: rustix::process::getegid().as_raw(),
            mode: 0o2750,
        };
        let changes = || {
            let made = DirectoryChange {
                path: at("d"),
                before: None,
                after: Some(own),
            };
            vec![
                Change::Directory(made),
                change(at("a"), Some("one"), Some("two")),
                change(at("b"), None, Some("new")),
            ]
        };
        let mut late = changes();
        late.push(change(at("c"), Some("as it was"), Some("other")));
        let mut early = changes();
        early.push(change(at("nowhere/e"), None, Some("x")));
        for changes in [late, early] {
            let error = swap(changes).err().unwrap();
            assert!(error.to_string().contains("everything is as it was"), "{error}");
            assert_eq!(names(directory.path()), ["a", "c"]);
            assert_eq!(fs::read(at("a")).unwrap(), b"one");
        }
        let swapped = swap(changes()).unwrap();
        assert_eq!(fs::metadata(at("d")).unwrap().mode() & 0o7777, 0o2750);
        assert_eq!(swapped.undo(), Vec::<String>::new());
        assert_eq!(names(directory.path()), ["a", "c"]);
    }
}
