//! Revisions: immutable copies of one tenant's configuration.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::dial::ExtensionNumber;
use super::digest::Digest;
use super::extension::{ExtensionSettings, ExtensionStatus, Recording};
use super::ids::{ExtensionId, RevisionId, TenantId};
use super::name::TenantName;
use super::recording_notice::RecordingNotice;
use super::sip_domain::SipDomain;
use super::tenant::{RecordingPolicy, Service};
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
    /// Who says which calls are recorded; a revision from before tenants could say so left it to its extensions.
    #[serde(
        default = "RecordingPolicy::unsaid",
        skip_serializing_if = "RecordingPolicy::is_by_extension"
    )]
    pub recording: RecordingPolicy,
    /// What a recorded call begins with.
    #[serde(flatten)]
    pub notice: RecordingNotice,
    /// By number.
    pub extensions: Vec<ExtensionConfig>,
}

impl TenantConfig {
    /// What of it a PBX serves: of a blocked tenant no extension is active, of one that goes none is there; where the tenant
    /// says which calls are recorded, its extensions do not; where it has a notice that is not there, nothing is recorded.
    #[must_use]
    pub fn under(mut self, service: Service) -> Self {
        for extension in &mut self.extensions {
            extension.settings.recording = if self.notice.lacks_its_sound() {
                Recording::Never
            } else {
                self.recording.over(extension.settings.recording)
            };
        }
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

    /// Whether the PBX records any call of it.
    #[must_use]
    pub fn records(&self) -> bool {
        self.active()
            .any(|extension| extension.records_inbound() || extension.records_outbound())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::recording_notice::NoticeFor;
    use rstest::rstest;

    fn config(recording: RecordingPolicy) -> TenantConfig {
        let extension = |number: &str, recording| ExtensionConfig {
            id: ExtensionId::from_uuid(uuid::Uuid::nil()),
            number: number.parse().unwrap(),
            settings: ExtensionSettings {
                recording,
                ..ExtensionSettings::named("Ann".parse().unwrap())
            },
        };
        TenantConfig {
            name: "Acme".parse().unwrap(),
            domain: "acme.example.com".parse().unwrap(),
            aliases: Vec::new(),
            timezone: Timezone::utc(),
            recording,
            notice: RecordingNotice::unsaid(),
            extensions: vec![
                extension("1001", Recording::Never),
                extension("1002", Recording::Inbound),
            ],
        }
    }

    #[rstest]
    #[case(RecordingPolicy::ByExtension, [Recording::Never, Recording::Inbound])]
    #[case(RecordingPolicy::Always, [Recording::Always; 2])]
    #[case(RecordingPolicy::Never, [Recording::Never; 2])]
    fn a12_a_pbx_records_what_the_tenant_says_and_else_what_the_extension_says(
        #[case] policy: RecordingPolicy,
        #[case] recorded: [Recording; 2],
    ) {
        let served = config(policy).under(Service::Open);
        let told: Vec<Recording> = served
            .extensions
            .iter()
            .map(|one| one.settings.recording)
            .collect();
        assert_eq!(told, recorded);
    }

    #[test]
    fn a12_nothing_is_recorded_where_the_announcement_has_no_sound() {
        let mut config = config(RecordingPolicy::Always);
        config.notice.hearers = NoticeFor::All;
        let served = config.clone().under(Service::Open);
        assert!(!served.records());
        config.notice.sound = Some("custom/recorded".parse().unwrap());
        let served = config.under(Service::Open);
        assert!(served.records());
    }

    #[test]
    fn a_revision_from_before_tenants_had_a_policy_is_the_same_as_one_of_today() {
        let today = config(RecordingPolicy::ByExtension);
        let mut text = serde_json::to_value(&today).unwrap();
        assert_eq!(text.as_object_mut().unwrap().remove("recording"), None);
        assert_eq!(serde_json::from_value::<TenantConfig>(text).unwrap(), today);
        assert_ne!(
            today.digest().unwrap(),
            config(RecordingPolicy::Always).digest().unwrap()
        );
    }
}
