//! A process that dies in the middle of a deploy, at every point: the next one finishes the deploy, or undoes it.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use rstest::rstest;
use serde_json::json;
use switchyard::app::deployments;
use switchyard::deploy::Engine;
use switchyard::domain::artifact::Artifact;
use switchyard::domain::deployment::Deployment;
use switchyard::domain::deployment::DeploymentStatus::{Live, Queued, RolledBack};
use switchyard::domain::deployment::Stage::RollingBack;
use switchyard::domain::instance::PbxKind;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::drivers::{Drivers, Moment, Order, Witness};
use super::served::caller_id;
use super::support::clock::Shifted;
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::{Phone, TestTenant, World, operator, record};

const LEASE: Duration = Duration::from_mins(1);

/// A world whose processes die.
struct Mortal {
    world: World,
    acme: TestTenant,
    ann: Phone,
    globex: TestTenant,
    clock: Shifted,
    edits: usize,
}

impl Mortal {
    async fn new(backend: Backend) -> Self {
        let world = World::new(backend).await;
        let [(acme, ann), (globex, _)] = world.acme_and_globex().await;
        world.deploy_platform().await.expect(Live);
        Self {
            world,
            acme,
            ann,
            globex,
            clock: Shifted::default(),
            edits: 0,
        }
    }

    /// Another edit, of another file each time, and the request to deploy it.
    async fn request(&mut self) -> Deployment {
        self.edits += 1;
        let patch = match self.edits % 3 {
            0 => json!({"name": format!("Ann {}", self.edits)}),
            1 => json!({"ring_time": 10 + self.edits % 200}),
            _ => json!({"voicemail": {"pin": format!("{}", 100_000 + self.edits)}}),
        };
        self.world.patch(&self.acme, &self.ann, patch).await;
        self.world.request(&self.acme).await
    }

    /// Works in a process that is gone after a while; whether it was cut off.
    async fn cut_off(&self, engine: &Engine, after: Duration) -> bool {
        let stop = CancellationToken::new();
        tokio::time::timeout(after, engine.work_off(self.world.instance_id, &stop))
            .await
            .is_err()
    }

    /// The next process, which has to wait for the lease of the dead one.
    async fn next_process(&self) -> Arc<Engine> {
        let drivers = Drivers::plain(&self.world.pbx);
        let engine = self.world.another_process(drivers, LEASE, &self.clock).await;
        self.clock.forward(LEASE + Duration::from_secs(1));
        engine
    }

