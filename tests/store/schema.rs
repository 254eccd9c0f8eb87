//! Migrations, and what opening makes of a schema.

use std::os::unix::fs::PermissionsExt;

use futures_util::future::join_all;
use rstest::rstest;
use sqlx::{Connection as _, SqliteConnection};
use switchyard::store::{Database, DatabaseUrl, Store, StoreError};

use super::bench::Backend::{Postgres, Sqlite};
use super::bench::{Backend, Bench};

/// How many migrations there are.
fn migrations() -> usize {
    std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/sqlite"))
        .unwrap()
        .count()
}

/// What `.cargo/config.toml` asks for, where the program is built in the project's directory.
#[tokio::test]
async fn sqlite_keeps_a_statements_plan_and_takes_no_lock_of_the_process_for_memory() {
    let mut memory = SqliteConnection::connect("sqlite::memory:").await.unwrap();
    let options: Vec<(String,)> = sqlx::query_as("pragma compile_options")
        .fetch_all(&mut memory)
        .await
        .unwrap();
    let has = |option: &str| options.iter().any(|(found,)| found == option);
    assert!(has("ENABLE_QPSG") && has("DEFAULT_MEMSTATUS=0"), "{options:?}");
    assert!(!has("ENABLE_MEMORY_MANAGEMENT"), "{options:?}");
}

#[rstest]
#[tokio::test]
async fn every_statement_is_understood(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let count = store.database().check_statements().await.unwrap();
    assert_eq!(count, switchyard::store::statements().len());
    assert!(count > 60, "{count}");
}

#[rstest]
#[tokio::test]
async fn a_statement_that_does_not_fit_is_named(#[values(Sqlite, Postgres)] backend: Backend) {
    let (bench, store) = Bench::migrated(backend).await;
    bench.sql("alter table audit_entries drop column address").await;
    let error = store.database().check_statements().await.unwrap_err();
    assert!(error.to_string().contains("audit::APPEND"), "{error}");
}

#[rstest]
#[tokio::test]
async fn an_unmigrated_database_is_refused_for_service(#[values(Sqlite, Postgres)] backend: Backend) {
    let bench = Bench::empty(backend).await;
    let database = Database::create(&bench.url).await.unwrap();
    let error = Store::from_database(database.clone(), None).await.err().unwrap();
    assert!(
        matches!(&error, StoreError::NotMigrated { pending, .. } if pending.len() == migrations()),
        "{error}"
    );
    assert!(error.to_string().contains("switchyard db migrate"), "{error}");

    let status = database.status().await.unwrap();
    assert_eq!((status.applied.len(), status.pending.len()), (0, migrations()));
    assert_eq!(database.migrate().await.unwrap(), status.pending);
    let migrated = database.status().await.unwrap();
    assert_eq!((migrated.applied, migrated.pending), (status.pending, vec![]));
    assert_eq!(database.migrate().await.unwrap(), []);
    assert!(Store::from_database(database, None).await.is_ok());
}

