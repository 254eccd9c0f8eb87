//! A directory for tests: one platform manager with one session, tenants that a test chooses, faults.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret as _;
use uuid::Uuid;

use super::{Directory, Unavailable};
use crate::auth::authenticator::Authenticator;
use crate::auth::token::{Claims, TokenKey};
use crate::domain::api_key::KeyPresence;
use crate::domain::clock::{Clock, SystemClock};
use crate::domain::ids::{ApiKeyId, SessionId, TenantId, UserId};
use crate::domain::session::{LONGEST, Presence, Session};
use crate::domain::tenant::TenantStatus;
use crate::domain::user::UserStatus;

/// The session there is.
pub(crate) const SESSION: SessionId = SessionId::from_uuid(Uuid::from_u128(70));
/// Its owner.
pub(crate) const MANAGER: UserId = UserId::from_uuid(Uuid::from_u128(71));

/// See the module.
pub(crate) struct Fake {
    /// What is known of the manager.
    pub presence: Mutex<Presence>,
    /// The tenants there are.
    pub tenants: Mutex<BTreeMap<TenantId, TenantStatus>>,
    /// Asking for it fails.
    pub unreachable: Option<TenantId>,
    /// The API key there is.
    pub key: Mutex<Option<KeyPresence>>,
    /// When session or key was noted as used.
    pub touched: Mutex<Vec<Timestamp>>,
}

impl Fake {
    /// With these tenants.
    pub(crate) fn new(
        tenants: impl IntoIterator<Item = (TenantId, TenantStatus)>,
        unreachable: Option<TenantId>,
    ) -> Arc<Self> {
        let now = SystemClock.now();
        let session = Session {
            id: SESSION,
            user_id: MANAGER,
            created_at: now,
            last_used_at: now,
            expires_at: now + LONGEST,
            address: None,
            agent: None,
        };
        Arc::new(Self {
            presence: Mutex::new(Presence {
                session,
                email: "manager@example.com".parse().unwrap(),
                name: "Manager".parse().unwrap(),
                status: UserStatus::Active,
                platform_manager: true,
                home: None,
                entered: None,
            }),
            tenants: Mutex::new(tenants.into_iter().collect()),
            unreachable,
            key: Mutex::default(),
            touched: Mutex::default(),
        })
    }

    /// Admits with this directory.
    pub(crate) fn authenticator(self: &Arc<Self>) -> Arc<Authenticator> {
        let directory: Arc<dyn Directory> = Arc::<Self>::clone(self);
        Arc::new(Authenticator::new(
            Some(Arc::new(tokens())),
            directory,
            Arc::new(SystemClock),
        ))
    }
}

/// Signs with a key that everybody knows.
pub(crate) fn tokens() -> TokenKey {
    TokenKey::new(&[7; 32])
}

/// A token of the manager.
pub(crate) fn token() -> String {
    let now = SystemClock.now();
    let claims = Claims {
        user_id: MANAGER,
        session_id: SESSION,
        tenant_id: None,
        role: None,
        permissions: Vec::new(),
        issued_at: now,
        expires_at: now + SignedDuration::from_hours(1),
    };
    tokens().sign(&claims).unwrap().expose_secret().to_owned()
}

#[async_trait]
impl Directory for Fake {
    async fn presence(
        &self,
        id: SessionId,
        entering: Option<TenantId>,
    ) -> Result<Option<Presence>, Unavailable> {
        if entering.is_some() && entering == self.unreachable {
            return Err(Unavailable("password s3cret".into()));
        }
        let tenants = self.tenants.lock().unwrap();
        let entered = entering.and_then(|id| tenants.get(&id).map(|status| (id, *status)));
        let known = self.presence.lock().unwrap().clone();
        Ok((id == SESSION).then_some(Presence { entered, ..known }))
    }

    async fn touch(&self, _: SessionId, now: Timestamp) -> Result<(), Unavailable> {
        self.touched.lock().unwrap().push(now);
        Ok(())
    }

    async fn key_presence(&self, prefix: &str) -> Result<Option<KeyPresence>, Unavailable> {
        let known = self.key.lock().unwrap().clone();
        Ok(known.filter(|known| known.key.prefix == prefix))
    }

    async fn touch_key(&self, _: ApiKeyId, now: Timestamp) -> Result<(), Unavailable> {
        self.touched.lock().unwrap().push(now);
        Ok(())
    }
}
