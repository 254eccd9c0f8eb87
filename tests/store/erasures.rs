//! Erasures, on both databases: one tenant's own, one that runs at a time, and counted as it goes.

use jiff::Timestamp;
use rstest::rstest;
use switchyard::domain::erasure::{
    CallErasure, Erased, Erasure, ErasurePart, ErasurePlace, ErasureStatus, ErasureSubject, Foreseen, Marks,
};
use switchyard::domain::export::Span;
use switchyard::domain::ids::{ErasureId, IdSource as _, InstanceId, SystemIds, TenantId};
use switchyard::domain::page::PageRequest;
use switchyard::store::{Store, StoreError, Tx, erasures, exports, tenant_lifecycle};

use super::bench::Backend::{self, Postgres, Sqlite};
use super::bench::Bench;
use super::samples::at;
use super::users::two_tenants;

/// One of a number that nobody has run so far.
pub fn erasure(tenant: TenantId, when: i64) -> Erasure {
    Erasure {
        id: ErasureId::fresh(&SystemIds),
        tenant_id: tenant,
        requested_by: "zoe@example.com".to_owned(),
        requested_at: at(when),
        subject: ErasureSubject::Number {
            id: Some("+4930123".parse().unwrap()),
            within: Span {
                from: Some(at(1)),
                to: None,
            },
        },
        marks: Some(marks(1)),
        call_records: CallErasure::Pseudonymise,
        preview: vec![Foreseen {
            place: ErasurePlace::CallRecords,
            instance_id: None,
            found: 7,
        }],
        status: ErasureStatus::Open,
        run_by: None,
        run_at: None,
        noted_at: None,
        ended_at: None,
        parts: vec![],
    }
}

fn marks(keys: usize) -> Marks {
    Marks {
        number: Some("1001".parse().unwrap()),
        email: Some("ann@example.com".parse().unwrap()),
        keys: (0..keys).map(|_| SystemIds.next()).collect(),
    }
}

pub async fn asked(store: &Store, tenant: TenantId, when: i64) -> Erasure {
    let asked = erasure(tenant, when);
    let mut tx = store.begin("erasure").await.unwrap();
    erasures::insert(&mut tx, &asked).await.unwrap();
    tx.commit().await.unwrap();
    asked
}

async fn run(tx: &mut Tx, tenant: TenantId, id: ErasureId, when: i64) -> Result<bool, StoreError> {
    erasures::run(tx, tenant, id, "bob@example.com", &marks(0), at(when)).await
}

#[rstest]
#[tokio::test]
async fn a22_an_erasure_is_read_back_and_listed_by_its_own_tenant_only(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let (acme, globex) = two_tenants(&store).await;
    let (first, second) = (asked(&store, acme, 10).await, asked(&store, acme, 20).await);
    let theirs = asked(&store, globex, 15).await;
    let mut tx = store.begin("erasures").await.unwrap();
    assert_eq!(
        erasures::find(&mut tx, acme, first.id).await.unwrap(),
        Some(first.clone())
    );
    assert_eq!(erasures::find(&mut tx, globex, first.id).await.unwrap(), None);
    let page = erasures::list(&mut tx, acme, PageRequest::default())
        .await
        .unwrap();
    assert_eq!((page.items, page.total), (vec![second.clone(), first.clone()], 2));
    let page = erasures::list(&mut tx, globex, PageRequest::default())
        .await
        .unwrap();
    assert_eq!((page.items, page.total), (vec![theirs.clone()], 1));
    let mut ids = [first.id, second.id];
    ids.sort();
    assert_eq!(exports::erasures(&mut tx, acme).await.unwrap(), ids);
    assert_eq!(exports::erasures(&mut tx, globex).await.unwrap(), [theirs.id]);
    let all = tenant_lifecycle::belongings(&mut tx, acme).await.unwrap();
    assert_eq!(all.erasures, 2);
    // Who it was about is forgotten by the tenant's own hand only.
    let subject = first.subject.for_good();
    erasures::forget_marks(&mut tx, globex, first.id, &subject)
        .await
        .unwrap();
    assert_eq!(
        erasures::find(&mut tx, acme, first.id).await.unwrap().as_ref(),
        Some(&first)
    );
    erasures::forget_marks(&mut tx, acme, first.id, &subject)
        .await
        .unwrap();
    let left = erasures::find(&mut tx, acme, first.id).await.unwrap().unwrap();
    assert_eq!((left.subject, left.marks), (subject, None));
    let other = erasures::find(&mut tx, acme, second.id).await.unwrap();
    assert_eq!(other, Some(second));
}

