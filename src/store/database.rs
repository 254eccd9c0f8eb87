//! A database as it stands: connecting, its schema's status, and migrating it.

use std::collections::HashMap;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::migrate::MigrateError;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, Postgres, SqlSafeStr, Sqlite, Transaction};

use super::audit_adoption;
use super::error::StoreError;
use super::schema::{self, Dialect, SchemaStatus, SchemaVersion};
use super::singles::Singles;
use super::tx::{Begun, Connection, Shared, Tx};
use super::url::{DatabaseUrl, Place};

/// How long SQLite waits for another process that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a transaction waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
pub(super) const SQLITE_READERS: u32 = 4;
pub(super) const POSTGRES_CONNECTIONS: u32 = 10;
/// The lock of PostgreSQL that whoever migrates holds.
const MIGRATING: i64 = 0x7377_6974_6368_7964;

/// A connected database of any schema; a [`Store`](super::Store) is made of it once its schema is right.
#[derive(Clone)]
pub struct Database {
    url: DatabaseUrl,
    pub(super) pools: Pools,
}

#[derive(Clone)]
pub(super) enum Pools {
    Sqlite {
        /// One connection: SQLite has one writer, and waiting here is fair where its own lock is not.
        writer: SqlitePool,
        reader: SqlitePool,
        /// For single statements.
        singles: Singles,
    },
    Postgres(PgPool),
}

/// No command makes it: whose it is to be, only the operator knows.
fn refuse_missing_directory(url: &DatabaseUrl) -> Result<(), StoreError> {
    let directory = url.file().and_then(Path::parent);
    match directory.filter(|directory| !directory.as_os_str().is_empty()) {
        Some(directory) if directory.try_exists().is_ok_and(|there| !there) => Err(StoreError::NoDirectory {
            directory: directory.display().to_string(),
        }),
        _ => Ok(()),
    }
}

impl Database {
    /// Connects. A SQLite file must be there; others of the system lose their rights to it.
    pub async fn connect(url: &DatabaseUrl) -> Result<Self, StoreError> {
        refuse_missing_directory(url)?;
        let pools = match &url.0 {
            Place::Sqlite(path) => match keep_private(path).await {
                Ok(()) => sqlite_pools(path).await,
                Err(error) => Err(sqlx::Error::Io(error)),
            },
            Place::Postgres(options) => {
                postgres_pool((**options).clone().application_name("switchyard")).await
            }
        };
        match pools {
            Ok(pools) => Ok(Self {
                url: url.clone(),
                pools,
            }),
            Err(source) => Err(StoreError::Unavailable {
                step: "open",
                database: url.to_string(),
                source,
            }),
        }
    }

    /// Connects like [`Self::connect`], and makes an empty SQLite file where there is none.
    pub async fn create(url: &DatabaseUrl) -> Result<Self, StoreError> {
        refuse_missing_directory(url)?;
        if let Place::Sqlite(path) = &url.0 {
            let mut options = tokio::fs::OpenOptions::new();
            options.write(true).create(true).truncate(false).mode(0o600);
            if let Err(error) = options.open(path).await {
                let source = sqlx::Error::Io(error);
                return Err(StoreError::Unavailable {
                    step: "create",
                    database: url.to_string(),
                    source,
                });
            }
        }
        Self::connect(url).await
    }

    /// Which database this is.
    #[must_use]
    pub const fn url(&self) -> &DatabaseUrl {
        &self.url
    }

    /// How far it is migrated.
    pub async fn status(&self) -> Result<SchemaStatus, StoreError> {
        self.applied()
            .await
            .map(|applied| SchemaStatus::new(applied, self.dialect()))
            .map_err(|source| self.refused("read the schema's version", source))
    }

