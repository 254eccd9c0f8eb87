//! The route table: every path with its method, its handler and what it asks of the caller, in one place.

mod call_rows;
mod compliance_rows;
mod platform_rows;
mod route;
mod rows;
#[cfg(test)]
mod tests;
mod ticket_rows;

use std::sync::Arc;

use axum::Router;
use axum::extract::FromRef;
use axum::http::StatusCode;
use axum::middleware::{from_fn_with_state, map_response};

pub use self::route::{Audits, Route};
use super::guard::{self, Guard};
use super::health::Readiness;
use super::metrics::Collector;
use super::problem::Problem;
use super::streams::Streams;
use super::{headers, trace};
use crate::app::App;
use crate::auth::authenticator::Authenticator;
use crate::domain::ids::IdSource;

/// What handlers share.
#[derive(Clone)]
pub struct Shared {
    /// Looks after what the daemon needs.
    pub readiness: Arc<dyn Readiness>,
    /// The use cases.
    pub app: App,
    /// The answers that go on for long.
    pub streams: Streams,
    /// Who reads figures.
    pub collector: Collector,
}

impl FromRef<Shared> for App {
    fn from_ref(shared: &Shared) -> Self {
        shared.app.clone()
    }
}

impl FromRef<Shared> for Streams {
    fn from_ref(shared: &Shared) -> Self {
        shared.streams.clone()
    }
}

impl FromRef<Shared> for Collector {
    fn from_ref(shared: &Shared) -> Self {
        shared.collector.clone()
    }
}

impl FromRef<Shared> for Arc<dyn Readiness> {
    fn from_ref(shared: &Shared) -> Self {
        Arc::clone(&shared.readiness)
    }
}

/// Every route of the API.
#[must_use]
pub fn table() -> Vec<Route<Shared>> {
    let sections = [
        ("Service", rows::service()),
        ("Signing in", rows::signing_in()),
        ("Users", rows::users()),
        ("Invitations", rows::invitations()),
        ("Roles", rows::roles()),
        ("Own tenant", rows::own_tenant()),
        ("API keys", rows::api_keys()),
        ("Platform", platform_rows::glance()),
        ("Tenants", platform_rows::tenants()),
        ("Users of all tenants", rows::platform_users()),
        ("Users of all tenants", platform_rows::user_changes()),
        ("PBX instances", platform_rows::instances()),
        ("Extensions", rows::extensions()),
        ("Deploys", rows::deploys()),
        ("Calls", rows::calls()),
        ("Calls", call_rows::calls()),
        ("Recordings", call_rows::recordings()),
        ("Tickets", ticket_rows::tickets()),
        ("Webhooks", rows::webhooks()),
        ("Compliance", compliance_rows::compliance()),
        ("Audit log", rows::audit_log()),
    ];
    let routes = sections
        .into_iter()
        .map(|(name, routes)| routes.into_iter().map(|route| route.in_section(name)));
    routes.flatten().collect()
}

/// The service that answers these routes, and everything else with a problem.
pub fn router<S: Clone + Send + Sync + 'static>(
    table: Vec<Route<S>>,
    state: S,
    authenticator: &Arc<Authenticator>,
    ids: Arc<dyn IdSource>,
) -> Router {
    let mut router = Router::new();
    for entry in table {
        let guard = Guard {
            access: entry.access(),
            authenticator: Arc::clone(authenticator),
        };
        let path = entry.path();
        let guarded = entry.handler.route_layer(from_fn_with_state(guard, guard::check));
        router = router.route(path, guarded);
    }
    router
        .fallback(async || Problem::not_found())
        .method_not_allowed_fallback(async || {
            Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "this path answers the methods in `Allow`",
            )
        })
        .with_state(state)
        .layer(from_fn_with_state(ids, trace::trace))
        .layer(map_response(headers::secure))
}
