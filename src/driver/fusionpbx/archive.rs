//! Reads FusionPBX's table of calls for what nobody heard of: page by page, never without a bound, and for tenants of ours
//! alone.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use sqlx::error::DatabaseError;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, FromRow as _, Row as _};
use uuid::Uuid;

use super::call_rows::{CallRow, NEEDED, TABLE, Texts, question};
use super::database::{Database, asked};
use crate::domain::instance::FusionPbxSettings;
use crate::domain::instance_secrets::InstanceSecrets;
use crate::driver::DriverError;
use crate::driver::feed::{Archive, Asked, Page, Place, Skipped, Untold};

/// Rows of a page: some hundred bytes each.
const PAGE: usize = 500;
/// The server gives a question up before we do. Without an index on the begin it reads a large table as a whole.
const LIMIT: &str = "set statement_timeout = '25s'; set default_transaction_read_only = on";
/// What PostgreSQL says where a text is none in its own encoding, or in the one in which texts are sent: the whole page is
/// refused then.
const NO_TEXT: [&str; 2] = ["22021", "22P05"];
/// Has texts sent as they are kept, so that the one that is none can be told from the others.
const AS_KEPT: &str = "set client_encoding = 'SQL_ASCII'";
const WHAT: &str = "the calls that FusionPBX wrote down";

/// What mends what is missing.
pub const MEND: &str = "have an owner of FusionPBX's tables grant the role what `pbx/fusionpbx/grants.sql` grants on v_xml_cdr; \
    where a column is not there, upgrade FusionPBX's schema (Advanced, Upgrade)";

/// Where one FusionPBX writes its calls down.
pub struct CallArchive {
    database: Database,
}

impl CallArchive {
    /// Connects once it is asked.
    #[must_use]
    pub fn new(settings: &FusionPbxSettings, secrets: &InstanceSecrets) -> Self {
        Self {
            database: Database::new(settings, secrets.database.as_ref()),
        }
    }

    async fn open(&self) -> Result<PgConnection, DriverError> {
        let mut connection = self.database.open().await?;
        let limiting = sqlx::raw_sql(LIMIT).execute(&mut connection);
        self.database
            .ask(limiting)
            .await
            .map_err(|error| asked(WHAT, error))?;
        Ok(connection)
    }

    async fn rows(
        &self,
        connection: &mut PgConnection,
        sql: String,
        wanted: &Asked,
        behind: Place,
    ) -> sqlx::Result<Vec<PgRow>> {
        let asking = sqlx::query(AssertSqlSafe(sql))
            .bind(ids(wanted))
            .bind(wanted.from.as_second())
            .bind(wanted.to.as_second())
            .bind(behind.at)
            .bind(behind.id)
            .bind(i64::try_from(PAGE).unwrap_or(i64::MAX))
            .fetch_all(connection);
        self.database.ask(asking).await
    }

    /// The same where one of the rows has a text that is none.
    async fn rows_as_kept(
        &self,
        connection: &mut PgConnection,
        sql: String,
        wanted: &Asked,
        behind: Place,
    ) -> sqlx::Result<Vec<PgRow>> {
        let setting = sqlx::raw_sql(AS_KEPT).execute(&mut *connection);
        self.database.ask(setting).await?;
        self.rows(connection, sql, wanted, behind).await
    }
}

#[async_trait]
impl Archive for CallArchive {
    async fn page(&self, wanted: &Asked, behind: Option<Place>) -> Result<Page, DriverError> {
        let mut connection = self.open().await?;
        let columns = columns(&self.database, &mut connection).await?;
        let behind = behind.unwrap_or(Place {
            at: 0,
            id: Uuid::nil(),
        });
        let sql = |texts| question(texts, |column| columns.contains(column));
        let rows = self.rows(&mut connection, sql(Texts::Cut), wanted, behind).await;
        let is_refused = rows.as_ref().is_err_and(is_no_text);
        let rows = if is_refused {
            self.rows_as_kept(&mut connection, sql(Texts::Whole), wanted, behind)
                .await
        } else {
            rows
        };
        let rows = rows.map_err(|error| asked(WHAT, error))?;
        let last = rows.last().filter(|_| rows.len() >= PAGE);
        let next = last.map(place).transpose().map_err(|error| asked(WHAT, error))?;
        if next.is_some() && !is_refused {
            // The next page is asked for at once; after the last one nothing for long.
            self.database.keep(connection).await;
        }
        let (mut parts, mut skipped) = (Vec::new(), Skipped::default());
        for row in &rows {
            // One that cannot be decoded must not keep its neighbours away, nor what is behind it.
            let row = CallRow::from_row(row).map_err(|_| Untold::Unreadable);
            match row.and_then(|row| row.part()) {
                Ok(part) => parts.push(part),
                Err(why) => skipped.add(why),
            }
        }
        Ok(Page { parts, skipped, next })
    }
}

