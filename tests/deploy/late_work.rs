//! Work on the disk that has not ended when its process loses the lease: it moves nothing any more, and keeps the lock.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use rstest::rstest;
use serde_json::json;
use switchyard::deploy::DeployError;
use switchyard::domain::deployment::DeploymentStatus::Live;
use tokio::runtime::{Builder, Runtime};
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use super::drivers::{Drivers, Moment, Order, Witness};
use super::support::clock::Shifted;
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::{World, record};

const LEASE: Duration = Duration::from_millis(1500);

/// Has the deploy go back, and takes its process's only thread for the disk before the former generation is put back.
struct Busy {
    directory: PathBuf,
    former: i64,
    /// Tells that the thread is taken.
    taken: Mutex<Sender<()>>,
    /// Ends that.
    free: Mutex<Option<Receiver<()>>>,
}

#[async_trait]
impl Witness for Busy {
    async fn at(&self, order: Order, moment: Moment) {
        match (order, moment) {
            (Order::Apply, Moment::After) => {
                let link = self.directory.join("live");
                let _ = std::fs::remove_file(&link);
                std::os::unix::fs::symlink(format!("generations/{}", self.former), link).unwrap();
            }
            (Order::Place, Moment::Before) => {
                if let Some(free) = self.free.lock().unwrap().take() {
                    spawn_blocking(move || free.recv());
                    self.taken.lock().unwrap().send(()).unwrap();
                }
            }
            _ => {}
        }
    }
}

fn runtime() -> Runtime {
    let mut runtime = Builder::new_current_thread();
    runtime.enable_all().max_blocking_threads(1).build().unwrap()
}

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
fn a10_what_a_process_was_doing_when_it_lost_its_lease_undoes_nothing_of_the_next(#[case] backend: Backend) {
    let main = Builder::new_current_thread().enable_all().build().unwrap();
    let (world, request, acme, ann) = main.block_on(async {
        let world = World::new(backend).await;
        let [(acme, ann), _] = world.acme_and_globex().await;
        world.deploy_platform().await.expect(Live);
        world.patch(&acme, &ann, json!({"name": "Ann"})).await;
        let request = world.request(&acme).await;
        (world, request, acme, ann)
    });
    let (taken, is_taken) = channel();
    let (free, is_free) = channel();
    let (lost, is_lost) = channel();
    let busy = Arc::new(Busy {
        directory: world.config_dir(),
        former: world.standing().unwrap(),
        taken: Mutex::new(taken),
        free: Mutex::new(Some(is_free)),
    });
    let drivers = Drivers::witnessed(&world.pbx, busy);
    let stop = CancellationToken::new();
    std::thread::scope(|scope| {
        let (world, stop) = (&world, &stop);
        let first = scope.spawn(move || {
            runtime().block_on(async {
                let engine = world.process_elsewhere(drivers, LEASE, &Shifted::default()).await;
                let worked = Box::pin(engine.work_off(world.instance_id, stop)).await;
                lost.send(()).unwrap();
                // What it had begun on the disk goes on without it, and this comes after.
                spawn_blocking(|| ()).await.unwrap();
                worked
            })
        });
        is_taken.recv().unwrap();
        main.block_on(async {
            // To others the lease has lapsed; they cannot see that somebody still works under it.
            let fast = Shifted::default();
            fast.forward(Duration::from_hours(1));
            let plain = || Drivers::plain(&world.pbx);
            let next = world.another_process(plain(), LEASE, &fast).await;
            assert_eq!(next.work_off(world.instance_id, stop).await.unwrap(), 1);
            let ended = record(&world.app, &request).await.expect(Live);
            let live = ended.deployment.generation;
            assert_eq!((world.standing(), world.live().await), (live, live));
            is_lost.recv().unwrap();

            world.patch(&acme, &ann, json!({"name": "Next"})).await;
            let request = world.request(&acme).await;
            let beside = world.process_elsewhere(plain(), LEASE, &fast).await;
            let worked = beside.work_off(world.instance_id, stop).await.unwrap();
            assert_eq!(
                worked, 0,
                "the lock of its host is held until that work has ended"
            );
            free.send(()).unwrap();
            let worked = first.join().unwrap();
            assert!(matches!(worked, Err(DeployError::LeaseLost)), "{worked:?}");
            assert_eq!((world.standing(), world.live().await), (live, live));
            assert!(world.is_verified(&acme).await);

            assert_eq!(beside.work_off(world.instance_id, stop).await.unwrap(), 1);
            record(&world.app, &request).await.expect(Live);
            assert_eq!(world.standing(), world.live().await);
        });
    });
}
