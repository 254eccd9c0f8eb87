//! Gives every request its id and its log line, and turns a panic into an answer.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;
use tracing::Instrument as _;

use super::problem::Problem;
use crate::domain::ids::IdSource;
use crate::domain::request_id::RequestId;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A handler panicked: a fault of the program.
#[derive(Debug, thiserror::Error)]
#[error("the handler panicked")]
struct Panicked;

/// Keeps the id that the request brings, where it can be one, or gives it a new one; the answer shows it.
pub async fn trace(State(ids): State<Arc<dyn IdSource>>, mut request: Request, next: Next) -> Response {
    let brought = request
        .headers()
        .get(REQUEST_ID)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    let id = brought.unwrap_or_else(|| RequestId::fresh(ids.as_ref()));
    request.extensions_mut().insert(id.clone());
    // The path only: a query may hold what does not belong into a log.
    let span = tracing::info_span!("request", %id, method = %request.method(), path = request.uri().path());

    let answered = async {
        let start = Instant::now();
        let response = AssertUnwindSafe(next.run(request))
            .catch_unwind()
            .await
            .unwrap_or_else(|_| Problem::internal(&Panicked).into_response());
        let milliseconds = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(status = response.status().as_u16(), milliseconds, "answered");
        response
    };
    let mut response = answered.instrument(span).await;
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}
