//! Why the engine itself could not go on; what a deploy found is no error but a record.

use std::io;

use thiserror::Error;
use tokio::task::JoinError;

use crate::domain::error_chain::error_chain;
use crate::domain::instance::NodeName;
use crate::domain::name::InstanceName;
use crate::domain::random::NoRandomness;
use crate::driver::DriverError;
use crate::render::RenderError;
use crate::store::StoreError;

/// A step of the engine that failed.
#[derive(Debug, Error)]
pub enum DeployError {
    /// The database could not be read or written.
    #[error("the database failed the deploy")]
    Store(#[from] StoreError),
    /// The template set cannot be used.
    #[error("the template set cannot be used")]
    Templates(#[source] RenderError),
    /// The PBX could not be driven.
    #[error("the PBX could not be driven")]
    Driver(#[from] DriverError),
    /// The fragment cache could not be used.
    #[error("the fragments in the state directory cannot be used; check that the daemon may write there")]
    Fragments(#[source] io::Error),
    /// A configuration could not be written as JSON.
    #[error("a configuration could not be digested")]
    Digest(#[source] serde_json::Error),
    /// No randomness.
    #[error(transparent)]
    Random(#[from] NoRandomness),
    /// A step that runs beside the others panicked.
    #[error("a step of the deploy broke off")]
    BrokeOff(#[from] JoinError),
    /// Something that must be in the database is not.
    #[error("{what} is not in the database")]
    Missing {
        /// What was looked for.
        what: String,
    },
    /// Only its own host reaches the PBX.
    #[error(
        "{name} is driven on the host {node}, which alone reaches its manager interface and its files; ask there: run the same command on {node}, or send the same request to the API of its daemon"
    )]
    DrivenElsewhere {
        /// The instance.
        name: InstanceName,
        /// Its host.
        node: NodeName,
    },
    /// Another process took the lease over; it will go on.
    #[error("another process has taken over this instance")]
    LeaseLost,
}

impl DeployError {
    /// Its code, and what a record may say of it: a tenant reads that, so a secret that does not open is not named.
    #[must_use]
    pub fn told(&self) -> (&'static str, String) {
        match self {
            Self::Store(StoreError::NoSealingKey) => (
                "sealing_key_missing",
                "a secret is needed and the server has no sealing key; its operator names one as `sealing.key_file`"
                    .to_owned(),
            ),
            Self::Store(error) if error.is_wrong_key() => (
                "sealing_key_wrong",
                "the secrets were sealed with another key than the server's `sealing.key`; its operator configures the \
                 one that this database was set up with"
                    .to_owned(),
            ),
            Self::Store(StoreError::Unsealable { .. }) => (
                "engine_failed",
                "a secret cannot be opened; the daemon's log names it".to_owned(),
            ),
            error => ("engine_failed", error_chain(error)),
        }
    }

    /// Whether the same may succeed later without anybody's doing: a database that is down or busy, a lease that
    /// another process holds.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::LeaseLost => true,
            Self::Store(error) => error.may_pass(),
            _ => false,
        }
    }
}
