//! What a route asks of its caller, and whether it looks or changes.

use crate::domain::permission::{Permission, PlatformPermission};

/// What a route asks of its caller.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Nothing, not even who it is.
    Public,
    /// A signed-in user, for what is their own: `users.view_self`, which a platform manager without tenant has too.
    Own,
    /// Whoever acts in a tenant, with any role.
    Member,
    /// A right in the tenant that the caller acts in.
    Tenant(Permission),
    /// A right on the platform.
    Platform(PlatformPermission),
}

/// Whether something is looked at or changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Act {
    /// Nothing changes.
    Read,
    /// Something does.
    Change,
}
