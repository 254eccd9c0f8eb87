//! What is left to erase of a part: noted once, kept or tried again, and forgotten, by that part only.

use rstest::rstest;
use switchyard::domain::erasure::{ErasurePart, ErasurePlace};
use switchyard::domain::ids::{IdSource as _, SystemIds};
use switchyard::store::erasure_targets::{self as targets, OfPart};
use switchyard::store::{Store, Tx, erasures};
use uuid::Uuid;

use super::bench::Backend::{self, Postgres, Sqlite};
use super::bench::Bench;
use super::erasures::asked;
use super::users::two_tenants;

type Noted = Vec<(Uuid, Option<String>)>;

async fn next(tx: &mut Tx, of: OfPart, most: i64) -> Noted {
    let next = targets::next(tx, of, most).await.unwrap();
    next.into_iter()
        .map(|target| (target.id, target.begun_at))
        .collect()
}

/// Notes some; gives how many are noted then.
async fn put(tx: &mut Tx, of: OfPart, ids: &[Uuid]) -> i64 {
    targets::put(tx, of, ids).await.unwrap();
    targets::count(tx, of).await.unwrap()
}

async fn all(tx: &mut Tx, of: OfPart) -> Vec<Uuid> {
    let mut all = targets::all(tx, of).await.unwrap();
    all.sort_unstable();
    all
}

fn noted(ids: &[Uuid]) -> Noted {
    ids.iter().map(|id| (*id, None)).collect()
}

fn fresh(count: usize) -> Vec<Uuid> {
    let mut ids: Vec<Uuid> = (0..count).map(|_| SystemIds.next()).collect();
    ids.sort_unstable();
    ids
}

/// A part, the same by another tenant's hand, another part of its erasure, and one of another erasure.
async fn parts(store: &Store) -> (OfPart, OfPart, [OfPart; 2]) {
    let (acme, globex) = two_tenants(store).await;
    let (id, second) = (asked(store, acme, 10).await.id, asked(store, acme, 11).await.id);
    let mut tx = store.begin("parts").await.unwrap();
    for erasure in [id, second] {
        for position in [0, 1] {
            let part = ErasurePart::new(position, ErasurePlace::Tickets, None);
            erasures::put_part(&mut tx, acme, erasure, &part).await.unwrap();
        }
    }
    tx.commit().await.unwrap();
    let of = |tenant, erasure, position| OfPart {
        tenant,
        erasure,
        position,
    };
    let others = [of(acme, id, 1), of(acme, second, 0)];
    (of(acme, id, 0), of(globex, id, 0), others)
}

#[rstest]
#[tokio::test]
async fn a22_what_is_left_of_a_part_is_noted_once_and_forgotten_by_that_part_only(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let (part, theirs, others) = parts(&store).await;
    let ids = fresh(250);
    let mut tx = store.begin("targets").await.unwrap();
    for of in [part, others[0], others[1]] {
        assert_eq!(put(&mut tx, of, &ids[..100]).await, 100);
        // Named twice is noted once.
        assert_eq!(put(&mut tx, of, &[&ids[..], &ids[..1]].concat()).await, 250);
    }
    assert_eq!(next(&mut tx, part, 1_000).await, noted(&ids));
    assert_eq!(next(&mut tx, part, 2).await, noted(&ids[..2]));
    assert_eq!(all(&mut tx, part).await, ids);
    assert_eq!(next(&mut tx, theirs, 2).await, [], "another tenant's hand");
    assert!(all(&mut tx, theirs).await.is_empty());
    assert_eq!(put(&mut tx, theirs, &fresh(1)).await, 0);
    targets::begin(&mut tx, theirs, ids[0], "a place").await.unwrap();
    targets::keep(&mut tx, theirs, ids[0]).await.unwrap();
    targets::done(&mut tx, theirs, ids[0]).await.unwrap();
    assert_eq!(next(&mut tx, part, 1_000).await, noted(&ids));
    targets::begin(&mut tx, part, ids[0], "a place").await.unwrap();
    targets::keep(&mut tx, part, ids[1]).await.unwrap();
    targets::done(&mut tx, part, ids[2]).await.unwrap();
    assert_eq!(
        next(&mut tx, part, 2).await,
        [(ids[0], Some("a place".to_owned())), (ids[3], None)]
    );
    // With what is kept, and what is begun.
    assert_eq!(all(&mut tx, part).await, [&ids[..2], &ids[3..]].concat());
    for of in others {
        assert_eq!(next(&mut tx, of, 1_000).await, noted(&ids));
    }
}

#[rstest]
#[tokio::test]
async fn a22_what_is_kept_is_tried_again_from_its_beginning_and_only_once_that_is_said(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let (part, theirs, others) = parts(&store).await;
    let (ids, more) = (fresh(4), fresh(1)[0]);
    let place = || Some("a place".to_owned());
    let mut tx = store.begin("targets").await.unwrap();
    for of in [part, others[0], others[1]] {
        put(&mut tx, of, &ids).await;
        for id in &ids[..2] {
            targets::begin(&mut tx, of, *id, "a place").await.unwrap();
        }
        for id in &ids[1..3] {
            targets::keep(&mut tx, of, *id).await.unwrap();
        }
    }
    let begun = [(ids[0], place()), (ids[3], None)];
    assert_eq!(next(&mut tx, part, 10).await, begun);
    // Found again, or found besides: what is kept counts, and stays kept.
    assert_eq!(put(&mut tx, part, &[]).await, 4);
    assert_eq!(put(&mut tx, part, &ids).await, 4);
    assert_eq!(next(&mut tx, part, 10).await, begun);
    assert_eq!(put(&mut tx, part, &[ids[1], more]).await, 5);
    let mut with_more = [&begun[..], &[(more, None)]].concat();
    with_more.sort();
    assert_eq!(next(&mut tx, part, 10).await, with_more);
    targets::done(&mut tx, part, more).await.unwrap();
    targets::try_again(&mut tx, theirs).await.unwrap();
    assert_eq!(next(&mut tx, part, 10).await, begun, "by another tenant's hand");
    for again in 0..2 {
        targets::try_again(&mut tx, part).await.unwrap();
        // Where it was begun before is not believed any more: somebody else may have removed it since.
        assert_eq!(next(&mut tx, part, 10).await, noted(&ids), "{again}");
        targets::begin(&mut tx, part, ids[1], "another place")
            .await
            .unwrap();
        targets::keep(&mut tx, part, ids[1]).await.unwrap();
    }
    targets::done(&mut tx, part, ids[0]).await.unwrap();
    assert_eq!(put(&mut tx, part, &[]).await, 3);
    for of in others {
        assert_eq!(next(&mut tx, of, 10).await, begun, "nothing of another part");
        assert_eq!(all(&mut tx, of).await, ids);
    }
}
