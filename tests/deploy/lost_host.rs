//! A PBX whose host is gone for good: given up by name, and with it what only waited for its answer.

use std::time::Duration;

use rstest::rstest;
use serde_json::json;
use switchyard::app::error::AppError;
use switchyard::app::instance_loss::{self, LostInstance};
use switchyard::app::precondition::IfMatch;
use switchyard::app::{instance_changes, instances, tenants};
use switchyard::domain::clock::{Clock as _, SystemClock};
use switchyard::domain::deployment::DeploymentStatus::Live;
use switchyard::domain::ids::InstanceId;
use switchyard::store::leases;

use super::deleted::{delete, texts};
use super::domains::change;
use super::moved::{second, serves_too};
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::support::scan::rows_that_name;
use super::suspended::suspend;
use super::world::{World, operator, upkeep};

async fn give_up(world: &World, id: InstanceId, confirm: &str) -> Result<LostInstance, AppError> {
    instance_loss::give_up(&world.app, &operator(), id, confirm).await
}

/// The names of the tenants that are in the way.
#[track_caller]
fn in_the_way(refused: Result<LostInstance, AppError>) -> Vec<String> {
    let Err(AppError::InUse { references, .. }) = refused else {
        panic!("{refused:?}")
    };
    let name = |reference: &serde_json::Value| reference["name"].as_str().unwrap().to_owned();
    references.iter().map(name).collect()
}

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn o40_a_deletion_ends_although_its_pbx_is_gone_for_good(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, ann), (globex, _)] = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    suspend(&world, &acme).await;
    delete(&world, &acme, "Tenant acme").await.unwrap();
    assert_eq!(upkeep(&world.app).await, 0, "its PBX does not answer");
    let main = world.instance_id;
    let refused = instance_changes::delete(&world.app, &operator(), main, &IfMatch::Any).await;
    assert!(matches!(refused, Err(AppError::InUse { .. })));

    let refused = give_up(&world, main, "Main").await;
    assert!(
        matches!(
            refused,
            Err(AppError::Conflict {
                code: "confirmation_mismatch",
                ..
            })
        ),
        "{refused:?}"
    );
    // One that is to be served goes nowhere by itself.
    assert_eq!(in_the_way(give_up(&world, main, "main").await), ["Tenant globex"]);
    let second = second(&world).await;
    change(&world, &globex, json!({"pbx_instance_id": second}))
        .await
        .unwrap();
    // Nor one that nobody else serves yet.
    assert_eq!(in_the_way(give_up(&world, main, "main").await), ["Tenant globex"]);
    serves_too(&world, &globex).await;
    let lost = give_up(&world, main, "main").await.unwrap();
    let gone: Vec<&str> = lost
        .deleted_tenants
        .iter()
        .map(|gone| gone.domain.as_str())
        .collect();
    assert_eq!(gone, ["acme.example.com"]);
    let told = lost.not_proven.join("\n");
    for word in ["host here", "acme.example.com, globex.example.com"] {
        assert!(told.contains(word), "{told}");
    }
    // Nobody asked it, and that is true.
    assert!(world.registers(&acme, &ann));

    assert_eq!(
        rows_that_name(&world.database, &texts(&acme, "acme")).await,
        [""; 0]
    );
    let found = instances::find(&world.app, &operator(), main).await;
    assert!(matches!(found, Err(AppError::NotFound)));
    let fragments = world.state_dir().join(format!("instances/{main}/fragments"));
    assert_eq!(std::fs::read_dir(fragments).unwrap().count(), 0);
    let stays = tenants::find(&world.app, &operator(), globex.id).await.unwrap();
    assert_eq!(stays.instance_id, second);
    let told = "select action from audit_entries where action in ('instance.give_up', 'tenant.gone') order by number";
    assert_eq!(
        world.database.ask(told.to_owned()).await,
        ["tenant.gone", "instance.give_up"]
    );
    assert_eq!(upkeep(&world.app).await, 0);
}

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn o40_an_instance_that_somebody_works_on_or_whose_tenants_are_served_elsewhere_is_not_given_up(
    #[case] backend: Backend,
) {
    let world = World::new(backend).await;
    let [(acme, _), (globex, _)] = world.acme_and_globex().await;
    world.deploy(&acme).await.expect(Live);
    let second = second(&world).await;
    for tenant in [&acme, &globex] {
        change(&world, tenant, json!({"pbx_instance_id": second}))
            .await
            .unwrap();
    }
    for (tenant, name) in [(&acme, "Tenant acme"), (&globex, "Tenant globex")] {
        suspend(&world, tenant).await;
        delete(&world, tenant, name).await.unwrap();
    }
    // The first instance serves it still.
    assert_eq!(
        in_the_way(give_up(&world, second, "second").await),
        ["Tenant acme"]
    );
    assert!(
        tenants::find(&world.app, &operator(), globex.id).await.is_ok(),
        "nothing is half done"
    );

    let mut tx = world.store.begin("take_lease").await.unwrap();
    let (now, minute) = (SystemClock.now(), Duration::from_mins(1));
    leases::acquire(&mut tx, second, "switchyard on pbx-2", None, now, minute)
        .await
        .unwrap()
        .unwrap();
    tx.commit().await.unwrap();
    let Err(AppError::InUse { message, .. }) = give_up(&world, second, "second").await else {
        panic!("somebody works on it")
    };
    assert!(message.contains("switchyard on pbx-2 works on it"), "{message}");
}

/// It is given up because its host is broken: nothing of that stands in the way.
#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn o40_an_instance_is_given_up_although_what_was_rendered_for_it_cannot_be_removed(
    #[case] backend: Backend,
) {
    let world = World::new(backend).await;
    let second = second(&world).await;
    let fragments = world.state_dir().join(format!("instances/{second}/fragments"));
    std::fs::create_dir_all(fragments.parent().unwrap()).unwrap();
    std::fs::write(&fragments, "no directory").unwrap();
    give_up(&world, second, "second").await.unwrap();
    let found = instances::find(&world.app, &operator(), second).await;
    assert!(matches!(found, Err(AppError::NotFound)));
}
