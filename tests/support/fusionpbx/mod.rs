//! A database of FusionPBX: its tables in a real PostgreSQL, filled as an operator's would be.

mod rows;
mod snapshot;
mod tables;

use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, PgPool};
use switchyard::domain::ids::{IdSource as _, SystemIds};

use crate::support::database::{Backend, Bench};

pub use rows::{ExtensionRow, OPERATOR, OPERATOR_UUID};
pub use snapshot::Snapshot;
pub use tables::Booleans;

/// A database, gone with the value.
pub struct FusionPbx {
    /// Of the owner of all tables.
    pub pool: PgPool,
    // Before the roles: a role cannot go that still has rights in a database.
    bench: Bench,
    roles: Roles,
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
        let roles = Roles {
            server: bench.text.clone(),
            names: Vec::new(),
        };
        Self { pool, bench, roles }
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
    pub async fn role(&mut self, rights: impl FnOnce(&str) -> String) -> String {
        let name = format!("switchyard_role_{}", SystemIds.next().simple());
        let password = SystemIds.next().simple().to_string();
        self.run(&format!("create role {name} login password '{password}'"))
            .await;
        self.roles.names.push(name.clone());
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

/// Roles belong to the whole server, so they go by themselves.
struct Roles {
    server: String,
    names: Vec<String>,
}

impl Drop for Roles {
    fn drop(&mut self) {
        let names = std::mem::take(&mut self.names);
        if names.is_empty() {
            return;
        }
        // The database that the URL names is gone by now.
        let (server, _) = self.server.rsplit_once('/').unwrap();
        let server = format!("{server}/postgres");
        // A runtime of its own, since the test's is in the middle of this drop.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let mut connection = PgConnection::connect(&server).await.unwrap();
                for name in names {
                    connection
                        .execute(AssertSqlSafe(format!("drop role {name}")))
                        .await
                        .unwrap();
                }
            });
        });
        dropping.join().unwrap();
    }
}
