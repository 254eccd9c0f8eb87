//! What callers have left on a PBX: its mail boxes' messages, listed box by box, and removed one by one.

pub(in crate::driver) mod opened;
pub(in crate::driver) mod tree;
pub(in crate::driver) mod turn;

use std::collections::BTreeSet;
use std::error::Error as StdError;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use thiserror::Error;

use crate::domain::dial::ExtensionNumber;
use crate::domain::error_chain::error_chain;
use crate::domain::recording::SoundFormat;
use crate::domain::sip_domain::SipDomain;
use crate::domain::voicemail::{FoundMessage, PbxMessageId};
use crate::driver::spool::Sound;

type Source = Box<dyn StdError + Send + Sync>;

/// Why messages could not be looked at or removed.
#[derive(Debug, Error)]
pub enum MailError {
    /// Switchyard does not look after the mail boxes of such a PBX.
    #[error("{0}")]
    NotServed(&'static str),
    /// The disk or the PBX is not there, or does not answer: none of the others would fare better.
    #[error("{what} cannot be worked on")]
    Unavailable {
        /// What.
        what: String,
        /// Why not.
        #[source]
        source: Source,
    },
    /// A directory that has to be there is not.
    #[error("{directory} is not there; see whether its disk is mounted here")]
    Absent {
        /// Which.
        directory: String,
    },
    /// Somebody is in the mail box: it can be worked on once they have hung up.
    #[error("somebody listens to the mail box {mailbox}")]
    InUse {
        /// Which.
        mailbox: ExtensionNumber,
    },
    /// It is this one alone.
    #[error("{what} cannot be worked on")]
    Refused {
        /// A mail box, or those of a domain.
        what: String,
        /// Why not.
        #[source]
        source: Source,
    },
}

impl MailError {
    /// What is not there, or does not answer.
    pub fn unavailable(what: impl Into<String>, source: impl Into<Source>) -> Self {
        Self::Unavailable {
            what: what.into(),
            source: source.into(),
        }
    }

    /// What cannot be done in one mail box.
    pub fn refused(mailbox: &ExtensionNumber, source: impl Into<Source>) -> Self {
        Self::Refused {
            what: format!("the mail box {mailbox}"),
            source: source.into(),
        }
    }

    /// What cannot be done with any of a domain.
    pub fn refused_all(domain: &SipDomain, source: impl Into<Source>) -> Self {
        Self::Refused {
            what: format!("the mail boxes of {domain}"),
            source: source.into(),
        }
    }

    /// The error with all its causes, for a record that people read.
    #[must_use]
    pub fn full(&self) -> String {
        error_chain(self)
    }
}

/// An empty file of this name, which only an operator makes, says of the directory of mail boxes that it is the right one.
pub const BELIEVED: &str = ".switchyard-voicemail";

/// The directory that the boxes are in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MailPlace {
    /// Which one, so that another one is not taken for it.
    pub mark: String,
    /// Its path.
    pub root: String,
    /// Whether an operator says that it is the right one, by [`BELIEVED`] in it.
    pub is_believed: bool,
}

/// What was found in a mail box.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct MailboxContent {
    /// In the order of folders and of Asterisk's numbers.
    pub messages: Vec<FoundMessage>,
    /// Whether there is more than is looked at.
    pub has_more: bool,
    /// What a caller may be speaking into, and is no message yet, unless it is known as one.
    pub unsettled: BTreeSet<PbxMessageId>,
    /// Sounds that no entry names, and that were written at these times: where the PBX's list alone names a sound, each may be
    /// what is left of a message that it listed.
    pub nameless: Vec<Timestamp>,
}

/// A PBX lists a message when its caller hangs up, or has chosen what becomes of it; its sound was written last before that. The two
/// times are told by two clocks, of which either may have been set in between.
const CHOOSING: SignedDuration = SignedDuration::from_hours(1);

/// Whether a sound that was written then may be that of a message that was left then.
pub(in crate::driver) fn may_be_of(written: Timestamp, left_at: Timestamp) -> bool {
    written.duration_since(left_at).abs() <= CHOOSING
}

impl MailboxContent {
    /// Whether the sound of a message may lie there, though the PBX lists it no more.
    #[must_use]
    pub fn may_hold(&self, left_at: Timestamp) -> bool {
        self.nameless.iter().any(|written| may_be_of(*written, left_at))
    }
}

/// What a caller has said.
pub struct MessageSound {
    /// To be read.
    pub sound: Sound,
    /// What it holds, where its name says that.
    pub format: Option<SoundFormat>,
}

/// The mail boxes of a PBX.
///
/// All of it asks in turn: whoever comes while another one works on the same PBX waits.
#[async_trait]
pub trait Mail: Send + Sync {
    /// The directory that the boxes are in; none where it is not there, and may not be yet.
    async fn place(&self) -> Result<Option<MailPlace>, MailError>;

    /// The boxes of a domain that something may lie in, also those that are not served any more; none where nothing of that
    /// domain is there, not even a directory with something in it: nobody has left a message so far, or its disk is not mounted.
    /// A PBX that tells of no box that it is not asked for is asked for those that are `perhaps` there.
    async fn mailboxes(
        &self,
        domain: &SipDomain,
        perhaps: &BTreeSet<ExtensionNumber>,
    ) -> Result<Option<Vec<ExtensionNumber>>, MailError>;

    /// Messages of a domain that the PBX has in no box any more, and whose sounds lie in none.
    async fn strays(&self, _domain: &SipDomain) -> Result<Vec<PbxMessageId>, MailError> {
        Ok(Vec::new())
    }

    /// What is in one of them.
    async fn content(
        &self,
        domain: &SipDomain,
        mailbox: &ExtensionNumber,
    ) -> Result<MailboxContent, MailError>;

    /// Whether a message that was left then is in the box; an error where a sound lies there that may be its.
    async fn holds(
        &self,
        domain: &SipDomain,
        mailbox: &ExtensionNumber,
        id: &PbxMessageId,
        left_at: Timestamp,
    ) -> Result<bool, MailError>;

    /// Opens what a caller has said in a message; none where that is not there. Of several files with the same sound it is one.
    async fn sound(
        &self,
        domain: &SipDomain,
        mailbox: &ExtensionNumber,
        id: &PbxMessageId,
    ) -> Result<Option<MessageSound>, MailError>;

    /// Removes a message from the box, in whichever folder it is by now, and has the phones told; false where it is not there.
    /// One that says that it was left after that time, which is when it was left by what is known, stays.
    async fn remove(
        &self,
        domain: &SipDomain,
        mailbox: &ExtensionNumber,
        id: &PbxMessageId,
        left_by: Timestamp,
    ) -> Result<bool, MailError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a22_a_sound_of_about_that_time_may_be_a_messages() {
        let left_at = Timestamp::from_second(1_795_969_239).unwrap();
        let minutes = |minutes| left_at + SignedDuration::from_mins(minutes);
        for (at, may_be) in [(-61, false), (-60, true), (0, true), (60, true), (61, false)] {
            assert_eq!(may_be_of(minutes(at), left_at), may_be, "{at}");
        }
    }
}
