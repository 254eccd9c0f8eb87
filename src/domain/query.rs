//! Which tenants or extensions a list asks for, and in which order.

use super::extension::ExtensionStatus;
use super::ids::InstanceId;
use super::page::PageRequest;
use super::parsed::word_enum;
use super::tenant::TenantStatus;

word_enum! {
    /// What a list of tenants is sorted by; equal ones by id.
    TenantSort {
        Id = "id", Name = "name", Domain = "domain", Owner = "owner", Status = "status", Instance = "pbx_instance",
        Users = "users", Extensions = "extensions", Files = "files", LastActivity = "last_activity", CreatedAt = "created_at"
    }
}

word_enum! {
    /// What a list of extensions is sorted by; equal ones by id.
    ExtensionSort {
        Number = "number", Name = "name", Status = "status", CreatedAt = "created_at", UpdatedAt = "updated_at"
    }
}

/// A list of tenants.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TenantQuery {
    /// A part of the name or the domain, in any case.
    pub search: Option<String>,
    /// Only these.
    pub status: Option<TenantStatus>,
    /// Only those of this instance.
    pub instance_id: Option<InstanceId>,
    /// The order.
    pub sort: TenantSort,
    /// The other way round.
    pub descending: bool,
    /// The page.
    pub page: PageRequest,
}

impl Default for TenantQuery {
    fn default() -> Self {
        Self {
            search: None,
            status: None,
            instance_id: None,
            sort: TenantSort::Name,
            descending: false,
            page: PageRequest::default(),
        }
    }
}

/// A list of one tenant's extensions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExtensionQuery {
    /// A part of the number or the name, in any case.
    pub search: Option<String>,
    /// Only these.
    pub status: Option<ExtensionStatus>,
    /// The order.
    pub sort: ExtensionSort,
    /// The other way round.
    pub descending: bool,
    /// The page.
    pub page: PageRequest,
}

impl Default for ExtensionQuery {
    fn default() -> Self {
        Self {
            search: None,
            status: None,
            sort: ExtensionSort::Number,
            descending: false,
            page: PageRequest::default(),
        }
    }
}
