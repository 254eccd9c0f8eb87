//! Suspended, disabled, without a mailbox: what is not served keeps its rows, and what others wrote into them.

use serde_json::json;
use switchyard::domain::deployment::DeploymentStatus::{Live, Unchanged};

use super::freeswitch::{Admitted, NewCall, Refused};
use super::fusionpbx::Booleans::{Native, Text};
use super::lives::{followed, reactivate, suspend};
use super::world::World;

/// As an operator sets it in FusionPBX's pages: columns that are not ours.
const SET: &str = "update v_extensions set hold_music = 'local_stream://ours', call_group = 'sales' \
    where effective_caller_id_name = 'Ann'; \
    update v_voicemails set greeting_id = 2, voicemail_name_base64 = 'UklGRg==' where voicemail_description = 'Ann'";

/// What of it is still there, and what is switched on.
async fn set(world: &World) -> Option<String> {
    let sql = "select concat_ws('|', hold_music, call_group, greeting_id, voicemail_name_base64, e.enabled::text, \
        voicemail_enabled::text) from v_extensions e \
        join v_voicemails v on v.domain_uuid = e.domain_uuid and v.voicemail_id = e.extension \
        where effective_caller_id_name = 'Ann'";
    let read = sqlx::query_scalar(sql).fetch_optional(&world.fusionpbx.pool);
    read.await.unwrap()
}

const KEPT: &str = "local_stream://ours|sales|2|UklGRg==";

#[tokio::test]
async fn o29_what_others_set_for_a_suspended_tenant_is_there_when_it_is_back() {
    for booleans in [Native, Text] {
        let world = World::new(booleans).await;
        let (acme, [ann, _], ..) = world.acme_and_globex().await;
        world.deploy_platform().await.expect(Live);
        world.fusionpbx.run(SET).await;
        assert!(world.freeswitch.context(&acme.domain, "*43").await.is_some());
        let asked = suspend(&world, &acme).await;
        followed(&world, &asked).await.expect(Live);
        assert_eq!(set(&world).await, Some(format!("{KEPT}|false|false")));
        assert_eq!(world.register(&acme, &ann).await, Err(Refused::Unknown));
        assert_eq!(world.name_of(&acme, "1001").await, None);
        let dialplan = world.freeswitch.context(&acme.domain, "*43").await.unwrap();
        assert!(!format!("{dialplan:?}").contains("switchyard"), "{dialplan:?}");
        assert!(world.is_verified().await);
        world.deploy_platform().await.expect(Unchanged);

        let asked = reactivate(&world, &acme).await;
        followed(&world, &asked).await.expect(Live);
        assert_eq!(set(&world).await, Some(format!("{KEPT}|true|true")));
        assert_eq!(world.register(&acme, &ann).await, Ok(Admitted::Hash));
        world.assert_untouched(&world.fusionpbx.snapshot().await);
    }
}

#[tokio::test]
async fn a_disabled_extension_is_signed_out_and_its_call_ends_and_only_a_deleted_one_is_gone() {
    let world = World::new(Native).await;
    let (acme, [ann, bob], ..) = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    world.fusionpbx.run(SET).await;
    world.register(&acme, &ann).await.unwrap();
    world.register(&acme, &bob).await.unwrap();
    world
        .freeswitch
        .add_call(&NewCall::within(&acme.domain, "1001", "1003"));
    world.patch(&acme, &ann, json!({"status": "disabled"})).await;
    world.deploy(&acme).await.expect(Live);
    assert_eq!(set(&world).await, Some(format!("{KEPT}|false|false")));
    assert_eq!(world.register(&acme, &ann).await, Err(Refused::Unknown));
    let left: Vec<String> = world
        .freeswitch
        .phones()
        .into_iter()
        .map(|phone| phone.user)
        .collect();
    assert_eq!(left, ["1002"]);
    assert_eq!(world.freeswitch.calls(), [""; 0]);
    assert!(world.is_verified().await);

    world.patch(&acme, &ann, json!({"status": "active"})).await;
    world.deploy(&acme).await.expect(Live);
    assert_eq!(set(&world).await, Some(format!("{KEPT}|true|true")));
    world.register(&acme, &ann).await.unwrap();
    world.delete(&acme, &ann).await;
    world.deploy(&acme).await.expect(Live);
    assert_eq!(set(&world).await, None);
}

#[tokio::test]
async fn a_mailbox_that_is_switched_off_keeps_its_greeting() {
    let world = World::new(Native).await;
    let (acme, [ann, _], ..) = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    world.fusionpbx.run(SET).await;
    world
        .patch(&acme, &ann, json!({"voicemail": {"enabled": false}}))
        .await;
    world.deploy(&acme).await.expect(Live);
    assert_eq!(set(&world).await, Some(format!("{KEPT}|true|false")));
    let email = json!({"voicemail": {"enabled": true, "email": "ann@acme.example.com"}});
    world.patch(&acme, &ann, email).await;
    world.deploy(&acme).await.expect(Live);
    assert_eq!(set(&world).await, Some(format!("{KEPT}|true|true")));
    let user = world.freeswitch.user("1001", &acme.domain).await.unwrap();
    assert_eq!(user.param("vm-mailto"), Some("ann@acme.example.com"));
}
