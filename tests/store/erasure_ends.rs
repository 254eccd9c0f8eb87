//! Erasures that do not come to an end by themselves, and what is forgotten of those that have ended or were never run.

use jiff::SignedDuration;
use rstest::rstest;
use switchyard::domain::erasure::{Erased, ErasurePart, ErasurePlace, ErasureStatus};
use switchyard::store::{Tx, erasure_ends, erasures};

use super::bench::Backend::{Postgres, Sqlite};
use super::bench::{Backend, Bench};
use super::erasures::{asked, erasure, run};
use super::samples::at;
use super::users::two_tenants;

#[rstest]
#[tokio::test]
async fn a22_only_what_is_old_and_was_never_run_is_forgotten(#[values(Sqlite, Postgres)] backend: Backend) {
    let (bench, store) = Bench::migrated(backend).await;
    let (acme, globex) = two_tenants(&store).await;
    let (old, run_once) = (asked(&store, acme, 10).await, asked(&store, acme, 11).await);
    let (theirs, young) = (asked(&store, globex, 12).await, asked(&store, acme, 13).await);
    let mut tx = store.begin("forget").await.unwrap();
    assert!(run(&mut tx, acme, run_once.id, 20).await.unwrap());
    assert_eq!(erasure_ends::forget_open(&mut tx, at(10)).await.unwrap(), 0);
    assert_eq!(erasure_ends::forget_open(&mut tx, at(13)).await.unwrap(), 2);
    for (tenant, id, stays) in [
        (acme, old.id, false),
        (globex, theirs.id, false),
        (acme, run_once.id, true),
        (acme, young.id, true),
    ] {
        let found = erasures::find(&mut tx, tenant, id).await.unwrap();
        assert_eq!(found.is_some(), stays, "{id}");
    }
    let mut running = erasures::find(&mut tx, acme, run_once.id).await.unwrap().unwrap();
    running.parts.clear();
    assert!(erasures::end(&mut tx, &running, at(21)).await.unwrap());
    assert_eq!(erasure_ends::forget_open(&mut tx, at(13)).await.unwrap(), 0);
    tx.commit().await.unwrap();
    let left = bench
        .ask("select status from erasures order by requested_at".to_owned())
        .await;
    assert_eq!(left, ["done", "open"]);
}

#[rstest]
#[tokio::test]
async fn a22_stale_is_what_ended_before_with_something_kept_by_which_the_person_is_known(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let (acme, globex) = two_tenants(&store).await;
    let mut tx = store.begin("stale").await.unwrap();
    let ended = async |tx: &mut Tx, tenant, kept, when: i64| {
        let mut asked = erasure(tenant, 1);
        erasures::insert(tx, &asked).await.unwrap();
        assert!(run(tx, tenant, asked.id, 2).await.unwrap());
        asked.parts.push(ErasurePart {
            kept,
            ended_at: Some(at(when)),
            ..ErasurePart::new(0, ErasurePlace::Tickets, None)
        });
        assert!(erasures::end(tx, &asked, at(when)).await.unwrap());
        asked
    };
    let late = ended(&mut tx, acme, 1, 30).await.id;
    let theirs = ended(&mut tx, globex, 2, 20).await.id;
    let early = ended(&mut tx, acme, 1, 10).await.id;
    ended(&mut tx, acme, 0, 10).await;
    let forgotten = ended(&mut tx, acme, 1, 10).await;
    // Where it was run again meanwhile, it has ended later than was seen.
    for (before, is_forgotten) in [(10, false), (11, true)] {
        let subject = forgotten.subject.for_good();
        let done = erasure_ends::forget_marks(&mut tx, acme, forgotten.id, &subject, at(before)).await;
        assert_eq!(done.unwrap(), is_forgotten);
    }
    let open = erasure(acme, 1);
    erasures::insert(&mut tx, &open).await.unwrap();
    for (before, expected) in [
        (10, vec![]),
        (20, vec![(acme, early)]),
        (30, vec![(acme, early), (globex, theirs)]),
        (31, vec![(acme, early), (globex, theirs), (acme, late)]),
    ] {
        let stale = erasure_ends::stale(&mut tx, at(before)).await.unwrap();
        assert_eq!(stale, expected, "{before}");
    }
    // What is tried once more is none while it runs.
    assert!(run(&mut tx, acme, early, 40).await.unwrap());
    let stale = erasure_ends::stale(&mut tx, at(31)).await.unwrap();
    assert_eq!(stale, [(globex, theirs), (acme, late)]);
}

