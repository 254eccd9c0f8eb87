//! Revisions and the head.

use futures_util::future::join_all;
use rstest::rstest;
use switchyard::domain::deployment::Scope;
use switchyard::domain::ids::{RevisionId, SystemIds, TenantId};
use switchyard::domain::page::PageRequest;
use switchyard::store::{Store, StoreError, deployments, extensions, revisions, tenants};

use super::bench::Backend::{Postgres, Sqlite};
use super::bench::{Backend, Bench, key};
use super::revisions_go::{forget, taken};
use super::samples::{World, at, deployment, store_extension, store_revision};

#[rstest]
#[tokio::test]
async fn the_head_is_the_tenant_with_its_extensions_by_number(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let bob = store_extension(&store, world.acme.id, "1002", "Bob").await;
    let ann = store_extension(&store, world.acme.id, "1001", "Ann").await;
    store_extension(&store, world.globex.id, "1003", "Elsewhere").await;
    let mut tx = store.read("head").await.unwrap();
    let head = revisions::head(&mut tx, world.acme.id).await.unwrap().unwrap();
    assert_eq!(head.name, world.acme.name);
    assert_eq!(head.domain, world.acme.domain);
    assert_eq!(head.timezone, world.acme.timezone);
    let found: Vec<_> = head
        .extensions
        .into_iter()
        .map(|e| (e.id, e.number, e.settings))
        .collect();
    let expected = [ann, bob].map(|e| (e.id, e.number, e.settings));
    assert_eq!(found, expected);
    assert_eq!(
        revisions::head(&mut tx, TenantId::fresh(&SystemIds))
            .await
            .unwrap(),
        None
    );
}

#[rstest]
#[tokio::test]
async fn an_equal_head_gives_the_same_revision(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let ann = store_extension(&store, world.acme.id, "1001", "Zoë \"x\" \\ ${Y}").await;
    let first = store_revision(&store, world.acme.id).await;
    assert_eq!(first.number, 1);
    assert_eq!(store_revision(&store, world.acme.id).await, first);

    let mut settings = ann.settings.clone();
    settings.name = "Ann".parse().unwrap();
    let mut tx = store.begin("edit").await.unwrap();
    extensions::update_settings(&mut tx, world.acme.id, ann.id, &settings, at(20))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let second = store_revision(&store, world.acme.id).await;
    assert_eq!(second.number, 2);
    assert_ne!(second.digest, first.digest);

    let mut tx = store.begin("undo").await.unwrap();
    extensions::update_settings(&mut tx, world.acme.id, ann.id, &ann.settings, at(21))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store_revision(&store, world.acme.id).await, first);
}

#[rstest]
#[tokio::test]
async fn a_revision_comes_back_whole_and_to_its_tenant_only(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    store_extension(&store, world.acme.id, "1001", "Ann").await;
    let revision = store_revision(&store, world.acme.id).await;
    let mut tx = store.read("find").await.unwrap();
    let found = revisions::find(&mut tx, world.acme.id, revision.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found, revision);
    assert_eq!(found.config.digest().unwrap(), revision.digest);
    assert_eq!(
        revisions::find(&mut tx, world.globex.id, revision.id)
            .await
            .unwrap(),
        None
    );
    let page = PageRequest::default();
    assert_eq!(
        revisions::list(&mut tx, world.globex.id, page)
            .await
            .unwrap()
            .total,
        0
    );
}

