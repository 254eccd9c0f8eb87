//! What a change of a tenant leads to on its PBX, beside the tenant.

use schemars::JsonSchema;
use serde::Serialize;

use super::{InvitedView, TenantDetailView, TenantView};
use crate::app::tenant_creation::NewTenant;
use crate::app::tenant_deletion::Leaving;
use crate::app::tenant_status::Followed;
use crate::domain::ids::DeploymentId;

/// A tenant that was made.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "NewTenant")]
pub struct NewTenantView {
    /// The tenant.
    #[serde(flatten)]
    pub tenant: TenantView,
    /// Its owner; without a mail server with the link, this once.
    pub owner: InvitedView,
}

impl From<&NewTenant> for NewTenantView {
    fn from(made: &NewTenant) -> Self {
        Self {
            tenant: made.tenant.clone().into(),
            owner: InvitedView::new(&made.owner, Some(&made.invitation)),
        }
    }
}

/// A tenant that was suspended or may work again.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "FollowedTenant")]
pub struct FollowedView {
    /// The tenant.
    #[serde(flatten)]
    pub tenant: TenantView,
    /// The deploys by which its PBX follows; none where its phones may do what they could before.
    pub deployments: Vec<DeploymentId>,
}

impl From<Followed> for FollowedView {
    fn from(followed: Followed) -> Self {
        Self {
            tenant: followed.tenant.into(),
            deployments: followed.deployments,
        }
    }
}

/// A tenant that is being deleted.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "LeavingTenant")]
pub struct LeavingView {
    /// The tenant; it is gone as soon as no PBX serves it any more.
    #[serde(flatten)]
    pub tenant: TenantView,
    /// The deploys that take it off the PBXs which serve it.
    pub deployments: Vec<DeploymentId>,
    /// What stays where this service cannot remove it, for somebody to do it by hand.
    pub not_removed: Vec<String>,
}

impl From<Leaving> for LeavingView {
    fn from(leaving: Leaving) -> Self {
        Self {
            tenant: leaving.tenant.into(),
            deployments: leaving.deployments,
            not_removed: leaving.not_removed,
        }
    }
}

/// A tenant that was changed.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ChangedTenant")]
pub struct ChangedTenantView {
    /// The tenant.
    #[serde(flatten)]
    pub tenant: TenantDetailView,
    /// What is to be done about the change.
    pub warnings: Vec<String>,
}
