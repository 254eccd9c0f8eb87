//! What people choose by their own phone, a feature code or the menu of their mailbox: it stays theirs.

use rstest::rstest;
use serde_json::json;
use switchyard::app::deployments;
use switchyard::domain::deployment::DeploymentStatus::{Live, Unchanged};

use super::freeswitch::Keys;
use super::fusionpbx::Booleans::{self, Native, Text};
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::{World, operator};

/// As FusionPBX's own scripts write it: `*78`, a forward, follow me, call screening, and another PIN.
const CHOSEN: &str = "update v_extensions set do_not_disturb = 'true', follow_me_enabled = 'true', call_screen_enabled = 'true', \
    forward_all_destination = '1002', forward_all_enabled = 'true' where effective_caller_id_name = 'Ann'; \
    update v_voicemails set voicemail_password = '271828' where voicemail_description = 'Ann'";

/// What is chosen for a user of ours, and how many seconds it rings.
async fn chosen(world: &World, name: &str) -> String {
    let sql = "select concat_ws('|', do_not_disturb, follow_me_enabled, call_screen_enabled, forward_all_destination, \
        forward_all_enabled, forward_busy_destination, forward_busy_enabled, voicemail_password, call_timeout) \
        from v_extensions e join v_voicemails v on v.domain_uuid = e.domain_uuid and v.voicemail_id = e.extension \
        where effective_caller_id_name = $1";
    let read = sqlx::query_scalar(sql)
        .bind(name)
        .fetch_one(&world.fusionpbx.pool);
    let text: String = read.await.unwrap();
    text.replace("true", "t").replace("false", "f")
}

async fn is_planned_unchanged(world: &World) -> bool {
    let planned = deployments::plan_instance(&world.app, &operator(), world.instance_id).await;
    planned.unwrap().unchanged
}

#[rstest]
#[case(Sqlite, Native)]
#[case(Postgres, Text)]
#[tokio::test]
async fn what_people_choose_by_their_phone_is_no_drift_and_no_deploy_takes_it_back(
    #[case] backend: Backend,
    #[case] booleans: Booleans,
) {
    let world = World::with(backend, booleans, Keys::Plain).await;
    let (acme, [ann, _], globex, gina) = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    // Nothing of it is chosen for anybody: NULL, as FusionPBX's pages leave it too.
    assert_eq!(chosen(&world, "Ann").await, "f|f|246813|30");
    world.fusionpbx.run(CHOSEN).await;
    let by_phone = "t|t|t|1002|t|f|271828|30";
    assert_eq!(chosen(&world, "Ann").await, by_phone);
    assert!(world.is_verified().await);
    assert!(is_planned_unchanged(&world).await);
    world.deploy_platform().await.expect(Unchanged);

    // Neither another tenant's deploy touches it, nor one that mends the row, nor one that changes it.
    world.freeswitch.journal().clear();
    world.patch(&globex, &gina, json!({"name": "Georgina"})).await;
    let ended = world.deploy(&globex).await.expect(Live);
    assert!(!ended.words().contains("drift"), "{ended:#?}");
    let deletions = world.freeswitch.journal().with("api lua");
    assert!(
        deletions
            .iter()
            .all(|deletion| !deletion.command.contains("acme"))
    );
    assert_eq!(chosen(&world, "Ann").await, by_phone);
    world
        .fusionpbx
        .run("update v_extensions set call_timeout = 77 where effective_caller_id_name = 'Ann'")
        .await;
    let mended = world.deploy_platform().await.expect(Live);
    assert!(mended.codes().contains(&"drift_mended"), "{mended:#?}");
    assert_eq!(chosen(&world, "Ann").await, by_phone);
    world.patch(&acme, &ann, json!({"ring_time": 20})).await;
    world.deploy(&acme).await.expect(Live);
    assert_eq!(chosen(&world, "Ann").await, "t|t|t|1002|t|f|271828|20");
    assert!(world.is_verified().await);
}

/// Whoever chooses last has their way, and a forward is one choice: its number and its switch.
#[rstest]
#[tokio::test]
async fn what_is_chosen_here_takes_the_place_of_what_was_chosen_by_the_phone_once(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::on(backend).await;
    let (acme, [ann, _], ..) = world.acme_and_globex().await;
    world
        .patch(&acme, &ann, json!({"forward": {"always": "5550100"}}))
        .await;
    world.deploy_platform().await.expect(Live);
    world.fusionpbx.run(CHOSEN).await;
    world
        .fusionpbx
        .run("update v_extensions set forward_all_enabled = 'false' where effective_caller_id_name = 'Ann'")
        .await;
    let here = json!({"forward": {"always": "5550111"}, "voicemail": {"pin": "141421"}});
    world.patch(&acme, &ann, here).await;
    world.deploy(&acme).await.expect(Live);
    assert_eq!(chosen(&world, "Ann").await, "t|t|t|5550111|t|f|141421|30");
    let user = world.freeswitch.user("1001", &acme.domain).await.unwrap();
    assert_eq!(user.shown("var", "forward_all_destination"), Some("5550111"));

    world.fusionpbx.run(CHOSEN).await;
    world.patch(&acme, &ann, json!({"ring_time": 20})).await;
    world.deploy(&acme).await.expect(Live);
    assert_eq!(chosen(&world, "Ann").await, "t|t|t|1002|t|f|271828|20");
    assert!(world.is_verified().await);
}

/// Then nobody knows what was chosen here before, and what is chosen here now is what an admin sees.
#[tokio::test]
async fn a_host_that_lost_what_it_staged_writes_what_is_chosen_here() {
    let world = World::new(Native).await;
    let (acme, [ann, _], ..) = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    world.fusionpbx.run(CHOSEN).await;
    std::fs::remove_dir_all(world.staged()).unwrap();
    world
        .patch(&acme, &ann, json!({"voicemail": {"pin": "141421"}}))
        .await;
    world.deploy_platform().await.expect(Live);
    assert_eq!(chosen(&world, "Ann").await, "t|t|t|f|f|141421|30");
}

/// On a large box somebody chooses something all day.
#[tokio::test]
async fn for_what_somebody_chose_their_own_row_is_read_and_not_all_of_them() {
    let world = World::new(Native).await;
    let (_, _, globex, gina) = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    world.fusionpbx.run(CHOSEN).await;
    let role = world.settings.database_username.as_str();
    let narrow = format!(
        "revoke select on v_dialplans from {role}; \
         grant select (dialplan_uuid, dialplan_description, insert_user, xmin) on v_dialplans to {role}"
    );
    world.fusionpbx.run(&narrow).await;
    assert!(is_planned_unchanged(&world).await);
    world.patch(&globex, &gina, json!({"name": "Georgina"})).await;
    world.deploy(&globex).await.expect(Live);
    assert_eq!(world.name_of(&globex, "1001").await.as_deref(), Some("Georgina"));
    world
        .fusionpbx
        .run(&format!("grant select on v_dialplans to {role}"))
        .await;
    assert!(world.is_verified().await);
}
