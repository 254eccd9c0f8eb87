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
/// One that is written later than that is from a clock that was wrong.
const TO_COME: SignedDuration = SignedDuration::from_hours(24);
const NO_SOUND: &str = "its sound is not in the box's directory below `voicemail_dir`: see whether that is the right one and its disk \
     is mounted; where the sound has gone for good, put an empty file in its place";

/// A message.
pub struct Met {
    pub message: FoundMessage,
    /// When the list says that it was left, where it is in it.
    pub listed: Option<Timestamp>,
    /// Whether its sound is in the list too.
    pub is_in_list: bool,
    pub files: Vec<String>,
    /// When the last of them was written.
    written: Timestamp,
}

impl Met {
    /// Whether a file is one of its.
    pub fn has(&self, lying: &Lying) -> bool {
        self.files.contains(&lying.name) || self.is_named(lying)
    }

    fn is_named(&self, lying: &Lying) -> bool {
        lying.id().as_ref() == Some(&self.message.id)
    }
}

/// What is in a box.
#[derive(Default)]
pub struct BoxContent {
    met: Vec<Met>,
    /// Messages in the list whose sound is not where it is to be, and why nobody knows what has become of that.
    pub silent: BTreeMap<PbxMessageId, String>,
}

impl BoxContent {
    pub fn new(mailbox: &ExtensionNumber, listed: &[Listed], lying: &[Lying]) -> Self {
        let mut content = Self::default();
        let mut rest: Vec<&Lying> = lying.iter().collect();
        for listed in listed {
            let (own, others): (Vec<&Lying>, Vec<&Lying>) =
                rest.iter().copied().partition(|lying| listed.owns(lying));
            rest = others;
            // FusionPBX writes what was said before a message into its place long before the message itself.
            let is_there = own.iter().any(|lying| lying.is_said());
            let why = match &listed.sound {
                ListedSound::Unknown(why) => Some(why.as_str()),
                ListedSound::Stem(_) | ListedSound::Named if !is_there => Some(NO_SOUND),
                _ => None,
            };
            match why {
                Some(why) => {
                    content.silent.insert(listed.id.clone(), why.to_owned());
                }
                None => content.met.push(listed.met(mailbox, &own)),
            }
        }
        let mut unlisted: BTreeMap<PbxMessageId, Vec<&Lying>> = BTreeMap::new();
        for lying in rest {
            if let Some(id) = lying.id() {
                unlisted.entry(id).or_default().push(lying);
            }
        }
        for (id, files) in unlisted {
            content.met.push(unlisted_message(mailbox, id, &files));
        }
        content
    }

    /// When sounds were written that no entry names.
    pub fn nameless(&self) -> impl Iterator<Item = Timestamp> {
        let nameless = self.met.iter().filter(|met| met.listed.is_none());
        nameless.map(|met| met.written)
    }

    /// The message of that id, whether somebody may be speaking into it or not: who names it has seen it before.
    pub fn into_one(self, id: &PbxMessageId) -> Result<Option<Met>, String> {
        if let Some(why) = self.silent.get(id) {
            return Err(format!("the PBX lists message {id}, and {why}"));
        }
        Ok(self.met.into_iter().find(|met| met.message.id == *id))
    }

    /// As others know it.
    pub fn told(self) -> Result<MailboxContent, String> {
        if let Some((id, why)) = self.silent.first_key_value() {
            let beside = match self.silent.len() {
                1 => String::new(),
                all => format!(", the first of {all}"),
            };
            return Err(format!("the PBX lists message {id}{beside}, and {why}"));
        }
        let now = SystemClock.now();
        let settled = now.saturating_sub(SETTLED).unwrap_or_default();
        let to_come = now.saturating_add(TO_COME).unwrap_or(Timestamp::MAX);
        let is_settled = |met: &Met| met.listed.is_some() || met.written <= settled || met.written > to_come;
        let (settled, unsettled): (Vec<Met>, Vec<Met>) = self.met.into_iter().partition(is_settled);
        let mut messages: Vec<FoundMessage> = settled.into_iter().map(|met| met.message).collect();
        let has_more = messages.len() > MOST_MESSAGES;
        messages.truncate(MOST_MESSAGES);
        Ok(MailboxContent {
            messages,
            has_more,
            nameless: Vec::new(),
            unsettled: unsettled.into_iter().map(|met| met.message.id).collect(),
        })
    }
}

impl Listed {
    fn owns(&self, lying: &Lying) -> bool {
        match &self.sound {
            ListedSound::Stem(stem) => stem == lying.stem(),
            // FreeSWITCH has put it there to play it.
            ListedSound::Named | ListedSound::Listed(_) => lying.id().as_ref() == Some(&self.id),
            ListedSound::Unknown(_) => false,
        }
    }

    fn met(&self, mailbox: &ExtensionNumber, own: &[&Lying]) -> Met {
        let listed = match self.sound {
            ListedSound::Listed(bytes) => Some(bytes),
            _ => None,
        };
        let message = FoundMessage {
            mailbox: mailbox.clone(),
            folder: self.folder,
            id: self.id.clone(),
            left_at: self.left_at,
            caller: self.caller.clone(),
            seconds: self.seconds,
            bytes: listed.unwrap_or_default().saturating_add(bytes(own)),
        };
        Met {
            is_in_list: listed.is_some(),
            ..met(message, Some(self.left_at), own)
        }
    }
}

/// A message of which there is nothing but what lies on the disk.
fn unlisted_message(mailbox: &ExtensionNumber, id: PbxMessageId, files: &[&Lying]) -> Met {
    let oldest = files.iter().map(|lying| lying.written).min();
    let message = FoundMessage {
        mailbox: mailbox.clone(),
        folder: MailFolder::Inbox,
        id,
        left_at: oldest.unwrap_or_default(),
        caller: None,
        seconds: None,
        bytes: bytes(files),
    };
    met(message, None, files)
}

fn met(message: FoundMessage, listed: Option<Timestamp>, files: &[&Lying]) -> Met {
    Met {
        message,
        listed,
        is_in_list: false,
        files: files.iter().map(|lying| lying.name.clone()).collect(),
        written: files.iter().map(|lying| lying.written).max().unwrap_or_default(),
    }
}

fn bytes(files: &[&Lying]) -> i64 {
    files
        .iter()
        .fold(0, |bytes: i64, lying| bytes.saturating_add(lying.bytes))
}
