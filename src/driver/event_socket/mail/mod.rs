//! The mail boxes of a FreeSWITCH, with FusionPBX or without: the list of messages that the PBX keeps, and the sounds that lie on
//! the disk, of which either may be left without the other.

mod box_content;
mod sounds;

use async_trait::async_trait;
use jiff::Timestamp;

use self::box_content::{BoxContent, Met};
use self::sounds::{Lying, in_box, open, remove};
use crate::domain::call_text::CallText;
use crate::domain::dial::ExtensionNumber;
use crate::domain::instance::AbsolutePath;
use crate::domain::sip_domain::SipDomain;
use crate::domain::voicemail::{MailFolder, PbxMessageId};
use crate::driver::Check;
use crate::driver::mail::opened::Opened;
use crate::driver::mail::tree::{MailTree, WHAT, unread};
use crate::driver::mail::turn::Turn;
use crate::driver::mail::{Mail, MailError, MailPlace, MailboxContent, MessageSound};
use crate::driver::spool::Sound;

const NOT_LOOKED_AFTER: &str = "the settings of the PBX name no directory of mail boxes, so nobody looks after what is in them: set \
     `voicemail_dir`, or delete it on the PBX";
const MEND: &str =
    "have `voicemail_dir` name the directory that the domains' mail boxes are in, as this host sees it";
const LEFT_LATER: &str = "a message says that it was left later than was known of it";
const STILL_LISTED: &str = "the PBX was told to remove a message, and lists it all the same; see its log";
const STRAYS: &str = "the PBX lists messages of mail boxes that it has no more, and their sounds lie in none; delete them on the PBX";

/// A message as the PBX lists it.
#[derive(Clone, Debug)]
pub struct Listed {
    pub id: PbxMessageId,
    pub folder: MailFolder,
    pub left_at: Timestamp,
    pub caller: Option<CallText>,
    pub seconds: Option<i64>,
    pub sound: ListedSound,
}

/// Where its sound is.
#[derive(Clone, Debug)]
pub enum ListedSound {
    /// In the box's directory: what the names of its files have before their endings.
    Files(Vec<String>),
    /// In the list itself, so many bytes long.
    Listed(i64),
    /// Elsewhere, at this path.
    Elsewhere(String),
}

/// The list that a PBX keeps of the messages in its mail boxes.
#[async_trait]
pub trait MessageList: Send + Sync {
    /// Whether it can be asked, and does what it is told, as far as that can be known before.
    async fn ready(&self) -> Result<(), MailError>;

    /// The boxes of a domain that it has a message of, as far as it tells of boxes.
    async fn mailboxes(&self, domain: &SipDomain) -> Result<Vec<ExtensionNumber>, MailError>;

    /// Messages of a domain that are in no box of it any more.
    async fn strays(&self, domain: &SipDomain) -> Result<Vec<PbxMessageId>, MailError>;

    /// The messages of a box, and the strays of which a sound lies in it: `sounds` names all of those.
    async fn of_box(
        &self,
        domain: &SipDomain,
        mailbox: &ExtensionNumber,
        sounds: &[PbxMessageId],
    ) -> Result<Vec<Listed>, MailError>;

    /// Takes one off the list, and has the phones told. It may remove the sound as well.
    async fn strike(
        &self,
        domain: &SipDomain,
        mailbox: &ExtensionNumber,
        id: &PbxMessageId,
    ) -> Result<(), MailError>;

    /// The sound of one that has it in the list.
    async fn sound(&self, id: &PbxMessageId) -> Result<Option<Opened>, MailError>;
}

/// The mail boxes.
pub struct SwitchMail<L> {
    tree: MailTree,
    list: L,
}

impl<L: MessageList> SwitchMail<L> {
    /// Those in a directory; an error where the settings name none.
    pub fn new(directory: Option<&AbsolutePath>, list: L) -> Result<Self, MailError> {
        let directory = directory.ok_or(MailError::NotServed(NOT_LOOKED_AFTER))?;
        let tree = MailTree::new(directory.as_path().to_owned());
        Ok(Self { tree, list })
    }

    /// Of the connection test, whether messages can be looked at from here.
    pub async fn check(&self) -> Check {
        let read = self.tree.check(MEND).await;
        if !read.ok {
            return read;
        }
        match self.list.ready().await {
            Ok(()) => read,
            Err(error) => unread(&error, MEND),
        }
    }

    async fn lying(
        &self,
        turn: &Turn,
        domain: &SipDomain,
        mailbox: &ExtensionNumber,
    ) -> Result<Vec<Lying>, MailError> {
        let (of, named) = (domain.clone(), mailbox.clone());
        let lying = self.tree.ask(turn, move |tree| in_box(tree, &of, &named)).await?;
        lying.map_err(|error| MailError::refused(mailbox, error))
    }

    async fn read(
        &self,
        turn: &Turn,
        domain: &SipDomain,
        mailbox: &ExtensionNumber,
    ) -> Result<BoxContent, MailError> {
        let mut lying = self.lying(turn, domain, mailbox).await?;
        let ids: Vec<PbxMessageId> = lying.iter().filter_map(Lying::id).collect();
        let listed = self.list.of_box(domain, mailbox, &ids).await?;
        if !BoxContent::new(mailbox, &listed, &lying).silent.is_empty() {
            // They may have come since, and what was listed have gone.
            lying = self.lying(turn, domain, mailbox).await?;
        }
        Ok(BoxContent::new(mailbox, &listed, &lying))
    }

