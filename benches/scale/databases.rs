//! Where a box lies: in a SQLite file, or in a database of its own on a PostgreSQL server.

use std::fs::File;
use std::path::Path;

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, SqliteConnection};
use switchyard::domain::ids::{IdSource as _, SystemIds};

use super::Outcome;

/// Names the PostgreSQL server: a superuser's URL of its maintenance database.
const SERVER: &str = "SWITCHYARD_TEST_POSTGRES_URL";
/// Holds the URL in the directory of a box that does not lie in a SQLite file there.
const FILE: &str = "database-url";
/// The SQLite file there.
const SQLITE: &str = "scale.db";
/// What of a server's settings a time of it depends on most.
const SETTINGS: &str = "select 'PostgreSQL ' || current_setting('server_version') || ' with ' || string_agg(name || ' ' \
    || current_setting(name), ', ') from unnest(array['fsync', 'synchronous_commit', 'full_page_writes', 'shared_buffers', \
    'max_wal_size', 'autovacuum']) name";

/// Which database.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Sqlite,
    Postgres,
}

/// The URL of the database of the box in a directory.
pub fn url(directory: &Path) -> String {
    std::fs::read_to_string(directory.join(FILE))
        .unwrap_or_else(|_| format!("sqlite:{}", directory.join(SQLITE).display()))
}

/// Of which kind it is.
pub fn kind(directory: &Path) -> Kind {
    if url(directory).starts_with("sqlite:") {
        Kind::Sqlite
    } else {
        Kind::Postgres
    }
}

/// Runs SQL behind the program's back, each statement by itself.
pub async fn execute(directory: &Path, statements: Vec<String>) -> Outcome<()> {
    let url = url(directory);
    match kind(directory) {
        Kind::Sqlite => {
            let mut database = SqliteConnection::connect(&url).await?;
            for statement in statements {
                database.execute(AssertSqlSafe(statement)).await?;
            }
            database.close().await?;
            // What is measured next does not wait for the disk to take this.
            File::open(directory.join(SQLITE))?.sync_all()?;
        }
        Kind::Postgres => {
            let mut database = PgConnection::connect(&url).await?;
            for statement in statements {
                database.execute(AssertSqlSafe(statement)).await?;
            }
            database.execute("checkpoint").await?;
            database.close().await?;
        }
    }
    Ok(())
}

/// A database on the server, for the box in a directory.
pub struct OnServer {
    server: PgConnection,
    name: String,
    /// What the server is, and how it is set.
    pub settings: String,
}

impl OnServer {
    /// Makes it.
    pub async fn create(directory: &Path) -> Outcome<Self> {
        let url = std::env::var(SERVER).map_err(|_| format!("{SERVER} names no PostgreSQL server"))?;
        let (authority, _) = url.rsplit_once('/').ok_or("no path in the server's URL")?;
        let name = format!("switchyard_bench_{}", SystemIds.next().simple());
        let mut server = PgConnection::connect(&url).await?;
        let settings = sqlx::query_scalar(SETTINGS).fetch_one(&mut server).await?;
        std::fs::write(directory.join(FILE), format!("{authority}/{name}"))?;
        server
            .execute(AssertSqlSafe(format!("create database {name}")))
            .await?;
        Ok(Self {
            server,
            name,
            settings,
        })
    }

    /// Drops it, whoever is connected to it still.
    pub async fn drop(mut self) -> Outcome<()> {
        let drop = format!("drop database {} with (force)", self.name);
        self.server.execute(AssertSqlSafe(drop)).await?;
        Ok(self.server.close().await?)
    }
}