/// Where a row stands, whatever else is in it.
fn place(row: &PgRow) -> sqlx::Result<Place> {
    Ok(Place {
        at: row.try_get("at")?,
        id: row.try_get("id")?,
    })
}

fn is_no_text(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(DatabaseError::code);
    code.is_some_and(|code| NO_TEXT.contains(&code.as_ref()))
}

/// FusionPBX has a tenant's domain under the tenant's own id.
fn ids(wanted: &Asked) -> Vec<Uuid> {
    wanted.tenants.iter().map(|tenant| tenant.uuid()).collect()
}

/// Why the table cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    /// There is none.
    #[error("there is no table v_xml_cdr")]
    NoTable,
    /// The role may not.
    #[error("the role lacks select on v_xml_cdr")]
    NoRight,
    /// It is not as it is known.
    #[error("v_xml_cdr has no {0} that this role may read")]
    NoColumns(String),
    /// Its begins are kept otherwise.
    #[error("v_xml_cdr.start_stamp is no timestamp with a time zone")]
    Stamp,
}

/// The columns of the table that the role may read, or why it cannot be read at all.
pub async fn readable(connection: &mut PgConnection) -> sqlx::Result<Result<BTreeSet<String>, Unread>> {
    let is_there: bool = sqlx::query_scalar("select to_regclass($1) is not null")
        .bind(TABLE)
        .fetch_one(&mut *connection)
        .await?;
    // A role is shown the columns alone that it has some right on.
    let sql = "select column_name::text, data_type::text from information_schema.columns \
        where table_schema = any (current_schemas(false)) and table_name = $1 \
        and has_column_privilege(to_regclass($1), column_name::text, 'select')";
    let found: Vec<(String, String)> = sqlx::query_as(sql).bind(TABLE).fetch_all(connection).await?;
    Ok(known(is_there, found.into_iter().collect()))
}

fn known(is_there: bool, found: BTreeMap<String, String>) -> Result<BTreeSet<String>, Unread> {
    if !is_there {
        return Err(Unread::NoTable);
    }
    if found.is_empty() {
        return Err(Unread::NoRight);
    }
    let lacking: Vec<&str> = NEEDED
        .into_iter()
        .filter(|column| !found.contains_key(*column))
        .collect();
    if !lacking.is_empty() {
        return Err(Unread::NoColumns(lacking.join(", ")));
    }
    if found.get("start_stamp").map(String::as_str) != Some("timestamp with time zone") {
        return Err(Unread::Stamp);
    }
    Ok(found.into_keys().collect())
}

async fn columns(
    database: &Database,
    connection: &mut PgConnection,
) -> Result<BTreeSet<String>, DriverError> {
    let read = database.ask(readable(connection)).await;
    read.map_err(|error| asked(WHAT, error))?
        .map_err(|unread| DriverError::Refused {
            what: WHAT.to_owned(),
            source: format!("{unread}; {MEND}").into(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole() -> BTreeMap<String, String> {
        let kind = |column: &str| match column {
            "start_stamp" => "timestamp with time zone",
            _ => "text",
        };
        let columns = NEEDED
            .into_iter()
            .map(|column| (column.to_owned(), kind(column).to_owned()));
        columns.collect()
    }

    #[test]
    fn a11_a_table_that_cannot_be_read_is_told_by_what_lacks() {
        assert!(known(true, whole()).is_ok());
        let said = |is_there, found| known(is_there, found).err().unwrap().to_string();
        assert!(said(false, BTreeMap::new()).contains("no table v_xml_cdr"));
        assert!(said(true, BTreeMap::new()).contains("lacks select on v_xml_cdr"));
        let mut older = whole();
        older.remove("leg");
        older.remove("sip_call_id");
        assert!(said(true, older).contains("no leg, sip_call_id"));
        let mut other = whole();
        other.insert("start_stamp".to_owned(), "timestamp without time zone".to_owned());
        assert!(said(true, other).contains("start_stamp"));
    }
}
