//! A fault of the program in the middle of a deploy: the daemon's worker takes its instance up again, but not for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use rstest::rstest;
use serde_json::json;
use switchyard::daemon::deploy_worker::{self, Rhythm};
use switchyard::deploy::ShadowPolicy::Never;
use switchyard::domain::deployment::Deployment;
use switchyard::domain::deployment::DeploymentStatus::{Failed, Live};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::drivers::{Drivers, Moment, Order, Witness};
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::{World, record};

/// Panics so many times in the middle of an order.
struct Panics {
    at: (Order, Moment),
    left: AtomicUsize,
}

#[async_trait]
impl Witness for Panics {
    async fn at(&self, order: Order, moment: Moment) {
        let one_less = |left: usize| left.checked_sub(1);
        let left = &self.left;
        assert!(
            (order, moment) != self.at
                || left
                    .fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less)
                    .is_err(),
            "a fault of the program"
        );
    }
}

/// Lets the daemon's worker work until a deployment has ended.
async fn worked_off(world: &World, panics: Panics, deployment: &Deployment) {
    let drivers = Drivers::witnessed(&world.pbx, Arc::new(panics));
    let (_, engine) = world.with(Never, drivers);
    let rhythm = Rhythm {
        period: Duration::from_millis(50),
        after_panic: Duration::from_millis(100),
    };
    let stop = CancellationToken::new();
    let worker = deploy_worker::run(
        world.store.clone(),
        engine,
        "here".parse().unwrap(),
        Arc::new(Notify::new()),
        rhythm,
        stop.clone(),
    );
    let until_ended = async {
        while !record(&world.app, deployment).await.status().is_end() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        stop.cancel();
    };
    let both = async { tokio::join!(worker, until_ended).0.unwrap() };
    let within = tokio::time::timeout(Duration::from_mins(1), both).await;
    assert!(within.is_ok(), "{:#?}", record(&world.app, deployment).await);
}

#[rstest]
#[case::before_it_touches_anything(Order::Stage, Moment::After)]
#[case::in_the_middle(Order::Apply, Moment::During)]
#[case::before_the_proof(Order::Verify, Moment::Before)]
#[tokio::test]
async fn a10_a_deploy_that_panics_is_taken_up_again(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[case] order: Order,
    #[case] moment: Moment,
) {
    let world = World::new(backend).await;
    let [(acme, ann), (globex, _)] = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    world.patch(&acme, &ann, json!({"name": "Ann"})).await;
    let request = world.request(&acme).await;
    let panics = Panics {
        at: (order, moment),
        left: AtomicUsize::new(2),
    };
    worked_off(&world, panics, &request).await;
    record(&world.app, &request).await.expect(Live);
    assert_eq!(world.standing(), world.live().await);
    assert!(world.is_verified(&acme).await && world.is_verified(&globex).await);
}

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a10_a_deploy_that_panics_again_and_again_ends_and_is_in_nobodys_way(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, ann), (globex, gina)] = world.acme_and_globex().await;
    let live = world.deploy_platform().await.expect(Live).deployment.generation;
    world.patch(&acme, &ann, json!({"name": "Ann"})).await;
    let bad = world.request(&acme).await;
    let panics = Panics {
        at: (Order::Stage, Moment::Before),
        left: AtomicUsize::new(1_000),
    };
    worked_off(&world, panics, &bad).await;
    let ended = record(&world.app, &bad).await.expect(Failed);
    assert!(ended.codes().contains(&"interrupted_too_often"), "{ended:#?}");
    assert_eq!((world.standing(), world.live().await), (live, live));
    world.patch(&globex, &gina, json!({"name": "Gina"})).await;
    world.deploy(&globex).await.expect(Live);
}
