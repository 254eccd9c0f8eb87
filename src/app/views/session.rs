//! A sign-in, and the sessions there are, as every surface shows them.

use std::collections::BTreeSet;

use jiff::Timestamp;
use schemars::JsonSchema;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;

use crate::domain::email::EmailAddress;
use crate::domain::ids::{SessionId, TenantId, UserId};
use crate::domain::name::{PersonName, RoleName};
use crate::domain::permission::Permission;
use crate::domain::session::{Presence, Session};

/// A token, until when it is good, and whose it is.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Login")]
pub struct LoginView {
    token: String,
    expires_at: Timestamp,
    user: WhoView,
}

impl LoginView {
    /// Shows the token, to the one who signs in.
    #[must_use]
    pub fn revealing(token: &SecretString, presence: Presence) -> Self {
        Self {
            token: token.expose_secret().to_owned(),
            expires_at: presence.session.expires_at,
            user: presence.into(),
        }
    }
}

/// Who signed in, with what a dashboard needs to know of their rights.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Who")]
pub struct WhoView {
    id: UserId,
    email: EmailAddress,
    name: PersonName,
    role: Option<RoleName>,
    #[serde(rename = "orgId")]
    org_id: Option<TenantId>,
    permissions: BTreeSet<Permission>,
    platform_manager: bool,
}

impl From<Presence> for WhoView {
    fn from(presence: Presence) -> Self {
        let (membership, permissions) = match presence.home {
            Some(home) => (Some(home.membership), home.permissions),
            None => (None, BTreeSet::new()),
        };
        Self {
            id: presence.session.user_id,
            email: presence.email,
            name: presence.name,
            org_id: membership.as_ref().map(|membership| membership.tenant_id),
            role: membership.map(|membership| membership.role),
            permissions,
            platform_manager: presence.platform_manager,
        }
    }
}

/// One of the own sessions.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Session")]
pub struct SessionView {
    id: SessionId,
    created_at: Timestamp,
    last_used_at: Timestamp,
    expires_at: Timestamp,
    address: Option<String>,
    agent: Option<String>,
    current: bool,
}

impl SessionView {
    /// `current`: the session that asks.
    #[must_use]
    pub fn new(session: Session, current: SessionId) -> Self {
        Self {
            current: session.id == current,
            id: session.id,
            created_at: session.created_at,
            last_used_at: session.last_used_at,
            expires_at: session.expires_at,
            address: session.address,
            agent: session.agent,
        }
    }
}
