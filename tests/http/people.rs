//! Whoever may ask: users of every role, platform managers, and those who may no longer.

use std::cell::Cell;

use jiff::Timestamp;
use secrecy::ExposeSecret as _;
use switchyard::app::platform_users::{self, UserInput};
use switchyard::app::{App, operator};
use switchyard::auth::token::{Claims, TokenKey};
use switchyard::domain::api_key::{ApiKey, KeySecret};
use switchyard::domain::clock::{Clock as _, SystemClock};
use switchyard::domain::ids::{ApiKeyId, RoleId, SessionId, SystemIds, TenantId, UserId};
use switchyard::domain::permission::Permission;
use switchyard::domain::random::SystemRandom;
use switchyard::domain::role::{Rank, Role};
use switchyard::domain::session::{LONGEST, Session};
use switchyard::domain::user::UserStatus;
use switchyard::store::{Store, api_keys, roles, sessions, tenant_lifecycle, users};

use crate::support::suspension::pause;

/// Who asks, in the tenant of a test.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Who {
    Nobody,
    Owner,
    Admin,
    Manager,
    Agent,
    /// With a role of the tenant's own, which allows to list users and nothing else.
    Custom,
    /// An owner who names the tenant, which only platform managers may.
    OwnerEntering,
    PlatformManager,
    /// The same in the tenant, with a reason.
    PlatformManagerInside,
    SuspendedUser,
    DeletedUser,
    /// An owner of a suspended tenant.
    OfSuspendedTenant,
    /// A program with an API key of an owner's, which may all that a key can.
    Key,
    /// The same with a key that allows to list users and nothing else.
    NarrowKey,
}

impl Who {
    pub const ALL: [Self; 14] = [
        Self::Nobody,
        Self::Owner,
        Self::Admin,
        Self::Manager,
        Self::Agent,
        Self::Custom,
        Self::OwnerEntering,
        Self::PlatformManager,
        Self::PlatformManagerInside,
        Self::SuspendedUser,
        Self::DeletedUser,
        Self::OfSuspendedTenant,
        Self::Key,
        Self::NarrowKey,
    ];

    /// Whether the request names the tenant.
    pub fn enters(self) -> bool {
        matches!(self, Self::OwnerEntering | Self::PlatformManagerInside)
    }

    /// The role that they have, or had.
    fn role(self) -> Option<&'static str> {
        match self {
            Self::Nobody | Self::PlatformManager | Self::PlatformManagerInside => None,
            Self::Admin => Some("admin"),
            Self::Manager => Some("manager"),
            Self::Agent => Some("agent"),
            Self::Custom => Some("receptionist"),
            Self::Owner
            | Self::OwnerEntering
            | Self::SuspendedUser
            | Self::DeletedUser
            | Self::OfSuspendedTenant
            | Self::Key
            | Self::NarrowKey => Some("owner"),
        }
    }
}

/// A person who has just signed in.
pub struct Person {
    pub user: UserId,
    pub token: String,
}

/// Makes people in tenants.
pub struct People<'a> {
    pub app: &'a App,
    pub store: &'a Store,
    pub tokens: &'a TokenKey,
    /// How many there are, for names.
    pub made: &'a Cell<u32>,
}

impl People<'_> {
    /// A new person of a kind; `None` for nobody.
    pub async fn one(&self, who: Who, tenant: TenantId, suspended: TenantId) -> Option<Person> {
        let home = match who {
            Who::Nobody => return None,
            Who::PlatformManager | Who::PlatformManagerInside => None,
            Who::OfSuspendedTenant => Some(suspended),
            _ => Some(tenant),
        };
        if who == Who::Custom {
            self.ensure_custom_role(tenant).await;
        }
        let number = self.made.get() + 1;
        self.made.set(number);
        let input = UserInput {
            tenant_id: home.map(|id| id.to_string()),
            name: Some(format!("Person {number}")),
            email: Some(format!("person{number}@example.com")),
            role: who.role().map(str::to_owned),
            password: Some("apples pears plums".into()),
            platform_manager: Some(home.is_none()),
            ..UserInput::default()
        };
        let (user, _) = platform_users::create(self.app, &operator::platform(None), input)
            .await
            .unwrap();
        let user = user.id;
        let token = self.sign_in(user).await;
        let mut tx = self.store.begin("end").await.unwrap();
        match who {
            Who::SuspendedUser => {
                users::set_status(&mut tx, user, UserStatus::Suspended, SystemClock.now())
                    .await
                    .unwrap();
            }
            Who::DeletedUser => {
                users::delete(&mut tx, user).await.unwrap();
            }
            Who::OfSuspendedTenant => {
                tenant_lifecycle::suspend(&mut tx, suspended, &pause(SystemClock.now()))
                    .await
                    .unwrap();
            }
            _ => {}
        }
        tx.commit().await.unwrap();
        let token = match who {
            Who::Key => self.key(user, tenant, Permission::ALL).await,
            Who::NarrowKey => self.key(user, tenant, &[Permission::UsersList]).await,
            _ => token,
        };
        Some(Person { user, token })
    }

    /// A token of a new session, which nobody had to type a password for.
    pub async fn sign_in(&self, user: UserId) -> String {
        let now = SystemClock.now();
        let session = session(user, now);
        let mut tx = self.store.begin("sign_in").await.unwrap();
        sessions::insert(&mut tx, &session).await.unwrap();
        tx.commit().await.unwrap();
        let claims = Claims {
            user_id: user,
            session_id: session.id,
            tenant_id: None,
            role: None,
            permissions: Vec::new(),
            issued_at: now,
            expires_at: session.expires_at,
        };
        let token = self.tokens.sign(&claims).unwrap();
        token.expose_secret().to_owned()
    }

    /// An API key of somebody's, as far as keys can have these rights.
    async fn key(&self, author: UserId, tenant: TenantId, rights: &[Permission]) -> String {
        let secret = KeySecret::generate(&SystemRandom).unwrap();
        let key = ApiKey {
            id: ApiKeyId::fresh(&SystemIds),
            tenant_id: tenant,
            author_id: author,
            name: "crm".parse().unwrap(),
            prefix: secret.prefix().to_owned(),
            permissions: rights
                .iter()
                .copied()
                .filter(|right| right.is_for_keys())
                .collect(),
            rank: Rank::Admin,
            expires_at: None,
            last_used_at: None,
            created_at: SystemClock.now(),
        };
        let mut tx = self.store.begin("key").await.unwrap();
        api_keys::insert(&mut tx, &key, &secret).await.unwrap();
        tx.commit().await.unwrap();
        secret.expose().to_owned()
    }

    async fn ensure_custom_role(&self, tenant: TenantId) {
        let role = Role {
            id: RoleId::fresh(&SystemIds),
            tenant_id: Some(tenant),
            name: "receptionist".parse().unwrap(),
            rank: Rank::Manager,
            permissions: [Permission::UsersList].into(),
        };
        let mut tx = self.store.begin("role").await.unwrap();
        let there = roles::find_by_name(&mut tx, tenant, &role.name).await.unwrap();
        if there.is_none() {
            roles::insert(&mut tx, tenant, &role, SystemClock.now())
                .await
                .unwrap();
        }
        tx.commit().await.unwrap();
    }
}

fn session(user: UserId, now: Timestamp) -> Session {
    Session {
        id: SessionId::fresh(&SystemIds),
        user_id: user,
        created_at: now,
        last_used_at: now,
        expires_at: now + LONGEST,
        address: None,
        agent: None,
    }
}