#[rstest]
#[tokio::test]
async fn revisions_are_listed_newest_first(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let mut taken = Vec::new();
    for number in 1001..1004 {
        store_extension(&store, world.acme.id, &number.to_string(), "x").await;
        taken.push(store_revision(&store, world.acme.id).await);
    }
    let mut tx = store.read("list").await.unwrap();
    let page = revisions::list(&mut tx, world.acme.id, PageRequest::new(1, 2).unwrap())
        .await
        .unwrap();
    assert_eq!(page.total, 3);
    let newest: Vec<_> = page
        .items
        .iter()
        .map(|r| (r.id, r.number, r.digest, r.created_at))
        .collect();
    let expected: Vec<_> = taken
        .iter()
        .rev()
        .take(2)
        .map(|r| (r.id, r.number, r.digest, r.created_at))
        .collect();
    assert_eq!(newest, expected);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn twenty_at_once_take_one_revision(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let tasks = (0..20).map(|_| store_revision(&store, world.acme.id));
    let taken = join_all(tasks).await;
    assert!(
        taken
            .iter()
            .all(|revision| *revision == taken[0] && revision.number == 1)
    );
    let mut tx = store.read("list").await.unwrap();
    assert_eq!(
        revisions::list(&mut tx, world.acme.id, PageRequest::default())
            .await
            .unwrap()
            .total,
        1
    );
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn twenty_different_ones_at_once_get_twenty_numbers(#[values(Sqlite, Postgres)] backend: Backend) {
    let (bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let mut tx = store.read("head").await.unwrap();
    let head = revisions::head(&mut tx, world.acme.id).await.unwrap().unwrap();
    drop(tx);
    let other = bench.another_store(Some(key('a'))).await;
    let tasks = (0..20).map(|task| {
        let store = if task % 2 == 0 { &store } else { &other };
        let mut config = head.clone();
        config.name = format!("Edited {task}").parse().unwrap();
        let tenant = world.acme.id;
        async move {
            let mut tx = store.begin("take").await.unwrap();
            let fresh = RevisionId::fresh(&SystemIds);
            let revision = revisions::take(&mut tx, tenant, &config, fresh, at(30))
                .await
                .unwrap();
            tx.commit().await.unwrap();
            revision.number
        }
    });
    let mut numbers = join_all(tasks).await;
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=20).collect::<Vec<_>>());
}

/// A daemon of a former version goes by the revisions that are there, and counts none.
#[rstest]
#[tokio::test]
async fn a42_a_revision_that_somebody_else_did_not_count_takes_no_number_of_the_next(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let (acme, globex) = (world.acme.id, world.globex.id);
    for (tenant, name, number) in [
        (acme, "Edited a", 1),
        (acme, "Edited b", 2),
        (globex, "Edited a", 1),
        (acme, "Edited c", 3),
    ] {
        assert_eq!(taken(&store, tenant, name, at(30)).await.number, number);
    }
    bench.sql("update tenants set last_revision = 0").await;
    assert_eq!(
        taken(&store, acme, "Edited c", at(31)).await.number,
        3,
        "an equal one"
    );
    for (tenant, name, number) in [
        (acme, "Edited d", 4),
        (globex, "Edited b", 2),
        (acme, "Edited e", 5),
    ] {
        assert_eq!(taken(&store, tenant, name, at(32)).await.number, number);
    }
    let counted = "select last_revision || '' from tenants order by domain".to_owned();
    assert_eq!(bench.ask(counted).await, ["5", "2"]);
    // Where more were counted than there are, none is given twice.
    bench.sql("update tenants set last_revision = 9").await;
    assert_eq!(taken(&store, acme, "Edited f", at(33)).await.number, 10);
    assert_eq!(taken(&store, globex, "Edited c", at(33)).await.number, 10);
}

/// Nobody removes what has just been answered: it holds the tenant as long as it does.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a42_an_equal_revision_does_not_go_while_it_is_taken(#[values(Sqlite, Postgres)] backend: Backend) {
    let (bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let (acme, other) = (world.acme.id, bench.another_store(Some(key('a'))).await);
    let equal = taken(&store, acme, world.acme.name.as_str(), at(10)).await;
    let mut tx = store.begin("take").await.unwrap();
    let again = revisions::take(
        &mut tx,
        acme,
        &equal.config,
        RevisionId::fresh(&SystemIds),
        at(20),
    )
    .await;
    assert_eq!(again.unwrap(), equal);
    let takes = async {
        bench.others_wait().await;
        // A deploy of it is asked for, and so it is needed.
        let scope = Scope::TenantRollback {
            tenant_id: acme,
            revision_id: equal.id,
        };
        let asked = deployment(world.instance.id, scope, 50);
        deployments::insert(&mut tx, &asked).await.unwrap();
        tx.commit().await.unwrap();
    };
    let (gone, ()) = tokio::join!(forget(&other, acme, at(100)), takes);
    assert_eq!(gone, 0);
}

#[rstest]
#[tokio::test]
async fn an_absent_tenant_is_a_bad_reference(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let mut tx = store.begin("take").await.unwrap();
    let head = revisions::head(&mut tx, world.acme.id).await.unwrap().unwrap();
    let (absent, fresh) = (TenantId::fresh(&SystemIds), RevisionId::fresh(&SystemIds));
    let error = revisions::take(&mut tx, absent, &head, fresh, at(1))
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::Reference { .. }), "{error:?}");
}

