//! Rows of ours that somebody marked as theirs or moved: told as what they are, and never taken for what they are not.

use serde_json::json;
use switchyard::app::precondition::IfMatch;
use switchyard::app::{deployments, tenant_deletion};
use switchyard::domain::deployment::DeploymentStatus::{Live, Partial, Rejected, RolledBack, Unchanged};

use super::conflicts::{MARK, NUMBER, beside};
use super::freeswitch::{Effect, Fault};
use super::fusionpbx::Booleans::Native;
use super::fusionpbx::OPERATOR_UUID;
use super::lives::{followed, suspend};
use super::world::{Phone, World, operator};

/// The row would stay, with no password, and nothing that a phone signs in with beside it.
#[tokio::test]
async fn an_extension_under_another_mark_keeps_what_signs_in_and_is_not_called_gone() {
    let (world, acme, ann, globex, gina) = beside(MARK).await;
    world.delete(&acme, &ann).await;
    let before = world.fusionpbx.snapshot().await;
    let ended = world.deploy(&acme).await.expect(Rejected);
    assert_eq!(ended.codes(), ["row_taken_on_pbx"]);
    assert_eq!(world.fusionpbx.snapshot().await, before, "nothing was written");
    world.freeswitch.forget("1001", &acme.domain);
    let nothing = world.freeswitch.register("internal", "1001", &acme.domain, "");
    nothing.await.unwrap_err();

    world.patch(&globex, &gina, json!({"name": "Gil"})).await;
    world.deploy_platform().await.expect(Partial);
    assert_eq!(world.name_of(&globex, "1001").await.as_deref(), Some("Gil"));

    world.fusionpbx.run(&deletion(&ann)).await;
    world.deploy(&acme).await.expect(Live);
    assert_eq!(world.name_of(&acme, "1001").await, None);
    assert_eq!(world.ours("v_extension_settings").await.len(), 4);
    assert!(world.is_verified().await);
}

fn deletion(phone: &Phone) -> String {
    let id = phone.extension.id;
    format!("delete from v_extensions where extension_uuid = '{id}'")
}

#[tokio::test]
async fn a_deleted_tenant_of_whom_an_extension_stands_under_another_mark_waits_for_it() {
    let world = World::new(Native).await;
    let (acme, [ann, _], ..) = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    let asked = suspend(&world, &acme).await;
    followed(&world, &asked).await.expect(Live);
    let mark = MARK.replace("{extension}", &ann.extension.id.to_string());
    world.fusionpbx.run(&mark).await;
    let leaving =
        tenant_deletion::delete(&world.app, &operator(), acme.id, "Tenant acme", &IfMatch::Any).await;
    let ended = followed(&world, &leaving.unwrap().deployments)
        .await
        .expect(Rejected);
    assert_eq!(ended.codes(), ["row_taken_on_pbx"]);
    world.fusionpbx.run(&deletion(&ann)).await;
    world.deploy_platform().await.expect(Live);
    for (table, rows) in [("v_extensions", 1), ("v_extension_settings", 2)] {
        assert_eq!(world.ours(table).await.len(), rows, "{table}");
    }
}

/// A lookup that came in between may have cached it without what it signs in with.
#[tokio::test]
async fn a_user_that_is_found_without_its_digest_is_ours_where_nobody_else_has_one_under_its_number() {
    let world = World::new(Native).await;
    let (acme, [_, bob], ..) = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    world.delete(&acme, &bob).await;
    let found = Fault::at("user_exists id 1002", Effect::Print("true".to_owned()));
    world.freeswitch.faults().add(found);
    let ended = world.deploy(&acme).await.expect(RolledBack);
    assert!(ended.codes().contains(&"user_left"), "{ended:#?}");
    world.register(&acme, &bob).await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_switched_off_since_its_row_was_taken_is_put_back_and_freeswitch_is_told() {
    let (world, acme, ann, ..) = beside(MARK).await;
    let asked = suspend(&world, &acme).await;
    let ended = followed(&world, &asked).await.expect(RolledBack);
    assert!(ended.codes().contains(&"user_left"), "{ended:#?}");
    assert!(!ended.codes().contains(&"cache_not_cleared"), "{ended:#?}");
    assert_eq!(world.name_of(&acme, "1002").await.as_deref(), Some("Bob"));
    world.register(&acme, &ann).await.unwrap();
    assert_eq!(world.standing().await, world.live().await);
}

#[tokio::test]
async fn what_stands_under_another_mark_is_told_as_such_and_is_no_drift_that_is_mended() {
    let took = MARK.replace("v_extensions", "v_extension_settings");
    let (world, acme, _, globex, gina) = beside(&took).await;
    let asked = suspend(&world, &acme).await;
    followed(&world, &asked).await.expect(Live);
    let ended = world.deploy_platform().await.expect(Unchanged);
    assert_eq!(ended.codes(), ["row_taken_on_pbx"]);
    world.patch(&globex, &gina, json!({"name": "Gil"})).await;
    let ended = world.deploy_platform().await.expect(Live);
    let is_this = |code: &&str| *code == "row_taken_on_pbx";
    assert!(
        !ended.codes().is_empty() && ended.codes().iter().all(is_this),
        "{ended:#?}"
    );
    world.deploy_platform().await.expect(Unchanged);
    let seen = deployments::verify_instance(&world.app, &operator(), world.instance_id).await;
    let seen = seen.unwrap();
    let codes: Vec<&str> = seen
        .findings
        .iter()
        .map(|finding| finding.code.as_str())
        .collect();
    assert_eq!((seen.ok, codes), (false, vec!["row_taken_on_pbx"]), "{seen:#?}");
    let planned = deployments::plan_instance(&world.app, &operator(), world.instance_id).await;
    assert!(format!("{planned:?}").contains("row_taken_on_pbx"));
}

#[tokio::test]
async fn rows_of_a_tenant_that_is_left_alone_stay_wherever_somebody_moved_them_and_nobody_elses_do() {
    let (world, acme, ann, globex, gina) = beside(NUMBER).await;
    let moved = |name: &str, domain: &str| {
        format!(
            "update v_extensions set domain_uuid = '{domain}', hold_music = 'local_stream://rock' \
             where effective_caller_id_name = '{name}'"
        )
    };
    world.fusionpbx.run(&moved("Bob", OPERATOR_UUID)).await;
    world.patch(&acme, &ann, json!({"name": "Anne"})).await;
    world.patch(&globex, &gina, json!({"name": "Gil"})).await;
    let of_bob = |rows: Vec<String>| rows.into_iter().find(|row| row.contains("Bob")).unwrap();
    let before = of_bob(world.ours("v_extensions").await);
    let ended = world.deploy_platform().await.expect(Partial);
    let is_this = |code: &&str| *code == "number_taken_on_pbx";
    assert!(ended.codes().iter().all(is_this), "{ended:#?}");
    assert_eq!(of_bob(world.ours("v_extensions").await), before);

    world.fusionpbx.run(&moved("Gil", &acme.id.to_string())).await;
    let ended = world.deploy_platform().await.expect(Partial);
    assert!(!ended.codes().contains(&"row_taken_on_pbx"), "{ended:#?}");
    assert_eq!(of_bob(world.ours("v_extensions").await), before);
    assert_eq!(world.name_of(&globex, "1001").await.as_deref(), Some("Gil"));
    world.register(&globex, &gina).await.unwrap();
}
