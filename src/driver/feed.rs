//! What a PBX tells of its calls and phones by itself: one connection that is kept, news as they come, and a full poll
//! that says how things stand.

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
    /// Where the next page begins; none where this is the last.
    pub next: Option<Place>,
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

    /// Where the PBX writes its calls down; none where it does not, or not in time to be asked again.
    fn archive(&self) -> Option<Box<dyn Archive>> {
        None
    }
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
}
