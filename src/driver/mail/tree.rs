//! The directory of a PBX's mail boxes, `<domain>/<mailbox>`, in which nothing else is reached.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, ResolveFlags, Stat, openat2, statat, unlinkat};
use rustix::io::Errno;

use super::opened::Opened;
use super::turn::{self, Turn};
use super::{BELIEVED, MailError, MailPlace, MessageSound};
use crate::domain::dial::ExtensionNumber;
use crate::domain::sip_domain::SipDomain;
use crate::driver::Check;
use crate::driver::spool::disk::in_turn;
use crate::driver::spool::{Sound, WITHIN, holds_nothing, identity};

/// What errors call it.
pub const WHAT: &str = "the directory of mail boxes";
/// How long a disk may take for one box, with as many messages as are looked at.
const LONGEST: Duration = Duration::from_secs(10);
/// More boxes of a domain are not looked at: as many extensions as four digits have.
const MOST_MAILBOXES: usize = 10_000;
/// More entries of a directory are not looked at: a message has a text and a few sounds.
const MOST_ENTRIES: usize = 100_000;
const CHECK: &str = "mail_boxes";
/// A disk that hangs keeps the turn for as long as it does: the other checks do not wait for that.
const PATIENCE: Duration = Duration::from_secs(3);

/// The directory.
#[derive(Clone, Debug)]
pub struct MailTree {
    root: PathBuf,
}

impl MailTree {
    pub const fn new(root: PathBuf) -> Self {
        Self { root }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Waits for the turn to work on what is in it.
    pub async fn turn(&self) -> Result<Turn, MailError> {
        turn::take(&self.root).await
    }

    /// Asks the disk, outside of whatever thread others wait for, which keeps the turn until it has answered. Where the directory
    /// as a whole cannot be asked, none of its boxes would fare better.
    pub async fn ask<T: Send + 'static>(
        &self,
        turn: &Turn,
        ask: impl FnOnce(&Self) -> io::Result<T> + Send + 'static,
    ) -> Result<io::Result<T>, MailError> {
        let absent = || MailError::Absent {
            directory: self.root.display().to_string(),
        };
        let (asked, turn) = (self.clone(), Arc::clone(turn));
        let answer = in_turn(&self.root, LONGEST, move || {
            let answer = asked.open_root().map(|_| ask(&asked));
            drop(turn);
            answer
        });
        match answer.await {
            Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => Err(absent()),
            Ok(answer) => Ok(answer),
            // It took too long for this box: others may not.
            Err(error) if error.kind() == io::ErrorKind::TimedOut => Ok(Err(error)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(absent()),
            Err(error) => {
                let what = format!("{WHAT} ({})", self.root.display());
                Err(MailError::unavailable(what, error))
            }
        }
    }

    /// Which directory this is; none where it is not there, and may not be yet.
    pub async fn place(&self, turn: &Turn) -> Result<Option<MailPlace>, MailError> {
        let place = self.ask(turn, Self::placed).await?;
        place.map_err(|error| MailError::unavailable(WHAT, error))
    }

    /// None where it is not there, and may not be yet.
    pub fn placed(&self) -> io::Result<Option<MailPlace>> {
        let Some(root) = self.open_root()? else {
            return Ok(None);
        };
        let believed = match statat(&root, BELIEVED, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => None,
            stat => Some(stat?),
        };
        Ok(Some(MailPlace {
            mark: format!("{} {}", identity(&root, "")?, self.root.display()),
            root: self.root.display().to_string(),
            is_believed: believed.is_some_and(|file| {
                FileType::from_raw_mode(file.st_mode) == FileType::RegularFile && file.st_size == 0
            }),
        }))
    }

    /// The boxes of a domain.
    pub async fn mailboxes(
        &self,
        turn: &Turn,
        domain: &SipDomain,
    ) -> Result<Option<Vec<ExtensionNumber>>, MailError> {
        let of = domain.clone();
        let found = self.ask(turn, move |tree| tree.boxes(&of)).await?;
        found.map_err(|error| MailError::refused_all(domain, error))
    }

    /// None where there is no directory of the domain, or nothing at all in it: no PBX leaves such one, and where a disk was
    /// mounted and is not, there is one.
    pub fn boxes(&self, domain: &SipDomain) -> io::Result<Option<Vec<ExtensionNumber>>> {
        let Some(root) = self.open_root()? else {
            return Ok(None);
        };
        let Some(directory) = within(&root, domain.as_str())? else {
            return Ok(None);
        };
        if holds_nothing(&directory)? {
            return Ok(None);
        }
        let mut mailboxes = Vec::new();
        for name in names(&directory)? {
            mailboxes.extend(name.parse::<ExtensionNumber>().ok());
            if mailboxes.len() > MOST_MAILBOXES {
                return Err(io::Error::other(format!(
                    "there are more than {MOST_MAILBOXES} mail boxes of {domain}"
                )));
            }
        }
        mailboxes.sort_unstable();
        Ok(Some(mailboxes))
    }

    /// What a caller has said, opened in a box of it or in the PBX's list.
    pub fn sound(&self, opened: Opened) -> MessageSound {
        MessageSound {
            sound: Sound::of(opened.file, opened.length, self.root.clone()),
            format: opened.format,
        }
    }

    /// Opens what a caller has said in a message of a box; none where that is not there.
    pub async fn open(
        &self,
        turn: &Turn,
        mailbox: &ExtensionNumber,
        open: impl FnOnce(&Self) -> io::Result<Option<Opened>> + Send + 'static,
    ) -> Result<Option<MessageSound>, MailError> {
        let opened = self.ask(turn, open).await?.map_err(|error| match error.kind() {
            io::ErrorKind::TimedOut => MailError::unavailable(WHAT, error),
            _ => MailError::refused(mailbox, error),
        })?;
        Ok(opened.map(|opened| self.sound(opened)))
    }

    /// Of the connection test, whether the directories of all mail boxes can be read. `mend`: how the disk is to be where they cannot.
    pub async fn check(&self, mend: &str) -> Check {
        let root = self.root.display();
        let Ok(turn) = turn::take_within(&self.root, PATIENCE).await else {
            let detail = format!(
                "something else has worked on the mail boxes in {root} for {} seconds or more, so they were not looked at",
                PATIENCE.as_secs()
            );
            let mend =
                "test again; where it says so each time, see whether the disk that they lie on answers";
            return Check::bad(CHECK, detail, mend);
        };
        match self.ask(&turn, Self::try_all).await {
            Ok(Ok(())) => Check::good(CHECK, format!("{root} can be read")),
            Ok(Err(error)) => unread(&MailError::unavailable(root.to_string(), error), mend),
            Err(error) => unread(&error, mend),
        }
    }

    /// Whether they can be.
    pub fn try_all(&self) -> io::Result<()> {
        let Some(root) = self.open_root()? else {
            return Ok(());
        };
        for domain in names(&root)?.iter().filter(|name| !name.starts_with('.')) {
            let readable = readable(&root, domain)?;
            let mailboxes = readable.map_or(Ok(Vec::new()), |directory| names(&directory))?;
            for mailbox in mailboxes.iter().filter(|name| !name.starts_with('.')) {
                self::readable(&root, &format!("{domain}/{mailbox}"))?;
            }
        }
        Ok(())
    }

    /// None where it is not there and may not be yet, since what it is in is there; where that is not, it is
    /// [`io::ErrorKind::NotFound`].
    pub fn open_root(&self) -> io::Result<Option<File>> {
        // The directory itself is the operator's choice, links on the way to it too.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let open = |path: &Path| rustix::fs::openat(CWD, path, flags, Mode::empty());
        match (open(&self.root), self.root.parent()) {
            (Err(Errno::NOENT), Some(above)) => Ok(open(above).map(|_| None)?),
            (root, _) => Ok(Some(root?.into())),
        }
    }
}

/// The check of mail boxes that cannot be looked at. `place`: how they are to lie.
pub fn unread(error: &MailError, place: &str) -> Check {
    let user = rustix::process::geteuid().as_raw();
    let mend = format!(
        "{place}, and let the user {user} read all directories in it, as a member of the group that they belong to; until then no \
         message of a mail box is listed, removed or exported"
    );
    Check::bad(CHECK, error.full(), mend)
}

/// No disk may be mounted on the way either: where it is not, an empty directory would be taken for what it holds.
const ON_ONE_DISK: ResolveFlags = WITHIN.union(ResolveFlags::NO_XDEV);

/// A directory below another one; none where it is not there. What leads elsewhere is an error: nobody knows what lies there.
pub fn within(root: &File, path: &str) -> io::Result<Option<File>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    match openat2(root, path, flags, Mode::empty(), ON_ONE_DISK) {
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(why_not(path, error)),
        Ok(open) => Ok(Some(open.into())),
    }
}

