//! What can go wrong with one request.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

/// Why a request has no good answer. `L` says why there is no link, `B` why a request cannot be built, `A` what is wrong
/// with an answer.
#[derive(Debug, thiserror::Error)]
pub enum Error<L, B, A>
where
    L: StdError + Send + Sync + 'static,
    B: StdError + Send + Sync + 'static,
    A: StdError + Send + Sync + 'static,
{
    /// The PBX understood the request and did not do it.
    #[error("the PBX refused {action}: {message}")]
    Refused { action: String, message: String },
    /// Not a byte of the request was written: it can be asked again.
    #[error("{action} was not sent")]
    Unsent {
        action: String,
        #[source]
        reason: UnsentReason<L, B>,
    },
    /// The request was written, at least in part, and nobody knows whether it was done: inspect, do not ask again.
    #[error("{action} was sent, its outcome is unknown")]
    Unknown {
        action: String,
        #[source]
        reason: UnknownReason<L>,
    },
    /// The PBX answered, with something that cannot be used. What was asked may have been done.
    #[error("the answer to {action} is of no use")]
    Answer {
        action: String,
        #[source]
        reason: A,
    },
}

/// Why nothing was sent.
#[derive(Debug, thiserror::Error)]
pub enum UnsentReason<L, B>
where
    L: StdError + Send + Sync + 'static,
    B: StdError + Send + Sync + 'static,
{
    #[error("there is no link to the PBX")]
    LinkDown(#[source] Arc<L>),
    #[error("{limit} requests wait already")]
    Busy { limit: usize },
    #[error("its turn to be written did not come within {after:?}")]
    TimedOut { after: Duration },
    #[error("the request cannot be built")]
    Action(#[source] B),
}

/// Why it is not known what became of a request.
#[derive(Debug, thiserror::Error)]
pub enum UnknownReason<L>
where
    L: StdError + Send + Sync + 'static,
{
    #[error("the link to the PBX broke")]
    LinkBroke(#[source] Arc<L>),
    #[error("no answer within {after:?}")]
    TimedOut { after: Duration },
}
