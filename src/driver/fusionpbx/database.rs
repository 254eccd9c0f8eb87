//! FusionPBX's PostgreSQL, with its errors told by what is known afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::domain::fusionpbx_row::FusionTable;
use crate::domain::instance::{FusionPbxSettings, Tls};
use crate::driver::DriverError;

/// How long a connection may take to be there.
const CONNECT: Duration = Duration::from_secs(10);
/// Nobody may keep us waiting for longer: the web interface holds locks for milliseconds, and ten thousand extensions are
/// written in seconds. Nor do we keep anybody waiting: a trial whose process does not go on is ended by the server.
const LIMITS: &str = "set lock_timeout = '10s'; set statement_timeout = '120s'; \
                      set idle_in_transaction_session_timeout = '10s'";

/// FusionPBX's database. A connection is kept for the next question.
pub struct Database {
    options: PgConnectOptions,
    kept: Mutex<Option<PgConnection>>,
}

impl Database {
    /// Connects once it is asked.
    pub fn new(settings: &FusionPbxSettings, password: &SecretString) -> Self {
        Self {
            options: options(settings, password),
            kept: Mutex::default(),
        }
    }

    /// A connection that works. Whoever is done with it well gives it back.
    pub async fn open(&self) -> Result<PgConnection, DriverError> {
        let kept = self.kept.lock().await.take();
        if let Some(mut connection) = kept
            && connection.ping().await.is_ok()
        {
            return Ok(connection);
        }
        connect(&self.options).await
    }

    /// Keeps a connection that is in the middle of nothing.
    pub async fn keep(&self, connection: PgConnection) {
        *self.kept.lock().await = Some(connection);
    }
}

fn options(settings: &FusionPbxSettings, password: &SecretString) -> PgConnectOptions {
    let options = PgConnectOptions::new_without_pgpass()
        .host(settings.database_host.as_str())
        .port(settings.database_port)
        .database(settings.database_name.as_str())
        .username(settings.database_username.as_str())
        .password(password.expose_secret())
        .application_name("switchyard")
        .disable_statement_logging();
    match &settings.database_tls {
        None => options.ssl_mode(PgSslMode::Prefer),
        Some(Tls::Off) => options.ssl_mode(PgSslMode::Disable),
        Some(Tls::On { ca_file: None }) => options.ssl_mode(PgSslMode::VerifyFull),
        Some(Tls::On { ca_file: Some(file) }) => options
            .ssl_mode(PgSslMode::VerifyFull)
            .ssl_root_cert(file.as_path()),
    }
}

async fn connect(options: &PgConnectOptions) -> Result<PgConnection, DriverError> {
    let what = "FusionPBX's database";
    let unreachable = |source: Box<dyn std::error::Error + Send + Sync>| DriverError::Unreachable {
        what: what.to_owned(),
        source,
    };
    let connected = timeout(CONNECT, async {
        let mut connection = PgConnection::connect_with(options).await?;
        sqlx::raw_sql(LIMITS).execute(&mut connection).await?;
        Ok(connection)
    });
    match connected.await {
        Ok(Err(sqlx::Error::Database(error))) => Err(DriverError::Refused {
            what: what.to_owned(),
            source: error,
        }),
        Ok(connected) => connected.map_err(|error: sqlx::Error| unreachable(error.into())),
        Err(late) => Err(unreachable(late.into())),
    }
}

/// What is known after writing failed before its end: nothing was written. The server may have said no to the rows
/// themselves, which no repetition changes: a right that lacks, a column that is no such one, a value that it does not take.
pub fn refused_or_not_applied(what: &str, error: sqlx::Error) -> DriverError {
    match error {
        sqlx::Error::Database(error) if is_final(error.code().as_deref()) => DriverError::Refused {
            what: what.to_owned(),
            source: error,
        },
        error => DriverError::not_applied(what, error),
    }
}

/// Whether the server said no to a commit. One that it ends the connection with is none: it may have committed before.
pub fn is_said_no(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
        .is_some_and(|code| !code.starts_with("57") && !code.starts_with("08"))
}

fn is_final(code: Option<&str>) -> bool {
    code.is_some_and(|code| ["22", "23", "42"].iter().any(|class| code.starts_with(class)))
}

/// The columns of FusionPBX's tables as this database has them: they differ between its versions.
pub struct Schema(BTreeMap<FusionTable, BTreeMap<String, String>>);

/// What every version has that this program knows.
const NEEDED: [(FusionTable, &[&str]); 5] = [
    (
        FusionTable::Domains,
        &["domain_uuid", "domain_name", "domain_enabled", "insert_user"],
    ),
    (
        FusionTable::Extensions,
        &[
            "extension_uuid",
            "domain_uuid",
            "extension",
            "password",
            "user_context",
            "enabled",
            "insert_user",
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
            "insert_user",
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
            "insert_user",
        ],
    ),
    (
        FusionTable::Dialplans,
        &[
            "dialplan_uuid",
            "domain_uuid",
            "dialplan_context",
            "dialplan_xml",
            "dialplan_order",
            "dialplan_enabled",
            "insert_user",
        ],
    ),
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
                    let missing = columns.iter().filter(|column| !there.contains_key(**column));
                    lacking.extend(missing.map(|column| format!("{table}.{column}")));
                }
            }
        }
        if lacking.is_empty() {
            Ok(Self(found))
        } else {
            Err(UnknownSchema {
                lacking,
                found: described(&found),
            })
        }
    }

    /// Whether a table has this column.
    pub fn has(&self, table: FusionTable, column: &str) -> bool {
        self.0
            .get(&table)
            .is_some_and(|columns| columns.contains_key(column))
    }
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
    "this is no FusionPBX's database that is known: {} not there; found: {found}. Name FusionPBX's own database, or let the \
     role see its tables",
    .lacking.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
)]
pub struct UnknownSchema {
    lacking: BTreeSet<String>,
    found: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole() -> BTreeMap<FusionTable, BTreeMap<String, String>> {
        let table = |(table, columns): (FusionTable, &[&str])| {
            let columns = columns
                .iter()
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
            "v_extensions with 7 columns",
        ] {
            assert!(error.contains(part), "{error}");
        }
        let nothing = Schema::known(BTreeMap::new()).err().unwrap().to_string();
        assert!(nothing.contains("none of its tables"), "{nothing}");
    }
}
