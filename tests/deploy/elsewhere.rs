//! Another host than the one that drives the instance: what answers there is another PBX, and must not hear the secret.

use std::net::TcpListener;

use rstest::rstest;
use serde_json::json;
use switchyard::app::error::AppError;
use switchyard::app::{App, deployments, instance_checks};
use switchyard::deploy::DeployError;
use switchyard::domain::deployment::DeploymentStatus::{Live, Queued};
use tokio_util::sync::CancellationToken;

use super::drivers::Drivers;
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::{TestTenant, World, ended, operator, record};

fn assert_names_the_host(error: &AppError) {
    let AppError::Conflict { code, message } = error else {
        panic!("{error}")
    };
    assert_eq!(*code, "driven_elsewhere");
    assert!(
        message.contains("main") && message.contains("host here"),
        "{message}"
    );
}

async fn refused(app: &App, world: &World, acme: &TestTenant) -> [AppError; 3] {
    let (platform, id) = (operator(), world.instance_id);
    [
        deployments::verify(app, &acme.caller).await.unwrap_err(),
        deployments::verify_instance(app, &platform, id)
            .await
            .unwrap_err(),
        instance_checks::test(app, &platform, id).await.unwrap_err(),
    ]
}

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn c05_only_the_host_that_drives_an_instance_asks_its_pbx(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, ann), _] = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    let there = |options: &mut switchyard::deploy::EngineOptions| options.node = "there".parse().unwrap();
    let (app, engine) = world.with_options(Drivers::plain(&world.pbx), there);

    // What answers on the other host at the same address.
    let stranger = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    stranger.set_nonblocking(true).unwrap();
    let port = stranger.local_addr().unwrap().port();
    world.change_settings(|settings| settings.ami_port = port).await;
    for error in refused(&app, &world, &acme).await {
        assert_names_the_host(&error);
    }
    world.patch(&acme, &ann, json!({"name": "Ann"})).await;
    let request = world.request(&acme).await;
    let stop = CancellationToken::new();
    let worked = engine.work_off(world.instance_id, &stop).await;
    assert!(
        matches!(worked, Err(DeployError::DrivenElsewhere { .. })),
        "{worked:?}"
    );
    assert_eq!(record(&world.app, &request).await.status(), Queued);
    // A look at the plan needs the database alone.
    let plan = deployments::plan(&app, &acme.caller).await.unwrap();
    assert_eq!(plan.changes.len(), 1);
    assert!(stranger.accept().is_err(), "somebody connected");

    world.change_settings(|_| {}).await;
    ended(&world.app, &request).await.expect(Live);
    assert!(world.is_verified(&acme).await);
}
