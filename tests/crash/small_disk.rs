//! A disk with the database and the state directory that fills up in the middle of a deploy, as it can for every daemon
//! that is set up by default.

use std::fs;
use std::path::Path;

use switchyard::domain::deployment::DeploymentStatus::{self, Live, Queued, RolledBack};
use switchyard::domain::deployment::Stage;

use super::disk;
use super::stages::{self, ALTERED, EXTENSIONS, TRIES};
use super::support::database::Backend::Sqlite;
use super::support::host::Host;
use super::support::mounts::{fill, small_disk};
use super::support::wait::came;

/// How it ends when the disk is full from a stage on, and has room again later; `None` where the stage was not met.
async fn filled_in(host: &mut Host, disk: &Path, stage: Stage, altered: bool) -> Option<DeploymentStatus> {
    let deployment = stages::request(host, altered).await;
    // What stands in the journal would be written over, which needs no room.
    host.truncate_journal().await;
    let log = host.log(stage.as_str());
    let mut daemon = host.logged_daemon(&log);
    if !stages::stopped_in(host, &mut daemon, &deployment, stage).await {
        return None;
    }
    let full = fill(disk);
    daemon.go_on();
    let told = came(|| fs::read_to_string(&log).unwrap().contains("cannot be written")).await;
    assert!(told, "{stage}: {}", fs::read_to_string(&log).unwrap());
    // Whatever stands there is one whole generation, and nothing claims to have ended.
    host.assert_whole_on_disk(stage.as_str());
    assert!(!host.record(&deployment).await.0.status.is_end());
    fs::remove_file(full).unwrap();
    // The same daemon goes on by itself.
    let (ended, stages) = host.ended(&deployment).await;
    assert!(stages.iter().all(|stage| stage.ended_at.is_some()), "{stages:#?}");
    Some(ended.status)
}

async fn survives(host: &mut Host, disk: &Path, stage: Stage, altered: bool) {
    let count = host.endpoints();
    let mut tries = 0;
    let status = loop {
        if let Some(status) = filled_in(host, disk, stage, altered).await {
            break status;
        }
        tries += 1;
        assert!(tries < TRIES, "{stage} was never met");
    };
    assert_eq!(status, if altered { RolledBack } else { Live }, "{stage}");
    host.assert_well(stage.as_str()).await;
    assert_eq!(host.endpoints(), count, "{stage}");
    let _ = fs::remove_file(host.template(ALTERED));
}

#[tokio::test]
async fn a10_a_disk_that_fills_up_in_any_stage_ends_in_the_truth_once_it_has_room() {
    let Some(disk) = small_disk() else { return };
    let mut host = Host::on_disk(&disk, EXTENSIONS).await;
    for stage in Stage::ALL {
        survives(&mut host, &disk, *stage, *stage == Stage::RollingBack).await;
    }
}

/// The PBX serves what was not proven, and nothing can be written down.
#[tokio::test]
async fn a10_a_disk_that_fills_up_before_the_way_back_is_no_end_of_the_way_back() {
    let Some(disk) = small_disk() else { return };
    let mut host = Host::on_disk(&disk, EXTENSIONS).await;
    survives(&mut host, &disk, Stage::Verifying, true).await;
}

/// Read-only from the start: nothing is touched, it is told why, and with a whole disk the same deploy goes live.
#[tokio::test]
async fn a10_a_database_on_a_read_only_disk_is_told_and_leaves_what_was_live() {
    let mut host = Host::new(Sqlite, 20).await;
    let live = host.live().await;
    host.edit().await;
    let deployment = host.request().await;
    let log = host.log("read-only");
    {
        let _daemon = disk::daemon(&host, disk::READ_ONLY, &host.database_dir(), Some(&log));
        let told = came(|| fs::read_to_string(&log).unwrap().contains("cannot be written")).await;
        assert!(told, "{}", fs::read_to_string(&log).unwrap());
    }
    assert_eq!(host.record(&deployment).await.0.status, Queued);
    host.assert_whole_on_disk("a read-only disk");
    assert_eq!(host.live().await, live);
    assert_eq!(host.mended(&deployment).await.0.status, Live);
    host.assert_well("a whole disk").await;
}
