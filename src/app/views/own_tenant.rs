//! The own tenant as its people see it, and what it uses.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::TenantView;
use crate::app::own_tenant::{OwnTenant, Usage};
use crate::domain::limits::SessionTimeout;

/// A tenant with its settings and limits.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "OwnTenant")]
pub struct OwnTenantView {
    #[serde(flatten)]
    tenant: TenantView,
    session_timeout_minutes: SessionTimeout,
    max_users: Option<i64>,
    max_extensions: Option<i64>,
    max_concurrent_calls: Option<i64>,
}

impl From<OwnTenant> for OwnTenantView {
    fn from(own: OwnTenant) -> Self {
        Self {
            tenant: own.tenant.into(),
            session_timeout_minutes: own.limits.session_timeout_minutes,
            max_users: own.limits.max_users,
            max_extensions: own.limits.max_extensions,
            max_concurrent_calls: own.limits.max_concurrent_calls,
        }
    }
}

/// What a tenant uses of what it may have.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Usage")]
pub struct UsageView {
    users: UsedView,
    extensions: UsedView,
    concurrent_calls: MeasuredView,
    /// Calls that were made and taken.
    calls: MeasuredView,
    /// Bytes of recordings and voicemail.
    storage: MeasuredView,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Used")]
struct UsedView {
    used: i64,
    limit: Option<i64>,
}

/// What a PBX knows; nothing is known of it as long as none is listened to.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Measured")]
struct MeasuredView {
    /// Null where that is not known.
    used: Option<i64>,
    /// When that was known.
    as_of: Option<Timestamp>,
    limit: Option<i64>,
}

impl MeasuredView {
    const fn unknown(limit: Option<i64>) -> Self {
        Self {
            used: None,
            as_of: None,
            limit,
        }
    }
}

impl From<Usage> for UsageView {
    fn from(usage: Usage) -> Self {
        Self {
            users: UsedView {
                used: usage.users,
                limit: usage.limits.max_users,
            },
            extensions: UsedView {
                used: usage.extensions,
                limit: usage.limits.max_extensions,
            },
            concurrent_calls: MeasuredView::unknown(usage.limits.max_concurrent_calls),
            calls: MeasuredView::unknown(None),
            storage: MeasuredView::unknown(None),
        }
    }
}
