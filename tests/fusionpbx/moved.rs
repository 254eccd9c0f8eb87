//! Another address of the database or of the event socket: the same one is taken, another one is refused while it matters.

use serde_json::json;
use switchyard::app::error::AppError;
use switchyard::app::{audit_log, instances};
use switchyard::domain::audit_query::{AuditFilter, AuditQuery};
use switchyard::domain::deployment::DeploymentStatus::{Failed, Live};
use switchyard::domain::instance::InstanceSettings;

use super::freeswitch::{FreeSwitch, Keys};
use super::fusionpbx::Booleans::Native;
use super::fusionpbx::FusionPbx;
use super::relay::Relay;
use super::world::{World, operator, reached};

/// Names the database of another FusionPBX, with its own role.
async fn name(world: &World, other: &FusionPbx) -> Result<(), AppError> {
    let role = other.own_role().await;
    let (settings, secrets) = reached(&role, world.settings.event_socket_port);
    let settings = InstanceSettings::FusionPbx(settings);
    let changed =
        instances::change_settings(&world.app, &operator(), world.instance_id, settings, &secrets).await;
    changed.map(drop)
}

#[tokio::test]
async fn another_database_is_refused_while_tenants_are_served_and_everything_stays_where_it_is() {
    let world = World::new(Native).await;
    let (acme, [ann, _], ..) = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    let other = FusionPbx::furnished(Native).await;
    let before = other.snapshot().await;
    match name(&world, &other).await {
        Err(AppError::InUse { message, .. }) => {
            assert!(
                message.contains("add another instance and move the tenants"),
                "{message}"
            );
            assert!(message.contains("2 tenants"), "{message}");
        }
        other => panic!("{:?}", other.map_err(|error| error.to_string())),
    }
    // It was asked what stands there, with what it signs in with: that is seen although nothing was changed.
    assert_eq!(looks(&world).await, 1);
    world.patch(&acme, &ann, json!({"name": "Anne"})).await;
    world.deploy(&acme).await.expect(Live);
    assert_eq!(world.name_of(&acme, "1001").await.as_deref(), Some("Anne"));
    assert_eq!(other.snapshot().await, before);
}

/// How often the audit log says that this host was to connect to another database.
async fn looks(world: &World) -> usize {
    let page = AuditQuery {
        filter: AuditFilter {
            action: Some("instance.look".parse().unwrap()),
            ..AuditFilter::default()
        },
        ..AuditQuery::default()
    };
    let page = audit_log::list_all(&world.app, &operator(), None, &page).await;
    page.unwrap().entries.len()
}

#[tokio::test]
async fn an_instance_that_serves_nobody_may_be_given_another_database() {
    let world = World::new(Native).await;
    let other = FusionPbx::furnished(Native).await;
    name(&world, &other).await.unwrap();
    assert_eq!(looks(&world).await, 0, "nothing had to be asked");
}

/// Its note says that it holds what is live.
#[tokio::test]
async fn the_same_database_under_another_address_is_taken_while_tenants_are_served() {
    let world = World::new(Native).await;
    let (acme, [ann, _], ..) = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    let relay = Relay::before(world.settings.database_port);
    world
        .reach(|settings, _| settings.database_port = relay.port)
        .await;
    world.patch(&acme, &ann, json!({"name": "Anne"})).await;
    world.deploy(&acme).await.expect(Live);
    assert_eq!(world.name_of(&acme, "1001").await.as_deref(), Some("Anne"));
    world.assert_untouched(&world.fusionpbx.snapshot().await);
}

#[tokio::test]
async fn a_freeswitch_that_does_not_know_our_users_is_given_no_deploy() {
    let world = World::new(Native).await;
    let (acme, [ann, bob], ..) = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    let before = world.fusionpbx.snapshot().await;
    let other = FusionPbx::furnished(Native).await;
    let another = FreeSwitch::with_fusionpbx(other.pool.clone(), Keys::Plain).await;
    world
        .reach(|settings, _| settings.event_socket_port = another.port)
        .await;
    // Of one that is gone it would say what is right.
    world.delete(&acme, &bob).await;
    let ended = world.deploy(&acme).await.expect(Failed);
    assert!(ended.codes().contains(&"pbx_not_ready"), "{ended:#?}");
    assert!(ended.words().contains("it is another FreeSWITCH"), "{ended:#?}");
    assert_eq!(world.fusionpbx.snapshot().await, before);
    world.reach(|_, _| {}).await;
    world.deploy(&acme).await.expect(Live);
    world.register(&acme, &ann).await.unwrap();
}