#[rstest]
#[tokio::test]
async fn a22_how_often_and_since_when_one_fails_is_counted_and_only_one_that_fails_for_long_is_abandoned(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let (acme, globex) = two_tenants(&store).await;
    let (id, open) = (asked(&store, acme, 10).await.id, asked(&store, acme, 11).await.id);
    let other = asked(&store, globex, 12).await.id;
    let back = asked(&store, globex, 13).await.id;
    let mut tx = store.begin("fails").await.unwrap();
    assert!(run(&mut tx, acme, id, 20).await.unwrap());
    let parts = [
        ErasurePlace::Account,
        ErasurePlace::Tickets,
        ErasurePlace::Requests,
    ];
    for (position, place) in (0..).zip(parts) {
        let part = ErasurePart::new(position, place, None);
        erasures::put_part(&mut tx, acme, id, &part).await.unwrap();
    }
    let done = Erased::all(1);
    erasures::note(&mut tx, acme, id, 0, &done, at(21)).await.unwrap();
    let kept = Erased {
        kept: 2,
        ..Default::default()
    };
    erasures::note(&mut tx, acme, id, 1, &kept, at(21)).await.unwrap();
    for (tenant, of, when) in [(acme, id, 30), (acme, id, 40), (globex, id, 20), (acme, open, 30)] {
        erasure_ends::fails(&mut tx, tenant, of, at(when)).await.unwrap();
    }
    let failing = erasures::find(&mut tx, acme, id).await.unwrap().unwrap();
    assert_eq!((failing.failures, failing.failing_since), (2, Some(at(30))));
    let untouched = erasures::find(&mut tx, acme, open).await.unwrap().unwrap();
    assert_eq!(
        (untouched.failures, untouched.failing_since),
        (0, None),
        "it does not run"
    );
    let abandon = async |tx: &mut _, tenant, long, now| {
        erasure_ends::abandon(tx, tenant, id, long, (at(now), at(now)))
            .await
            .unwrap()
    };
    let micros = SignedDuration::from_micros;
    assert!(!abandon(&mut tx, acme, (2, micros(31)), 60).await);
    assert!(!abandon(&mut tx, acme, (3, micros(0)), 60).await);
    assert!(!abandon(&mut tx, globex, (2, micros(30)), 60).await);
    assert!(!abandon(&mut tx, acme, (2, micros(30)), 1).await);
    // A clock that was put forward is not believed at once.
    let ahead = erasure_ends::abandon(&mut tx, acme, id, (2, micros(30)), (at(59), at(90))).await;
    assert!(!ahead.unwrap());
    // A clock that was put back keeps none for ever.
    assert!(run(&mut tx, globex, back, 20).await.unwrap());
    erasure_ends::fails(&mut tx, globex, back, at(30)).await.unwrap();
    for (long, is_abandoned) in [(31, false), (30, true)] {
        let done = erasure_ends::abandon(&mut tx, globex, back, (1, micros(long)), (at(0), at(0))).await;
        assert_eq!(done.unwrap(), is_abandoned);
    }
    for tenant in [globex, acme] {
        erasure_ends::end_parts(&mut tx, tenant, id, "why", at(60))
            .await
            .unwrap();
    }
    assert!(abandon(&mut tx, acme, (2, micros(30)), 60).await);
    let ended = erasures::find(&mut tx, acme, id).await.unwrap().unwrap();
    assert_eq!(
        (ended.status, ended.ended_at),
        (ErasureStatus::Partial, Some(at(60)))
    );
    let parts: Vec<_> = ended
        .parts
        .iter()
        .map(|part| (part.kept, part.unseen, part.detail.as_deref(), part.ended_at))
        .collect();
    assert_eq!(
        parts,
        [
            (0, false, None, Some(at(21))),
            (3, true, Some("why"), Some(at(60))),
            (1, true, Some("why"), Some(at(60)))
        ]
    );
    // Whoever runs it again begins anew.
    assert!(run(&mut tx, acme, id, 70).await.unwrap());
    let again = erasures::find(&mut tx, acme, id).await.unwrap().unwrap();
    assert_eq!((again.failures, again.failing_since), (0, None));
    // Where none of them says that something stays, one more does: also of one that came to none.
    let part = ErasurePart::new(0, ErasurePlace::Account, None);
    for (tenant, id) in [(acme, open), (globex, other)] {
        if tenant == acme {
            erasures::put_part(&mut tx, tenant, id, &part).await.unwrap();
            erasures::note(&mut tx, tenant, id, 0, &done, at(21))
                .await
                .unwrap();
        }
        for _ in 0..2 {
            erasure_ends::end_parts(&mut tx, tenant, id, "why", at(60))
                .await
                .unwrap();
        }
        let ended = erasures::find(&mut tx, tenant, id).await.unwrap().unwrap();
        let last = ended.parts.last().unwrap();
        assert_eq!(ended.parts.len(), 1 + usize::from(tenant == acme));
        assert_eq!((last.place, last.kept), (ErasurePlace::AuditPayloads, 1));
    }
}
