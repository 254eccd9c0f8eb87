//! What a PBX tells of its calls and phones by itself: one connection that is kept, news as they come, a full poll that says
//! how things stand, and what it wrote down of calls.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use uuid::Uuid;

use super::DriverError;
use crate::domain::call_part::EndedPart;
use crate::domain::ids::TenantId;
use crate::domain::instance::PbxInstance;
use crate::domain::instance_secrets::InstanceSecrets;
use crate::domain::leg::{Contact, Leg, LegId};

/// One piece of news, in the order in which the PBX told it.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum News {
    /// The PBX is listened to from here on. What was before is only told by a poll.
    LinkUp,
    /// Nothing is heard from here on, until [`News::LinkUp`].
    LinkDown,
    /// Some news did not arrive: too many came, or one could not be read.
    Lost,
    /// The record of a part of a call could not be read; what is known of legs is as right as before.
    RecordLost,
    /// Legs may belong to other calls, or be another's, by now, and no news tell of each: a poll does.
    Moved,
    /// News of a leg could not be read: what is known of legs may be wrong, and no record is lost.
    LegLost,
    /// A leg as it stands now; it may be a new one.
    Leg(Leg),
    /// A leg is no more.
    Ended {
        /// Which.
        id: LegId,
        /// The PBX's reason in the numbers of Q.850, where it gives one.
        cause: Option<u16>,
    },
    /// A part of a call is over, and this is what is on record of it.
    Record(Box<EndedPart>),
    /// A phone can be reached.
    SignedIn(Contact),
    /// It cannot be any more.
    SignedOut(Contact),
}

/// What a PBX still tells of a time in which nobody listened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Past {
    /// Parts of calls that ended in it; their times may be in whole seconds.
    pub parts: Vec<EndedPart>,
    /// From when on these are all; `None`: they are.
    pub known_from: Option<Timestamp>,
}

/// What is asked of an archive: the calls of these tenants that were over in a time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asked {
    /// Whose rows are read, and no others.
    pub tenants: Vec<TenantId>,
    /// When the first of them ended.
    pub from: Timestamp,
    /// When the last of them began.
    pub to: Timestamp,
}

/// Behind which row the next page of an archive begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// When its call began, in microseconds.
    pub at: i64,
    /// Its own id.
    pub id: Uuid,
}

/// A page of an archive.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page {
    /// Parts of calls, in the order of their begins; their times are in whole seconds.
    pub parts: Vec<EndedPart>,
    /// The rows that tell of no call.
    pub skipped: Skipped,
    /// Where the next page begins; none where this is the last.
    pub next: Option<Place>,
}

/// Why a row of an archive comes to no record.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Untold {
    /// Something in it is not what its column says.
    Unreadable,
    /// It is of something that SIP knows nothing of, such as a half of a pair, or of what that led to.
    NoSip,
    /// It is of somebody who was called, and it says not by whom.
    NoCaller,
    /// One of its times is none, or it ended more than a day after it began.
    NoTimes,
    /// It names something that no id is.
    NoId,
    /// Its tenant did not have the domain that it names when it began.
    OtherDomain,
    /// It is of somebody who was called, and whoever called is not on record.
    CallerUnknown,
    /// It may name somebody who was erased.
    Erased,
    /// Its tenant would not keep it any more.
    Old,
}

impl fmt::Display for Untold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreadable => "cannot be decoded",
            Self::NoSip => "of no call of SIP, or behind one that is none",
            Self::NoCaller => "of legs that were called, without an originating leg",
            Self::NoTimes => "with a time that is none, or of more than a day",
            Self::NoId => "with an id that is none",
            Self::OtherDomain => "of a domain that their tenant did not have then",
            Self::CallerUnknown => "of legs whose caller is not on record",
            Self::Erased => "from before an erasure, or too soon behind it",
            Self::Old => "older than their tenant keeps",
        })
    }
}

/// How many rows came to no record, and why.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Skipped(BTreeMap<Untold, usize>);

impl Skipped {
    /// Counts one more.
    pub fn add(&mut self, why: Untold) {
        *self.0.entry(why).or_default() += 1;
    }

    /// Counts others too.
    pub fn extend(&mut self, others: &Self) {
        for (why, count) in &others.0 {
            *self.0.entry(*why).or_default() += count;
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (why, count)) in self.0.iter().enumerate() {
            let before = if at == 0 { "" } else { "; " };
            write!(f, "{before}{count} {why}")?;
        }
        Ok(())
    }
}

/// Where a PBX writes down its calls some time after they ended.
#[async_trait]
pub trait Archive: Send + Sync {
    /// One page of what is asked for, behind a place.
    async fn page(&self, asked: &Asked, behind: Option<Place>) -> Result<Page, DriverError>;
}

/// What the PBX tells by itself.
#[async_trait]
pub trait Feed: Send {
    /// Waits for the next news; `None` once nothing will come any more. Cancel safe.
    async fn next(&mut self) -> Option<News>;

    /// For asking on the same connection how things stand.
    fn poll(&self) -> Box<dyn Poll>;
}

/// Asks how things stand.
#[async_trait]
pub trait Poll: Send + Sync {
    /// For how long after a change the PBX's own tables may not show it.
    fn lag(&self) -> Duration;

    /// Every leg that is up.
    async fn legs(&self, now: Timestamp) -> Result<Vec<Leg>, DriverError>;

    /// Whether this connection is told of calls by itself, as far as the PBX says; `None` where it does not.
    async fn hears_calls(&self) -> Option<bool> {
        Some(true)
    }

    /// What the PBX still tells of parts of calls that ended since then; `None` where it keeps nothing that could be read.
    async fn ended_since(&self, _since: Timestamp) -> Option<Past> {
        None
    }

    /// Every phone that can be reached.
    async fn contacts(&self) -> Result<Vec<Contact>, DriverError>;
}

/// Makes the feed of an instance.
pub trait FeedFactory: Send + Sync {
    /// Nothing is connected yet when this returns; it is tried again and again from then on, until the feed is dropped.
    /// To be called inside a Tokio runtime. `None`: this instance has nothing to listen to.
    fn feed(&self, instance: &PbxInstance, secrets: InstanceSecrets) -> Option<Box<dyn Feed>>;

    /// Where the PBX of an instance writes its calls down; none where it does not, or not in time to be asked again. Nothing
    /// is connected until it is asked.
    fn archive(&self, _instance: &PbxInstance, _secrets: &InstanceSecrets) -> Option<Box<dyn Archive>> {
        None
    }
}
