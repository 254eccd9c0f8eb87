//! A user as every surface shows it.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::contact::Contact;
use crate::domain::email::EmailAddress;
use crate::domain::ids::{ExtensionId, TenantId, UserId};
use crate::domain::name::{PersonName, RoleName};
use crate::domain::user::{User, UserStatus};

/// A user.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "User")]
pub struct UserView {
    /// Its id.
    pub id: UserId,
    /// Absent for a platform manager who works for no tenant.
    pub tenant_id: Option<TenantId>,
    /// Unique on the platform.
    pub email: EmailAddress,
    /// As people call them.
    pub name: PersonName,
    /// The name of their role; absent without tenant.
    pub role: Option<RoleName>,
    /// Whether they may sign in.
    pub status: UserStatus,
    /// Whether they manage the platform.
    pub platform_manager: bool,
    /// How else they are reached.
    pub contact: Contact,
    /// Their phone.
    pub extension_id: Option<ExtensionId>,
    /// When they signed in last.
    pub last_login_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl From<&User> for UserView {
    fn from(user: &User) -> Self {
        Self {
            id: user.id,
            tenant_id: user.tenant_id(),
            email: user.email.clone(),
            name: user.name.clone(),
            role: user.membership.as_ref().map(|membership| membership.role.clone()),
            status: user.status,
            platform_manager: user.platform_manager,
            contact: user.contact.clone(),
            extension_id: user.extension_id,
            last_login_at: user.last_login_at,
            created_at: user.created_at,
            updated_at: user.updated_at,
        }
    }
}
