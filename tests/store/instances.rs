//! PBX instances.

use std::time::Duration;

use rstest::rstest;
use switchyard::domain::deployment::{Scope, Stage};
use switchyard::domain::ids::{InstanceId, SystemIds};
use switchyard::domain::instance::InstanceSettings;
use switchyard::domain::instance_secrets::InstanceSecrets;
use switchyard::store::{StoreError, deployments, instances, leases, stages};

use super::bench::Backend::{Postgres, Sqlite};
use super::bench::{Backend, Bench};
use super::samples::{
    World, at, deployment, instance, instance_secrets, store_extension, store_generation, store_revision,
};

#[rstest]
#[tokio::test]
async fn every_field_comes_back(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let (alpha, beta) = (instance("alpha"), instance("beta"));
    let mut tx = store.begin("insert").await.unwrap();
    instances::insert(&mut tx, &beta, &instance_secrets())
        .await
        .unwrap();
    instances::insert(&mut tx, &alpha, &instance_secrets())
        .await
        .unwrap();
    assert_eq!(
        instances::find(&mut tx, alpha.id).await.unwrap().as_ref(),
        Some(&alpha)
    );
    assert_eq!(
        instances::find_by_name(&mut tx, &beta.name)
            .await
            .unwrap()
            .as_ref(),
        Some(&beta)
    );
    assert_eq!(instances::list(&mut tx).await.unwrap(), [alpha, beta]);
    tx.commit().await.unwrap();
}

#[rstest]
#[tokio::test]
async fn what_is_absent_is_absent(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let absent = instance("absent");
    let id = InstanceId::fresh(&SystemIds);
    let mut tx = store.begin("look").await.unwrap();
    assert_eq!(instances::find(&mut tx, id).await.unwrap(), None);
    assert_eq!(
        instances::find_by_name(&mut tx, &absent.name).await.unwrap(),
        None
    );
    assert!(instances::secrets(&mut tx, id).await.unwrap().is_none());
    assert!(
        !instances::set_secrets(&mut tx, id, &instance_secrets())
            .await
            .unwrap()
    );
    assert_eq!(
        instances::update_settings(&mut tx, id, &absent.settings)
            .await
            .unwrap(),
        None
    );
    assert!(!instances::set_applying(&mut tx, id, None).await.unwrap());
    assert_eq!(instances::list(&mut tx).await.unwrap(), []);
    tx.commit().await.unwrap();
}

#[rstest]
#[tokio::test]
async fn a_name_that_is_taken_is_a_conflict(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let mut tx = store.begin("insert").await.unwrap();
    instances::insert(&mut tx, &instance("main"), &instance_secrets())
        .await
        .unwrap();
    let error = instances::insert(&mut tx, &instance("main"), &instance_secrets())
        .await
        .unwrap_err();
    assert!(
        matches!(&error, StoreError::Conflict { table, columns } if table == "instances" && *columns == ["name"]),
        "{error:?}"
    );
    assert!(error.is_conflict_on("instances", "name"));
    assert!(!error.is_conflict_on("tenants", "name") && !error.is_conflict_on("instances", "id"));
}

#[rstest]
#[tokio::test]
async fn an_id_that_is_taken_is_a_conflict(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let mut twin = instance("twin");
    let mut tx = store.begin("insert").await.unwrap();
    instances::insert(&mut tx, &twin, &instance_secrets())
        .await
        .unwrap();
    twin.name = "other".parse().unwrap();
    let error = instances::insert(&mut tx, &twin, &instance_secrets())
        .await
        .unwrap_err();
    assert!(
        matches!(&error, StoreError::Conflict { table, columns } if table == "instances" && *columns == ["id"]),
        "{error:?}"
    );
}

#[rstest]
#[tokio::test]
async fn new_settings_have_a_new_revision(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let mut expected = world.instance;
    let InstanceSettings::Asterisk(settings) = &mut expected.settings else {
        panic!("{:?}", expected.settings);
    };
    settings.ami_port = 65_535;
    settings.log_file = None;
    settings.emergency_numbers.clear();
    let mut tx = store.begin("update").await.unwrap();
    assert_eq!(
        instances::update_settings(&mut tx, expected.id, &expected.settings)
            .await
            .unwrap(),
        Some(2)
    );
    expected.settings_revision = 2;
    assert_eq!(
        instances::find(&mut tx, expected.id).await.unwrap(),
        Some(expected)
    );
    tx.commit().await.unwrap();
}

#[rstest]
#[tokio::test]
async fn both_secrets_are_replaced(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let mut tx = store.begin("replace").await.unwrap();
    for database in [Some("another".into()), None] {
        let other = InstanceSecrets {
            control: "other".into(),
            database,
        };
        let replaced = instances::set_secrets(&mut tx, world.instance.id, &other).await;
        assert!(replaced.unwrap());
        let kept = instances::secrets(&mut tx, world.instance.id).await.unwrap();
        assert!(kept.unwrap().same(&other));
    }
    tx.commit().await.unwrap();
}

