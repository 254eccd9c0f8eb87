//! Proof by the running FreeSWITCH beside its users: which bytes it has read, and which contexts it has.

use std::collections::BTreeMap;

use quick_xml::events::Event;
use quick_xml::reader::Reader;

use super::included;
use super::{Switch, asked, document};
use crate::domain::artifact::Artifact;
use crate::domain::finding::Finding;
use crate::domain::instance::AbsolutePath;
use crate::domain::recording_notice::SoundName;
use crate::domain::sip_domain::SipDomain;
use crate::driver::event_socket::{ANSWER, word};
use crate::driver::{DriverError, Expected, PresentTenant};

/// What every tenant's context has, by the name of its extension.
const FEATURE_CODE: &str = "switchyard-echo";

/// What a tenant's has whose recorded calls are announced.
const NOTICE: &str = "switchyard-notice-played";

/// The marker of a file in the document that FreeSWITCH serves from: empty in one that serves nothing, `None` where it has
/// read none of ours.
///
/// It is an element of the document and no variable that is set on the way: such a one is set although the document is
/// refused in the end. It is no user either, as whom somebody could sign in.
pub(super) async fn shown(switch: &Switch, file: Artifact) -> Result<Option<String>, DriverError> {
    let asking = (word(file.module())?, word("switchyard")?, word("marker")?);
    let found = switch
        .client()
        .located(&asking.0, &asking.1, &asking.2, ANSWER)
        .await;
    Ok(found.map_err(asked)?.map(|xml| value(&xml)))
}

/// What the first element of a text has as its `value`.
fn value(xml: &str) -> String {
    let mut reader = Reader::from_str(xml);
    loop {
        match reader.read_event() {
            Ok(Event::Start(element) | Event::Empty(element)) => {
                return document::attribute(&element, "value")
                    .ok()
                    .flatten()
                    .unwrap_or_default();
            }
            Ok(Event::Eof) | Err(_) => return String::new(),
            Ok(_) => {}
        }
    }
}

/// The files of which the running FreeSWITCH shows another marker.
pub(super) async fn unread(
    switch: &Switch,
    markers: &BTreeMap<Artifact, Option<String>>,
) -> Result<Vec<Artifact>, DriverError> {
    let mut unread = Vec::new();
    for (file, expected) in markers {
        if shown(switch, *file).await?.unwrap_or_default() != expected.as_deref().unwrap_or_default() {
            unread.push(*file);
        }
    }
    Ok(unread)
}

/// Whether the running FreeSWITCH has read these bytes.
pub(super) async fn markers(
    switch: &Switch,
    config_dir: &AbsolutePath,
    markers: &BTreeMap<Artifact, Option<String>>,
) -> Result<Vec<Finding>, DriverError> {
    let mut findings = Vec::new();
    for (file, expected) in markers {
        let found = shown(switch, *file).await?.unwrap_or_default();
        let finding = match expected {
            Some(marker) if found != *marker => {
                let message = format!(
                    "FreeSWITCH has not read {file}: it shows the marker \"{found}\" instead of \"{marker}\". It goes on with what \
                     it had where its XML is not well-formed, and passes over a file that its own do not lead to, or that it may \
                     not read. {}",
                    included::mend(config_dir, *file)
                );
                Finding::error("marker_missing", message)
            }
            None if !found.is_empty() => {
                let message = format!("FreeSWITCH still serves {file} with the marker \"{found}\"");
                Finding::error("marker_unexpected", message)
            }
            _ => continue,
        };
        findings.push(finding.about(file.as_str()));
    }
    Ok(findings)
}

/// Whether the context of each tenant that is served is there, and that of none that is not.
pub(super) async fn contexts(switch: &Switch, expected: &Expected) -> Result<Vec<Finding>, DriverError> {
    let mut findings = Vec::new();
    for tenant in expected
        .present
        .iter()
        .filter(|tenant| !tenant.extensions.is_empty())
    {
        let domain = &tenant.domain;
        let message = match context(switch, domain).await? {
            None => format!("FreeSWITCH has no context {domain}"),
            Some(found) if tenant.feature_codes && !found.contains(FEATURE_CODE) => format!(
                "FreeSWITCH's context {domain} lacks {FEATURE_CODE}: another one of that name may stand before ours"
            ),
            Some(found) if announces(tenant).is_some_and(|sound| !plays(&found, sound)) => format!(
                "FreeSWITCH's context {domain} lacks {NOTICE} with its sound, so calls are recorded of which nobody is told: \
                 another one of that name may stand before ours"
            ),
            Some(_) => continue,
        };
        let finding = Finding::error("context_missing", message).of_tenant(tenant.tenant_id);
        findings.push(finding.about(format!("context {domain}")));
    }
    for cleared in expected.cleared.iter().filter(|cleared| cleared.whole) {
        let domain = &cleared.domain;
        if context(switch, domain).await?.is_some() {
            let message = format!("FreeSWITCH still has the context {domain}");
            let finding = Finding::error("context_left", message).of_tenant(cleared.tenant_id);
            findings.push(finding.about(format!("context {domain}")));
        }
    }
    Ok(findings)
}

/// What the context of a tenant has its recorded calls begin with; nothing on the way back, where what ran before is right.
fn announces(tenant: &PresentTenant) -> Option<&SoundName> {
    let (_, sound) = tenant.notice.played()?;
    tenant.feature_codes.then_some(sound)
}

fn plays(context: &str, sound: &SoundName) -> bool {
    context.contains(NOTICE) && context.contains(&format!("data=\"{sound}.wav\""))
}

async fn context(switch: &Switch, domain: &SipDomain) -> Result<Option<String>, DriverError> {
    let asking = (word("dialplan")?, word("context")?, word(domain.as_str())?);
    let found = switch
        .client()
        .located(&asking.0, &asking.1, &asking.2, ANSWER)
        .await;
    found.map_err(asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_read_however_freeswitch_writes_its_element() {
        for text in [
            "<switchyard name=\"marker\" value=\"sy-1\"/>\n",
            "<?xml version=\"1.0\"?>\n<switchyard value=\"sy-1\" name=\"marker\"></switchyard>",
        ] {
            assert_eq!(value(text), "sy-1");
        }
        for text in [
            "<switchyard name=\"marker\" value=\"\"/>",
            "<switchyard",
            "",
            "<a b=\"c\"/>",
        ] {
            assert_eq!(value(text), "");
        }
    }
}
