//! The list that a PBX keeps of the messages in its mail boxes, and what it says of one.

use std::collections::BTreeSet;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::domain::call_text::CallText;
use crate::domain::dial::ExtensionNumber;
use crate::domain::sip_domain::SipDomain;
use crate::domain::voicemail::{MailFolder, PbxMessageId};
use crate::driver::mail::MailError;
use crate::driver::mail::opened::Opened;

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
    /// Whether it alone names the sound of a message, which is named otherwise than that.
    const NAMES_SOUNDS: bool;

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
