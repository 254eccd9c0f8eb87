//! The daemon itself, killed between the link and the reload.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use switchyard::app::deployments;
use switchyard::domain::deployment::DeploymentStatus::Live;
use switchyard::domain::deployment::{Deployment, StageResult};

use super::freeswitch::{Effect, Fault};
use super::rig::{RELOAD, Rig};
use super::support::database::Backend::Sqlite;
use super::support::victim::Victim;
use super::support::world::{NODE, operator};

const PATIENCE: Duration = Duration::from_mins(1);

fn daemon(rig: &Rig) -> Victim {
    let key = rig.plain.home().join("sealing.key");
    fs::write(&key, "a".repeat(64)).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchyard"));
    command
        .arg("serve")
        .env_clear()
        .env("SWITCHYARD_DATABASE_URL", &rig.database.text)
        .env("SWITCHYARD_STATE_DIR", rig.state_dir())
        .env("SWITCHYARD_SEALING_KEY_FILE", key)
        .env("SWITCHYARD_NODE_NAME", NODE)
        .env("SWITCHYARD_HTTP_LISTEN", "127.0.0.1:0")
        .env("SWITCHYARD_DEPLOY_LEASE_SECONDS", "5")
        .current_dir("/")
        .stdin(Stdio::null());
    Victim::spawn(&mut command)
}

async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn record(rig: &Rig, asked: &Deployment) -> (Deployment, Vec<Option<StageResult>>) {
    let found = deployments::find_of_instance(&rig.app, &operator(), asked.instance_id, asked.id).await;
    let (deployment, stages) = found.unwrap();
    (deployment, stages.into_iter().map(|stage| stage.result).collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_that_is_killed_between_link_and_reload_leaves_a_deploy_that_the_next_one_finishes() {
    let (rig, acme, [ann, _], ..) = Rig::live(Sqlite).await;
    rig.patch(&acme, &ann, json!({"name": "Anne"})).await;
    rig.plain
        .freeswitch
        .faults()
        .add(Fault::at(RELOAD, Effect::HangUndone));
    let before = rig.standing().await;
    let asked = rig.request(&acme).await;
    let victim = daemon(&rig);
    until("the daemon reloads", async || rig.reloads() > 0).await;
    assert!(victim.kill());
    assert_ne!(rig.standing().await, before);
    assert_eq!(rig.name_of(&acme, "1001").await.as_deref(), Some("Ann"));

    let _next = daemon(&rig);
    until("the deploy ends", async || {
        record(&rig, &asked).await.0.status.is_end()
    })
    .await;
    let (ended, stages) = record(&rig, &asked).await;
    assert_eq!(ended.status, Live, "{ended:#?}");
    assert!(stages.contains(&Some(StageResult::Interrupted)), "{stages:?}");
    assert_eq!(rig.name_of(&acme, "1001").await.as_deref(), Some("Anne"));
    assert_eq!(rig.standing().await, rig.world.live().await);
}