#[rstest]
#[tokio::test]
async fn a22_one_erasure_of_a_tenant_runs_at_a_time_and_only_one_that_is_open_or_partial(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let (acme, globex) = two_tenants(&store).await;
    let (first, second) = (asked(&store, acme, 10).await, asked(&store, acme, 20).await);
    let theirs = asked(&store, globex, 15).await;
    let mut tx = store.begin("run").await.unwrap();
    assert_eq!(erasures::running(&mut tx).await.unwrap(), []);
    assert!(
        !run(&mut tx, globex, first.id, 30).await.unwrap(),
        "another tenant's"
    );
    assert!(run(&mut tx, acme, first.id, 31).await.unwrap());
    assert!(!run(&mut tx, acme, first.id, 32).await.unwrap(), "it runs");
    assert!(run(&mut tx, globex, theirs.id, 30).await.unwrap());
    assert_eq!(
        erasures::running(&mut tx).await.unwrap(),
        [(globex, theirs.id), (acme, first.id)]
    );
    assert_eq!(erasures::running_of(&mut tx, acme).await.unwrap(), Some(first.id));
    tx.commit().await.unwrap();
    let mut tx = store.begin("second").await.unwrap();
    let refused = run(&mut tx, acme, second.id, 33).await.unwrap_err();
    assert!(matches!(refused, StoreError::Conflict { .. }), "{refused}");
    drop(tx);

    let mut tx = store.begin("end").await.unwrap();
    let mut running = erasures::find(&mut tx, acme, first.id).await.unwrap().unwrap();
    assert_eq!(
        (running.run_by.as_deref(), running.run_at),
        (Some("bob@example.com"), Some(at(31)))
    );
    assert_eq!(running.marks, Some(marks(0)));
    // Noted once, each time that it is run.
    assert!(!erasures::noted(&mut tx, globex, first.id, at(34)).await.unwrap());
    assert!(erasures::noted(&mut tx, acme, first.id, at(34)).await.unwrap());
    assert!(!erasures::noted(&mut tx, acme, first.id, at(35)).await.unwrap());
    let part = ErasurePart {
        kept: 1,
        ended_at: Some(at(36)),
        ..ErasurePart::new(0, ErasurePlace::Tickets, None)
    };
    running.parts.push(part);
    let not_theirs = Erasure {
        tenant_id: globex,
        ..running.clone()
    };
    assert!(!erasures::end(&mut tx, &not_theirs, at(36)).await.unwrap());
    assert!(erasures::end(&mut tx, &running, at(36)).await.unwrap());
    assert!(!erasures::end(&mut tx, &running, at(37)).await.unwrap());
    let ended = erasures::find(&mut tx, acme, first.id).await.unwrap().unwrap();
    assert_eq!(
        (ended.status, ended.ended_at),
        (ErasureStatus::Partial, Some(at(36)))
    );
    assert!(!erasures::noted(&mut tx, acme, first.id, at(38)).await.unwrap());
    assert_eq!(erasures::running_of(&mut tx, acme).await.unwrap(), None);
    // Once more, as it is partial; then all is done, and it is over.
    assert!(run(&mut tx, acme, first.id, 40).await.unwrap());
    let again = erasures::find(&mut tx, acme, first.id).await.unwrap().unwrap();
    assert_eq!(
        (again.status, again.noted_at, again.ended_at),
        (ErasureStatus::Running, None, None)
    );
    assert!(erasures::noted(&mut tx, acme, first.id, at(41)).await.unwrap());
    running.parts[0].kept = 0;
    assert!(erasures::end(&mut tx, &running, at(42)).await.unwrap());
    assert!(!run(&mut tx, acme, first.id, 43).await.unwrap(), "it is done");
    assert!(run(&mut tx, acme, second.id, 44).await.unwrap());
    // What goes with its tenant is nobody's to carry out any more.
    tenant_lifecycle::let_go(&mut tx, globex, at(50)).await.unwrap();
    assert_eq!(erasures::running(&mut tx).await.unwrap(), [(acme, second.id)]);
}

fn erased(erased: i64, bytes: i64, kept: i64, detail: Option<&str>, is_last: bool) -> Erased {
    Erased {
        erased,
        bytes,
        kept,
        detail: detail.map(str::to_owned),
        is_last,
    }
}

