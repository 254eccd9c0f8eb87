//! What of others is in the way of a tenant: it alone stays as it is, and is told why.

use rstest::rstest;
use serde_json::json;
use switchyard::domain::deployment::DeploymentStatus::{Live, Partial, Rejected, RolledBack};

use super::freeswitch::{Effect, Fault};
use super::fusionpbx::Booleans::Native;
use super::fusionpbx::ExtensionRow;
use super::lives::{followed, reactivate, suspend};
use super::world::{Phone, TestTenant, World};

#[rstest]
#[case("acme.example.com")]
#[case("ACME.example.com")]
#[tokio::test]
async fn a_domain_of_somebody_else_keeps_its_tenant_away_and_nobody_else(#[case] theirs: &str) {
    let mut world = World::new(Native).await;
    let (acme, _, globex, gina) = world.acme_and_globex().await;
    let uuid = world.fusionpbx.add_domain(theirs).await;
    world.others = world.fusionpbx.snapshot().await;
    let ended = world.deploy(&acme).await.expect(Rejected);
    assert_eq!(ended.codes(), ["domain_taken_on_pbx"]);
    world.assert_nothing_written().await;

    let ended = world.deploy_platform().await.expect(Partial);
    assert_eq!(ended.codes(), ["domain_taken_on_pbx"]);
    assert_eq!(ended.deployment.findings[0].tenant_id, Some(acme.id));
    assert!(ended.words().contains(theirs), "{}", ended.words());
    // What is said to do has to be there.
    assert!(!ended.words().contains("import"), "{}", ended.words());
    world.register(&globex, &gina).await.unwrap();
    for table in ["v_domains", "v_extensions", "v_voicemails"] {
        assert_eq!(world.ours(table).await.len(), 1, "{table}");
    }
    world.deploy_platform().await.expect(Partial);

    // What concerns one tenant is in no other one's record.
    world.patch(&globex, &gina, json!({"name": "Gil"})).await;
    let ended = world.deploy(&globex).await.expect(Live);
    assert_eq!(ended.codes(), [""; 0]);

    world
        .fusionpbx
        .run(&format!("delete from v_domains where domain_uuid = '{uuid}'"))
        .await;
    world.deploy_platform().await.expect(Live);
    assert!(world.is_verified().await);
}

#[rstest]
#[case::number("1001", None)]
#[case::alias("5550100", Some("1001"))]
#[tokio::test]
async fn a_number_of_somebody_else_in_our_domain_is_in_the_way(
    #[case] number: &str,
    #[case] number_alias: Option<&str>,
) {
    let world = World::new(Native).await;
    let acme = world.tenant("acme").await;
    world.extension(&acme, "1002", "Bob").await;
    world.deploy_platform().await.expect(Live);
    let row = ExtensionRow {
        domain_uuid: &acme.id.to_string(),
        domain: &acme.domain,
        number,
        number_alias,
        password: Some("throwaway"),
        name: "Theirs",
    };
    world.fusionpbx.add_extension(&row).await;
    let theirs = world.fusionpbx.snapshot().await;
    world.extension(&acme, "1001", "Ann").await;
    let ended = world.deploy_platform().await.expect(Rejected);
    assert_eq!(ended.codes(), ["number_taken_on_pbx"]);
    assert_eq!(world.fusionpbx.snapshot().await, theirs, "nothing was written");
}

/// FreeSWITCH looks at no extension that is disabled.
#[tokio::test]
async fn a_number_that_nobody_is_served_under_is_not_in_the_way() {
    let world = World::new(Native).await;
    let acme = world.tenant("acme").await;
    world.extension(&acme, "1002", "Bob").await;
    world.deploy_platform().await.expect(Live);
    let row = ExtensionRow {
        domain_uuid: &acme.id.to_string(),
        domain: &acme.domain,
        number: "1001",
        number_alias: None,
        password: Some("throwaway"),
        name: "Theirs",
    };
    let theirs = world.fusionpbx.add_extension(&row).await;
    let disable = format!("update v_extensions set enabled = 'false' where extension_uuid = '{theirs}'");
    world.fusionpbx.run(&disable).await;
    world.extension(&acme, "1001", "Ann").await;
    let ended = world.deploy_platform().await.expect(Live);
    assert_eq!(ended.codes(), [""; 0]);
    assert_eq!(world.name_of(&acme, "1001").await.as_deref(), Some("Ann"));
}

