//! Two processes that read Asterisk's log at the same time: neither takes the other's line for its own.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use switchyard::deploy::ShadowPolicy::Never;
use switchyard::domain::deployment::DeploymentStatus::{Live, RolledBack};
use tokio::time::sleep;

use super::drivers::{Drivers, Moment, Order, Witness};
use super::slow_log::SlowLog;
use super::support::database::Backend::Sqlite;
use super::world::World;

/// How a line begins that ends a reading.
const END: &str = "switchyard-end-of-log-";

/// Lets another process read first, whose line comes before the complaints of the deploy.
struct Reader {
    log: SlowLog,
    other: Mutex<Command>,
    has_read: AtomicBool,
    is_through: AtomicBool,
}

#[async_trait]
impl Witness for Reader {
    async fn at(&self, order: Order, moment: Moment) {
        match (order, moment) {
            (Order::Apply, Moment::Before) if !self.has_read.swap(true, Ordering::SeqCst) => {
                self.log.pass(&self.log.fresh());
                self.other.lock().unwrap().output().unwrap();
            }
            (Order::Log, Moment::During) if !self.is_through.swap(true, Ordering::SeqCst) => {
                let mut text = String::new();
                while !text.contains(END) {
                    text.push_str(&self.log.fresh());
                    sleep(Duration::from_millis(5)).await;
                }
                let (before, rest) = text.split_once(END).unwrap();
                let (line, behind) = rest.split_once('\n').unwrap();
                assert!(
                    !before.contains("frobnicate") && !line.contains("frobnicate"),
                    "{text}"
                );
                self.log.pass(&format!("{before}{END}{line}\n"));
                // Whoever takes that line for its own ends here.
                sleep(Duration::from_millis(300)).await;
                self.log.pass(behind);
                let _ = tokio::time::timeout(Duration::from_secs(1), self.log.flow()).await;
            }
            // The log of the way back.
            (Order::Log, Moment::During) => {
                let _ = tokio::time::timeout(Duration::from_secs(1), self.log.flow()).await;
            }
            _ => {}
        }
    }
}

/// Asterisk keeps an object as it was because of an option that it does not know, and shows all that it should.
#[tokio::test]
async fn a10_a_refused_object_is_found_while_another_process_reads_the_log() {
    let world = World::new(Sqlite).await;
    let [(acme, ann), _] = world.acme_and_globex().await;
    let from = world.pbx.private.settings().log_file.clone().unwrap();
    let to = world.pbx.directory.path().join("slow.log");
    File::create(&to).unwrap();
    // Nothing was read in this process yet, and nothing will have been in the other.
    world.change_settings(|settings| settings.log_file = None).await;
    world.deploy_platform().await.expect(Live);
    let path = to.to_str().unwrap().parse().unwrap();
    world
        .change_settings(|settings| settings.log_file = Some(path))
        .await;

    let key_file = world.pbx.directory.path().join("sealing.key");
    fs::write(&key_file, "a".repeat(64)).unwrap();
    fs::set_permissions(&key_file, fs::Permissions::from_mode(0o600)).unwrap();
    let mut other = Command::new(env!("CARGO_BIN_EXE_switchyard"));
    other
        .args(["instance", "test", "main"])
        .env_clear()
        .env("SWITCHYARD_DATABASE_URL", &world.database.text)
        .env("SWITCHYARD_STATE_DIR", world.state_dir())
        .env("SWITCHYARD_SEALING_KEY_FILE", key_file)
        .env("SWITCHYARD_NODE_NAME", "here");
    let from = from.as_path();
    let reader = Arc::new(Reader {
        log: SlowLog::of(from, &to),
        other: Mutex::new(other),
        has_read: AtomicBool::new(false),
        is_through: AtomicBool::new(false),
    });
    let witness: Arc<dyn Witness> = reader.clone();
    let (app, _) = world.with(Never, Drivers::witnessed(&world.pbx, witness));
    world.override_template("asterisk/pjsip.conf", |text| {
        assert!(text.contains("direct_media=no"));
        text.replacen("direct_media=no", "direct_media=no\nfrobnicate=yes", 1)
    });
    let ended = world.deploy_platform_with(&app).await;
    assert!(reader.is_through.load(Ordering::SeqCst));
    let ended = ended.expect(RolledBack);
    assert!(ended.quotes("frobnicate"), "{ended:#?}");
    assert!(world.registers(&acme, &ann));
}
