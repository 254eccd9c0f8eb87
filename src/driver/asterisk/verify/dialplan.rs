//! Contexts, extensions and hints, as `ShowDialPlan` shows them.

use std::collections::{BTreeMap, BTreeSet};

use super::super::rights::ActionName;
use super::super::session::Session;
use crate::domain::finding::Finding;
use crate::domain::revision::ExtensionConfig;
use crate::domain::sip_domain::SipDomain;
use crate::driver::{AbsentExtension, ClearedContext, DriverError, PresentTenant};

/// The subroutine that an extension's line calls; a line of another form is an operator's own.
const SUBROUTINE: &str = "switchyard-extension,";

/// What every tenant can dial, whatever a template says: echo, and the own mailbox.
const FEATURE_CODES: [&str; 2] = ["*43", "*97"];

/// The priority of a hint. Asterisk makes one for an extension by itself when a phone asks for it by a pattern, and keeps
/// that as long as the phone does (measured).
const HINT: &str = "hint";

/// What stands behind extension and priority.
struct Step {
    application: String,
    data: String,
}

fn pattern(length: usize) -> String {
    format!("_{}", "X".repeat(length))
}

pub async fn marker(session: &Session) -> Result<String, DriverError> {
    let steps = context(session, "switchyard-marker").await?.unwrap_or_default();
    let marker = steps
        .get(&("dialplan".to_owned(), "1".to_owned()))
        .map(|step| step.data.clone());
    Ok(marker.unwrap_or_default())
}

pub async fn present(session: &Session, tenant: &PresentTenant) -> Result<Vec<Finding>, DriverError> {
    let domain = &tenant.domain;
    let finding = |code: &str, object: String, message: String| {
        Finding::error(code, message)
            .of_tenant(tenant.tenant_id)
            .about(object)
    };
    let Some(steps) = context(session, domain.as_str()).await? else {
        let message = format!("Asterisk has no dialplan context {domain}");
        return Ok(vec![finding(
            "context_missing",
            format!("tenant {domain}"),
            message,
        )]);
    };
    let mut findings = Vec::new();
    for length in &tenant.number_lengths {
        let pattern = pattern(*length);
        let expected = format!("PJSIP/${{EXTEN}}@{domain}");
        let found = steps
            .get(&(pattern.clone(), HINT.to_owned()))
            .map(|step| step.application.as_str());
        if found != Some(expected.as_str()) {
            let message = format!("the hint {pattern} of {domain} is {found:?} instead of {expected}");
            findings.push(finding("hint_altered", format!("hint {pattern}"), message));
        }
    }
    for code in FEATURE_CODES {
        let first = steps.get(&(code.to_owned(), "1".to_owned()));
        if tenant.feature_codes && first.is_none_or(|step| step.application.is_empty()) {
            let message = format!("Asterisk's dialplan {domain} has no feature code {code}");
            findings.push(finding(
                "feature_missing",
                format!("feature code {code}"),
                message,
            ));
        }
    }
    for extension in &tenant.extensions {
        let object = format!("extension {}", extension.number);
        let first = steps.get(&(extension.number.to_string(), "1".to_owned()));
        // A line without an application is taken without a word, and ends the call (measured).
        match first.filter(|step| !step.application.is_empty()) {
            None => {
                let message = format!(
                    "Asterisk's dialplan {domain} has no extension {}",
                    extension.number
                );
                findings.push(finding("dialplan_missing", object, message));
            }
            Some(step) if calls_ours(step) => {
                let expected = expected_call(tenant, extension);
                if step.data != expected {
                    let message = format!(
                        "Asterisk's dialplan runs Gosub({}) instead of Gosub({expected})",
                        step.data
                    );
                    findings.push(finding("dialplan_altered", object, message));
                }
            }
            // A template of the operator's own does something else here: what it should do is not ours to say,
            // but it must not reach into another tenant.
            Some(_) => {}
        }
    }
    Ok(findings)
}

