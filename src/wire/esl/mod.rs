//! Client for FreeSWITCH's event socket, as version 1.11 speaks it to whoever connects to it.
//!
//! [`connect`] opens one connection and hands back a [`Client`] and the [`Connection`] that its owner drives;
//! [`supervise`] does the same for a link that is opened again whenever it breaks. Nothing here spawns a task.
//!
//! FreeSWITCH works through the commands of one connection strictly one after the other.
//! Slow work is a job ([`Client::background`]), or belongs on a connection of its own. Answers bear no name: they are told
//! apart by their order.

mod ask;
mod client;
mod codec;
mod command;
mod config;
mod error;
mod event;
mod link;
mod message;
#[cfg(test)]
mod recorded;
#[cfg(test)]
mod tests;
mod turns;
mod word;

pub use ask::{
    Attribute, Channel, Contact, DELETED, Registration, Sessions, Status, VoiceMessage, VoiceMessages, Whose,
};
pub use client::{Client, connect, supervise};
pub use codec::{Codec, CodecError, Frame};
pub use command::{Command, CommandError};
pub use config::{Config, Format, Limits, Password, PasswordError, Subscription, SubscriptionError};
pub use error::{AnswerError, Error, LinkError, UnknownReason, UnsentReason};
pub use event::{Event, EventError};
pub use message::{Message, Reply};
pub use word::{Word, WordError};

pub use super::link::{Backoff, FeedError, Timing};

/// One connection to an event socket.
pub type Connection = super::link::Connection<link::Esl>;
/// The work of a link that is opened again whenever it breaks.
pub type Supervisor<C> = super::link::Supervisor<link::Esl, C>;
/// Whether requests can be sent.
pub type LinkState = super::link::LinkState<LinkError>;
/// Unsolicited events, in order.
pub type EventFeed = super::link::EventFeed<Event>;
