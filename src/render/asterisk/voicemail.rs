//! `voicemail.conf`: the tenant's mailboxes in a voicemail context of its own.

use serde::Serialize;

use super::TenantContext;
use crate::domain::revision::{ExtensionConfig, TenantConfig};
use crate::render::RenderError;
use crate::render::pbx::{Secrets, missing_secret};
use crate::render::template_set::TemplateSet;

const TEMPLATE: &str = "asterisk/voicemail.conf";

#[derive(Serialize)]
struct VoicemailContext<'a> {
    tenant: TenantContext<'a>,
    mailboxes: Vec<Mailbox<'a>>,
}

#[derive(Serialize)]
struct Mailbox<'a> {
    number: &'a str,
    name: &'a str,
    /// Address or empty.
    email: &'a str,
    pin: String,
}

pub(super) fn tenant(
    templates: &TemplateSet,
    config: &TenantConfig,
    secrets: Secrets<'_>,
) -> Result<String, RenderError> {
    let mailboxes = config
        .active()
        .filter(|extension| extension.settings.voicemail.enabled)
        .map(|extension| mailbox(extension, secrets))
        .collect::<Result<_, _>>()?;
    templates.render(
        TEMPLATE,
        &VoicemailContext {
            tenant: TenantContext::new(config),
            mailboxes,
        },
    )
}

fn mailbox<'a>(extension: &'a ExtensionConfig, secrets: Secrets<'_>) -> Result<Mailbox<'a>, RenderError> {
    let pin = match secrets {
        Secrets::Real(secrets) => secrets
            .get(&extension.id)
            .ok_or_else(|| missing_secret(TEMPLATE, extension))?
            .pin
            .expose()
            .to_owned(),
        Secrets::Masked => "(hidden)".to_owned(),
    };
    Ok(Mailbox {
        number: extension.number.as_str(),
        name: extension.settings.name.as_str(),
        email: extension
            .settings
            .voicemail
            .email
            .as_ref()
            .map_or("", AsRef::as_ref),
        pin,
    })
}
