//! A tenant: one customer with a SIP domain of its own.

use jiff::Timestamp;

use super::extension::Recording;
use super::ids::{InstanceId, TenantId};
use super::limits::SessionTimeout;
use super::name::TenantName;
use super::parsed::word_enum;
use super::reason::Reason;
use super::recording_notice::RecordingNotice;
use super::sip_domain::SipDomain;
use super::timezone::Timezone;

word_enum! {
    /// Whether a tenant is served.
    TenantStatus {
        /// Yes.
        Active = "active",
        /// No sign-in and no API; what its phones may do is the tenant's policy.
        Suspended = "suspended",
        /// As suspended, and nothing brings it back: it goes as soon as no PBX serves it any more.
        Deleting = "deleting",
    }
}

impl TenantStatus {
    /// Whether its people may work, and something of it may be changed.
    #[must_use]
    pub const fn is_active(self) -> bool {
        matches!(self, Self::Active)
    }

    /// What its phones may do.
    #[must_use]
    pub const fn service(self, policy: SuspensionPolicy) -> Service {
        match (self, policy) {
            (Self::Suspended, SuspensionPolicy::BlockAll) => Service::Blocked,
            // Without outbound rules there is nothing to tell an outbound call by.
            (Self::Active | Self::Suspended, _) => Service::Open,
            (Self::Deleting, _) => Service::Gone,
        }
    }
}

word_enum! {
    /// What a tenant's phones may do while it is suspended.
    SuspensionPolicy {
        /// All that they may otherwise.
        ApiOnly = "api_only",
        /// No outbound calls but emergencies, as soon as there are outbound rules.
        BlockOutbound = "block_outbound",
        /// Nothing: they are refused, and calls are ended.
        BlockAll = "block_all",
    }
}

word_enum! {
    /// Why a tenant was suspended.
    SuspensionCategory {
        /// It did not pay.
        NonPayment = "non_payment",
        /// It broke the rules.
        Policy = "policy",
        /// It asked for a pause.
        Pause = "pause",
        /// The text says it.
        Other = "other",
    }
}

word_enum! {
    /// What a PBX serves of a tenant.
    Service {
        /// All of its configuration.
        Open = "open",
        /// No phone and no number.
        Blocked = "blocked",
        /// Nothing at all: it is being deleted.
        Gone = "gone",
    }
}

word_enum! {
    /// Who says which of a tenant's calls are recorded.
    RecordingPolicy {
        /// Each extension for itself.
        ByExtension = "by_extension",
        /// The tenant: all calls of all extensions.
        Always = "always",
        /// The tenant: none, whatever an extension says.
        Never = "never",
    }
}

impl RecordingPolicy {
    /// What holds for an extension that asks for this.
    #[must_use]
    pub const fn over(self, asked: Recording) -> Recording {
        match self {
            Self::ByExtension => asked,
            Self::Always => Recording::Always,
            Self::Never => Recording::Never,
        }
    }

    /// What holds for a tenant that said nothing.
    #[must_use]
    pub const fn unsaid() -> Self {
        Self::ByExtension
    }

    /// Whether the tenant leaves it to its extensions.
    #[must_use]
    pub const fn is_by_extension(&self) -> bool {
        matches!(self, Self::ByExtension)
    }
}

/// Since when and why a tenant is suspended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Suspension {
    /// The kind of reason.
    pub category: SuspensionCategory,
    /// The reason in words.
    pub reason: Option<Reason>,
    /// Since when.
    pub at: Timestamp,
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
    /// Who says which calls are recorded.
    pub recording: RecordingPolicy,
    /// What a recorded call begins with.
    pub notice: RecordingNotice,
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
    /// Who says which calls are recorded.
    pub recording: RecordingPolicy,
    /// What a recorded call begins with.
    #[serde(flatten)]
    pub notice: RecordingNotice,
    /// For how many minutes its users' sessions may rest.
    pub session_timeout_minutes: SessionTimeout,
}
