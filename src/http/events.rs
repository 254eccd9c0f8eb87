//! Server-sent events as an answer, and what a client that connects again has seen of them.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::header::CACHE_CONTROL;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use schemars::json_schema;

use super::answer::Answer;
use super::openapi::shape::{Input, Media, Parameter, Reply, Shape};

/// Comments in between, so that nobody on the way takes a slow source of events for a dead connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What a client that connects again has seen last.
const LAST_EVENT_ID: &str = "Last-Event-ID";

/// nginx would otherwise gather events before it hands them on.
const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Events that come as they happen.
pub struct Events(Response);

impl Events {
    /// The answer ends with them.
    pub fn new(events: impl Stream<Item = Result<Event, axum::Error>> + Send + 'static) -> Self {
        let mut response = Sse::new(events)
            .keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
            .into_response();
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(BUFFERING, HeaderValue::from_static("no"));
        Self(response)
    }
}

impl IntoResponse for Events {
    fn into_response(self) -> Response {
        self.0
    }
}

impl Answer for Events {
    fn replies() -> Vec<Reply> {
        vec![Reply {
            status: 200,
            body: vec![Media {
                name: "text/event-stream",
                schema: |_| json_schema!({"type": "string"}),
            }],
            headers: Vec::new(),
        }]
    }
}

/// The id of the last event that a client has seen; none where it says nothing that could be one.
pub struct LastEventId(pub Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for LastEventId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let value = parts.headers.get(LAST_EVENT_ID);
        Ok(Self(
            value.and_then(|value| value.to_str().ok().map(str::to_owned)),
        ))
    }
}

impl Input for LastEventId {
    fn describe(shape: &mut Shape) {
        shape.headers.push(Parameter {
            name: LAST_EVENT_ID,
            description: "What was seen last; it is not told again.",
            schema: json_schema!({"type": "string"}),
        });
    }
}
