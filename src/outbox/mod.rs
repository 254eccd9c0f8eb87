//! The outbox's workers: what waits in the database is sent out of the house, again and again until it is taken.
//!
//! A message is sent once as long as its process lives from the sending to the note of it, and at least once if it does
//! not. What else is to be sent by mails' rules gets a kind in [`crate::domain::outbox`] and a worker here; events for
//! webhooks, which are sent in order, have queues and a sender of their own.

mod letter;
mod pace;
pub mod smtp;
mod verdict;
pub mod webhooks;
pub mod worker;

pub use self::smtp::{Session, SmtpError};
pub use self::worker::{Letters, Options, Worker};
