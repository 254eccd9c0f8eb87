//! The handlers of the API: each reads the request, calls one use case, and shapes the answer.

pub mod api_keys;
pub mod audit_log;
pub mod auth;
pub mod call_records;
pub mod calls;
pub mod click_to_call;
pub mod compliance;
pub mod dashboard;
pub mod deployment_events;
pub mod deployments;
pub mod erasures;
pub mod events;
pub mod extensions;
pub mod instances;
pub mod invitations;
pub mod own_tenant;
pub mod password_reset;
pub mod platform_user_changes;
pub mod platform_users;
pub mod profile;
pub mod recordings;
pub mod roles;
pub mod tenants;
pub mod tickets;
pub mod users;
pub mod webhooks;

use super::problem::Problem;
use crate::app::error::AppError;
use crate::domain::invalid::FieldErrors;
use axum::http::StatusCode;

impl From<AppError> for Problem {
    fn from(error: AppError) -> Self {
        match error {
            AppError::Denied(denied) => denied.into(),
            AppError::Lacks(right) => Self::new(
                StatusCode::FORBIDDEN,
                "permission_denied",
                format!("your role does not hold `{right}`, which this needs besides"),
            ),
            AppError::NotFound => Self::not_found(),
            AppError::Invalid(errors) => errors.into(),
            AppError::Conflict { code, message } => Self::new(StatusCode::CONFLICT, code, message),
            AppError::Taken { ref field } => {
                Self::conflicting(FieldErrors::one(field, "is taken already; choose another"))
            }
            AppError::InUse { message, references } => {
                Self::new(StatusCode::CONFLICT, "in_use", message).with("references", references)
            }
            AppError::BadTransition { allowed, .. } => {
                Self::new(StatusCode::CONFLICT, "bad_transition", error.to_string()).with("allowed_transitions", allowed)
            }
            AppError::Throttled { seconds } => Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too_many_failures",
                error.to_string(),
            )
            .retry_after(seconds),
            AppError::TooMany { code, message, seconds } => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, code, message).retry_after(seconds)
            }
            AppError::Crowded => Self::unavailable(&error).retry_after(1),
            AppError::Issuer(_) => Self::unavailable(&error).about(
                "issuer_unavailable",
                "whoever vouches for you cannot be asked now; try again later, or sign in by password",
            ),
            AppError::PreconditionFailed => Self::new(
                StatusCode::PRECONDITION_FAILED,
                "precondition_failed",
                "somebody has changed it in the meantime; read it again and decide anew",
            ),
            AppError::IdempotencyKeyReused => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency_key_reused",
                "this `Idempotency-Key` came with another request before; choose another key",
            ),
            AppError::SealingKeyMissing(_) => Self::unavailable(&error).about(
                "sealing_key_missing",
                "this needs a secret, and the server has no sealing key; its operator names one as `sealing.key_file`",
            ),
            AppError::SealingKeyWrong(_) => Self::unavailable(&error).about(
                "sealing_key_wrong",
                "this needs a secret that was sealed with another key than the server's `sealing.key_file` holds; \
                 its operator names the file with the key that this database was set up with",
            ),
            AppError::Store(ref source) if source.may_pass() => Self::unavailable(&error),
            AppError::Store(_) | AppError::Deploy(_) | AppError::Recordings(_) | AppError::Voicemail(_) | AppError::Random(_) | AppError::Hash(_) | AppError::Token(_) => Self::internal(&error),
        }
    }
}