    /// Applies what is pending, one process at a time; answers what was pending.
    ///
    /// All of them are applied, or none.
    pub async fn migrate(&self) -> Result<Vec<SchemaVersion>, StoreError> {
        let before = self.status().await?;
        if !before.unknown.is_empty() || !before.foreign.is_empty() {
            before.check(&self.url.to_string())?;
        }
        let connection = match &self.pools {
            Pools::Sqlite { writer, .. } => migrated_sqlite(writer)
                .await
                .map(Begun::from)
                .map(Connection::Sqlite),
            Pools::Postgres(pool) => migrated_postgres(pool).await.map(Connection::Postgres),
        };
        let database = self.url.to_string();
        let connection = connection.map_err(|source| StoreError::Migration {
            database: database.clone(),
            source,
        })?;
        let shared = Shared {
            database,
            key: None,
            events: Arc::default(),
            unique_indices: HashMap::new(),
        };
        let mut tx = Tx::new("migrate", false, connection, Arc::new(shared));
        audit_adoption::adopt(&mut tx).await?;
        tx.commit().await?;
        Ok(before.pending)
    }

    /// Lets the database itself read every statement of the program; answers how many there are.
    pub async fn check_statements(&self) -> Result<usize, StoreError> {
        // Reads the schema anew: SQLite prepares by what the connection remembers of it.
        self.status().await?;
        let statements = super::statements();
        for statement in &statements {
            match &self.pools {
                _ if statement.columns > 0 => self.prepare(AssertSqlSafe(statement.sql_for(1))).await,
                Pools::Sqlite { .. } => self.prepare(statement.sql).await,
                Pools::Postgres(_) => self.prepare(statement.postgres).await,
            }
            .map_err(|source| self.refused(statement.name, source))?;
        }
        Ok(statements.len())
    }

    async fn prepare(&self, sql: impl SqlSafeStr) -> sqlx::Result<()> {
        let sql = sql.into_sql_str();
        match &self.pools {
            Pools::Sqlite { writer, .. } => writer.prepare(sql).await.map(drop),
            Pools::Postgres(pool) => pool.prepare(sql).await.map(drop),
        }
    }

    /// Closes all connections; SQLite folds its journal into the file.
    pub async fn close(&self) {
        match &self.pools {
            Pools::Sqlite {
                writer,
                reader,
                singles,
            } => {
                singles.close().await;
                reader.close().await;
                writer.close().await;
            }
            Pools::Postgres(pool) => pool.close().await,
        }
    }

    /// The table and columns of each unique index, by the index's name. Empty on SQLite, which names the
    /// columns itself.
    pub(super) async fn unique_indices(&self) -> Result<HashMap<String, (String, Vec<String>)>, StoreError> {
        let Pools::Postgres(pool) = &self.pools else {
            return Ok(HashMap::new());
        };
        let rows: Vec<(String, String, Vec<String>)> = sqlx::query_as(
            "select i.relname::text, t.relname::text, array_agg(a.attname::text order by k.position) \
             from pg_index x \
             join pg_class i on i.oid = x.indexrelid \
             join pg_class t on t.oid = x.indrelid \
             join pg_namespace n on n.oid = t.relnamespace \
             cross join lateral unnest(x.indkey::int2[]) with ordinality as k (attnum, position) \
             join pg_attribute a on a.attrelid = t.oid and a.attnum = k.attnum \
             where x.indisunique and n.nspname = current_schema() group by i.relname, t.relname",
        )
        .fetch_all(pool)
        .await
        .map_err(|source| self.refused("read the unique indices", source))?;
        Ok(rows
            .into_iter()
            .map(|(index, table, columns)| (index, (table, columns)))
            .collect())
    }

    const fn dialect(&self) -> Dialect {
        match self.pools {
            Pools::Sqlite { .. } => Dialect::Sqlite,
            Pools::Postgres(_) => Dialect::Postgres,
        }
    }

