//! What a FusionPBX has of tenants and extensions that were not made here; nothing is written there.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use secrecy::SecretString;
use serde_json::{Map, Value};
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use super::Owner;
use super::database::{Database, asked};
use crate::domain::extension_input::{CallerIdInput, ExtensionInput, ForwardInput, VoicemailInput};
use crate::domain::found::{Found, FoundExtension, FoundSecret, FoundTenant, tidy_name};
use crate::domain::fusionpbx_row::FusionTable;
use crate::domain::ids::InstanceId;
use crate::domain::instance::FusionPbxSettings;
use crate::domain::instance_secrets::InstanceSecrets;
use crate::driver::DriverError;

/// A row's columns by name, whichever its version has.
type Columns = Map<String, Value>;

/// The most phones that an extension of ours may have.
const MOST_CONTACTS: i64 = 10;
/// The seconds that a phone of ours may ring.
const RING_TIMES: RangeInclusive<i64> = 5..=300;

/// The domains of a FusionPBX with their extensions, less those that this instance made.
pub async fn tenants(
    id: InstanceId,
    settings: &FusionPbxSettings,
    secrets: &InstanceSecrets,
) -> Result<Vec<FoundTenant>, DriverError> {
    let database = Database::new(settings, secrets.database.as_ref());
    let mut connection = database.open().await?;
    let reading = read(&mut connection, Owner::new(id.uuid()));
    let found = database.work(reading).await;
    found.map_err(|error| asked("what stands in FusionPBX's database", error))
}

async fn read(connection: &mut PgConnection, owner: Owner) -> sqlx::Result<Vec<FoundTenant>> {
    let domains = rows(connection, owner, FusionTable::Domains).await?;
    let mut extensions = by_domain(rows(connection, owner, FusionTable::Extensions).await?);
    let mut settings: BTreeMap<String, Vec<Columns>> = BTreeMap::new();
    for (_, row) in rows(connection, owner, FusionTable::ExtensionSettings).await? {
        if let Some(extension) = text(&row, "extension_uuid") {
            settings.entry(extension.to_owned()).or_default().push(row);
        }
    }
    let mut mailboxes = by_domain(rows(connection, owner, FusionTable::Voicemails).await?);
    let mut tenants = Vec::new();
    for (id, domain) in domains {
        let own = id.to_string();
        let mailboxes = mailboxes.remove(&own).unwrap_or_default();
        let of_domain = extensions.remove(&own).unwrap_or_default();
        let name = text(&domain, "domain_name").unwrap_or_default().to_owned();
        let mut found = Found::default();
        for (id, row) in of_domain {
            let settings = settings.remove(&id.to_string()).unwrap_or_default();
            found
                .extensions
                .push(extension(id, &name, &row, &settings, &mailboxes));
        }
        let described = tidy_name(text(&domain, "domain_description").unwrap_or_default()).0;
        tenants.push(FoundTenant {
            place: id.to_string(),
            name: if described.chars().count() < SHORTEST_NAME {
                name.clone()
            } else {
                described.chars().take(LONGEST_NAME).collect()
            },
            domain: name,
            found,
        });
    }
    Ok(tenants)
}

/// As [`TenantName`](crate::domain::name::TenantName) has them.
const SHORTEST_NAME: usize = 3;
/// The other end.
const LONGEST_NAME: usize = 50;

/// Rows of others by id. A greeting's sound, which may be long, is left where it is.
async fn rows(
    connection: &mut PgConnection,
    owner: Owner,
    table: FusionTable,
) -> sqlx::Result<Vec<(Uuid, Columns)>> {
    let id = table.id_column();
    let sql = format!(
        "select {id}, to_jsonb(t) - 'voicemail_name_base64' from {table} t \
         where {id} is not null and insert_user is distinct from $1 order by {id}"
    );
    let found: Vec<(Uuid, sqlx::types::Json<Columns>)> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(owner.uuid())
        .fetch_all(connection)
        .await?;
    Ok(found.into_iter().map(|(id, row)| (id, row.0)).collect())
}

