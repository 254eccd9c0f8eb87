//! How an order to a PBX can fail, told by what is known afterwards.

use std::error::Error as StdError;

use thiserror::Error;

use crate::domain::error_chain::error_chain;

type Source = Box<dyn StdError + Send + Sync>;

/// What is known after an order failed. `Unknown` leads to inspection, never to a blind retry.
#[derive(Debug, Error)]
pub enum DriverError {
    /// The PBX understood and said no.
    #[error("the PBX refused {what}")]
    Refused {
        /// The order.
        what: String,
        /// Its words.
        #[source]
        source: Source,
    },
    /// The PBX was not reached; nothing was sent.
    #[error("the PBX was not reached for {what}")]
    Unreachable {
        /// The order.
        what: String,
        /// Why not.
        #[source]
        source: Source,
    },
    /// It failed on our side, before anything that is live was touched.
    #[error("{what} failed before anything live was touched")]
    NotApplied {
        /// The order.
        what: String,
        /// Why.
        #[source]
        source: Source,
    },
    /// It was begun, and nobody knows how far it went.
    #[error("{what} was begun, its outcome is unknown")]
    Unknown {
        /// The order.
        what: String,
        /// What broke.
        #[source]
        source: Source,
    },
}

impl DriverError {
    /// It failed on our side, before anything live was touched.
    pub fn not_applied(what: impl Into<String>, source: impl Into<Source>) -> Self {
        Self::NotApplied {
            what: what.into(),
            source: source.into(),
        }
    }

    /// It was begun, and nobody knows how far it went.
    pub fn unknown(what: impl Into<String>, source: impl Into<Source>) -> Self {
        Self::Unknown {
            what: what.into(),
            source: source.into(),
        }
    }

    /// The error with all its causes, for a record that people read.
    #[must_use]
    pub fn full(&self) -> String {
        error_chain(self)
    }
}
