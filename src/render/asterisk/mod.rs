//! Asterisk's files: a part for each tenant and a common part that ends in the marker, per file.

mod dialplan;
mod pjsip;
mod voicemail;

use std::collections::BTreeMap;

use serde::Serialize;

use self::dialplan::Announces;
use super::RenderError;
use super::pbx::{Fragments, Secrets};
use super::sample::samples;
use super::template_set::TemplateSet;
use crate::domain::artifact::Artifact;
use crate::domain::recording_notice::{NoticeFor, SoundName};
use crate::domain::revision::TenantConfig;
use crate::domain::sip_domain::SipDomain;

/// What stands at the head of each file, for whoever opens it.
pub(super) const HEAD: &str = "; Written by switchyard. Changes made here are lost with the next deploy; make them in the \
                               dashboard, or in a template.\n\n";

/// No object to the PBX, but a section that it can be asked for: whether its own files lead here. Where that is stands behind
/// it.
pub(super) const NOTHING: &str = "; Nothing is served.\n[switchyard-marker](!)\n";

/// Renders all that one tenant adds to the files.
pub fn tenant(
    templates: &TemplateSet,
    config: &TenantConfig,
    secrets: Secrets<'_>,
) -> Result<Fragments, RenderError> {
    Ok(BTreeMap::from([
        (Artifact::Pjsip, pjsip::tenant(templates, config, secrets)?),
        (Artifact::Extensions, dialplan::tenant(templates, config)?),
        (
            Artifact::Voicemail,
            voicemail::tenant(templates, config, secrets)?,
        ),
    ]))
}

/// Behind all tenants of `pjsip.conf`.
pub(super) const PJSIP: &str = "asterisk/pjsip-instance.conf";
/// Behind all tenants of `extensions.conf`.
pub(super) const EXTENSIONS: &str = "asterisk/extensions-instance.conf";
/// Behind all tenants of `voicemail.conf`.
pub(super) const VOICEMAIL: &str = "asterisk/voicemail-instance.conf";

/// Renders one of these, with the marker of the file's contents.
pub(super) fn instance(templates: &TemplateSet, name: &str, marker: &str) -> Result<String, RenderError> {
    templates.render(name, &InstanceContext { marker })
}

/// The template that passes over what a recorded call begins with. `text`: what `extensions.conf` made of the tenant.
pub(super) fn unannounced(
    templates: &TemplateSet,
    hearers: NoticeFor,
    sound: &SoundName,
    text: &str,
) -> Result<Option<&'static str>, RenderError> {
    Ok(match dialplan::announces(hearers, sound, text) {
        Announces::Not => Some(dialplan::TEMPLATE),
        Announces::BySubroutine if !dialplan::plays(&instance(templates, EXTENSIONS, "")?) => {
            Some(EXTENSIONS)
        }
        Announces::BySubroutine | Announces::Itself => None,
    })
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
    for name in [PJSIP, EXTENSIONS, VOICEMAIL] {
        keep(name, instance(templates, name, "sy-0123456789abcdef"));
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

#[cfg(test)]
mod tests;
