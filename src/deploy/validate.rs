//! Our own findings about a tenant's configuration: what the types cannot rule out, because it spans objects.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::dial::DialNumber;
use crate::domain::extension::Forward;
use crate::domain::finding::Finding;
use crate::domain::ids::{ExtensionId, TenantId};
use crate::domain::instance::{InstanceSettings, PbxKind};
use crate::domain::revision::{ExtensionConfig, TenantConfig};
use crate::domain::secret::ExtensionSecrets;

/// Checks one tenant against the instance that is to serve it. An error keeps the tenant at its live revision.
#[must_use]
pub fn tenant(tenant_id: TenantId, config: &TenantConfig, settings: &InstanceSettings) -> Vec<Finding> {
    let emergency: BTreeSet<&str> = settings.all_emergency_numbers().collect();
    let numbers: BTreeSet<&str> = config
        .active()
        .map(|extension| extension.number.as_str())
        .collect();
    // Elsewhere what is no extension may be reached by a route, a group or a menu that is not ours.
    let is_closed = settings.kind() != PbxKind::FusionPbx;
    let not_served = aliases(config, settings).map(|finding| finding.of_tenant(tenant_id));
    let unannounced = unannounced(config, settings).map(|finding| finding.of_tenant(tenant_id));
    let mut findings: Vec<Finding> = not_served.into_iter().chain(unannounced).collect();
    for extension in config.active() {
        let about = |finding: Finding| {
            finding
                .of_tenant(tenant_id)
                .about(format!("extension {}", extension.number))
        };
        if emergency.contains(extension.number.as_str()) {
            findings.push(about(Finding::error(
                "emergency_number",
                format!(
                    "{} is an emergency number on this instance: an extension with this number would take its calls; \
                     delete the extension and make it anew under another number",
                    extension.number
                ),
            )));
        }
        findings.extend(unmailed(extension, settings).map(about));
        for (field, target) in targets(&extension.settings.forward) {
            if target.as_str() == extension.number.as_str() {
                findings.push(about(Finding::error(
                    "forward_to_itself",
                    format!("{field} leads back to {target}; choose another number"),
                )));
            } else if is_closed && !numbers.contains(target.as_str()) {
                findings.push(about(Finding::warning(
                    "forward_leads_nowhere",
                    format!("{field} leads to {target}, which no extension of the tenant has: callers hear that the number does not exist"),
                )));
            }
        }
    }
    findings
}

/// Tells of phones that are refused: a digest is good for one realm, and FreeSWITCH has no other than the domain.
#[must_use]
pub fn credentials(
    tenant_id: TenantId,
    config: &TenantConfig,
    kind: PbxKind,
    secrets: &BTreeMap<ExtensionId, ExtensionSecrets>,
) -> Vec<Finding> {
    if kind == PbxKind::Asterisk {
        return Vec::new();
    }
    let refused = config.active().filter(|extension| {
        let own = secrets.get(&extension.id);
        own.is_some_and(|own| !own.sip.is_good_for(&config.domain))
    });
    refused
        .map(|extension| {
            let message = "all that is known of its password is a digest for another realm than its domain, so its phones cannot \
                sign in on this kind of PBX: rotate its secret, and give its phones the new one";
            Finding::warning("secret_of_other_realm", message)
                .of_tenant(tenant_id)
                .about(format!("extension {}", extension.number))
        })
        .collect()
}

/// FreeSWITCH looks users up under the one name that a domain has.
fn aliases(config: &TenantConfig, settings: &InstanceSettings) -> Option<Finding> {
    let names: Vec<String> = config.aliases.iter().map(ToString::to_string).collect();
    let served = settings.kind() == PbxKind::Asterisk || names.is_empty();
    (!served).then(|| {
        let message = format!(
            "FreeSWITCH serves a domain under one name: phones that sign in under {} are refused there; have them sign in under {}",
            names.join(", "),
            config.domain
        );
        Finding::warning("alias_not_served", message)
    })
}

