//! Requests queue, equal ones become one, and only the holder of the lease drives.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use rstest::rstest;
use serde_json::json;
use switchyard::app::deployments;
use switchyard::deploy::DeployError;
use switchyard::domain::deployment::DeploymentStatus::{Live, Superseded};
use switchyard::domain::deployment::{Deployment, DeploymentStatus};
use switchyard::domain::page::PageRequest;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::drivers::{Drivers, Moment, Order, Witness};
use super::served::{caller_id, reloads};
use super::support::clock::Shifted;
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::{World, operator, record};

async fn statuses(world: &World, requests: &[Deployment]) -> Vec<DeploymentStatus> {
    let mut statuses = Vec::new();
    for request in requests {
        statuses.push(record(&world.app, request).await.status());
    }
    statuses
}

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a10_equal_requests_are_one_deploy_with_a_record_each(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, ann), (globex, _)] = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);

    world.patch(&acme, &ann, json!({"name": "Ann"})).await;
    let mut requests = Vec::new();
    for _ in 0..5 {
        requests.push(world.request(&acme).await);
    }
    // Not equal: another tenant's, and another revision of the same tenant.
    let others = world.request(&globex).await;
    world.patch(&acme, &ann, json!({"name": "Anna"})).await;
    let newer = world.request(&acme).await;
    let stop = CancellationToken::new();
    let work = Box::pin(world.engine.work_off(world.instance_id, &stop));
    let (reloaded, ended) = reloads(&world, work).await;
    assert_eq!(ended.unwrap(), 7);
    assert_eq!(reloaded.len(), 2);
    assert_eq!(
        statuses(&world, &requests).await,
        [Superseded, Superseded, Superseded, Superseded, Live]
    );
    assert_eq!(
        statuses(&world, &[others, newer]).await,
        [DeploymentStatus::Unchanged, Live]
    );
    assert_eq!(
        caller_id(&world, "1001@acme.example.com").unwrap(),
        "\"Anna\" <1001>"
    );
    for superseded in &requests[..4] {
        let ended = record(&world.app, superseded).await.expect(Superseded);
        assert!(
            ended.deployment.findings[0]
                .message
                .contains(&requests[4].id.to_string()),
            "{ended:#?}"
        );
        assert!(ended.stages.is_empty());
    }
    let page = PageRequest::new(1, 100).unwrap();
    let list = deployments::list(&world.app, &acme.caller, page).await.unwrap();
    assert_eq!(list.total, 6, "each keeps its own record");

    let mut platform = Vec::new();
    for _ in 0..5 {
        platform.push(
            deployments::deploy_instance(&world.app, &operator(), world.instance_id)
                .await
                .unwrap(),
        );
    }
    world.patch(&acme, &ann, json!({"name": "Last"})).await;
    world
        .engine
        .work_off(world.instance_id, &CancellationToken::new())
        .await
        .unwrap();
    assert_eq!(
        statuses(&world, &platform).await,
        [Superseded, Superseded, Superseded, Superseded, Live]
    );
    assert_eq!(
        caller_id(&world, "1001@acme.example.com").unwrap(),
        "\"Last\" <1001>"
    );
}

/// Hears every order of every engine.
#[derive(Default)]
struct Ear {
    heard: Mutex<Vec<(usize, Order, Moment)>>,
}

struct EarOf(usize, Arc<Ear>);

