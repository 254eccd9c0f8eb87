//! The answers of requests that may be sent again: one tenant's own, for as long as they are kept.

use rstest::rstest;
use switchyard::domain::digest::Digest;
use switchyard::domain::idempotency_key::IdempotencyKey;
use switchyard::domain::ids::TenantId;
use switchyard::store::idempotency_keys::{Before, Request, find, insert, prune};
use switchyard::store::{Store, StoreError};

use super::bench::Backend::{Postgres, Sqlite};
use super::bench::{Backend, Bench, key as sealing_key};
use super::samples::{World, at};

fn request<'a>(
    tenant: impl Into<Option<TenantId>>,
    caller: &'a str,
    key: &'a IdempotencyKey,
    what: &str,
) -> Request<'a> {
    Request {
        tenant: tenant.into(),
        caller,
        key,
        digest: Digest::of(what),
        secret: false,
    }
}

fn key(text: &str) -> IdempotencyKey {
    text.parse().unwrap()
}

async fn keep(store: &Store, request: &Request<'_>, answer: &str, now: i64, oldest: i64) {
    let mut tx = store.begin("keep").await.unwrap();
    insert(&mut tx, request, &answer, at(now), at(oldest))
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

async fn found(store: &Store, request: &Request<'_>, oldest: i64) -> Option<Before<String>> {
    let mut tx = store.read("find").await.unwrap();
    find(&mut tx, request, at(oldest)).await.unwrap()
}

#[rstest]
#[tokio::test]
async fn c02_an_answer_is_found_by_its_own_tenant_and_caller(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let (acme, globex, key_a, key_b) = (world.acme.id, world.globex.id, key("a"), key("b"));
    keep(
        &store,
        &request(acme, "ann", &key_a, "x"),
        "done \"\u{2028}",
        10,
        0,
    )
    .await;
    let equal = Some(Before::Equal("done \"\u{2028}".to_owned()));
    assert_eq!(found(&store, &request(acme, "ann", &key_a, "x"), 9).await, equal);
    assert_eq!(
        found(&store, &request(acme, "ann", &key_a, "y"), 9).await,
        Some(Before::Other)
    );
    for other in [
        request(globex, "ann", &key_a, "x"),
        request(None, "ann", &key_a, "x"),
        request(acme, "bob", &key_a, "x"),
        request(acme, "ann", &key_b, "x"),
        request(acme, "ann", &key("A"), "x"),
    ] {
        assert_eq!(found(&store, &other, 9).await, None);
    }
    // As old as the oldest is too old.
    assert_eq!(found(&store, &request(acme, "ann", &key_a, "x"), 10).await, None);
}

#[rstest]
#[tokio::test]
async fn a_key_is_used_once_until_it_is_old(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[values(true, false)] of_a_tenant: bool,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let key = key("a");
    let asked = request(of_a_tenant.then_some(world.acme.id), "ann", &key, "x");
    keep(&store, &asked, "first", 10, 0).await;
    let mut tx = store.begin("keep").await.unwrap();
    let refused = insert(&mut tx, &asked, &"second", at(11), at(9))
        .await
        .unwrap_err();
    assert!(refused.is_conflict_on("idempotency_keys", "key"), "{refused}");
    drop(tx);
    keep(&store, &asked, "second", 11, 10).await;
    assert_eq!(
        found(&store, &asked, 10).await,
        Some(Before::Equal("second".to_owned()))
    );
}

#[rstest]
#[tokio::test]
async fn old_answers_go_a_hundred_at_a_time_whosever_they_are(#[values(Sqlite, Postgres)] backend: Backend) {
    let (bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let mut tx = store.begin("fill").await.unwrap();
    for n in 0..150 {
        for tenant in [Some(world.acme.id), None] {
            let key = key(&format!("old-{n}"));
            insert(&mut tx, &request(tenant, "ann", &key, "x"), &"", at(n), at(-1))
                .await
                .unwrap();
        }
    }
    tx.commit().await.unwrap();
    let new = key("new");
    keep(&store, &request(world.acme.id, "ann", &new, "x"), "", 1_000, 500).await;
    for (gone, left) in [(100, 201), (100, 101), (100, 1), (0, 1)] {
        let mut tx = store.begin("prune").await.unwrap();
        assert_eq!(prune(&mut tx, at(500)).await.unwrap(), gone);
        tx.commit().await.unwrap();
        assert_eq!(keys(&bench).await.len(), left);
    }
    assert_eq!(keys(&bench).await, ["new"], "no other goes");
}

async fn keys(bench: &Bench) -> Vec<String> {
    let sql = "select key from idempotency_keys order by key";
    bench.ask(sql.to_owned()).await
}

#[rstest]
#[tokio::test]
async fn nobody_finds_out_by_trying_what_was_asked_for(#[values(Sqlite, Postgres)] backend: Backend) {
    let (bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let (a, b) = (key("a"), key("b"));
    let pin = |key| Request {
        secret: true,
        ..request(world.acme.id, "ann", key, "1234")
    };
    keep(&store, &pin(&a), "done", 10, 0).await;
    let rows = bench.ask("select request from idempotency_keys".to_owned()).await;
    assert!(!rows.contains(&Digest::of("1234").to_string()), "{rows:?}");
    let equal = Some(Before::Equal("done".to_owned()));
    assert_eq!(found(&store, &pin(&a), 9).await, equal);
    let other = Request {
        digest: Digest::of("1235"),
        ..pin(&a)
    };
    assert_eq!(found(&store, &other, 9).await, Some(Before::Other));

    for (sealing_key, wrong) in [(None, false), (Some(sealing_key('b')), true)] {
        let elsewhere = bench.another_store(sealing_key).await;
        let mut tx = elsewhere.begin("again").await.unwrap();
        for request in [pin(&a), pin(&b)] {
            let found = find::<String>(&mut tx, &request, at(9)).await.unwrap_err();
            let kept = insert(&mut tx, &request, &"", at(10), at(0)).await.unwrap_err();
            for error in [found, kept] {
                assert_eq!(error.is_wrong_key(), wrong, "{error}");
                assert_eq!(matches!(error, StoreError::NoSealingKey), !wrong, "{error}");
            }
        }
        // What holds no secret is asked for without a key as well.
        let plain = request(world.acme.id, "ann", &b, "x");
        assert_eq!(find::<String>(&mut tx, &plain, at(9)).await.unwrap(), None);
    }
}
