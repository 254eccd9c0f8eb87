//! `Idempotency-Key`: by which a request that is sent again has its effect once.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode};

use super::openapi::schemas;
use super::openapi::shape::{Input, Parameter, Shape};
use super::problem::Problem;
use crate::app::idempotency::Once;
use crate::domain::digest::Digest;
use crate::domain::idempotency_key::IdempotencyKey;
use crate::domain::invalid::FieldErrors;

/// The request's header.
const KEY: &str = "Idempotency-Key";

/// A request that may be sent again, with a key or without.
pub struct Repeatable {
    headers: HeaderMap,
    method: Method,
    path: String,
}

/// Its key, with what was asked for but the body.
pub struct Key {
    chosen: IdempotencyKey,
    method: Method,
    path: String,
}

impl Repeatable {
    /// The key that it brings; 400 where that cannot be one.
    pub fn key(self) -> Result<Option<Key>, Problem> {
        let mut values = self.headers.get_all(KEY).iter();
        let Some(first) = values.next() else {
            return Ok(None);
        };
        let only = values.next().is_none().then_some(first);
        let chosen = only.and_then(|value| value.to_str().ok()?.parse().ok());
        let chosen = chosen.ok_or_else(|| {
            Problem::new(
                StatusCode::BAD_REQUEST,
                "idempotency_key_malformed",
                "send one `Idempotency-Key` of 1 to 255 visible ASCII characters",
            )
        })?;
        Ok(Some(Key {
            chosen,
            method: self.method,
            path: self.path,
        }))
    }
}

impl Key {
    /// Parameters do not count: on the routes that take a key they say how to answer, not what to do.
    ///
    /// A body may hold secrets, so that it is only recognised with a sealing key.
    pub fn with_body(self, body: &[u8]) -> Once {
        self.once(body, true)
    }

    /// The same where no body holds a secret.
    pub fn with_open_body(self, body: &[u8]) -> Once {
        self.once(body, false)
    }

    /// The same where the route takes no body.
    pub fn without_body(self) -> Once {
        self.once(b"", false)
    }

    fn once(self, body: &[u8], secret: bool) -> Once {
        let parts = [self.method.as_str().as_bytes(), self.path.as_bytes(), body];
        Once {
            request: Digest::of_parts(parts),
            key: self.chosen,
            secret,
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Repeatable {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self {
            headers: parts.headers.clone(),
            method: parts.method.clone(),
            path: parts.uri.path().to_owned(),
        })
    }
}

impl Input for Repeatable {
    fn describe(shape: &mut Shape) {
        shape.headers.push(Parameter {
            name: KEY,
            description: "Sent again with the same key, the request has its effect once.",
            schema: schemas::of::<IdempotencyKey>(),
        });
        shape.problems.add(400, &["idempotency_key_malformed"]);
        shape.problems.add(422, &["idempotency_key_reused"]);
    }
}

/// A request whose answer shows a secret once: a repeated one would have to hold it again.
pub struct ShownOnce {
    has_key: bool,
}

impl ShownOnce {
    /// Refuses a key; `instead` says what a caller can do who lost the answer.
    pub fn refuse_key(self, instead: &str) -> Result<(), Problem> {
        if self.has_key {
            let reason = format!("is not honoured here, since the answer shows a secret once; {instead}");
            return Err(Problem::invalid(FieldErrors::one(KEY, reason)));
        }
        Ok(())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for ShownOnce {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let has_key = parts.headers.contains_key(KEY);
        Ok(Self { has_key })
    }
}

impl Input for ShownOnce {
    fn describe(shape: &mut Shape) {
        shape.problems.add(422, &["invalid"]);
    }
}

/// A request whose answer is not kept: a repeated one could not be answered as it was.
pub struct NotKept {
    has_key: bool,
}

impl NotKept {
    /// Refuses a key; `instead` says what a caller can do who lost the answer.
    pub fn refuse_key(self, instead: &str) -> Result<(), Problem> {
        if self.has_key {
            let reason = format!(
                "is not honoured here, since the answer is made while it is read, and not kept; {instead}"
            );
            return Err(Problem::invalid(FieldErrors::one(KEY, reason)));
        }
        Ok(())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for NotKept {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let has_key = parts.headers.contains_key(KEY);
        Ok(Self { has_key })
    }
}

impl Input for NotKept {
    fn describe(shape: &mut Shape) {
        shape.problems.add(422, &["invalid"]);
    }
}