    /// A message that the PBX lists and whose sound is not where it is to be is an error: nobody knows what has become of that.
    async fn find(
        &self,
        turn: &Turn,
        domain: &SipDomain,
        mailbox: &ExtensionNumber,
        id: &PbxMessageId,
    ) -> Result<Option<Met>, MailError> {
        let content = self.read(turn, domain, mailbox).await?;
        if let Some(silent) = content.silent.get(id) {
            return Err(MailError::refused(mailbox, silent.why()));
        }
        Ok(content.met.into_iter().find(|met| met.message.id == *id))
    }

    async fn strike(
        &self,
        domain: &SipDomain,
        mailbox: &ExtensionNumber,
        id: &PbxMessageId,
    ) -> Result<(), MailError> {
        self.list.strike(domain, mailbox, id).await?;
        let left = self
            .list
            .of_box(domain, mailbox, std::slice::from_ref(id))
            .await?;
        if left.iter().any(|listed| listed.id == *id) {
            return Err(MailError::refused(mailbox, STILL_LISTED));
        }
        Ok(())
    }
}

#[async_trait]
impl<L: MessageList> Mail for SwitchMail<L> {
    async fn place(&self) -> Result<Option<MailPlace>, MailError> {
        self.tree.place(&self.tree.turn().await?).await
    }

    async fn mailboxes(&self, domain: &SipDomain) -> Result<Option<Vec<ExtensionNumber>>, MailError> {
        let turn = self.tree.turn().await?;
        let lying = self.tree.mailboxes(&turn, domain).await?;
        let listed = self.list.mailboxes(domain).await?;
        let is_there = lying.is_some() || !listed.is_empty();
        let mut all = lying.unwrap_or_default();
        all.extend(listed);
        all.sort_unstable();
        all.dedup();
        let mut strays = self.list.strays(domain).await?;
        for mailbox in &all {
            if strays.is_empty() {
                break;
            }
            let lying = self.lying(&turn, domain, mailbox).await?;
            strays.retain(|stray| !lying.iter().any(|lying| lying.id().as_ref() == Some(stray)));
        }
        if !strays.is_empty() {
            return Err(MailError::refused_all(domain, STRAYS));
        }
        Ok(is_there.then_some(all))
    }

    async fn content(
        &self,
        domain: &SipDomain,
        mailbox: &ExtensionNumber,
    ) -> Result<MailboxContent, MailError> {
        let turn = self.tree.turn().await?;
        let content = self.read(&turn, domain, mailbox).await?;
        match content.silent.values().next() {
            Some(silent) => Err(MailError::refused(mailbox, silent.why())),
            None => Ok(content.told()),
        }
    }

    async fn holds(
        &self,
        domain: &SipDomain,
        mailbox: &ExtensionNumber,
        id: &PbxMessageId,
    ) -> Result<bool, MailError> {
        let turn = self.tree.turn().await?;
        Ok(self.find(&turn, domain, mailbox, id).await?.is_some())
    }

    async fn sound(
        &self,
        domain: &SipDomain,
        mailbox: &ExtensionNumber,
        id: &PbxMessageId,
    ) -> Result<Option<MessageSound>, MailError> {
        let turn = self.tree.turn().await?;
        let Some(met) = self.find(&turn, domain, mailbox, id).await? else {
            return Ok(None);
        };
        let opened = if met.files.is_empty() {
            self.list.sound(id).await?
        } else {
            let (of, named) = (domain.clone(), mailbox.clone());
            let opened = self
                .tree
                .ask(&turn, move |tree| open(tree, &of, &named, &met.files))
                .await?;
            opened.map_err(|error| match error.kind() {
                std::io::ErrorKind::TimedOut => MailError::unavailable(WHAT, error),
                _ => MailError::refused(mailbox, error),
            })?
        };
        Ok(opened.map(|opened| MessageSound {
            sound: Sound::of(opened.file, opened.length, self.tree.root().to_owned()),
            format: opened.format,
        }))
    }

    /// The list goes first: a sound without an entry is met the next time, an entry without its sound is nobody's to judge.
    async fn remove(
        &self,
        domain: &SipDomain,
        mailbox: &ExtensionNumber,
        id: &PbxMessageId,
        left_by: Timestamp,
    ) -> Result<bool, MailError> {
        let turn = self.tree.turn().await?;
        let place = self.tree.place(&turn).await?;
        let Some(met) = self.find(&turn, domain, mailbox, id).await? else {
            return Ok(false);
        };
        if let Some(listed) = met.listed {
            if listed > left_by {
                return Err(MailError::refused(mailbox, LEFT_LATER));
            }
            self.strike(domain, mailbox, id).await?;
        }
        let (of, named) = (domain.clone(), mailbox.clone());
        let removed = self
            .tree
            .ask(&turn, move |tree| remove(tree, &of, &named, &met.files))
            .await?;
        removed.map_err(|error| MailError::refused(mailbox, error))?;
        if self.tree.place(&turn).await? != place {
            return Err(MailError::unavailable(WHAT, "its disk was taken away meanwhile"));
        }
        Ok(true)
    }
}
