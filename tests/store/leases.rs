//! Leases: one holder at a time, lapsing, and an epoch that only grows.

use std::time::Duration;

use futures_util::future::join_all;
use rstest::rstest;
use switchyard::store::leases::Lease;
use switchyard::store::{StoreError, instances, leases};

use super::bench::Backend::{Postgres, Sqlite};
use super::bench::{Backend, Bench, key};
use super::samples::{World, at, instance, instance_secrets};

/// 10 microseconds: `at` counts in them.
const TTL: Duration = Duration::from_micros(10);

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn of_twenty_at_once_one_gets_the_lease_and_the_next_after_it_lapsed(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (bench, store) = Bench::migrated(backend).await;
    let other = bench.another_store(Some(key('a'))).await;
    let world = World::store(&store).await;
    for (round, epoch) in [(0, 1), (10, 2), (20, 3)] {
        let tasks = (0..20).map(|task| {
            let store = if task % 2 == 0 { &store } else { &other };
            let instance = world.instance.id;
            async move {
                let mut tx = store.begin("acquire").await.unwrap();
                let taken = leases::acquire(&mut tx, instance, &format!("{task}"), None, at(round), TTL)
                    .await
                    .unwrap();
                tx.commit().await.unwrap();
                taken.map(|epoch| (task, epoch))
            }
        });
        let winners: Vec<_> = join_all(tasks).await.into_iter().flatten().collect();
        assert_eq!(winners.len(), 1, "{winners:?}");
        assert_eq!(winners[0].1, epoch);
        let mut tx = store.read("find").await.unwrap();
        let found = leases::find(&mut tx, world.instance.id).await.unwrap();
        let holder = winners[0].0.to_string();
        assert_eq!(
            found,
            Some(Lease {
                holder,
                epoch,
                expires_at: at(round + 10)
            })
        );
    }
}

#[rstest]
#[tokio::test]
async fn a_lease_is_renewed_by_its_holder_until_it_lapses(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let id = world.instance.id;
    let mut tx = store.begin("lease").await.unwrap();
    assert_eq!(leases::find(&mut tx, id).await.unwrap(), None);
    assert!(!leases::renew(&mut tx, id, 1, at(0), TTL).await.unwrap());
    assert_eq!(
        leases::acquire(&mut tx, id, "a", None, at(0), TTL).await.unwrap(),
        Some(1)
    );
    assert_eq!(
        leases::acquire(&mut tx, id, "a", None, at(9), TTL).await.unwrap(),
        None
    );
    assert!(leases::renew(&mut tx, id, 1, at(9), TTL).await.unwrap());
    assert!(!leases::renew(&mut tx, id, 2, at(9), TTL).await.unwrap());
    assert_eq!(
        leases::acquire(&mut tx, id, "b", None, at(18), TTL)
            .await
            .unwrap(),
        None
    );
    assert!(!leases::renew(&mut tx, id, 1, at(19), TTL).await.unwrap());
    assert_eq!(
        leases::acquire(&mut tx, id, "b", None, at(19), TTL)
            .await
            .unwrap(),
        Some(2)
    );
    assert!(!leases::renew(&mut tx, id, 1, at(20), TTL).await.unwrap());
    assert!(!leases::release(&mut tx, id, 1).await.unwrap());
    assert!(leases::renew(&mut tx, id, 2, at(20), TTL).await.unwrap());
    tx.commit().await.unwrap();
}

#[rstest]
#[tokio::test]
async fn a_lease_that_is_given_back_is_free_at_once_and_counts_on(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let id = world.instance.id;
    let mut tx = store.begin("lease").await.unwrap();
    assert_eq!(
        leases::acquire(&mut tx, id, "a", None, at(0), TTL).await.unwrap(),
        Some(1)
    );
    assert!(leases::release(&mut tx, id, 1).await.unwrap());
    assert!(!leases::renew(&mut tx, id, 1, at(1), TTL).await.unwrap());
    assert_eq!(
        leases::acquire(&mut tx, id, "b", None, at(1), TTL).await.unwrap(),
        Some(2)
    );
    tx.commit().await.unwrap();
}

#[rstest]
#[tokio::test]
async fn each_instance_has_a_lease_of_its_own(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let (one, other) = (world.instance.id, instance("other"));
    let mut tx = store.begin("leases").await.unwrap();
    instances::insert(&mut tx, &other, &instance_secrets())
        .await
        .unwrap();
    assert_eq!(
        leases::acquire(&mut tx, one, "a", None, at(0), TTL)
            .await
            .unwrap(),
        Some(1)
    );
    assert_eq!(
        leases::acquire(&mut tx, other.id, "b", None, at(0), TTL)
            .await
            .unwrap(),
        Some(1)
    );
    assert!(leases::renew(&mut tx, one, 1, at(5), TTL).await.unwrap());
    assert!(leases::release(&mut tx, one, 1).await.unwrap());
    let untouched = Lease {
        holder: "b".to_owned(),
        epoch: 1,
        expires_at: at(10),
    };
    assert_eq!(leases::find(&mut tx, other.id).await.unwrap(), Some(untouched));
    tx.commit().await.unwrap();
}

#[rstest]
#[tokio::test]
async fn an_absent_instance_has_no_lease(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let absent = instance("absent").id;
    let mut tx = store.begin("lease").await.unwrap();
    let error = leases::acquire(&mut tx, absent, "a", None, at(0), TTL)
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::Reference { .. }), "{error:?}");
}
