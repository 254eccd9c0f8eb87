//! Stands before every route: finds out who is calling and whether the route is open to them.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::Response;
use secrecy::SecretString;

use super::problem::Problem;
use crate::auth::authenticator::{Authenticator, Credentials};
use crate::auth::caller::Origin;
use crate::auth::permission::{Access, Act};
use crate::domain::request_id::RequestId;

/// Names the tenant that one of the operator's people enters.
const OPERATE_AS: &str = "x-operate-as-tenant";

/// Says why they change something there.
const REASON: &str = "x-reason";

/// What a route asks, and who knows the answer.
#[derive(Clone)]
pub struct Guard {
    /// What the route asks of its caller.
    pub access: Access,
    /// Finds out who is calling.
    pub authenticator: Arc<Authenticator>,
}

/// Lets a request pass with its [`Caller`](crate::auth::caller::Caller), or answers it.
///
/// It knows the route and the caller only, never an id: so an answer cannot depend on what there is.
pub async fn check(
    State(guard): State<Guard>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    if guard.access != Access::Public {
        let caller = guard.authenticator.caller(credentials(&request)).await?;
        match guard.access {
            Access::Public => {}
            Access::Tenant(permission) => caller.tenant(permission, act(request.method())).map(drop)?,
            Access::Platform(permission) => caller.platform(permission)?,
        }
        request.extensions_mut().insert(caller);
    }
    Ok(next.run(request).await)
}

fn act(method: &Method) -> Act {
    if method.is_safe() { Act::Read } else { Act::Change }
}

fn credentials(request: &Request) -> Credentials {
    let text = |name: &str| {
        let value = request.headers().get(name)?;
        Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    Credentials {
        bearer: bearer(request.headers()),
        operate_as: text(OPERATE_AS),
        reason: text(REASON),
        origin: Origin {
            request_id: request.extensions().get::<RequestId>().cloned(),
            address: peer.map(|ConnectInfo(address)| address.ip()),
        },
    }
}

/// The bearer token; none when there are two `Authorization` headers, of which a proxy may have checked the other.
fn bearer(headers: &HeaderMap) -> Option<SecretString> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next()?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let only = values.next().is_none() && scheme.eq_ignore_ascii_case("bearer");
    only.then(|| token.trim().into())
}
