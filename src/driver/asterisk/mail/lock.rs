//! The lock that Asterisk takes on a folder before it puts a message there, moves one or removes one.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags, flock, linkat, openat, statat, unlinkat};
use rustix::io::Errno;

const NAME: &str = ".lock";
/// Ours, which whoever uses it holds by `flock`: a lock that has this name too and that nobody holds was left by a daemon that
/// was killed.
const OWN: &str = ".lock-switchyard";
/// Asterisk itself gives up after some seconds (measured: four).
const LONGEST: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(10);

/// A folder that nobody else works on until this is dropped.
pub struct Locked<'a> {
    directory: &'a File,
    /// Held until it is closed.
    _own: OwnedFd,
}

impl<'a> Locked<'a> {
    /// As Asterisk does it: a file of its own, and a second name of that file which only one can give. Whoever takes it is the
    /// only one of ours that removes messages of the PBX.
    pub fn take(directory: &'a File) -> io::Result<Self> {
        recover(directory)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let own = openat(directory, OWN, flags, Mode::RUSR | Mode::WUSR)?;
        flock(&own, FlockOperation::NonBlockingLockExclusive)?;
        let begun = Instant::now();
        loop {
            match linkat(directory, OWN, directory, NAME, AtFlags::empty()) {
                Ok(()) => {
                    return Ok(Self { directory, _own: own });
                }
                Err(Errno::EXIST) if begun.elapsed() < LONGEST => thread::sleep(PAUSE),
                Err(error) => {
                    remove(directory, OWN)?;
                    return Err(match error {
                        Errno::EXIST => io::Error::other(
                            "its folder is locked; where no Asterisk works on it, remove `.lock` there",
                        ),
                        error => error.into(),
                    });
                }
            }
        }
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        if let Err(error) = give_back(self.directory) {
            tracing::warn!(%error, "a folder of a mail box stays locked");
        }
    }
}

/// Gives back a lock of ours that was left by one that was killed; one that somebody uses stays.
pub fn recover(directory: &File) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let own = match openat(directory, OWN, flags, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(()),
        own => own?,
    };
    match flock(&own, FlockOperation::NonBlockingLockExclusive) {
        Err(Errno::WOULDBLOCK) => Ok(()),
        held => {
            held?;
            give_back(directory)
        }
    }
}

fn give_back(directory: &File) -> io::Result<()> {
    let inode = |name: &str| match statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => Ok(None),
        stat => stat.map(|stat| Some(stat.st_ino)),
    };
    let Some(own) = inode(OWN)? else {
        return Ok(());
    };
    if inode(NAME)? == Some(own) {
        remove(directory, NAME)?;
    }
    remove(directory, OWN)
}

fn remove(directory: &File, name: &str) -> io::Result<()> {
    match unlinkat(directory, name, AtFlags::empty()) {
        Err(Errno::NOENT) => Ok(()),
        removed => Ok(removed?),
    }
}
