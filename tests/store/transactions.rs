//! Transactions: what is kept, what is not, and what happens at the same time.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::join_all;
use rstest::rstest;
use switchyard::domain::query::TenantQuery;
use switchyard::store::{StoreError, extensions, instances, tenant_overviews, tenants};

use super::bench::Backend::{Postgres, Sqlite};
use super::bench::{Backend, Bench, key};
use super::samples::{World, instance, instance_secrets, tenant};

#[rstest]
#[tokio::test]
async fn a_dropped_transaction_leaves_nothing_behind(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let mut tx = store.begin("dropped").await.unwrap();
    instances::insert(&mut tx, &instance("main"), &instance_secrets())
        .await
        .unwrap();
    assert_eq!(instances::list(&mut tx).await.unwrap().len(), 1);
    drop(tx);
    let mut tx = store.begin("after").await.unwrap();
    assert_eq!(instances::list(&mut tx).await.unwrap(), []);
}

/// A request whose client goes away is dropped wherever it stands: also while the database is asked to begin.
#[rstest]
#[tokio::test]
async fn who_gives_up_while_a_transaction_begins_leaves_none_open(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    for polls in [1, 1, 1, 2, 3, 4] {
        let mut given_up = Box::pin(store.read("given_up"));
        for _ in 0..polls {
            let has_begun = poll_fn(|context| Poll::Ready(given_up.as_mut().poll(context).is_ready()));
            if has_begun.await {
                break;
            }
        }
        drop(given_up);
        let mut tx = store.begin("after").await.unwrap();
        assert!(tenants::lock(&mut tx, world.acme.id).await.unwrap());
        tx.commit().await.unwrap();
    }
}

#[rstest]
#[tokio::test]
async fn a_transaction_with_a_failed_statement_is_not_committed(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let mut tx = store.begin("swallow_a_conflict").await.unwrap();
    tenants::insert(&mut tx, &tenant(world.instance.id, "Initech"))
        .await
        .unwrap();
    assert!(
        tenants::insert(&mut tx, &tenant(world.instance.id, "Initech"))
            .await
            .is_err()
    );
    let error = tx.commit().await.unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::Aborted {
                transaction: "swallow_a_conflict",
                ..
            }
        ),
        "{error}"
    );
    assert!(error.to_string().contains("tenants::INSERT"), "{error}");

    let mut tx = store.read("look").await.unwrap();
    assert_eq!(
        tenant_overviews::list(&mut tx, &TenantQuery::default())
            .await
            .unwrap()
            .total,
        2
    );
}

/// As it does on a full disk; here a trigger makes it.
#[tokio::test]
async fn what_sqlite_rolls_back_by_itself_keeps_no_later_transaction_from_beginning() {
    let (bench, store) = Bench::migrated(Sqlite).await;
    let world = World::store(&store).await;
    bench
        .sql(
            "create trigger guard before insert on tenants when new.name = 'Tenant Initech' \
             begin select raise(rollback, 'refused'); end",
        )
        .await;
    for _ in 0..3 {
        let mut tx = store.begin("rolled_back").await.unwrap();
        let initech = tenant(world.instance.id, "Initech");
        assert!(tenants::insert(&mut tx, &initech).await.is_err());
        drop(tx);
        let mut tx = store.begin("after").await.unwrap();
        assert!(tenants::find(&mut tx, world.acme.id).await.unwrap().is_some());
        tx.commit().await.unwrap();
    }
}

#[rstest]
#[tokio::test]
async fn a_reading_transaction_cannot_write(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let mut tx = store.read("only_look").await.unwrap();
    let error = instances::insert(&mut tx, &instance("main"), &instance_secrets())
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::Refused {
                transaction: "only_look",
                ..
            }
        ),
        "{error}"
    );
}

#[rstest]
#[tokio::test]
async fn a_reading_transaction_sees_one_moment(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let mut reading = store.read("long_look").await.unwrap();
    assert_eq!(instances::list(&mut reading).await.unwrap(), []);
    World::store(&store).await;
    assert_eq!(instances::list(&mut reading).await.unwrap(), []);
    assert_eq!(
        tenant_overviews::list(&mut reading, &TenantQuery::default())
            .await
            .unwrap()
            .total,
        0
    );
    drop(reading);
    let mut reading = store.read("look_again").await.unwrap();
    assert_eq!(instances::list(&mut reading).await.unwrap().len(), 1);
}

