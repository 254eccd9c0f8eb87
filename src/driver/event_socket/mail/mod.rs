//! The mail boxes of a FreeSWITCH, with FusionPBX or without: the list of messages that the PBX keeps, and the sounds that lie on
//! the disk, of which either may be left without the other.

mod box_content;
mod list;
mod sounds;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use jiff::Timestamp;

use self::box_content::{BoxContent, Met};
pub use self::list::{Listed, ListedSound, MessageList};
use self::sounds::{Lying, in_box, may_remove, open, remove};
use crate::domain::dial::ExtensionNumber;
use crate::domain::instance::AbsolutePath;
use crate::domain::sip_domain::SipDomain;
use crate::domain::voicemail::PbxMessageId;
use crate::driver::Check;
use crate::driver::mail::tree::{MailTree, WHAT, unread};
use crate::driver::mail::turn::Turn;
use crate::driver::mail::{Mail, MailError, MailPlace, MailboxContent, MessageSound, may_be_of};
use crate::driver::spool::own;

const NOT_LOOKED_AFTER: &str = "the settings of the PBX name no directory of mail boxes, so nobody looks after what is in them: set \
     `voicemail_dir`, or delete it on the PBX";
const MEND: &str =
    "have `voicemail_dir` name the directory that the domains' mail boxes are in, as this host sees it";
const LEFT_LATER: &str = "a message says that it was left later than was known of it";
const MAY_BE_ITS: &str = "the PBX lists a message no more, and a sound that may be its lies there: remove that message, or that file";
const STILL_LISTED: &str = "the PBX was told to remove a message, and lists it all the same; see its log";
const STILL_LYING: &str = "a sound of a message that was removed lies there all the same";

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
        let content = self.around(turn, domain, mailbox, id).await?;
        content
            .into_one(id)
            .map_err(|why| MailError::refused(mailbox, why))
    }

    /// The same of one that was left then. Where the list alone names its sound, it has not gone with its entry: its owner may have
    /// deleted it, and FreeSWITCH not been able to remove it.
    async fn find_left(
        &self,
        turn: &Turn,
        domain: &SipDomain,
        mailbox: &ExtensionNumber,
        id: &PbxMessageId,
        left_at: Timestamp,
    ) -> Result<Option<Met>, MailError> {
        let content = self.around(turn, domain, mailbox, id).await?;
        let may_lie_there = L::NAMES_SOUNDS && content.nameless().any(|written| may_be_of(written, left_at));
        match content.into_one(id) {
            Ok(None) if may_lie_there => Err(MailError::refused(mailbox, MAY_BE_ITS)),
            found => found.map_err(|why| MailError::refused(mailbox, why)),
        }
    }

    /// What is in a box, as far as it may be about one message.
    async fn around(
        &self,
        turn: &Turn,
        domain: &SipDomain,
        mailbox: &ExtensionNumber,
        id: &PbxMessageId,
    ) -> Result<BoxContent, MailError> {
        Ok(match self.list.one(domain, mailbox, id).await? {
            Some(listed) => {
                let lying = self.lying(turn, domain, mailbox).await?;
                BoxContent::new(mailbox, &[listed], &lying)
            }
            // What lies there may be of another one.
            None => self.read(turn, domain, mailbox).await?,
        })
    }

    /// Whether the sounds can be removed, before nobody knows any more whose they are.
    async fn may_remove(
        &self,
        turn: &Turn,
        domain: &SipDomain,
        mailbox: &ExtensionNumber,
        files: &[String],
    ) -> Result<(), MailError> {
        let (of, named, files) = (domain.clone(), mailbox.clone(), files.to_vec());
        let may = self
            .tree
            .ask(turn, move |tree| may_remove(tree, &of, &named, &files, own()))
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
        let nameless = if L::NAMES_SOUNDS {
            content.nameless().collect()
        } else {
            Vec::new()
        };
        let told = content.told().map_err(|why| MailError::refused(mailbox, why))?;
        Ok(MailboxContent { nameless, ..told })
    }

    async fn holds(
        &self,
        domain: &SipDomain,
        mailbox: &ExtensionNumber,
        id: &PbxMessageId,
        left_at: Timestamp,
    ) -> Result<bool, MailError> {
        let turn = self.tree.turn().await?;
        let met = self.find_left(&turn, domain, mailbox, id, left_at).await?;
        Ok(met.is_some())
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
        if met.is_in_list {
            let opened = self.list.sound(mailbox, id).await?;
            return Ok(opened.map(|opened| self.tree.sound(opened)));
        }
        let (of, named) = (domain.clone(), mailbox.clone());
        let open = move |tree: &MailTree| open(tree, &of, &named, &met.files);
        self.tree.open(&turn, mailbox, open).await
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
        let Some(met) = self.find_left(&turn, domain, mailbox, id, left_by).await? else {
            return Ok(false);
        };
        if met.listed.is_some_and(|listed| listed > left_by) {
            return Err(MailError::refused(mailbox, LEFT_LATER));
        }
        let is_left_to_pbx = L::REMOVES_SOUNDS && met.listed.is_some();
        if !met.files.is_empty() && !is_left_to_pbx {
            self.may_remove(&turn, domain, mailbox, &met.files).await?;
        }
        if met.listed.is_some()
            && let Err(error) = self.strike(domain, mailbox, id).await
        {
            drop(turn);
            // Nobody knows whether it was struck.
            self.tell_phones(domain, mailbox).await;
            return Err(error);
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
