//! One row of FusionPBX's `v_extensions` as an extension of ours.

use std::ops::RangeInclusive;

use secrecy::SecretString;
use uuid::Uuid;

use super::columns::{Columns, exact, flag, number_of, text};
use crate::domain::extension_input::{CallerIdInput, ExtensionInput, ForwardInput, VoicemailInput};
use crate::domain::found::{FoundExtension, FoundSecret, tidy_name};

/// The most phones that an extension of ours may have.
const MOST_CONTACTS: i64 = 10;
/// The seconds that a phone of ours may ring.
const RING_TIMES: RangeInclusive<i64> = 5..=300;

/// One row of `v_extensions`, with its own settings and its mailbox.
pub fn extension(
    id: Uuid,
    domain: &str,
    row: &Columns,
    settings: &[(Uuid, Columns)],
    mailbox: Option<&Columns>,
) -> FoundExtension {
    let mut notes = Vec::new();
    let number = text(row, "extension").unwrap_or_default();
    let listed = ["directory_first_name", "directory_last_name"].map(|column| text(row, column));
    let listed = listed.into_iter().flatten().collect::<Vec<_>>().join(" ");
    let listed = Some(listed).filter(|name| !name.is_empty());
    let known = text(row, "effective_caller_id_name").map(str::to_owned);
    let known = known.or(listed).unwrap_or_else(|| number.to_owned());
    let (name, changed) = tidy_name(&known);
    if changed {
        notes.push(format!("its name becomes {name:?}"));
    }
    lost(row, settings, &mut notes);
    let is_forbidden = is_forbidden(settings);
    if is_forbidden {
        notes.push("it may not sign in there (sip-forbid-register): it comes disabled".to_owned());
    }
    let [always, busy, no_answer] = FORWARDS;
    let outbound = |column, same: &str| {
        let shown = text(row, column).filter(|shown| *shown != same);
        shown.map(str::to_owned)
    };
    FoundExtension {
        place: id.to_string(),
        input: ExtensionInput {
            number: Some(number.to_owned()),
            status: (is_forbidden || !flag(row, "enabled")).then(|| "disabled".to_owned()),
            caller_id: Some(CallerIdInput {
                name: outbound("outbound_caller_id_name", &name),
                number: outbound("outbound_caller_id_number", number),
            }),
            name: Some(if name.is_empty() { number.to_owned() } else { name }),
            voicemail: mailbox.map(|mailbox| voicemail(mailbox, &mut notes)),
            forward: Some(ForwardInput {
                always: destination(row, always),
                busy: destination(row, busy),
                no_answer: destination(row, no_answer),
            }),
            ring_time: ring_time(row, &mut notes),
            recording: recording(row, &mut notes),
            max_contacts: max_contacts(row, &mut notes),
            codecs: codecs(row, &mut notes),
            outbound_class: Some(outbound_class(row).to_owned()),
            ..ExtensionInput::default()
        },
        secret: secret(domain, row, settings),
        pin: mailbox
            .and_then(|mailbox| exact(mailbox, "voicemail_password"))
            .map(|pin| SecretString::from(pin.to_owned())),
        notes,
    }
}

/// Columns whose value is lost, and what that means.
const LOST: [(&str, &str); 10] = [
    ("number_alias", "it is no longer reached by its alias"),
    ("call_group", "its call group is not kept"),
    ("hold_music", "its music on hold is not kept"),
    ("cidr", "the addresses that it may sign in from are not kept"),
    ("auth_acl", "the addresses that it may sign in from are not kept"),
    (
        "emergency_caller_id_name",
        "what emergency calls show is not kept",
    ),
    (
        "emergency_caller_id_number",
        "what emergency calls show is not kept",
    ),
    ("missed_call_app", "nobody is told of its missed calls"),
    (
        "mwi_account",
        "the mailbox whose messages its phones show is not kept",
    ),
    ("sip_bypass_media", "which way its media take is not kept"),
];
/// The same of what is switched on.
const OFF: [(&str, &str); 4] = [
    ("do_not_disturb", "do not disturb is off here"),
    ("follow_me_enabled", "follow me is not kept"),
    ("call_screen_enabled", "its callers are not asked for their name"),
    (
        "forward_user_not_registered_enabled",
        "where calls go while no phone is signed in is not kept",
    ),
];

