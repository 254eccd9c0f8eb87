//! `pjsip.conf`: endpoint, auth and AOR of each extension.

use serde::Serialize;

use super::TenantContext;
use crate::domain::revision::{ExtensionConfig, TenantConfig};
use crate::render::RenderError;
use crate::render::pbx::{Secrets, missing_secret};
use crate::render::template_set::TemplateSet;

const TEMPLATE: &str = "asterisk/pjsip.conf";

#[derive(Serialize)]
struct PjsipContext<'a> {
    tenant: TenantContext<'a>,
    extensions: Vec<Endpoint<'a>>,
}

#[derive(Serialize)]
struct Endpoint<'a> {
    number: &'a str,
    caller_name: &'a str,
    caller_number: &'a str,
    /// Whether it has a mailbox to watch.
    mailbox: bool,
    /// Comma-separated, first choice first.
    codecs: String,
    /// `udp`, `tcp`, `tls` or `websocket`.
    transport: &'static str,
    /// Whether calls from it are recorded.
    record_outbound: bool,
    max_contacts: u8,
    /// What `ha1` is made for: the domain, unless the digest came from another PBX.
    realm: String,
    ha1: String,
}

pub(super) fn tenant(
    templates: &TemplateSet,
    config: &TenantConfig,
    secrets: Secrets<'_>,
) -> Result<String, RenderError> {
    let extensions = config
        .active()
        .map(|extension| endpoint(config, extension, secrets))
        .collect::<Result<_, _>>()?;
    templates.render(
        TEMPLATE,
        &PjsipContext {
            tenant: TenantContext::new(config),
            extensions,
        },
    )
}

fn endpoint<'a>(
    config: &'a TenantConfig,
    extension: &'a ExtensionConfig,
    secrets: Secrets<'_>,
) -> Result<Endpoint<'a>, RenderError> {
    let settings = &extension.settings;
    let (realm, ha1) = match secrets {
        Secrets::Real(secrets) => {
            let own = secrets
                .get(&extension.id)
                .ok_or_else(|| missing_secret(TEMPLATE, extension))?;
            let sign_in = own.sip.sign_in(&extension.number, &config.domain);
            (sign_in.realm.into(), sign_in.ha1.expose().to_owned())
        }
        Secrets::Masked => (config.domain.to_string(), "(hidden)".to_owned()),
    };
    let codecs: Vec<&str> = settings
        .codecs
        .as_slice()
        .iter()
        .map(|codec| codec.as_str())
        .collect();
    Ok(Endpoint {
        number: extension.number.as_str(),
        caller_name: extension.caller_name(),
        caller_number: extension.caller_number(),
        mailbox: settings.voicemail.enabled,
        codecs: codecs.join(","),
        transport: settings.transport.as_str(),
        record_outbound: extension.records_outbound(),
        max_contacts: settings.max_contacts.get(),
        realm,
        ha1,
    })
}