#[rstest]
#[tokio::test]
async fn a22_what_was_erased_of_a_part_adds_up_also_when_it_is_run_again(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let (acme, globex) = two_tenants(&store).await;
    let (id, other) = (asked(&store, acme, 10).await.id, asked(&store, acme, 11).await.id);
    let instance = InstanceId::fresh(&SystemIds);
    let mut tx = store.begin("parts").await.unwrap();
    let parts = [
        ErasurePart::new(0, ErasurePlace::Recordings, Some(instance)),
        ErasurePart::new(1, ErasurePlace::Tickets, None),
    ];
    for part in &parts {
        erasures::put_part(&mut tx, globex, id, part).await.unwrap();
    }
    let found = erasures::find(&mut tx, acme, id).await.unwrap().unwrap();
    assert_eq!(found.parts, [], "another tenant puts none");
    for part in &parts {
        erasures::put_part(&mut tx, acme, id, part).await.unwrap();
        erasures::put_part(&mut tx, acme, other, part).await.unwrap();
    }
    let found = erasures::find(&mut tx, acme, id).await.unwrap().unwrap();
    assert_eq!(found.parts, parts);
    erasures::looked(&mut tx, globex, id, 0, 99).await.unwrap();
    erasures::looked(&mut tx, acme, id, 0, 5).await.unwrap();
    assert_eq!(erasures::part(&mut tx, globex, id, 0).await.unwrap(), None);
    let note = async |tx: &mut Tx, tenant, said: &Erased, when: Timestamp| {
        erasures::note(tx, tenant, id, 0, said, when).await.unwrap()
    };
    let batches = [
        erased(2, 20, 0, Some("a disk"), false),
        erased(1, 10, 2, None, true),
    ];
    assert!(!note(&mut tx, globex, &batches[0], at(20)).await);
    for batch in &batches {
        assert!(note(&mut tx, acme, batch, at(20)).await);
    }
    assert!(!note(&mut tx, acme, &batches[0], at(21)).await, "it has ended");
    let expected = ErasurePart {
        found: Some(5),
        erased: 3,
        bytes: 30,
        kept: 2,
        detail: Some("a disk".to_owned()),
        ended_at: Some(at(20)),
        ..parts[0].clone()
    };
    let part = erasures::part(&mut tx, acme, id, 0).await.unwrap();
    assert_eq!(part, Some(expected.clone()));
    // Run again: two were kept, one came since.
    erasures::put_part(&mut tx, acme, id, &parts[0]).await.unwrap();
    erasures::looked(&mut tx, acme, id, 0, 3).await.unwrap();
    let part = erasures::part(&mut tx, acme, id, 0).await.unwrap().unwrap();
    assert_eq!(
        (part.found, part.erased, part.kept, part.left()),
        (Some(6), 3, 0, 3)
    );
    assert_eq!((part.detail, part.ended_at), (None, None));
    assert!(note(&mut tx, acme, &erased(3, 30, 0, None, true), at(30)).await);
    let whole = ErasurePart {
        found: Some(6),
        erased: 6,
        bytes: 60,
        kept: 0,
        detail: None,
        ended_at: Some(at(30)),
        ..expected
    };
    let found = erasures::find(&mut tx, acme, id).await.unwrap().unwrap();
    assert_eq!(found.parts, [whole, parts[1].clone()]);
    let found = erasures::find(&mut tx, acme, other).await.unwrap().unwrap();
    assert_eq!(found.parts, parts, "another erasure's");
}

#[rstest]
#[tokio::test]
async fn a22_only_what_is_old_and_was_never_run_is_forgotten(#[values(Sqlite, Postgres)] backend: Backend) {
    let (bench, store) = Bench::migrated(backend).await;
    let (acme, globex) = two_tenants(&store).await;
    let (old, run_once) = (asked(&store, acme, 10).await, asked(&store, acme, 11).await);
    let (theirs, young) = (asked(&store, globex, 12).await, asked(&store, acme, 13).await);
    let mut tx = store.begin("forget").await.unwrap();
    assert!(run(&mut tx, acme, run_once.id, 20).await.unwrap());
    assert_eq!(erasures::forget_open(&mut tx, at(10)).await.unwrap(), 0);
    assert_eq!(erasures::forget_open(&mut tx, at(13)).await.unwrap(), 2);
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
    assert_eq!(erasures::forget_open(&mut tx, at(13)).await.unwrap(), 0);
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
    erasures::forget_marks(&mut tx, acme, forgotten.id, &forgotten.subject.for_good())
        .await
        .unwrap();
    let open = erasure(acme, 1);
    erasures::insert(&mut tx, &open).await.unwrap();
    for (before, expected) in [
        (10, vec![]),
        (20, vec![(acme, early)]),
        (30, vec![(acme, early), (globex, theirs)]),
        (31, vec![(acme, early), (globex, theirs), (acme, late)]),
    ] {
        let stale = erasures::stale(&mut tx, at(before)).await.unwrap();
        assert_eq!(stale, expected, "{before}");
    }
    // What is tried once more is none while it runs.
    assert!(run(&mut tx, acme, early, 40).await.unwrap());
    let stale = erasures::stale(&mut tx, at(31)).await.unwrap();
    assert_eq!(stale, [(globex, theirs), (acme, late)]);
}
