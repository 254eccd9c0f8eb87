//! Clocks that differ between hosts, and one that jumps in the middle of a deploy.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use rstest::rstest;
use serde_json::json;
use switchyard::app::{App, deployments};
use switchyard::domain::deployment::Deployment;
use switchyard::domain::deployment::DeploymentStatus::{Live, Superseded};
use switchyard::domain::ids::SystemIds;
use switchyard::domain::random::SystemRandom;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::drivers::{Drivers, Moment, Order, Witness};
use super::served::caller_id;
use super::support::clock::Shifted;
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::{TestTenant, World, record};

const HOUR: i64 = 3600;

/// The use cases of a process that goes by this clock.
fn app_by(clock: &Shifted, world: &World) -> App {
    App::new(
        world.store.clone(),
        Arc::clone(&world.engine),
        Arc::new(clock.clone()),
        Arc::new(SystemIds),
        Arc::new(SystemRandom),
        Arc::new(Notify::new()),
    )
}

/// A request of a host whose clock is off by so many seconds.
async fn requested(world: &World, tenant: &TestTenant, off: i64) -> Deployment {
    let clock = Shifted::default();
    clock.jump(off);
    let app = app_by(&clock, world);
    let done = deployments::deploy(&app, &tenant.caller, None).await;
    done.unwrap().into_inner()
}

/// The later request is of a host, or after a jump, that calls its time earlier; and the other way round.
#[rstest]
#[tokio::test]
async fn a10_what_was_asked_for_last_ends_live_whatever_the_clocks_say(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[values([HOUR, -HOUR, 0], [-HOUR, HOUR, 0])] offs: [i64; 3],
) {
    let world = World::new(backend).await;
    let [(acme, ann), (globex, _)] = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    let mut requests = Vec::new();
    for (place, off) in offs.into_iter().enumerate() {
        let name = format!("Ann {place}");
        world.patch(&acme, &ann, json!({"name": name})).await;
        requests.push(requested(&world, &acme, off).await);
    }
    // Equal ones: the last keeps its place, wherever its clock puts it.
    let [again, last] = [HOUR, -HOUR].map(|off| requested(&world, &acme, off));
    let (again, last) = (again.await, last.await);
    requested(&world, &globex, -2 * HOUR).await;
    let stop = CancellationToken::new();
    let worked = Box::pin(world.engine.work_off(world.instance_id, &stop));
    assert_eq!(worked.await.unwrap(), 6);
    assert_eq!(
        caller_id(&world, "1001@acme.example.com").unwrap(),
        "\"Ann 2\" <1001>"
    );
    let mut generations = Vec::new();
    for request in [&requests[0], &requests[1], &last] {
        let ended = record(&world.app, request).await.expect(Live);
        generations.push(ended.deployment.generation);
    }
    assert!(generations.is_sorted(), "{generations:?}");
    for covered in [&requests[2], &again] {
        record(&world.app, covered).await.expect(Superseded);
    }
}

/// Puts its process's clock to another time, once.
struct Jump {
    clock: Shifted,
    seconds: i64,
    at: (Order, Moment),
    done: AtomicBool,
}

#[async_trait]
impl Witness for Jump {
    async fn at(&self, order: Order, moment: Moment) {
        if (order, moment) == self.at && !self.done.swap(true, Ordering::SeqCst) {
            self.clock.jump(self.seconds);
        }
    }
}

#[rstest]
#[tokio::test]
async fn a10_a_clock_that_jumps_in_the_middle_of_a_deploy_leaves_nothing_half_done(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[values(HOUR, -HOUR)] seconds: i64,
) {
    let world = World::new(backend).await;
    let [(acme, ann), (globex, _)] = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    let clock = Shifted::default();
    let moments = [
        (Order::Drifted, Moment::Before),
        (Order::Stage, Moment::After),
        (Order::Apply, Moment::Before),
        (Order::Apply, Moment::After),
        (Order::Verify, Moment::After),
    ];
    for (place, at) in moments.into_iter().enumerate() {
        let name = format!("Ann {place}");
        world.patch(&acme, &ann, json!({"name": name})).await;
        let request = world.request(&acme).await;
        let jump = Arc::new(Jump {
            clock: clock.clone(),
            seconds,
            at,
            done: AtomicBool::new(false),
        });
        let witness: Arc<dyn Witness> = jump.clone();
        let drivers = Drivers::witnessed(&world.pbx, witness);
        let lease = Duration::from_secs(30);
        let engine = world.another_process(drivers, lease, &clock).await;
        let stop = CancellationToken::new();
        let mut tries = 0;
        // Its own lease seems to have lapsed to it, when the clock went forward: it takes it again, and goes on.
        while !record(&world.app, &request).await.status().is_end() {
            let _ = Box::pin(engine.work_off(world.instance_id, &stop)).await;
            tries += 1;
            assert!(tries < 10, "{at:?}");
        }
        assert!(jump.done.load(Ordering::SeqCst), "{at:?} was not met");
        record(&world.app, &request).await.expect(Live);
        assert_eq!(world.standing(), world.live().await, "{at:?}");
        for tenant in [&acme, &globex] {
            assert!(world.is_verified(tenant).await, "{at:?}");
        }
        let shown = caller_id(&world, "1001@acme.example.com").unwrap();
        assert_eq!(shown, format!("\"{name}\" <1001>"));
    }
}
