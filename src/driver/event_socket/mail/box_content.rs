//! What is in a mail box: the PBX's list and the sounds on the disk, put together.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::sounds::Lying;
use super::{Listed, ListedSound};
use crate::domain::clock::{Clock as _, SystemClock};
use crate::domain::dial::ExtensionNumber;
use crate::domain::voicemail::{FoundMessage, MailFolder, PbxMessageId};
use crate::driver::mail::MailboxContent;

/// More messages of a box are not looked at.
const MOST_MESSAGES: usize = 10_000;
/// A sound that the PBX does not list may be one that a caller is speaking into: it is written every few seconds then.
const SETTLED: SignedDuration = SignedDuration::from_mins(10);

/// A message.
pub struct Met {
    pub message: FoundMessage,
    /// When the list says that it was left, where it is in it.
    pub listed: Option<Timestamp>,
    pub files: Vec<String>,
}

/// A message in the list whose sound is not where it is to be.
#[derive(Clone, Debug)]
pub struct Silent {
    id: PbxMessageId,
    /// Where else it is said to be.
    elsewhere: Option<String>,
}

impl Silent {
    /// Why nobody knows what has become of it, and what to do.
    pub fn why(&self) -> String {
        let Self { id, elsewhere } = self;
        match elsewhere {
            Some(path) => format!(
                "the PBX keeps the sound of message {id} in {path}, which is not in the box's directory below `voicemail_dir`; have \
                 both name the same place, or delete it on the PBX"
            ),
            None => format!(
                "the PBX lists message {id}, and its sound is not in the box's directory below `voicemail_dir`: see whether its disk \
                 is mounted there, or delete the message on the PBX"
            ),
        }
    }
}

/// What is in a box.
#[derive(Default)]
pub struct BoxContent {
    pub met: Vec<Met>,
    pub silent: BTreeMap<PbxMessageId, Silent>,
    has_more: bool,
}

impl BoxContent {
    pub fn new(mailbox: &ExtensionNumber, listed: &[Listed], lying: &[Lying]) -> Self {
        let mut content = Self::default();
        let mut rest: Vec<&Lying> = lying.iter().collect();
        for listed in listed {
            let (own, others): (Vec<&Lying>, Vec<&Lying>) =
                rest.iter().copied().partition(|lying| listed.owns(lying));
            rest = others;
            match &listed.sound {
                ListedSound::Elsewhere(path) => content.keep_silent(listed, Some(path.clone())),
                ListedSound::Files(_) if own.is_empty() => content.keep_silent(listed, None),
                _ => content.meet(listed.met(mailbox, &own)),
            }
        }
        let settled = SystemClock.now().saturating_sub(SETTLED).unwrap_or_default();
        let mut unlisted: BTreeMap<PbxMessageId, Vec<&Lying>> = BTreeMap::new();
        for lying in rest {
            if let Some(id) = lying.id() {
                unlisted.entry(id).or_default().push(lying);
            }
        }
        for (id, files) in unlisted {
            if files.iter().all(|lying| lying.written <= settled) {
                content.meet(unlisted_message(mailbox, id, &files));
            }
        }
        content
    }

    /// As others know it.
    pub fn told(self) -> MailboxContent {
        MailboxContent {
            messages: self.met.into_iter().map(|met| met.message).collect(),
            has_more: self.has_more,
        }
    }

    fn keep_silent(&mut self, listed: &Listed, elsewhere: Option<String>) {
        let id = listed.id.clone();
        self.silent.insert(id.clone(), Silent { id, elsewhere });
    }

    fn meet(&mut self, met: Met) {
        if self.met.len() == MOST_MESSAGES {
            self.has_more = true;
        } else {
            self.met.push(met);
        }
    }
}

impl Listed {
    fn owns(&self, lying: &Lying) -> bool {
        match &self.sound {
            ListedSound::Files(stems) => stems.iter().any(|stem| stem == lying.stem()),
            // FreeSWITCH has put it there to play it.
            ListedSound::Listed(_) => lying.id().as_ref() == Some(&self.id),
            ListedSound::Elsewhere(_) => false,
        }
    }

    fn met(&self, mailbox: &ExtensionNumber, own: &[&Lying]) -> Met {
        let listed = match self.sound {
            ListedSound::Listed(bytes) => bytes,
            ListedSound::Files(_) | ListedSound::Elsewhere(_) => 0,
        };
        Met {
            message: FoundMessage {
                mailbox: mailbox.clone(),
                folder: self.folder,
                id: self.id.clone(),
                left_at: self.left_at,
                caller: self.caller.clone(),
                seconds: self.seconds,
                bytes: own
                    .iter()
                    .fold(listed, |bytes, lying| bytes.saturating_add(lying.bytes)),
            },
            listed: Some(self.left_at),
            files: names(own),
        }
    }
}

/// A message of which there is nothing but what lies on the disk.
fn unlisted_message(mailbox: &ExtensionNumber, id: PbxMessageId, files: &[&Lying]) -> Met {
    let oldest = files.iter().map(|lying| lying.written).min();
    Met {
        message: FoundMessage {
            mailbox: mailbox.clone(),
            folder: MailFolder::Inbox,
            id,
            left_at: oldest.unwrap_or_default(),
            caller: None,
            seconds: None,
            bytes: files
                .iter()
                .fold(0, |bytes: i64, lying| bytes.saturating_add(lying.bytes)),
        },
        listed: None,
        files: names(files),
    }
}

fn names(files: &[&Lying]) -> Vec<String> {
    files.iter().map(|lying| lying.name.clone()).collect()
}
