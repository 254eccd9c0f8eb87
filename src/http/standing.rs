//! The standing of whoever sent a request, which an answer that goes on for long asks for again.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, Request};
use axum::http::header::{AUTHORIZATION, USER_AGENT};
use axum::http::{Extensions, HeaderMap, Method};
use secrecy::SecretString;

use super::guard::Guard;
use super::problem::Problem;
use crate::auth::access::{Access, Act};
use crate::auth::authenticator::Credentials;
use crate::auth::caller::{Caller, Origin};
use crate::domain::request_id::RequestId;
use crate::domain::user_agent::UserAgent;

/// Names the tenant that one of the operator's people enters.
const OPERATE_AS: &str = "x-operate-as-tenant";

/// Says why they change something there.
const REASON: &str = "x-reason";

/// What a request presents, and what its route asks.
pub struct Standing {
    guard: Guard,
    credentials: Credentials,
    act: Act,
}

impl Standing {
    /// Of a request.
    #[must_use]
    pub fn of(guard: Guard, request: &Request) -> Self {
        Self {
            guard,
            credentials: credentials(request),
            act: act(request.method()),
        }
    }

    /// Who it is, if the route is open to them.
    pub async fn caller(&self) -> Result<Caller, Problem> {
        let caller = self.guard.authenticator.caller(self.credentials.clone());
        self.admitted(caller.await?)
    }

    /// The same later on, while a body arrives or an answer goes on: read from the database each time.
    pub async fn caller_still(&self) -> Result<Caller, Problem> {
        let caller = self.guard.authenticator.caller_still(self.credentials.clone());
        self.admitted(caller.await?)
    }

    fn admitted(&self, caller: Caller) -> Result<Caller, Problem> {
        match self.guard.access {
            Access::Public => {}
            Access::Own => caller.own().map(drop)?,
            Access::Member => caller.member(self.act).map(drop)?,
            Access::Tenant(permission) => caller.tenant(permission, self.act).map(drop)?,
            Access::Platform(permission) => caller.platform(permission)?,
        }
        Ok(caller)
    }
}

fn act(method: &Method) -> Act {
    if method.is_safe() { Act::Read } else { Act::Change }
}

fn credentials(request: &Request) -> Credentials {
    let text = |name: &str| {
        let value = request.headers().get(name)?;
        Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    Credentials {
        bearer: bearer(request.headers()),
        operate_as: text(OPERATE_AS),
        reason: text(REASON),
        origin: origin(request.extensions(), request.headers()),
    }
}

/// Where a request came from.
pub fn origin(extensions: &Extensions, headers: &HeaderMap) -> Origin {
    let peer = extensions.get::<ConnectInfo<SocketAddr>>();
    Origin {
        request_id: extensions.get::<RequestId>().cloned(),
        address: peer.map(|ConnectInfo(address)| address.ip()),
        agent: headers
            .get(USER_AGENT)
            .and_then(|value| UserAgent::of(value.as_bytes())),
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use axum::body::Body;
    use uuid::Uuid;

    use crate::auth::directory::fake::{Fake, token};
    use crate::domain::ids::TenantId;
    use crate::domain::permission::Permission;
    use crate::domain::tenant::TenantStatus;

    const ACME: TenantId = TenantId::from_uuid(Uuid::nil());

    fn standing(directory: &Arc<Fake>, method: Method, token: &str) -> Standing {
        let guard = Guard {
            access: Access::Tenant(Permission::ConfigDeploy),
            authenticator: directory.authenticator(),
        };
        let request = Request::builder()
            .method(method)
            .header("authorization", format!("Bearer {token}"))
            .header(OPERATE_AS, ACME.to_string());
        Standing::of(guard, &request.body(Body::empty()).unwrap())
    }

    #[tokio::test]
    async fn o29_it_is_asked_for_anew_each_time() {
        let directory = Fake::new([(ACME, TenantStatus::Active)], None);
        let changing = standing(&directory, Method::POST, &token());
        let reading = standing(&directory, Method::GET, &token());
        assert!(changing.caller().await.is_ok() && reading.caller().await.is_ok());
        directory
            .tenants
            .lock()
            .unwrap()
            .insert(ACME, TenantStatus::Suspended);
        let refused = changing.caller().await.unwrap_err();
        assert_eq!(
            (refused.status().as_u16(), refused.code()),
            (403, "tenant_suspended")
        );
        assert!(reading.caller().await.is_ok());
    }

    #[tokio::test]
    async fn o02_credentials_that_are_none_have_none() {
        let stranger = standing(&Fake::new([], None), Method::GET, "wrong");
        let refused = stranger.caller().await.unwrap_err();
        assert_eq!(refused.code(), "credentials_invalid");
    }
}
