//! Erasures, on both databases: one tenant's own, one that runs at a time, and counted as it goes.

use jiff::Timestamp;
use rstest::rstest;
use switchyard::domain::erasure::{
    CallErasure, Erased, Erasure, ErasurePart, ErasurePlace, ErasureStatus, ErasureSubject, Foreseen, Marks,
};
use switchyard::domain::export::Span;
use switchyard::domain::ids::{ErasureId, IdSource as _, InstanceId, SystemIds, TenantId};
use switchyard::domain::page::PageRequest;
use switchyard::store::{Store, StoreError, Tx, erasure_ends, erasures, exports, tenant_lifecycle};

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
        failures: 0,
        failing_since: None,
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

pub async fn run(tx: &mut Tx, tenant: TenantId, id: ErasureId, when: i64) -> Result<bool, StoreError> {
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
    erasure_ends::forget_marks(&mut tx, globex, first.id, &subject, at(99))
        .await
        .unwrap();
    assert_eq!(
        erasures::find(&mut tx, acme, first.id).await.unwrap().as_ref(),
        Some(&first)
    );
    erasure_ends::forget_marks(&mut tx, acme, first.id, &subject, at(99))
        .await
        .unwrap();
    let left = erasures::find(&mut tx, acme, first.id).await.unwrap().unwrap();
    assert_eq!((left.subject, left.marks), (subject, None));
    let other = erasures::find(&mut tx, acme, second.id).await.unwrap();
    assert_eq!(other, Some(second));
}

#[rstest]
#[tokio::test]
async fn a11_a22_the_last_erasure_of_a_tenant_is_known_by_when_it_was_noted(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let (acme, globex) = two_tenants(&store).await;
    let (first, second) = (asked(&store, acme, 10).await, asked(&store, acme, 20).await);
    let mut tx = store.begin("erasures").await.unwrap();
    // Those that nobody has run have erased nothing.
    assert_eq!(erasures::last_noted(&mut tx, acme).await.unwrap(), None);
    run(&mut tx, acme, first.id, 30).await.unwrap();
    assert_eq!(erasures::last_noted(&mut tx, acme).await.unwrap(), Some(at(30)));
    erasures::noted(&mut tx, acme, first.id, at(35)).await.unwrap();
    assert_eq!(erasures::last_noted(&mut tx, acme).await.unwrap(), Some(at(35)));
    let first = erasures::find(&mut tx, acme, first.id).await.unwrap().unwrap();
    assert!(erasures::end(&mut tx, &first, at(40)).await.unwrap());
    run(&mut tx, acme, second.id, 50).await.unwrap();
    assert_eq!(erasures::last_noted(&mut tx, acme).await.unwrap(), Some(at(50)));
    assert_eq!(erasures::last_noted(&mut tx, globex).await.unwrap(), None);
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
    // Noted once, each time that it is run, and of that run alone.
    let other = |tenant_id, run_at| Erasure {
        tenant_id,
        run_at,
        ..running.clone()
    };
    for (of, is_to_note) in [
        (running.clone(), true),
        (other(globex, Some(at(31))), false),
        (other(acme, Some(at(30))), false),
        (other(acme, None), false),
    ] {
        assert_eq!(erasures::is_to_note(&mut tx, &of).await.unwrap(), is_to_note);
    }
    assert!(!erasures::noted(&mut tx, globex, first.id, at(34)).await.unwrap());
    assert!(erasures::noted(&mut tx, acme, first.id, at(34)).await.unwrap());
    assert!(!erasures::noted(&mut tx, acme, first.id, at(35)).await.unwrap());
    assert!(!erasures::is_to_note(&mut tx, &running).await.unwrap());
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
        unseen: false,
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
    assert!(!expected.is_unseen() && parts[0].is_unseen());
    // Run again: two were kept, one came since.
    erasures::put_part(&mut tx, acme, id, &parts[0]).await.unwrap();
    erasures::looked(&mut tx, acme, id, 0, 3).await.unwrap();
    let part = erasures::part(&mut tx, acme, id, 0).await.unwrap().unwrap();
    assert_eq!(
        (part.found, part.erased, part.kept, part.left()),
        (Some(6), 3, 0, 3)
    );
    assert_eq!((part.detail, part.ended_at), (None, None));
    let unseen = Erased {
        unseen: true,
        ..Erased::default()
    };
    assert!(note(&mut tx, acme, &unseen, at(29)).await);
    assert!(note(&mut tx, acme, &erased(3, 30, 0, None, true), at(30)).await);
    let whole = ErasurePart {
        found: Some(6),
        erased: 6,
        bytes: 60,
        kept: 0,
        detail: None,
        unseen: true,
        ended_at: Some(at(30)),
        ..expected
    };
    assert!(whole.is_unseen(), "also where another batch has seen all");
    let found = erasures::find(&mut tx, acme, id).await.unwrap().unwrap();
    assert_eq!(found.parts, [whole, parts[1].clone()]);
    let found = erasures::find(&mut tx, acme, other).await.unwrap().unwrap();
    assert_eq!(found.parts, parts, "another erasure's");
    erasures::put_part(&mut tx, acme, id, &parts[0]).await.unwrap();
    let part = erasures::part(&mut tx, acme, id, 0).await.unwrap().unwrap();
    assert!(!part.unseen, "it is looked at once more");
}
