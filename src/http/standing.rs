//! The standing of whoever sent a request, which an answer that goes on for long asks for again.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, Request};
use axum::http::header::{AUTHORIZATION, USER_AGENT};
use axum::http::{HeaderMap, Method};
use secrecy::SecretString;

use super::guard::Guard;
use super::problem::Problem;
use crate::auth::authenticator::Credentials;
use crate::auth::caller::{Caller, Origin};
use crate::auth::permission::{Access, Act};
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

    /// Who it is, if the route is open to them now: read from the database each time.
    pub async fn caller(&self) -> Result<Caller, Problem> {
        let caller = self.guard.authenticator.caller(self.credentials.clone()).await?;
        match self.guard.access {
            Access::Public => {}
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
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    Credentials {
        bearer: bearer(request.headers()),
        operate_as: text(OPERATE_AS),
        reason: text(REASON),
        origin: Origin {
            request_id: request.extensions().get::<RequestId>().cloned(),
            address: peer.map(|ConnectInfo(address)| address.ip()),
            agent: request
                .headers()
                .get(USER_AGENT)
                .and_then(|value| UserAgent::of(value.as_bytes())),
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use async_trait::async_trait;
    use axum::body::Body;
    use uuid::Uuid;

    use crate::auth::authenticator::Authenticator;
    use crate::auth::bootstrap::BootstrapToken;
    use crate::auth::permission::Permission;
    use crate::auth::tenants::{Tenants, Unavailable};
    use crate::domain::ids::TenantId;
    use crate::domain::tenant::TenantStatus;

    const TOKEN: &str = "0123456789abcdef0123456789abcdef";

    /// A tenant that is suspended while the test goes on.
    #[derive(Default)]
    struct OneTenant {
        suspended: AtomicBool,
    }

    #[async_trait]
    impl Tenants for OneTenant {
        async fn status(&self, _: TenantId) -> Result<Option<TenantStatus>, Unavailable> {
            Ok(Some(if self.suspended.load(Ordering::SeqCst) {
                TenantStatus::Suspended
            } else {
                TenantStatus::Active
            }))
        }
    }

    fn standing(tenants: &Arc<OneTenant>, method: Method, token: &str) -> Standing {
        let bootstrap = BootstrapToken::new(&TOKEN.to_owned().into()).ok();
        let tenants: Arc<dyn Tenants> = Arc::<OneTenant>::clone(tenants);
        let guard = Guard {
            access: Access::Tenant(Permission::ConfigDeploy),
            authenticator: Arc::new(Authenticator::new(bootstrap, tenants)),
        };
        let request = Request::builder()
            .method(method)
            .header("authorization", format!("Bearer {token}"))
            .header(OPERATE_AS, Uuid::nil().to_string());
        Standing::of(guard, &request.body(Body::empty()).unwrap())
    }

    #[tokio::test]
    async fn o29_it_is_asked_for_anew_each_time() {
        let tenants = Arc::new(OneTenant::default());
        let changing = standing(&tenants, Method::POST, TOKEN);
        let reading = standing(&tenants, Method::GET, TOKEN);
        assert!(changing.caller().await.is_ok() && reading.caller().await.is_ok());
        tenants.suspended.store(true, Ordering::SeqCst);
        let refused = changing.caller().await.unwrap_err();
        assert_eq!(
            (refused.status().as_u16(), refused.code()),
            (403, "tenant_suspended")
        );
        assert!(reading.caller().await.is_ok());
    }

    #[tokio::test]
    async fn o02_credentials_that_are_none_have_none() {
        let stranger = standing(&Arc::default(), Method::GET, "wrong");
        let refused = stranger.caller().await.unwrap_err();
        assert_eq!(refused.code(), "credentials_invalid");
    }
}
