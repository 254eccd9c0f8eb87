//! The mail boxes of a FreeSWITCH, with FusionPBX or without: the list of messages that the PBX keeps, and the sounds that lie on
//! the disk, of which either may be left without the other.

mod box_content;
mod sounds;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use jiff::Timestamp;

use self::box_content::{BoxContent, Met};
use self::sounds::{Lying, in_box, may_remove, open, remove};
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
const STILL_LYING: &str = "a sound of a message that was removed lies there all the same";

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
    /// In the box's directory, in files that have this before their endings.
    Stem(String),
    /// There, in files that are named after the message.
    Named,
    /// In the list itself, so many bytes long.
    Listed(i64),
    /// Nobody knows, and why.
    Unknown(String),
}

/// The list that a PBX keeps of the messages in its mail boxes.
#[async_trait]
pub trait MessageList: Send + Sync {
    /// Whether the PBX removes the sound of what is taken off.
    const REMOVES_SOUNDS: bool;

    /// Whether it can be asked, and does what it is told, as far as that can be known before.
    async fn ready(&self) -> Result<(), MailError>;

    /// The boxes of a domain that it has a message of. One that tells of no box that it is not asked for is asked for those
    /// that are `perhaps` there.
    async fn mailboxes(
        &self,
        domain: &SipDomain,
        perhaps: &BTreeSet<ExtensionNumber>,
    ) -> Result<Vec<ExtensionNumber>, MailError>;

    /// Messages of a domain that are in no box of it any more.
    async fn strays(&self, domain: &SipDomain) -> Result<Vec<PbxMessageId>, MailError>;

    /// The messages of a box, and the strays of which a sound lies in it: `sounds` names all of those.
    async fn of_box(
        &self,
        domain: &SipDomain,
        mailbox: &ExtensionNumber,
        sounds: &[PbxMessageId],
    ) -> Result<Vec<Listed>, MailError>;

    /// One of them, where it is in that box or a stray.
    async fn one(
        &self,
        domain: &SipDomain,
        mailbox: &ExtensionNumber,
        id: &PbxMessageId,
    ) -> Result<Option<Listed>, MailError>;

    /// Takes one off.
    async fn strike(
        &self,
        domain: &SipDomain,
        mailbox: &ExtensionNumber,
        id: &PbxMessageId,
    ) -> Result<(), MailError>;

    /// Has the phones of a box told what is in it, where that was not done with the removal.
    async fn tell_phones(&self, domain: &SipDomain, mailbox: &ExtensionNumber) -> Result<(), MailError>;

    /// The sound of one that has it in the list.
    async fn sound(&self, mailbox: &ExtensionNumber, id: &PbxMessageId) -> Result<Option<Opened>, MailError>;
}

/// The mail boxes.
pub struct SwitchMail<L> {
    tree: MailTree,
    list: L,
    /// Whether the phones could not be told once: nobody waits for that again.
    is_silent: AtomicBool,
}

impl<L: MessageList> SwitchMail<L> {
    /// Those in a directory; an error where the settings name none.
    pub fn new(directory: Option<&AbsolutePath>, list: L) -> Result<Self, MailError> {
        let directory = directory.ok_or(MailError::NotServed(NOT_LOOKED_AFTER))?;
        Ok(Self {
            tree: MailTree::new(directory.as_path().to_owned()),
            list,
            is_silent: AtomicBool::new(false),
        })
    }

    /// Of the connection test, whether messages can be looked at from here.
    pub async fn check(&self) -> Check {
        let read = self.tree.check(MEND).await;
        if !read.ok {
            return read;
        }
        let can_be_asked = async {
            self.place_in(&self.tree.turn().await?).await?;
            self.list.ready().await
        };
        match can_be_asked.await {
            Ok(()) => read,
            Err(error) => unread(&error, MEND),
        }
    }

    /// A setting proves nothing: where there is no such directory, it may be the wrong one.
    async fn place_in(&self, turn: &Turn) -> Result<MailPlace, MailError> {
        let place = self.tree.place(turn).await?;
        place.ok_or_else(|| MailError::Absent {
            directory: self.tree.root().display().to_string(),
        })
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
        let lying = self.lying(turn, domain, mailbox).await?;
        let ids: Vec<PbxMessageId> = lying.iter().filter_map(Lying::id).collect();
        let listed = self.list.of_box(domain, mailbox, &ids).await?;
        let content = BoxContent::new(mailbox, &listed, &lying);
        if content.silent.is_empty() {
            return Ok(content);
        }
        // They may have come since.
        let lying = self.lying(turn, domain, mailbox).await?;
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
        let content = match self.list.one(domain, mailbox, id).await? {
            Some(listed) => {
                let lying = self.lying(turn, domain, mailbox).await?;
                BoxContent::new(mailbox, &[listed], &lying)
            }
            // What lies there may be of another one.
            None => self.read(turn, domain, mailbox).await?,
        };
        content
            .into_one(id)
            .map_err(|why| MailError::refused(mailbox, why))
    }

    /// Whether the sounds can be removed, before nobody knows any more whose they are.
    async fn may_remove(
        &self,
        turn: &Turn,
        domain: &SipDomain,
        mailbox: &ExtensionNumber,
    ) -> Result<(), MailError> {
        let (of, named) = (domain.clone(), mailbox.clone());
        let may = self
            .tree
            .ask(turn, move |tree| may_remove(tree, &of, &named))
            .await?;
        may.map_err(|error| MailError::refused(mailbox, error))
    }

