//! The list of messages that `mod_voicemail` keeps in its own database, asked for over the event socket.

use std::collections::BTreeSet;

use async_trait::async_trait;
use jiff::Timestamp;

use super::FreeSwitchDriver;
use crate::domain::call_text::CallText;
use crate::domain::dial::ExtensionNumber;
use crate::domain::sip_domain::SipDomain;
use crate::domain::voicemail::{MailFolder, PbxMessageId};
use crate::driver::event_socket::mail::{Listed, ListedSound, MessageList, SwitchMail};
use crate::driver::event_socket::{ANSWER, Switch};
use crate::driver::mail::MailError;
use crate::driver::mail::opened::Opened;
use crate::wire::esl::{DELETED, Error, VoiceMessage, VoiceMessages, Word, WordError};

const WHAT: &str = "mod_voicemail";
/// A domain that nobody has, and its box: asked for, they show that the module and its profile are there.
const NOBODY: (&str, &str) = ("0", "nobody.invalid");
/// What `mod_voicemail` marks as urgent.
const URGENT: &str = "A_URGENT";
const NO_NAME: &str = "it is named as nothing else here may be (`inbound-use-callid-as-uuid` has callers choose the name): delete it on the \
     PBX";
const SEVERAL: &str = "it is one of several in this box that were passed on in one call and are named alike: delete them on the PBX";
const NO_TIME: &str = "it does not say when it was left: delete it on the PBX";

impl FreeSwitchDriver {
    /// Where the settings say that they are.
    pub(super) fn mail_boxes(&self) -> Result<SwitchMail<FreeSwitchMessages<'_>>, MailError> {
        SwitchMail::new(self.settings.voicemail_dir.as_ref(), FreeSwitchMessages(self))
    }
}

/// The list.
pub struct FreeSwitchMessages<'a>(pub &'a FreeSwitchDriver);

impl FreeSwitchMessages<'_> {
    async fn switch(&self) -> Result<Switch, MailError> {
        let switch = self.0.switch().await;
        switch.map_err(|error| MailError::unavailable(WHAT, error))
    }
}

