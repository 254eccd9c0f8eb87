//! Asterisk's directory of mail boxes: `<domain>/<mailbox>/<folder>/msgNNNN.txt` with its sounds, and nothing else reached by it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::renameat;

pub use self::reading::Placed;
use self::reading::{number, settled};
use super::lock::Locked;
use crate::domain::dial::ExtensionNumber;
use crate::domain::sip_domain::SipDomain;
use crate::domain::voicemail::{MailFolder, PbxMessageId};
use crate::driver::mail::MailboxContent;
use crate::driver::mail::tree::{MailTree, names, unlink, within};
use crate::driver::spool::holds_nothing;

/// More messages of a box are not looked at: as many as Asterisk keeps in one folder.
const MOST_MESSAGES: usize = 10_000;
/// How often what is being moved is read, and for how long others have it in between.
const TRIES: usize = 5;
const PAUSE: Duration = Duration::from_millis(20);
/// Asterisk waits for a lock for some seconds (measured: four): one that is held so long is told.
const LONG: Duration = Duration::from_secs(1);
const MOVED: &str = "its messages were moved each time that they were read; it is tried again";

/// The directory, `<spool>/voicemail`.
#[derive(Clone, Copy, Debug)]
pub struct MailSpool<'a>(pub &'a MailTree);

impl MailSpool<'_> {
    /// What is in a box. A message that lies there twice is one.
    pub fn content(self, domain: &SipDomain, mailbox: &ExtensionNumber) -> io::Result<MailboxContent> {
        let mut content = MailboxContent::default();
        let mut known: BTreeMap<PbxMessageId, usize> = BTreeMap::new();
        for placed in self.placed(domain, mailbox)? {
            let message = placed.message;
            let twin = known
                .get(&message.id)
                .and_then(|at| content.messages.get_mut(*at));
            if let Some(twin) = twin {
                twin.bytes = twin.bytes.saturating_add(message.bytes);
                continue;
            }
            if content.messages.len() == MOST_MESSAGES {
                content.has_more = true;
                break;
            }
            known.insert(message.id.clone(), content.messages.len());
            content.messages.push(message);
        }
        Ok(content)
    }

    /// Where a message lies.
    pub fn find(self, domain: &SipDomain, mailbox: &ExtensionNumber, id: &PbxMessageId) -> io::Result<Found> {
        let mut placed = self.placed(domain, mailbox)?;
        let keeps_deleted = placed.iter().any(|placed| placed.folder == MailFolder::Deleted);
        placed.retain(|placed| placed.message.id == *id);
        Ok(Found {
            placed,
            keeps_deleted,
        })
    }

    /// Removes the files of a message under the lock that Asterisk itself takes; whether there were some.
    ///
    /// The number is left out then, until Asterisk opens the folder next and closes the gap: whoever listens meanwhile has every
    /// other message under the number that it had. In `Deleted`, which nobody opens, the gap is closed.
    pub fn unlink(
        self,
        domain: &SipDomain,
        mailbox: &ExtensionNumber,
        id: &PbxMessageId,
    ) -> io::Result<bool> {
        let mut is_removed = false;
        for _ in 0..TRIES {
            let found = self.find(domain, mailbox, id)?.placed;
            if found.is_empty() {
                return Ok(is_removed);
            }
            for placed in &found {
                is_removed |= self.unlink_one(domain, mailbox, placed)?;
            }
        }
        Err(io::Error::other(MOVED))
    }

    /// Whether it was removed: what was found may have another number by now, and is looked for anew then. Where the lock is held
    /// for longer than Asterisk waits for it, what a caller says is lost: so one text is read under it, and no folder.
    fn unlink_one(self, domain: &SipDomain, mailbox: &ExtensionNumber, found: &Placed) -> io::Result<bool> {
        let root = self.0.open_root()?.ok_or(io::ErrorKind::NotFound)?;
        let (folder, number) = (found.folder, found.number.as_str());
        let Some(directory) = within(&root, &format!("{domain}/{mailbox}/{folder}"))? else {
            return Ok(false);
        };
        let lock = Locked::take(&directory)?;
        let begun = Instant::now();
        let text = format!("msg{number}.txt");
        let there = reading::message(&directory, number, &[&text], mailbox, folder)?;
        let is_it = there.is_some_and(|there| there.message.id == found.message.id);
        if is_it {
            // Asterisk lists it too under its lock, for each message that is left.
            let mut files = names(&directory)?;
            remove(&directory, &files, number)?;
            if folder == MailFolder::Deleted {
                files.retain(|name| self::number(name).is_some_and(|of| of != number));
                close_gaps(&directory, &files)?;
            }
        }
        drop(lock);
        let held = begun.elapsed();
        if held >= LONG {
            tracing::warn!(%domain, %mailbox, %folder, ?held, "a folder of a mail box was locked for long: Asterisk waits for some seconds");
        }
        Ok(is_it)
    }

    /// All messages of a box, as they lay there at one time: what is given another number while it is read has not gone.
    fn placed(self, domain: &SipDomain, mailbox: &ExtensionNumber) -> io::Result<Vec<Placed>> {
        let root = self.0.open_root()?.ok_or(io::ErrorKind::NotFound)?;
        // It is not the directory of all boxes that is not there: those of other domains may be.
        let of_domain = within(&root, domain.as_str())?.ok_or_else(|| nothing_in(domain.as_str()))?;
        if holds_nothing(&of_domain)? {
            return Err(nothing_in(domain.as_str()));
        }
        for tries in 1..=TRIES {
            let Some(directory) = within(&of_domain, mailbox.as_str())? else {
                return Ok(Vec::new());
            };
            if holds_nothing(&directory)? {
                return Err(nothing_in(&format!("{domain}/{mailbox}")));
            }
            if let Some(placed) = settled(&directory, mailbox, tries == TRIES)? {
                return Ok(placed);
            }
            thread::sleep(PAUSE);
        }
        Err(io::Error::other(MOVED))
    }
}

