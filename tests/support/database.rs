//! An empty database for a test: a file of SQLite, or one of the PostgreSQL server that the run was given.

use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use switchyard::domain::ids::{IdSource as _, SystemIds};
use tempfile::TempDir;

/// The variable that names a PostgreSQL server: a superuser's URL of its maintenance database.
const POSTGRES: &str = "SWITCHYARD_TEST_POSTGRES_URL";

/// Which database.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Backend {
    Sqlite,
    Postgres,
}

/// A database without any table, gone with the value.
pub struct TestDatabase {
    pub backend: Backend,
    /// As the configuration names it.
    pub url: String,
    /// The folder of a SQLite file.
    pub folder: TempDir,
    /// The PostgreSQL database to drop, with the URL of its server.
    made: Option<(String, String)>,
}

impl TestDatabase {
    pub async fn create(backend: Backend) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (url, made) = match backend {
            Backend::Sqlite => (
                format!("sqlite:{}", folder.path().join("test.db").display()),
                None,
            ),
            Backend::Postgres => {
                let server = std::env::var(POSTGRES).unwrap_or_else(|_| {
                    panic!("{POSTGRES} names no PostgreSQL server; run `./scripts/test`, which starts one")
                });
                let name = format!("switchyard_test_{}", SystemIds.next().simple());
                on_server(&server, format!("create database {name}")).await;
                let (authority, _) = server.rsplit_once('/').unwrap();
                (format!("{authority}/{name}"), Some((server, name)))
            }
        };
        Self {
            backend,
            url,
            folder,
            made,
        }
    }

    /// Runs SQL behind the store's back.
    pub async fn run(&self, sql: &'static str) {
        self.try_run(sql).await.unwrap();
    }

    /// The same, where a refusal is expected.
    pub async fn try_run(&self, sql: &'static str) -> sqlx::Result<()> {
        match self.backend {
            Backend::Sqlite => {
                let mut connection = sqlx::SqliteConnection::connect(&self.url).await?;
                sqlx::raw_sql(sql).execute(&mut connection).await?;
                connection.close().await
            }
            Backend::Postgres => {
                let mut connection = sqlx::PgConnection::connect(&self.url).await?;
                sqlx::raw_sql(sql).execute(&mut connection).await?;
                connection.close().await
            }
        }
    }

    /// Asks something behind the store's back; each row is one text.
    pub async fn ask(&self, sql: String) -> Vec<String> {
        let sql = AssertSqlSafe(sql);
        match self.backend {
            Backend::Sqlite => {
                let mut connection = sqlx::SqliteConnection::connect(&self.url).await.unwrap();
                sqlx::query_scalar(sql).fetch_all(&mut connection).await.unwrap()
            }
            Backend::Postgres => {
                let mut connection = sqlx::PgConnection::connect(&self.url).await.unwrap();
                sqlx::query_scalar(sql).fetch_all(&mut connection).await.unwrap()
            }
        }
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let Some((server, name)) = self.made.take() else {
            return;
        };
        // A runtime of its own, since the test's is in the middle of this drop.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(on_server(&server, format!("drop database {name} with (force)")));
        });
        dropping.join().unwrap();
    }
}

async fn on_server(url: &str, sql: String) {
    let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
    connection.execute(AssertSqlSafe(sql)).await.unwrap();
    connection.close().await.unwrap();
}
