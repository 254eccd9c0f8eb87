//! FusionPBX's tables as a database has them, told from what is none of its: they differ between its versions.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::postgres::PgConnection;

use super::FusionPbxDriver;
use super::database::asked;
use crate::domain::fusionpbx_row::FusionTable;
use crate::driver::DriverError;

/// The columns of FusionPBX's tables as this database has them: they differ between its versions.
pub struct Schema(BTreeMap<FusionTable, BTreeMap<String, String>>);

const WHAT: &str = "FusionPBX's tables";

/// What every version has that this program knows.
const NEEDED: [(FusionTable, &[&str]); 5] = [
    (
        FusionTable::Domains,
        &["domain_uuid", "domain_name", "domain_enabled"],
    ),
    (
        FusionTable::Extensions,
        &[
            "extension_uuid",
            "domain_uuid",
            "extension",
            "number_alias",
            "password",
            "user_context",
            "enabled",
        ],
    ),
    (
        FusionTable::ExtensionSettings,
        &[
            "extension_setting_uuid",
            "domain_uuid",
            "extension_uuid",
            "extension_setting_type",
            "extension_setting_name",
            "extension_setting_value",
            "extension_setting_enabled",
        ],
    ),
    (
        FusionTable::Voicemails,
        &[
            "voicemail_uuid",
            "domain_uuid",
            "voicemail_id",
            "voicemail_password",
            "voicemail_enabled",
        ],
    ),
    (
        FusionTable::Dialplans,
        &[
            "dialplan_uuid",
            "domain_uuid",
            "dialplan_context",
            "dialplan_name",
            "dialplan_continue",
            "dialplan_xml",
            "dialplan_order",
            "dialplan_enabled",
            "dialplan_description",
        ],
    ),
];

/// What each table has: who wrote a row and when.
const STAMPS: [&str; 4] = ["insert_date", "insert_user", "update_date", "update_user"];

/// The columns with a yes or no, by the versions that are known a boolean or the words `true` and `false`.
const FLAGS: [&str; 17] = [
    "domain_enabled",
    "enabled",
    "directory_visible",
    "directory_exten_visible",
    "call_screen_enabled",
    "do_not_disturb",
    "forward_all_enabled",
    "forward_busy_enabled",
    "forward_no_answer_enabled",
    "forward_user_not_registered_enabled",
    "follow_me_enabled",
    "extension_setting_enabled",
    "voicemail_local_after_email",
    "voicemail_tutorial",
    "voicemail_enabled",
    "dialplan_continue",
    "dialplan_enabled",
];

impl Schema {
    /// Reads it, and refuses one that is no FusionPBX's that this program knows.
    pub async fn read(connection: &mut PgConnection) -> sqlx::Result<Result<Self, UnknownSchema>> {
        let tables: Vec<&str> = FusionTable::ALL.iter().map(|table| table.as_str()).collect();
        let found: Vec<(String, String, String)> = sqlx::query_as(
            "select table_name::text, column_name::text, data_type::text from information_schema.columns \
             where table_schema = any (current_schemas(false)) and table_name = any ($1)",
        )
        .bind(tables)
        .fetch_all(connection)
        .await?;
        let mut schema = BTreeMap::new();
        for (table, column, kind) in found {
            if let Ok(table) = table.parse::<FusionTable>() {
                schema
                    .entry(table)
                    .or_insert_with(BTreeMap::new)
                    .insert(column, kind);
            }
        }
        Ok(Self::known(schema))
    }

    fn known(found: BTreeMap<FusionTable, BTreeMap<String, String>>) -> Result<Self, UnknownSchema> {
        let mut lacking = BTreeSet::new();
        for (table, columns) in NEEDED {
            match found.get(&table) {
                None => drop(lacking.insert(format!("the table {table}"))),
                Some(there) => {
                    let needed = columns.iter().chain(&STAMPS);
                    let missing = needed.filter(|column| !there.contains_key(**column));
                    lacking.extend(missing.map(|column| format!("{table}.{column}")));
                }
            }
        }
        let strange: BTreeSet<String> = found
            .iter()
            .flat_map(|(table, columns)| columns.iter().map(move |(column, kind)| (table, column, kind)))
            .filter(|(_, column, kind)| FLAGS.contains(&column.as_str()) && !is_flag(kind))
            .map(|(table, column, kind)| format!("{table}.{column} as {kind}"))
            .collect();
        if lacking.is_empty() && strange.is_empty() {
            return Ok(Self(found));
        }
        let mut wrong: Vec<String> = Vec::new();
        if !lacking.is_empty() {
            wrong.push(format!("{} not there", listed(&lacking)));
        }
        if !strange.is_empty() {
            wrong.push(format!("{} and neither a boolean nor a text", listed(&strange)));
        }
        Err(UnknownSchema {
            wrong: wrong.join("; "),
            found: described(&found),
        })
    }

