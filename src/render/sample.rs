//! Samples that every template must render: an empty tenant, a plain one, and one with every option and the
//! worst names that the types let through.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::domain::extension_input::ExtensionInput;
use crate::domain::ids::{ExtensionId, TenantId};
use crate::domain::recording_notice::{NoticeFor, RecordingNotice};
use crate::domain::revision::{ExtensionConfig, TenantConfig};
use crate::domain::secret::{ExtensionSecrets, VoicemailPin};
use crate::domain::sip_credential::SipCredential;
use crate::domain::tenant::RecordingPolicy;

/// A tenant to try templates on.
pub struct Sample {
    /// Its id, the same in every run.
    pub tenant_id: TenantId,
    /// Its configuration.
    pub config: TenantConfig,
    /// Its secrets, the same in every run.
    pub secrets: BTreeMap<ExtensionId, ExtensionSecrets>,
}

/// The samples; none is missing unless this file itself is wrong, which a test would show.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let plain = json!({"number": "1001", "name": "Ann"});
    let full = json!({
        "number": "1002", "name": "Zoë \"The Doc\" O'Hara; #exec ${EXTEN} ] \\",
        "caller_id": {"name": "Acme | Inc.", "number": "+493012345"},
        "voicemail": {"enabled": true, "email": "zoe@acme.example.com"},
        "forward": {"always": null, "busy": "1001", "no_answer": "+49301234567"},
        "ring_time": 15, "recording": "always", "max_contacts": 3,
        "codecs": ["opus", "g722", "alaw"], "transport": "websocket", "outbound_class": "international"
    });
    let disabled = json!({"number": "20", "name": "Gone", "status": "disabled"});
    let tls = json!({"number": "30", "name": "Tess \"T;\\\\ O'Hara\" ] #exec ${EXTEN}", "transport": "tls", "forward": {"always": "1001"}});
    [vec![], vec![plain.clone()], vec![plain, full, disabled, tls]]
        .into_iter()
        .filter_map(|extensions| sample(&extensions))
        .collect()
}

/// The one with every option has one.
fn notice(extensions: &[Value]) -> Option<RecordingNotice> {
    if extensions.len() < 2 {
        return Some(RecordingNotice::unsaid());
    }
    Some(RecordingNotice {
        hearers: NoticeFor::All,
        sound: Some("custom/recorded".parse().ok()?),
    })
}

fn sample(extensions: &[Value]) -> Option<Sample> {
    let mut configs = Vec::new();
    let mut secrets = BTreeMap::new();
    for (index, value) in (1_u128..).zip(extensions) {
        let input: ExtensionInput = serde_json::from_value(value.clone()).ok()?;
        let parsed = input.parse().ok()?;
        let id = ExtensionId::from_uuid(Uuid::from_u128(index));
        configs.push(ExtensionConfig {
            id,
            number: parsed.number,
            settings: parsed.settings,
        });
        let sip = SipCredential::parse("SampleSecretSample".to_owned().into()).ok()?;
        let pin = VoicemailPin::parse("864209".to_owned().into()).ok()?;
        secrets.insert(id, ExtensionSecrets { sip, pin });
    }
    let config = TenantConfig {
        name: "Acme".parse().ok()?,
        domain: "acme.example.com".parse().ok()?,
        // The empty tenant has none.
        aliases: extensions
            .iter()
            .take(1)
            .map_while(|_| "old.example.com".parse().ok())
            .collect(),
        timezone: "Europe/Berlin".parse().ok()?,
        recording: RecordingPolicy::ByExtension,
        notice: notice(extensions)?,
        extensions: configs,
    };
    Some(Sample {
        tenant_id: TenantId::from_uuid(Uuid::from_u128(0xac3e)),
        config,
        secrets,
    })
}
