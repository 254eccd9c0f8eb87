//! Which users a list asks for, and in which order.

use super::ids::TenantId;
use super::name::RoleName;
use super::page::PageRequest;
use super::parsed::word_enum;
use super::user::UserStatus;

word_enum! {
    /// What a list of users is sorted by; equal ones by id.
    UserSort {
        Name = "name", Email = "email", Tenant = "tenant", Role = "role", Status = "status",
        PlatformManager = "platform_manager", LastLoginAt = "last_login_at", CreatedAt = "created_at"
    }
}

/// A list of users.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UserQuery {
    /// A part of the name or the address, in any case.
    pub search: Option<String>,
    /// Only these.
    pub status: Option<UserStatus>,
    /// Only those with a role of this name.
    pub role: Option<RoleName>,
    /// Only platform managers, or only others.
    pub platform_manager: Option<bool>,
    /// Only those of this tenant; for lists of the platform.
    pub tenant_id: Option<TenantId>,
    /// The order.
    pub sort: UserSort,
    /// The other way round.
    pub descending: bool,
    /// The page.
    pub page: PageRequest,
}

impl Default for UserQuery {
    fn default() -> Self {
        Self {
            search: None,
            status: None,
            role: None,
            platform_manager: None,
            tenant_id: None,
            sort: UserSort::Name,
            descending: false,
            page: PageRequest::default(),
        }
    }
}