/// FusionPBX's own dialplan records, and announces nothing.
fn unannounced(config: &TenantConfig, settings: &InstanceSettings) -> Option<Finding> {
    let is_unannounced =
        settings.kind() == PbxKind::FusionPbx && config.notice.played().is_some() && config.records();
    is_unannounced.then(|| {
        Finding::error(
            "recording_notice_not_served",
            "FusionPBX's own dialplan records, and announces nothing: calls would be recorded of which nobody is told; set \
             `recording` of the tenant to `never`, or have its calls announced by a route of its own and set \
             `recording_notice` to `none`",
        )
    })
}

/// FusionPBX writes an address into XML as it is; FreeSWITCH looks for variables in it, and puts it into a command line.
fn unmailed(extension: &ExtensionConfig, settings: &InstanceSettings) -> Option<Finding> {
    let voicemail = &extension.settings.voicemail;
    let email = voicemail.email.as_ref()?;
    let mailed = settings.kind() == PbxKind::Asterisk || !voicemail.enabled || email.is_plain();
    (!mailed).then(|| {
        let message = format!(
            "voicemail.email {email} holds characters that FusionPBX and FreeSWITCH take for their own, or begins with one that \
             makes it an option of a command, so that no message is sent there; give it an address of letters, digits, `.`, \
             `-`, `_` and `+` that begins with a letter or a digit"
        );
        Finding::warning("email_not_served", message)
    })
}

