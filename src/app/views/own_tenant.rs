//! The own tenant as its people see it, and what it uses.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::TenantView;
use crate::app::own_tenant::{OwnTenant, Usage};
use crate::domain::limits::SessionTimeout;
use crate::domain::recording_notice::{NoticeFor, SoundName};
use crate::domain::tenant::RecordingPolicy;

/// A tenant with its settings and limits.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "OwnTenant")]
pub struct OwnTenantView {
    #[serde(flatten)]
    tenant: TenantView,
    /// Who says which calls are recorded.
    recording: RecordingPolicy,
    /// Who hears that a call is recorded, before it is.
    recording_notice: NoticeFor,
    /// Which sound of the PBX they hear, without its ending.
    recording_notice_sound: Option<SoundName>,
    session_timeout_minutes: SessionTimeout,
    max_users: Option<i64>,
    max_extensions: Option<i64>,
    max_concurrent_calls: Option<i64>,
}

impl From<OwnTenant> for OwnTenantView {
    fn from(own: OwnTenant) -> Self {
        Self {
            recording: own.tenant.recording,
            recording_notice: own.tenant.notice.hearers,
            recording_notice_sound: own.tenant.notice.sound.clone(),
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
    /// Calls that are on record.
    calls: MeasuredView,
    /// Bytes of recordings; null where the PBX's settings name no directory of them.
    storage: MeasuredView,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Used")]
struct UsedView {
    used: i64,
    limit: Option<i64>,
}

/// What a PBX knows, or what was found of it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Measured")]
struct MeasuredView {
    /// Null where that is not known.
    used: Option<i64>,
    /// When that was known.
    as_of: Option<Timestamp>,
    /// Whether it may be otherwise by now.
    stale: bool,
    limit: Option<i64>,
}

impl MeasuredView {
    /// What the database tells.
    const fn counted(used: Option<i64>, at: Timestamp) -> Self {
        Self {
            used,
            as_of: match used {
                Some(_) => Some(at),
                None => None,
            },
            stale: used.is_none(),
            limit: None,
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
            concurrent_calls: MeasuredView {
                used: usage
                    .concurrent_calls
                    .map(|calls| i64::try_from(calls).unwrap_or(i64::MAX)),
                as_of: usage.freshness.as_of,
                stale: usage.freshness.stale,
                limit: usage.limits.max_concurrent_calls,
            },
            calls: MeasuredView::counted(Some(usage.calls), usage.counted_at),
            storage: MeasuredView::counted(usage.recordings.map(|files| files.bytes), usage.counted_at),
        }
    }
}
