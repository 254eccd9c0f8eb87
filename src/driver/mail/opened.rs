//! A sound of a message, opened where it lies.

use std::cmp::Reverse;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;

use rustix::fs::{Mode, OFlags, openat2};
use rustix::io::Errno;

use crate::domain::recording::SoundFormat;
use crate::driver::spool::WITHIN;

/// A sound that is open.
pub struct Opened {
    pub file: File,
    pub length: u64,
    /// What its name says that it holds.
    pub format: Option<SoundFormat>,
}

/// One of several with the same sound, as recordings are opened: one that has another name besides may be anything.
pub fn open_one(directory: &File, mut sounds: Vec<&str>) -> io::Result<Option<Opened>> {
    let format = |name: &str| {
        let (_, ending) = name.rsplit_once('.')?;
        ending.to_ascii_lowercase().parse::<SoundFormat>().ok()
    };
    sounds.sort_unstable_by_key(|name| (format(name).is_none(), Reverse(*name)));
    let mut unreadable = None;
    for name in sounds {
        // What is no file must not keep us waiting.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file: File = match openat2(directory, name, flags, Mode::empty(), WITHIN) {
            Err(Errno::NOENT | Errno::LOOP | Errno::XDEV | Errno::NXIO) => continue,
            // Another one with the same sound may be readable.
            Err(error @ Errno::ACCESS) => {
                unreadable = Some(error);
                continue;
            }
            open => open?.into(),
        };
        let metadata = file.metadata()?;
        if metadata.is_file() && metadata.nlink() == 1 {
            return Ok(Some(Opened {
                file,
                length: metadata.len(),
                format: format(name),
            }));
        }
    }
    unreadable.map_or(Ok(None), |error| Err(error.into()))
}
