//! Rows that somebody edited or removed: named, shown without a secret, and mended by a deploy only.

use rstest::rstest;
use serde_json::json;
use switchyard::app::deployments;
use switchyard::deploy::{Preview, Verification};
use switchyard::domain::artifact::Artifact;
use switchyard::domain::deployment::DeploymentStatus::{Live, Unchanged};

use super::freeswitch::Keys;
use super::fusionpbx::Booleans::{self, Native, Text};
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::{World, operator};

async fn look(world: &World) -> Verification {
    let looked = deployments::verify_instance(&world.app, &operator(), world.instance_id).await;
    looked.unwrap()
}

async fn plan(world: &World) -> Preview {
    let planned = deployments::plan_instance(&world.app, &operator(), world.instance_id).await;
    planned.unwrap()
}

fn codes(seen: &Verification) -> Vec<&str> {
    seen.findings
        .iter()
        .map(|finding| finding.code.as_str())
        .collect()
}

#[rstest]
#[case(Sqlite, Native)]
#[case(Postgres, Native)]
#[case(Sqlite, Text)]
#[tokio::test]
async fn an_edited_row_is_named_and_shown_without_a_secret_and_the_next_deploy_mends_it(
    #[case] backend: Backend,
    #[case] booleans: Booleans,
) {
    let world = World::with(backend, booleans, Keys::Plain).await;
    let (acme, [ann, _], ..) = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    assert!(look(&world).await.ok && plan(&world).await.unchanged);
    let ha1 = ann
        .secrets
        .sip
        .ha1(&ann.extension.number, &acme.domain.parse().unwrap());
    world
        .fusionpbx
        .run("update v_extensions set call_timeout = 77 where effective_caller_id_name = 'Ann'")
        .await;
    let sql = format!(
        "update v_extension_settings set extension_setting_value = 'deadbeef' where extension_setting_value = '{}'",
        ha1.expose()
    );
    world.fusionpbx.run(&sql).await;
    world
        .fusionpbx
        .run("update v_voicemails set voicemail_password = '999999', voicemail_file = 'link' where voicemail_description = 'Ann'")
        .await;
    let before = world.fusionpbx.snapshot().await;
    let seen = look(&world).await;
    assert!(!seen.ok);
    let drifted = codes(&seen).into_iter().filter(|code| *code == "drift").count();
    assert_eq!(drifted, 2, "{seen:#?}");
    let shown = format!("{seen:?}");
    assert!(shown.contains("call_timeout\\\":77"), "{shown}");
    for secret in [ha1.expose(), "deadbeef", "246813", "999999"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert_eq!(world.fusionpbx.snapshot().await, before, "to look mends nothing");
    // What costs nothing sees it as well.
    let planned = plan(&world).await;
    assert!(format!("{planned:?}").contains("drift"), "{planned:#?}");

    let mended = world.deploy_platform().await.expect(Live);
    assert!(mended.codes().contains(&"drift_mended"), "{mended:#?}");
    let seen = look(&world).await;
    assert!(seen.ok, "{seen:#?}");
    world.deploy_platform().await.expect(Unchanged);
    world.register(&acme, &ann).await.unwrap();
}

#[rstest]
#[case::a_user("delete from v_extensions where effective_caller_id_name = 'Ann'")]
#[case::a_hash("delete from v_extension_settings where extension_setting_name = 'a1-hash'")]
#[case::a_domain("delete from v_domains where domain_name = 'acme.example.com'")]
#[case::all_boxes("delete from v_voicemails where insert_user is not null")]
#[case::the_note("delete from v_dialplans where dialplan_name = 'switchyard-note'")]
#[case::an_edited_note(
    "update v_dialplans set dialplan_description = 'x' where dialplan_name = 'switchyard-note'"
)]
#[tokio::test]
async fn what_somebody_removed_is_seen_and_the_next_deploy_brings_it_back(#[case] removal: &str) {
    let world = World::new(Native).await;
    let (acme, [ann, _], ..) = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    world.fusionpbx.run(removal).await;
    let seen = look(&world).await;
    assert!(!seen.ok && !seen.findings.is_empty(), "{seen:#?}");
    assert!(!plan(&world).await.findings.is_empty());
    world.deploy_platform().await.expect(Live);
    let seen = look(&world).await;
    assert!(seen.ok, "{seen:#?}");
    world.register(&acme, &ann).await.unwrap();
    assert_eq!(world.standing().await, world.live().await);
    world.deploy_platform().await.expect(Unchanged);
}

