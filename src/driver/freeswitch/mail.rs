//! The list of messages that `mod_voicemail` keeps in its own database, asked for over the event socket.

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
use crate::wire::esl::{Error, VoiceMessage, Word, WordError};

const WHAT: &str = "mod_voicemail";
/// A domain that nobody has, and its box: asked for, they show that the module and its profile are there.
const NOBODY: (&str, &str) = ("0", "nobody.invalid");
/// What `mod_voicemail` marks as urgent.
const URGENT: &str = "A_URGENT";
/// What is to go once its owner has hung up.
const DELETED: &str = "delete";

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
    async fn ready(&self) -> Result<(), MailError> {
        let switch = self.switch().await?;
        let (mailbox, domain) = (word(NOBODY.0)?, word(NOBODY.1)?);
        let listed = switch.client().voice_messages(&mailbox, &domain, ANSWER).await;
        listed.map(drop).map_err(asked)
    }

    /// It tells of no box that it is not asked for: each that ever had a message has its directory.
    async fn mailboxes(&self, _domain: &SipDomain) -> Result<Vec<ExtensionNumber>, MailError> {
        Ok(Vec::new())
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
        let client = switch.client();
        let (number, of) = (word(mailbox.as_str())?, word(domain.as_str())?);
        let uuids = client.voice_messages(&number, &of, ANSWER).await.map_err(asked)?;
        let mut all = Vec::with_capacity(uuids.len());
        for uuid in uuids {
            let message = client.voice_message(&number, &of, &uuid, ANSWER).await;
            // It may have gone since.
            if let Some(message) = message.map_err(asked)? {
                all.push(listed(domain, mailbox, &message)?);
            }
        }
        Ok(all)
    }

    async fn strike(
        &self,
        domain: &SipDomain,
        mailbox: &ExtensionNumber,
        id: &PbxMessageId,
    ) -> Result<(), MailError> {
        let switch = self.switch().await?;
        let (number, of, uuid) = (
            word(mailbox.as_str())?,
            word(domain.as_str())?,
            word(id.as_str())?,
        );
        let struck = switch
            .client()
            .delete_voice_message(&number, &of, &uuid, ANSWER)
            .await;
        struck.map_err(asked)
    }

    async fn sound(&self, _id: &PbxMessageId) -> Result<Option<Opened>, MailError> {
        Ok(None)
    }
}

/// A message as everybody knows it.
fn listed(
    domain: &SipDomain,
    mailbox: &ExtensionNumber,
    message: &VoiceMessage,
) -> Result<Listed, MailError> {
    let wrong = |what: &str| {
        let why = format!(
            "mod_voicemail lists a message whose {what} is none: {:?}",
            message.uuid
        );
        MailError::refused(mailbox, why)
    };
    Ok(Listed {
        id: message.uuid.parse().map_err(|_| wrong("uuid"))?,
        folder: folder(message),
        left_at: Timestamp::from_second(message.left_at).map_err(|_| wrong("time"))?,
        caller: CallText::of(&message.caller_number),
        seconds: message.seconds.filter(|seconds| *seconds >= 0),
        sound: sound(domain, mailbox, &message.path),
    })
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
            ListedSound::Files(vec![stem.to_owned()])
        }
        _ => ListedSound::Elsewhere(path.to_owned()),
    }
}

fn word(text: &str) -> Result<Word, MailError> {
    Word::new(text).map_err(|error: WordError| MailError::unavailable(WHAT, error))
}

fn asked(error: Error) -> MailError {
    MailError::unavailable(WHAT, error)
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
            (ListedSound::Files(stems), Some(stem)) => assert_eq!(stems, [stem]),
            (ListedSound::Elsewhere(told), None) => assert_eq!(told, path),
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
            uuid: "0f".to_owned(),
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
