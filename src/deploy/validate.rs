//! Our own findings about a tenant's configuration: what the types cannot rule out, because it spans objects.

use std::collections::BTreeSet;

use crate::domain::dial::DialNumber;
use crate::domain::extension::Forward;
use crate::domain::finding::Finding;
use crate::domain::ids::TenantId;
use crate::domain::instance::{InstanceSettings, PbxKind};
use crate::domain::revision::TenantConfig;

/// Checks one tenant against the instance that is to serve it. An error keeps the tenant at its live revision.
#[must_use]
pub fn tenant(tenant_id: TenantId, config: &TenantConfig, settings: &InstanceSettings) -> Vec<Finding> {
    let emergency: BTreeSet<&str> = settings.all_emergency_numbers().collect();
    let numbers: BTreeSet<&str> = config
        .active()
        .map(|extension| extension.number.as_str())
        .collect();
    let not_served = aliases(config, settings).map(|finding| finding.of_tenant(tenant_id));
    let mut findings: Vec<Finding> = not_served.into_iter().collect();
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
        for (field, target) in targets(&extension.settings.forward) {
            if target.as_str() == extension.number.as_str() {
                findings.push(about(Finding::error(
                    "forward_to_itself",
                    format!("{field} leads back to {target}; choose another number"),
                )));
            } else if !numbers.contains(target.as_str()) {
                findings.push(about(Finding::warning(
                    "forward_leads_nowhere",
                    format!("{field} leads to {target}, which no extension of the tenant has: callers hear that the number does not exist"),
                )));
            }
        }
    }
    findings
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
    use crate::render::samples;
    use uuid::Uuid;

    fn asterisk() -> InstanceSettings {
        InstanceSettings::Asterisk(AsteriskSettings {
            ami_host: "127.0.0.1".parse().unwrap(),
            ami_port: 5038,
            ami_username: "switchyard".parse().unwrap(),
            config_dir: "/etc/asterisk/switchyard".parse().unwrap(),
            ami_tls: None,
            log_file: None,
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
            emergency_numbers: Vec::new(),
        })
    }

    fn findings(change: impl FnOnce(&mut TenantConfig)) -> Vec<String> {
        findings_on(&asterisk(), change)
    }

    fn findings_on(settings: &InstanceSettings, change: impl FnOnce(&mut TenantConfig)) -> Vec<String> {
        let mut config = samples().pop().unwrap().config;
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
