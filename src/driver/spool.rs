//! The recordings that a PBX of this host leaves: found below one directory, and nothing else reached by it.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, ResolveFlags, fstat, openat2, statat, unlinkat};
use rustix::io::Errno;
use tokio::task::spawn_blocking;

use crate::domain::instance::{AbsolutePath, PbxKind};
use crate::domain::recording::RecordingPath;
use crate::domain::sip_domain::SipDomain;

mod asking;
mod check;
pub(super) mod disk;
mod landmark;
mod reading;
mod search;
mod walk;

use asking::patiently;
pub(super) use check::{check, own};
pub(super) use landmark::identity;
pub use landmark::{LANDMARK, Landmark};
pub use reading::Sound;
pub use search::{Seen, Unseen};
pub use walk::Walk;

/// How deep a recording lies at the most, as FusionPBX's `archive/<year>/<month>/<day>` below the tenant's directory.
const DEEPEST: usize = 5;
/// More files are not looked at in one go.
const MOST_FILES: usize = 1_000_000;
/// Nothing on the way may be a link, and nothing may lead out of the directory.
pub(super) const WITHIN: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS);

/// The directory of an instance's recordings.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Spool {
    root: AbsolutePath,
    kind: PbxKind,
    most: usize,
}

impl Spool {
    /// Of a directory, which need not be there yet, and of the kind of PBX that records into it.
    #[must_use]
    pub const fn new(root: AbsolutePath, kind: PbxKind) -> Self {
        Self {
            root,
            kind,
            most: MOST_FILES,
        }
    }

    /// Begins to look for every recording of a call of these domains, as far as the disk can be looked at. While the directory
    /// owes an answer, that of an earlier walk to which nobody listens any more or another one, there is none.
    pub fn walk(&self, domains: Vec<SipDomain>) -> io::Result<Walk> {
        Walk::begin(self.clone(), domains).ok_or_else(|| io::ErrorKind::TimedOut.into())
    }

    /// Opens a recording to be read, with an answer in that time or an error; one that is no file of its own is not there. While
    /// an earlier answer is owed to somebody who waits no more, the directory is asked nothing: so a disk that hangs keeps few
    /// threads.
    pub async fn open(&self, path: &RecordingPath, longest: Duration) -> io::Result<(File, Metadata)> {
        let (spool, path) = (self.clone(), path.clone());
        patiently(self.root.as_path(), longest, move || spool.open_file(&path)).await
    }

    /// Removes a recording, with an answer in that time or an error, as [`Self::open`] has it; the file may go later then. False
    /// where it is not there; where nothing at all is there, it may come back: that is an error.
    pub async fn remove(&self, path: &RecordingPath, longest: Duration) -> io::Result<bool> {
        let (spool, path) = (self.clone(), path.clone());
        patiently(self.root.as_path(), longest, move || spool.unlink(&path)).await
    }

    /// When a recording was last written to; none where it is not there. What is no file was written to before all others.
    ///
    /// Where nothing at all is there, or no answer comes in that time or before another one that is asked so, that is an error.
    pub async fn last_written(
        &self,
        path: &RecordingPath,
        longest: Duration,
    ) -> io::Result<Option<Timestamp>> {
        let (spool, path) = (self.clone(), path.clone());
        disk::in_turn(self.root.as_path(), longest, move || spool.stat(&path)).await
    }

    /// Which directory this is, and on which disk: another one that is mounted there, or none, has another mark.
    pub async fn mark(&self, longest: Duration) -> io::Result<String> {
        let spool = self.clone();
        let look = move || {
            let stat = fstat(spool.root()?)?;
            Ok(format!("{}:{} {}", stat.st_dev, stat.st_ino, spool.root))
        };
        disk::in_turn(self.root.as_path(), longest, look).await
    }

    /// Removes a recording as [`Self::remove`] does, and alone as [`Self::last_written`] asks.
    pub async fn remove_within(&self, path: &RecordingPath, longest: Duration) -> io::Result<bool> {
        let (spool, path) = (self.clone(), path.clone());
        disk::in_turn(self.root.as_path(), longest, move || spool.unlink(&path)).await
    }

    /// Removes the directories of a tenant's domain that are empty by now.
    pub async fn tidy(&self, domain: &SipDomain) -> io::Result<()> {
        let (spool, domain) = (self.clone(), domain.clone());
        blocking(move || spool.remove_empty(&domain)).await
    }

