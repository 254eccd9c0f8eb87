//! What a FusionPBX has of tenants and extensions that were not made here; nothing is written there.

mod columns;
mod extension;
mod tenants;

use std::error::Error as StdError;

use futures_util::TryStreamExt as _;
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;
use tokio::task::spawn_blocking;
use uuid::Uuid;

use self::columns::Columns;
use super::Owner;
use super::database::{Database, asked};
use super::schema::Schema;
use crate::domain::found::FoundTenants;
use crate::domain::fusionpbx_row::FusionTable;
use crate::domain::ids::InstanceId;
use crate::domain::instance::FusionPbxSettings;
use crate::domain::instance_secrets::InstanceSecrets;
use crate::domain::sip_domain::SipDomain;
use crate::driver::DriverError;

/// More rows of a table are not read at once.
const MOST_ROWS: usize = 50_000;
/// More bytes in all neither.
const MOST_BYTES: usize = 128 * 1024 * 1024;
/// All is read as it is at one moment, and nothing can be written. Nobody ends it: it goes with the connection.
const BEGIN: &str = "begin isolation level repeatable read, read only";

/// What stands in a database, less what this instance made.
#[derive(Default)]
struct Rows {
    /// The ids of the domains that it made.
    ours: Vec<Uuid>,
    domains: Vec<(Uuid, Columns)>,
    extensions: Vec<(Uuid, Columns)>,
    settings: Vec<(Uuid, Columns)>,
    mailboxes: Vec<(Uuid, Columns)>,
}

/// Why what is there is not looked at.
type Refusal = Box<dyn StdError + Send + Sync>;

/// The domains of a FusionPBX with their extensions, less those that this instance made; of all domains, or of those named.
pub async fn tenants(
    id: InstanceId,
    settings: &FusionPbxSettings,
    secrets: &InstanceSecrets,
    domains: &[SipDomain],
) -> Result<FoundTenants, DriverError> {
    let database = Database::new(settings, secrets.database.as_ref());
    let mut connection = database.open().await?;
    let reading = read(&mut connection, Owner::new(id.uuid()), domains);
    let what = "reading what stands in FusionPBX's database";
    let rows = database.work(reading).await.map_err(|error| asked(what, error))?;
    let rows = rows.map_err(|source| DriverError::Refused {
        what: what.to_owned(),
        source,
    })?;
    // It may be many, and nothing of it waits for anything.
    let made = spawn_blocking(move || tenants::tenants(rows)).await;
    made.map_err(|error| DriverError::not_applied(what, error))
}

async fn read(
    connection: &mut PgConnection,
    owner: Owner,
    domains: &[SipDomain],
) -> sqlx::Result<Result<Rows, Refusal>> {
    sqlx::raw_sql(BEGIN).execute(&mut *connection).await?;
    if let Err(unknown) = Schema::read(connection).await? {
        return Ok(Err(unknown.into()));
    }
    let names: Vec<&str> = domains.iter().map(SipDomain::as_str).collect();
    let mut reader = Reader {
        connection,
        owner,
        names: (!names.is_empty()).then_some(names),
        bytes: 0,
    };
    reader.all().await
}

struct Reader<'a> {
    connection: &'a mut PgConnection,
    owner: Owner,
    /// None of all domains.
    names: Option<Vec<&'a str>>,
    bytes: usize,
}

impl Reader<'_> {
    async fn all(&mut self) -> sqlx::Result<Result<Rows, Refusal>> {
        let mut rows = Rows::default();
        for (table, into) in [
            (FusionTable::Domains, &mut rows.domains),
            (FusionTable::Extensions, &mut rows.extensions),
            (FusionTable::ExtensionSettings, &mut rows.settings),
            (FusionTable::Voicemails, &mut rows.mailboxes),
        ] {
            match self.rows(table).await? {
                Ok(found) => *into = found,
                Err(refusal) => return Ok(Err(refusal)),
            }
        }
        let ours = sqlx::query_scalar("select domain_uuid from v_domains where insert_user = $1");
        rows.ours = ours
            .bind(self.owner.uuid())
            .fetch_all(&mut *self.connection)
            .await?;
        Ok(Ok(rows))
    }

    /// Rows of others by id. A greeting's sound, which may be long, is left where it is.
    async fn rows(&mut self, table: FusionTable) -> sqlx::Result<Result<Vec<(Uuid, Columns)>, Refusal>> {
        let id = table.id_column();
        let sql = format!(
            "select {id}, jsonb_strip_nulls(to_jsonb(t) - 'voicemail_name_base64')::text from {table} t \
             where {id} is not null and insert_user is distinct from $1 and ($2::text[] is null or {}) order by {id}",
            of_domains(table)
        );
        let asking = sqlx::query_as::<_, (Uuid, String)>(AssertSqlSafe(sql));
        let asking = asking.bind(self.owner.uuid()).bind(self.names.clone());
        let mut found = asking.fetch(&mut *self.connection);
        let mut rows = Vec::new();
        while let Some((id, row)) = found.try_next().await? {
            self.bytes += row.len();
            if rows.len() == MOST_ROWS || self.bytes > MOST_BYTES {
                return Ok(Err(TooMuch(table).into()));
            }
            let row = serde_json::from_str(&row).map_err(|error| sqlx::Error::Decode(error.into()))?;
            rows.push((id, row));
        }
        Ok(Ok(rows))
    }
}

/// Whether a row is of one of the domains that are named.
const fn of_domains(table: FusionTable) -> &'static str {
    match table {
        FusionTable::Domains => "lower(domain_name) = any ($2)",
        FusionTable::ExtensionSettings => {
            "extension_uuid in (select e.extension_uuid from v_extensions e join v_domains d using (domain_uuid) \
             where lower(d.domain_name) = any ($2))"
        }
        _ => "domain_uuid in (select d.domain_uuid from v_domains d where lower(d.domain_name) = any ($2))",
    }
}

/// More than can be looked at in one go.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0} has more than {most} rows that were not made from here, or with the tables before it more than {mib} MiB in them: \
     name the domains with --domain, a part of them at a time",
    most = MOST_ROWS,
    mib = MOST_BYTES / (1024 * 1024)
)]
struct TooMuch(FusionTable);

#[cfg(test)]
mod tests;
