//! An empty database for each test, on either server, and ways to look into it from outside.

use std::path::PathBuf;

use secrecy::SecretString;
use switchyard::crypto::SealingKey;
use switchyard::store::{Database, DatabaseUrl, Store};

pub use crate::database::Backend;
use crate::database::TestDatabase;

/// An empty database.
pub struct Bench {
    pub url: DatabaseUrl,
    database: TestDatabase,
}

impl Bench {
    /// A database without any table.
    pub async fn empty(backend: Backend) -> Self {
        let database = TestDatabase::create(backend).await;
        let url = database.url.parse().unwrap();
        Self { url, database }
    }

    /// A database of the current schema, and a store with a key.
    pub async fn migrated(backend: Backend) -> (Self, Store) {
        let bench = Self::empty(backend).await;
        let database = Database::create(&bench.url).await.unwrap();
        database.migrate().await.unwrap();
        let store = Store::from_database(database, Some(key('a'))).await.unwrap();
        (bench, store)
    }

    /// Another store on the same database, as another process would open it.
    pub async fn another_store(&self, key: Option<SealingKey>) -> Store {
        Store::open(&self.url, key).await.unwrap()
    }

    /// The SQLite file.
    pub fn file(&self) -> PathBuf {
        self.database.folder.path().join("test.db")
    }

    /// Runs SQL behind the store's back.
    pub async fn sql(&self, sql: &'static str) {
        self.database.run(sql).await;
    }

    /// The same, where a refusal is expected.
    pub async fn try_sql(&self, sql: &'static str) -> sqlx::Result<()> {
        self.database.try_run(sql).await
    }

    /// Asks something behind the store's back; each row is one text.
    pub async fn ask(&self, sql: String) -> Vec<String> {
        self.database.ask(sql).await
    }
}

/// A key of 64 times the same digit.
pub fn key(digit: char) -> SealingKey {
    let text: SecretString = digit.to_string().repeat(64).into();
    SealingKey::parse(&text).ok().unwrap()
}