const MAILBOX: &str = "insert into v_voicemails (voicemail_uuid, domain_uuid, voicemail_id) \
    values ('00000000-0000-4000-8000-0000000000aa', '{domain}', '1001')";
const HASH: &str = "insert into v_extension_settings (extension_setting_uuid, extension_uuid, extension_setting_type, \
    extension_setting_name, extension_setting_value, extension_setting_enabled) \
    values ('00000000-0000-4000-8000-0000000000ab', '{extension}', 'param', 'a1-hash', 'abc', 'true')";
pub const NUMBER: &str = "insert into v_extensions (extension_uuid, domain_uuid, extension, password, user_context, enabled) \
    values ('00000000-0000-4000-8000-0000000000ac', '{domain}', '1001', 'theirs', 'acme.example.com', 'true')";
pub const MARK: &str = "update v_extensions set insert_user = null where extension_uuid = '{extension}'";

/// Two tenants that are live, and what somebody does to 1001 of the first.
pub async fn beside(sql: &str) -> (World, TestTenant, Phone, TestTenant, Phone) {
    let world = World::new(Native).await;
    let (acme, [ann, _], globex, gina) = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    let sql = sql
        .replace("{domain}", &acme.id.to_string())
        .replace("{extension}", &ann.extension.id.to_string());
    world.fusionpbx.run(&sql).await;
    (world, acme, ann, globex, gina)
}

#[rstest]
#[case::mailbox(MAILBOX, "mailbox_taken_on_pbx")]
#[case::hash(HASH, "setting_taken_on_pbx")]
#[case::number(NUMBER, "number_taken_on_pbx")]
#[tokio::test]
async fn what_would_be_served_in_place_of_ours_keeps_away_what_changes_there_and_nothing_else(
    #[case] sql: &str,
    #[case] code: &str,
) {
    let (world, acme, ann, globex, gina) = beside(sql).await;
    // Whatever else changes goes live, and it is told.
    world.extension(&acme, "1003", "Carl").await;
    let ended = world.deploy_platform().await.expect(Live);
    assert_eq!(ended.codes(), [code]);
    let told = &ended.deployment.findings[0];
    assert!(!told.is_error() && told.tenant_id == Some(acme.id), "{ended:#?}");

    world.patch(&acme, &ann, json!({"name": "Anne"})).await;
    let before = world.fusionpbx.snapshot().await;
    let ended = world.deploy(&acme).await.expect(Rejected);
    assert_eq!(ended.codes(), [code]);
    assert_eq!(world.fusionpbx.snapshot().await, before, "nothing was written");

    world.patch(&globex, &gina, json!({"name": "Gil"})).await;
    let ended = world.deploy_platform().await.expect(Partial);
    assert!(ended.deployment.findings[0].is_error(), "{ended:#?}");
    assert_eq!(world.name_of(&globex, "1001").await.as_deref(), Some("Gil"));

    // Nothing of theirs keeps ours from going.
    world.delete(&acme, &ann).await;
    world.deploy(&acme).await.expect(Live);
    let asked = suspend(&world, &acme).await;
    followed(&world, &asked).await.expect(Live);
}

#[rstest]
#[case::in_another_case("ACME.example.com", true)]
#[case::disabled("acme.example.com", false)]
#[tokio::test]
async fn a_domain_of_somebody_else_keeps_no_tenant_from_being_suspended_but_from_being_served_again(
    #[case] theirs: &str,
    #[case] enabled: bool,
) {
    let world = World::new(Native).await;
    let (acme, [ann, _], globex, gina) = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    world.register(&acme, &ann).await.unwrap();
    let uuid = world.fusionpbx.add_domain(theirs).await;
    let set = format!("update v_domains set domain_enabled = '{enabled}' where domain_uuid = '{uuid}'");
    world.fusionpbx.run(&set).await;
    let asked = suspend(&world, &acme).await;
    let ended = followed(&world, &asked).await.expect(Live);
    assert_eq!(ended.codes(), ["domain_taken_on_pbx"]);
    world.register(&acme, &ann).await.unwrap_err();
    assert!(world.freeswitch.phones().is_empty());
    let asked = reactivate(&world, &acme).await;
    let ended = followed(&world, &asked).await.expect(Rejected);
    assert_eq!(ended.codes(), ["domain_taken_on_pbx"]);
    world.patch(&globex, &gina, json!({"name": "Gil"})).await;
    world.deploy(&globex).await.expect(Live);
}

