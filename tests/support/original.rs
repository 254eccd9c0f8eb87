//! The PostgreSQL database of the current schema that the tests' own are copies of.

use std::fs;
use std::path::Path;

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use switchyard::store::Database;

use super::database::beside;

/// Any number, the same for all.
const MAKING: i64 = 7_246_018;

/// Its name, which tells the schema. The first who asks makes it; the others wait for it.
pub async fn of_current_schema(server: &str) -> String {
    let name = format!("switchyard_original_{}", schema());
    let mut connection = PgConnection::connect(server).await.unwrap();
    let lock = format!("select pg_advisory_lock({MAKING})");
    connection.execute(AssertSqlSafe(lock)).await.unwrap();
    let there: bool = sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
        .bind(&name)
        .fetch_one(&mut connection)
        .await
        .unwrap();
    if !there {
        make(&mut connection, server, &name).await;
    }
    // Which gives the lock back.
    connection.close().await.unwrap();
    name
}

/// Under another name until it is whole.
async fn make(connection: &mut PgConnection, server: &str, name: &str) {
    let half = format!("{name}_half");
    for sql in [
        format!("drop database if exists {half} with (force)"),
        format!("create database {half}"),
    ] {
        connection.execute(AssertSqlSafe(sql)).await.unwrap();
    }
    let url = beside(server, &half).parse().unwrap();
    let database = Database::create(&url).await.unwrap();
    database.migrate().await.unwrap();
    database.close().await;
    let sql = format!("alter database {half} rename to {name}");
    connection.execute(AssertSqlSafe(sql)).await.unwrap();
}

/// What the steps' texts come to.
fn schema() -> String {
    let steps = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/postgres");
    let mut files: Vec<_> = fs::read_dir(steps)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let mut hasher = blake3::Hasher::new();
    for file in files {
        hasher.update(&fs::read(file).unwrap());
    }
    // A name may have 63 characters.
    hasher.finalize().to_hex().chars().take(16).collect()
}
