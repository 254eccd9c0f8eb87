//! Why a use case was not carried out, told apart by what the caller can do about it.

use serde_json::Value;
use thiserror::Error;

use crate::auth::denied::Denied;
use crate::auth::oidc::IdTokenError;
use crate::auth::password::HashError;
use crate::auth::password_check::CheckError;
use crate::auth::throttle::RetryAfter;
use crate::auth::token::SignError;
use crate::deploy::DeployError;
use crate::domain::invalid::FieldErrors;
use crate::domain::permission::Permission;
use crate::domain::random::NoRandomness;
use crate::driver::DriverError;
use crate::driver::mail::MailError;
use crate::monitor::recordings::SearchError;
use crate::store::StoreError;

/// A use case that was not carried out; nothing of it was kept.
#[derive(Debug, Error)]
pub enum AppError {
    /// The caller may not.
    #[error("refused: {0}")]
    Denied(Denied),
    /// The caller has the right that the route asks for, and not the one that this part of it needs besides.
    #[error("refused: it needs `{0}` besides")]
    Lacks(Permission),
    /// There is nothing by that id, or it is another tenant's: the same answer.
    #[error("there is nothing by that name or id")]
    NotFound,
    /// The input is wrong.
    #[error("{0}")]
    Invalid(FieldErrors),
    /// It contradicts what is there.
    #[error("{message}")]
    Conflict {
        /// Stable, for programs.
        code: &'static str,
        /// For people.
        message: String,
    },
    /// What is there refers to it.
    #[error("{message}")]
    InUse {
        /// For people.
        message: String,
        /// What refers to it.
        references: Vec<Value>,
    },
    /// It is in a state that does not lead to the wanted one.
    #[error("it is {from}; from there it can become {}", listed(.allowed))]
    BadTransition {
        /// The state it is in.
        from: &'static str,
        /// The states that it can get into.
        allowed: &'static [&'static str],
    },
    /// Too much was tried.
    #[error("too many tries; try again in {seconds} seconds")]
    Throttled {
        /// For how long nothing is tried.
        seconds: u64,
    },
    /// More was written than anybody may within a time.
    #[error("{message}")]
    TooMany {
        /// Stable, for programs.
        code: &'static str,
        /// For people.
        message: String,
        /// For how long nothing more is taken.
        seconds: u64,
    },
    /// More waits than can be seen to in good time.
    #[error("too much is asked for at the moment")]
    Crowded,
    /// No password could be hashed or compared.
    #[error("no password could be hashed or compared")]
    Hash(#[source] HashError),
    /// Whoever vouches could not be asked.
    #[error(transparent)]
    Issuer(#[from] IdTokenError),
    /// No token could be signed.
    #[error("no token could be signed")]
    Token(#[from] SignError),
    /// A value that must be unique is taken.
    #[error("this {field} is taken already; choose another")]
    Taken {
        /// The field that the caller can change.
        field: String,
    },
    /// It was changed by somebody else in the meantime.
    #[error("it has changed in the meantime; read it again")]
    PreconditionFailed,
    /// The key came with another request before.
    #[error("this idempotency key was used for another request; choose another")]
    IdempotencyKeyReused,
    /// A secret is needed, and there is no key to seal or open it with.
    #[error(transparent)]
    SealingKeyMissing(StoreError),
    /// The database holds secrets that the key does not open.
    #[error(
        "the key of `sealing.key_file` is not the one that this database's secrets are sealed with; name the file with that one, or copy it from a host that has it"
    )]
    SealingKeyWrong(#[source] StoreError),
    /// The database failed.
    #[error("the database failed")]
    Store(#[source] StoreError),
    /// The deploy engine failed.
    #[error("the deploy engine failed")]
    Deploy(#[source] DeployError),
    /// Recordings could not be worked on.
    #[error("the recordings could not be worked on")]
    Recordings(#[source] SearchError),
    /// Messages in mail boxes could not be worked on.
    #[error("the mail boxes could not be worked on")]
    Voicemail(#[source] MailError),
    /// No secret could be made.
    #[error(transparent)]
    Random(#[from] NoRandomness),
}

const DRIVEN_ELSEWHERE: &str = "driven_elsewhere";

impl AppError {
    /// A conflict with a stable code.
    pub fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::Conflict {
            code,
            message: message.into(),
        }
    }

    /// Whether another host drives the PBX, and does what was asked for.
    pub(super) fn is_of_another_host(&self) -> bool {
        matches!(
            self,
            Self::Conflict {
                code: DRIVEN_ELSEWHERE,
                ..
            }
        )
    }

    /// Something that others refer to.
    pub fn in_use(message: impl Into<String>, references: impl IntoIterator<Item = Value>) -> Self {
        Self::InUse {
            message: message.into(),
            references: references.into_iter().collect(),
        }
    }

    /// Whether a PBX was not reached.
    #[must_use]
    pub const fn is_unreachable(&self) -> bool {
        matches!(
            self,
            Self::Deploy(DeployError::Driver(DriverError::Unreachable { .. }))
        )
    }
}

fn listed(states: &[&str]) -> String {
    if states.is_empty() {
        "nothing else".to_owned()
    } else {
        states.join(" or ")
    }
}

impl From<Denied> for AppError {
    fn from(denied: Denied) -> Self {
        Self::Denied(denied)
    }
}

impl From<HashError> for AppError {
    fn from(error: HashError) -> Self {
        match error {
            HashError::Busy => Self::Crowded,
            error => Self::Hash(error),
        }
    }
}

impl From<CheckError> for AppError {
    fn from(error: CheckError) -> Self {
        match error {
            CheckError::Throttled(RetryAfter(seconds)) => Self::Throttled { seconds },
            CheckError::Wrong => Denied::Credentials.into(),
            CheckError::Failed(failed) => failed.into(),
        }
    }
}

impl From<FieldErrors> for AppError {
    fn from(errors: FieldErrors) -> Self {
        Self::Invalid(errors)
    }
}

impl From<StoreError> for AppError {
    fn from(error: StoreError) -> Self {
        match error {
            // Of columns that are unique together, those in front say whose it is.
            StoreError::Conflict { columns, .. } => Self::Taken {
                field: columns.into_iter().last().unwrap_or_else(|| "value".to_owned()),
            },
            StoreError::NoSealingKey => Self::SealingKeyMissing(error),
            error if error.is_wrong_key() => Self::SealingKeyWrong(error),
            error => Self::Store(error),
        }
    }
}

impl From<DeployError> for AppError {
    fn from(error: DeployError) -> Self {
        match error {
            DeployError::Store(error) => error.into(),
            DeployError::DrivenElsewhere { .. } => Self::conflict(DRIVEN_ELSEWHERE, error.to_string()),
            error => Self::Deploy(error),
        }
    }
}