#[tokio::test]
async fn what_others_write_into_columns_that_are_not_ours_stays_and_is_no_drift() {
    let world = World::new(Native).await;
    let (acme, [ann, _], ..) = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    world
        .fusionpbx
        .run("update v_extensions set hold_music = 'local_stream://default' where effective_caller_id_name = 'Ann'")
        .await;
    assert!(look(&world).await.ok);
    world.patch(&acme, &ann, json!({"name": "Anne"})).await;
    world.deploy(&acme).await.expect(Live);
    let rows = world.ours("v_extensions").await;
    let row = rows.iter().find(|row| row.contains("Anne")).unwrap();
    assert!(row.contains("local_stream://default"), "{row}");
}

/// A transaction of somebody else that is older than the deploy, and ends after it.
#[tokio::test]
async fn an_edit_that_was_under_way_while_a_deploy_looked_is_seen_all_the_same() {
    let world = World::new(Native).await;
    let (acme, [ann, _], ..) = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    let mut theirs = world.fusionpbx.pool.begin().await.unwrap();
    sqlx::query("update v_extensions set call_timeout = 77 where effective_caller_id_name = 'Bob'")
        .execute(&mut *theirs)
        .await
        .unwrap();
    world.patch(&acme, &ann, json!({"name": "Anne"})).await;
    world.deploy(&acme).await.expect(Live);
    assert!(look(&world).await.ok);
    theirs.commit().await.unwrap();
    assert!(
        plan(&world)
            .await
            .findings
            .iter()
            .any(|finding| finding.code == "drift")
    );
    assert!(!look(&world).await.ok);
    let mended = world.deploy_platform().await.expect(Live);
    assert!(mended.codes().contains(&"drift_mended"), "{mended:#?}");
    assert!(look(&world).await.ok);
}

#[tokio::test]
async fn a_host_that_lost_what_it_staged_writes_it_anew() {
    let world = World::new(Native).await;
    let (acme, [ann, _], ..) = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    std::fs::remove_dir_all(world.staged()).unwrap();
    // Nobody edited anything, and nobody can say so.
    let seen = look(&world).await;
    let told = format!("{:?}", seen.findings);
    assert!(
        told.contains("no longer staged on this host") && !told.contains("somebody"),
        "{told}"
    );
    world.patch(&acme, &ann, json!({"name": "Anne"})).await;
    world.deploy(&acme).await.expect(Live);
    assert_eq!(world.name_of(&acme, "1001").await.as_deref(), Some("Anne"));
    assert!(look(&world).await.ok);
    world.assert_untouched(&world.fusionpbx.snapshot().await);
}

/// A large box has megabytes of it, and the look at drift is taken for each plan.
#[tokio::test]
async fn a_text_that_is_too_long_to_be_shown_is_not_even_read() {
    let world = World::new(Native).await;
    world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    let driver = world.driver().await;
    let file = Artifact::ExtensionRows;
    let shown = driver.live_text(file, 1_000_000).await.unwrap();
    assert!(shown.unwrap().contains("Gina"));
    let generation = world.live().await.unwrap().to_string();
    let staged = world.staged().join(world.instance_id.to_string());
    let path = staged.join("generations").join(generation).join(file.as_str());
    std::fs::write(path, [0xff; 100]).unwrap();
    assert_eq!(driver.live_text(file, 99).await.unwrap(), None);
    driver.live_text(file, 100).await.unwrap_err();
}
