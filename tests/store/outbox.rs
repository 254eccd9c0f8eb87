//! The outbox: what waits, who has it, and what is left of it.

use std::time::Duration;

use jiff::Timestamp;
use rstest::rstest;
use secrecy::ExposeSecret as _;
use switchyard::domain::ids::{IdSource as _, MessageId, SystemIds, TenantId};
use switchyard::domain::outbox::{MessageKind, Subject};
use switchyard::store::outbox::{self, Claimed, NewMessage, Standing};
use switchyard::store::{StoreError, Tx};

use super::bench::Backend::{Postgres, Sqlite};
use super::bench::{Backend, Bench};
use super::samples::{World, at};

/// 10 microseconds: `at` counts in them.
const TTL: Duration = Duration::from_micros(10);

fn message(tenant: Option<TenantId>, created: i64) -> NewMessage {
    NewMessage {
        id: MessageId::fresh(&SystemIds),
        kind: MessageKind::Mail,
        subject: Subject::of("invitation", SystemIds.next()).unwrap(),
        tenant,
        payload: "what it says".to_owned().into(),
        created_at: at(created),
    }
}

async fn claim(tx: &mut Tx, now: i64) -> Option<Claimed> {
    let claimed = outbox::claim_due(tx, MessageKind::Mail, "node/1", at(now), TTL).await;
    claimed.unwrap()
}

async fn earliest(tx: &mut Tx) -> Option<Timestamp> {
    outbox::earliest(tx, MessageKind::Mail, at(0)).await.unwrap()
}

