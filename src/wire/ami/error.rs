//! What can go wrong with a link to Asterisk, and with one request on it.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::action::ActionError;
use super::codec::CodecError;
use crate::wire::link::{self, LinkFailure};

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
    /// No refusal: a tunnel does that while nobody is at its other end.
    #[error("{address} closed the connection without a word; does it lead to a manager?")]
    NotGreeted { address: String },
    #[error("Asterisk closed the connection")]
    Closed,
    #[error("Asterisk gave no sign of life within {limit:?}")]
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
        match self {
            Self::LoginRefused { .. }
            | Self::BadLogin(_)
            | Self::NoChallenge { .. }
            | Self::Trust { .. }
            | Self::Closed => true,
            // What broke in the middle of it may hold the next time.
            Self::Tls { source, .. } => {
                matches!(source.kind(), io::ErrorKind::InvalidData | io::ErrorKind::Other)
            }
            Self::Read(error) => !matches!(error, CodecError::Io(_)),
            _ => false,
        }
    }
}

/// Why a request has no good answer.
pub type Error = link::Error<LinkError, ActionError, AnswerError>;
/// Why nothing was sent.
pub type UnsentReason = link::UnsentReason<LinkError, ActionError>;
/// Why it is not known what became of a request.
pub type UnknownReason = link::UnknownReason<LinkError>;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_certificate_is_a_refusal_and_a_link_that_breaks_while_it_is_shown_is_none() {
        let tls = |kind: io::ErrorKind| LinkError::Tls {
            address: "pbx.example.com:5039".to_owned(),
            source: kind.into(),
        };
        // What the library says of all that it does not believe.
        assert!(tls(io::ErrorKind::InvalidData).is_refusal());
        for cut in [
            io::ErrorKind::UnexpectedEof,
            io::ErrorKind::ConnectionReset,
            io::ErrorKind::BrokenPipe,
        ] {
            assert!(!tls(cut).is_refusal(), "{cut}");
        }
        let read = |error: CodecError| LinkError::Read(error).is_refusal();
        assert!(read(CodecError::CutOff { bytes: 1 }));
        assert!(!read(io::Error::from(io::ErrorKind::ConnectionReset).into()));
    }
}