/// The same for whatever may lie there: what is no directory holds no messages.
fn readable(root: &File, path: &str) -> io::Result<Option<File>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    match openat2(root, path, flags, Mode::empty(), ON_ONE_DISK) {
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(error) => Err(io::Error::other(format!("{path}: {}", why_not(path, error)))),
        Ok(open) => Ok(Some(open.into())),
    }
}

fn why_not(path: &str, error: Errno) -> io::Error {
    match error {
        Errno::LOOP | Errno::NOTDIR => io::Error::other(format!(
            "{path} is a link, or no directory: messages behind it are not looked after"
        )),
        Errno::XDEV => io::Error::other(format!(
            "a disk is mounted at {path}, or on the way to it: messages on it are not looked after; mount it at the directory of \
             all mail boxes, or above that"
        )),
        error => error.into(),
    }
}

/// What is in a directory, in order.
pub fn names(directory: &File) -> io::Result<Vec<String>> {
    Ok(entries(directory)?.into_iter().map(|(name, _)| name).collect())
}

/// The same, each with the number of its file.
pub fn entries(directory: &File) -> io::Result<Vec<(String, u64)>> {
    let mut entries = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        if let Ok(name) = entry.file_name().to_str() {
            entries.push((name.to_owned(), entry.ino()));
        }
        if entries.len() > MOST_ENTRIES {
            return Err(io::Error::other(format!(
                "a directory holds more than {MOST_ENTRIES} files"
            )));
        }
    }
    entries.sort_unstable();
    Ok(entries)
}

/// What is known of a file; none where it has gone, or is none.
pub fn file(directory: &File, name: &str) -> io::Result<Option<Stat>> {
    match statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => Ok(None),
        stat => Ok(Some(stat?).filter(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile)),
    }
}

/// Removes a file that may have gone.
pub fn unlink(directory: &File, name: &str) -> io::Result<()> {
    match unlinkat(directory, name, AtFlags::empty()) {
        Err(Errno::NOENT) => Ok(()),
        removed => Ok(removed?),
    }
}

#[cfg(test)]
mod tests;