/// FreeSWITCH finds nobody of it, which says nothing of whose FreeSWITCH it is.
#[tokio::test]
async fn a_tenant_whose_domain_somebody_made_a_second_time_keeps_nobody_elses_deploy_away() {
    let world = World::new(Native).await;
    let (acme, _, globex, gina) = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    world.fusionpbx.add_domain(&acme.domain).await;
    for number in ["1001", "1002"] {
        world.freeswitch.forget(number, &acme.domain);
        assert_eq!(world.name_of(&acme, number).await, None);
    }
    world.patch(&globex, &gina, json!({"name": "Gil"})).await;
    world.deploy(&globex).await.expect(Live);
    assert_eq!(world.name_of(&globex, "1001").await.as_deref(), Some("Gil"));
}

#[tokio::test]
async fn our_own_row_under_another_mark_keeps_its_tenant_as_it_is_and_nobody_else() {
    let (world, acme, _, globex, gina) = beside(MARK).await;
    world.patch(&globex, &gina, json!({"name": "Gil"})).await;
    let ended = world.deploy(&globex).await.expect(Live);
    assert!(!ended.words().contains("acme"), "{ended:#?}");
    assert_eq!(world.name_of(&globex, "1001").await.as_deref(), Some("Gil"));

    world.extension(&acme, "1003", "Carl").await;
    let before = world.fusionpbx.snapshot().await;
    let ended = world.deploy_platform().await.expect(Partial);
    assert!(ended.codes().contains(&"row_taken_on_pbx"), "{ended:#?}");
    let after = world.fusionpbx.snapshot().await;
    assert_eq!(before.rows("v_extensions"), after.rows("v_extensions"));
}

#[tokio::test]
async fn a_setting_under_another_mark_keeps_no_tenant_from_being_suspended_but_from_being_served_again() {
    let took = MARK.replace("v_extensions", "v_extension_settings");
    let (world, acme, ann, ..) = beside(&took).await;
    let asked = suspend(&world, &acme).await;
    let ended = followed(&world, &asked).await.expect(Live);
    assert!(ended.codes().contains(&"row_taken_on_pbx"), "{ended:#?}");
    world.register(&acme, &ann).await.unwrap_err();
    let asked = reactivate(&world, &acme).await;
    let ended = followed(&world, &asked).await.expect(Rejected);
    assert!(ended.codes().contains(&"row_taken_on_pbx"), "{ended:#?}");
    world.register(&acme, &ann).await.unwrap_err();
}

/// What stood there before comes back whatever others have made of it meanwhile.
#[tokio::test]
async fn no_row_of_others_keeps_a_deploy_from_being_taken_back() {
    let world = World::new(Native).await;
    let (acme, [_, bob], ..) = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    let takes = "create function takes() returns trigger language plpgsql security definer as $$ begin \
           insert into v_voicemails (voicemail_uuid, domain_uuid, voicemail_id) \
           values ('00000000-0000-4000-8000-0000000000aa', old.domain_uuid, old.voicemail_id); return null; end $$; \
         create trigger takes after delete on v_voicemails for each row execute function takes()";
    world.fusionpbx.run(takes).await;
    world.delete(&acme, &bob).await;
    world
        .freeswitch
        .faults()
        .add(Fault::at("user_exists id 1002", Effect::Print("true".to_owned())));
    let ended = world.deploy(&acme).await.expect(RolledBack);
    assert!(ended.codes().contains(&"user_left"), "{ended:#?}");
    world.register(&acme, &bob).await.unwrap();
    assert_eq!(world.ours("v_extensions").await.len(), 3);
}