#[async_trait]
impl MessageList for FreeSwitchMessages<'_> {
    const REMOVES_SOUNDS: bool = true;
    const NAMES_SOUNDS: bool = true;

    async fn ready(&self) -> Result<(), MailError> {
        let switch = self.switch().await?;
        let (mailbox, domain) = (word(NOBODY.0)?, word(NOBODY.1)?);
        let listed = switch.client().voice_messages(&mailbox, &domain, ANSWER).await;
        listed.map(drop).map_err(unavailable)
    }

    async fn mailboxes(
        &self,
        domain: &SipDomain,
        perhaps: &BTreeSet<ExtensionNumber>,
    ) -> Result<Vec<ExtensionNumber>, MailError> {
        let switch = self.switch().await?;
        let mut found = Vec::new();
        for mailbox in perhaps {
            let (number, of) = (word(mailbox.as_str())?, word(domain.as_str())?);
            match switch.client().has_voice_messages(&number, &of, ANSWER).await {
                Ok(false) => {}
                // What cannot be read is told once the box is looked at.
                Ok(true) | Err(Error::Answer { .. }) => found.push(mailbox.clone()),
                Err(error) => return Err(unavailable(error)),
            }
        }
        Ok(found)
    }

    async fn strays(&self, _domain: &SipDomain) -> Result<Vec<PbxMessageId>, MailError> {
        Ok(Vec::new())
    }

    async fn of_box(
        &self,
        domain: &SipDomain,
        mailbox: &ExtensionNumber,
        _sounds: &[PbxMessageId],
    ) -> Result<Vec<Listed>, MailError> {
        let switch = self.switch().await?;
        let mut all = Vec::new();
        for (name, count) in names(&switch, domain, mailbox).await? {
            // It may have gone since.
            all.extend(listed(&switch, domain, mailbox, (&name, count)).await?);
        }
        Ok(all)
    }

    async fn one(
        &self,
        domain: &SipDomain,
        mailbox: &ExtensionNumber,
        id: &PbxMessageId,
    ) -> Result<Option<Listed>, MailError> {
        let switch = self.switch().await?;
        let names = names(&switch, domain, mailbox).await?;
        match names.into_iter().find(|(name, _)| id_of(name) == *id) {
            Some((name, count)) => listed(&switch, domain, mailbox, (&name, count)).await,
            None => Ok(None),
        }
    }

    async fn strike(
        &self,
        domain: &SipDomain,
        mailbox: &ExtensionNumber,
        id: &PbxMessageId,
    ) -> Result<(), MailError> {
        let switch = self.switch().await?;
        let (number, of) = (word(mailbox.as_str())?, word(domain.as_str())?);
        let name = word(id.as_str())?;
        let client = switch.client();
        let before = client.voice_message(&number, &of, &name, ANSWER).await;
        let Some(before) = before.map_err(|error| asked(mailbox, error))? else {
            return Ok(());
        };
        let struck = client.delete_voice_message(&number, &of, &name, ANSWER).await;
        // Its owner would lose a marked entry at the next hang-up, and the sound would be nobody's: so whatever was answered, and
        // also where that link is gone.
        let switch = self.switch().await?;
        let left = switch
            .client()
            .undelete_voice_message(&number, &of, &name, &before, ANSWER)
            .await;
        struck.and(left).map_err(|error| asked(mailbox, error))
    }

    /// It does so itself.
    async fn tell_phones(&self, _domain: &SipDomain, _mailbox: &ExtensionNumber) -> Result<(), MailError> {
        Ok(())
    }

    async fn sound(
        &self,
        _mailbox: &ExtensionNumber,
        _id: &PbxMessageId,
    ) -> Result<Option<Opened>, MailError> {
        Ok(None)
    }
}

async fn names(
    switch: &Switch,
    domain: &SipDomain,
    mailbox: &ExtensionNumber,
) -> Result<VoiceMessages, MailError> {
    let (number, of) = (word(mailbox.as_str())?, word(domain.as_str())?);
    let names = switch.client().voice_messages(&number, &of, ANSWER).await;
    names.map_err(|error| asked(mailbox, error))
}

/// A message is named after the call in which it was left, and a caller may choose how that is called.
fn id_of(name: &str) -> PbxMessageId {
    name.parse()
        .unwrap_or_else(|_| PbxMessageId::made_of([name.as_bytes()]))
}

/// A message as everybody knows it; none where it has gone.
async fn listed(
    switch: &Switch,
    domain: &SipDomain,
    mailbox: &ExtensionNumber,
    (name, count): (&str, usize),
) -> Result<Option<Listed>, MailError> {
    let id = id_of(name);
    let unknown = |why: &str| {
        Ok(Some(Listed {
            id: id.clone(),
            folder: MailFolder::Inbox,
            left_at: Timestamp::UNIX_EPOCH,
            caller: None,
            seconds: None,
            sound: ListedSound::Unknown(why.to_owned()),
        }))
    };
    if id.as_str() != name {
        return unknown(NO_NAME);
    }
    if count > 1 {
        return unknown(SEVERAL);
    }
    let (number, of, uuid) = (word(mailbox.as_str())?, word(domain.as_str())?, word(name)?);
    let message = switch.client().voice_message(&number, &of, &uuid, ANSWER).await;
    let Some(message) = message.map_err(|error| asked(mailbox, error))? else {
        return Ok(None);
    };
    let Ok(left_at) = Timestamp::from_second(message.left_at) else {
        return unknown(NO_TIME);
    };
    Ok(Some(Listed {
        folder: folder(&message),
        left_at,
        caller: CallText::of(&message.caller_number),
        seconds: message.seconds.filter(|seconds| *seconds >= 0),
        sound: sound(domain, mailbox, &message.path),
        id,
    }))
}

