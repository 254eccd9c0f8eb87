//! What can go wrong with a link to Asterisk, and with one request on it.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio_rustls::rustls;

use super::action::ActionError;
use super::codec::CodecError;
use crate::wire::link::{self, LinkFailure, Unopened};

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
    #[error(transparent)]
    Unopened(#[from] Unopened),
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
    Read(#[from] CodecError),
    #[error("writing to the manager failed")]
    Write(#[source] io::Error),
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
            Self::LoginRefused { .. } | Self::BadLogin(_) | Self::NoChallenge { .. } | Self::Trust { .. } => {
                true
            }
            Self::Tls { source, .. } => is_refused_by_tls(source),
            _ => false,
        }
    }
}

/// Whether one of the two ends said no: what else goes wrong while TLS begins may go well the next time.
fn is_refused_by_tls(error: &io::Error) -> bool {
    use rustls::AlertDescription::{CloseNotify, InternalError, UserCanceled};
    use rustls::Error::{AlertReceived, InvalidCertificate, NoCertificatesPresented, PeerIncompatible};
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
    let is_said = match cause {
        Some(InvalidCertificate(_) | NoCertificatesPresented | PeerIncompatible(_)) => true,
        // These are said by one that has a fault of its own, or takes its leave.
        Some(AlertReceived(alert)) => !matches!(alert, InternalError | UserCanceled | CloseNotify),
        _ => false,
    };
    // The name of its host can stand in no certificate.
    is_said || error.kind() == io::ErrorKind::Other
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
        let of = |source| LinkError::Tls {
            address: "pbx.example.com:5039".to_owned(),
            source,
        };
        let tls = |kind: io::ErrorKind| of(kind.into());
        let believed =
            |error: rustls::Error| !of(io::Error::new(io::ErrorKind::InvalidData, error)).is_refusal();
        assert!(!believed(rustls::CertificateError::Expired.into()));
        assert!(!believed(rustls::Error::AlertReceived(
            rustls::AlertDescription::AccessDenied
        )));
        assert!(believed(rustls::Error::AlertReceived(
            rustls::AlertDescription::InternalError
        )));
        // Which is said of whatever is no TLS.
        assert!(believed(rustls::InvalidMessage::InvalidContentType.into()));
        for cut in [
            io::ErrorKind::UnexpectedEof,
            io::ErrorKind::ConnectionReset,
            io::ErrorKind::BrokenPipe,
        ] {
            assert!(!tls(cut).is_refusal(), "{cut}");
        }
    }
}
