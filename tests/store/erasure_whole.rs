//! What goes at once in an erasure: requests lose who asked, kept answers and mails go, of the one person and the one tenant.

use rstest::rstest;
use switchyard::domain::deployment::{Deployment, Scope};
use switchyard::domain::digest::Digest;
use switchyard::domain::ids::{IdSource as _, MessageId, RevisionId, SystemIds, TenantId};
use switchyard::domain::outbox::{MessageKind, Subject};
use switchyard::domain::purge::Purge;
use switchyard::store::idempotency_keys::{self, Request};
use switchyard::store::outbox::{self, NewMessage};
use switchyard::store::{deployments, erasure_whole, erasures, purges};

use super::bench::Backend::{self, Postgres, Sqlite};
use super::bench::Bench;
use super::erasures::erasure;
use super::purges::purge;
use super::samples::{World, at, deployment};

#[rstest]
#[tokio::test]
async fn a22_requests_lose_who_asked_for_them_of_one_person_and_tenant(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let (acme, globex, here) = (world.acme.id, world.globex.id, world.instance.id);
    let (ann, other) = ("a_b@x.example", "axb@x.example");
    let mut tx = store.begin("requests").await.unwrap();
    for tenant in [acme, globex] {
        let of = Scope::TenantStatus {
            tenant_id: tenant,
            revision_id: RevisionId::fresh(&SystemIds),
        };
        for (when, by) in [(1, ann), (2, other), (3, ann)] {
            let row = Deployment {
                requested_by: by.to_owned(),
                ..deployment(here, of, when)
            };
            deployments::insert(&mut tx, &row).await.unwrap();
            let row = Purge {
                requested_by: by.to_owned(),
                parts: vec![],
                ..purge(tenant, when)
            };
            purges::insert(&mut tx, &row, 9).await.unwrap();
            assert!(purges::end(&mut tx, &row, at(5)).await.unwrap());
        }
        let marks = erasure(tenant, 1).marks.unwrap();
        for (when, by, run_by) in [
            (1, ann, None),
            (2, other, Some(ann)),
            (3, ann, Some(other)),
            (4, other, Some(other)),
            (5, ann, Some(ann)),
        ] {
            let mut row = erasure(tenant, when);
            by.clone_into(&mut row.requested_by);
            erasures::insert(&mut tx, &row).await.unwrap();
            if let Some(by) = run_by {
                assert!(
                    erasures::run(&mut tx, tenant, row.id, by, &marks, at(when))
                        .await
                        .unwrap()
                );
                assert!(erasures::end(&mut tx, &row, at(9)).await.unwrap());
            }
        }
    }
    let email = ann.parse().unwrap();
    let count = erasure_whole::count_requests(&mut tx, acme, &email).await;
    assert_eq!(count.unwrap(), 2 + 2 + 4);
    erasure_whole::forget_requests(&mut tx, acme, &email)
        .await
        .unwrap();
    for (tenant, left) in [(acme, 0), (globex, 8)] {
        let count = erasure_whole::count_requests(&mut tx, tenant, &email).await;
        assert_eq!(count.unwrap(), left);
    }
    tx.commit().await.unwrap();
    let of = "join tenants t on t.id = o.tenant_id where t.domain = 'acme.example.com' order by";
    let gone = "erased";
    let deploys = format!("select o.requested_by from deployments o {of} o.created_at");
    assert_eq!(bench.ask(deploys).await, [gone, other, gone]);
    let purged = format!("select o.requested_by from purges o {of} o.requested_at");
    assert_eq!(bench.ask(purged).await, [gone, other, gone]);
    let erased = format!(
        "select o.requested_by || ' ' || coalesce(o.run_by, '-') from erasures o {of} o.requested_at"
    );
    let expected = [
        format!("{gone} -"),
        format!("{other} {gone}"),
        format!("{gone} {other}"),
        format!("{other} {other}"),
        format!("{gone} {gone}"),
    ];
    assert_eq!(bench.ask(erased).await, expected);
}

#[rstest]
#[tokio::test]
async fn a22_kept_answers_that_name_an_id_go_of_the_one_tenant(#[values(Sqlite, Postgres)] backend: Backend) {
    let (bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let (acme, globex) = (world.acme.id, world.globex.id);
    let (id, other) = (SystemIds.next(), SystemIds.next());
    let mut tx = store.begin("answers").await.unwrap();
    for tenant in [Some(acme), Some(globex), None] {
        for (key, answer) in [
            ("a", id.to_string()),
            ("b", format!("{{\"user\":\"{id}\"}}")),
            ("c", other.to_string()),
        ] {
            let key = key.parse().unwrap();
            let request = Request {
                tenant,
                caller: "bob",
                key: &key,
                digest: Digest::of("x"),
                secret: false,
            };
            idempotency_keys::insert(&mut tx, &request, &answer, at(1), at(0))
                .await
                .unwrap();
        }
    }
    let id = id.to_string();
    let counts = async |tx: &mut switchyard::store::Tx, id: &str| {
        let own = erasure_whole::count_answers(tx, acme, id).await.unwrap();
        (own, erasure_whole::count_answers(tx, globex, id).await.unwrap())
    };
    assert_eq!(counts(&mut tx, &id).await, (2, 2));
    for pattern in ["_%", "%_", "%"] {
        erasure_whole::forget_answers(&mut tx, acme, pattern)
            .await
            .unwrap();
    }
    assert_eq!(counts(&mut tx, &id).await, (2, 2));
    erasure_whole::forget_answers(&mut tx, acme, &id).await.unwrap();
    assert_eq!(counts(&mut tx, &id).await, (0, 2));
    assert_eq!(counts(&mut tx, &other.to_string()).await, (1, 1));
    tx.commit().await.unwrap();
    let left = bench.ask("select key from idempotency_keys".to_owned()).await;
    assert_eq!(left.len(), 1 + 3 + 3);
}

#[rstest]
#[tokio::test]
async fn a22_mails_to_somebody_go_sent_or_not_of_the_one_tenant(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let (acme, globex) = (world.acme.id, world.globex.id);
    let (ann, bob) = (SystemIds.next(), SystemIds.next());
    let mut tx = store.begin("mails").await.unwrap();
    let push = |tenant: Option<TenantId>, kind: &str, who| NewMessage {
        id: MessageId::fresh(&SystemIds),
        kind: MessageKind::Mail,
        subject: Subject::of(kind, who).unwrap(),
        tenant,
        payload: "what it says".to_owned().into(),
        created_at: at(1),
    };
    for message in [
        push(Some(acme), "invitation", ann),
        push(Some(acme), "password-reset", ann),
        push(Some(acme), "invitation", bob),
        push(Some(globex), "invitation", ann),
        push(None, "invitation", ann),
    ] {
        outbox::push(&mut tx, &message).await.unwrap();
    }
    tx.commit().await.unwrap();
    bench
        .sql(
            "update outbox set payload = null, sent_at = 1, last_error = 'no such box: a_b@x.example' \
             where subject like 'password%'",
        )
        .await;
    let mut tx = store.begin("forget").await.unwrap();
    erasure_whole::forget_mails(&mut tx, acme, "%").await.unwrap();
    erasure_whole::forget_mails(&mut tx, acme, &ann.to_string())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let mut left = bench.ask("select subject from outbox".to_owned()).await;
    left.sort();
    let mut expected = [ann, ann, bob].map(|who| format!("invitation/{who}"));
    expected.sort();
    assert_eq!(left, expected);
}
