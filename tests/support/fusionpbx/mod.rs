//! A database of FusionPBX: its tables in a real PostgreSQL, filled as an operator's would be.

mod rows;
mod snapshot;
mod tables;

use secrecy::SecretString;
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, Executor as _, PgPool};
use switchyard::domain::ids::{IdSource as _, SystemIds};
use switchyard::domain::instance::{FusionPbxSettings, Tls};
use url::Url;

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
        let mut url = Url::parse(&self.bench.text).unwrap();
        url.set_username(&name).unwrap();
        url.set_password(Some(&password)).unwrap();
        url.to_string()
    }

    /// Makes a role that may do what the project grants its own; gives its URL.
    pub async fn own_role(&self) -> String {
        self.role(rights).await
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

/// How a database of that URL and an event socket are reached, with the role's password.
pub fn settings(database: &str, event_socket: u16) -> (FusionPbxSettings, SecretString) {
    let url = Url::parse(database).unwrap();
    let settings = FusionPbxSettings {
        database_host: url.host_str().unwrap().parse().unwrap(),
        database_port: url.port().unwrap(),
        database_name: url.path().trim_start_matches('/').parse().unwrap(),
        database_username: url.username().parse().unwrap(),
        database_tls: Some(Tls::Off),
        event_socket_host: "127.0.0.1".parse().unwrap(),
        event_socket_port: event_socket,
        recordings_dir: None,
        voicemail_dir: None,
        emergency_numbers: Vec::new(),
    };
    (settings, url.password().unwrap().into())
}

/// What the project grants its role, as the tests' roles are named.
fn rights(role: &str) -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/pbx/fusionpbx/grants.sql");
    let text = std::fs::read_to_string(path).unwrap();
    text.replace(":\"role\"", role)
}
