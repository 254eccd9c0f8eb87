//! The messages of a mail box, read while Asterisk may give them other numbers.

use std::fs::File;
use std::io::{self, Read as _};

use jiff::Timestamp;
use rustix::fs::{Mode, OFlags, openat2};
use rustix::io::Errno;

use super::MOST_MESSAGES;
use crate::domain::dial::ExtensionNumber;
use crate::domain::voicemail::{FoundMessage, MailFolder, PbxMessageId};
use crate::driver::asterisk::mail::lock;
use crate::driver::asterisk::mail::text::MessageText;
use crate::driver::mail::tree::{entries, file, within};
use crate::driver::spool::{WITHIN, modified};

/// Asterisk writes some hundred bytes.
const LONGEST_TEXT: u64 = 16_384;

/// A message where it lies.
#[derive(Debug)]
pub struct Placed {
    pub folder: MailFolder,
    /// The NNNN of `msgNNNN`.
    pub(super) number: String,
    pub message: FoundMessage,
    /// Whether anything stands in its text: Asterisk makes an empty one before it writes it.
    is_written: bool,
}

/// A folder, with what was listed of it.
struct Listed {
    folder: MailFolder,
    directory: File,
    /// By name, each with the number of its file, which goes with it wherever it is moved.
    files: Vec<(String, u64)>,
}

/// The messages of a box; none where some of them were moved meanwhile. Where it is read for the last time, an empty text is one
/// that stays so.
pub fn settled(mailbox: &File, named: &ExtensionNumber, is_last: bool) -> io::Result<Option<Vec<Placed>>> {
    let before = list(mailbox)?;
    let mut all = Vec::new();
    for listed in &before {
        // One that was killed keeps no caller from leaving a message. Where we may not write, we have locked nothing.
        if let Err(error) = lock::recover(&listed.directory) {
            tracing::warn!(%error, mailbox = %named, "a folder of a mail box stays locked");
        }
        let files: Vec<&str> = listed.files.iter().map(|(name, _)| name.as_str()).collect();
        all.extend(messages(&listed.directory, &files, named, listed.folder)?);
    }
    let of_messages = |listed: &[Listed]| {
        let files = listed.iter().flat_map(|listed| {
            let files = listed.files.iter().filter(|(name, _)| number(name).is_some());
            files.map(move |file| (listed.folder, file.clone()))
        });
        files.collect::<Vec<_>>()
    };
    let is_still = of_messages(&before) == of_messages(&list(mailbox)?);
    let is_written = is_last || all.iter().all(|placed| placed.is_written);
    Ok((is_still && is_written).then_some(all))
}

fn list(mailbox: &File) -> io::Result<Vec<Listed>> {
    let mut all = Vec::new();
    for folder in MailFolder::ALL {
        if let Some(directory) = within(mailbox, folder.as_str())? {
            all.push(Listed {
                folder: *folder,
                files: entries(&directory)?,
                directory,
            });
        }
    }
    Ok(all)
}

/// The NNNN of `msgNNNN.ending`.
pub fn number(name: &str) -> Option<&str> {
    let (stem, _) = name.split_once('.')?;
    let number = stem.strip_prefix("msg")?;
    (number.len() == 4 && number.bytes().all(|byte| byte.is_ascii_digit())).then_some(number)
}

/// The messages of a folder, by their numbers: each text that is a file, with what is beside it. The names are in order.
fn messages(
    directory: &File,
    names: &[&str],
    mailbox: &ExtensionNumber,
    folder: MailFolder,
) -> io::Result<Vec<Placed>> {
    let mut placed = Vec::new();
    let mut rest = names;
    while let Some(name) = rest.first() {
        let Some(number) = number(name) else {
            rest = rest.get(1..).unwrap_or_default();
            continue;
        };
        let beside = rest.iter().take_while(|name| self::number(name) == Some(number));
        let (files, others) = rest.split_at_checked(beside.count()).unwrap_or((rest, &[]));
        rest = others;
        placed.extend(message(directory, number, files, mailbox, folder)?);
        if placed.len() > MOST_MESSAGES {
            break;
        }
    }
    Ok(placed)
}

/// The message of a number, which has these files; none where its text is not there.
pub fn message(
    directory: &File,
    number: &str,
    files: &[&str],
    mailbox: &ExtensionNumber,
    folder: MailFolder,
) -> io::Result<Option<Placed>> {
    let text_name = format!("msg{number}.txt");
    if !files.contains(&text_name.as_str()) {
        // A recording that is being put there, or what is left of one.
        return Ok(None);
    }
    let (mut bytes, mut oldest) = (0_i64, None::<Timestamp>);
    let (mut text_written, mut is_written) = (None, false);
    for name in files {
        let Some(stat) = file(directory, name)? else {
            if *name == text_name {
                return Ok(None);
            }
            continue;
        };
        bytes = bytes.saturating_add(stat.st_size);
        let written = modified(&stat);
        oldest = match (oldest, written) {
            (Some(oldest), Some(written)) => Some(oldest.min(written)),
            (oldest, written) => oldest.or(written),
        };
        if *name == text_name {
            (text_written, is_written) = (written, stat.st_size > 0);
        }
    }
    let Some(content) = read(directory, &text_name)? else {
        return Ok(None);
    };
    let text = MessageText::read(&content);
    let id = match text.id {
        Some(id) => id,
        None => made_id(&content, text_written),
    };
    let message = FoundMessage {
        mailbox: mailbox.clone(),
        folder,
        id,
        left_at: text.left_at.or(oldest).unwrap_or(Timestamp::UNIX_EPOCH),
        caller: text.caller,
        seconds: text.seconds,
        bytes,
    };
    Ok(Some(Placed {
        folder,
        number: number.to_owned(),
        message,
        is_written,
    }))
}

/// What tells a message that names no id from others: it keeps both where it is given another number. Where it is
/// heard, Asterisk writes both anew, and it is another one.
fn made_id(content: &[u8], written: Option<Timestamp>) -> PbxMessageId {
    let written = written.unwrap_or_default().as_nanosecond().to_be_bytes();
    PbxMessageId::made_of([content, written.as_slice()])
}

/// The begin of a text; none where it has gone, or is no file.
fn read(directory: &File, name: &str) -> io::Result<Option<Vec<u8>>> {
    // What is no file must not keep us waiting.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file: File = match openat2(directory, name, flags, Mode::empty(), WITHIN) {
        Err(Errno::NOENT | Errno::LOOP | Errno::XDEV) => return Ok(None),
        // It has a time and a length all the same, and can be removed.
        Err(Errno::ACCESS) => return Ok(Some(Vec::new())),
        open => open?.into(),
    };
    let mut content = Vec::new();
    file.take(LONGEST_TEXT).read_to_end(&mut content)?;
    Ok(Some(content))
}
