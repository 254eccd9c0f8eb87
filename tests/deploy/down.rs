//! A PBX that is not there, that dies in the middle, or that does not let us in.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use rstest::rstest;
use serde_json::json;
use switchyard::app::{instance_checks, instances};
use switchyard::deploy::ShadowPolicy::{Always, Auto, Never};
use switchyard::domain::deployment::DeploymentStatus::{Failed, Live, Rejected, RolledBack, Unchanged};
use switchyard::domain::deployment::Stage::{Applying, Planning, Validating};
use switchyard::domain::instance::InstanceSettings;
use switchyard::domain::instance_secrets::InstanceSecrets;

use super::drivers::{Drivers, Moment, Order, Witness};
use super::served::reloads;
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::support::pbx::{Pbx, Restarted, kill, pid};
use super::world::{World, operator};

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a10_a_pbx_that_is_down_is_told_before_anything_is_touched(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, ann), _] = world.acme_and_globex().await;
    kill(pid(&world.pbx.home()));

    // On a first deploy and on a later one.
    let first = world.deploy_platform().await.expect(Failed);
    assert_eq!((world.standing(), world.live().await), (None, None));
    assert!(first.codes().contains(&"pbx_unreachable"), "{first:#?}");
    assert_eq!(first.stages.last().unwrap().stage, Validating);

    let _again = Restarted::start(&world.pbx);
    until_up(&world).await;
    let live = world.deploy_platform().await.expect(Live);
    kill(pid(&world.pbx.home()));
    let before = world.files();
    world.patch(&acme, &ann, json!({"name": "Ann"})).await;
    let later = world.deploy(&acme).await.expect(Failed);
    assert!(later.codes().contains(&"pbx_unreachable"), "{later:#?}");
    assert_eq!(
        (world.files(), world.live().await),
        (before, live.deployment.generation)
    );

    // What does nothing needs no PBX.
    world.patch(&acme, &ann, json!({"name": "acme"})).await;
    world.deploy(&acme).await.expect(Unchanged);
}