#[async_trait]
impl Witness for EarOf {
    async fn at(&self, order: Order, moment: Moment) {
        self.1.heard.lock().unwrap().push((self.0, order, moment));
        if moment == Moment::During {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a10_two_processes_never_drive_one_instance_together(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, ann), (globex, gina)] = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    let ear = Arc::new(Ear::default());
    let mut engines = Vec::new();
    for number in 0..3 {
        let drivers = Drivers::witnessed(&world.pbx, Arc::new(EarOf(number, Arc::clone(&ear))));
        engines.push(
            world
                .another_process(drivers, Duration::from_secs(30), &Shifted::default())
                .await,
        );
    }
    let mut requests = Vec::new();
    for round in 0..8 {
        world.patch(&acme, &ann, json!({"ring_time": 20 + round})).await;
        world
            .patch(&globex, &gina, json!({"ring_time": 20 + round}))
            .await;
        requests.push(world.request(&acme).await);
        requests.push(world.request(&globex).await);
    }
    let instance_id = world.instance_id;
    let (all, count) = (Arc::new(AtomicUsize::new(0)), requests.len());
    let mut workers = JoinSet::new();
    for engine in engines {
        let all = Arc::clone(&all);
        workers.spawn(async move {
            let mut ended = 0;
            let deadline = Instant::now() + Duration::from_secs(40);
            while all.load(Ordering::SeqCst) < count && Instant::now() < deadline {
                // A little at a time, and then it is somebody else's turn.
                let stop = CancellationToken::new();
                let work = async {
                    let done = Box::pin(engine.work_off(instance_id, &stop)).await.unwrap();
                    stop.cancel();
                    done
                };
                let stopping = async {
                    let _ = tokio::time::timeout(Duration::from_millis(60), stop.cancelled()).await;
                    stop.cancel();
                };
                let (done, ()) = tokio::join!(work, stopping);
                all.fetch_add(done, Ordering::SeqCst);
                ended += done;
                tokio::time::sleep(Duration::from_millis(if done > 0 { 150 } else { 5 })).await;
            }
            ended
        });
    }
    let shares = workers.join_all().await;
    assert_eq!(shares.iter().sum::<usize>(), requests.len(), "{shares:?}");
    assert!(
        statuses(&world, &requests)
            .await
            .iter()
            .all(|status| *status == Live)
    );

    let heard = ear.heard.lock().unwrap().clone();
    let mut open: BTreeMap<usize, Order> = BTreeMap::new();
    let mut drivers = Vec::new();
    for (engine, order, moment) in &heard {
        // From the first file to the last question nobody else gives an order.
        assert!(
            open.keys().all(|other| other == engine),
            "{engine} {order:?} while {open:?}"
        );
        match (order, moment) {
            (Order::Stage, Moment::Before) => {
                open.insert(*engine, *order);
                drivers.push(*engine);
            }
            (Order::KeepOnly, Moment::After) => {
                open.remove(engine);
            }
            _ => {}
        }
    }
    assert_eq!(drivers.len(), requests.len());
    drivers.dedup();
    assert!(
        drivers.len() > 1,
        "the lease never changed hands, so this proved nothing: {shares:?}"
    );
    assert!(world.is_verified(&acme).await && world.is_verified(&globex).await);
}

/// Stops a process in the middle, until it is let go on.
struct Stopped {
    at: (Order, Moment),
    is_there: Arc<Notify>,
    go_on: Arc<Notify>,
}

#[async_trait]
impl Witness for Stopped {
    async fn at(&self, order: Order, moment: Moment) {
        if (order, moment) == self.at {
            self.is_there.notify_one();
            self.go_on.notified().await;
        }
    }
}

/// A process that was stopped (a host that slept) finds that another one has taken over, and gives no more orders.
#[rstest]
#[case::before_the_apply(Order::Apply, Moment::Before)]
#[case::before_the_verify(Order::Verify, Moment::Before)]
#[tokio::test]
async fn a10_a_process_that_lost_its_lease_gives_no_more_orders(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[case] order: Order,
    #[case] moment: Moment,
) {
    let world = World::new(backend).await;
    let [(acme, ann), _] = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    world.patch(&acme, &ann, json!({"name": "Ann"})).await;
    let request = world.request(&acme).await;

    let lease = Duration::from_millis(1500);
    let clock = Shifted::default();
    let (is_there, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let stopped = Stopped {
        at: (order, moment),
        is_there: Arc::clone(&is_there),
        go_on: Arc::clone(&go_on),
    };
    let drivers = Drivers::witnessed(&world.pbx, Arc::new(stopped));
    let first = world.process_elsewhere(drivers, lease, &clock).await;
    let stop = CancellationToken::new();
    let mut work = Box::pin(first.work_off(world.instance_id, &stop));
    tokio::select! {
        () = is_there.notified() => {}
        ended = &mut work => panic!("{ended:?}"),
    }
    assert_eq!(
        world.engine.work_off(world.instance_id, &stop).await.unwrap(),
        0,
        "the lease is held"
    );
    tokio::time::sleep(lease).await;

    let ended = super::world::ended(&world.app, &request).await.expect(Live);
    assert!(
        ended
            .stages
            .iter()
            .any(|stage| stage.result == Some(switchyard::domain::deployment::StageResult::Interrupted))
    );
    let after = (world.files(), world.standing(), world.live().await);
    go_on.notify_one();
    let lost = tokio::time::timeout(Duration::from_secs(10), work).await.unwrap();
    assert!(matches!(lost, Err(DeployError::LeaseLost)), "{lost:?}");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!((world.files(), world.standing(), world.live().await), after);
    assert!(world.is_verified(&acme).await);
}

/// Clocks jump; a lock of the host does not.
#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a10_two_processes_of_a_host_never_drive_together_whatever_their_clocks_say(
    #[case] backend: Backend,
) {
    let world = World::new(backend).await;
    let [(acme, ann), _] = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    world.patch(&acme, &ann, json!({"name": "Ann"})).await;
    let request = world.request(&acme).await;
    let (is_there, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let stopped = Stopped {
        at: (Order::Apply, Moment::Before),
        is_there: Arc::clone(&is_there),
        go_on: Arc::clone(&go_on),
    };
    let drivers = Drivers::witnessed(&world.pbx, Arc::new(stopped));
    let lease = Duration::from_secs(30);
    let first = world.another_process(drivers, lease, &Shifted::default()).await;
    let fast = Shifted::default();
    let second = world
        .another_process(Drivers::plain(&world.pbx), lease, &fast)
        .await;
    let stop = CancellationToken::new();
    let mut work = Box::pin(first.work_off(world.instance_id, &stop));
    tokio::select! {
        () = is_there.notified() => {}
        ended = &mut work => panic!("{ended:?}"),
    }
    fast.forward(Duration::from_hours(24));
    assert_eq!(second.work_off(world.instance_id, &stop).await.unwrap(), 0);
    go_on.notify_one();
    assert_eq!(work.await.unwrap(), 1);
    record(&world.app, &request).await.expect(Live);
}
