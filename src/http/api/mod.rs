//! The handlers of the API: each reads the request, calls one use case, and shapes the answer.

pub mod deployments;
pub mod extensions;

use super::problem::Problem;
use crate::app::error::AppError;
use crate::domain::invalid::FieldErrors;
use axum::http::StatusCode;

impl From<AppError> for Problem {
    fn from(error: AppError) -> Self {
        match error {
            AppError::Denied(denied) => denied.into(),
            AppError::NotFound => Self::not_found(),
            AppError::Invalid(errors) => errors.into(),
            AppError::Conflict { code, message } => Self::new(StatusCode::CONFLICT, code, message),
            AppError::Taken { ref field } => {
                Self::conflicting(FieldErrors::one(field, "is taken already; choose another"))
            }
            AppError::Store(ref source) if source.may_pass() => Self::unavailable(&error),
            AppError::Store(_) | AppError::Deploy(_) | AppError::Random(_) => Self::internal(&error),
        }
    }
}
