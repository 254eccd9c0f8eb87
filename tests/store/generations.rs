//! Generations, and the template sets they are rendered with.

use std::collections::{BTreeMap, BTreeSet};

use rstest::rstest;
use switchyard::domain::deployment::{DeploymentStatus, Scope};
use switchyard::domain::digest::Digest;
use switchyard::domain::generation::Generation;
use switchyard::domain::ids::{GenerationId, InstanceId, SystemIds};
use switchyard::domain::page::PageRequest;
use switchyard::domain::served::Served;
use switchyard::domain::tenant::Service;
use switchyard::store::{StoreError, Tx, deployments, generations, instances, served, template_sets};

use super::bench::Backend::{Postgres, Sqlite};
use super::bench::{Backend, Bench};
use super::samples::{
    World, at, deployment, instance, instance_secrets, store_extension, store_generation, store_revision,
    templates,
};

#[rstest]
#[tokio::test]
async fn a_template_set_comes_back_byte_for_byte(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let (digest, files) = templates();
    let mut tx = store.begin("keep").await.unwrap();
    template_sets::keep(&mut tx, digest, &files, at(1)).await.unwrap();
    template_sets::keep(&mut tx, digest, &files, at(2)).await.unwrap();
    let empty = Digest::of("empty");
    template_sets::keep(&mut tx, empty, &BTreeMap::new(), at(3))
        .await
        .unwrap();
    assert_eq!(template_sets::find(&mut tx, digest).await.unwrap(), Some(files));
    assert_eq!(
        template_sets::find(&mut tx, empty).await.unwrap(),
        Some(BTreeMap::new())
    );
    assert_eq!(
        template_sets::find(&mut tx, Digest::of("absent")).await.unwrap(),
        None
    );
    tx.commit().await.unwrap();
}

#[rstest]
#[tokio::test]
async fn every_field_comes_back(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let acme = store_revision(&store, world.acme.id).await;
    let globex = store_revision(&store, world.globex.id).await;
    let first = store_generation(&store, world.instance.id, &[&acme]).await;
    let second = store_generation(&store, world.instance.id, &[&acme, &globex]).await;
    let other = instance("other");

    let mut tx = store.begin("find").await.unwrap();
    assert_eq!((first.number, second.number), (1, 2));
    assert_eq!(
        generations::next_number(&mut tx, world.instance.id)
            .await
            .unwrap(),
        3
    );
    assert_eq!(
        generations::find(&mut tx, world.instance.id, first.id)
            .await
            .unwrap()
            .as_ref(),
        Some(&first)
    );
    assert_eq!(
        generations::find(&mut tx, world.instance.id, second.id)
            .await
            .unwrap()
            .as_ref(),
        Some(&second)
    );

    for tenants in [BTreeSet::new(), BTreeSet::from([world.globex.id])] {
        let mut few = second.clone();
        few.tenants.retain(|id, _| tenants.contains(id));
        let found = generations::find_with(&mut tx, world.instance.id, second.id, &tenants).await;
        assert_eq!(found.unwrap(), Some(few));
    }

    instances::insert(&mut tx, &other, &instance_secrets())
        .await
        .unwrap();
    assert_eq!(
        generations::find(&mut tx, other.id, first.id).await.unwrap(),
        None
    );
    let elsewhere = generations::find_with(&mut tx, other.id, first.id, &BTreeSet::new()).await;
    assert_eq!(elsewhere.unwrap(), None);
    assert_eq!(generations::next_number(&mut tx, other.id).await.unwrap(), 1);
    assert_eq!(
        generations::list(&mut tx, other.id, PageRequest::default())
            .await
            .unwrap()
            .total,
        0
    );

    let page = generations::list(&mut tx, world.instance.id, PageRequest::default())
        .await
        .unwrap();
    let listed: Vec<_> = page.items.iter().map(|g| (g.id, g.number, g.tenants)).collect();
    assert_eq!(listed, [(second.id, 2, 2), (first.id, 1, 1)]);
    let newest = &page.items[0];
    assert_eq!(
        (
            newest.template_digest,
            newest.settings_revision,
            newest.created_at
        ),
        (
            second.template_digest,
            second.settings_revision,
            second.created_at
        )
    );
    tx.commit().await.unwrap();
}

#[rstest]
#[tokio::test]
async fn a_number_that_is_used_is_a_conflict(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let first = store_generation(&store, world.instance.id, &[]).await;
    let again = Generation {
        id: GenerationId::fresh(&SystemIds),
        ..first
    };
    let mut tx = store.begin("insert").await.unwrap();
    let error = generations::insert(&mut tx, &again).await.unwrap_err();
    assert!(error.is_conflict_on("generations", "number"), "{error:?}");
}

#[rstest]
#[tokio::test]
async fn a_generation_serves_no_tenant_with_anothers_revision(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let acme = store_revision(&store, world.acme.id).await;
    let mut crossed = store_generation(&store, world.instance.id, &[]).await;
    crossed.id = GenerationId::fresh(&SystemIds);
    crossed.number = 2;
    crossed.tenants = BTreeMap::from([(world.globex.id, acme.id)]);
    let mut tx = store.begin("insert").await.unwrap();
    let error = generations::insert(&mut tx, &crossed).await.unwrap_err();
    assert!(matches!(error, StoreError::Reference { .. }), "{error:?}");
}

