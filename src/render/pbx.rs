//! What a PBX of any kind is given: a part for each tenant and a common part that ends in the marker, per artifact.

use std::collections::BTreeMap;

use super::template_set::TemplateSet;
use super::{RenderError, asterisk, freeswitch, fusionpbx};
use crate::domain::artifact::Artifact;
use crate::domain::digest::Digest;
use crate::domain::ids::{ExtensionId, TenantId};
use crate::domain::instance::PbxKind;
use crate::domain::revision::{ExtensionConfig, TenantConfig};
use crate::domain::secret::ExtensionSecrets;

/// How the secrets of a tenant come into its texts.
#[derive(Clone, Copy)]
pub enum Secrets<'a> {
    /// For the PBX.
    Real(&'a BTreeMap<ExtensionId, ExtensionSecrets>),
    /// For people: a diff of masked texts shows every change but the secrets themselves.
    Masked,
}

/// The texts of one tenant.
pub type Fragments = BTreeMap<Artifact, String>;

/// Renders all that one tenant adds to the texts of a PBX.
pub fn tenant(
    kind: PbxKind,
    templates: &TemplateSet,
    tenant_id: TenantId,
    config: &TenantConfig,
    secrets: Secrets<'_>,
) -> Result<Fragments, RenderError> {
    match kind {
        PbxKind::Asterisk => asterisk::tenant(templates, config, secrets),
        PbxKind::FusionPbx => fusionpbx::tenant(templates, tenant_id, config, secrets),
        PbxKind::FreeSwitch => freeswitch::tenant(templates, config, secrets),
    }
}

/// The template that passes over whom a tenant tells that a call is recorded, by what it made of it; `None` where none does, or
/// nothing is to be told. What it rests on is in `docs/templates.md`.
pub fn unannounced(
    kind: PbxKind,
    templates: &TemplateSet,
    config: &TenantConfig,
    fragments: &Fragments,
) -> Result<Option<&'static str>, RenderError> {
    let Some((hearers, sound)) = config.notice.played() else {
        return Ok(None);
    };
    if config.active().next().is_none() {
        return Ok(None);
    }
    let text = |file| fragments.get(&file).map_or("", String::as_str);
    match kind {
        PbxKind::Asterisk => asterisk::unannounced(templates, hearers, sound, text(Artifact::Extensions)),
        PbxKind::FreeSwitch => Ok(freeswitch::unannounced(sound, text(Artifact::DialplanXml))),
        // It has no template that records.
        PbxKind::FusionPbx => Ok(None),
    }
}

/// Renders the part of a text that stands behind all tenants, with the marker of that text's contents.
pub fn instance(templates: &TemplateSet, artifact: Artifact, marker: &str) -> Result<String, RenderError> {
    match artifact {
        Artifact::Pjsip => asterisk::instance(templates, asterisk::PJSIP, marker),
        Artifact::Extensions => asterisk::instance(templates, asterisk::EXTENSIONS, marker),
        Artifact::Voicemail => asterisk::instance(templates, asterisk::VOICEMAIL, marker),
        Artifact::ExtensionRows | Artifact::VoicemailRows | Artifact::DialplanRows => {
            fusionpbx::instance(artifact, marker)
        }
        Artifact::DirectoryXml => freeswitch::instance(templates, freeswitch::DIRECTORY_END, marker),
        Artifact::DialplanXml => freeswitch::instance(templates, freeswitch::DIALPLAN_END, marker),
    }
}

/// What stands in front of all tenants, for whoever opens it.
#[must_use]
pub const fn head(artifact: Artifact) -> &'static str {
    match artifact {
        Artifact::Pjsip | Artifact::Extensions | Artifact::Voicemail => asterisk::HEAD,
        Artifact::DirectoryXml | Artifact::DialplanXml => freeswitch::HEAD,
        Artifact::ExtensionRows | Artifact::VoicemailRows | Artifact::DialplanRows => "",
    }
}

/// What stands behind the head where nothing is served. `place`: where that is.
#[must_use]
pub fn nothing(artifact: Artifact, place: &str) -> String {
    match artifact {
        Artifact::Pjsip | Artifact::Extensions | Artifact::Voicemail => {
            format!("{}place=sy-{}\n", asterisk::NOTHING, Digest::of(place).short())
        }
        Artifact::DirectoryXml | Artifact::DialplanXml => freeswitch::NOTHING.to_owned(),
        Artifact::ExtensionRows | Artifact::VoicemailRows | Artifact::DialplanRows => String::new(),
    }
}

/// What tells a running PBX's contents: the digest of all that went into a text.
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
    let mut failed = asterisk::check(templates);
    failed.extend(fusionpbx::check(templates));
    failed.extend(freeswitch::check(templates));
    failed
}

pub(super) fn missing_secret(template: &str, extension: &ExtensionConfig) -> RenderError {
    RenderError::Render {
        template: template.to_owned(),
        reason: format!("extension {} has no secret; rotate it", extension.number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_marker_follows_the_contents_and_their_order() {
        let [a, b] = ["a", "b"].map(Digest::of);
        assert_ne!(marker(a, [a, b]), marker(a, [b, a]));
        assert_ne!(marker(a, [a]), marker(b, [a]));
        assert_eq!(marker(a, [a, b]), marker(a, [a, b]));
    }
}