    /// Has a process work until a deployment has ended; gives how many did.
    async fn taken_up(&self, engine: &Engine, request: &Deployment) -> usize {
        let mut ended = 0;
        for _ in 0..1_000 {
            let stop = CancellationToken::new();
            ended += engine.work_off(self.world.instance_id, &stop).await.unwrap();
            if record(&self.world.app, request).await.status().is_end() {
                return ended;
            }
            // What was begun on the disk by the one that died, here in the same process, keeps the lock until it is done.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{:#?}", record(&self.world.app, request).await);
    }

    /// Before anybody has mended anything: behind the link stands a whole generation.
    fn assert_whole_on_disk(&self) {
        let files: BTreeMap<Artifact, _> = self.world.files();
        assert_eq!(files.len(), Artifact::of(PbxKind::Asterisk).len());
        for (file, (_, _, text)) in files {
            assert!(text.contains("switchyard-marker"), "{file} is cut: {text}");
        }
    }

    async fn assert_well(&self, what: &str) {
        let world = &self.world;
        self.assert_whole_on_disk();
        assert_eq!(world.standing(), world.live().await, "{what}");
        for tenant in [&self.acme, &self.globex] {
            let seen = deployments::verify(&world.app, &tenant.caller).await.unwrap();
            assert!(seen.ok, "{what}: {:?}", seen.findings);
        }
    }
}

/// How many points of time: more in the long run.
fn points() -> usize {
    if std::env::var_os("SWITCHYARD_TEST_ALL").is_some() {
        300
    } else {
        40
    }
}

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a10_a_death_at_any_time_is_finished_by_the_next_process(#[case] backend: Backend) {
    let mut mortal = Mortal::new(backend).await;
    let mut cut = 0;
    let mut stages = BTreeMap::new();
    // The time that a deploy takes to whom nothing happens.
    mortal.request().await;
    let engine = mortal.next_process().await;
    let begun = Instant::now();
    assert!(!mortal.cut_off(&engine, Duration::from_secs(30)).await);
    let whole = begun.elapsed();
    for point in 0_u32..3000 {
        if cut >= points() {
            break;
        }
        let request = mortal.request().await;
        let drivers = Drivers::plain(&mortal.world.pbx);
        let engine = mortal.world.another_process(drivers, LEASE, &mortal.clock).await;
        // Evenly spread, never the same twice: multiples of the golden ratio.
        let after = whole.mul_f64((f64::from(point) * 0.618_034).fract());
        mortal.cut_off(&engine, after).await;
        let status = record(&mortal.world.app, &request).await.status();
        if status != Queued && !status.is_end() {
            cut += 1;
            *stages.entry(status).or_insert(0) += 1;
        }
        mortal.assert_whole_on_disk();
        let next = mortal.next_process().await;
        mortal.taken_up(&next, &request).await;
        record(&mortal.world.app, &request).await.expect(Live);
        mortal.assert_well(&format!("cut after {after:?}")).await;
    }
    assert!(cut >= points(), "only {cut} were cut off");
    assert!(
        stages.len() >= 3,
        "the points do not reach all stages: {stages:?}"
    );
}

/// Dies at a moment, and never again.
struct Dies {
    at: (Order, Moment),
    is_dead: Arc<Notify>,
}

#[async_trait]
impl Witness for Dies {
    async fn at(&self, order: Order, moment: Moment) {
        if (order, moment) == self.at {
            self.is_dead.notify_one();
            pending::<()>().await;
        }
    }
}

const MOMENTS: [(Order, Moment); 12] = [
    (Order::Stage, Moment::Before),
    (Order::Stage, Moment::After),
    (Order::Ready, Moment::Before),
    (Order::Ready, Moment::After),
    (Order::Apply, Moment::Before),
    (Order::Apply, Moment::After),
    (Order::Verify, Moment::Before),
    (Order::Verify, Moment::After),
    (Order::Log, Moment::Before),
    (Order::Log, Moment::After),
    (Order::KeepOnly, Moment::Before),
    (Order::KeepOnly, Moment::After),
];

async fn die(mortal: &Mortal, order: Order, moment: Moment) {
    let is_dead = Arc::new(Notify::new());
    let dies = Dies {
        at: (order, moment),
        is_dead: Arc::clone(&is_dead),
    };
    let drivers = Drivers::witnessed(&mortal.world.pbx, Arc::new(dies));
    let engine = mortal.world.another_process(drivers, LEASE, &mortal.clock).await;
    let stop = CancellationToken::new();
    tokio::select! {
        () = is_dead.notified() => {}
        ended = engine.work_off(mortal.world.instance_id, &stop) => {
            panic!("{order:?} {moment:?} was not reached: {ended:?}")
        }
    }
}

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a10_a_death_between_any_two_orders_is_finished_by_the_next_process(#[case] backend: Backend) {
    let mut mortal = Mortal::new(backend).await;
    for (order, moment) in MOMENTS {
        let request = mortal.request().await;
        die(&mortal, order, moment).await;
        mortal.assert_whole_on_disk();
        let next = mortal.next_process().await;
        // Cleaning up comes after the end, and what it left is the next deploy's to remove.
        let left = usize::from(order != Order::KeepOnly);
        assert_eq!(mortal.taken_up(&next, &request).await, left);
        record(&mortal.world.app, &request).await.expect(Live);
        mortal.assert_well(&format!("{order:?} {moment:?}")).await;
    }
}

/// Whoever starts again after a crash need not wait until the dead one's lease has lapsed.
#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a10_a_deploy_of_a_process_that_died_on_this_host_is_taken_up_at_once(#[case] backend: Backend) {
    let mut mortal = Mortal::new(backend).await;
    let request = mortal.request().await;
    die(&mortal, Order::Apply, Moment::After).await;
    let drivers = Drivers::plain(&mortal.world.pbx);
    let next = mortal.world.another_process(drivers, LEASE, &mortal.clock).await;
    let stop = CancellationToken::new();
    assert_eq!(next.work_off(mortal.world.instance_id, &stop).await.unwrap(), 1);
    record(&mortal.world.app, &request).await.expect(Live);
    mortal.assert_well("at once").await;

    // Elsewhere nobody knows that it died.
    mortal.request().await;
    die(&mortal, Order::Apply, Moment::After).await;
    let drivers = Drivers::plain(&mortal.world.pbx);
    let elsewhere = mortal
        .world
        .process_elsewhere(drivers, LEASE, &mortal.clock)
        .await;
    assert_eq!(
        elsewhere.work_off(mortal.world.instance_id, &stop).await.unwrap(),
        0
    );
    mortal.clock.forward(LEASE + Duration::from_secs(1));
    assert_eq!(
        elsewhere.work_off(mortal.world.instance_id, &stop).await.unwrap(),
        1
    );
    mortal.assert_well("elsewhere").await;
}

/// What was half applied and cannot be finished any more is undone, not left as it stands.
#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a10_what_can_no_longer_be_finished_is_undone(#[case] backend: Backend) {
    let mortal = Mortal::new(backend).await;
    let world = &mortal.world;
    let former = world.live().await;
    for moment in [Moment::Before, Moment::After] {
        world
            .patch(&mortal.acme, &mortal.ann, json!({"name": "Half"}))
            .await;
        let request = deployments::deploy_instance(&world.app, &operator(), world.instance_id)
            .await
            .unwrap();
        die(&mortal, Order::Apply, moment).await;
        world.override_template("asterisk/pjsip.conf", |_| "{{ nothing.of.that.name }}".to_owned());
        let next = mortal.next_process().await;
        next.work_off(world.instance_id, &CancellationToken::new())
            .await
            .unwrap();
        let ended = record(&world.app, &request).await.expect(RolledBack);
        assert_eq!(ended.stages.last().unwrap().stage, RollingBack);
        assert_eq!((world.standing(), world.live().await), (former, former));
        assert_eq!(
            caller_id(world, "1001@acme.example.com").unwrap(),
            "\"acme\" <1001>"
        );
        mortal.assert_well("undone").await;
        world.remove_override("asterisk/pjsip.conf");
    }
    world.deploy_platform().await.expect(Live);
    assert_eq!(
        caller_id(world, "1001@acme.example.com").unwrap(),
        "\"Half\" <1001>"
    );
}