#[rstest]
#[tokio::test]
async fn what_was_pushed_is_claimed_with_all_that_it_says(#[values(Sqlite, Postgres)] backend: Backend) {
    let (bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let pushed = message(Some(world.acme.id), 5);
    let mut tx = store.begin("push").await.unwrap();
    outbox::push(&mut tx, &pushed).await.unwrap();
    assert!(claim(&mut tx, 4).await.is_none(), "it is not due yet");
    let claimed = claim(&mut tx, 5).await.unwrap();
    assert_eq!(
        (claimed.id, claimed.attempt, claimed.tenant),
        (pushed.id, 1, Some(world.acme.id))
    );
    assert_eq!((&claimed.subject, claimed.created_at), (&pushed.subject, at(5)));
    assert_eq!(claimed.payload.unwrap().expose_secret(), "what it says");
    let standing = outbox::latest(&mut tx, pushed.tenant, &pushed.subject)
        .await
        .unwrap();
    let waiting = Standing {
        id: pushed.id,
        attempts: 1,
        next_attempt_at: at(5),
        created_at: at(5),
        sent_at: None,
        gave_up_at: None,
        last_error: None,
    };
    assert_eq!(standing, Some(waiting));
    tx.commit().await.unwrap();
    let holder = bench.ask("select claimed_by from outbox".to_owned()).await;
    assert_eq!(holder, ["node/1"]);
}

#[rstest]
#[tokio::test]
async fn an_id_is_given_once(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let pushed = message(None, 5);
    let mut tx = store.begin("push").await.unwrap();
    outbox::push(&mut tx, &pushed).await.unwrap();
    let error = outbox::push(&mut tx, &pushed).await.unwrap_err();
    assert!(error.is_conflict_on("outbox", "id"), "{error}");
}

#[rstest]
#[tokio::test]
async fn the_one_that_is_due_for_longest_comes_first_and_the_next_time_is_known(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let mut tx = store.begin("order").await.unwrap();
    assert_eq!(earliest(&mut tx).await, None);
    let (late, early) = (message(None, 7), message(None, 3));
    outbox::push(&mut tx, &late).await.unwrap();
    outbox::push(&mut tx, &early).await.unwrap();
    assert_eq!(earliest(&mut tx).await, Some(at(3)));
    let first = claim(&mut tx, 9).await.unwrap();
    assert_eq!(first.id, early.id);
    assert_eq!(earliest(&mut tx).await, Some(at(7)));
    assert_eq!(claim(&mut tx, 9).await.unwrap().id, late.id);
    assert_eq!(earliest(&mut tx).await, Some(at(19)), "when the claims lapse");
    assert!(claim(&mut tx, 18).await.is_none());
    assert!(
        outbox::retry_later(&mut tx, &first, at(40), Some("why"))
            .await
            .unwrap()
    );
    assert_eq!(claim(&mut tx, 19).await.unwrap().id, late.id);
    assert!(claim(&mut tx, 20).await.is_none());
    assert_eq!(earliest(&mut tx).await, Some(at(29)));
}

#[rstest]
#[tokio::test]
async fn what_became_of_it_is_known_and_what_it_said_is_gone(#[values(Sqlite, Postgres)] backend: Backend) {
    let (bench, store) = Bench::migrated(backend).await;
    let (sent, hopeless) = (message(None, 1), message(None, 2));
    let mut tx = store.begin("ends").await.unwrap();
    for message in [&sent, &hopeless] {
        outbox::push(&mut tx, message).await.unwrap();
    }
    let (one, two) = (claim(&mut tx, 5).await.unwrap(), claim(&mut tx, 5).await.unwrap());
    assert!(
        outbox::retry_later(&mut tx, &one, at(6), Some("not now"))
            .await
            .unwrap()
    );
    let one = claim(&mut tx, 6).await.unwrap();
    assert_eq!(one.attempt, 2);
    assert!(outbox::retry_later(&mut tx, &one, at(7), None).await.unwrap());
    let standing = outbox::latest(&mut tx, None, &sent.subject)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        standing.last_error.as_deref(),
        Some("not now"),
        "the former reason stays"
    );
    let one = claim(&mut tx, 7).await.unwrap();
    assert!(outbox::done(&mut tx, one.id, at(8)).await.unwrap());
    assert!(
        !outbox::done(&mut tx, one.id, at(9)).await.unwrap(),
        "it has been sent already"
    );
    assert!(
        outbox::give_up(&mut tx, &two, at(8), "no\r\nsuch\0user")
            .await
            .unwrap()
    );
    assert!(claim(&mut tx, 1000).await.is_none());
    assert_eq!(earliest(&mut tx).await, None);

    let standing = outbox::latest(&mut tx, None, &sent.subject)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (standing.sent_at, standing.gave_up_at, standing.last_error),
        (Some(at(8)), None, None)
    );
    let standing = outbox::latest(&mut tx, None, &hopeless.subject)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((standing.sent_at, standing.gave_up_at), (None, Some(at(8))));
    assert_eq!(standing.last_error.as_deref(), Some("no  such user"));
    tx.commit().await.unwrap();
    let left =
        bench.ask("select 'left' from outbox where payload is not null or claimed_by is not null".to_owned());
    assert_eq!(left.await, [""; 0]);
}

#[rstest]
#[tokio::test]
async fn an_error_is_cut_to_what_is_kept(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let pushed = message(None, 1);
    let mut tx = store.begin("long").await.unwrap();
    outbox::push(&mut tx, &pushed).await.unwrap();
    let claimed = claim(&mut tx, 1).await.unwrap();
    let long = "é".repeat(10_000);
    assert!(
        outbox::retry_later(&mut tx, &claimed, at(2), Some(&long))
            .await
            .unwrap()
    );
    let standing = outbox::latest(&mut tx, None, &pushed.subject)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(standing.last_error, Some("é".repeat(500)));
}

