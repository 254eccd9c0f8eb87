//! FreeSWITCH's XML: a part for each tenant and a common part that ends in the marker, per file.

use std::collections::BTreeMap;

use serde::Serialize;

use super::RenderError;
use super::pbx::{Fragments, Secrets, missing_secret};
use super::sample::samples;
use super::switch::{codecs, mail_to, toll_allow};
use super::template_set::TemplateSet;
use crate::domain::artifact::Artifact;
use crate::domain::plain_name::plain;
use crate::domain::recording_notice::SoundName;
use crate::domain::revision::{ExtensionConfig, TenantConfig};

/// What stands at the head of each file, for whoever opens it.
pub(super) const HEAD: &str = "<!-- Written by switchyard. Changes made here are lost with the next deploy; make them in the \
                               dashboard, or in a template. -->\n";

/// Nothing to FreeSWITCH, but an element that it can be asked for: whether its own files lead here.
pub(super) const NOTHING: &str = "<!-- Nothing is served. -->\n<switchyard name=\"marker\" value=\"\"/>\n";

const DIRECTORY: &str = "freeswitch/directory.xml";
const DIALPLAN: &str = "freeswitch/dialplan.xml";
/// Behind all tenants of `directory.xml`.
pub(super) const DIRECTORY_END: &str = "freeswitch/directory-instance.xml";
/// Behind all tenants of `dialplan.xml`.
pub(super) const DIALPLAN_END: &str = "freeswitch/dialplan-instance.xml";

/// The extension that begins the recording of an announced call, which the proof asks for too.
const PLAYED: &str = "name=\"switchyard-notice-played\"";

/// What is shown in place of a secret.
const HIDDEN: &str = "(hidden)";

/// Renders all that one tenant adds to the files: nothing where nobody is served.
pub(super) fn tenant(
    templates: &TemplateSet,
    config: &TenantConfig,
    secrets: Secrets<'_>,
) -> Result<Fragments, RenderError> {
    let extensions = config
        .active()
        .map(|extension| user(config, extension, secrets))
        .collect::<Result<Vec<_>, _>>()?;
    let (mut directory, mut dialplan) = (String::new(), String::new());
    if !extensions.is_empty() {
        let context = Context {
            tenant: Tenant {
                domain: config.domain.as_str(),
                timezone: config.timezone.as_str(),
            },
            notice: config.notice.played().map(|(hearers, sound)| Notice {
                hearers: hearers.as_str(),
                sound: sound.as_str(),
            }),
            extensions,
        };
        directory = templates.render(DIRECTORY, &context)?;
        dialplan = templates.render(DIALPLAN, &context)?;
    }
    Ok(BTreeMap::from([
        (Artifact::DirectoryXml, directory),
        (Artifact::DialplanXml, dialplan),
    ]))
}

/// The template that passes over what a recorded call begins with. `text`: what `dialplan.xml` made of the tenant.
pub(super) fn unannounced(sound: &SoundName, text: &str) -> Option<&'static str> {
    let plays = text.contains(PLAYED) && text.contains(&format!("data=\"{sound}.wav\""));
    (!plays).then_some(DIALPLAN)
}

/// Renders the part behind all tenants, with the marker of the file's contents.
pub(super) fn instance(templates: &TemplateSet, name: &str, marker: &str) -> Result<String, RenderError> {
    templates.render(name, &InstanceContext { marker })
}

/// Renders every template with every sample. Gives the first error.
pub(super) fn check(templates: &TemplateSet) -> Option<RenderError> {
    let tenants = samples().into_iter().find_map(|sample| {
        let real = Secrets::Real(&sample.secrets);
        let mut rendered = [real, Secrets::Masked].map(|secrets| tenant(templates, &sample.config, secrets));
        rendered
            .iter_mut()
            .find_map(|rendered| std::mem::replace(rendered, Ok(Fragments::new())).err())
    });
    let mut ends = [DIRECTORY_END, DIALPLAN_END].into_iter();
    tenants.or_else(|| ends.find_map(|name| instance(templates, name, "sy-0123456789abcdef").err()))
}

#[derive(Serialize)]
struct InstanceContext<'a> {
    marker: &'a str,
}

#[derive(Serialize)]
struct Context<'a> {
    tenant: Tenant<'a>,
    /// What a recorded call begins with, where it does.
    notice: Option<Notice<'a>>,
    extensions: Vec<User<'a>>,
}

#[derive(Serialize)]
struct Tenant<'a> {
    domain: &'a str,
    timezone: &'a str,
}

#[derive(Serialize)]
struct Notice<'a> {
    /// `inbound` or `all`.
    hearers: &'static str,
    sound: &'a str,
}

#[derive(Serialize)]
struct User<'a> {
    number: &'a str,
    ha1: String,
    /// Without what would mean something to XML or to FreeSWITCH's variables.
    caller_name: String,
    caller_number: &'a str,
    /// Whether it has a mailbox.
    mailbox: bool,
    pin: &'a str,
    /// Empty where no message is sent by mail.
    email: &'a str,
    max_contacts: u8,
    /// Comma-separated, first choice first, by FreeSWITCH's names.
    codecs: String,
    /// The classes of numbers that may be called, for the operator's own outbound routes.
    toll_allow: &'static str,
    /// Seconds.
    ring_time: u16,
    /// Number or empty.
    forward_always: &'a str,
    /// Number or empty.
    forward_busy: &'a str,
    /// Number or empty.
    forward_no_answer: &'a str,
    record_inbound: bool,
    record_outbound: bool,
}

fn user<'a>(
    config: &'a TenantConfig,
    extension: &'a ExtensionConfig,
    secrets: Secrets<'a>,
) -> Result<User<'a>, RenderError> {
    let (ha1, pin) = match secrets {
        Secrets::Real(all) => {
            let own = all
                .get(&extension.id)
                .ok_or_else(|| missing_secret(DIRECTORY, extension))?;
            let ha1 = own.sip.ha1(&extension.number, &config.domain);
            (ha1.expose().to_owned(), own.pin.expose())
        }
        Secrets::Masked => (HIDDEN.to_owned(), HIDDEN),
    };
    let settings = &extension.settings;
    let forward = &settings.forward;
    Ok(User {
        number: extension.number.as_str(),
        ha1,
        caller_name: plain(extension.caller_name()),
        caller_number: extension.caller_number(),
        mailbox: settings.voicemail.enabled,
        pin,
        email: mail_to(&settings.voicemail).map_or("", |email| email.as_str()),
        max_contacts: settings.max_contacts.get(),
        codecs: codecs(settings.codecs.as_slice()),
        toll_allow: toll_allow(settings.outbound_class),
        ring_time: settings.ring_time.seconds(),
        forward_always: forward.always.as_ref().map_or("", AsRef::as_ref),
        forward_busy: forward.busy.as_ref().map_or("", AsRef::as_ref),
        forward_no_answer: forward.no_answer.as_ref().map_or("", AsRef::as_ref),
        record_inbound: extension.records_inbound(),
        record_outbound: extension.records_outbound(),
    })
}

#[cfg(test)]
mod tests;
