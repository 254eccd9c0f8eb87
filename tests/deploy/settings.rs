//! The instance's settings move with a platform deploy; how the PBX is reached does not wait for one.

use rstest::rstest;
use serde_json::json;
use switchyard::app::deployments;
use switchyard::domain::deployment::DeploymentStatus::{Failed, Live, Partial, Rejected};

use super::relay::{Fault, Relay};
use super::served::caller_id;
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::World;

/// Asterisk's own files still lead to where it was.
#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a10_a_directory_that_was_moved_in_the_settings_waits_for_a_platform_deploy(
    #[case] backend: Backend,
) {
    let world = World::new(backend).await;
    let [(acme, ann), _] = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    let elsewhere = world.pbx.directory.path().join("elsewhere-config");
    std::fs::create_dir(&elsewhere).unwrap();
    let path: switchyard::domain::instance::AbsolutePath = elsewhere.to_str().unwrap().parse().unwrap();
    world
        .change_settings(|settings| settings.config_dir = path.clone())
        .await;

    let edits = async |name: &str| {
        world.patch(&acme, &ann, json!({"name": name})).await;
        let plan = deployments::plan(&world.app, &acme.caller).await.unwrap();
        assert_eq!(plan.changes.len(), 1, "{plan:?}");
        world.deploy(&acme).await.expect(Live);
        assert_eq!(world.standing(), world.live().await);
        assert!(world.is_verified(&acme).await);
        let shown = caller_id(&world, "1001@acme.example.com").unwrap();
        assert_eq!(shown, format!("\"{name}\" <1001>"));
    };
    edits("Ann").await;
    assert_eq!(
        std::fs::read_dir(&elsewhere).unwrap().count(),
        0,
        "nothing is there"
    );

    // Whoever moves the settings finds out that nothing leads there.
    let live = world.live().await;
    let moved = world.deploy_platform().await.expect(Failed);
    assert!(moved.codes().contains(&"include_missing"), "{moved:#?}");
    assert!(!elsewhere.join("live").is_symlink(), "nothing is read from there");
    assert_eq!((world.standing(), world.live().await), (live, live));
    assert!(world.is_verified(&acme).await);
    edits("Anna").await;

    let back = world.pbx.private.settings().config_dir.clone();
    world.change_settings(|settings| settings.config_dir = back).await;
    world.deploy_platform().await.expect(Live);
    edits("Anne").await;
}

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a10_a_pbx_that_is_reached_otherwise_is_reached_so_by_everybody_at_once(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, ann), _] = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    let relay = Relay::before(world.pbx.private.settings().ami_port);
    world
        .change_settings(|settings| settings.ami_port = relay.port)
        .await;
    world.patch(&acme, &ann, json!({"name": "Ann"})).await;
    world.deploy(&acme).await.expect(Live);
    assert!(relay.set(Fault::None) > 0, "it was not asked by the new way");
}

/// One that was taken from the list is guarded until that is live; one that was added is guarded at once.
#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a10_an_emergency_number_is_given_up_by_a_platform_deploy_only(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, _), (globex, gina)] = world.acme_and_globex().await;
    let guard = async |numbers: &[&str]| {
        let numbers = numbers.iter().map(|number| number.parse().unwrap()).collect();
        world
            .change_settings(|settings| settings.emergency_numbers = numbers)
            .await;
    };
    for (tenant, number) in [(&acme, "115"), (&globex, "116")] {
        world
            .extension(tenant, json!({"number": number, "name": "Helper"}))
            .await;
    }
    guard(&["115"]).await;
    world.deploy_platform().await.expect(Partial);
    guard(&["116"]).await;
    world.deploy(&acme).await.expect(Rejected);
    world.patch(&globex, &gina, json!({"name": "Gina"})).await;
    world.deploy(&globex).await.expect(Rejected);
    guard(&[]).await;
    world.deploy(&globex).await.expect(Live);
    world.deploy(&acme).await.expect(Rejected);
    world.deploy_platform().await.expect(Live);
    assert!(caller_id(&world, "115@acme.example.com").is_some());
}
