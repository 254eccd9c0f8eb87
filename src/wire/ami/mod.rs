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
mod connection;
mod error;
mod events;
mod link;
mod message;
mod pending;
mod stream;
mod supervisor;
#[cfg(test)]
mod tests;

pub use action::{Action, ActionError};
pub use answer::List;
pub use client::Client;
pub use codec::{Codec, CodecError, Frame};
pub use config::{ClearSecret, Config, Endpoint, EventMask, Limits, Login, Timing, Trust};
pub use connection::{Connection, LinkState, connect};
pub use error::{AnswerError, Error, LinkError, UnknownReason, UnsentReason};
pub use events::{EventFeed, FeedError};
pub use message::Message;
pub use supervisor::{Backoff, Supervisor, supervise};