    async fn strike(
        &self,
        domain: &SipDomain,
        mailbox: &ExtensionNumber,
        id: &PbxMessageId,
    ) -> Result<(), MailError> {
        self.list.strike(domain, mailbox, id).await?;
        match self.list.one(domain, mailbox, id).await? {
            Some(_) => Err(MailError::refused(mailbox, STILL_LISTED)),
            None => Ok(()),
        }
    }

    /// Nothing is said to have gone that lies there all the same.
    async fn remove_sounds(
        &self,
        turn: &Turn,
        domain: &SipDomain,
        mailbox: &ExtensionNumber,
        met: &Met,
        place: &MailPlace,
    ) -> Result<(), MailError> {
        let (of, named, files) = (domain.clone(), mailbox.clone(), met.files.clone());
        let removed = self
            .tree
            .ask(turn, move |tree| remove(tree, &of, &named, &files))
            .await?;
        removed.map_err(|error| MailError::refused(mailbox, error))?;
        let lying = self.lying(turn, domain, mailbox).await?;
        if lying.iter().any(|lying| met.has(lying)) {
            return Err(MailError::refused(mailbox, STILL_LYING));
        }
        if self.place_in(turn).await? != *place {
            return Err(MailError::unavailable(WHAT, "its disk was taken away meanwhile"));
        }
        Ok(())
    }

    /// It has gone all the same: the phones hear of it with the next one.
    async fn tell_phones(&self, domain: &SipDomain, mailbox: &ExtensionNumber) {
        if self.is_silent.load(Ordering::SeqCst) {
            return;
        }
        if let Err(error) = self.list.tell_phones(domain, mailbox).await {
            self.is_silent.store(true, Ordering::SeqCst);
            let error = error.full();
            tracing::warn!(error, %mailbox, %domain, "the phones of a mail box were not told that a message has gone");
        }
    }
}

#[async_trait]
impl<L: MessageList> Mail for SwitchMail<L> {
    async fn place(&self) -> Result<Option<MailPlace>, MailError> {
        self.place_in(&self.tree.turn().await?).await.map(Some)
    }

    async fn mailboxes(
        &self,
        domain: &SipDomain,
        perhaps: &BTreeSet<ExtensionNumber>,
    ) -> Result<Option<Vec<ExtensionNumber>>, MailError> {
        let turn = self.tree.turn().await?;
        let lying = self.tree.mailboxes(&turn, domain).await?;
        // Very many may be asked for, and others work meanwhile.
        drop(turn);
        let mut all: BTreeSet<ExtensionNumber> = lying.iter().flatten().cloned().collect();
        let without: BTreeSet<ExtensionNumber> = perhaps.difference(&all).cloned().collect();
        let listed = self.list.mailboxes(domain, &without).await?;
        let is_there = lying.is_some() || !listed.is_empty();
        all.extend(listed);
        Ok(is_there.then(|| all.into_iter().collect()))
    }

    async fn strays(&self, domain: &SipDomain) -> Result<Vec<PbxMessageId>, MailError> {
        let mut strays = self.list.strays(domain).await?;
        if strays.is_empty() {
            return Ok(strays);
        }
        let turn = self.tree.turn().await?;
        let mailboxes = match self.tree.mailboxes(&turn, domain).await {
            Err(MailError::Refused { .. }) => None,
            mailboxes => mailboxes?,
        };
        for mailbox in mailboxes.unwrap_or_default() {
            // One whose sound lies where nobody can look stays a stray.
            let lying = match self.lying(&turn, domain, &mailbox).await {
                Err(MailError::Refused { .. }) => continue,
                lying => lying?,
            };
            let lying: BTreeSet<PbxMessageId> = lying.iter().filter_map(Lying::id).collect();
            strays.retain(|stray| !lying.contains(stray));
        }
        Ok(strays)
    }

    async fn content(
        &self,
        domain: &SipDomain,
        mailbox: &ExtensionNumber,
    ) -> Result<MailboxContent, MailError> {
        let turn = self.tree.turn().await?;
        let content = self.read(&turn, domain, mailbox).await?;
        content.told().map_err(|why| MailError::refused(mailbox, why))
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
        let opened = if met.is_in_list {
            self.list.sound(mailbox, id).await?
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
        let place = self.place_in(&turn).await?;
        let Some(met) = self.find(&turn, domain, mailbox, id).await? else {
            return Ok(false);
        };
        if met.listed.is_some_and(|listed| listed > left_by) {
            return Err(MailError::refused(mailbox, LEFT_LATER));
        }
        let is_left_to_pbx = L::REMOVES_SOUNDS && met.listed.is_some();
        if !met.files.is_empty() && !is_left_to_pbx {
            self.may_remove(&turn, domain, mailbox).await?;
        }
        if met.listed.is_some() {
            self.strike(domain, mailbox, id).await?;
        }
        let removed = self.remove_sounds(&turn, domain, mailbox, &met, &place).await;
        drop(turn);
        // Also of an entry whose sound stays.
        self.tell_phones(domain, mailbox).await;
        removed.map(|()| true)
    }
}

#[cfg(test)]
mod tests;
