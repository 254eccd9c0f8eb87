//! FusionPBX's rows as tenants with their extensions, and each extension or mailbox that is in none as something that stays.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::Rows;
use super::columns::{Columns, flag, text};
use super::extension::extension;
use crate::domain::found::{Found, FoundAside, FoundTenant, FoundTenants, tenant_name};

/// What is told of each: its own is in a table that is not read.
const TIMEZONE: &str = "its time zone is UTC here, whatever it is there";
/// What is told of one that is switched off.
const NOT_SERVED: &str =
    "its domain is disabled there: it comes suspended, and its phones are refused until it is reactivated";

/// What becomes of rows that one reading gave.
pub fn tenants(rows: Rows) -> FoundTenants {
    let mut extensions = by(rows.extensions, "domain_uuid");
    let mut mailboxes = by(rows.mailboxes, "domain_uuid");
    let settings = by(rows.settings, "extension_uuid");
    let ours: BTreeSet<String> = rows.ours.iter().map(Uuid::to_string).collect();
    let mut found = FoundTenants::default();
    for (id, domain) in rows.domains {
        let id = id.to_string();
        let extensions = extensions.remove(&id).unwrap_or_default();
        let mailboxes = mailboxes.remove(&id).unwrap_or_default();
        let tenant = tenant(id, &domain, &extensions, &mailboxes, &settings);
        found.tenants.push(tenant);
    }
    for (what, column, left) in [
        ("it is", "extension", extensions),
        ("it is a mailbox", "voicemail_id", mailboxes),
    ] {
        for (domain, rows) in left {
            let reason = if ours.contains(&domain) {
                format!("{what} in a domain that was made from here: add it here, and take it out there")
            } else {
                format!("{what} in no domain that is there")
            };
            let rows = rows
                .iter()
                .map(|(id, row)| aside(*id, text(row, column), &reason));
            found.aside.extend(rows);
        }
    }
    found
}

/// Rows with their ids, by what they belong to; those that belong to nothing by the empty text.
type Kept = BTreeMap<String, Vec<(Uuid, Columns)>>;

fn by(rows: Vec<(Uuid, Columns)>, column: &str) -> Kept {
    let mut kept = Kept::new();
    for (id, row) in rows {
        let of = text(&row, column).unwrap_or_default().to_owned();
        kept.entry(of).or_default().push((id, row));
    }
    kept
}

fn aside(id: Uuid, name: Option<&str>, reason: &str) -> FoundAside {
    FoundAside {
        place: id.to_string(),
        name: name.unwrap_or_default().to_owned(),
        reason: reason.to_owned(),
    }
}

fn tenant(
    id: String,
    domain: &Columns,
    extensions: &[(Uuid, Columns)],
    mailboxes: &[(Uuid, Columns)],
    settings: &Kept,
) -> FoundTenant {
    let name = text(domain, "domain_name").unwrap_or_default();
    let mut boxes: BTreeMap<&str, Vec<(Uuid, &Columns)>> = BTreeMap::new();
    for (id, mailbox) in mailboxes {
        let number = text(mailbox, "voicemail_id").unwrap_or_default();
        boxes.entry(number).or_default().push((*id, mailbox));
    }
    for of_number in boxes.values_mut() {
        // One that is switched on goes before others.
        of_number.sort_by_key(|(_, mailbox)| !flag(mailbox, "voicemail_enabled"));
    }
    let mut found = Found::default();
    for (id, row) in extensions {
        let settings = settings
            .get(&id.to_string())
            .map(Vec::as_slice)
            .unwrap_or_default();
        let mailbox = boxes
            .get(text(row, "extension").unwrap_or_default())
            .and_then(|own| own.first())
            .map(|(_, mailbox)| *mailbox);
        found
            .extensions
            .push(extension(*id, name, row, settings, mailbox));
    }
    let numbers: BTreeSet<&str> = extensions
        .iter()
        .filter_map(|(_, row)| text(row, "extension"))
        .collect();
    let alone = boxes.into_iter().flat_map(|(number, rows)| {
        let (taken, reason) = if numbers.contains(number) {
            (1, "another mailbox of its number is taken")
        } else {
            (0, "it is a mailbox of no extension")
        };
        let told = move |(id, _)| aside(id, Some(number), reason);
        rows.into_iter().skip(taken).map(told)
    });
    found.aside = alone.collect();
    let is_served = flag(domain, "domain_enabled");
    let notes = [Some(TIMEZONE), (!is_served).then_some(NOT_SERVED)];
    FoundTenant {
        place: id,
        domain: name.to_owned(),
        name: tenant_name(text(domain, "domain_description").unwrap_or_default(), name),
        is_served,
        notes: notes.into_iter().flatten().map(str::to_owned).collect(),
        found,
    }
}