fn folder(message: &VoiceMessage) -> MailFolder {
    if message.flags == DELETED {
        MailFolder::Deleted
    } else if message.heard_at > 0 {
        MailFolder::Old
    } else if message.read_flags == URGENT {
        MailFolder::Urgent
    } else {
        MailFolder::Inbox
    }
}

/// FreeSWITCH may know the directory by another path than this host does: the box's own part of it is the same.
fn sound(domain: &SipDomain, mailbox: &ExtensionNumber, path: &str) -> ListedSound {
    let place = format!("/{domain}/{mailbox}/");
    let name = path.rsplit_once(&place).map(|(_, name)| name);
    match name {
        Some(name) if !name.is_empty() && !name.contains('/') => {
            let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
            ListedSound::Stem(stem.to_owned())
        }
        _ => ListedSound::Unknown(format!(
            "its sound is in {path:?}, which is not in the box's own directory: have FreeSWITCH keep all messages in one place (no \
             `vm-storage-dir` of a user), and `voicemail_dir` name that"
        )),
    }
}

fn word(text: &str) -> Result<Word, MailError> {
    Word::new(text).map_err(|error: WordError| MailError::unavailable(WHAT, error))
}

fn unavailable(error: Error) -> MailError {
    MailError::unavailable(WHAT, error)
}

/// An answer that cannot be read is about one box; the others may fare better.
fn asked(mailbox: &ExtensionNumber, error: Error) -> MailError {
    match error {
        error @ Error::Answer { .. } => MailError::refused(mailbox, error),
        error => unavailable(error),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(
        "/var/lib/freeswitch/storage/voicemail/default/acme.example.com/1001/msg_0f.wav",
        Some("msg_0f")
    )]
    #[case(
        "/srv/acme.example.com/1001/acme.example.com/1001/msg_0f.x.wav",
        Some("msg_0f.x")
    )]
    #[case("/srv/acme.example.com/1001/msg_0f", Some("msg_0f"))]
    #[case("/srv/acme.example.com/1002/msg_0f.wav", None)]
    #[case("/srv/acme.example.com/1001/old/msg_0f.wav", None)]
    #[case("/srv/acme.example.com/1001/", None)]
    #[case("/tmp/msg_0f.wav", None)]
    #[case("", None)]
    fn a20_a_sound_is_one_of_the_box_where_it_lies_in_the_boxs_directory(
        #[case] path: &str,
        #[case] stem: Option<&str>,
    ) {
        let found = sound(
            &"acme.example.com".parse().unwrap(),
            &"1001".parse().unwrap(),
            path,
        );
        match (found, stem) {
            (ListedSound::Stem(found), Some(stem)) => assert_eq!(found, stem),
            (ListedSound::Unknown(told), None) => assert!(told.contains(path)),
            (found, _) => panic!("{found:?}"),
        }
    }

    #[rstest]
    #[case("", 0, "B_NORMAL", MailFolder::Inbox)]
    #[case("", 0, "A_URGENT", MailFolder::Urgent)]
    #[case("save", 5, "A_URGENT", MailFolder::Old)]
    #[case("", 5, "B_NORMAL", MailFolder::Old)]
    #[case("delete", 5, "B_NORMAL", MailFolder::Deleted)]
    fn a20_where_a_message_stands_is_told_by_what_was_done_with_it(
        #[case] flags: &str,
        #[case] heard_at: i64,
        #[case] read_flags: &str,
        #[case] expected: MailFolder,
    ) {
        let message = VoiceMessage {
            left_at: 1,
            heard_at,
            caller_number: String::new(),
            path: String::new(),
            seconds: None,
            flags: flags.to_owned(),
            read_flags: read_flags.to_owned(),
        };
        assert_eq!(folder(&message), expected);
    }
}