    /// The applied migrations with the checksums of their texts.
    async fn applied(&self) -> sqlx::Result<Vec<(i64, Vec<u8>)>> {
        const APPLIED: &str = "select version, checksum from _sqlx_migrations order by version";
        match &self.pools {
            Pools::Sqlite { writer, .. } => {
                let there = "select count(*) > 0 from sqlite_master where type = 'table' and name = '_sqlx_migrations'";
                if sqlx::query_scalar::<_, bool>(there).fetch_one(writer).await? {
                    return sqlx::query_as(APPLIED).fetch_all(writer).await;
                }
            }
            Pools::Postgres(pool) => {
                let there = "select to_regclass('_sqlx_migrations') is not null";
                if sqlx::query_scalar::<_, bool>(there).fetch_one(pool).await? {
                    return sqlx::query_as(APPLIED).fetch_all(pool).await;
                }
            }
        }
        Ok(Vec::new())
    }

    fn refused(&self, statement: &'static str, source: sqlx::Error) -> StoreError {
        match source {
            sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => {
                StoreError::Unavailable {
                    step: "schema",
                    database: self.url.to_string(),
                    source,
                }
            }
            _ => StoreError::Refused {
                database: self.url.to_string(),
                transaction: "schema",
                statement,
                source,
            },
        }
    }
}

async fn postgres_pool(options: PgConnectOptions) -> sqlx::Result<Pools> {
    // The pool alone would try for the whole timeout and then only say that it gave up.
    PgConnection::connect_with(&options).await?.close().await?;
    let pool = PgPoolOptions::new()
        .max_connections(POSTGRES_CONNECTIONS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        // A transaction costs one round trip less; `Store::begin` copes with a connection that has gone.
        .test_before_acquire(false);
    Ok(Pools::Postgres(pool.connect_lazy_with(options)))
}

async fn sqlite_pools(path: &Path) -> sqlx::Result<Pools> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .journal_mode(SqliteJournalMode::Wal)
        // A committed change survives a power cut: what was answered to the caller is true.
        .synchronous(SqliteSynchronous::Full)
        // What is erased is written over in the file, and not only forgotten.
        .pragma("secure_delete", "on");
    let pool = || {
        SqlitePoolOptions::new()
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .max_lifetime(None)
            .idle_timeout(None)
            // A file does not go away as a server does, and the worker's thread was asked when the connection came back.
            .test_before_acquire(false)
    };
    let writer = pool().max_connections(1).connect_with(options.clone()).await?;
    let single = options.pragma("query_only", "on");
    let reader = pool()
        .max_connections(SQLITE_READERS)
        .connect_with(single.clone())
        .await?;
    let singles = Singles::new(single, SQLITE_READERS as usize, ACQUIRE_TIMEOUT)?;
    Ok(Pools::Sqlite {
        writer,
        reader,
        singles,
    })
}

/// Migrates in one transaction, so that another process waits and then finds nothing to do.
async fn migrated_sqlite(writer: &SqlitePool) -> Result<Transaction<'static, Sqlite>, MigrateError> {
    let mut tx = writer.begin_with("begin immediate").await?;
    schema::migrator(Dialect::Sqlite).run(&mut *tx).await?;
    Ok(tx)
}

/// The same, where transactions do not wait for each other by themselves.
async fn migrated_postgres(pool: &PgPool) -> Result<Transaction<'static, Postgres>, MigrateError> {
    let mut tx = pool.begin().await?;
    sqlx::query("select pg_advisory_xact_lock($1)")
        .bind(MIGRATING)
        .execute(&mut *tx)
        .await?;
    schema::migrator(Dialect::Postgres).run(&mut *tx).await?;
    Ok(tx)
}

/// SQLite gives its journal the rights of the file.
async fn keep_private(path: &Path) -> io::Result<()> {
    let mut rights = tokio::fs::metadata(path).await?.permissions();
    if rights.mode() & 0o077 != 0 {
        rights.set_mode(0o600);
        tokio::fs::set_permissions(path, rights).await?;
    }
    Ok(())
}