const DIAL_STRING: &str = "dial_string";
const FORWARDS: [&str; 3] = ["forward_all", "forward_busy", "forward_no_answer"];

/// Notes what has no counterpart here.
fn lost(row: &Columns, settings: &[(Uuid, Columns)], notes: &mut Vec<String>) {
    for (column, lost) in LOST {
        if let Some(value) = text(row, column) {
            notes.push(format!("{lost} ({column}: {value:?})"));
        }
    }
    // It is where a password of another PBX stands.
    if text(row, DIAL_STRING).is_some() {
        notes.push(format!(
            "its own way of being dialled is not kept ({DIAL_STRING})"
        ));
    }
    for kind in FORWARDS {
        let destination = text(row, &format!("{kind}_destination"));
        if let Some(number) = destination.filter(|_| !flag(row, &format!("{kind}_enabled"))) {
            notes.push(format!(
                "a forward that is switched off is not kept ({kind}: {number:?})"
            ));
        }
    }
    let on = OFF.iter().filter(|(column, _)| flag(row, column));
    notes.extend(on.map(|(column, off)| format!("{off} ({column})")));
    let others = settings
        .iter()
        .map(|(_, setting)| setting)
        .filter(|setting| is_on(setting));
    let others: Vec<String> = others
        .filter_map(|setting| {
            Some((
                text(setting, "extension_setting_type")?,
                text(setting, "extension_setting_name")?,
            ))
        })
        .filter(|setting| ![DIGEST, FORBIDDEN].contains(setting))
        .map(|(kind, name)| format!("{kind} {name}"))
        .collect();
    if !others.is_empty() {
        notes.push(format!("settings of its own are not kept: {}", others.join(", ")));
    }
}

/// The setting with a digest of its password.
const DIGEST: (&str, &str) = ("param", "a1-hash");
/// The one that keeps its phones from signing in.
const FORBIDDEN: (&str, &str) = ("param", "sip-forbid-register");

fn is_on(setting: &Columns) -> bool {
    flag(setting, "extension_setting_enabled")
}

/// What is set, if it is switched on.
fn setting<'a>(settings: &'a [(Uuid, Columns)], (kind, name): (&str, &str)) -> Option<&'a str> {
    let is = |setting: &&Columns| {
        text(setting, "extension_setting_type") == Some(kind)
            && text(setting, "extension_setting_name") == Some(name)
            && is_on(setting)
    };
    let found = settings.iter().map(|(_, setting)| setting).find(is)?;
    text(found, "extension_setting_value")
}

