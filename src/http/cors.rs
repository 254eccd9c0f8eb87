//! Lets pages of other origins call the API from a browser: those that the operator names, and no other.

use std::time::Duration;

use axum::Router;
use axum::http::header::{AUTHORIZATION, CONTENT_DISPOSITION, CONTENT_TYPE, ETAG, IF_MATCH, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, Method};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::domain::web_origin::WebOrigin;

/// How long a browser may keep what it was told.
const KEPT: Duration = Duration::from_mins(10);

const METHODS: [Method; 5] = [
    Method::GET,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
];

/// What requests bring, beyond what any page may send.
const REQUEST_HEADERS: [HeaderName; 8] = [
    AUTHORIZATION,
    CONTENT_TYPE,
    IF_MATCH,
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("last-event-id"),
    HeaderName::from_static("x-operate-as-tenant"),
    HeaderName::from_static("x-reason"),
    HeaderName::from_static("x-request-id"),
];

/// What a page may read of an answer, beyond its body.
const ANSWER_HEADERS: [HeaderName; 6] = [
    CONTENT_DISPOSITION,
    ETAG,
    RETRY_AFTER,
    HeaderName::from_static("idempotency-replayed"),
    HeaderName::from_static("x-request-id"),
    super::archive::EXPORT_ID,
];

/// The router, for pages of these origins too. Nobody is known by a cookie, so none is let through.
pub fn allow(router: Router, origins: &[WebOrigin]) -> Router {
    if origins.is_empty() {
        return router;
    }
    let origins = origins
        .iter()
        .filter_map(|origin| HeaderValue::from_str(origin.as_str()).ok());
    let cors = CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods(METHODS)
        .allow_headers(REQUEST_HEADERS)
        .expose_headers(ANSWER_HEADERS)
        .max_age(KEPT);
    router.layer(cors)
}
