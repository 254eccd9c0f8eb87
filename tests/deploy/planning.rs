//! Planning: it waits for nobody, keeps nobody waiting, and a look at the plan leaves nothing behind.

use std::time::Duration;

use rstest::rstest;
use serde_json::json;
use switchyard::app::precondition::IfMatch;
use switchyard::app::{deployments, extensions};
use switchyard::domain::clock::{Clock as _, SystemClock};
use switchyard::domain::deployment::DeploymentStatus::{Failed, Live, Planning};
use switchyard::domain::deployment::{Stage, StageResult};
use switchyard::store::{self, stages};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::{World, operator, record};

const SOON: Duration = Duration::from_secs(5);

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a10_a_look_at_the_plan_does_not_wait_for_a_writer(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, ann), _] = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    world.patch(&acme, &ann, json!({"name": "Ann"})).await;
    let _writer = world.store.begin("long").await.unwrap();
    let seen = timeout(SOON, deployments::plan(&world.app, &acme.caller)).await;
    assert_eq!(seen.unwrap().unwrap().changes.len(), 1);
    let operator = operator();
    let seen = deployments::plan_instance(&world.app, &operator, world.instance_id);
    assert_eq!(timeout(SOON, seen).await.unwrap().unwrap().changes.len(), 1);
}

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a10_a_look_at_the_plan_leaves_nothing_behind(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, ann), _] = world.acme_and_globex().await;
    world.override_template("asterisk/pjsip.conf", |text| format!("{text}\n; looked at\n"));
    for _ in 0..2 {
        let seen = deployments::plan(&world.app, &acme.caller).await.unwrap();
        assert!(!seen.files.is_empty(), "{seen:#?}");
        let seen = deployments::plan_instance(&world.app, &operator(), world.instance_id).await;
        assert!(seen.unwrap().files[0].diff.contains("+[1001@acme.example.com]"));
        world.patch(&acme, &ann, json!({"name": "Ann"})).await;
    }
    for table in ["revisions", "template_sets", "generations"] {
        let rows = world.database.ask(format!("select 'kept' from {table}")).await;
        assert!(rows.is_empty(), "{table}");
    }
    assert!(!world.state_dir().exists(), "fragments of a plan were kept");
}

/// Whoever loses a fragment of another tenant's has it rendered with today's secrets, and proven like everything else.
#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a10_a_lost_fragment_comes_back_with_todays_secrets_and_is_proven(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, ann), (globex, gina)] = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    let rotated = extensions::rotate_secret(&world.app, &globex.caller, gina.extension.id, &IfMatch::Any)
        .await
        .unwrap();
    std::fs::remove_dir_all(world.state_dir()).unwrap();
    world.patch(&acme, &ann, json!({"name": "Ann"})).await;
    let ended = world.deploy(&acme).await.expect(Live);
    assert!(
        ended.stages.last().unwrap().detail.contains("2 extensions"),
        "{ended:#?}"
    );
    let mut fresh = gina.clone();
    fresh.secrets.sip = rotated;
    assert!(world.registers(&globex, &fresh) && world.registers(&acme, &ann));
    assert!(world.is_verified(&globex).await && world.is_verified(&acme).await);
}

/// It may be what ends the process, and others wait behind it.
#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a10_a_deploy_that_is_cut_off_again_and_again_ends(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, ann), _] = world.acme_and_globex().await;
    let former = world.deploy_platform().await.expect(Live).deployment.generation;
    world.patch(&acme, &ann, json!({"name": "Ann"})).await;
    let request = world.request(&acme).await;
    let mut tx = world.store.begin("deaths").await.unwrap();
    store::deployments::set_status(&mut tx, request.id, Planning)
        .await
        .unwrap();
    let now = SystemClock.now();
    for _ in 0..=10 {
        stages::begin(&mut tx, request.id, Stage::Planning, now)
            .await
            .unwrap();
        let cut = StageResult::Interrupted;
        stages::end(&mut tx, request.id, Stage::Planning, cut, "", now)
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
    world
        .engine
        .work_off(world.instance_id, &CancellationToken::new())
        .await
        .unwrap();
    let ended = record(&world.app, &request).await.expect(Failed);
    assert_eq!(ended.codes(), ["interrupted_too_often"]);
    assert_eq!((world.standing(), world.live().await), (former, former));
    world.deploy(&acme).await.expect(Live);
}