fn is_forbidden(settings: &[(Uuid, Columns)]) -> bool {
    setting(settings, FORBIDDEN).is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

/// A digest wins over a password, as it does at FreeSWITCH.
fn secret(domain: &str, row: &Columns, settings: &[(Uuid, Columns)]) -> FoundSecret {
    match (setting(settings, DIGEST), exact(row, "password")) {
        (Some(ha1), _) => FoundSecret::Digest {
            realm: domain.to_owned(),
            ha1: ha1.to_owned().into(),
        },
        (None, Some(password)) => FoundSecret::Password(password.to_owned().into()),
        (None, None) => FoundSecret::None("it has neither a password nor an a1-hash".to_owned()),
    }
}

fn voicemail(mailbox: &Columns, notes: &mut Vec<String>) -> VoicemailInput {
    let all = text(mailbox, "voicemail_mail_to").unwrap_or_default();
    let mut emails = all.split([',', ';']).map(str::trim);
    let email = emails.next().filter(|email| !email.is_empty());
    if emails.next().is_some() {
        notes.push("notices of its mailbox go to the first e-mail address alone".to_owned());
    }
    let kept = mailbox
        .get("voicemail_local_after_email")
        .map(|_| flag(mailbox, "voicemail_local_after_email"));
    if email.is_some() && kept == Some(false) {
        notes.push(
            "messages stay in its mailbox after their notice was sent (voicemail_local_after_email)"
                .to_owned(),
        );
    }
    let attached = text(mailbox, "voicemail_file");
    if let Some(other) = attached.filter(|file| email.is_some() && *file != "attach") {
        notes.push(format!(
            "messages are attached to notices (voicemail_file: {other:?})"
        ));
    }
    if let Some(sms) = text(mailbox, "voicemail_sms_to") {
        notes.push(format!(
            "no notice goes by text message (voicemail_sms_to: {sms:?})"
        ));
    }
    VoicemailInput {
        enabled: Some(flag(mailbox, "voicemail_enabled")),
        pin: None,
        email: email.map(str::to_owned),
    }
}

fn destination(row: &Columns, kind: &str) -> Option<String> {
    let destination = text(row, &format!("{kind}_destination"))?;
    flag(row, &format!("{kind}_enabled")).then(|| destination.to_owned())
}

fn recording(row: &Columns, notes: &mut Vec<String>) -> Option<String> {
    let word = match text(row, "user_record")? {
        "all" => "always",
        "inbound" => "inbound",
        "outbound" => "outbound",
        other => {
            notes.push(format!(
                "what is recorded ({other:?}) has no counterpart here: nothing is"
            ));
            return None;
        }
    };
    Some(word.to_owned())
}

fn max_contacts(row: &Columns, notes: &mut Vec<String>) -> Option<i64> {
    let count = number_of(row, "max_registrations")?;
    if !(1..=MOST_CONTACTS).contains(&count) {
        notes.push(format!(
            "max_registrations {count} becomes one of 1 to {MOST_CONTACTS}"
        ));
    }
    Some(count.clamp(1, MOST_CONTACTS))
}

fn ring_time(row: &Columns, notes: &mut Vec<String>) -> Option<i64> {
    let seconds = number_of(row, "call_timeout")?;
    if !RING_TIMES.contains(&seconds) {
        notes.push(format!("call_timeout {seconds} becomes one of 5 to 300"));
    }
    Some(seconds.clamp(*RING_TIMES.start(), *RING_TIMES.end()))
}

/// By the names that FreeSWITCH gives them; a rate or a frame length behind one is not kept.
fn codecs(row: &Columns, notes: &mut Vec<String>) -> Option<Vec<String>> {
    let listed = text(row, "absolute_codec_string")?
        .trim_start_matches('^')
        .trim_start_matches(':');
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for word in listed.split([',', ':']) {
        let name = word.split('@').next().unwrap_or_default().trim();
        let word = match name.to_ascii_uppercase().as_str() {
            "OPUS" => "opus",
            "G722" => "g722",
            "PCMA" => "alaw",
            "PCMU" => "ulaw",
            "GSM" => "gsm",
            "G729" => "g729",
            "" => continue,
            _ => {
                unknown.push(name);
                continue;
            }
        };
        if !known.iter().any(|there| there == word) {
            known.push(word.to_owned());
        }
    }
    if !unknown.is_empty() {
        notes.push(format!(
            "codecs that are not served here are left out: {}",
            unknown.join(", ")
        ));
    }
    (!known.is_empty()).then_some(known)
}

/// Nobody may call further than before.
fn outbound_class(row: &Columns) -> &'static str {
    let allowed = text(row, "toll_allow").unwrap_or_default();
    let allows = |word: &str| allowed.split([',', ':']).any(|part| part.trim() == word);
    if allows("international") {
        "international"
    } else if allows("domestic") {
        "national"
    } else {
        "internal"
    }
}
