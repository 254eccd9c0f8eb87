//! Revisions: immutable copies of one tenant's configuration.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::dial::ExtensionNumber;
use super::digest::Digest;
use super::extension::ExtensionSettings;
use super::ids::{ExtensionId, RevisionId, TenantId};
use super::name::TenantName;
use super::sip_domain::SipDomain;
use super::timezone::Timezone;

/// One extension inside a tenant's configuration.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ExtensionConfig {
    /// Tells a renumbered extension from a new one, and finds its secrets.
    pub id: ExtensionId,
    /// Its number.
    pub number: ExtensionNumber,
    /// Everything else but secrets.
    pub settings: ExtensionSettings,
}

/// All of a tenant that a revision holds: neither secrets nor suspension, which are never rolled back.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TenantConfig {
    /// The tenant's name.
    pub name: TenantName,
    /// Its SIP domain.
    pub domain: SipDomain,
    /// For voicemail's times.
    pub timezone: Timezone,
    /// By number.
    pub extensions: Vec<ExtensionConfig>,
}

impl TenantConfig {
    /// Equal configurations have equal digests.
    ///
    /// Over the JSON form: field order is that of the types, extensions are sorted by number.
    pub fn digest(&self) -> Result<Digest, serde_json::Error> {
        serde_json::to_vec(self).map(Digest::of)
    }
}

/// A kept copy of a tenant's configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Revision {
    /// Its id.
    pub id: RevisionId,
    /// Whose configuration it is.
    pub tenant_id: TenantId,
    /// Counts from 1 in each tenant.
    pub number: i64,
    /// Of the configuration; unique in a tenant.
    pub digest: Digest,
    /// The configuration.
    pub config: TenantConfig,
    /// When it was taken.
    pub created_at: Timestamp,
}
