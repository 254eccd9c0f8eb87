//! A tenant as the platform's list shows it: with its owner, its PBX, and what it has.

use jiff::Timestamp;

use super::email::EmailAddress;
use super::name::{InstanceName, PersonName};
use super::tenant::Tenant;

/// A tenant with what is counted of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TenantOverview {
    /// The tenant.
    pub tenant: Tenant,
    /// The name of the PBX that serves it.
    pub instance: InstanceName,
    /// The owner who was there first; none where there is none yet.
    pub owner: Option<Owner>,
    /// Active users.
    pub users: i64,
    /// Extensions, whatever their status.
    pub extensions: i64,
    /// Recordings of its calls; none where nobody has looked for any.
    pub files: Option<Files>,
    /// When somebody of it signed in last; none where nobody did.
    pub last_activity: Option<Timestamp>,
}

/// What lies on disk for a tenant.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, schemars::JsonSchema)]
pub struct Files {
    /// How many there are.
    pub count: i64,
    /// Their size.
    pub bytes: i64,
}

/// Who owns a tenant.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, schemars::JsonSchema)]
pub struct Owner {
    /// As people call them.
    pub name: PersonName,
    /// What they sign in with.
    pub email: EmailAddress,
}
