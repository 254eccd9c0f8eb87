//! The rows of one tenant: its domain, and of each extension what FreeSWITCH's directory and voicemail are made of.

use uuid::Uuid;

use crate::domain::dial::DialNumber;
use crate::domain::extension::Recording;
use crate::domain::fusionpbx_row::{FusionColumn, FusionRow, FusionTable, FusionValue, id_of};
use crate::domain::ids::TenantId;
use crate::domain::plain_name::plain;
use crate::domain::revision::{ExtensionConfig, TenantConfig};
use crate::domain::secret::ExtensionSecrets;
use crate::render::switch::{codecs, mail_to, toll_allow};

use FusionValue::{Flag, Null, Number, Text};

/// What stands in place of a secret for people.
const HIDDEN: &str = "(hidden)";

fn row<const N: usize>(table: FusionTable, id: Uuid, values: [(&'static str, FusionValue); N]) -> FusionRow {
    let values = values
        .into_iter()
        .map(|(name, value)| (FusionColumn::of(name), value));
    FusionRow {
        table,
        id,
        values: values.collect(),
    }
}

fn text<T: ToString + ?Sized>(text: &T) -> FusionValue {
    Text(text.to_string())
}

/// The tenant's domain, which has the tenant's own id.
pub(super) fn domain(tenant_id: TenantId, config: &TenantConfig) -> FusionRow {
    row(
        FusionTable::Domains,
        tenant_id.uuid(),
        [
            ("domain_name", text(&config.domain)),
            ("domain_enabled", Flag(true)),
            ("domain_description", Text(plain(config.name.as_str()))),
        ],
    )
}

/// What one extension is made of. Without secrets, for people. One that is not served has the same rows, switched off: what
/// others wrote into them stays until it is served again.
pub(super) fn extension(
    tenant_id: TenantId,
    config: &TenantConfig,
    extension: &ExtensionConfig,
    secrets: Option<&ExtensionSecrets>,
) -> Vec<FusionRow> {
    let ha1 = secrets.map_or_else(
        || HIDDEN.to_owned(),
        |secrets| {
            secrets
                .sip
                .ha1(&extension.number, &config.domain)
                .expose()
                .to_owned()
        },
    );
    let pin = secrets.map_or(HIDDEN, |secrets| secrets.pin.expose());
    vec![
        user(tenant_id, config, extension),
        row(
            FusionTable::ExtensionSettings,
            id_of(extension.id.uuid(), "a1-hash"),
            [
                ("domain_uuid", text(&tenant_id)),
                ("extension_uuid", text(&extension.id)),
                ("extension_setting_type", text("param")),
                ("extension_setting_name", text("a1-hash")),
                ("extension_setting_value", Text(ha1)),
                ("extension_setting_enabled", Flag(true)),
            ],
        ),
        mailbox(tenant_id, extension, pin),
    ]
}

/// The password stays empty: with an `a1-hash` beside it nobody signs in with an empty one (measured).
fn user(tenant_id: TenantId, config: &TenantConfig, extension: &ExtensionConfig) -> FusionRow {
    let settings = &extension.settings;
    let forward = &settings.forward;
    let name = plain(settings.name.as_str());
    let [always, busy, no_answer] = [&forward.always, &forward.busy, &forward.no_answer].map(Option::as_ref);
    row(
        FusionTable::Extensions,
        extension.id.uuid(),
        [
            ("domain_uuid", text(&tenant_id)),
            ("extension", text(&extension.number)),
            // Under which it would be looked up, and its mailbox.
            ("number_alias", Null),
            ("password", text("")),
            ("accountcode", text(&config.domain)),
            ("user_context", text(&config.domain)),
            ("enabled", Flag(extension.is_active())),
            ("effective_caller_id_name", Text(plain(extension.caller_name()))),
            ("effective_caller_id_number", text(&extension.number)),
            ("outbound_caller_id_name", Text(plain(extension.caller_name()))),
            ("outbound_caller_id_number", text(extension.caller_number())),
            ("directory_first_name", Text(name.clone())),
            ("directory_visible", Flag(true)),
            ("directory_exten_visible", Flag(true)),
            ("max_registrations", text(&settings.max_contacts.get())),
            ("limit_max", text("5")),
            ("limit_destination", text("!USER_BUSY")),
            ("toll_allow", text(toll_allow(settings.outbound_class))),
            ("call_timeout", Number(settings.ring_time.seconds().into())),
            ("user_record", user_record(settings.recording)),
            ("absolute_codec_string", Text(codecs(settings.codecs.as_slice()))),
            ("forward_all_destination", destination(always)),
            ("forward_all_enabled", Flag(always.is_some())),
            ("forward_busy_destination", destination(busy)),
            ("forward_busy_enabled", Flag(busy.is_some())),
            ("forward_no_answer_destination", destination(no_answer)),
            ("forward_no_answer_enabled", Flag(no_answer.is_some())),
            ("forward_user_not_registered_destination", destination(no_answer)),
            ("forward_user_not_registered_enabled", Flag(no_answer.is_some())),
            ("description", Text(name)),
        ],
    )
}

fn mailbox(tenant_id: TenantId, extension: &ExtensionConfig, pin: &str) -> FusionRow {
    let voicemail = &extension.settings.voicemail;
    row(
        FusionTable::Voicemails,
        id_of(extension.id.uuid(), "voicemail"),
        [
            ("domain_uuid", text(&tenant_id)),
            ("voicemail_id", text(&extension.number)),
            ("voicemail_password", text(pin)),
            ("voicemail_mail_to", mail_to(voicemail).map_or(Null, text)),
            ("voicemail_file", text("attach")),
            ("voicemail_local_after_email", Flag(true)),
            ("voicemail_tutorial", Flag(false)),
            (
                "voicemail_enabled",
                Flag(extension.is_active() && voicemail.enabled),
            ),
            (
                "voicemail_description",
                Text(plain(extension.settings.name.as_str())),
            ),
        ],
    )
}

/// What the tenant's callers can dial beside what FusionPBX has for every domain.
pub(super) fn dialplan(tenant_id: TenantId, config: &TenantConfig, id: Uuid, xml: String) -> FusionRow {
    row(
        FusionTable::Dialplans,
        id,
        [
            ("domain_uuid", text(&tenant_id)),
            ("app_uuid", text(&id)),
            ("dialplan_context", text(&config.domain)),
            ("dialplan_name", text("switchyard")),
            ("dialplan_continue", Flag(false)),
            ("dialplan_xml", Text(xml)),
            ("dialplan_order", Number(250)),
            ("dialplan_enabled", Flag(config.active().next().is_some())),
            ("dialplan_description", text("what every tenant can dial")),
        ],
    )
}

fn destination(number: Option<&DialNumber>) -> FusionValue {
    number.map_or(Null, text)
}

fn user_record(recording: Recording) -> FusionValue {
    match recording {
        Recording::Never => Null,
        Recording::Inbound => text("inbound"),
        Recording::Outbound => text("outbound"),
        Recording::Always => text("all"),
    }
}
