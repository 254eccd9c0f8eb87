//! A tenant: one customer with a SIP domain of its own.

use jiff::Timestamp;

use super::ids::{InstanceId, TenantId};
use super::limits::SessionTimeout;
use super::name::TenantName;
use super::parsed::word_enum;
use super::sip_domain::SipDomain;
use super::timezone::Timezone;

word_enum! {
    /// Whether a tenant is served.
    TenantStatus {
        /// Yes.
        Active = "active",
        /// No sign-in and no API; what its phones may do is the tenant's policy.
        Suspended = "suspended",
    }
}

/// A tenant as an admin edits it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// As people call it.
    pub name: TenantName,
    /// Context, voicemail context and realm on the PBX; unique on the platform.
    pub domain: SipDomain,
    /// Whether it is served.
    pub status: TenantStatus,
    /// The one PBX that serves it.
    pub instance_id: InstanceId,
    /// For voicemail's times.
    pub timezone: Timezone,
    /// Counts every change of a secret or of the status: what is read when rendering and never rolled back.
    pub secrets_version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// What a tenant sets for itself.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct TenantSettings {
    /// As people call it.
    pub name: TenantName,
    /// For voicemail's times.
    pub timezone: Timezone,
    /// For how many minutes its users' sessions may rest.
    pub session_timeout_minutes: SessionTimeout,
}