async fn head_revision(store: &Store, tenant: TenantId) -> Option<RevisionId> {
    let mut tx = store.read("state").await.unwrap();
    let state = tenants::state_of(&mut tx, tenant).await.unwrap();
    state.unwrap().head_revision
}

async fn take_head(store: &Store, tenant: TenantId) -> RevisionId {
    let mut tx = store.begin("take_head").await.unwrap();
    let fresh = RevisionId::fresh(&SystemIds);
    let taken = revisions::take_head(&mut tx, tenant, fresh, at(30))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    taken.unwrap()
}

/// What it forgets is what a deploy would not see.
#[rstest]
#[tokio::test]
async fn a42_the_revision_of_the_head_is_known_until_any_edit(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let acme = world.acme.id;
    assert_eq!(head_revision(&store, acme).await, None);
    let mut known = vec![take_head(&store, acme).await];
    assert_eq!(head_revision(&store, acme).await, known.last().copied());
    assert_eq!(take_head(&store, acme).await, known[0]);

    let ann = store_extension(&store, acme, "1001", "Ann").await;
    assert_eq!(head_revision(&store, acme).await, None, "after an insert");
    known.push(take_head(&store, acme).await);
    store_extension(&store, world.globex.id, "1001", "Elsewhere").await;
    assert_eq!(
        head_revision(&store, acme).await,
        known.last().copied(),
        "another tenant's edit is no edit of this one"
    );

    let mut settings = ann.settings.clone();
    settings.name = "Zoë".parse().unwrap();
    let mut tx = store.begin("edit").await.unwrap();
    extensions::update_settings(&mut tx, acme, ann.id, &settings, at(20))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(head_revision(&store, acme).await, None, "after a change");
    known.push(take_head(&store, acme).await);

    let mut tx = store.begin("delete").await.unwrap();
    extensions::delete(&mut tx, acme, ann.id).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(head_revision(&store, acme).await, None, "after a deletion");
    assert_eq!(
        take_head(&store, acme).await,
        known[0],
        "an equal head gives the same revision"
    );
    known.dedup();
    assert_eq!(known.len(), 3);
}

/// Each of them either is in the revision, or is pending: none is lost between two.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a42_an_edit_beside_the_taking_of_the_head_is_never_forgotten(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let (acme, other) = (world.acme.id, bench.another_store(Some(key('a'))).await);
    for number in 1001..1031 {
        let number = number.to_string();
        let (taken, edited) = tokio::join!(
            take_head(&store, acme),
            store_extension(&other, acme, &number, "Ann")
        );
        let mut tx = store.read("taken").await.unwrap();
        let held = revisions::find(&mut tx, acme, taken).await.unwrap().unwrap();
        let holds = held.config.extensions.iter().any(|one| one.id == edited.id);
        drop(tx);
        let known = head_revision(&store, acme).await;
        assert_eq!(known, holds.then_some(taken), "{number}");
    }
}
