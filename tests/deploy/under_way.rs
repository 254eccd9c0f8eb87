//! Asking what runs while a deploy is under way.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rstest::rstest;
use serde_json::json;
use switchyard::app::deployments;
use switchyard::deploy::ShadowPolicy::Never;
use switchyard::domain::deployment::DeploymentStatus::Live;
use switchyard::domain::deployment::VerificationState::{AsDeployed, DeployUnderWay};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::drivers::{Drivers, Moment, Order, Witness};
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::{World, operator, record};

/// Swapped and reloaded, and recorded by nobody yet.
struct Held {
    is_there: Notify,
    go_on: Notify,
}

#[async_trait]
impl Witness for Held {
    async fn at(&self, order: Order, moment: Moment) {
        if (order, moment) == (Order::Apply, Moment::After) {
            self.is_there.notify_one();
            self.go_on.notified().await;
        }
    }
}

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a10_a_deploy_that_is_under_way_is_no_difference(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, ann), _] = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    world.patch(&acme, &ann, json!({"name": "Ann"})).await;
    let request = world.request(&acme).await;
    let held = Arc::new(Held {
        is_there: Notify::new(),
        go_on: Notify::new(),
    });
    let witness: Arc<dyn Witness> = held.clone();
    let (_, engine) = world.with(Never, Drivers::witnessed(&world.pbx, witness));
    let stop = CancellationToken::new();
    let work = Box::pin(engine.work_off(world.instance_id, &stop));
    let looks = async {
        held.is_there.notified().await;
        let seen = deployments::verify(&world.app, &acme.caller).await.unwrap();
        assert_eq!((seen.state, seen.ok), (DeployUnderWay, false), "{seen:?}");
        let codes: Vec<&str> = seen
            .findings
            .iter()
            .map(|finding| finding.code.as_str())
            .collect();
        assert_eq!(codes, ["deploy_under_way"]);
        // One that ends soon is waited for.
        let operator = operator();
        let (seen, ()) = tokio::join!(
            deployments::verify_instance(&world.app, &operator, world.instance_id),
            async {
                tokio::time::sleep(Duration::from_millis(300)).await;
                held.go_on.notify_one();
            }
        );
        seen.unwrap()
    };
    let (worked, seen) = tokio::join!(work, looks);
    assert_eq!(worked.unwrap(), 1);
    let live = record(&world.app, &request)
        .await
        .expect(Live)
        .deployment
        .generation;
    assert_eq!((seen.state, seen.generation), (AsDeployed, live), "{seen:?}");
}

/// Between two looks at the database one deploy may end and the next begin.
#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a10_a_look_beside_one_deploy_after_the_other_reports_no_difference(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, ann), (globex, _)] = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    let done = CancellationToken::new();
    let deploys = async {
        for edit in 0..12 {
            world
                .patch(&acme, &ann, json!({"name": format!("Ann {edit}")}))
                .await;
            world.deploy(&acme).await.expect(Live);
        }
        done.cancel();
    };
    let looks = async {
        let mut looks = 0;
        while !done.is_cancelled() {
            let seen = deployments::verify(&world.app, &globex.caller).await.unwrap();
            let well = seen.ok || seen.state == DeployUnderWay;
            assert!(well, "{seen:?}");
            looks += 1;
        }
        looks
    };
    let ((), looks) = tokio::join!(deploys, looks);
    assert!(looks > 0, "nobody looked");
}
