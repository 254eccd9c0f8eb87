//! A PostgreSQL database of its own for a test.

use std::future::Future;

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use switchyard::domain::ids::{IdSource as _, SystemIds};

/// The variable that names a PostgreSQL server: a superuser's URL of its maintenance database.
const SERVER: &str = "SWITCHYARD_TEST_POSTGRES_URL";

/// An empty database; dropped with the value.
pub struct Postgres {
    server: String,
    name: String,
    url: String,
}

impl Postgres {
    pub fn create() -> Self {
        let server = std::env::var(SERVER).unwrap_or_else(|_| {
            panic!("{SERVER} names no PostgreSQL server; run `./scripts/test`, which starts one")
        });
        let name = format!("switchyard_test_{}", SystemIds.next().simple());
        block_on(on_server(&server, format!("create database {name}")));
        let (authority, _) = server.rsplit_once('/').unwrap();
        let url = format!("{authority}/{name}");
        Self { server, name, url }
    }

    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let drop = format!("drop database {} with (force)", self.name);
        block_on(on_server(&self.server, drop));
    }
}

async fn on_server(url: &str, sql: String) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    connection.execute(AssertSqlSafe(sql)).await.unwrap();
    connection.close().await.unwrap();
}

fn block_on(work: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(work);
}
