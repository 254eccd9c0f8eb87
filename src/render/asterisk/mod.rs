//! Asterisk's files: a part for each tenant and a common part that ends in the marker, per file.

mod dialplan;
mod pjsip;
mod sample;
mod voicemail;

use std::collections::BTreeMap;

use serde::Serialize;

use super::RenderError;
use super::template_set::TemplateSet;
use crate::domain::artifact::ConfFile;
use crate::domain::digest::Digest;
use crate::domain::ids::ExtensionId;
use crate::domain::revision::{ExtensionConfig, TenantConfig};
use crate::domain::secret::ExtensionSecrets;
use crate::domain::sip_domain::SipDomain;

pub use sample::samples;

/// How the secrets of a tenant come into its files.
#[derive(Clone, Copy)]
pub enum Secrets<'a> {
    /// For the PBX.
    Real(&'a BTreeMap<ExtensionId, ExtensionSecrets>),
    /// For people: a diff of masked texts shows every change but the secrets themselves.
    Masked,
}

/// The texts of one tenant.
pub type Fragments = BTreeMap<ConfFile, String>;

/// Renders all that one tenant adds to the files.
pub fn tenant(
    templates: &TemplateSet,
    config: &TenantConfig,
    secrets: Secrets<'_>,
) -> Result<Fragments, RenderError> {
    Ok(BTreeMap::from([
        (ConfFile::Pjsip, pjsip::tenant(templates, config, secrets)?),
        (ConfFile::Extensions, dialplan::tenant(templates, config)?),
        (
            ConfFile::Voicemail,
            voicemail::tenant(templates, config, secrets)?,
        ),
    ]))
}

/// Renders the part of a file that stands behind all tenants, with the marker of that file's contents.
pub fn instance(templates: &TemplateSet, file: ConfFile, marker: &str) -> Result<String, RenderError> {
    let name = match file {
        ConfFile::Pjsip => "asterisk/pjsip-instance.conf",
        ConfFile::Extensions => "asterisk/extensions-instance.conf",
        ConfFile::Voicemail => "asterisk/voicemail-instance.conf",
    };
    templates.render(name, &InstanceContext { marker })
}

/// What tells a running module's contents: the digest of all that went into its file.
#[must_use]
pub fn marker(templates: Digest, fragments: impl IntoIterator<Item = Digest>) -> String {
    let mut digests = vec![templates];
    digests.extend(fragments);
    let digest = Digest::of_parts(digests.iter().map(|digest| digest.as_bytes().as_slice()));
    format!("sy-{}", digest.short())
}

/// Renders every template with every sample; what `templates check` and the tests run. Gives each template's first error.
#[must_use]
pub fn check(templates: &TemplateSet) -> Vec<RenderError> {
    let mut failed = BTreeMap::new();
    let mut keep = |name: &'static str, rendered: Result<String, RenderError>| {
        if let Err(error) = rendered {
            failed.entry(name).or_insert(error);
        }
    };
    for sample in samples() {
        let config = &sample.config;
        for secrets in [Secrets::Real(&sample.secrets), Secrets::Masked] {
            keep("pjsip", pjsip::tenant(templates, config, secrets));
            keep("extensions", dialplan::tenant(templates, config));
            keep("voicemail", voicemail::tenant(templates, config, secrets));
        }
    }
    for file in ConfFile::ALL {
        keep(file.as_str(), instance(templates, *file, "sy-0123456789abcdef"));
    }
    failed.into_values().collect()
}

#[derive(Serialize)]
struct InstanceContext<'a> {
    marker: &'a str,
}

#[derive(Serialize)]
struct TenantContext<'a> {
    name: &'a str,
    domain: &'a str,
    timezone: &'a str,
    /// Domains that it had before and that its phones may still sign in at.
    aliases: Vec<&'a str>,
}

impl<'a> TenantContext<'a> {
    fn new(config: &'a TenantConfig) -> Self {
        Self {
            name: config.name.as_str(),
            domain: config.domain.as_str(),
            timezone: config.timezone.as_str(),
            aliases: config.aliases.iter().map(SipDomain::as_str).collect(),
        }
    }
}

fn missing_secret(template: &str, extension: &ExtensionConfig) -> RenderError {
    RenderError::Render {
        template: template.to_owned(),
        reason: format!("extension {} has no secret; rotate it", extension.number),
    }
}

#[cfg(test)]
mod tests;
