//! Deploys of many extensions at once: what is looked up of them, and what is told of those that are not.

use std::time::Duration;

use serde_json::json;
use switchyard::app::extension_import::{self, Row};
use switchyard::app::extensions;
use switchyard::app::precondition::IfMatch;
use switchyard::domain::deployment::DeploymentStatus::{Live, RolledBack};

use super::fusionpbx::Booleans::Native;
use super::world::{TestTenant, World};

const MANY: usize = 240;

async fn many(world: &World) -> TestTenant {
    let acme = world.tenant("acme").await;
    let row = |place: usize| {
        let number = (1000 + place).to_string();
        let input = json!({"number": number, "name": format!("Phone {place}")});
        Row {
            line: u64::try_from(place).unwrap(),
            number: Some(number),
            input: Ok(serde_json::from_value(input).unwrap()),
        }
    };
    let rows: Vec<_> = (0..MANY).map(row).collect();
    let report = extension_import::import(&world.app, &acme.caller, rows, false, None).await;
    assert!(report.unwrap().into_inner().imported);
    acme
}

#[tokio::test]
async fn of_many_new_users_each_has_its_rows_and_one_in_a_hundred_is_looked_up() {
    let world = World::new(Native).await;
    let acme = many(&world).await;
    let ended = world.deploy(&acme).await.expect(Live);
    assert_eq!(world.ours("v_extensions").await.len(), MANY);
    let lookups = || world.freeswitch.journal().with("param a1-hash").len();
    assert_eq!(lookups(), MANY.div_ceil(100));
    let told = "240 extensions as they should be (by their rows, and 3 of them looked up)";
    assert!(ended.words().contains(told), "{ended:#?}");

    // Whoever asks what is served asks for each.
    world.freeswitch.journal().clear();
    assert!(world.is_verified().await);
    assert_eq!(lookups(), MANY);

    // So does a deploy of users that a cache may hold.
    let one = world.extension(&acme, "2001", "One").await;
    let rotated = extensions::rotate_secret(&world.app, &acme.caller, one.extension.id, &IfMatch::Any);
    rotated.await.unwrap();
    world.freeswitch.journal().clear();
    world.deploy(&acme).await.expect(Live);
    assert_eq!(lookups(), MANY + 1);
}

/// What nobody looks up is what its row says, and that is looked at once more.
#[tokio::test]
async fn a_row_that_somebody_edits_before_it_is_proven_keeps_a_first_deploy_from_being_live() {
    let world = World::new(Native).await;
    let acme = many(&world).await;
    world.freeswitch.faults().delay(Duration::from_millis(300));
    let editing = async {
        loop {
            let edit = "update v_extensions set call_timeout = 77 where extension = '1005'";
            let done = sqlx::query(edit).execute(&world.fusionpbx.pool).await.unwrap();
            if done.rows_affected() > 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        world.freeswitch.faults().delay(Duration::ZERO);
    };
    let (deployed, ()) = tokio::join!(world.deploy(&acme), editing);
    let ended = deployed.expect(RolledBack);
    assert!(ended.codes().contains(&"rows_differ"), "{ended:#?}");
    assert_eq!(world.ours("v_extensions").await.len(), 0);
    world.deploy(&acme).await.expect(Live);
    assert!(world.is_verified().await);
}
