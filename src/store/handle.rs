//! The store that a service works with: a database of the right schema, and the key of its secrets.

use std::sync::Arc;

use sqlx::{Connection as _, PgPool, Postgres, Transaction};
use tokio::sync::Notify;

use super::database::{Database, POSTGRES_CONNECTIONS, Pools, SQLITE_READERS};
use super::error::StoreError;
use super::tx::{Begun, Connection, Shared, Tx};
use super::url::DatabaseUrl;
use crate::crypto::SealingKey;

/// Begins transactions. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    database: Database,
    shared: Arc<Shared>,
}

impl Store {
    /// Connects for service; a schema that is not the program's own is refused with what to do about it.
    ///
    /// Without a key everything works that needs no secret.
    pub async fn open(url: &DatabaseUrl, key: Option<SealingKey>) -> Result<Self, StoreError> {
        Self::from_database(Database::connect(url).await?, key).await
    }

    /// The same, of a database that is connected already.
    pub async fn from_database(database: Database, key: Option<SealingKey>) -> Result<Self, StoreError> {
        let name = database.url().to_string();
        database.status().await?.check(&name)?;
        let unique_indices = database.unique_indices().await?;
        let shared = Arc::new(Shared {
            database: name,
            key,
            events: Arc::default(),
            unique_indices,
        });
        Ok(Self { database, shared })
    }

    /// The database itself.
    #[must_use]
    pub const fn database(&self) -> &Database {
        &self.database
    }

    /// Wakes once events for webhooks wait that this process has put there.
    #[must_use]
    pub fn events(&self) -> Arc<Notify> {
        Arc::clone(&self.shared.events)
    }

    /// Begins a transaction that may write. The name stands in logs and errors.
    ///
    /// On SQLite there is one at a time; others wait here.
    pub async fn begin(&self, name: &'static str) -> Result<Tx, StoreError> {
        let connection = match &self.database.pools {
            Pools::Sqlite { writer, .. } => begin_sqlite(writer, "begin immediate").await,
            Pools::Postgres(pool) => begin_postgres(pool, "begin").await,
        };
        self.transaction(name, false, connection)
    }

    /// Begins a transaction that reads one state of the whole database, however long it takes.
    pub async fn read(&self, name: &'static str) -> Result<Tx, StoreError> {
        let connection = match &self.database.pools {
            Pools::Sqlite { reader, .. } => begin_sqlite(reader, "begin").await,
            Pools::Postgres(pool) => {
                begin_postgres(pool, "begin isolation level repeatable read read only").await
            }
        };
        self.transaction(name, true, connection)
    }

    /// Begins to read by a single statement, which sees one state of the whole database by itself: a second one is refused.
    ///
    /// On SQLite, where begin and commit cost more than most statements, there is no transaction around it. PostgreSQL has
    /// one: by its begin it is found out whether the connection still lives.
    pub async fn read_once(&self, name: &'static str) -> Result<Tx, StoreError> {
        let connection = match &self.database.pools {
            Pools::Sqlite { singles, .. } => singles.take().await.map(Begun::Nothing),
            Pools::Postgres(_) => return self.read(name).await.map(Tx::of_one_statement),
        };
        let tx = self.transaction(name, true, connection.map(Connection::Sqlite));
        tx.map(Tx::of_one_statement)
    }

    /// Closes all connections.
    pub async fn close(&self) {
        self.database.close().await;
    }

    fn transaction(
        &self,
        name: &'static str,
        only_reads: bool,
        connection: sqlx::Result<Connection>,
    ) -> Result<Tx, StoreError> {
        match connection {
            Ok(connection) => Ok(Tx::new(name, only_reads, connection, Arc::clone(&self.shared))),
            Err(error) => Err(self.shared.explain(name, "begin", error)),
        }
    }
}

/// Begins on a connection that can: SQLite itself rolls back what it cannot write any further, on a full disk, and sqlx then
/// counts that transaction as begun for ever.
async fn begin_sqlite(pool: &sqlx::SqlitePool, statement: &'static str) -> sqlx::Result<Connection> {
    for _ in 0..SQLITE_READERS {
        match pool.begin_with(statement).await {
            Err(sqlx::Error::InvalidSavePointStatement) => {
                let connection = pool.acquire().await?;
                if connection.is_in_transaction() {
                    connection.close().await?;
                }
            }
            begun => return begun.map(Begun::from).map(Connection::Sqlite),
        }
    }
    let begun = pool.begin_with(statement).await;
    begun.map(Begun::from).map(Connection::Sqlite)
}

/// Begins on a connection that still lives: after a restart of the server, each idle one has gone.
async fn begin_postgres(pool: &PgPool, statement: &'static str) -> sqlx::Result<Connection> {
    let mut attempts = 0;
    loop {
        match begin_to_the_end(pool.clone(), statement).await {
            Err(error) if attempts < POSTGRES_CONNECTIONS && is_gone(&error) => attempts += 1,
            begun => return begun.map(Connection::Postgres),
        }
    }
}

/// Begins also for those who give up meanwhile, such as a request whose client goes away: a connection that went back to
/// the pool with the question unanswered would give the next one a transaction that has begun already, and may only read.
#[expect(
    clippy::disallowed_methods,
    reason = "it ends with the server's answer, and then takes back what nobody waits for"
)]
async fn begin_to_the_end(
    pool: PgPool,
    statement: &'static str,
) -> sqlx::Result<Transaction<'static, Postgres>> {
    let asking = tokio::spawn(async move { pool.begin_with(statement).await });
    asking.await.unwrap_or(Err(sqlx::Error::WorkerCrashed))
}

/// The connection broke, or the server says goodbye on it (SQLSTATE 57P01 to 57P03 and 57P05).
fn is_gone(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| code.starts_with("57P")),
        _ => false,
    }
}