#[rstest]
#[tokio::test]
async fn a_half_migrated_database_is_refused_and_can_be_migrated(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (bench, store) = Bench::migrated(backend).await;
    bench.sql("drop table sealing_keys").await;
    bench.sql("delete from _sqlx_migrations where version = 9").await;
    let error = Store::open(&bench.url, None).await.err().unwrap();
    assert!(error.to_string().contains("`0009_sealing_key`"), "{error}");
    let applied = store.database().migrate().await.unwrap();
    assert_eq!(applied.iter().map(|step| step.version).collect::<Vec<_>>(), [9]);
    assert!(Store::open(&bench.url, None).await.is_ok());
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn four_processes_migrate_at_the_same_time(#[values(Sqlite, Postgres)] backend: Backend) {
    let bench = Bench::empty(backend).await;
    let mut databases = Vec::new();
    for _ in 0..4 {
        databases.push(Database::create(&bench.url).await.unwrap());
    }
    for outcome in join_all(databases.iter().map(Database::migrate)).await {
        outcome.unwrap();
    }
    for database in &databases {
        assert_eq!(database.status().await.unwrap().pending, []);
        assert!(database.check_statements().await.unwrap() > 60);
    }
}

#[rstest]
#[tokio::test]
async fn a_newer_schema_is_refused(#[values(Sqlite, Postgres)] backend: Backend) {
    let (bench, store) = Bench::migrated(backend).await;
    bench
        .sql("update _sqlx_migrations set version = 9999 where version = 5")
        .await;
    let error = Store::open(&bench.url, None).await.err().unwrap();
    assert!(
        matches!(error, StoreError::NewerSchema { version: 9999, .. }),
        "{error}"
    );
    let error = store.database().migrate().await.unwrap_err();
    assert!(matches!(error, StoreError::NewerSchema { .. }), "{error}");
}

#[rstest]
#[tokio::test]
async fn a_migration_with_another_text_is_refused(#[values(Sqlite, Postgres)] backend: Backend) {
    let (bench, store) = Bench::migrated(backend).await;
    bench.sql("update _sqlx_migrations set checksum = (select checksum from _sqlx_migrations where version = 1) where version = 2").await;
    let error = Store::open(&bench.url, None).await.err().unwrap();
    assert!(
        matches!(&error, StoreError::ForeignSchema { name, .. } if name == "0002_extensions"),
        "{error}"
    );
    assert!(matches!(
        store.database().migrate().await,
        Err(StoreError::ForeignSchema { .. })
    ));
}

/// What the migrations of one database make, in words that are the same for both.
#[rstest]
#[case::columns(
    "select m.name || '.' || i.name || case when i.\"notnull\" = 0 then '?' else '' end \
     from sqlite_master m, pragma_table_info(m.name) i where m.type = 'table' order by 1",
    "select table_name || '.' || column_name || case when is_nullable = 'YES' then '?' else '' end \
     from information_schema.columns where table_schema = 'public'",
    80
)]
#[case::unique_columns(
    "select name || '(' || group_concat(part, ',') || ')' from \
     (select m.name as name, x.name as idx, i.name as part \
      from sqlite_master m, pragma_index_list(m.name) x, pragma_index_info(x.name) i \
      where m.type = 'table' and x.\"unique\" = 1 order by m.name, x.name, i.seqno) group by name, idx",
    "select t.relname || '(' || string_agg(a.attname::text, ',' order by k.position) || ')' \
     from pg_index x join pg_class t on t.oid = x.indrelid \
     cross join lateral unnest(x.indkey::int2[]) with ordinality as k (attnum, position) \
     join pg_attribute a on a.attrelid = t.oid and a.attnum = k.attnum \
     where x.indisunique and t.relnamespace = 'public'::regnamespace group by t.relname, x.indexrelid",
    20
)]
#[case::references(
    "select name || '(' || group_concat(col, ',') || ') ' || target || '(' || group_concat(other, ',') || ') ' \
     || lower(deletion) from \
     (select m.name as name, f.id as id, f.\"from\" as col, f.\"table\" as target, f.\"to\" as other, \
      f.on_delete as deletion from sqlite_master m, pragma_foreign_key_list(m.name) f \
      where m.type = 'table' order by m.name, f.id, f.seq) group by name, id, target, deletion",
    "select t.relname || '(' || string_agg(a.attname::text, ',' order by k.position) || ') ' || o.relname \
     || '(' || string_agg(b.attname::text, ',' order by k.position) || ') ' \
     || case f.confdeltype when 'c' then 'cascade' when 'n' then 'set null' when 'a' then 'no action' end \
     from pg_constraint f join pg_class t on t.oid = f.conrelid join pg_class o on o.oid = f.confrelid \
     cross join lateral unnest(f.conkey, f.confkey) with ordinality as k (own, other, position) \
     join pg_attribute a on a.attrelid = t.oid and a.attnum = k.own \
     join pg_attribute b on b.attrelid = o.oid and b.attnum = k.other \
     where f.contype = 'f' group by t.relname, o.relname, f.oid",
    20
)]
#[tokio::test]
async fn both_databases_have_the_same(
    #[case] in_sqlite: &str,
    #[case] in_postgres: &str,
    #[case] at_least: usize,
) {
    let (sqlite, sqlite_store) = Bench::migrated(Sqlite).await;
    let (postgres, postgres_store) = Bench::migrated(Postgres).await;
    let mut found = [
        sqlite.ask(in_sqlite.to_owned()).await,
        postgres.ask(in_postgres.to_owned()).await,
    ];
    for lines in &mut found {
        lines.retain(|line| !line.starts_with("_sqlx"));
        lines.sort();
    }
    assert_eq!(found[0], found[1]);
    assert!(found[0].len() >= at_least, "{:#?}", found[0]);
    drop((sqlite_store, postgres_store));
}

#[tokio::test]
async fn a_sqlite_file_belongs_to_its_owner_alone() {
    let (bench, store) = Bench::migrated(Sqlite).await;
    let mode = |name: &str| {
        let path = bench.file().with_file_name(name);
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    };
    assert_eq!(
        [mode("test.db"), mode("test.db-wal"), mode("test.db-shm")],
        [0o600; 3]
    );
    store.close().await;

    std::fs::set_permissions(bench.file(), PermissionsExt::from_mode(0o644)).unwrap();
    let again = bench.another_store(None).await;
    assert_eq!(mode("test.db"), 0o600);
    again.close().await;
}

#[tokio::test]
async fn a_missing_sqlite_file_is_not_made_by_opening() {
    let bench = Bench::empty(Sqlite).await;
    let error = Store::open(&bench.url, None).await.err().unwrap();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
    assert!(!bench.file().exists());
}

#[tokio::test]
async fn a_postgresql_that_is_away_is_unavailable_and_the_password_stays_out_of_the_error() {
    let url: DatabaseUrl = "postgres://ann:hunter2@127.0.0.1:1/pbx".parse().unwrap();
    let error = Store::open(&url, None).await.err().unwrap();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
    assert!(
        error.to_string().contains("postgres://127.0.0.1:1/pbx"),
        "{error}"
    );
    assert!(!format!("{error:?}").contains("hunter2"));
}
