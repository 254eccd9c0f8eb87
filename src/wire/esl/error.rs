//! What can go wrong with a link to FreeSWITCH, and with one request on it.

use std::io;
use std::time::Duration;

use super::codec::CodecError;
use super::command::CommandError;
use crate::wire::link::{self, LinkFailure, Unopened};

/// Why there is no link, or no longer one.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    #[error("no connection was tried yet")]
    NotTried,
    #[error("connecting to the event socket at {address} failed")]
    Connect {
        address: String,
        #[source]
        source: io::Error,
    },
    #[error(transparent)]
    Unopened(#[from] Unopened),
    #[error(
        "FreeSWITCH at {address} accepts no event socket from this host's address; in event_socket.conf.xml let the list that \
         `apply-inbound-acl` names hold it, then type `reloadacl` and `reload mod_event_socket`"
    )]
    AddressDenied { address: String },
    #[error("FreeSWITCH refused the password: {message}; check `password` in event_socket.conf.xml")]
    LoginRefused { message: String },
    #[error("FreeSWITCH refused {command}: {message}")]
    SubscriptionRefused { command: String, message: String },
    #[error("what came from the event socket could not be read")]
    Read(#[from] CodecError),
    #[error("writing to the event socket failed")]
    Write(#[source] io::Error),
    #[error("FreeSWITCH ended the session")]
    Dismissed,
    #[error("FreeSWITCH closed the connection")]
    Closed,
    /// Answers are told apart by their order alone: one that nobody waits for makes each further one doubtful.
    #[error("FreeSWITCH sent {content_type}, which was not due")]
    OutOfStep { content_type: String },
    #[error("FreeSWITCH gave no sign of life within {limit:?}")]
    Silent { limit: Duration },
    #[error("the link was stopped here")]
    Stopped,
}

impl LinkFailure for LinkError {
    fn not_tried() -> Self {
        Self::NotTried
    }

    fn stopped() -> Self {
        Self::Stopped
    }

    fn silent(limit: Duration) -> Self {
        Self::Silent { limit }
    }

    fn is_refusal(&self) -> bool {
        // The address too: its list says no for as long as nobody changes it, and FreeSWITCH logs each try that it rejects.
        matches!(
            self,
            Self::LoginRefused { .. } | Self::AddressDenied { .. } | Self::SubscriptionRefused { .. }
        )
    }
}

/// Why a request has no good answer.
pub type Error = link::Error<LinkError, CommandError, AnswerError>;
/// Why nothing was sent.
pub type UnsentReason = link::UnsentReason<LinkError, CommandError>;
/// Why it is not known what became of a request.
pub type UnknownReason = link::UnknownReason<LinkError>;

/// What is wrong with an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    #[error("it is {got:?} where {expected} was expected")]
    Form { expected: &'static str, got: String },
    #[error("it says that it has {said} rows, {got} came")]
    RowCount { said: u64, got: usize },
}
