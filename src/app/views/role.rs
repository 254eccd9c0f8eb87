//! A role as every surface shows it.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::ids::RoleId;
use crate::domain::name::RoleName;
use crate::domain::permission::{Permission, PlatformPermission};
use crate::domain::role::{Rank, Role};

/// A role.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Role")]
pub struct RoleView {
    id: RoleId,
    name: RoleName,
    built_in: bool,
    rank: Rank,
    permissions: BTreeSet<Permission>,
}

impl From<Role> for RoleView {
    fn from(role: Role) -> Self {
        Self {
            id: role.id,
            built_in: role.is_built_in(),
            name: role.name,
            rank: role.rank,
            permissions: role.permissions,
        }
    }
}

/// All roles that there are to give, with the rights on the platform beside them, which no role holds.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Roles")]
pub struct RolesView {
    data: Vec<RoleView>,
    meta: RolesMeta,
}

#[derive(Serialize, JsonSchema)]
struct RolesMeta {
    platform_permissions: &'static [PlatformPermission],
}

impl RolesView {
    /// Shows these.
    #[must_use]
    pub fn new(roles: Vec<Role>) -> Self {
        Self {
            data: roles.into_iter().map(RoleView::from).collect(),
            meta: RolesMeta {
                platform_permissions: PlatformPermission::ALL,
            },
        }
    }
}
