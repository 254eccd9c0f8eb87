//! Finds out who is calling, anew for each request, so that what was revoked is without effect at once.

use std::sync::Arc;

use secrecy::SecretString;

use super::bootstrap::BootstrapToken;
use super::caller::{Caller, Identity, Origin, Place};
use super::denied::Denied;
use super::tenants::{Tenants, Unavailable};
use crate::domain::ids::TenantId;
use crate::domain::reason::Reason;

/// What a request presents.
#[derive(Clone, Default)]
pub struct Credentials {
    /// The bearer token.
    pub bearer: Option<SecretString>,
    /// The tenant that one of the operator's people wants to enter, as it was written.
    pub operate_as: Option<String>,
    /// Why, as it was written.
    pub reason: Option<String>,
    /// Where the request came from.
    pub origin: Origin,
}

/// Why there is no caller.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// The credentials do not do.
    #[error("refused: {0}")]
    Denied(Denied),
    /// Whether they do could not be found out.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Knows every way to prove who one is.
#[derive(Clone)]
pub struct Authenticator {
    bootstrap: Option<BootstrapToken>,
    tenants: Arc<dyn Tenants>,
}

impl Authenticator {
    /// Without a bootstrap token nobody can be one of the operator's people.
    #[must_use]
    pub fn new(bootstrap: Option<BootstrapToken>, tenants: Arc<dyn Tenants>) -> Self {
        Self { bootstrap, tenants }
    }

    /// Who presents these credentials.
    pub async fn caller(&self, credentials: Credentials) -> Result<Caller, AuthError> {
        let admitted = match (&self.bootstrap, &credentials.bearer) {
            (Some(bootstrap), Some(token)) => bootstrap.admits(token),
            _ => false,
        };
        if !admitted {
            return Err(AuthError::Denied(Denied::Credentials));
        }
        let place = match &credentials.operate_as {
            None => Place::Platform,
            Some(id) => self.place(id).await?,
        };
        // A reason that is none counts as missing: where one is required, the refusal says what it must be.
        let reason = credentials.reason.and_then(|text| text.parse::<Reason>().ok());
        Ok(Caller::new(
            Identity::Bootstrap,
            place,
            reason,
            credentials.origin,
        ))
    }

    async fn place(&self, id: &str) -> Result<Place, Unavailable> {
        let Ok(id) = id.parse::<TenantId>() else {
            return Ok(Place::Unknown);
        };
        let status = self.tenants.status(id).await?;
        Ok(status.map_or(Place::Unknown, |status| Place::Tenant { id, status }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::tenant::TenantStatus;
    use async_trait::async_trait;
    use uuid::Uuid;

    const TOKEN: &str = "0123456789abcdef0123456789abcdef";
    const ACME: TenantId = TenantId::from_uuid(Uuid::from_u128(1));

    /// One tenant, or a database that is down.
    struct Fixed(Option<TenantStatus>);

    #[async_trait]
    impl Tenants for Fixed {
        async fn status(&self, id: TenantId) -> Result<Option<TenantStatus>, Unavailable> {
            let status = self.0.ok_or_else(|| Unavailable("down".into()))?;
            Ok((id == ACME).then_some(status))
        }
    }

    async fn caller(bearer: Option<&str>, operate_as: Option<&str>) -> Result<Caller, AuthError> {
        let bootstrap = BootstrapToken::new(&TOKEN.to_owned().into()).ok();
        let tenants = Arc::new(Fixed(Some(TenantStatus::Active)));
        let credentials = Credentials {
            bearer: bearer.map(Into::into),
            operate_as: operate_as.map(str::to_owned),
            reason: Some("  ".to_owned()),
            ..Credentials::default()
        };
        Authenticator::new(bootstrap, tenants).caller(credentials).await
    }

    #[tokio::test]
    async fn o02_without_the_right_token_there_is_no_caller() {
        for bearer in [None, Some(""), Some("wrong")] {
            let denied = caller(bearer, Some(&ACME.to_string())).await;
            assert!(matches!(denied, Err(AuthError::Denied(Denied::Credentials))));
        }
    }

    #[tokio::test]
    async fn without_a_configured_token_none_is_right() {
        let nobody = Authenticator::new(None, Arc::new(Fixed(None)));
        let credentials = Credentials {
            bearer: Some(TOKEN.into()),
            ..Credentials::default()
        };
        assert!(matches!(
            nobody.caller(credentials).await,
            Err(AuthError::Denied(Denied::Credentials))
        ));
    }

    #[tokio::test]
    async fn the_bootstrap_token_enters_the_tenant_it_names() {
        let acme = Place::Tenant {
            id: ACME,
            status: TenantStatus::Active,
        };
        let cases = [
            (None, Place::Platform),
            (Some(ACME.to_string()), acme),
            (Some(Uuid::nil().to_string()), Place::Unknown),
            (Some("acme".to_owned()), Place::Unknown),
        ];
        for (operate_as, place) in cases {
            let caller = caller(Some(TOKEN), operate_as.as_deref()).await.unwrap();
            assert_eq!(
                caller,
                Caller::new(Identity::Bootstrap, place, None, Origin::default())
            );
        }
    }

    #[tokio::test]
    async fn a_database_that_is_down_is_no_refusal() {
        let bootstrap = BootstrapToken::new(&TOKEN.to_owned().into()).ok();
        let credentials = Credentials {
            bearer: Some(TOKEN.into()),
            operate_as: Some(ACME.to_string()),
            ..Credentials::default()
        };
        let answer = Authenticator::new(bootstrap, Arc::new(Fixed(None)))
            .caller(credentials)
            .await;
        assert!(matches!(answer, Err(AuthError::Unavailable(_))));
    }
}
