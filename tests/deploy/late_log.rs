//! Complaints that Asterisk writes down late: those about the files before are not taken for those about the files that came.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use switchyard::deploy::ShadowPolicy::Never;
use switchyard::domain::deployment::DeploymentStatus::RolledBack;
use tokio::time::sleep;

use super::drivers::{Drivers, Moment, Order, Witness};
use super::slow_log::SlowLog;
use super::support::database::Backend::Sqlite;
use super::world::World;

/// Holds back what is logged from the end of the first reading on, until the second reload has begun, and some more.
#[derive(Default)]
struct Gate {
    is_shut: AtomicBool,
    reads: AtomicUsize,
    reloads: AtomicUsize,
}

#[async_trait]
impl Witness for Gate {
    async fn at(&self, order: Order, moment: Moment) {
        match (order, moment) {
            (Order::Log, Moment::After) if self.reads.fetch_add(1, Ordering::SeqCst) == 0 => {
                self.is_shut.store(true, Ordering::SeqCst);
            }
            (Order::Apply, Moment::During) if self.reloads.fetch_add(1, Ordering::SeqCst) == 1 => {
                sleep(Duration::from_millis(300)).await;
                self.is_shut.store(false, Ordering::SeqCst);
            }
            _ => {}
        }
    }
}

/// Asked where its files lead, before the way back, Asterisk parses the broken one once more and says so again.
#[tokio::test]
async fn a10_what_is_logged_late_of_the_broken_files_condemns_no_way_back() {
    let world = World::new(Sqlite).await;
    world.acme_and_globex().await;
    let from = world.pbx.private.settings().log_file.clone().unwrap();
    let to = world.pbx.directory.path().join("slow.log");
    File::create(&to).unwrap();
    let log = SlowLog::of(from.as_path(), &to);
    let path = to.to_str().unwrap().parse().unwrap();
    world
        .change_settings(|settings| settings.log_file = Some(path))
        .await;
    let gate = Arc::new(Gate::default());
    let (app, _) = world.with(Never, Drivers::witnessed(&world.pbx, gate.clone()));
    world.override_template("asterisk/pjsip.conf", |text| {
        assert!(text.contains("type=auth"));
        text.replacen("type=auth", "type=auth\n[unclosed", 1)
    });
    let flow = async {
        loop {
            if !gate.is_shut.load(Ordering::SeqCst) {
                log.pass(&log.fresh());
            }
            sleep(Duration::from_millis(5)).await;
        }
    };
    let ended = tokio::select! {
        ended = world.deploy_platform_with(&app) => ended.expect(RolledBack),
        () = flow => unreachable!(),
    };
    assert!(ended.quotes("no closing ']'"), "{ended:#?}");
    let counts = (&gate.reads, &gate.reloads);
    assert_eq!(
        (counts.0.load(Ordering::SeqCst), counts.1.load(Ordering::SeqCst)),
        (2, 2)
    );
}
