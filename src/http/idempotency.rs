//! `Idempotency-Key`: by which a request that is sent again has its effect once.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use super::problem::Problem;
use crate::app::idempotency::{Done, Once};
use crate::domain::digest::Digest;
use crate::domain::idempotency_key::IdempotencyKey;

/// The request's header.
pub const KEY: &str = "idempotency-key";

const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

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

/// Says of an answer that it was given before.
pub fn replayed<T>(done: &Done<T>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if done.is_repeated() {
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
    }
    headers
}
