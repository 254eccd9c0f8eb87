//! Proof by the running FreeSWITCH: each user as a lookup finds it, compared with what the domain says it is.

use std::collections::BTreeMap;
use std::time::Duration;

use super::switch::{Switch, told};
use super::write::Note;
use crate::domain::artifact::Artifact;
use crate::domain::finding::Finding;
use crate::domain::revision::ExtensionConfig;
use crate::driver::{AbsentExtension, DriverError, Expected, PresentTenant};
use crate::wire::esl::{Attribute, Word};

const ANSWER: Duration = Duration::from_secs(10);

/// Whether the database says of itself what it should.
pub(super) fn markers(note: Option<&Note>, expected: &BTreeMap<Artifact, Option<String>>) -> Vec<Finding> {
    let noted = |file: &Artifact| note.and_then(|note| note.markers.get(file));
    let differs = |(file, marker): &(&Artifact, &Option<String>)| noted(file) != marker.as_ref();
    let finding = |(file, _): (&Artifact, &Option<String>)| {
        let message = match noted(file) {
            Some(marker) => format!("FusionPBX's database has other rows than these for {file}: it notes \"{marker}\""),
            None => format!("FusionPBX's database notes no rows of ours for {file}"),
        };
        Finding::error("marker_missing", message).about(file.as_str())
    };
    expected.iter().filter(differs).map(finding).collect()
}

/// Asks for every user that must be there, and for those that must not.
pub(super) async fn objects(switch: &Switch, expected: &Expected) -> Result<Vec<Finding>, DriverError> {
    let mut findings = Vec::new();
    for tenant in &expected.present {
        for extension in &tenant.extensions {
            findings.extend(present(switch, tenant, extension).await?);
        }
    }
    for absent in &expected.absent {
        findings.extend(absent_user(switch, absent).await?);
    }
    Ok(findings)
}

async fn present(
    switch: &Switch,
    tenant: &PresentTenant,
    extension: &ExtensionConfig,
) -> Result<Option<Finding>, DriverError> {
    let domain = tenant.domain.as_str();
    let about = format!("extension {}@{domain}", extension.number);
    let finding = |code, message| Some(Finding::error(code, message).of_tenant(tenant.tenant_id).about(about.clone()));
    if !exists(switch, extension.number.as_str(), domain).await? {
        let message = format!("FreeSWITCH finds no user {}@{domain}", extension.number);
        return Ok(finding("user_missing", message));
    }
    let mut wanted = vec![
        (Attribute::Var, "user_context", domain.to_owned()),
        (Attribute::Var, "call_timeout", extension.settings.ring_time.seconds().to_string()),
    ];
    if let Some(ha1) = tenant.ha1.get(&extension.id) {
        wanted.push((Attribute::Param, "a1-hash", ha1.expose().to_owned()));
    }
    let mut differ = Vec::new();
    for (kind, name, value) in wanted {
        let found = data(switch, extension.number.as_str(), domain, kind, name).await?;
        if found.as_deref() != Some(value.as_str()) {
            differ.push(match kind {
                // What signs in is in no record.
                Attribute::Param => format!("{name} is another one"),
                Attribute::Attr | Attribute::Var => {
                    format!("{name} is \"{}\" instead of \"{value}\"", found.unwrap_or_default())
                }
            });
        }
    }
    if differ.is_empty() {
        return Ok(None);
    }
    let message = format!(
        "FreeSWITCH serves {}@{domain} otherwise: {}",
        extension.number,
        differ.join("; ")
    );
    Ok(finding("user_differs", message))
}

async fn absent_user(switch: &Switch, absent: &AbsentExtension) -> Result<Option<Finding>, DriverError> {
    let (number, domain) = (absent.number.as_str(), absent.domain.as_str());
    let about = format!("extension {number}@{domain}");
    let finding = |code, message| Some(Finding::error(code, message).of_tenant(absent.tenant_id).about(about));
    if exists(switch, number, domain).await? {
        return Ok(finding("user_left", format!("FreeSWITCH still finds the user {number}@{domain}")));
    }
    let dialled = switch
        .client()
        .dial_string(&word(number)?, &word(domain)?, ANSWER)
        .await
        .map_err(|error| told("a question", error))?;
    let message = format!("a phone is still signed in as {number}@{domain}");
    Ok(dialled.and_then(|_| finding("phone_left", message)))
}

async fn exists(switch: &Switch, number: &str, domain: &str) -> Result<bool, DriverError> {
    switch
        .client()
        .user_exists(&word(number)?, &word(domain)?, ANSWER)
        .await
        .map_err(|error| told("a question", error))
}

async fn data(
    switch: &Switch,
    number: &str,
    domain: &str,
    kind: Attribute,
    name: &str,
) -> Result<Option<String>, DriverError> {
    switch
        .client()
        .user_data(&word(number)?, &word(domain)?, kind, &word(name)?, ANSWER)
        .await
        .map_err(|error| told("a question", error))
}

fn word(text: &str) -> Result<Word, DriverError> {
    Word::new(text).map_err(|error| DriverError::not_applied("a question", error))
}