fn targets(forward: &Forward) -> impl Iterator<Item = (&'static str, &DialNumber)> {
    [
        ("forward.always", &forward.always),
        ("forward.busy", &forward.busy),
        ("forward.no_answer", &forward.no_answer),
    ]
    .into_iter()
    .filter_map(|(field, target)| target.as_ref().map(|target| (field, target)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::instance::{AsteriskSettings, FusionPbxSettings};
    use crate::domain::recording_notice::{NoticeFor, RecordingNotice};
    use crate::domain::sip_credential::SipCredential;
    use crate::domain::tenant::{RecordingPolicy, Service};
    use crate::render::{Sample, samples};
    use uuid::Uuid;

    fn asterisk() -> InstanceSettings {
        InstanceSettings::Asterisk(AsteriskSettings {
            ami_host: "127.0.0.1".parse().unwrap(),
            ami_port: 5038,
            ami_username: "switchyard".parse().unwrap(),
            config_dir: "/etc/asterisk/switchyard".parse().unwrap(),
            ami_tls: None,
            log_file: None,
            recordings_dir: None,
            emergency_numbers: vec!["1002".parse().unwrap()],
        })
    }

    fn fusionpbx() -> InstanceSettings {
        InstanceSettings::FusionPbx(FusionPbxSettings {
            database_host: "127.0.0.1".parse().unwrap(),
            database_port: 5432,
            database_name: "fusionpbx".parse().unwrap(),
            database_username: "switchyard".parse().unwrap(),
            database_tls: None,
            event_socket_host: "127.0.0.1".parse().unwrap(),
            event_socket_port: 8021,
            recordings_dir: None,
            voicemail_dir: None,
            emergency_numbers: Vec::new(),
        })
    }

    fn findings(change: impl FnOnce(&mut TenantConfig)) -> Vec<String> {
        findings_on(&asterisk(), change)
    }

    fn findings_on(settings: &InstanceSettings, change: impl FnOnce(&mut TenantConfig)) -> Vec<String> {
        let mut config = samples().pop().unwrap().config;
        config.notice = RecordingNotice::unsaid();
        for extension in &mut config.extensions {
            extension.settings.forward = Forward::default();
        }
        change(&mut config);
        tenant(TenantId::from_uuid(Uuid::nil()), &config, settings)
            .into_iter()
            .map(|f| f.code)
            .collect()
    }

    #[test]
    fn an_alias_that_a_kind_does_not_serve_is_told() {
        let one = |config: &mut TenantConfig| config.aliases = vec!["old.example.com".parse().unwrap()];
        assert_eq!(findings_on(&fusionpbx(), one), ["alias_not_served"]);
        assert_eq!(
            findings_on(&fusionpbx(), |config| config.aliases.clear()),
            [""; 0]
        );
        assert_eq!(findings_on(&asterisk(), one), ["emergency_number"]);
    }

    #[test]
    fn a12_what_fusionpbx_would_record_unannounced_is_refused() {
        let told = |config: &mut TenantConfig| {
            config.aliases.clear();
            config.notice = RecordingNotice {
                hearers: NoticeFor::Inbound,
                sound: Some("custom/recorded".parse().unwrap()),
            };
        };
        assert_eq!(findings_on(&fusionpbx(), told), ["recording_notice_not_served"]);
        let unrecorded = |config: &mut TenantConfig| {
            told(config);
            config.recording = RecordingPolicy::Never;
            *config = config.clone().under(Service::Open);
        };
        assert_eq!(findings_on(&fusionpbx(), unrecorded), [""; 0]);
        assert_eq!(findings(told), ["emergency_number"]);
    }

    #[test]
    fn what_a_fusionpbx_reaches_beside_our_extensions_is_no_forward_that_leads_nowhere() {
        let outside = |config: &mut TenantConfig| {
            config.extensions[0].settings.forward.busy = Some("7777".parse().unwrap());
        };
        let found = findings(outside);
        assert!(found.contains(&"forward_leads_nowhere".to_owned()), "{found:?}");
        let found = findings_on(&fusionpbx(), outside);
        assert_eq!(found, ["alias_not_served"]);
        let itself = findings_on(&fusionpbx(), |config| {
            let number = config.extensions[0].number.to_string();
            config.extensions[0].settings.forward.busy = Some(number.parse().unwrap());
        });
        assert_eq!(itself, ["alias_not_served", "forward_to_itself"]);
    }

    #[test]
    fn an_address_that_a_fusionpbx_is_not_given_is_told_of_its_extension() {
        for address in ["ann&co@example.com", "-d/x@example.com"] {
            let set = |config: &mut TenantConfig| {
                config.aliases.clear();
                let voicemail = &mut config.extensions[1].settings.voicemail;
                voicemail.enabled = true;
                voicemail.email = Some(address.parse().unwrap());
            };
            assert_eq!(findings_on(&fusionpbx(), set), ["email_not_served"]);
            assert_eq!(findings(set), ["emergency_number"]);
        }
    }

    #[test]
    fn a_digest_for_another_realm_is_told_where_the_domain_is_the_only_one() {
        let mut sample = samples().pop().unwrap();
        let id = sample.config.extensions[0].id;
        let told = |sample: &Sample, kind| {
            let id = TenantId::from_uuid(Uuid::nil());
            let found = credentials(id, &sample.config, kind, &sample.secrets);
            found.into_iter().map(|f| f.code).collect::<Vec<_>>()
        };
        assert_eq!(told(&sample, PbxKind::FusionPbx), [""; 0]);
        let digest = format!("HA1:asterisk:{}", "0".repeat(32));
        sample.secrets.get_mut(&id).unwrap().sip = SipCredential::parse(digest.into()).unwrap();
        assert_eq!(told(&sample, PbxKind::FusionPbx), ["secret_of_other_realm"]);
        assert_eq!(told(&sample, PbxKind::Asterisk), [""; 0]);
    }

    #[test]
    fn the_instances_own_emergency_numbers_are_guarded() {
        assert_eq!(findings(|_| {}), ["emergency_number"]);
    }

    #[test]
    fn forwards_that_cannot_work_are_told() {
        let found = findings(|config| {
            config.extensions.remove(1);
            config.extensions[0].settings.forward.always = Some("1001".parse().unwrap());
            config.extensions[0].settings.forward.busy = Some("7777".parse().unwrap());
            config.extensions[0].settings.forward.no_answer = Some("30".parse().unwrap());
        });
        assert_eq!(found, ["forward_to_itself", "forward_leads_nowhere"]);
    }
}
