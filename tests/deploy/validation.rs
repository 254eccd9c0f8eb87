//! What our own validation refuses, and whom that concerns.

use rstest::rstest;
use serde_json::json;
use switchyard::app::deployments;
use switchyard::domain::deployment::DeploymentStatus::{Live, Partial, Rejected};

use super::served::{caller_id, endpoints};
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::{World, operator};

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a10_a_tenant_that_does_not_validate_is_left_out_alone(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, ann), (globex, gina)] = world.acme_and_globex().await;
    world
        .extension(&acme, json!({"number": "115", "name": "Poison"}))
        .await;
    world
        .change_settings(|settings| settings.emergency_numbers = vec!["115".parse().unwrap()])
        .await;

    // A first deploy: its own button is rejected, and nothing is touched.
    let own = world.deploy(&acme).await.expect(Rejected);
    assert_eq!(own.codes(), ["emergency_number"]);
    let finding = &own.deployment.findings[0];
    assert_eq!(
        (finding.tenant_id, finding.object.as_deref()),
        (Some(acme.id), Some("extension 115"))
    );
    assert_eq!((world.standing(), world.live().await), (None, None));

    // The platform's first deploy serves the other tenant, although this one was never live.
    let platform = world.deploy_platform().await.expect(Partial);
    assert!(platform.codes().contains(&"emergency_number"), "{platform:#?}");
    assert_eq!(
        endpoints(&world).into_iter().collect::<Vec<_>>(),
        ["1001@globex.example.com"]
    );
    assert!(world.registers(&globex, &gina) && !world.registers(&acme, &ann));

    // A later one: it stays at its live revision while the other moves.
    world.change_settings(|_| {}).await;
    world.deploy_platform().await.expect(Live);
    assert!(endpoints(&world).contains("115@acme.example.com"));
    world
        .patch(
            &acme,
            &ann,
            json!({"forward": {"always": "1001"}, "name": "Itself"}),
        )
        .await;
    world.patch(&globex, &gina, json!({"name": "Moved"})).await;
    let before = world.files();
    let own = world.deploy(&acme).await.expect(Rejected);
    assert_eq!(own.codes(), ["forward_to_itself"]);
    assert_eq!(world.files(), before);
    let platform = world.deploy_platform().await.expect(Partial);
    assert_eq!(
        platform
            .deployment
            .findings
            .iter()
            .filter(|f| f.is_error())
            .count(),
        1
    );
    assert_eq!(
        caller_id(&world, "1001@globex.example.com").unwrap(),
        "\"Moved\" <1001>"
    );
    assert_eq!(
        caller_id(&world, "1001@acme.example.com").unwrap(),
        "\"acme\" <1001>"
    );
    assert!(world.is_verified(&acme).await && world.is_verified(&globex).await);
    // Again: nothing is left to do, and still not all is live.
    let again = world.deploy_platform().await.expect(Partial);
    assert_eq!((again.deployment.generation, again.stages.len()), (None, 1));
    assert!(
        platform
            .deployment
            .changes
            .iter()
            .all(|change| change.tenant_id == Some(globex.id)),
        "{platform:#?}"
    );
}

/// The others are served as they are, which a look does not read.
#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a10_a_plan_is_rejected_where_its_deploy_would_be(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, ann), _] = world.acme_and_globex().await;
    let itself = json!({"forward": {"always": "1001"}});
    world.patch(&acme, &ann, itself.clone()).await;
    let rejected = async || {
        let own = deployments::plan(&world.app, &acme.caller).await.unwrap();
        let all = deployments::plan_instance(&world.app, &operator(), world.instance_id).await;
        [own.rejected, all.unwrap().rejected]
    };
    assert_eq!(rejected().await, [true, false]);
    world.deploy_platform().await.expect(Partial);
    assert_eq!(rejected().await, [true, false], "only the other is live");
    world
        .patch(&acme, &ann, json!({"forward": {"always": null}}))
        .await;
    assert_eq!(rejected().await, [false, false]);
    world.deploy_platform().await.expect(Live);
    world.patch(&acme, &ann, itself).await;
    assert_eq!(rejected().await, [true, false], "both are live");
    world.deploy(&acme).await.expect(Rejected);
    world.deploy_platform().await.expect(Partial);
}

/// What is live and was allowed is told of when the settings forbid it: it would take emergency calls.
#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a10_new_settings_are_held_against_what_is_live_already(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, _), _] = world.acme_and_globex().await;
    world
        .extension(&acme, json!({"number": "115", "name": "Poison"}))
        .await;
    world.deploy_platform().await.expect(Live);
    world
        .change_settings(|settings| settings.emergency_numbers = vec!["115".parse().unwrap()])
        .await;
    let platform = world.deploy_platform().await.expect(Partial);
    assert!(platform.codes().contains(&"emergency_number"), "{platform:#?}");
    assert!(
        endpoints(&world).contains("115@acme.example.com"),
        "it stays as it was live"
    );
}

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a10_a_platform_deploy_that_moves_nobody_is_rejected(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let acme = world.tenant("acme").await;
    world
        .extension(
            &acme,
            json!({"number": "1001", "name": "Ann", "forward": {"busy": "1001"}}),
        )
        .await;
    let ended = world.deploy_platform().await.expect(Rejected);
    assert_eq!(ended.codes(), ["forward_to_itself"]);
    assert_eq!((world.standing(), world.live().await), (None, None));
}
