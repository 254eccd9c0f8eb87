//! What of others is in the way: a deploy is rejected, says what, and writes nothing.

use rstest::rstest;
use switchyard::domain::deployment::DeploymentStatus::{Live, Rejected};

use super::fusionpbx::Booleans::Native;
use super::fusionpbx::ExtensionRow;
use super::world::World;

#[rstest]
#[case("acme.example.com")]
#[case("ACME.example.com")]
#[tokio::test]
async fn a_domain_of_somebody_else_is_in_the_way(#[case] theirs: &str) {
    let mut world = World::new(Native).await;
    world.acme_and_globex().await;
    let uuid = world.fusionpbx.add_domain(theirs).await;
    world.others = world.fusionpbx.snapshot().await;
    let ended = world.deploy_platform().await.expect(Rejected);
    assert_eq!(ended.codes(), ["domain_taken_on_pbx"]);
    assert!(ended.words().contains(theirs), "{}", ended.words());
    // What is said to do has to be there.
    assert!(!ended.words().contains("import"), "{}", ended.words());
    world.assert_nothing_written().await;
    assert_eq!(world.live().await, None);

    world
        .fusionpbx
        .run(&format!("delete from v_domains where domain_uuid = '{uuid}'"))
        .await;
    world.deploy_platform().await.expect(Live);
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

#[rstest]
#[case::mailbox(
    "insert into v_voicemails (voicemail_uuid, domain_uuid, voicemail_id) values ('00000000-0000-4000-8000-0000000000aa', '{domain}', '1001')",
    "mailbox_taken_on_pbx"
)]
#[case::hash(
    "insert into v_extension_settings (extension_setting_uuid, extension_uuid, extension_setting_type, extension_setting_name, \
     extension_setting_value, extension_setting_enabled) \
     values ('00000000-0000-4000-8000-0000000000ab', '{extension}', 'param', 'a1-hash', 'abc', 'true')",
    "setting_taken_on_pbx"
)]
#[case::our_own_row_under_another_mark(
    "update v_extensions set insert_user = null where extension_uuid = '{extension}'",
    "row_taken_on_pbx"
)]
#[tokio::test]
async fn what_would_be_served_in_place_of_ours_is_in_the_way(#[case] sql: &str, #[case] code: &str) {
    let world = World::new(Native).await;
    let acme = world.tenant("acme").await;
    let ann = world.extension(&acme, "1001", "Ann").await;
    world.deploy_platform().await.expect(Live);
    let sql = sql
        .replace("{domain}", &acme.id.to_string())
        .replace("{extension}", &ann.extension.id.to_string());
    world.fusionpbx.run(&sql).await;
    let before = world.fusionpbx.snapshot().await;
    world.extension(&acme, "1002", "Bob").await;
    let ended = world.deploy_platform().await.expect(Rejected);
    assert!(ended.codes().contains(&code), "{ended:#?}");
    assert_eq!(world.fusionpbx.snapshot().await, before, "nothing was written");
}