#[rstest]
#[tokio::test]
async fn o34_a_tenant_that_is_served_cannot_be_deleted_and_one_that_is_not_leaves_nothing(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    store_extension(&store, world.acme.id, "1001", "Ann").await;
    let acme = store_revision(&store, world.acme.id).await;
    store_generation(&store, world.instance.id, &[&acme]).await;
    let row = Served {
        revision_id: acme.id,
        secrets_version: 1,
        service: Service::Open,
        fragments: BTreeMap::new(),
    };
    let mut tx = store.begin("serve").await.unwrap();
    served::replace(
        &mut tx,
        world.instance.id,
        &BTreeMap::from([(world.acme.id, row)]),
    )
    .await
    .unwrap();
    tx.commit().await.unwrap();
    assert!(
        bench
            .try_sql("delete from tenants where domain = 'acme.example.com'")
            .await
            .is_err()
    );

    let mut tx = store.begin("serve_nothing").await.unwrap();
    served::replace(&mut tx, world.instance.id, &BTreeMap::new())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    bench
        .sql("delete from tenants where domain = 'acme.example.com'")
        .await;
    for table in [
        "extensions",
        "extension_secrets",
        "revisions",
        "generation_tenants",
        "served",
    ] {
        let left = bench
            .ask(format!("select cast(count(*) as text) from {table}"))
            .await;
        assert_eq!(left, ["0"], "{table}");
    }
}

#[rstest]
#[tokio::test]
async fn the_newest_generations_that_ran_stay_and_the_live_one_whatever_its_age(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let id = world.instance.id;
    let mut all = Vec::new();
    for _ in 0..7 {
        all.push(store_generation(&store, id, &[]).await);
    }
    let mut tx = store.begin("set_live").await.unwrap();
    // Every other one never ran.
    for ran in all.iter().step_by(2) {
        generations::set_live(&mut tx, ran.id, at(20)).await.unwrap();
        assert!(generations::was_live(&mut tx, ran.id).await.unwrap());
    }
    assert!(!generations::was_live(&mut tx, all[1].id).await.unwrap());
    instances::set_live(&mut tx, id, all[0].id).await.unwrap();
    instances::set_applying(&mut tx, id, Some(all[3].id))
        .await
        .unwrap();
    let under_way = deployment(id, Scope::Platform, 30);
    deployments::insert(&mut tx, &under_way).await.unwrap();
    deployments::set_plan(&mut tx, under_way.id, Some(&all[5]), &[])
        .await
        .unwrap();

    assert_eq!(generations::prune(&mut tx, id, 2).await.unwrap(), 1);
    assert_eq!(numbers(&mut tx, id).await, [7, 6, 5, 4, 2, 1]);
    assert_eq!(generations::forget_attempts(&mut tx, id).await.unwrap(), 1);
    assert_eq!(numbers(&mut tx, id).await, [7, 6, 5, 4, 1]);
    let failed = DeploymentStatus::Failed;
    deployments::end(&mut tx, under_way.id, failed, &[], at(40))
        .await
        .unwrap();
    instances::set_applying(&mut tx, id, None).await.unwrap();
    assert_eq!(generations::forget_attempts(&mut tx, id).await.unwrap(), 2);
    assert_eq!(numbers(&mut tx, id).await, [7, 5, 1]);
    let ended = deployments::find(&mut tx, id, under_way.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((ended.generation_id, ended.generation), (None, Some(6)));
    let elsewhere = instance("elsewhere").id;
    assert_eq!(generations::prune(&mut tx, elsewhere, 1).await.unwrap(), 0);
    assert_eq!(generations::forget_attempts(&mut tx, elsewhere).await.unwrap(), 0);
}

async fn numbers(tx: &mut Tx, id: InstanceId) -> Vec<i64> {
    let kept = generations::list(tx, id, PageRequest::default()).await.unwrap();
    kept.items.iter().map(|generation| generation.number).collect()
}

#[rstest]
#[tokio::test]
async fn a_number_is_never_given_twice(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let id = world.instance.id;
    store_generation(&store, id, &[]).await;
    let mut tx = store.begin("forget").await.unwrap();
    assert_eq!(generations::forget_attempts(&mut tx, id).await.unwrap(), 1);
    assert_eq!(generations::next_number(&mut tx, id).await.unwrap(), 2);
    let absent = generations::next_number(&mut tx, instance("absent").id).await;
    assert!(matches!(absent, Err(StoreError::Reference { .. })), "{absent:?}");
}

/// Of a database that was used before: what ran is known by its deployments, and no number comes again.
#[rstest]
#[tokio::test]
async fn what_ran_before_the_upgrade_is_kept_as_what_ran(#[values(Sqlite, Postgres)] backend: Backend) {
    let (bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let id = world.instance.id;
    let mut all = Vec::new();
    for _ in 0..4 {
        all.push(store_generation(&store, id, &[]).await);
    }
    let mut tx = store.begin("before").await.unwrap();
    for (generation, status) in all.iter().zip([
        DeploymentStatus::Live,
        DeploymentStatus::Failed,
        DeploymentStatus::Partial,
    ]) {
        let deployment = deployment(id, Scope::Platform, 30);
        deployments::insert(&mut tx, &deployment).await.unwrap();
        deployments::set_plan(&mut tx, deployment.id, Some(generation), &[])
            .await
            .unwrap();
        deployments::end(&mut tx, deployment.id, status, &[], at(40))
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
    bench.sql("alter table generations drop column live_at").await;
    bench
        .sql("alter table instances drop column last_generation")
        .await;
    bench.forget_migration("generations_that_ran").await;
    store.database().migrate().await.unwrap();

    let mut tx = store.begin("after").await.unwrap();
    let mut ran = Vec::new();
    for generation in &all {
        ran.push(generations::was_live(&mut tx, generation.id).await.unwrap());
    }
    assert_eq!(ran, [true, false, true, false]);
    assert_eq!(generations::next_number(&mut tx, id).await.unwrap(), 5);
}
