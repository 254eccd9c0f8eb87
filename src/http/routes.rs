//! The route table: every path with its method, its handler and what it asks of the caller, in one place.

use std::sync::Arc;

use axum::Router;
use axum::extract::FromRef;
use axum::handler::Handler;
use axum::http::{Method, StatusCode};
use axum::middleware::{from_fn_with_state, map_response};
use axum::routing::{MethodFilter, MethodRouter, on};

use super::api::{
    audit_log, auth, deployment_events, deployments, extensions, platform_users, profile, roles, users,
};
use super::guard::{self, Guard};
use super::health::{self, Readiness};
use super::problem::Problem;
use super::streams::Streams;
use super::{headers, trace};
use crate::app::App;
use crate::auth::access::Access;
use crate::auth::authenticator::Authenticator;
use crate::domain::ids::IdSource;
use crate::domain::permission::{Permission, PlatformPermission};

/// What handlers share.
#[derive(Clone)]
pub struct Shared {
    /// Looks after what the daemon needs.
    pub readiness: Arc<dyn Readiness>,
    /// The use cases.
    pub app: App,
    /// The answers that go on for long.
    pub streams: Streams,
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

impl FromRef<Shared> for Arc<dyn Readiness> {
    fn from_ref(shared: &Shared) -> Self {
        Arc::clone(&shared.readiness)
    }
}

/// Every route of the API.
#[must_use]
pub fn table() -> Vec<Route<Shared>> {
    let health = vec![
        Route::get("/healthz", Access::Public, health::live),
        Route::get("/readyz", Access::Public, health::ready),
    ];
    [health, of_users(), of_extensions()]
        .into_iter()
        .flatten()
        .collect()
}

/// Who signs in, and who may do what.
fn of_users() -> Vec<Route<Shared>> {
    use Access::{Member, Own, Platform, Public, Tenant};
    use Permission::{UsersAssignRole, UsersDelete, UsersList};
    use PlatformPermission::{Managers, UsersCreate, UsersRead, UsersWrite};
    vec![
        Route::post("/api/v1/auth/user-login", Public, auth::user_login),
        Route::post("/api/v1/auth/refresh", Own, auth::refresh),
        Route::post("/api/v1/auth/logout", Own, auth::logout),
        Route::get("/api/v1/auth/sessions", Own, auth::sessions),
        Route::delete("/api/v1/auth/sessions", Own, auth::end_sessions),
        Route::delete("/api/v1/auth/sessions/{id}", Own, auth::end_session),
        Route::get("/api/v1/org-users/me/profile", Own, profile::show),
        Route::patch("/api/v1/org-users/me/profile", Own, profile::change),
        Route::put("/api/v1/org-users/me/password", Own, profile::change_password),
        Route::get("/api/v1/org-users", Tenant(UsersList), users::index),
        Route::get("/api/v1/org-users/{id}", Tenant(UsersList), users::show),
        Route::put(
            "/api/v1/org-users/{id}/role",
            Tenant(UsersAssignRole),
            users::assign_role,
        ),
        Route::post(
            "/api/v1/org-users/{id}/suspend",
            Tenant(UsersDelete),
            users::suspend,
        ),
        Route::post(
            "/api/v1/org-users/{id}/reactivate",
            Tenant(UsersDelete),
            users::reactivate,
        ),
        Route::delete("/api/v1/org-users/{id}", Tenant(UsersDelete), users::delete),
        Route::get("/api/v1/roles", Member, roles::index),
        Route::post("/api/v1/roles", Tenant(UsersAssignRole), roles::create),
        Route::patch("/api/v1/roles/{id}", Tenant(UsersAssignRole), roles::change),
        Route::delete("/api/v1/roles/{id}", Tenant(UsersAssignRole), roles::delete),
        Route::get(
            "/api/v1/platform/users",
            Platform(UsersRead),
            platform_users::index,
        ),
        Route::post(
            "/api/v1/platform/users",
            Platform(UsersCreate),
            platform_users::create,
        ),
        Route::get(
            "/api/v1/platform/users/{id}",
            Platform(UsersRead),
            platform_users::show,
        ),
        Route::put(
            "/api/v1/platform/users/{id}/password",
            Platform(UsersWrite),
            platform_users::set_password,
        ),
        Route::put(
            "/api/v1/platform/users/{id}/platform-manager",
            Platform(Managers),
            platform_users::set_platform_manager,
        ),
    ]
}

/// What a tenant has on its PBX, and its deploys.
fn of_extensions() -> Vec<Route<Shared>> {
    use Access::{Platform, Tenant};
    use Permission::{AuditLogRead, ConfigDeploy, ConfigRead, ConfigWrite};
    vec![
        Route::get("/api/v1/extensions", Tenant(ConfigRead), extensions::index),
        Route::post("/api/v1/extensions", Tenant(ConfigWrite), extensions::create),
        Route::post(
            "/api/v1/extensions/import",
            Tenant(ConfigWrite),
            extensions::import,
        ),
        Route::get("/api/v1/extensions/{id}", Tenant(ConfigRead), extensions::show),
        Route::patch("/api/v1/extensions/{id}", Tenant(ConfigWrite), extensions::change),
        Route::delete("/api/v1/extensions/{id}", Tenant(ConfigWrite), extensions::delete),
        Route::post(
            "/api/v1/extensions/{id}/reveal-secret",
            Tenant(ConfigWrite),
            extensions::reveal_secret,
        ),
        Route::post(
            "/api/v1/extensions/{id}/rotate-secret",
            Tenant(ConfigWrite),
            extensions::rotate_secret,
        ),
        Route::get("/api/v1/config/plan", Tenant(ConfigDeploy), deployments::plan),
        Route::post("/api/v1/config/deploy", Tenant(ConfigDeploy), deployments::deploy),
        Route::get(
            "/api/v1/config/deployments",
            Tenant(ConfigDeploy),
            deployments::index,
        ),
        Route::get(
            "/api/v1/config/deployments/{id}",
            Tenant(ConfigDeploy),
            deployments::show,
        ),
        Route::get(
            "/api/v1/config/deployments/{id}/events",
            Tenant(ConfigDeploy),
            deployment_events::follow,
        ),
        Route::post(
            "/api/v1/config/deployments/{id}/rollback",
            Tenant(ConfigDeploy),
            deployments::roll_back,
        ),
        Route::get("/api/v1/config/verify", Tenant(ConfigDeploy), deployments::verify),
        Route::get("/api/v1/audit-log", Tenant(AuditLogRead), audit_log::of_tenant),
        Route::get(
            "/api/v1/platform/audit-log",
            Platform(PlatformPermission::Audit),
            audit_log::of_platform,
        ),
    ]
}

/// One route.
///
/// There is no way to make one without saying what it asks of its caller:
///
/// ```compile_fail
/// use switchyard::http::routes::Route;
///
/// let route = Route::<()>::get("/open", || async {});
/// ```
pub struct Route<S> {
    method: Method,
    path: &'static str,
    access: Access,
    handler: MethodRouter<S>,
}

impl<S: Clone + Send + Sync + 'static> Route<S> {
    /// Answers GET, and HEAD without the body.
    pub fn get<T: 'static>(path: &'static str, access: Access, handler: impl Handler<T, S>) -> Self {
        Self::new(Method::GET, path, access, on(MethodFilter::GET, handler))
    }

    /// Answers POST.
    pub fn post<T: 'static>(path: &'static str, access: Access, handler: impl Handler<T, S>) -> Self {
        Self::new(Method::POST, path, access, on(MethodFilter::POST, handler))
    }

    /// Answers PUT.
    pub fn put<T: 'static>(path: &'static str, access: Access, handler: impl Handler<T, S>) -> Self {
        Self::new(Method::PUT, path, access, on(MethodFilter::PUT, handler))
    }

    /// Answers PATCH.
    pub fn patch<T: 'static>(path: &'static str, access: Access, handler: impl Handler<T, S>) -> Self {
        Self::new(Method::PATCH, path, access, on(MethodFilter::PATCH, handler))
    }

    /// Answers DELETE.
    pub fn delete<T: 'static>(path: &'static str, access: Access, handler: impl Handler<T, S>) -> Self {
        Self::new(Method::DELETE, path, access, on(MethodFilter::DELETE, handler))
    }

    const fn new(method: Method, path: &'static str, access: Access, handler: MethodRouter<S>) -> Self {
        Self {
            method,
            path,
            access,
            handler,
        }
    }
}

impl<S> Route<S> {
    /// Its method.
    #[must_use]
    pub const fn method(&self) -> &Method {
        &self.method
    }

    /// Its path, parameters in braces.
    #[must_use]
    pub const fn path(&self) -> &'static str {
        self.path
    }

    /// What it asks of its caller.
    #[must_use]
    pub const fn access(&self) -> Access {
        self.access
    }
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
            access: entry.access,
            authenticator: Arc::clone(authenticator),
        };
        let guarded = entry.handler.route_layer(from_fn_with_state(guard, guard::check));
        router = router.route(entry.path, guarded);
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