    /// Whether one of these domains has a directory here; with an answer in that time or an error, as [`Self::last_written`] has it.
    pub async fn holds_any(&self, domains: BTreeSet<SipDomain>, longest: Duration) -> io::Result<bool> {
        let spool = self.clone();
        let look = move || {
            let root = match spool.root() {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
                root => root?,
            };
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            for domain in domains {
                match openat2(&root, domain.as_str(), flags, Mode::empty(), WITHIN) {
                    Err(Errno::NOENT | Errno::LOOP | Errno::NOTDIR | Errno::XDEV) => {}
                    opened => return Ok(opened.map(|_| true)?),
                }
            }
            Ok(false)
        };
        disk::in_turn(self.root.as_path(), longest, look).await
    }

    fn root(&self) -> io::Result<File> {
        // The directory itself is the operator's choice, links on the way to it too.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(CWD, self.root.as_path(), flags, Mode::empty())?.into())
    }

    fn open_file(&self, path: &RecordingPath) -> io::Result<(File, Metadata)> {
        // What is no file must not keep us waiting.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file: File = openat2(self.root()?, path.relative(), flags, Mode::empty(), WITHIN)?.into();
        let metadata = file.metadata()?;
        if !metadata.is_file() || metadata.nlink() != 1 {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok((file, metadata))
    }

    fn unlink(&self, path: &RecordingPath) -> io::Result<bool> {
        let relative = path.relative();
        let Some((directory, name)) = self.place(&relative)? else {
            return Ok(false);
        };
        match unlinkat(directory, name, AtFlags::empty()) {
            Err(Errno::NOENT) => Ok(false),
            removed => Ok(removed.map(|()| true)?),
        }
    }

    fn stat(&self, path: &RecordingPath) -> io::Result<Option<Timestamp>> {
        let relative = path.relative();
        let Some((directory, name)) = self.place(&relative)? else {
            return Ok(None);
        };
        let stat = match statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(None),
            stat => stat?,
        };
        let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        // A time that cannot be told makes no file old.
        let written = || modified(&stat).unwrap_or(Timestamp::MAX);
        Ok(Some(if is_file { written() } else { Timestamp::MIN }))
    }

    /// The directory that a recording is in, open, and its name there; none where that is not there.
    fn place<'a>(&self, relative: &'a Path) -> io::Result<Option<(OwnedFd, &'a OsStr)>> {
        let (Some(directory), Some(name)) = (relative.parent(), relative.file_name()) else {
            return Ok(None);
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = self.root()?;
        match openat2(&root, directory, flags, Mode::empty(), WITHIN) {
            Err(Errno::NOENT) if holds_nothing(&root)? => Err(io::ErrorKind::NotFound.into()),
            Err(Errno::NOENT) => Ok(None),
            open => Ok(Some((open?, name))),
        }
    }

    fn remove_empty(&self, domain: &SipDomain) -> io::Result<()> {
        let root = match self.root() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            root => root?,
        };
        let mut directories = vec![PathBuf::from(domain.as_str())];
        let mut at = 0;
        while let Some(directory) = directories.get(at).cloned() {
            at += 1;
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let Ok(open) = openat2(&root, &directory, flags, Mode::empty(), WITHIN) else {
                continue;
            };
            for entry in Dir::read_from(&open)?.flatten() {
                let is_directory = entry.file_type() == FileType::Directory;
                if let Ok(name) = entry.file_name().to_str()
                    && is_directory
                    && !matches!(name, "." | "..")
                    && directory.components().count() < DEEPEST
                {
                    directories.push(directory.join(name));
                }
            }
        }
        for directory in directories.iter().rev() {
            // One that is not empty, or not ours to remove, stays.
            let _ = unlinkat(&root, directory, AtFlags::REMOVEDIR);
        }
        Ok(())
    }
}

/// Whether a directory is empty.
pub(super) fn holds_nothing(directory: &File) -> io::Result<bool> {
    for entry in Dir::read_from(directory)? {
        if !matches!(entry?.file_name().to_bytes(), b"." | b"..") {
            return Ok(false);
        }
    }
    Ok(true)
}

pub(super) fn modified(stat: &rustix::fs::Stat) -> Option<Timestamp> {
    let micros = stat
        .st_mtime
        .checked_mul(1_000_000)?
        .checked_add(i64::try_from(stat.st_mtime_nsec).ok()? / 1_000)?;
    Timestamp::from_microsecond(micros).ok()
}

/// When a file was last written to.
#[must_use]
pub fn written_at(metadata: &Metadata) -> Option<Timestamp> {
    let modified: SystemTime = metadata.modified().ok()?;
    Timestamp::try_from(modified).ok()
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    spawn_blocking(work).await.map_err(io::Error::other)?
}

#[cfg(test)]
pub(in crate::driver) mod tests;