/// By such reads it is decided who may do what: what another process has just changed counts.
#[rstest]
#[tokio::test]
async fn a_read_of_one_statement_sees_the_state_of_its_moment_and_runs_no_second(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let other = bench.another_store(Some(key('a'))).await;
    for version in 2..12 {
        let mut tx = other.begin("change").await.unwrap();
        tenants::bump_secrets_version(&mut tx, world.acme.id)
            .await
            .unwrap();
        tx.commit().await.unwrap();

        let mut tx = store.read_once("one_look").await.unwrap();
        let acme = tenants::find(&mut tx, world.acme.id).await.unwrap().unwrap();
        assert_eq!(acme.secrets_version, version);
        let refused = tenants::find(&mut tx, world.acme.id).await.unwrap_err();
        assert!(
            matches!(
                refused,
                StoreError::Used {
                    transaction: "one_look"
                }
            ),
            "{refused}"
        );
    }
}

#[rstest]
#[tokio::test]
async fn a_read_of_one_statement_cannot_write(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let mut tx = store.read_once("one_look").await.unwrap();
    let refused = tenants::bump_secrets_version(&mut tx, world.acme.id).await;
    assert!(matches!(refused, Err(StoreError::Refused { .. })));
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn four_processes_write_at_the_same_time_and_none_is_refused(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let mut writers = Vec::new();
    for writer in 0..4 {
        let (store, instance) = (bench.another_store(Some(key('a'))).await, world.instance.id);
        writers.push(async move {
            for round in 0..50 {
                let mut tx = store.begin("write").await?;
                // Reading first is what makes a plain `begin` fail on SQLite.
                tenants::find(&mut tx, world.acme.id).await?;
                tenants::bump_secrets_version(&mut tx, world.acme.id).await?;
                tenants::insert(&mut tx, &tenant(instance, &format!("T{writer}-{round}"))).await?;
                tx.commit().await?;
            }
            store.close().await;
            Ok::<(), StoreError>(())
        });
    }
    for outcome in join_all(writers).await {
        outcome.unwrap();
    }
    let mut tx = store.read("count").await.unwrap();
    assert_eq!(
        tenant_overviews::list(&mut tx, &TenantQuery::default())
            .await
            .unwrap()
            .total,
        202
    );
    let acme = tenants::find(&mut tx, world.acme.id).await.unwrap().unwrap();
    assert_eq!(acme.secrets_version, 201);
}

#[tokio::test]
async fn a_transactions_future_may_move_between_threads() {
    fn may_move<T: Send>(future: T) -> T {
        future
    }
    let (_bench, store) = Bench::migrated(Sqlite).await;
    may_move(async {
        let mut tx = store.begin("move").await?;
        instances::insert(&mut tx, &instance("main"), &instance_secrets()).await?;
        extensions::insert_many(&mut tx, &[]).await?;
        tx.commit().await
    })
    .await
    .unwrap();
}

#[rstest]
#[tokio::test]
async fn a_tenants_lock_makes_the_next_one_wait(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let mut first = store.begin("first").await.unwrap();
    assert!(tenants::lock(&mut first, world.acme.id).await.unwrap());
    let second = async {
        let mut tx = store.begin("second").await.unwrap();
        tenants::lock(&mut tx, world.acme.id).await.unwrap()
    };
    tokio::pin!(second);
    assert!(
        tokio::time::timeout(Duration::from_millis(200), &mut second)
            .await
            .is_err()
    );
    first.commit().await.unwrap();
    assert!(
        tokio::time::timeout(Duration::from_secs(5), second)
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn connections_that_the_server_ended_are_replaced_unnoticed() {
    let (bench, store) = Bench::migrated(Postgres).await;
    World::store(&store).await;
    let mut transactions = Vec::new();
    for _ in 0..5 {
        transactions.push(store.begin("hold").await.unwrap());
    }
    for tx in transactions {
        tx.commit().await.unwrap();
    }
    bench
        .sql("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'switchyard' and datname = current_database()")
        .await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    for _ in 0..5 {
        let mut tx = store.begin("after_the_restart").await.unwrap();
        assert_eq!(instances::list(&mut tx).await.unwrap().len(), 1);
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn a_deadlock_is_busy_and_not_a_refusal() {
    let (_bench, store) = Bench::migrated(Postgres).await;
    let world = World::store(&store).await;
    let mut one = store.begin("one").await.unwrap();
    let mut two = store.begin("two").await.unwrap();
    tenants::lock(&mut one, world.acme.id).await.unwrap();
    tenants::lock(&mut two, world.globex.id).await.unwrap();
    let crossing = async {
        let outcome = tenants::lock(&mut one, world.globex.id).await;
        drop(one);
        outcome
    };
    let crossed = async {
        let outcome = tenants::lock(&mut two, world.acme.id).await;
        drop(two);
        outcome
    };
    let (crossing, crossed) = futures_util::future::join(crossing, crossed).await;
    let loser = crossing.err().or(crossed.err()).unwrap();
    assert!(matches!(loser, StoreError::Busy { .. }), "{loser}");
}
