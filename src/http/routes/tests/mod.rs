//! The API as a client sees it, with handlers that stand for the real ones.

mod answers;
mod order;
mod table;

use std::sync::Arc;

use axum::Router;
use axum::body::Body as Bytes;
use axum::http::request::Builder;
use axum::http::{HeaderMap, Request};
use serde_json::Value;
use tower::ServiceExt as _;
use uuid::Uuid;

use super::{Audits, Route, router};
use crate::auth::directory::fake::{Fake, token};
use crate::domain::ids::{SystemIds, TenantId};
use crate::domain::tenant::TenantStatus;
use crate::http::answer;
use crate::http::openapi::shape::Reply;

/// What stand-in handlers answer.
impl answer::Answer for String {
    fn replies() -> Vec<Reply> {
        Vec::new()
    }
}

impl answer::Answer for axum::Json<Value> {
    fn replies() -> Vec<Reply> {
        Vec::new()
    }
}

/// Stand-ins change nothing.
const UNAUDITED: Audits = Audits::Nothing("it changes nothing");

pub const ACTIVE: TenantId = TenantId::from_uuid(Uuid::from_u128(1));
pub const SUSPENDED: TenantId = TenantId::from_uuid(Uuid::from_u128(2));
pub const UNKNOWN: TenantId = TenantId::from_uuid(Uuid::from_u128(3));
/// Asking for it fails.
pub const UNREACHABLE: TenantId = TenantId::from_uuid(Uuid::from_u128(4));

pub fn serve<S: Clone + Send + Sync + 'static>(routes: Vec<Route<S>>, state: S) -> Router {
    let tenants = [
        (ACTIVE, TenantStatus::Active),
        (SUSPENDED, TenantStatus::Suspended),
    ];
    let authenticator = Fake::new(tenants, Some(UNREACHABLE)).authenticator();
    router(routes, state, &authenticator, Arc::new(SystemIds))
}

/// An answer, read whole.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    /// Null where there is none.
    pub body: Value,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Status and code of a problem.
    pub fn problem(&self) -> (u16, &str) {
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{self:?}"
        );
        assert_eq!(self.body["status"], self.status);
        (self.status, self.body["code"].as_str().unwrap())
    }
}

pub async fn ask(router: &Router, request: Builder, body: impl Into<Bytes>) -> Answer {
    let response = router
        .clone()
        .oneshot(request.body(body.into()).unwrap())
        .await
        .unwrap();
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, 1024 * 1024).await.unwrap();
    Answer {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body: serde_json::from_slice(&bytes).unwrap_or_default(),
    }
}

pub fn get(path: &str) -> Builder {
    Request::get(path)
}

/// A request of one of the operator's people.
pub fn signed(request: Builder) -> Builder {
    request.header("authorization", format!("Bearer {}", token()))
}
