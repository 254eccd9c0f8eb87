//! Tenants made for a test, as the text of a generation and as what is expected of it.

use std::collections::BTreeMap;

use serde_json::Value;
use switchyard::domain::artifact::Artifact;
use switchyard::domain::digest::Digest;
use switchyard::domain::extension_input::ExtensionInput;
use switchyard::domain::ids::{ExtensionId, IdSource, SystemIds, TenantId};
use switchyard::domain::instance::PbxKind;
use switchyard::domain::recording_notice::RecordingNotice;
use switchyard::domain::revision::{ExtensionConfig, TenantConfig};
use switchyard::domain::secret::{ExtensionSecrets, VoicemailPin};
use switchyard::domain::sip_credential::SipCredential;
use switchyard::domain::tenant::RecordingPolicy;
use switchyard::driver::{Expected, PresentTenant};
use switchyard::render::asterisk::tenant;
use switchyard::render::pbx::{Secrets, instance, marker};
use switchyard::render::template_set::TemplateSet;

/// The whole text of each file.
pub type Texts = BTreeMap<Artifact, String>;

/// The PIN of every mailbox.
pub const PIN: &str = "246813";

/// A tenant with its secrets.
#[derive(Clone)]
pub struct TestTenant {
    pub id: TenantId,
    pub config: TenantConfig,
    pub secrets: BTreeMap<ExtensionId, ExtensionSecrets>,
}

impl TestTenant {
    /// A tenant with extensions written as in a request.
    pub fn new(domain: &str, extensions: &[Value]) -> Self {
        let mut configs = Vec::new();
        let mut secrets = BTreeMap::new();
        for value in extensions {
            let input: ExtensionInput = serde_json::from_value(value.clone()).unwrap();
            let parsed = input
                .parse()
                .unwrap_or_else(|errors| panic!("{value}: {errors:?}"));
            let id = ExtensionId::from_uuid(SystemIds.next());
            let derived = || SipCredential::parse(secret(&parsed.number, domain).into()).unwrap();
            let sip = parsed.secret.unwrap_or_else(derived);
            let pin = VoicemailPin::parse(PIN.to_owned().into()).unwrap();
            secrets.insert(id, ExtensionSecrets { sip, pin });
            configs.push(ExtensionConfig {
                id,
                number: parsed.number,
                settings: parsed.settings,
            });
        }
        Self {
            id: TenantId::from_uuid(SystemIds.next()),
            config: TenantConfig {
                name: "Test".parse().unwrap(),
                domain: domain.parse().unwrap(),
                aliases: Vec::new(),
                timezone: "Europe/Berlin".parse().unwrap(),
                recording: RecordingPolicy::ByExtension,
                notice: RecordingNotice::unsaid(),
                extensions: configs,
            },
            secrets,
        }
    }

    /// All of it, to be asked for.
    pub fn present(&self) -> PresentTenant {
        let sign_in = |extension: &ExtensionConfig| {
            let secrets = self.secrets.get(&extension.id).unwrap();
            (
                extension.id,
                secrets.sip.sign_in(&extension.number, &self.config.domain),
            )
        };
        PresentTenant {
            is_new: false,
            tenant_id: self.id,
            domain: self.config.domain.clone(),
            extensions: self.config.active().cloned().collect(),
            sign_ins: self.config.active().map(sign_in).collect(),
            number_lengths: self.config.number_lengths(),
            notice: self.config.notice.clone(),
            feature_codes: true,
        }
    }
}

/// The SIP secret of an extension that names none: another one for each number and domain.
pub fn secret(number: impl std::fmt::Display, domain: &str) -> String {
    Digest::of(format!("{number}@{domain}")).short()
}

/// The files that serve these tenants, and what is expected of them.
pub fn generation(tenants: &[TestTenant]) -> (Texts, Expected) {
    let templates = TemplateSet::built_in().unwrap();
    let mut texts = Texts::new();
    let mut digests: BTreeMap<Artifact, Vec<Digest>> = BTreeMap::new();
    for test in tenants {
        let fragments = tenant(&templates, &test.config, Secrets::Real(&test.secrets)).unwrap();
        for (file, fragment) in fragments {
            digests.entry(file).or_default().push(Digest::of(&fragment));
            texts.entry(file).or_default().push_str(&fragment);
        }
    }
    let mut expected = Expected {
        present: tenants.iter().map(TestTenant::present).collect(),
        ..Expected::default()
    };
    for file in Artifact::of(PbxKind::Asterisk) {
        let marker = marker(templates.digest(), digests.remove(file).unwrap_or_default());
        let common = instance(&templates, *file, &marker).unwrap();
        texts.entry(*file).or_default().push_str(&common);
        expected.markers.insert(*file, Some(marker));
    }
    (texts, expected)
}