#[rstest]
#[tokio::test]
async fn what_is_applied_becomes_what_is_live(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    store_extension(&store, world.acme.id, "1001", "Ann").await;
    let revision = store_revision(&store, world.acme.id).await;
    let generation = store_generation(&store, world.instance.id, &[&revision]).await;
    let id = world.instance.id;
    let mut tx = store.begin("apply").await.unwrap();

    assert!(
        instances::set_applying(&mut tx, id, Some(generation.id))
            .await
            .unwrap()
    );
    let applying = instances::find(&mut tx, id).await.unwrap().unwrap();
    assert_eq!((applying.live, applying.applying), (None, Some(generation.id)));

    assert!(instances::set_live(&mut tx, id, generation.id).await.unwrap());
    let live = instances::find(&mut tx, id).await.unwrap().unwrap();
    assert_eq!((live.live, live.applying), (Some(generation.id), None));

    assert!(
        instances::set_applying(&mut tx, id, Some(generation.id))
            .await
            .unwrap()
    );
    assert!(instances::set_applying(&mut tx, id, None).await.unwrap());
    assert_eq!(instances::find(&mut tx, id).await.unwrap(), Some(live));
    tx.commit().await.unwrap();
}

#[rstest]
#[tokio::test]
async fn an_instance_cannot_run_a_generation_of_another(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let generation = store_generation(&store, world.instance.id, &[]).await;
    let other = instance("other");
    let mut tx = store.begin("insert").await.unwrap();
    instances::insert(&mut tx, &other, &instance_secrets())
        .await
        .unwrap();
    let error = instances::set_live(&mut tx, other.id, generation.id)
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::Reference { .. }), "{error:?}");
}

#[rstest]
#[tokio::test]
async fn a_row_that_no_longer_parses_is_named(#[values(Sqlite, Postgres)] backend: Backend) {
    let (bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    bench
        .sql("update instances set settings = '{\"kind\":\"asterisk\",\"ami_host\":\"a b\"}'")
        .await;
    let mut tx = store.read("look").await.unwrap();
    let error = instances::find(&mut tx, world.instance.id).await.unwrap_err();
    let StoreError::Corrupt { table, id, what } = error else {
        panic!("{error}")
    };
    assert_eq!((table, id), ("instances", world.instance.id.to_string()));
    assert!(what.starts_with("settings: must be a host name"), "{what}");
}

#[tokio::test]
async fn a_column_that_holds_something_else_is_corrupt_and_no_refusal() {
    let (bench, store) = Bench::migrated(Sqlite).await;
    let mut tx = store.begin("insert").await.unwrap();
    instances::insert(&mut tx, &instance("main"), &instance_secrets())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    for damage in [
        "update instances set node = 'a b'",
        "update instances set created_at = 9223372036854775807",
        "update instances set settings = 'no json'",
        "delete from instance_settings; update instances set live_generation_id = null, id = x'00'",
    ] {
        bench.sql(damage).await;
        let mut tx = store.read("look").await.unwrap();
        let error = instances::list(&mut tx).await.unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{damage}: {error:?}");
    }
}

#[rstest]
#[tokio::test]
async fn an_instance_without_tenants_goes_with_all_that_is_its_own(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let other = instance("other");
    let mut tx = store.begin("insert").await.unwrap();
    instances::insert(&mut tx, &other, &instance_secrets())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let generation = store_generation(&store, other.id, &[]).await;
    let mut deployment = deployment(other.id, Scope::Platform, 1);
    deployment.generation_id = Some(generation.id);
    let mut tx = store.begin("fill").await.unwrap();
    instances::set_live(&mut tx, other.id, generation.id)
        .await
        .unwrap();
    deployments::insert(&mut tx, &deployment).await.unwrap();
    stages::begin(&mut tx, deployment.id, Stage::Planning, at(1))
        .await
        .unwrap();
    leases::acquire(&mut tx, other.id, "a", None, at(1), Duration::from_secs(1))
        .await
        .unwrap();
    tx.commit().await.unwrap();

    bench.sql("delete from instances where name = 'other'").await;
    for table in ["generations", "deployments", "deployment_stages", "leases"] {
        let left = bench
            .ask(format!("select cast(count(*) as text) from {table}"))
            .await;
        assert_eq!(left, ["0"], "{table}");
    }
    assert!(
        bench
            .try_sql("delete from instances where name = 'main'")
            .await
            .is_err()
    );
    let mut tx = store.read("look").await.unwrap();
    assert_eq!(instances::list(&mut tx).await.unwrap(), [world.instance]);
}
