//! The entries from before the audit log was a chain.

use rstest::rstest;
use serde_json::json;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, SqlSafeStr as _};
use switchyard::domain::audit::ActorKind;
use switchyard::store::{Database, StoreError};

use super::audit_chain::{check, found, records};
use super::bench::Backend::{Postgres, Sqlite};
use super::bench::{Backend, Bench};
use super::samples::{audit_entry, store_audit_entries};

/// A database of the migrations before the log was a chain.
async fn unchained(bench: &Bench) -> Database {
    let database = Database::create(&bench.url).await.unwrap();
    let folder = match bench.backend {
        Sqlite => "migrations/sqlite",
        Postgres => "migrations/postgres",
    };
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    let old = files.iter().filter_map(|path| {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let version: i64 = name.split('_').next().unwrap().parse().unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        let sql = AssertSqlSafe(text).into_sql_str();
        (version < 10).then(|| Migration::new(version, name.into(), MigrationType::Simple, sql, false))
    });
    let migrator = Migrator::with_migrations(old.collect());
    match bench.backend {
        Sqlite => {
            let pool = sqlx::SqlitePool::connect(&bench.text).await.unwrap();
            migrator.run(&pool).await.unwrap();
            pool.close().await;
        }
        Postgres => {
            let pool = sqlx::PgPool::connect(&bench.text).await.unwrap();
            migrator.run(&pool).await.unwrap();
            pool.close().await;
        }
    }
    database
}

#[rstest]
#[tokio::test]
async fn a_migration_that_fails_leaves_nothing_behind(#[values(Sqlite, Postgres)] backend: Backend) {
    let bench = Bench::empty(backend).await;
    let database = unchained(&bench).await;
    bench.sql("create table audit_head (x text)").await;
    let before = database.status().await.unwrap();
    assert!(matches!(
        database.migrate().await,
        Err(StoreError::Migration { .. })
    ));
    assert_eq!(database.status().await.unwrap(), before);
    bench.sql("drop table audit_head").await;
    assert_eq!(database.migrate().await.unwrap(), before.pending);
}

#[rstest]
#[tokio::test]
async fn o61_entries_from_before_the_chain_are_put_into_it_as_they_stand(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let bench = Bench::empty(backend).await;
    let database = unchained(&bench).await;
    let (id, tenant, json) = match backend {
        Sqlite => (
            "cast('0123456789' || substr('000000' || n, -6) as blob)",
            "x'0198c0de000070008000000000000001'",
            "",
        ),
        Postgres => (
            "cast('0198c0de-0000-7000-8000-' || lpad(cast(n as text), 12, '0') as uuid)",
            "'0198c0de-0000-7000-8000-000000000001'::uuid",
            "::jsonb",
        ),
    };
    // More than are put in at once, the newest first, several of the same moment.
    let sql = format!(
        "with recursive numbers(n) as (select 1200 union all select n - 1 from numbers where n > 1) \
         insert into audit_entries (id, at, actor, action, resource, target_id, tenant_id, before, reason) \
         select {id}, 1800000000000000 + n / 3, \
           case n % 3 when 0 then 'bootstrap' when 1 then 'system:cli' else 'system:auto' end, 'extension.change', \
           'extension', cast(n as text), case n % 2 when 0 then {tenant} end, '{{\"b\": [1, null], \"a\": 1.50}}'{json}, \
           'asked by phone' from numbers"
    );
    bench.sql(Box::leak(sql.into_boxed_str())).await;

    let applied = database.migrate().await.unwrap();
    assert!(
        applied.iter().any(|step| step.name.ends_with("_audit_chain")),
        "{applied:?}"
    );
    assert!(database.migrate().await.unwrap().is_empty());
    let store = bench.another_store(None).await;
    let report = check(&store, None).await;
    assert_eq!(
        (found(&report), report.entries, report.blanked),
        (vec![], 1200, 0)
    );
    let old = records(&store).await;
    let last = &old[99];
    assert_eq!((last.number, last.entry.target_id.as_str()), (1200, "1200"));
    assert_eq!(last.entry.before, Some(json!({"a": 1.5, "b": [1, null]})));
    assert_eq!(last.entry.reason.as_deref(), Some("asked by phone"));
    let actors: Vec<_> = old[97..]
        .iter()
        .map(|record| {
            (
                record.entry.actor.kind,
                record.entry.actor.name.as_str(),
                record.entry.operating_as,
            )
        })
        .collect();
    let expected = [
        (ActorKind::System, "system:cli", false),
        (ActorKind::System, "system:auto", false),
        (ActorKind::Manager, "bootstrap", true),
    ];
    assert_eq!(actors, expected);
    // The next entry follows on them.
    store_audit_entries(&store, &[&audit_entry(None, 9, "instance.change")]).await;
    assert_eq!(found(&check(&store, None).await), [""; 0]);
    bench
        .sql("update audit_entries set target_id = 'x' where number = 7")
        .await;
    assert_eq!(found(&check(&store, None).await), ["altered 7"]);
}
