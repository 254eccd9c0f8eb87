//! Errors as the API answers them: problem+json (RFC 9457) with a stable code.

use std::error::Error;

use axum::Json;
use axum::http::header::{CONTENT_RANGE, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::auth::authenticator::AuthError;
use crate::auth::denied::Denied;
use crate::domain::error_chain::error_chain;
use crate::domain::invalid::FieldErrors;

/// An error answer.
///
/// Its body: `{"title","status","code","detail"}`, `errors{field[]}` where fields are wrong, and members of the code's own.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    errors: Option<FieldErrors>,
    members: Map<String, Value>,
    header: Option<Header>,
}

/// What its answer says in a header.
#[derive(Debug)]
enum Header {
    /// Seconds until it is worth another try.
    RetryAfter(u64),
    /// How many bytes there are, where none of them was asked for.
    Length(u64),
}

/// What is written of it.
#[derive(Serialize, JsonSchema)]
#[schemars(
    rename = "Problem",
    description = "A problem as in RFC 9457; a code may have members of its own."
)]
pub(super) struct Body {
    /// The status in words.
    title: &'static str,
    /// The status.
    #[schemars(range(min = 400, max = 599))]
    status: u16,
    /// Stable, for programs.
    #[schemars(regex(pattern = "^[a-z0-9_]+$"))]
    code: &'static str,
    /// What to do, for people.
    #[schemars(length(min = 1))]
    detail: String,
    /// What is wrong, by field.
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<FieldErrors>,
    #[serde(flatten)]
    members: Map<String, Value>,
}

impl Problem {
    /// `detail` says what to do, and never more than the caller may know.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            errors: None,
            members: Map::new(),
            header: None,
        }
    }

    /// 404, the same whether there is no such thing or it is another tenant's.
    #[must_use]
    pub fn not_found() -> Self {
        Denied::TenantUnknown.into()
    }

    /// 422 with the reasons per field.
    #[must_use]
    pub fn invalid(errors: FieldErrors) -> Self {
        Self {
            errors: Some(errors),
            ..Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid",
                "correct the fields named in `errors`",
            )
        }
    }

    /// 409 for values that are good, but taken.
    #[must_use]
    pub fn conflicting(errors: FieldErrors) -> Self {
        Self {
            errors: Some(errors),
            ..Self::new(
                StatusCode::CONFLICT,
                "taken",
                "choose other values for the fields named in `errors`",
            )
        }
    }

    /// 500; what happened goes to the log only.
    #[must_use]
    pub fn internal(error: &(dyn Error + 'static)) -> Self {
        tracing::error!(error = error_chain(error), "request failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal_error",
            "this is a fault of the server; its log tells more under the request's id",
        )
    }

    /// 503; what happened goes to the log only.
    #[must_use]
    pub fn unavailable(error: &(dyn Error + 'static)) -> Self {
        tracing::error!(error = error_chain(error), "request could not be served");
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "the server cannot do this now; try again later",
        )
    }

    /// The same problem, said more exactly.
    #[must_use]
    pub fn about(mut self, code: &'static str, detail: impl Into<String>) -> Self {
        self.code = code;
        self.detail = detail.into();
        self
    }

    /// The same problem with a member of its code's own, such as `references`.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// The same problem, with the seconds after which to try again.
    #[must_use]
    pub const fn retry_after(mut self, seconds: u64) -> Self {
        self.header = Some(Header::RetryAfter(seconds));
        self
    }

    /// 416: no byte of this many was asked for.
    #[must_use]
    pub fn out_of_range(length: u64) -> Self {
        Self {
            header: Some(Header::Length(length)),
            ..Self::new(
                StatusCode::RANGE_NOT_SATISFIABLE,
                "range_not_satisfiable",
                format!("the recording has {length} bytes; ask for some of them"),
            )
        }
    }

    /// The status of the answer.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.code
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let header = self.header;
        let body = Body {
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            code: self.code,
            detail: self.detail,
            errors: self.errors,
            members: self.members,
        };
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        match header {
            Some(Header::RetryAfter(seconds)) => drop(headers.insert(RETRY_AFTER, seconds.into())),
            Some(Header::Length(length)) => {
                if let Ok(range) = HeaderValue::from_str(&format!("bytes */{length}")) {
                    headers.insert(CONTENT_RANGE, range);
                }
            }
            None => {}
        }
        response
    }
}

impl From<FieldErrors> for Problem {
    fn from(errors: FieldErrors) -> Self {
        Self::invalid(errors)
    }
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        let status = match denied {
            Denied::Credentials => StatusCode::UNAUTHORIZED,
            Denied::TenantSuspended | Denied::Permission => StatusCode::FORBIDDEN,
            Denied::TenantUnknown => StatusCode::NOT_FOUND,
            Denied::TenantRequired | Denied::ReasonRequired => StatusCode::BAD_REQUEST,
        };
        Self::new(status, denied.as_str(), denied.advice())
    }
}

impl From<AuthError> for Problem {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Denied(denied) => denied.into(),
            AuthError::NoKey => Self::unavailable(&error).about(
                "sealing_key_missing",
                "nobody can sign in while the server has no sealing key; its operator names one as `sealing.key_file`",
            ),
            AuthError::Unavailable(_) => Self::unavailable(&error),
        }
    }
}