pub async fn until_up(world: &World) {
    for _ in 0..300 {
        let checks = instance_checks::test(&world.app, &operator(), world.instance_id)
            .await
            .unwrap();
        if checks.iter().all(|check| check.ok) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the restarted PBX is not up");
}

/// Kills the PBX at a moment, and starts it again a while later.
struct Killer {
    at: (Order, Moment),
    delay: Duration,
    down: Duration,
    pbx: Arc<Pbx>,
    restarted: Arc<Mutex<Option<Restarted>>>,
    has_killed: AtomicBool,
}

#[async_trait]
impl Witness for Killer {
    async fn at(&self, order: Order, moment: Moment) {
        if (order, moment) != self.at || self.has_killed.swap(true, Ordering::SeqCst) {
            return;
        }
        tokio::time::sleep(self.delay).await;
        kill(pid(&self.pbx.home()));
        let (pbx, restarted, down) = (Arc::clone(&self.pbx), Arc::clone(&self.restarted), self.down);
        std::thread::spawn(move || {
            std::thread::sleep(down);
            *restarted.lock().unwrap() = Some(Restarted::start(&pbx));
        });
    }
}

#[rstest]
#[case::before_the_apply(Order::Apply, Moment::Before, 0)]
#[case::in_the_reload(Order::Apply, Moment::During, 2)]
#[case::later_in_the_reload(Order::Apply, Moment::During, 10)]
#[case::after_the_apply(Order::Apply, Moment::After, 0)]
#[tokio::test]
async fn a10_a_pbx_that_dies_in_the_middle_is_told_the_truth_about(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[case] order: Order,
    #[case] moment: Moment,
    #[case] delay: u64,
) {
    let world = World::new(backend).await;
    let [(acme, ann), (globex, _)] = world.acme_and_globex().await;
    let first = world.deploy_platform().await.expect(Live).deployment.generation;
    let restarted = Arc::new(Mutex::new(None));
    let killer = Killer {
        at: (order, moment),
        delay: Duration::from_millis(delay),
        down: Duration::from_millis(500),
        pbx: Arc::clone(&world.pbx),
        restarted: Arc::clone(&restarted),
        has_killed: AtomicBool::new(false),
    };
    let (app, _) = world.with(Never, Drivers::witnessed(&world.pbx, Arc::new(killer)));
    world.patch(&acme, &ann, json!({"name": "Ann"})).await;
    let ended = world.deploy_with(&app, &acme).await;
    tokio::time::timeout(Duration::from_secs(30), async {
        while restarted.lock().unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .unwrap();
    until_up(&world).await;
    let live = match ended.status() {
        Live => ended.deployment.generation,
        // Killed before anything was touched: it says so.
        Failed if ended.stages.last().unwrap().stage == Applying => {
            assert!(ended.codes().contains(&"not_applied"), "{ended:#?}");
            first
        }
        RolledBack => first,
        _ => panic!("{ended:#?}"),
    };
    assert_eq!((world.standing(), world.live().await), (live, live), "{ended:#?}");
    assert!(world.is_verified(&acme).await && world.is_verified(&globex).await);
    assert!(world.registers(&acme, &ann));
    // Whatever came of it, the next one goes live.
    world.patch(&acme, &ann, json!({"name": "Next"})).await;
    world.deploy(&acme).await.expect(Live);
}

/// It stays down: the record says what is not known, the files are the former ones, and the next deploy mends it.
#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a10_a_pbx_that_stays_down_finds_the_former_files_when_it_starts(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, ann), _] = world.acme_and_globex().await;
    let first = world.deploy_platform().await.expect(Live).deployment.generation;
    let killer = Killer {
        at: (Order::Apply, Moment::After),
        delay: Duration::ZERO,
        down: Duration::from_hours(1),
        pbx: Arc::clone(&world.pbx),
        restarted: Arc::default(),
        has_killed: AtomicBool::new(false),
    };
    let (app, _) = world.impatient(Drivers::witnessed(&world.pbx, Arc::new(killer)));
    world.patch(&acme, &ann, json!({"name": "Ann"})).await;
    let ended = world.deploy_with(&app, &acme).await.expect(Failed);
    assert!(ended.codes().contains(&"state_unknown"), "{ended:#?}");
    assert_eq!((world.standing(), world.live().await), (first, first));
    let still = world.deploy(&acme).await.expect(Failed);
    let told = &still
        .deployment
        .findings
        .iter()
        .find(|f| f.is_error())
        .unwrap()
        .message;
    assert!(told.contains("it is not known what the PBX serves"), "{told}");
    assert!(!told.contains("what was live is live"), "{told}");

    let _again = Restarted::start(&world.pbx);
    until_up(&world).await;
    assert!(world.is_verified(&acme).await, "it serves the former generation");
    let (reloaded, next) = reloads(&world, world.deploy(&acme)).await;
    let next = next.expect(Live);
    assert_eq!(reloaded.len(), 3, "everything is read anew: {reloaded:?}");
    let proof = &next.stages.last().unwrap().detail;
    assert!(
        proof.contains("2 extensions as they should be"),
        "of the other tenant too: {proof}"
    );
}

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a10_a_wrong_manager_secret_is_named(#[case] backend: Backend) {
    let world = World::new(backend).await;
    world.acme_and_globex().await;
    let settings = InstanceSettings::Asterisk(world.pbx.private.settings().clone());
    let wrong = InstanceSecrets::of_control("not-the-secret".into());
    instances::change_settings(&world.app, &operator(), world.instance_id, settings, &wrong)
        .await
        .unwrap();
    let ended = world.deploy_platform().await.expect(Failed);
    let finding = ended
        .deployment
        .findings
        .iter()
        .find(|f| f.code == "pbx_unreachable")
        .unwrap();
    let message = finding.message.to_lowercase();
    assert!(
        message.contains("secret") || message.contains("authentication"),
        "{message}"
    );
    assert!(!message.contains("not-the-secret"), "{message}");
    assert_eq!((world.standing(), world.live().await), (None, None));
    world.change_settings(|_| {}).await;
    world.deploy_platform().await.expect(Live);
}

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a10_a_shadow_that_must_run_and_cannot_stops_the_deploy(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, _), _] = world.acme_and_globex().await;

    let (must, _) = world.with(Always, Drivers::without_a_shadow());
    let ended = world.deploy_platform_with(&must).await.expect(Rejected);
    let shadow = |ended: &super::world::Ended| {
        let found = ended
            .deployment
            .findings
            .iter()
            .find(|f| f.code == "shadow_did_not_run");
        found.map(|finding| (finding.is_error(), finding.message.clone()))
    };
    assert!(shadow(&ended).unwrap().0, "{ended:#?}");
    let stages: Vec<_> = ended.stages.iter().map(|stage| stage.stage).collect();
    assert_eq!(stages, [Planning, Validating]);
    assert_eq!((world.standing(), world.live().await), (None, None));

    let (may, _) = world.with(Auto, Drivers::without_a_shadow());
    let ended = world.deploy_platform_with(&may).await.expect(Live);
    let (is_error, message) = shadow(&ended).unwrap();
    assert!(!is_error && message.contains("asterisk"), "{message}");

    // With one, both policies have it read, and say that it did.
    for policy in [Auto, Always] {
        world.override_template("asterisk/pjsip.conf", |text| format!("{text}\n; {policy:?}\n"));
        let ended = world
            .deploy_platform_with(&world.shadowed(policy))
            .await
            .expect(Live);
        assert_eq!(shadow(&ended), None);
        assert!(
            ended.stages[1].detail.contains("read the generation"),
            "{ended:#?}"
        );
    }
    assert!(world.is_verified(&acme).await);
}