fn by_domain(rows: Vec<(Uuid, Columns)>) -> BTreeMap<String, Vec<(Uuid, Columns)>> {
    let mut domains: BTreeMap<String, Vec<(Uuid, Columns)>> = BTreeMap::new();
    for (id, row) in rows {
        if let Some(domain) = text(&row, "domain_uuid") {
            domains.entry(domain.to_owned()).or_default().push((id, row));
        }
    }
    domains
}

fn extension(
    id: Uuid,
    domain: &str,
    row: &Columns,
    settings: &[Columns],
    mailboxes: &[(Uuid, Columns)],
) -> FoundExtension {
    let mut notes = Vec::new();
    let number = text(row, "extension").unwrap_or_default();
    let mailbox = mailboxes
        .iter()
        .map(|(_, mailbox)| mailbox)
        .find(|mailbox| text(mailbox, "voicemail_id") == Some(number) && flag(mailbox, "voicemail_enabled"));
    let listed = ["directory_first_name", "directory_last_name"].map(|column| text(row, column));
    let listed = listed.into_iter().flatten().collect::<Vec<_>>().join(" ");
    let listed = Some(listed).filter(|name| !name.is_empty());
    let known = text(row, "effective_caller_id_name").map(str::to_owned);
    let known = known.or(listed).unwrap_or_else(|| number.to_owned());
    let (name, changed) = tidy_name(&known);
    if changed {
        notes.push(format!("its name becomes {name:?}"));
    }
    for (column, lost) in [
        ("number_alias", "it is no longer reached by its alias"),
        ("call_group", "its call group is not kept"),
        ("hold_music", "its music on hold is not kept"),
        ("cidr", "the addresses that it may sign in from are not kept"),
        ("auth_acl", "the addresses that it may sign in from are not kept"),
    ] {
        if let Some(value) = text(row, column) {
            notes.push(format!("{lost} ({column}: {value:?})"));
        }
    }
    let outbound = |column, same: &str| {
        let shown = text(row, column).filter(|shown| *shown != same);
        shown.map(str::to_owned)
    };
    FoundExtension {
        place: id.to_string(),
        input: ExtensionInput {
            number: Some(number.to_owned()),
            status: (!flag(row, "enabled")).then(|| "disabled".to_owned()),
            caller_id: Some(CallerIdInput {
                name: outbound("outbound_caller_id_name", &name),
                number: outbound("outbound_caller_id_number", number),
            }),
            name: Some(if name.is_empty() { number.to_owned() } else { name }),
            voicemail: mailbox.map(|mailbox| voicemail(mailbox, &mut notes)),
            forward: Some(ForwardInput {
                always: destination(row, "forward_all"),
                busy: destination(row, "forward_busy"),
                no_answer: destination(row, "forward_no_answer"),
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
            .and_then(|mailbox| text(mailbox, "voicemail_password"))
            .map(|pin| SecretString::from(pin.to_owned())),
        notes,
    }
}

/// A digest wins over a password, as it does at FreeSWITCH.
fn secret(domain: &str, row: &Columns, settings: &[Columns]) -> FoundSecret {
    let is_digest = |setting: &&Columns| {
        text(setting, "extension_setting_type") == Some("param")
            && text(setting, "extension_setting_name") == Some("a1-hash")
            && flag(setting, "extension_setting_enabled")
    };
    let digest = settings.iter().find(is_digest);
    match (
        digest.and_then(|digest| text(digest, "extension_setting_value")),
        text(row, "password"),
    ) {
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
    VoicemailInput {
        enabled: Some(true),
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

/// A text that says something.
fn text<'a>(row: &'a Columns, column: &str) -> Option<&'a str> {
    let text = row.get(column)?.as_str()?.trim();
    (!text.is_empty()).then_some(text)
}

/// A flag is a boolean, or from before version 5.5 a word.
fn flag(row: &Columns, column: &str) -> bool {
    match row.get(column) {
        Some(Value::Bool(flag)) => *flag,
        Some(Value::String(word)) => word == "true",
        _ => false,
    }
}

/// A number, or a text that holds one.
fn number_of(row: &Columns, column: &str) -> Option<i64> {
    match row.get(column)? {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
