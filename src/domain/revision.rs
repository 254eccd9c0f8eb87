//! Revisions: immutable copies of one tenant's configuration.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::dial::ExtensionNumber;
use super::digest::Digest;
use super::extension::{ExtensionSettings, ExtensionStatus, Recording};
use super::ids::{ExtensionId, RevisionId, TenantId};
use super::name::TenantName;
use super::sip_domain::SipDomain;
use super::tenant::Service;
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

impl ExtensionConfig {
    /// Whether the PBX serves it.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.settings.status == ExtensionStatus::Active
    }

    /// Endpoint, auth and AOR on the PBX, and its mailbox: `number@domain`.
    #[must_use]
    pub fn address(&self, domain: &SipDomain) -> String {
        format!("{}@{domain}", self.number)
    }

    /// The name that called parties see.
    #[must_use]
    pub fn caller_name(&self) -> &str {
        self.settings
            .caller_id
            .name
            .as_ref()
            .unwrap_or(&self.settings.name)
            .as_str()
    }

    /// The number that called parties see.
    #[must_use]
    pub fn caller_number(&self) -> &str {
        self.settings
            .caller_id
            .number
            .as_ref()
            .map_or(self.number.as_str(), AsRef::as_ref)
    }

    /// Whether calls to it are recorded.
    #[must_use]
    pub fn records_inbound(&self) -> bool {
        matches!(self.settings.recording, Recording::Inbound | Recording::Always)
    }

    /// Whether calls from it are recorded.
    #[must_use]
    pub fn records_outbound(&self) -> bool {
        matches!(self.settings.recording, Recording::Outbound | Recording::Always)
    }
}

/// All of a tenant that a revision holds: neither secrets nor suspension, which are never rolled back.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TenantConfig {
    /// The tenant's name.
    pub name: TenantName,
    /// Its SIP domain.
    pub domain: SipDomain,
    /// Domains that it had before and that its phones may still sign in at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<SipDomain>,
    /// For voicemail's times.
    pub timezone: Timezone,
    /// By number.
    pub extensions: Vec<ExtensionConfig>,
}

impl TenantConfig {
    /// What of it a PBX serves: of a blocked tenant no extension is active, of one that goes none is there.
    #[must_use]
    pub fn under(mut self, service: Service) -> Self {
        match service {
            Service::Open => {}
            Service::Blocked => {
                for extension in &mut self.extensions {
                    extension.settings.status = ExtensionStatus::Disabled;
                }
            }
            Service::Gone => self.extensions.clear(),
        }
        self
    }

    /// The extensions that the PBX serves.
    pub fn active(&self) -> impl Iterator<Item = &ExtensionConfig> {
        self.extensions.iter().filter(|extension| extension.is_active())
    }

    /// The lengths of the numbers that the PBX serves, shortest first.
    #[must_use]
    pub fn number_lengths(&self) -> BTreeSet<usize> {
        self.active()
            .map(|extension| extension.number.as_str().len())
            .collect()
    }

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
