//! The sender of events to webhooks: signed, in order, again and again until they are taken, and to nobody who may not be
//! reached.

mod client;
mod places;
mod resolver;
mod sender;
mod signature;
mod verdict;

pub use self::client::Limits;
pub use self::sender::{Disabling, Options, Sender};
