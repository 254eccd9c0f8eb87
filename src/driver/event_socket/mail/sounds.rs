//! The sounds of messages as they lie in a mail box, beside its greetings.

use std::io;

use jiff::Timestamp;
use rustix::fs::{Access, AtFlags, Mode, Stat, accessat, fstat};
use rustix::io::Errno;
use rustix::process::Uid;
use uuid::Uuid;

use crate::domain::dial::ExtensionNumber;
use crate::domain::sip_domain::SipDomain;
use crate::domain::voicemail::PbxMessageId;
use crate::driver::mail::opened::{Opened, open_one};
use crate::driver::mail::tree::{MailTree, file, names, unlink, within};
use crate::driver::spool::modified;

/// What a caller has said is `msg_<uuid>.wav`, and with FusionPBX what somebody has said before it when they passed it on
/// `intro_<uuid>.wav` (both read in the sources of FreeSWITCH and FusionPBX).
const MESSAGE: &str = "msg_";
/// The longer one first: the other one begins it.
const PREFIXES: [&str; 3] = ["intro_msg_", "intro_", MESSAGE];

/// A file of a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lying {
    pub name: String,
    pub bytes: i64,
    pub written: Timestamp,
}

impl Lying {
    /// Whether it is what a caller has said.
    pub fn is_said(&self) -> bool {
        self.name.starts_with(MESSAGE)
    }

    /// Its name up to its ending.
    pub fn stem(&self) -> &str {
        self.name.rsplit_once('.').map_or(&self.name, |(stem, _)| stem)
    }

    /// The message that it is named after; one that is named after none has an id that is made of its name.
    pub fn id(&self) -> Option<PbxMessageId> {
        let named = PREFIXES
            .iter()
            .find_map(|prefix| self.stem().strip_prefix(prefix))?;
        match Uuid::try_parse(named) {
            Ok(uuid) => uuid.to_string().parse().ok(),
            Err(_) => Some(PbxMessageId::made_of([named.as_bytes()])),
        }
    }
}

/// Those of a box; none where it has no directory.
pub fn in_box(tree: &MailTree, domain: &SipDomain, mailbox: &ExtensionNumber) -> io::Result<Vec<Lying>> {
    let Some(root) = tree.open_root()? else {
        return Ok(Vec::new());
    };
    let Some(directory) = within(&root, &format!("{domain}/{mailbox}"))? else {
        return Ok(Vec::new());
    };
    let mut all = Vec::new();
    for name in names(&directory)? {
        if !PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
            continue;
        }
        if let Some(stat) = file(&directory, &name)? {
            all.push(Lying {
                name,
                bytes: stat.st_size,
                // One that cannot be told is not old.
                written: modified(&stat).unwrap_or(Timestamp::MAX),
            });
        }
    }
    Ok(all)
}

/// Opens what a caller has said; none where that is not there.
pub fn open(
    tree: &MailTree,
    domain: &SipDomain,
    mailbox: &ExtensionNumber,
    files: &[String],
) -> io::Result<Option<Opened>> {
    let root = tree.open_root()?.ok_or(io::ErrorKind::NotFound)?;
    let Some(directory) = within(&root, &format!("{domain}/{mailbox}"))? else {
        return Ok(None);
    };
    let said = files.iter().filter(|name| name.starts_with(MESSAGE));
    open_one(&directory, said.map(String::as_str).collect())
}

/// Whether files of a box can be removed. `own`: whoever asks; none where the owner of a file does not matter to them.
pub fn may_remove(
    tree: &MailTree,
    domain: &SipDomain,
    mailbox: &ExtensionNumber,
    files: &[String],
    own: Option<Uid>,
) -> io::Result<()> {
    let root = tree.open_root()?.ok_or(io::ErrorKind::NotFound)?;
    let Some(directory) = within(&root, &format!("{domain}/{mailbox}"))? else {
        return Ok(());
    };
    let needed = Access::WRITE_OK.union(Access::EXEC_OK);
    accessat(&directory, ".", needed, AtFlags::EACCESS)?;
    let is_own = |stat: &Stat| own.is_none_or(|own| stat.st_uid == own.as_raw());
    let of_box = fstat(&directory)?;
    // In a sticky directory everybody removes what is their own alone.
    if Mode::from_raw_mode(of_box.st_mode).contains(Mode::SVTX) && !is_own(&of_box) {
        for name in files {
            if file(&directory, name)?.is_some_and(|stat| !is_own(&stat)) {
                return Err(Errno::PERM.into());
            }
        }
    }
    Ok(())
}

/// Removes those that are there, what the caller has said last: as long as that is there, the message is found.
pub fn remove(
    tree: &MailTree,
    domain: &SipDomain,
    mailbox: &ExtensionNumber,
    files: &[String],
) -> io::Result<()> {
    let root = tree.open_root()?.ok_or(io::ErrorKind::NotFound)?;
    let Some(directory) = within(&root, &format!("{domain}/{mailbox}"))? else {
        return Ok(());
    };
    let (said, before): (Vec<&String>, Vec<&String>) =
        files.iter().partition(|name| name.starts_with(MESSAGE));
    for name in before.into_iter().chain(said) {
        unlink(&directory, name)?;
    }
    Ok(())
}
