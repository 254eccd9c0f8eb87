//! What every link to a PBX is made of: requests that wait for answers, events that are heard, a connection that is
//! opened again.
//!
//! A [`Protocol`] says how its connection is opened, written and read. Nothing here spawns a task, but a look-up its thread.

mod connection;
mod error;
mod events;
mod hub;
mod lookup;
mod opening;
mod pending;
mod supervisor;
mod timing;

use std::error::Error as StdError;
use std::fmt::Debug;
use std::time::Duration;

use tokio::sync::mpsc;

pub use connection::{Connection, LinkState, connect};
pub use error::{Error, UnknownReason, UnsentReason};
pub use events::{EventFeed, FeedError};
pub use hub::{Handle, Hub};
pub use lookup::Lookup;
pub use opening::{Unopened, greeting, within};
pub use pending::Outgoing;
pub use supervisor::{Backoff, Supervisor, supervise};
pub use timing::Timing;

/// A protocol as the link sees it.
pub trait Protocol: Sized + Clone + Debug + Send + Sync + 'static {
    /// Where the PBX is, who we are there, and the bounds we keep.
    type Config: Clone + Debug + Send + Sync;
    /// A connection on which the sign-in was accepted.
    type Line: Debug + Send;
    /// What is sent.
    type Request: Debug + Send;
    /// The parts of one answer so far.
    type Collector: Debug + Send;
    /// One of these parts, as it was read.
    type Part: Debug;
    /// The whole answer.
    type Answer: Debug + Send;
    /// What comes without being asked for.
    type Event: Debug + Send + Sync;
    /// Why there is no link.
    type LinkError: LinkFailure;
    /// Why a request cannot be built.
    type BuildError: StdError + Debug + Send + Sync + 'static;
    /// Why an answer is of no use.
    type AnswerError: StdError + Debug + Send + Sync + 'static;

    /// What the log calls the other end.
    const PEER: &'static str;

    /// The deadlines of the link itself.
    fn timing(config: &Self::Config) -> &Timing;

    /// What is kept at the most.
    fn room(config: &Self::Config) -> Room;

    /// A request that every PBX answers at once, and how its answer is collected.
    fn life_sign() -> (Self::Request, Self::Collector);

    /// Adds one part; `Some` once the answer is whole.
    fn collect(
        collector: &mut Self::Collector,
        part: Self::Part,
    ) -> Option<Result<Self::Answer, Self::AnswerError>>;

    /// Connects and signs in, within the time that `config` gives.
    fn open(
        config: &Self::Config,
        lookup: &mut Lookup,
    ) -> impl Future<Output = Result<Self::Line, Self::LinkError>> + Send;

    /// Writes what is queued and hands on what is read, until the connection breaks; says why it broke.
    fn serve(
        line: &mut Self::Line,
        hub: &Hub<Self>,
        queue: &mut mpsc::Receiver<Outgoing<Self>>,
    ) -> impl Future<Output = Self::LinkError> + Send;
}

/// What each protocol has to say about a link that is down.
pub trait LinkFailure: StdError + Send + Sync + 'static {
    /// Nobody has tried yet.
    fn not_tried() -> Self;

    /// We ended it.
    fn stopped() -> Self;

    /// Nothing was heard for so long.
    fn silent(limit: Duration) -> Self;

    /// Of what kept a link from being opened, whether it is a no in so many words, ours or the PBX's: that gets no better by
    /// haste, and each try is a line in a log. Nonsense, silence and a connection that is closed are none: the next try may find
    /// a PBX that is well.
    fn is_refusal(&self) -> bool;
}

/// Bounds on memory, kept within 1..=65,536.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    /// Requests that wait for an answer at the same time.
    pub pending: usize,
    /// Unsolicited events kept for a slow reader.
    pub events: usize,
}
