//! What can go wrong with a link, and with one request on it.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::action::ActionError;
use super::codec::CodecError;

/// Why there is no link, or no longer one.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    #[error("no connection was tried yet")]
    NotTried,
    #[error("connecting to the manager at {address} failed")]
    Connect {
        address: String,
        #[source]
        source: io::Error,
    },
    #[error("the manager at {address} did not finish the login within {limit:?}")]
    ConnectTimeout { address: String, limit: Duration },
    #[error("{address} did not prove by its certificate who it is, or speaks no TLS")]
    Tls {
        address: String,
        #[source]
        source: io::Error,
    },
    #[error("the certificates in {} cannot be used: {reason}", .path.display())]
    Trust { path: PathBuf, reason: String },
    #[error(
        "the manager offers no challenge ({message}), and the secret does not go to another host in clear; have it speak \
         TLS, or allow it with `ami.clear_secret`"
    )]
    NoChallenge { message: String },
    #[error("the login cannot be sent; correct the account's settings")]
    BadLogin(#[source] ActionError),
    #[error("Asterisk refused the login: {message}; check the account in manager.conf")]
    LoginRefused { message: String },
    #[error("what came from the manager could not be read")]
    Read(#[source] CodecError),
    #[error("writing to the manager failed")]
    Write(#[source] io::Error),
    #[error("Asterisk closed the connection")]
    Closed,
    #[error("Asterisk gave no sign of life within {limit:?}")]
    Silent { limit: Duration },
    #[error("the link was stopped here")]
    Stopped,
}

/// Why a request has no good answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Asterisk understood the action and did not do it.
    #[error("Asterisk refused {action}: {message}")]
    Refused { action: String, message: String },
    /// Not a byte of the action was written: it can be asked again.
    #[error("{action} was not sent")]
    Unsent {
        action: String,
        #[source]
        reason: UnsentReason,
    },
    /// The action was written, at least in part, and nobody knows whether it was done: inspect, do not ask again.
    #[error("{action} was sent, its outcome is unknown")]
    Unknown {
        action: String,
        #[source]
        reason: UnknownReason,
    },
    /// Asterisk answered, with something that cannot be used. The action itself may have been done.
    #[error("the answer to {action} is of no use")]
    Answer {
        action: String,
        #[source]
        reason: AnswerError,
    },
}

#[derive(Debug, Clone, thiserror::Error)]
pub enum UnsentReason {
    #[error("there is no link to the manager")]
    LinkDown(#[source] Arc<LinkError>),
    #[error("{limit} requests wait already")]
    Busy { limit: usize },
    #[error("its turn to be written did not come within {after:?}")]
    TimedOut { after: Duration },
    #[error("the action cannot be built")]
    Action(#[source] ActionError),
}

#[derive(Debug, Clone, thiserror::Error)]
pub enum UnknownReason {
    #[error("the link to the manager broke")]
    LinkBroke(#[source] Arc<LinkError>),
    #[error("no answer within {after:?}")]
    TimedOut { after: Duration },
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    #[error("the response is {response:?}, neither Success nor Error")]
    Response { response: String },
    /// Also Asterisk's way to say that there is nothing: `VoicemailUserStatus` of an unknown mailbox.
    #[error("it is a single response, not a list: {message}")]
    NotAList { message: String },
    #[error("the list has more than {limit} items")]
    TooManyItems { limit: usize },
    #[error("the list says it has {said:?} items, {got} came")]
    ItemCount { said: Option<String>, got: usize },
}