    /// Whether a table has this column.
    pub fn has(&self, table: FusionTable, column: &str) -> bool {
        self.0
            .get(&table)
            .is_some_and(|columns| columns.contains_key(column))
    }
}

fn is_flag(kind: &str) -> bool {
    matches!(kind, "boolean" | "text" | "character varying")
}

fn listed(names: &BTreeSet<String>) -> String {
    names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

fn described(found: &BTreeMap<FusionTable, BTreeMap<String, String>>) -> String {
    if found.is_empty() {
        return "none of its tables can be seen by this role".to_owned();
    }
    let tables = found
        .iter()
        .map(|(table, columns)| format!("{table} with {} columns", columns.len()));
    tables.collect::<Vec<_>>().join(", ")
}

/// A database that is not FusionPBX's, or of a version that nobody knows yet.
#[derive(Debug, thiserror::Error)]
#[error(
    "this is no FusionPBX's database that is known: {wrong}; found: {found}. Name FusionPBX's own database, or let the role \
     see its tables"
)]
pub struct UnknownSchema {
    wrong: String,
    found: String,
}

impl FusionPbxDriver {
    /// The tables as they are, or why they cannot be written to.
    pub(super) async fn schema(&self, connection: &mut PgConnection) -> Result<&Schema, DriverError> {
        let reading = async { self.read_schema(connection).await?.map_err(unknown) };
        self.tables.get_or_try_init(|| reading).await
    }

    /// Whether the tables are those of a FusionPBX that is known.
    pub(super) async fn is_known(&self) -> Result<bool, DriverError> {
        if self.tables.initialized() {
            return Ok(true);
        }
        let mut connection = self.database.open().await?;
        let schema = self.read_schema(&mut connection).await?;
        self.database.keep(connection).await;
        let is_known = schema.is_ok();
        if let Ok(schema) = schema {
            // Whoever came first read the same.
            let _ = self.tables.set(schema);
        }
        Ok(is_known)
    }

    async fn read_schema(
        &self,
        connection: &mut PgConnection,
    ) -> Result<Result<Schema, UnknownSchema>, DriverError> {
        let schema = self.database.ask(Schema::read(connection)).await;
        schema.map_err(|error| asked(WHAT, error))
    }

    /// Why a question was refused: the tables may not be those that are known.
    pub(super) async fn why(
        &self,
        connection: &mut PgConnection,
        what: &str,
        error: sqlx::Error,
    ) -> DriverError {
        match asked(what, error) {
            refused @ DriverError::Refused { .. } => match self.read_schema(connection).await {
                Ok(Ok(_)) => refused,
                Ok(Err(error)) => unknown(error),
                Err(error) => error,
            },
            error => error,
        }
    }
}

fn unknown(error: UnknownSchema) -> DriverError {
    DriverError::Refused {
        what: WHAT.to_owned(),
        source: error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole() -> BTreeMap<FusionTable, BTreeMap<String, String>> {
        let table = |(table, columns): (FusionTable, &[&str])| {
            let columns = columns
                .iter()
                .chain(&STAMPS)
                .map(|column| ((*column).to_owned(), "text".to_owned()));
            (table, columns.collect())
        };
        NEEDED.into_iter().map(table).collect()
    }

    #[test]
    fn an_unknown_schema_is_refused_with_what_was_found_and_what_was_not() {
        assert!(Schema::known(whole()).is_ok());
        let mut lacking = whole();
        lacking.remove(&FusionTable::Voicemails);
        lacking
            .get_mut(&FusionTable::Domains)
            .unwrap()
            .remove("domain_enabled");
        let error = Schema::known(lacking).err().unwrap().to_string();
        for part in [
            "v_domains.domain_enabled",
            "the table v_voicemails",
            "v_extensions with 11 columns",
        ] {
            assert!(error.contains(part), "{error}");
        }
        let nothing = Schema::known(BTreeMap::new()).err().unwrap().to_string();
        assert!(nothing.contains("none of its tables"), "{nothing}");
    }
    #[test]
    fn a_flag_that_is_kept_in_neither_of_the_known_ways_is_refused_by_its_name() {
        for kind in ["boolean", "text", "character varying"] {
            assert!(Schema::known(with_flag(kind)).is_ok(), "{kind}");
        }
        let error = Schema::known(with_flag("integer")).err().unwrap().to_string();
        assert!(
            error.contains("v_dialplans.dialplan_enabled as integer"),
            "{error}"
        );
    }

    fn with_flag(kind: &str) -> BTreeMap<FusionTable, BTreeMap<String, String>> {
        let mut found = whole();
        let dialplans = found.get_mut(&FusionTable::Dialplans).unwrap();
        dialplans.insert("dialplan_enabled".to_owned(), kind.to_owned());
        found
    }
}
