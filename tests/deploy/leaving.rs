//! Tenants on their way out, while something else goes on or goes wrong.

use std::time::Duration;

use rstest::rstest;
use serde_json::json;
use switchyard::domain::clock::{Clock as _, SystemClock};
use switchyard::domain::deployment::DeploymentStatus::Live;
use switchyard::store::{leases, tenant_lifecycle};

use super::deleted::{delete, texts};
use super::domains::change;
use super::moved::second;
use super::served::endpoints;
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::support::scan::files_that_name;
use super::suspended::suspend;
use super::world::{World, upkeep};

/// Its fragments are lost, and another tenant is deployed before its own deploy has its turn.
#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn o40_a_tenant_that_leaves_is_never_written_anew(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, _), (globex, gina)] = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    let mut tx = world.store.begin("let_go").await.unwrap();
    let now = SystemClock.now();
    assert!(tenant_lifecycle::let_go(&mut tx, acme.id, now).await.unwrap());
    tx.commit().await.unwrap();
    let fragments = format!("instances/{}/fragments/{}", world.instance_id, acme.id);
    std::fs::remove_dir_all(world.state_dir().join(fragments)).unwrap();

    world.patch(&globex, &gina, json!({"name": "Gina"})).await;
    let deployed = world.deploy(&globex).await.expect(Live);
    assert_eq!(
        endpoints(&world).into_iter().collect::<Vec<_>>(),
        ["1001@globex.example.com"]
    );
    for directory in [world.config_dir(), world.state_dir()] {
        assert_eq!(files_that_name(&directory, &texts(&acme, "acme")), [""; 0]);
    }
    // Their record is theirs.
    let changes = deployed.deployment.changes;
    assert!(!changes.is_empty());
    assert!(
        changes.iter().all(|change| change.tenant_id == Some(globex.id)),
        "{changes:?}"
    );
}

/// The secret of one instance does not open, so that nothing can be removed there.
#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn o40_one_tenant_that_cannot_go_keeps_no_other(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [acme, globex] = [world.tenant("acme").await, world.tenant("globex").await];
    let second = second(&world).await;
    change(&world, &acme, json!({"pbx_instance_id": second}))
        .await
        .unwrap();
    for (tenant, name) in [(&acme, "Tenant acme"), (&globex, "Tenant globex")] {
        suspend(&world, tenant).await;
        delete(&world, tenant, name).await.unwrap();
    }
    world
        .database
        .sql(
            "update instances set control_secret = (select m.control_secret from instances m where m.name = 'main') \
             where name = 'second'",
        )
        .await;
    assert!(acme.id < globex.id, "the first in turn fails");
    assert_eq!(upkeep(&world.app).await, 1);
    let there = "select domain from tenants";
    assert_eq!(world.database.ask(there.to_owned()).await, ["acme.example.com"]);
}

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn o40_a_deletion_waits_for_a_deploy_that_is_under_way(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let acme = world.tenant("acme").await;
    suspend(&world, &acme).await;
    delete(&world, &acme, "Tenant acme").await.unwrap();
    let mut tx = world.store.begin("take_lease").await.unwrap();
    let (now, minute) = (SystemClock.now(), Duration::from_mins(1));
    let epoch = leases::acquire(&mut tx, world.instance_id, "somebody", None, now, minute).await;
    let epoch = epoch.unwrap().unwrap();
    tx.commit().await.unwrap();
    assert_eq!(upkeep(&world.app).await, 0);
    let mut tx = world.store.begin("give_back").await.unwrap();
    assert!(leases::release(&mut tx, world.instance_id, epoch).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(upkeep(&world.app).await, 1);
}