pub async fn absent(session: &Session, absent: &[AbsentExtension]) -> Result<Vec<Finding>, DriverError> {
    let mut findings = Vec::new();
    let domains: BTreeSet<&SipDomain> = absent.iter().map(|extension| &extension.domain).collect();
    for domain in domains {
        let Some(steps) = context(session, domain.as_str()).await? else {
            continue;
        };
        for extension in absent.iter().filter(|extension| extension.domain == *domain) {
            let is_left = |(number, priority): &(String, String)| {
                number == extension.number.as_str() && priority != HINT
            };
            if steps.keys().any(is_left) {
                let message = format!(
                    "Asterisk's dialplan {domain} still has the extension {}",
                    extension.number
                );
                findings.push(
                    Finding::error("dialplan_left", message)
                        .of_tenant(extension.tenant_id)
                        .about(format!("extension {}", extension.number)),
                );
            }
        }
    }
    Ok(findings)
}

/// Lines that somebody else adds to the context may stay; ours may not.
pub async fn cleared(session: &Session, cleared: &ClearedContext) -> Result<Vec<Finding>, DriverError> {
    let domain = &cleared.domain;
    let Some(steps) = context(session, domain.as_str()).await? else {
        return Ok(Vec::new());
    };
    let finding = |code: &str, object: String, message: String| {
        Finding::error(code, message)
            .of_tenant(cleared.tenant_id)
            .about(object)
    };
    let mut findings = Vec::new();
    for length in &cleared.number_lengths {
        let pattern = pattern(*length);
        if steps.contains_key(&(pattern.clone(), HINT.to_owned())) {
            let message = format!("Asterisk's dialplan {domain} still has the hint {pattern}");
            findings.push(finding("hint_left", format!("hint {pattern}"), message));
        }
    }
    let serves = |code: &&str| steps.contains_key(&((*code).to_owned(), "1".to_owned()));
    if cleared.whole && FEATURE_CODES.iter().any(serves) {
        let message = format!("Asterisk still serves the dialplan context {domain}");
        findings.push(finding("context_left", format!("tenant {domain}"), message));
    }
    Ok(findings)
}

fn calls_ours(step: &Step) -> bool {
    step.application == "Gosub" && step.data.starts_with(SUBROUTINE)
}

/// The arguments of the line in `templates/asterisk/extensions.conf`, said a second time on purpose: a template that
/// says otherwise must not prove itself.
fn expected_call(tenant: &PresentTenant, extension: &ExtensionConfig) -> String {
    let domain = &tenant.domain;
    let notice = tenant
        .notice
        .played()
        .map(|(hearers, sound)| format!(",{hearers},{sound}"));
    let settings = &extension.settings;
    let forward = &settings.forward;
    let target = |number: &Option<crate::domain::dial::DialNumber>| {
        number.as_ref().map(ToString::to_string).unwrap_or_default()
    };
    format!(
        "{SUBROUTINE}s,1({},{domain},{},{},{},{},{},{}{})",
        extension.number,
        settings.ring_time.seconds(),
        target(&forward.always),
        target(&forward.busy),
        target(&forward.no_answer),
        u8::from(settings.voicemail.enabled),
        u8::from(extension.records_inbound()),
        notice.unwrap_or_default(),
    )
}

/// A whole context by extension and priority; `None` if there is none.
async fn context(
    session: &Session,
    name: &str,
) -> Result<Option<BTreeMap<(String, String), Step>>, DriverError> {
    let Some(list) = session
        .list(ActionName::ShowDialPlan, &[("Context", name)])
        .await?
    else {
        return Ok(None);
    };
    let mut steps = BTreeMap::new();
    for event in list
        .events
        .iter()
        .filter(|event| event.event() == Some("ListDialplan"))
    {
        // Steps of included contexts carry their own context's name.
        if event.get("Context") != Some(name) {
            continue;
        }
        if let (Some(extension), Some(priority)) = (event.get("Extension"), event.get("Priority")) {
            let text = |key| event.get(key).unwrap_or_default().to_owned();
            let step = Step {
                application: text("Application"),
                data: text("AppData"),
            };
            steps.insert((extension.to_owned(), priority.to_owned()), step);
        }
    }
    Ok(Some(steps))
}
