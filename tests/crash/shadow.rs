//! Killed while its shadow reads: neither the shadow's process nor its directory stays.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rstest::rstest;
use switchyard::domain::deployment::DeploymentStatus::Live;
use switchyard::domain::deployment::{Deployment, Stage, StageResult};

use super::stages::TRIES;
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::support::host::Host;
use super::support::pbx::program;
use super::support::victim::Victim;
use super::support::wait::until;

/// Enough that the shadow takes a while.
const EXTENSIONS: usize = 300;

/// A daemon that lets nothing go live before a shadow has read it.
pub fn rehearsing_daemon(host: &Host) -> Victim {
    let mut command = host.command(&["serve"]);
    command
        .env("SWITCHYARD_DEPLOY_SHADOW", "always")
        .env("SWITCHYARD_DEPLOY_ASTERISK", program())
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    Victim::spawn(&mut command)
}

/// The directories of shadows that run, or were killed.
pub fn shadows(host: &Host) -> Vec<PathBuf> {
    let entries = fs::read_dir(host.temporary()).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// Whether a process was started with a directory in its words.
fn runs_in(directory: &Path) -> bool {
    let needle = directory.display().to_string();
    let processes = fs::read_dir("/proc").unwrap();
    processes
        .filter_map(|entry| fs::read(entry.unwrap().path().join("cmdline")).ok())
        .any(|words| String::from_utf8_lossy(&words).contains(&needle))
}

/// Kills a daemon once its shadow's console is open; gives what the shadow left.
async fn killed_in_the_shadow(host: &Host, deployment: &Deployment) -> Option<PathBuf> {
    let victim = rehearsing_daemon(host);
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        assert!(Instant::now() < deadline, "no shadow came up: {deployment:#?}");
        let is_open = |shadow: &PathBuf| shadow.join("run/asterisk.ctl").exists();
        if shadows(host).iter().any(is_open) {
            break;
        }
        if host.record(deployment).await.0.status.is_end() {
            return None;
        }
    }
    assert!(victim.kill());
    shadows(host).pop()
}

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a10_a_daemon_that_is_killed_while_its_shadow_reads_leaves_neither_process_nor_directory(
    #[case] backend: Backend,
) {
    let mut host = Host::new(backend, EXTENSIONS).await;
    let mut tries = 0;
    let (deployment, left) = loop {
        host.edit().await;
        let deployment = host.request().await;
        if let Some(left) = killed_in_the_shadow(&host, &deployment).await {
            break (deployment, left);
        }
        tries += 1;
        assert!(tries < TRIES, "no shadow was ever met");
    };
    let mode = fs::metadata(&left).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700, "others may look into it");
    until("the shadow has ended", || !runs_in(&left)).await;
    assert!(left.exists(), "nobody is there who would have removed it");
    host.assert_whole_on_disk("killed beside a shadow");
    let (ended, stages) = host.mended(&deployment).await;
    assert_eq!(ended.status, Live, "{ended:#?} {stages:#?}");
    let cut = stages
        .iter()
        .find(|record| record.result == Some(StageResult::Interrupted));
    assert_eq!(
        cut.map(|record| record.stage),
        Some(Stage::Validating),
        "{stages:#?}"
    );
    assert!(shadows(&host).is_empty(), "{:?}", shadows(&host));
    host.assert_well("killed beside a shadow").await;
}
