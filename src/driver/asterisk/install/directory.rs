//! A change of our directory: made, given to whom it is to belong with what was deployed into it, or taken away.

use std::fmt;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags, ResolveFlags, chownat, fstat, openat2};
use rustix::io::Errno;
use rustix::process::{Gid, Uid};

use super::content::Standing;

/// A change of one directory.
pub struct DirectoryChange {
    /// The directory.
    pub path: PathBuf,
    /// How it is; `None` where it is not there.
    pub before: Option<Standing>,
    /// How it is to be; `None` takes it away, as long as it is empty.
    pub after: Option<Standing>,
    /// What in it has another owner or group than it is to have.
    pub below: Vec<Below>,
}

/// A file or directory in it.
pub struct Below {
    /// Its path in the directory.
    pub path: PathBuf,
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "user {}, group {}, mode {:o}", self.uid, self.gid, self.mode)
    }
}

impl DirectoryChange {
    /// What changes, as lines of a diff.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let line = |sign, standing: Option<Standing>| standing.map(|standing| format!("{sign}{standing}"));
        let mut lines = Vec::new();
        if self.before != self.after {
            lines.extend(line('-', self.before));
            lines.extend(line('+', self.after));
        }
        if let (Some(after), false) = (self.after, self.below.is_empty()) {
            let (count, Standing { uid, gid, .. }) = (self.below.len(), after);
            lines.push(format!(
                "+user {uid}, group {gid} for {count} files and directories in it"
            ));
        }
        lines
    }

    pub(super) fn make(&self) -> io::Result<()> {
        turn(&self.path, self.before, self.after)?;
        let Some(after) = self.after.filter(|_| !self.below.is_empty()) else {
            return Ok(());
        };
        let made = self.give(|_| (after.uid, after.gid));
        if made.is_err() {
            // The first failure is the one to tell.
            let _ = self.undo();
        }
        made
    }

    pub(super) fn undo(&self) -> io::Result<()> {
        if !self.below.is_empty() {
            self.give(|below| (below.uid, below.gid))?;
        }
        turn(&self.path, self.after, self.before)
    }

    /// Gives what is in it to whom `to` says.
    fn give(&self, to: impl Fn(&Below) -> (u32, u32)) -> io::Result<()> {
        let directory = open(&self.path)?;
        for below in &self.below {
            let (uid, gid) = to(below);
            give(&directory, below, uid, gid).map_err(|error| {
                io::Error::new(error.kind(), format!("{}: {error}", below.path.display()))
            })?;
        }
        Ok(())
    }
}

/// The daemon's user may write in the directory: root must not be led out of it, nor give away what came into it meanwhile.
fn give(directory: &File, below: &Below, uid: u32, gid: u32) -> io::Result<()> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    let found: OwnedFd = match openat2(directory, &below.path, flags, Mode::empty(), resolve) {
        // A deploy cleared it away.
        Err(Errno::NOENT) => return Ok(()),
        found => found?,
    };
    let owner = fstat(&found)?.st_uid;
    if owner != below.uid && owner != uid {
        return Err(changed());
    }
    let (uid, gid) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
    Ok(chownat(&found, "", uid, gid, AtFlags::EMPTY_PATH)?)
}

fn turn(path: &Path, from: Option<Standing>, to: Option<Standing>) -> io::Result<()> {
    let Some(from) = from else {
        DirBuilder::new().mode(0o700).create(path)?;
        let given = to.map_or(Ok(()), |to| to.give(&open(path)?));
        if given.is_err() {
            // The first failure is the one to tell.
            let _ = fs::remove_dir(path);
        }
        return given;
    };
    let directory = open(path)?;
    if Standing::of(&directory.metadata()?) != from {
        return Err(changed());
    }
    match to {
        Some(to) => to.give(&directory),
        None => fs::remove_dir(path),
    }
}

/// Where another user put a link in its place, root must not follow it.
fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::RDONLY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?.into())
}

/// Somebody else was here between the look and the change.
pub(super) fn changed() -> io::Error {
    io::Error::other("somebody changed it meanwhile")
}
