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

impl Access {
    /// What is asked, in the word that roles and documents name it by.
    #[must_use]
    pub const fn right(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Own => "own",
            Self::Member => "member",
            Self::Tenant(permission) => permission.as_str(),
            Self::Platform(permission) => permission.as_str(),
        }
    }

    /// Whether it is in a tenant, which the operator's people have to name.
    #[must_use]
    pub const fn is_in_tenant(self) -> bool {
        matches!(self, Self::Member | Self::Tenant(_))
    }
}

/// Whether something is looked at or changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Act {
    /// Nothing changes.
    Read,
    /// Something does.
    Change,
}
