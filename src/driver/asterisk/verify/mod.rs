//! Proof by the running Asterisk: its markers and objects, compared with what the domain says they are.

mod dialplan;
mod endpoint;
mod mailbox;

use std::collections::BTreeMap;

use super::included;
use super::log::without_digests;
use super::session::Session;
use crate::domain::artifact::Artifact;
use crate::domain::finding::Finding;
use crate::domain::instance::AbsolutePath;
use crate::driver::{DriverError, Expected};

/// Asks for everything that is expected; empty when all of it was seen.
pub async fn verify(
    session: &Session,
    config_dir: &AbsolutePath,
    expected: &Expected,
) -> Result<Vec<Finding>, DriverError> {
    let mut findings = Vec::new();
    for (file, marker) in &expected.markers {
        findings.extend(marker_finding(session, config_dir, *file, marker.as_deref()).await?);
    }
    for tenant in &expected.present {
        findings.extend(dialplan::present(session, tenant).await?);
        for extension in &tenant.extensions {
            findings.extend(endpoint::present(session, tenant, extension).await?);
            findings.extend(mailbox::present(session, tenant, extension).await?);
        }
    }
    for absent in &expected.absent {
        findings.extend(endpoint::absent(session, absent).await?);
        findings.extend(mailbox::absent(session, absent).await?);
    }
    findings.extend(dialplan::absent(session, &expected.absent).await?);
    for cleared in &expected.cleared {
        findings.extend(dialplan::cleared(session, cleared).await?);
    }
    Ok(findings)
}

/// The marker of a file as the running Asterisk shows it; empty where it has read none.
pub async fn shown_marker(session: &Session, file: Artifact) -> Result<String, DriverError> {
    match file {
        Artifact::Pjsip => {
            session
                .variable("PJSIP_AOR(switchyard-marker,voicemail_extension)")
                .await
        }
        Artifact::Extensions => dialplan::marker(session).await,
        Artifact::Voicemail => mailbox::marker(session).await,
        Artifact::ExtensionRows
        | Artifact::VoicemailRows
        | Artifact::DialplanRows
        | Artifact::DirectoryXml
        | Artifact::DialplanXml => Ok(String::new()),
    }
}

/// The files of which the running Asterisk shows another marker.
pub async fn unread(
    session: &Session,
    markers: &BTreeMap<Artifact, Option<String>>,
) -> Result<Vec<Artifact>, DriverError> {
    let mut unread = Vec::new();
    for (file, expected) in markers {
        if shown_marker(session, *file).await? != expected.as_deref().unwrap_or_default() {
            unread.push(*file);
        }
    }
    Ok(unread)
}

async fn marker_finding(
    session: &Session,
    config_dir: &AbsolutePath,
    file: Artifact,
    expected: Option<&str>,
) -> Result<Option<Finding>, DriverError> {
    let found = shown_marker(session, file).await?;
    let finding = match expected {
        Some(marker) if found != marker => Some(
            Finding::error(
                "marker_missing",
                format!(
                    "Asterisk has not read {file} to its end: it shows the marker \"{found}\" instead of \"{marker}\". It reads no \
                     further than a syntax error, or nothing of such a file, and none that its own {file} does not lead to. {}",
                    included::mend(config_dir, file)
                ),
            )
            .about(file.as_str()),
        ),
        None if !found.is_empty() => Some(
            Finding::error("marker_unexpected", format!("Asterisk still serves {file} with the marker \"{found}\""))
                .about(file.as_str()),
        ),
        _ => None,
    };
    Ok(finding)
}

/// One value of an object that the PBX showed otherwise than expected.
#[derive(Debug)]
struct Difference {
    field: &'static str,
    expected: String,
    found: String,
}

/// Compares shown values with expected ones.
fn differences(shown: &BTreeMap<String, String>, expected: &[(&'static str, String)]) -> Vec<Difference> {
    expected
        .iter()
        .filter_map(|(field, expected)| {
            let found = shown.get(&field.to_ascii_lowercase()).map_or("", String::as_str);
            (found != expected).then(|| Difference {
                field,
                expected: expected.clone(),
                found: found.to_owned(),
            })
        })
        .collect()
}

fn described(differences: &[Difference]) -> String {
    let parts: Vec<String> = differences
        .iter()
        .map(|d| {
            let found = without_digests(&d.found);
            format!("{} is \"{found}\" instead of \"{}\"", d.field, d.expected)
        })
        .collect();
    parts.join("; ")
}
