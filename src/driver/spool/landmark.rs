//! By what a directory of recordings is known again: another disk that is there, or the place where none is mounted, is another one,
//! whatever a PBX has recorded there.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, StatxFlags, Timespec, Timestamps, UTIME_NOW, futimens, openat2, statat,
    statx, unlinkat,
};
use rustix::io::Errno;

use super::asking::patiently;
use super::{Spool, WITHIN};

/// The name of a file in the directory that holds the tenants' own; nothing that begins so is a recording.
pub const LANDMARK: &str = ".switchyard-recordings";

const TEXT: &str = "By this file the directory of recordings is known again: only where it is there, a recording that is not is taken to \
     have been removed.";
/// Nothing longer is one.
const LONGEST: i64 = 1_000;
/// It is written to again after so long, so that whoever removes old files leaves it.
const FRESH: Duration = Duration::from_hours(24);

/// By what a directory is known again: the file, or, where the service may not make one, which directory of which disk it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Landmark {
    /// What stands in the file; none without one.
    text: Option<String>,
    /// Which directory of which disk.
    directory: String,
    /// Which file: a copy is another one.
    file: String,
}

impl Landmark {
    /// Whether there is a file.
    #[must_use]
    pub const fn is_file(&self) -> bool {
        self.text.is_some()
    }

    /// Whether an operator has made it: an empty file says that the directory is the right one.
    #[must_use]
    pub fn is_operators(&self) -> bool {
        self.text.as_ref().is_some_and(String::is_empty)
    }

    /// What is kept of it.
    #[must_use]
    pub fn kept(&self) -> String {
        match &self.text {
            Some(text) => format!("{text}\nfile {}", self.file),
            None => self.directory.clone(),
        }
    }

    /// Whether both are of one directory, whatever file there is in it.
    #[must_use]
    pub fn is_beside(&self, other: &Self) -> bool {
        self.directory == other.directory
    }

    /// Whether this was kept of it, also before there was the file.
    #[must_use]
    pub fn is_kept(&self, kept: &str) -> bool {
        kept == self.directory || kept == self.kept()
    }

    /// What is no file of its own, cannot be read, or is too long, is none.
    pub(super) fn of(root: &File) -> io::Result<Self> {
        let without = Self {
            text: None,
            directory: format!("directory {}", identity(root, "")?),
            file: String::new(),
        };
        let stat = match statat(root, LANDMARK, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(without),
            stat => stat?,
        };
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile || stat.st_size > LONGEST {
            return Ok(without);
        }
        let mut text = Vec::new();
        if stat.st_size > 0 {
            let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let file: File = match openat2(root, LANDMARK, flags, Mode::empty(), WITHIN) {
                Err(Errno::NOENT | Errno::LOOP | Errno::ACCESS | Errno::PERM) => return Ok(without),
                opened => opened?.into(),
            };
            file.take(LONGEST.unsigned_abs()).read_to_end(&mut text)?;
        }
        let text = String::from_utf8_lossy(&text).trim_end().to_owned();
        // Of what a power failure leaves of a file, nothing can be kept.
        if text.chars().any(|c| c.is_control() && c != '\n') {
            return Ok(without);
        }
        Ok(Self {
            text: Some(text),
            file: identity(root, LANDMARK)?,
            ..without
        })
    }
}

/// Which file or directory this is: by its number and when it was made, which a copy does not have and a restart does not change,
/// or, where the file system does not tell that, by its number and its disk's.
pub(in crate::driver) fn identity(root: &File, name: &str) -> io::Result<String> {
    let flags = AtFlags::EMPTY_PATH | AtFlags::SYMLINK_NOFOLLOW;
    let told = statx(root, name, flags, StatxFlags::INO | StatxFlags::BTIME)?;
    let (number, made) = (told.stx_ino, told.stx_btime);
    Ok(if told.stx_mask & StatxFlags::BTIME.bits() == 0 {
        format!("{}:{}:{number}", told.stx_dev_major, told.stx_dev_minor)
    } else {
        format!("{number} of {}.{:09}", made.tv_sec, made.tv_nsec)
    })
}

impl Spool {
    /// The directory's landmark, with an answer in that time or an error; none where there is no directory.
    pub async fn landmark(&self, longest: Duration) -> io::Result<Option<Landmark>> {
        let spool = self.clone();
        let look = move || match spool.root() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            root => Landmark::of(&root?).map(Some),
        };
        patiently(self.root.as_path(), longest, look).await
    }

    /// Makes the file, or writes into an operator's, what no other one says.
    pub async fn make_landmark(&self, unique: &str, longest: Duration) -> io::Result<Landmark> {
        let (spool, text) = (self.clone(), format!("{TEXT}\n{unique}\n"));
        let make = move || {
            let root = spool.root()?;
            write(&root, &text)?;
            Landmark::of(&root)
        };
        patiently(self.root.as_path(), longest, make).await
    }

    /// Has the file look new where it has become old, as far as the service may.
    pub async fn refresh_landmark(&self, longest: Duration) -> io::Result<()> {
        let spool = self.clone();
        let refresh = move || {
            let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let file: File = openat2(spool.root()?, LANDMARK, flags, Mode::empty(), WITHIN)?.into();
            let age = file.metadata()?.modified()?.elapsed().unwrap_or_default();
            if age < FRESH {
                return Ok(());
            }
            let now = Timespec {
                tv_sec: 0,
                tv_nsec: UTIME_NOW,
            };
            // Both: who may write there may set them, whosever it is.
            let times = Timestamps {
                last_access: now,
                last_modification: now,
            };
            Ok(futimens(file, &times)?)
        };
        patiently(self.root.as_path(), longest, refresh).await
    }
}

fn write(root: &File, text: &str) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mode = Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::ROTH;
    match openat2(
        root,
        LANDMARK,
        flags | OFlags::CREATE | OFlags::EXCL,
        mode,
        WITHIN,
    ) {
        Err(Errno::EXIST) => {
            let mut file: File = openat2(root, LANDMARK, flags, Mode::empty(), WITHIN)?.into();
            let metadata = file.metadata()?;
            if !metadata.is_file() || metadata.len() > 0 || metadata.nlink() != 1 {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            file.write_all(text.as_bytes())
        }
        opened => {
            let written = File::from(opened?).write_all(text.as_bytes());
            if written.is_err() {
                // An empty one would be taken for an operator's.
                unlinkat(root, LANDMARK, AtFlags::empty())?;
            }
            written
        }
    }
}
