//! Where the clock stands, kept in one row for all daemons.

use std::time::{Duration, Instant};

use rstest::rstest;
use switchyard::domain::trusted_time::{Beat, Heart};
use switchyard::store::{Store, trusted_time};

use super::bench::Backend::{self, Postgres, Sqlite};
use super::bench::Bench;
use super::samples::at;

const MINUTE: i64 = 60_000_000;

/// A daemon looks, so many minutes after the start.
async fn look(store: &Store, heart: &mut Heart, start: Instant, minute: u64) {
    let mut tx = store.begin("beat").await.unwrap();
    let kept = trusted_time::lock(&mut tx).await.unwrap();
    let wall = at(i64::try_from(minute).unwrap() * MINUTE);
    if let Some(next) = heart.beat(kept, wall, start + Duration::from_mins(minute)) {
        trusted_time::put(&mut tx, &next).await.unwrap();
    }
    tx.commit().await.unwrap();
}

async fn kept(store: &Store) -> Option<Beat> {
    let mut tx = store.read("time").await.unwrap();
    trusted_time::find(&mut tx).await.unwrap()
}

#[rstest]
#[tokio::test]
async fn a20_what_was_seen_of_the_clock_is_kept_over_a_start(#[values(Sqlite, Postgres)] backend: Backend) {
    let (bench, store) = Bench::migrated(backend).await;
    assert_eq!(kept(&store).await, None);
    let (start, mut heart) = (Instant::now(), Heart::default());
    for minute in 0..3 {
        look(&store, &mut heart, start, minute).await;
    }
    let before = kept(&store).await.unwrap();
    assert_eq!((before.number, before.time.time()), (3, at(2 * MINUTE)));
    // Nothing is known of the time between the two.
    let another = bench.another_store(None).await;
    let mut heart = Heart::default();
    look(&another, &mut heart, start, 500).await;
    assert_eq!(kept(&another).await.unwrap(), before);
    look(&another, &mut heart, start, 501).await;
    let after = kept(&store).await.unwrap();
    assert_eq!((after.number, after.time.time()), (4, at(3 * MINUTE)));
    assert_eq!(after.time.held_back().unwrap().by.as_mins(), 498);
}

#[rstest]
#[tokio::test]
async fn a20_a_row_that_was_not_kept_so_is_told(#[values(Sqlite, Postgres)] backend: Backend) {
    let (bench, store) = Bench::migrated(backend).await;
    let (start, mut heart) = (Instant::now(), Heart::default());
    look(&store, &mut heart, start, 0).await;
    for sql in [
        "update trusted_time set seen = '[]'",
        "update trusted_time set seen = 'x'",
    ] {
        bench.ask(format!("{sql} returning clock")).await;
        let mut tx = store.read("time").await.unwrap();
        let error = trusted_time::find(&mut tx).await.unwrap_err();
        assert!(error.to_string().contains("trusted_time"), "{error}");
    }
}
