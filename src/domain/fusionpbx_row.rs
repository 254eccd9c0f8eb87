//! A row of FusionPBX's database as we write it: its table, its id, and the columns that are ours.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::artifact::Artifact;
use super::digest::Digest;
use super::invalid::Invalid;
use super::parsed::{parsed_text, word_enum};

/// A variable of each user of ours: its value is a digest of the rows that the user is made of, so that one question to
/// FreeSWITCH tells which of them it serves.
pub const ROW_VARIABLE: &str = "switchyard_row";

word_enum! {
    /// A table that we write rows into.
    FusionTable {
        /// A tenant's domain.
        Domains = "v_domains",
        /// A phone number inside a domain, and what signs in there.
        Extensions = "v_extensions",
        /// What a user's XML holds beside the columns of its extension.
        ExtensionSettings = "v_extension_settings",
        /// A mailbox.
        Voicemails = "v_voicemails",
        /// An extension of a dialplan, as XML.
        Dialplans = "v_dialplans",
    }
}

impl FusionTable {
    /// The column with the row's id.
    #[must_use]
    pub const fn id_column(self) -> &'static str {
        match self {
            Self::Domains => "domain_uuid",
            Self::Extensions => "extension_uuid",
            Self::ExtensionSettings => "extension_setting_uuid",
            Self::Voicemails => "voicemail_uuid",
            Self::Dialplans => "dialplan_uuid",
        }
    }

    /// The artifact that its rows stand in.
    #[must_use]
    pub const fn artifact(self) -> Artifact {
        match self {
            Self::Domains | Self::Extensions | Self::ExtensionSettings => Artifact::ExtensionRows,
            Self::Voicemails => Artifact::VoicemailRows,
            Self::Dialplans => Artifact::DialplanRows,
        }
    }
}

parsed_text! {
    /// The name of a column: 1 to 63 lower-case letters and `_`.
    FusionColumn, column, schema { "pattern": "^[a-z_]{1,63}$" }
}

impl FusionColumn {
    /// One that the program names itself.
    #[must_use]
    pub fn of(name: &'static str) -> Self {
        Self(name.to_owned())
    }

    /// What of somebody's own phone it holds: a forward or the PIN, which they change by a feature code, the menu of their
    /// mailbox or FusionPBX's pages. The columns of one such choice change together.
    #[must_use]
    pub fn choice(&self) -> Option<&str> {
        match self.0.as_str() {
            "voicemail_password" => Some("pin"),
            name if name.starts_with("forward_") => name
                .strip_suffix("_destination")
                .or_else(|| name.strip_suffix("_enabled")),
            _ => None,
        }
    }
}

/// What a column holds. FusionPBX keeps a flag as a boolean or as a word, depending on its version.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum FusionValue {
    /// Nothing.
    Null,
    /// Yes or no.
    Flag(bool),
    /// A whole number.
    Number(i64),
    /// Text, or an id as text.
    Text(String),
}

/// One row. It may hold what signs in, so that it has no `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FusionRow {
    /// Its table.
    pub table: FusionTable,
    /// Its id: the same whenever it is written, so that no row is written twice.
    pub id: Uuid,
    /// The columns that are ours; what others hold is not looked at.
    pub values: BTreeMap<FusionColumn, FusionValue>,
}

impl FusionRow {
    /// What a column holds, where that is a text.
    #[must_use]
    pub fn text(&self, column: &str) -> Option<&str> {
        self.values.iter().find_map(|(name, value)| match value {
            FusionValue::Text(text) if name.as_str() == column => Some(text.as_str()),
            _ => None,
        })
    }

    /// Whose row it is: a tenant's domain has the tenant's own id.
    #[must_use]
    pub fn tenant(&self) -> Option<Uuid> {
        match self.table {
            FusionTable::Domains => Some(self.id),
            _ => self.text("domain_uuid")?.parse().ok(),
        }
    }
}

/// The id of a row that belongs to something of ours, and of no other: the same in every deploy.
///
/// Version 8 of RFC 9562, over the digest of both.
#[must_use]
pub fn id_of(owner: Uuid, what: &str) -> Uuid {
    let digest = Digest::of_parts([owner.as_bytes().as_slice(), what.as_bytes()]);
    let mut bytes = [0; 16];
    for (to, from) in bytes.iter_mut().zip(digest.as_bytes()) {
        *to = *from;
    }
    Uuid::new_v8(bytes)
}

fn column(text: &str) -> Result<String, Invalid> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    if text.is_empty() || text.len() > 63 || !text.bytes().all(allowed) {
        return Err(Invalid::new("must have 1 to 63 lower-case letters or `_`"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[test]
    fn a_row_is_read_back_as_it_was_written() {
        let row = FusionRow {
            table: FusionTable::Extensions,
            id: Uuid::from_u128(7),
            values: BTreeMap::from([
                ("enabled".parse().unwrap(), FusionValue::Flag(true)),
                ("call_timeout".parse().unwrap(), FusionValue::Number(30)),
                ("extension".parse().unwrap(), FusionValue::Text("1001".to_owned())),
                ("call_group".parse().unwrap(), FusionValue::Null),
            ]),
        };
        let line = serde_json::to_string(&row).unwrap();
        assert!(!line.contains('\n'));
        assert!(serde_json::from_str::<FusionRow>(&line).unwrap() == row);
    }

    #[test]
    fn ids_differ_by_owner_and_by_what_they_are_of() {
        let [one, other] = [1, 2].map(Uuid::from_u128);
        assert_eq!(id_of(one, "voicemail"), id_of(one, "voicemail"));
        assert_ne!(id_of(one, "voicemail"), id_of(other, "voicemail"));
        assert_ne!(id_of(one, "voicemail"), id_of(one, "a1-hash"));
    }

    #[rstest]
    #[case("forward_all_enabled", Some("forward_all"))]
    #[case("forward_all_destination", Some("forward_all"))]
    #[case("voicemail_password", Some("pin"))]
    #[case("voicemail_enabled", None)]
    #[case("enabled", None)]
    fn what_people_choose_by_their_phone_is_told_from_what_is_ours(
        #[case] column: &str,
        #[case] choice: Option<&str>,
    ) {
        assert_eq!(column.parse::<FusionColumn>().unwrap().choice(), choice);
    }

    #[rstest]
    #[case("domain_uuid", true)]
    #[case("", false)]
    #[case("a\"; drop table v_users; --", false)]
    fn a_column_is_a_plain_word(#[case] text: &str, #[case] good: bool) {
        assert_eq!(text.parse::<FusionColumn>().is_ok(), good);
    }
}
