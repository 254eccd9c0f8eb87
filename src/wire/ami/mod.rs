//! Client for the Asterisk Manager Interface (AMI), protocol version 11 as Asterisk 22 speaks it.
//!
//! [`connect`] opens one connection and hands back a [`Client`] and the [`Connection`] that its owner drives;
//! [`supervise`] does the same for a link that is opened again whenever it breaks. Nothing here spawns a task.
//!
//! Asterisk works through the actions of one connection strictly one after the other: an action behind a reload of
//! ten seconds is answered after ten seconds. Slow work belongs on a connection of its own.
//!
//! A link may come up before Asterisk does. While it boots the manager accepts logins, knows only part of its actions,
//! and answers as if nothing were configured (a global that extensions.conf sets is empty); for a moment it even
//! refuses everything and closes. What depends on the configuration is asked after `core waitfullybooted` has
//! answered, on each new link.

mod action;
mod answer;
mod client;
mod codec;
mod config;
mod error;
mod link;
mod message;
mod stream;
#[cfg(test)]
mod tests;

pub use action::{Action, ActionError};
pub use answer::List;
pub use client::{Client, connect, supervise};
pub use codec::{Codec, CodecError, Frame};
pub use config::{ClearSecret, Config, Endpoint, EventMask, Limits, Login, Trust};
pub use error::{AnswerError, Error, LinkError, UnknownReason, UnsentReason};
pub use message::Message;

pub use super::link::{Backoff, FeedError, Timing};

/// One connection to a manager.
pub type Connection = super::link::Connection<link::Ami>;
/// The work of a link that is opened again whenever it breaks.
pub type Supervisor<C> = super::link::Supervisor<link::Ami, C>;
/// Whether requests can be sent.
pub type LinkState = super::link::LinkState<LinkError>;
/// Unsolicited events, in order.
pub type EventFeed = super::link::EventFeed<Message>;
