//! The databases and roles on the tests' PostgreSQL server: made anew, and removed once their test's process has ended.

use std::fs;
use std::path::Path;

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use switchyard::domain::ids::{IdSource as _, SystemIds};
use switchyard::store::Database;

/// What a new database holds.
#[derive(Clone, Copy)]
pub enum Schema {
    None,
    Current,
}

/// Any numbers, the same for all.
const MAKING: i64 = 7_246_018;
const SWEEPING: i64 = 7_246_019;

/// So that nobody removes more than they make, and yet all that is left is removed.
const SWEPT_AT_ONCE: usize = 3;

/// A new database of this process; gives its URL.
pub async fn database(server: &str, schema: Schema) -> String {
    let mut connection = PgConnection::connect(server).await.unwrap();
    sweep(&mut connection).await;
    let original = match schema {
        Schema::None => "template1".to_owned(),
        Schema::Current => original(&mut connection, server).await,
    };
    let name = named(OURS);
    execute(
        &mut connection,
        // To write each page into the log, as PostgreSQL does unless told otherwise, takes it twice as long.
        format!("create database {name} template {original} strategy file_copy"),
    )
    .await;
    connection.close().await.unwrap();
    beside(server, &name)
}

/// What the names of the tests' databases and roles begin with; the process that made it follows.
const OURS: &str = "switchyard_test_";
pub const ROLES: &str = "switchyard_role_";

/// A new name of this process.
pub fn named(prefix: &str) -> String {
    format!("{prefix}{}_{}", std::process::id(), SystemIds.next().simple())
}

/// Removes what processes left that have ended. None removes its own: PostgreSQL removes a database once each connection that
/// is being opened has got further, and while a test waits for that its own stand still.
async fn sweep(connection: &mut PgConnection) {
    if !is_granted(connection, SWEEPING).await {
        return;
    }
    // First, so that whoever is here has ended before it is seen which databases are left.
    let roles = left(connection, ROLES, "select rolname::text from pg_roles").await;
    let databases = left(connection, OURS, "select datname::text from pg_database").await;
    let (now, later) = databases.split_at(databases.len().min(SWEPT_AT_ONCE));
    for (_, name) in now {
        execute(connection, format!("drop database {name} with (force)")).await;
    }
    for (process, name) in roles {
        // A role cannot go that still has rights in a database.
        if later.iter().all(|(other, _)| *other != process) {
            execute(connection, format!("drop role {name}")).await;
        }
    }
    execute(connection, format!("select pg_advisory_unlock({SWEEPING})")).await;
}

/// What processes left that have ended: which one, and what.
async fn left(connection: &mut PgConnection, prefix: &str, names: &'static str) -> Vec<(String, String)> {
    let names: Vec<String> = sqlx::query_scalar(names)
        .fetch_all(&mut *connection)
        .await
        .unwrap();
    let of = |name: String| {
        let process = name.strip_prefix(prefix)?.split('_').next()?.to_owned();
        let has_ended = !Path::new("/proc").join(&process).exists();
        has_ended.then_some((process, name))
    };
    names.into_iter().filter_map(of).collect()
}

async fn is_granted(connection: &mut PgConnection, lock: i64) -> bool {
    sqlx::query_scalar("select pg_try_advisory_lock($1)")
        .bind(lock)
        .fetch_one(connection)
        .await
        .unwrap()
}

/// The name of the database of the current schema, which tells the schema. The first who asks makes it; the others wait.
async fn original(connection: &mut PgConnection, server: &str) -> String {
    let name = format!("switchyard_original_{}", fingerprint("migrations/postgres"));
    execute(connection, format!("select pg_advisory_lock({MAKING})")).await;
    let there: bool = sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
        .bind(&name)
        .fetch_one(&mut *connection)
        .await
        .unwrap();
    if !there {
        make(connection, server, &name).await;
    }
    execute(connection, format!("select pg_advisory_unlock({MAKING})")).await;
    name
}

/// Under another name until it is whole.
async fn make(connection: &mut PgConnection, server: &str, name: &str) {
    let half = format!("{name}_half");
    execute(connection, format!("drop database if exists {half} with (force)")).await;
    execute(connection, format!("create database {half}")).await;
    let url = beside(server, &half).parse().unwrap();
    let database = Database::create(&url).await.unwrap();
    database.migrate().await.unwrap();
    database.close().await;
    execute(connection, format!("alter database {half} rename to {name}")).await;
}

/// What the names and texts of the steps in a folder come to.
pub fn fingerprint(folder: &str) -> String {
    let steps = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files: Vec<_> = fs::read_dir(steps)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let mut hasher = blake3::Hasher::new();
    for file in files {
        hasher.update(file.file_name().unwrap().as_encoded_bytes());
        hasher.update(&fs::read(file).unwrap());
    }
    // A name may have 63 characters.
    hasher.finalize().to_hex().chars().take(16).collect()
}

/// The URL of another database of the same server.
fn beside(server: &str, name: &str) -> String {
    let (authority, _) = server.rsplit_once('/').unwrap();
    format!("{authority}/{name}")
}

async fn execute(connection: &mut PgConnection, sql: String) {
    connection.execute(AssertSqlSafe(sql)).await.unwrap();
}
