//! A user: somebody who signs in.

use jiff::Timestamp;

use super::contact::Contact;
use super::email::EmailAddress;
use super::ids::{ExtensionId, RoleId, TenantId, UserId};
use super::name::{PersonName, RoleName, TenantName};
use super::parsed::word_enum;
use super::role::Rank;

word_enum! {
    /// Whether a user may sign in.
    UserStatus {
        /// Not yet: an invitation waits to be accepted.
        Invited = "invited",
        /// Yes.
        Active = "active",
        /// No.
        Suspended = "suspended",
    }
}

/// What a user is in a tenant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Membership {
    /// Which tenant.
    pub tenant_id: TenantId,
    /// The tenant's name.
    pub tenant: TenantName,
    /// The role's id.
    pub role_id: RoleId,
    /// The role's name.
    pub role: RoleName,
    /// The role's rank.
    pub rank: Rank,
}

/// Whom an issuer of identities knows a user as.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct External {
    /// The issuer's URL.
    pub issuer: String,
    /// The user's id there.
    pub subject: String,
}

/// A user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// Absent only for platform managers, who belong to the operator.
    pub membership: Option<Membership>,
    /// Unique on the platform.
    pub email: EmailAddress,
    /// As people call them.
    pub name: PersonName,
    /// Whether they may sign in.
    pub status: UserStatus,
    /// Whether they manage the platform.
    pub platform_manager: bool,
    /// How else they are reached.
    pub contact: Contact,
    /// Their phone.
    pub extension_id: Option<ExtensionId>,
    /// Whether they can sign in by password.
    pub has_password: bool,
    /// Who else vouches for them.
    pub external: Option<External>,
    /// When they signed in last.
    pub last_login_at: Option<Timestamp>,
    /// Counts the changes.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl User {
    /// The tenant they work for.
    #[must_use]
    pub fn tenant_id(&self) -> Option<TenantId> {
        self.membership.as_ref().map(|membership| membership.tenant_id)
    }
}
