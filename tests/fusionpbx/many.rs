//! Deploys of many extensions at once: what is looked up of them, and what is told and served of those that are not.

use std::time::Duration;

use serde_json::json;
use switchyard::app::extension_import::{self, Row};
use switchyard::app::instances::{self, NewInstance};
use switchyard::app::precondition::IfMatch;
use switchyard::app::{extensions, tenant_change};
use switchyard::domain::deployment::DeploymentStatus::{Live, RolledBack};
use switchyard::domain::ids::InstanceId;
use switchyard::domain::instance::InstanceSettings;

use super::fusionpbx::Booleans::Native;
use super::world::{TestTenant, World, operator};

const MANY: usize = 240;

fn numbers() -> impl Iterator<Item = String> {
    (0..MANY).map(|place| (1000 + place).to_string())
}

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

async fn assign(world: &World, tenant: &TestTenant, to: InstanceId) {
    let patch = serde_json::from_value(json!({ "pbx_instance_id": to })).unwrap();
    tenant_change::change(&world.app, &operator(), tenant.id, patch, &IfMatch::Any)
        .await
        .unwrap();
}

/// Takes a tenant off the PBX, as if another host had noted that its instance serves it.
async fn move_away(world: &World, tenant: &TestTenant) {
    let mut settings = world.settings.clone();
    settings.database_name = "elsewhere".parse().unwrap();
    let new = NewInstance {
        name: "second".parse().unwrap(),
        node: "there".parse().unwrap(),
        settings: InstanceSettings::FusionPbx(settings),
        secrets: world.secrets.clone(),
    };
    let second = instances::create(&world.app, &operator(), new).await.unwrap().id;
    assign(world, tenant, second).await;
    let noting = "insert into served (instance_id, tenant_id, revision_id, secrets_version, service, fragments) \
        select i.id, s.tenant_id, s.revision_id, s.secrets_version, s.service, s.fragments \
        from served s join instances i on i.name = 'second'";
    world.database.ask(noting.to_owned()).await;
    let left = world.deploy_platform().await.expect(Live);
    assert!(left.codes().contains(&"moved_away"), "{left:#?}");
}

/// Whoever is not looked up is served by the rows too: the cache forgets each, whatever late lookups have left there.
#[tokio::test]
async fn of_many_users_that_come_back_none_is_served_from_what_the_cache_held_before() {
    let world = World::new(Native).await;
    let acme = many(&world).await;
    world.deploy(&acme).await.expect(Live);
    assert!(world.is_verified().await);
    let former = world.freeswitch.cache().entries();
    assert!(former.len() >= MANY, "{}", former.len());
    move_away(&world, &acme).await;
    assert_eq!(world.ours("v_extensions").await.len(), 0);
    world.freeswitch.cache().bring_back(former);

    for number in numbers() {
        let found = extensions::find_by_number(&world.app, &acme.caller, &number.parse().unwrap()).await;
        let patch = json!({"name": format!("Later {number}")});
        extensions::patch(&world.app, &acme.caller, found.unwrap().id, patch, &IfMatch::Any)
            .await
            .unwrap();
    }
    assign(&world, &acme, world.instance_id).await;
    let ended = world.deploy(&acme).await.expect(Live);
    assert!(ended.words().contains("and 3 of them looked up"), "{ended:#?}");
    for number in numbers() {
        let name = world.name_of(&acme, &number).await;
        assert_eq!(name, Some(format!("Later {number}")));
    }
    assert!(world.is_verified().await);
}