#[rstest]
#[tokio::test]
async fn what_waits_is_taken_back_by_its_subject_in_its_tenant_only(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let mut tx = store.begin("revoke").await.unwrap();
    let subject = message(None, 1).subject;
    for tenant in [None, Some(world.acme.id), Some(world.globex.id)] {
        for created in [1, 2] {
            let message = NewMessage {
                subject: subject.clone(),
                ..message(tenant, created)
            };
            outbox::push(&mut tx, &message).await.unwrap();
        }
    }
    let claimed = claim(&mut tx, 1).await.unwrap();
    let sent = claimed.tenant;
    assert!(outbox::done(&mut tx, claimed.id, at(1)).await.unwrap());
    let mut revoked = Vec::new();
    for tenant in [None, Some(world.acme.id), Some(world.globex.id)] {
        let count = outbox::revoke(&mut tx, tenant, &subject).await.unwrap();
        revoked.push((tenant, count));
        assert_eq!(outbox::revoke(&mut tx, tenant, &subject).await.unwrap(), 0);
    }
    for (tenant, count) in revoked {
        assert_eq!(
            count,
            if tenant == sent { 1 } else { 2 },
            "{tenant:?}: what was sent stays"
        );
        let left = outbox::latest(&mut tx, tenant, &subject).await.unwrap();
        assert_eq!(left.is_some(), tenant == sent);
    }
    assert_eq!(earliest(&mut tx).await, None);
}

#[rstest]
#[tokio::test]
async fn the_newest_of_a_subject_is_how_it_stands(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let mut tx = store.begin("newest").await.unwrap();
    let first = message(None, 1);
    let second = NewMessage {
        subject: first.subject.clone(),
        ..message(None, 2)
    };
    outbox::push(&mut tx, &second).await.unwrap();
    outbox::push(&mut tx, &first).await.unwrap();
    let standing = outbox::latest(&mut tx, None, &first.subject)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(standing.id, second.id);
}

#[rstest]
#[tokio::test]
async fn o34_nothing_of_a_tenants_outlives_it(#[values(Sqlite, Postgres)] backend: Backend) {
    let (bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let mut tx = store.begin("push").await.unwrap();
    for tenant in [None, Some(world.acme.id), Some(world.globex.id)] {
        outbox::push(&mut tx, &message(tenant, 1)).await.unwrap();
    }
    tx.commit().await.unwrap();
    let foreign_keys = match backend {
        Sqlite => "pragma foreign_keys = on; delete from tenants where name like '%Acme'",
        Postgres => "delete from tenants where name like '%Acme'",
    };
    bench.sql(foreign_keys).await;
    let mut tx = store.begin("left").await.unwrap();
    let left = [claim(&mut tx, 1).await.unwrap(), claim(&mut tx, 1).await.unwrap()];
    assert!(left.iter().all(|claimed| claimed.tenant != Some(world.acme.id)));
    assert!(claim(&mut tx, 1).await.is_none());
}

#[rstest]
#[tokio::test]
async fn a_message_of_an_absent_tenant_is_refused(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let mut tx = store.begin("push").await.unwrap();
    let absent = TenantId::fresh(&SystemIds);
    let error = outbox::push(&mut tx, &message(Some(absent), 1))
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::Reference { .. }), "{error}");
}

#[rstest]
#[tokio::test]
async fn what_ended_long_ago_is_removed_and_what_waits_never(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let mut tx = store.begin("purge").await.unwrap();
    let messages = [
        message(None, 1),
        message(None, 2),
        message(None, 3),
        message(None, 4),
    ];
    for message in &messages {
        outbox::push(&mut tx, message).await.unwrap();
    }
    let claims = [
        claim(&mut tx, 5).await.unwrap(),
        claim(&mut tx, 5).await.unwrap(),
        claim(&mut tx, 5).await.unwrap(),
    ];
    assert!(outbox::done(&mut tx, claims[0].id, at(10)).await.unwrap());
    assert!(outbox::give_up(&mut tx, &claims[1], at(11), "x").await.unwrap());
    assert!(outbox::done(&mut tx, claims[2].id, at(12)).await.unwrap());
    assert_eq!(outbox::purge(&mut tx, at(9)).await.unwrap(), 0);
    assert_eq!(outbox::purge(&mut tx, at(11)).await.unwrap(), 2);
    let mut left = Vec::new();
    for message in &messages {
        left.push(
            outbox::latest(&mut tx, None, &message.subject)
                .await
                .unwrap()
                .is_some(),
        );
    }
    assert_eq!(left, [false, false, true, true]);
    assert_eq!(outbox::purge(&mut tx, at(1000)).await.unwrap(), 1);
    assert_eq!(outbox::purge(&mut tx, at(1000)).await.unwrap(), 0);
}