/// What was found of a message.
#[derive(Debug)]
pub struct Found {
    /// In no folder, in one, or, while Asterisk moves it, in two.
    pub placed: Vec<Placed>,
    /// Whether the box holds messages that were deleted.
    pub keeps_deleted: bool,
}

/// Nothing is where messages were, or may be: Asterisk takes away no directory, and leaves none empty.
fn nothing_in(path: &str) -> io::Error {
    io::Error::other(format!(
        "nothing at all is in the directory {path} of the mail boxes, or it is not there: see whether a disk was mounted there, \
         or put an empty file into it where it was emptied on purpose"
    ))
}

/// Removes the files of a number, the text last: as long as it is there, the message is found.
fn remove(directory: &File, names: &[String], number: &str) -> io::Result<()> {
    let text = format!("msg{number}.txt");
    let files = names
        .iter()
        .filter(|name| self::number(name) == Some(number) && **name != text);
    for name in files.chain([&text]) {
        unlink(directory, name)?;
    }
    Ok(())
}

/// Gives the messages of a folder numbers without a gap, in the order that they have: where `Deleted` is full, Asterisk moves each
/// one down as far as to the first gap, and puts the next one over the last. Of each number the text comes last.
fn close_gaps(directory: &File, names: &[String]) -> io::Result<()> {
    let mut by_number: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for name in names {
        if let Some(number) = number(name) {
            by_number.entry(number).or_default().push(name);
        }
    }
    for (next, (number, mut files)) in by_number.into_iter().enumerate() {
        let free = format!("{next:04}");
        if free == number {
            continue;
        }
        let text = format!("msg{number}.txt");
        files.sort_by_key(|name| *name == text);
        for name in files {
            let ending = name.get(text.len() - ".txt".len()..).unwrap_or_default();
            renameat(directory, name, directory, format!("msg{free}{ending}"))?;
        }
    }
    Ok(())
}

mod reading;
mod sound;

#[cfg(test)]
mod tests;
