//! A database of its own for each test.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use secrecy::SecretString;
use sqlx::{AssertSqlSafe, Connection as _};
use switchyard::crypto::SealingKey;
use switchyard::store::{Database, DatabaseUrl, Store};
use tempfile::TempDir;

use super::server::{self, Schema};

/// The variable that names a PostgreSQL server: a superuser's URL of its maintenance database.
const POSTGRES: &str = "SWITCHYARD_TEST_POSTGRES_URL";

/// Which database.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Backend {
    Sqlite,
    Postgres,
}

/// An empty database.
pub struct Bench {
    pub backend: Backend,
    pub url: DatabaseUrl,
    /// The same as it is written, with its password.
    pub text: String,
    /// For a SQLite file, and for whatever else the test keeps.
    pub folder: TempDir,
}

impl Bench {
    /// A SQLite file in a folder of its own below this one, without any table.
    pub fn file_in(parent: &Path) -> Self {
        let folder = tempfile::tempdir_in(parent).unwrap();
        let text = format!("sqlite:{}", folder.path().join("test.db").display());
        Self::new(Backend::Sqlite, text, folder)
    }

    /// A database without any table.
    pub async fn empty(backend: Backend) -> Self {
        match backend {
            Backend::Sqlite => Self::file_in(&std::env::temp_dir()),
            Backend::Postgres => Self::on_postgres(Schema::None).await,
        }
    }

    /// A database of the current schema. It is a copy: all steps take several times as long as one copy.
    pub async fn of_current_schema(backend: Backend) -> Self {
        match backend {
            Backend::Sqlite => {
                let bench = Self::empty(backend).await;
                fs::copy(original().await, bench.file()).unwrap();
                bench
            }
            Backend::Postgres => Self::on_postgres(Schema::Current).await,
        }
    }

    async fn on_postgres(schema: Schema) -> Self {
        let server = std::env::var(POSTGRES).unwrap_or_else(|_| {
            panic!("{POSTGRES} names no PostgreSQL server; run `./scripts/test`, which starts one")
        });
        let text = server::database(&server, schema).await;
        Self::new(Backend::Postgres, text, tempfile::tempdir().unwrap())
    }

    fn new(backend: Backend, text: String, folder: TempDir) -> Self {
        Self {
            backend,
            url: text.parse().unwrap(),
            text,
            folder,
        }
    }

    /// A database of the current schema, and a store with a key.
    pub async fn migrated(backend: Backend) -> (Self, Store) {
        let bench = Self::of_current_schema(backend).await;
        let store = bench.migrate().await;
        (bench, store)
    }

    /// Gives it the current schema, and a store with a key.
    pub async fn migrate(&self) -> Store {
        let database = Database::create(&self.url).await.unwrap();
        database.migrate().await.unwrap();
        Store::from_database(database, Some(key('a'))).await.unwrap()
    }

    /// Another store on the same database, as another process would open it.
    pub async fn another_store(&self, key: Option<SealingKey>) -> Store {
        Store::open(&self.url, key).await.unwrap()
    }

    /// The port of the PostgreSQL server.
    pub fn port(&self) -> u16 {
        let (_, server) = self.text.rsplit_once('@').unwrap();
        let (authority, _) = server.split_once('/').unwrap();
        authority.rsplit_once(':').unwrap().1.parse().unwrap()
    }

    /// Another store on the same database, reached by another port.
    pub async fn store_behind(&self, port: u16) -> Store {
        let text = self
            .text
            .replace(&format!(":{}/", self.port()), &format!(":{port}/"));
        Store::open(&text.parse().unwrap(), Some(key('a'))).await.unwrap()
    }

    /// The SQLite file.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("test.db")
    }

    /// Runs SQL behind the store's back.
    pub async fn sql(&self, sql: &'static str) {
        self.try_sql(sql).await.unwrap();
    }

    /// The same, where a refusal is expected.
    pub async fn try_sql(&self, sql: &'static str) -> sqlx::Result<()> {
        match self.backend {
            Backend::Sqlite => {
                let mut connection = sqlx::SqliteConnection::connect(&self.text).await?;
                sqlx::raw_sql(sql).execute(&mut connection).await?;
                connection.close().await
            }
            Backend::Postgres => {
                let mut connection = sqlx::PgConnection::connect(&self.text).await?;
                sqlx::raw_sql(sql).execute(&mut connection).await?;
                connection.close().await
            }
        }
    }

    /// Has a migration applied again, whose name ends so; what it made must be gone.
    pub async fn forget_migration(&self, ending: &str) {
        let name = "delete from _sqlx_migrations where description like '%";
        let gone = self.ask(format!("{name}{ending}' returning description")).await;
        assert_eq!(gone.len(), 1, "{gone:?}");
    }

    /// Gives others the time to get as far as they can while a transaction is open. Where they wait is seen on PostgreSQL;
    /// on SQLite nobody but its writer is told.
    pub async fn others_wait(&self) {
        let deadline = Instant::now() + Duration::from_secs(3);
        let sql = "select pid::text from pg_stat_activity where datname = current_database() \
            and wait_event_type = 'Lock'";
        while self.backend == Backend::Postgres && Instant::now() < deadline {
            if !self.ask(sql.to_owned()).await.is_empty() {
                return;
            }
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }

    /// Asks something behind the store's back; each row is one text.
    pub async fn ask(&self, sql: String) -> Vec<String> {
        let sql = AssertSqlSafe(sql);
        match self.backend {
            Backend::Sqlite => {
                let mut connection = sqlx::SqliteConnection::connect(&self.text).await.unwrap();
                sqlx::query_scalar(sql).fetch_all(&mut connection).await.unwrap()
            }
            Backend::Postgres => {
                let mut connection = sqlx::PgConnection::connect(&self.text).await.unwrap();
                sqlx::query_scalar(sql).fetch_all(&mut connection).await.unwrap()
            }
        }
    }
}

/// The SQLite file of the current schema, whose name tells the schema. Whoever misses it makes it, under a name of its own
/// until it is whole.
async fn original() -> PathBuf {
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = kept.join(format!(
        "original-{}.db",
        server::fingerprint("migrations/sqlite")
    ));
    if !file.exists() {
        let made = Bench::file_in(kept);
        let database = Database::create(&made.url).await.unwrap();
        database.migrate().await.unwrap();
        database.close().await;
        fs::rename(made.file(), &file).unwrap();
    }
    file
}

/// A key of 64 times the same digit.
pub fn key(digit: char) -> SealingKey {
    let text: SecretString = digit.to_string().repeat(64).into();
    SealingKey::parse(&text).ok().unwrap()
}
