//! A database of FusionPBX: its tables in a real PostgreSQL, filled as an operator's would be.

mod rows;
mod snapshot;
mod tables;

use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, Executor as _, PgPool};
use switchyard::domain::ids::{IdSource as _, SystemIds};

use crate::support::database::{Backend, Bench};
use crate::support::server;

pub use rows::{ExtensionRow, OPERATOR, OPERATOR_UUID};
pub use snapshot::Snapshot;
pub use tables::Booleans;

/// A database, gone once the test's process has ended.
pub struct FusionPbx {
    /// Of the owner of all tables.
    pub pool: PgPool,
    bench: Bench,
}

impl FusionPbx {
    /// All tables, empty.
    pub async fn empty(booleans: Booleans) -> Self {
        let bench = Bench::empty(Backend::Postgres).await;
        let pool = PgPoolOptions::new()
            .max_connections(16)
            .connect(&bench.text)
            .await
            .unwrap();
        pool.execute(AssertSqlSafe(tables::ddl(booleans))).await.unwrap();
        Self { pool, bench }
    }

    /// With what an operator's database holds before we come: a domain of its own with extensions and numbers, global
    /// dialplans, SIP profiles, settings, and what its pages leave behind: rows without a name, without a domain, twice.
    pub async fn furnished(booleans: Booleans) -> Self {
        let fusionpbx = Self::empty(booleans).await;
        fusionpbx.run(rows::SURROUNDINGS).await;
        fusionpbx
    }

    /// The URL of the owner of all tables.
    pub fn url(&self) -> &str {
        &self.bench.text
    }

    /// Runs statements.
    pub async fn run(&self, sql: &str) {
        self.pool.execute(AssertSqlSafe(sql.to_owned())).await.unwrap();
    }

    /// Makes a role that may do nothing, and then runs what `rights` says for its name; gives its URL.
    pub async fn role(&self, rights: impl FnOnce(&str) -> String) -> String {
        let name = server::named(server::ROLES);
        let password = SystemIds.next().simple().to_string();
        self.run(&format!("create role {name} login password '{password}'"))
            .await;
        self.run(&rights(&name)).await;
        let mut url = url::Url::parse(&self.bench.text).unwrap();
        url.set_username(&name).unwrap();
        url.set_password(Some(&password)).unwrap();
        url.to_string()
    }

    /// All rows of all tables as they are.
    pub async fn snapshot(&self) -> Snapshot {
        Snapshot::of(&self.pool).await
    }

    /// A domain with nothing in it; gives its uuid.
    pub async fn add_domain(&self, name: &str) -> String {
        rows::add_domain(self, name).await
    }

    pub async fn add_extension(&self, row: &ExtensionRow<'_>) -> String {
        rows::add_extension(self, row).await
    }
}
