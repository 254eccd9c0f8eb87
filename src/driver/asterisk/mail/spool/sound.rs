//! What a caller has said, opened while Asterisk may give the message another number.

use std::cmp::Reverse;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;

use rustix::fs::{Mode, OFlags, openat2};
use rustix::io::Errno;

use super::reading::{message, number};
use super::{MailSpool, TRIES, names, within};
use crate::domain::dial::ExtensionNumber;
use crate::domain::recording::SoundFormat;
use crate::domain::sip_domain::SipDomain;
use crate::domain::voicemail::PbxMessageId;
use crate::driver::spool::WITHIN;

/// A sound that is open.
pub struct Opened {
    pub file: File,
    pub length: u64,
    /// What its name says that it holds.
    pub format: Option<SoundFormat>,
}

impl MailSpool {
    /// Opens what was said in a message; none where that is not there.
    pub fn sound(
        &self,
        domain: &SipDomain,
        mailbox: &ExtensionNumber,
        id: &PbxMessageId,
    ) -> io::Result<Option<Opened>> {
        let root = self.open_root()?.ok_or(io::ErrorKind::NotFound)?;
        let mut is_silent = false;
        for _ in 0..TRIES {
            let Some(placed) = self.find(domain, mailbox, id)?.placed.into_iter().next() else {
                return Ok(None);
            };
            let folder = placed.folder;
            let Some(directory) = within(&root, &format!("{domain}/{mailbox}/{folder}"))? else {
                continue;
            };
            let mut files = names(&directory)?;
            files.retain(|name| number(name) == Some(&placed.number));
            let files: Vec<&str> = files.iter().map(String::as_str).collect();
            let opened = open_one(&directory, &files)?;
            // Asterisk renames the sounds first and the text last: under a number whose text is the message's before and after,
            // no other one's sound is.
            let text = message(&directory, &placed.number, &files, mailbox, folder)?;
            let is_there = text.is_some_and(|text| text.message.id == *id);
            is_silent = opened.is_none() && is_there;
            if opened.is_some() && is_there {
                return Ok(opened);
            }
        }
        if is_silent {
            return Ok(None);
        }
        Err(io::Error::other(
            "a message was moved each time that it was looked for",
        ))
    }
}

fn is_text(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, ending)| ending == "txt")
}

/// One of the sounds of a message, as recordings are opened: one that has another name besides may be anything.
fn open_one(directory: &File, files: &[&str]) -> io::Result<Option<Opened>> {
    let format = |name: &str| {
        let (_, ending) = name.rsplit_once('.')?;
        ending.to_ascii_lowercase().parse::<SoundFormat>().ok()
    };
    let mut sounds = files.to_vec();
    sounds.retain(|name| !is_text(name));
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
