//! Our own findings about a tenant's configuration: what the types cannot rule out, because it spans objects.

use std::collections::BTreeSet;

use crate::domain::dial::DialNumber;
use crate::domain::extension::Forward;
use crate::domain::finding::Finding;
use crate::domain::ids::TenantId;
use crate::domain::instance::InstanceSettings;
use crate::domain::revision::TenantConfig;

/// Checks one tenant against the instance that is to serve it. An error keeps the tenant at its live revision.
#[must_use]
pub fn tenant(tenant_id: TenantId, config: &TenantConfig, settings: &InstanceSettings) -> Vec<Finding> {
    let emergency: BTreeSet<&str> = settings.all_emergency_numbers().collect();
    let numbers: BTreeSet<&str> = config
        .active()
        .map(|extension| extension.number.as_str())
        .collect();
    let mut findings = Vec::new();
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
    use crate::domain::instance::AsteriskSettings;
    use crate::render::samples;
    use uuid::Uuid;

    fn findings(change: impl FnOnce(&mut TenantConfig)) -> Vec<String> {
        let mut config = samples().pop().unwrap().config;
        for extension in &mut config.extensions {
            extension.settings.forward = Forward::default();
        }
        change(&mut config);
        let settings = InstanceSettings::Asterisk(AsteriskSettings {
            ami_host: "127.0.0.1".parse().unwrap(),
            ami_port: 5038,
            ami_username: "switchyard".parse().unwrap(),
            config_dir: "/etc/asterisk/switchyard".parse().unwrap(),
            ami_tls: None,
            log_file: None,
            emergency_numbers: vec!["1002".parse().unwrap()],
        });
        tenant(TenantId::from_uuid(Uuid::nil()), &config, &settings)
            .into_iter()
            .map(|f| f.code)
            .collect()
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
