//! The body of a request, read when the handler asks for it: what the path names is looked for first.

mod kinds;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest as _, Request};
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{Extensions, HeaderMap, StatusCode};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;
use serde_json::error::Category;
use tokio::time::timeout;

pub use kinds::{Body, Changes, MergePatch, NoBody, Patched, Rows, Table};

use super::problem::Problem;
use super::standing::Standing;
use crate::auth::caller::Caller;
use crate::auth::denied::Denied;
use crate::domain::invalid::FieldErrors;

/// The most bytes of a JSON body: 1 MiB.
pub const LARGEST: usize = 1024 * 1024;

/// The same of a public route: 32 KiB, which hold the longest token that is read.
pub const LARGEST_OF_ANYBODY: usize = 32 * 1024;

/// What a body may take.
#[derive(Clone, Copy)]
struct Limits {
    /// The most bytes.
    largest: usize,
    /// How long it may take to arrive.
    patience: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            largest: LARGEST,
            patience: Duration::from_secs(30),
        }
    }
}

impl Limits {
    /// Who did not sign in sends an address, a password or a token.
    fn of(standing: Option<&Arc<Standing>>) -> Self {
        match standing {
            Some(_) => Self::default(),
            None => Self {
                largest: LARGEST_OF_ANYBODY,
                patience: Duration::from_secs(10),
            },
        }
    }
}

/// A body that was not read yet.
struct Unread {
    request: Request,
    reason: Result<(), Denied>,
    /// None of a public route.
    standing: Option<Arc<Standing>>,
}

impl Unread {
    fn new(request: Request) -> Self {
        let reason = reason(request.extensions());
        let standing = request.extensions().get::<Arc<Standing>>().cloned();
        Self {
            request,
            reason,
            standing,
        }
    }

    fn headers(&self) -> &HeaderMap {
        self.request.headers()
    }

    /// The bytes, whatever they are.
    async fn bytes(self) -> Result<Bytes, Problem> {
        self.reason?;
        self.read().await
    }

    /// The bytes of what says that it is JSON.
    async fn json(self) -> Result<Bytes, Problem> {
        self.reason?;
        if !is_json(self.request.headers()) {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "send JSON, uncompressed: `Content-Type: application/json`",
            ));
        }
        self.read().await
    }

    /// Whoever sends a body takes their time for it, in which they may have been refused everything.
    async fn read(self) -> Result<Bytes, Problem> {
        let bytes = read(self.request, Limits::of(self.standing.as_ref())).await?;
        if let Some(standing) = self.standing {
            standing.caller_still().await?;
        }
        Ok(bytes)
    }
}

/// Whether the caller says why there is to be a change, where that is asked of them.
pub(super) fn reason(extensions: &Extensions) -> Result<(), Denied> {
    let caller = extensions.get::<Caller>();
    caller.map_or(Ok(()), |caller| caller.reason_to_change().map(drop))
}

/// What a JSON object says, or the field that is unknown, missing or of the wrong type.
pub fn from_value<T: DeserializeOwned>(value: &Value) -> Result<T, FieldErrors> {
    if !value.is_object() {
        return Err(FieldErrors::one("body", "must be an object"));
    }
    serde_path_to_error::deserialize(value)
        .map_err(|error| field_error(&error.path().to_string(), &error.inner().to_string()))
}

fn is_json(headers: &HeaderMap) -> bool {
    let media_type = media_type(headers);
    let json = media_type == "application/json"
        || media_type.starts_with("application/") && media_type.ends_with("+json");
    json && is_unencoded(headers)
}

/// In lower case, without parameters; empty when there is none.
fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = value
        .and_then(|value| value.split(';').next())
        .unwrap_or_default();
    media_type.trim().to_ascii_lowercase()
}

fn is_unencoded(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_ENCODING)
        .is_none_or(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

async fn read(mut request: Request, limits: Limits) -> Result<Bytes, Problem> {
    let Limits { largest, .. } = limits;
    let too_large = || {
        Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            format!("send at most {largest} bytes"),
        )
    };
    let announced = request
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: usize| length > largest) {
        return Err(too_large());
    }
    DefaultBodyLimit::max(largest).apply(&mut request);
    let bytes = timeout(limits.patience, Bytes::from_request(request, &()))
        .await
        .map_err(|_| {
            Problem::new(
                StatusCode::REQUEST_TIMEOUT,
                "body_timeout",
                format!("send the body within {} seconds", limits.patience.as_secs()),
            )
        })?;
    bytes.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => too_large(),
        _ => Problem::new(
            StatusCode::BAD_REQUEST,
            "body_incomplete",
            "the body broke off; send it again",
        ),
    })
}

fn parse<T: DeserializeOwned>(bytes: &[u8], first: u8, kind: &str) -> Result<T, Problem> {
    // First of all it must be JSON: a wrong field before a syntax error would be reported as the lesser fault.
    serde_json::from_slice::<IgnoredAny>(bytes).map_err(|error| malformed(&error))?;
    // A struct would also be read from an array of its fields' values, which nobody means.
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&first) {
        return Err(Problem::invalid(FieldErrors::one(
            "body",
            format!("must be {kind}"),
        )));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        match error.inner().classify() {
            Category::Data => Problem::invalid(field_error(&path, &error.inner().to_string())),
            Category::Io | Category::Syntax | Category::Eof => malformed(error.inner()),
        }
    })
}

fn malformed(error: &serde_json::Error) -> Problem {
    let place = format!("line {}, column {}", error.line(), error.column());
    Problem::new(
        StatusCode::BAD_REQUEST,
        "malformed_json",
        format!("the body is no JSON from {place} on"),
    )
}

/// Turns serde's words into a field and a reason; the refused value is not repeated.
fn field_error(path: &str, message: &str) -> FieldErrors {
    let message = message.rsplit_once(" at line ").map_or(message, |(text, _)| text);
    let named = message.split('`').nth(1).unwrap_or_default();
    let inside = |name: &str| match path {
        "." => name.to_owned(),
        _ => format!("{path}.{name}"),
    };
    let whole = || {
        if path == "." {
            "body".to_owned()
        } else {
            path.to_owned()
        }
    };
    let expected = message.rsplit_once(", expected ").map(|(_, expected)| expected);
    let (field, reason) = if message.starts_with("missing field") {
        (inside(named), "is required".to_owned())
    } else if message.starts_with("duplicate field") {
        (inside(named), "is given twice".to_owned())
    } else if message.starts_with("unknown field") {
        let known = expected
            .map(|known| format!("; expected {known}"))
            .unwrap_or_default();
        (whole(), format!("is not a known field{known}"))
    } else if let Some(expected) = expected {
        (whole(), format!("must be {}", in_words(expected)))
    } else {
        (whole(), message.to_owned())
    };
    FieldErrors::one(&field, reason)
}

/// What serde expected, in the words of JSON.
fn in_words(expected: &str) -> &str {
    match expected {
        "a string" | "string" => "a text",
        "a boolean" => "`true` or `false`",
        "a sequence" => "a list",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number that is not negative",
        "f32" | "f64" => "a number",
        _ if expected.starts_with("struct ") => "an object",
        _ => expected,
    }
}

#[cfg(test)]
mod tests;
