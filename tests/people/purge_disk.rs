//! Recordings of a purge, whose files no transaction takes back: who waits for a disk, what is counted where somebody is killed
//! or quicker, and what fails.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::Duration;

use rstest::rstest;
use serde_json::json;
use switchyard::app::precondition::IfMatch;
use switchyard::app::recordings::{self, Use};
use switchyard::domain::purge::PurgeStatus::{Done, Partial, Running};
use switchyard::domain::recording::RecordingQuery;
use switchyard::domain::retention::RetentionKind::{CallRecords, Recordings};
use switchyard::store::tenants;
use tempfile::TempDir;

use super::gone::world;
use super::purging::{ago, inside};
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::World;

impl World {
    /// So many recordings of Acme from two months ago.
    pub async fn old_recordings(&self, count: usize) -> Vec<PathBuf> {
        let mut files = Vec::new();
        for number in 0..count {
            let name = format!("179000000{number}.1.wav");
            files.push(self.recording(&self.acme, &name, 60).await);
        }
        files
    }

    /// As whoever was killed leaves it who had noted which files are about to go.
    pub async fn noted(&self) {
        self.texts("update purge_parts set found = 3, found_bytes = 12 returning kind")
            .await;
        self.texts(
            &format!("insert into purge_files (purge_id, position, recording_id, path, bytes, written_at, place) \
             select q.purge_id, q.position, f.id, f.path, f.bytes, f.written_at, '{}' from purge_parts q cross join recordings f \
             where q.kind = 'recordings' and q.ended_at is null returning path", self.place()),
        )
        .await;
    }

    /// Where recordings are, as it is noted with them.
    fn place(&self) -> String {
        let root = self.bench.folder.path().join("recordings");
        let metadata = fs::metadata(&root).unwrap();
        format!("node1 {}:{} {}", metadata.dev(), metadata.ino(), root.display())
    }

    async fn recordings_left(&self) -> usize {
        self.texts("select path from recordings").await.len()
    }
}

#[rstest]
#[tokio::test]
async fn a20_files_are_removed_while_somebody_else_changes_something(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    let acme = &world.acme;
    let files = world.old_recordings(3).await;
    world.keep(acme, json!({"recordings": 10})).await;
    let id = world.purge(acme).await;
    world.noted().await;
    let mut tx = world.store.begin("somebody_else").await.unwrap();
    assert!(tenants::lock(&mut tx, acme.id).await.unwrap());
    let meanwhile = async {
        for _ in 0..400 {
            if files.iter().all(|file| !file.exists()) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(
            files.iter().all(|file| !file.exists()),
            "they wait for a transaction"
        );
        assert_eq!(world.recordings_left().await, 3);
        assert_eq!(world.counts(acme, id).await, [(Recordings, 3, 0, 0)]);
        tx.commit().await.unwrap();
    };
    tokio::join!(world.work(), meanwhile);
    assert_eq!(world.counts(acme, id).await, [(Recordings, 3, 3, 0)]);
    assert_eq!(
        (world.recordings_left().await, world.report(acme, id).await.status),
        (0, Done)
    );
}

#[rstest]
#[tokio::test]
async fn a20_killed_between_removing_and_counting_each_file_counts_once(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[values(false, true)] is_searched: bool,
) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    let acme = &world.acme;
    let files = world.old_recordings(3).await;
    world.keep(acme, json!({"recordings": 10})).await;
    let id = world.purge(acme).await;
    world.noted().await;
    fs::remove_file(&files[0]).unwrap();
    fs::remove_file(&files[1]).unwrap();
    if is_searched {
        // Whoever looks for recordings comes first, and finds that this one is not there.
        world
            .texts("delete from recordings where path like '%1790000000.1.wav' returning path")
            .await;
    }
    world.work().await;
    assert_eq!(world.counts(acme, id).await, [(Recordings, 3, 3, 0)]);
    let report = world.report(acme, id).await;
    assert_eq!((report.status, report.parts[0].bytes), (Done, 12));
    assert!(!files[2].exists());
    assert_eq!(world.recordings_left().await, 0);
    assert_eq!(world.texts("select path from purge_files").await, [""; 0]);
}

/// The disk is not mounted after the host was started anew, or another host drives the PBX, whose disk is empty.
#[rstest]
#[tokio::test]
async fn a20_what_was_noted_on_another_disk_or_host_is_not_taken_to_have_been_removed(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[values(false, true)] is_other_host: bool,
) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    let acme = &world.acme;
    let files = world.old_recordings(3).await;
    world.keep(acme, json!({"recordings": 10})).await;
    let id = world.purge(acme).await;
    world.noted().await;
    let all = world.bench.folder.path().join("recordings");
    let elsewhere = world.bench.folder.path().join("elsewhere");
    if is_other_host {
        world
            .texts("update purge_files set place = replace(place, 'node1', 'node2') returning path")
            .await;
        fs::remove_file(&files[0]).unwrap();
    } else {
        fs::rename(&all, &elsewhere).unwrap();
        fs::create_dir_all(world.recorded(acme)).unwrap();
    }
    world.work().await;
    let report = world.report(acme, id).await;
    let part = &report.parts[0];
    if is_other_host {
        // Two are there and go by this host; of the third nobody knows.
        assert_eq!((part.removed, part.bytes), (2, 8));
        assert_eq!(world.recordings_left().await, 1);
        return;
    }
    assert_eq!((part.removed, part.bytes, report.status), (0, 0, Partial));
    assert_eq!(world.recordings_left().await, 3);
    fs::remove_dir_all(&all).unwrap();
    fs::rename(&elsewhere, &all).unwrap();
    let again = world.purge(acme).await;
    world.work().await;
    assert_eq!(world.counts(acme, again).await, [(Recordings, 3, 3, 0)]);
}

#[rstest]
#[tokio::test]
async fn a20_what_somebody_else_deletes_is_not_the_purges_to_count(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    let acme = &world.acme;
    let files = world.old_recordings(3).await;
    world.keep(acme, json!({"recordings": 10})).await;
    let id = world.purge(acme).await;
    world.noted().await;
    let caller = inside(acme);
    let all = recordings::list(&world.app, &caller, &RecordingQuery::default())
        .await
        .unwrap();
    let one = recordings::find(&world.app, &caller, Use::Listen, all.recordings[0].id)
        .await
        .unwrap();
    recordings::delete(&world.app, &caller, one.id, &IfMatch::Any)
        .await
        .unwrap();
    world.work().await;
    assert_eq!(world.counts(acme, id).await, [(Recordings, 3, 2, 0)]);
    assert!(files.iter().all(|file| !file.exists()));
}

#[rstest]
#[tokio::test]
async fn a20_noted_files_stay_where_they_are_kept_longer_by_now_or_were_written_anew(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    let acme = &world.acme;
    let files = world.old_recordings(3).await;
    world.keep(acme, json!({"recordings": 10})).await;
    let id = world.purge(acme).await;
    world.noted().await;
    world.keep(acme, json!({"recordings": 90})).await;
    world.work().await;
    assert_eq!(world.counts(acme, id).await, [(Recordings, 3, 0, 0)]);
    assert!(files.iter().all(|file| file.exists()));
    world.keep(acme, json!({"recordings": 10})).await;
    let again = world.purge(acme).await;
    world.noted().await;
    fs::write(&files[0], "RIFF").unwrap();
    world.work().await;
    assert_eq!(world.counts(acme, again).await, [(Recordings, 3, 2, 0)]);
    assert_eq!(files.iter().filter(|file| file.exists()).count(), 1);
}

/// Where a disk is not mounted, the PBX may have made the directories anew.
#[rstest]
#[tokio::test]
async fn a20_what_is_not_there_is_not_counted_as_removed_until_its_disk_is_back(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    let acme = &world.acme;
    world.old_recordings(3).await;
    let elsewhere = world.bench.folder.path().join("elsewhere");
    fs::rename(world.recorded(acme), &elsewhere).unwrap();
    fs::create_dir(world.recorded(acme)).unwrap();
    world.keep(acme, json!({"recordings": 10})).await;
    let id = world.purge(acme).await;
    world.work().await;
    assert_eq!(world.counts(acme, id).await, [(Recordings, 3, 0, 3)]);
    let report = world.report(acme, id).await;
    assert_eq!((report.status, report.parts[0].bytes), (Partial, 0));
    assert!(report.parts[0].detail.as_ref().unwrap().contains("mounted"));
    assert_eq!(world.recordings_left().await, 3);
    fs::remove_dir(world.recorded(acme)).unwrap();
    fs::rename(&elsewhere, world.recorded(acme)).unwrap();
    let again = world.purge(acme).await;
    world.work().await;
    assert_eq!(world.counts(acme, again).await, [(Recordings, 3, 3, 0)]);
}

#[rstest]
#[tokio::test]
async fn a20_a_part_that_fails_rests_keeps_no_other_and_ends_after_some_time(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    let (acme, globex) = (&world.acme, &world.globex);
    world.old_recordings(1).await;
    world.call(acme, "1790000000.1", "Ann", 60).await;
    world.call(globex, "1790000000.2", "Bob", 60).await;
    world
        .texts("update recordings set path = 'no path' returning path")
        .await;
    world
        .keep(acme, json!({"recordings": 10, "call_records": 10}))
        .await;
    world.keep(globex, json!({"call_records": 10})).await;
    let (id, theirs) = (world.purge(acme).await, world.purge(globex).await);
    world
        .texts("update purge_parts set position = 2 - position returning kind")
        .await;
    for _ in 0..3 {
        world.work().await;
        assert_eq!(world.counts(globex, theirs).await, [(CallRecords, 1, 1, 0)]);
        let report = world.report(acme, id).await;
        assert_eq!(report.status, Running);
        let parts: Vec<_> = report
            .parts
            .iter()
            .map(|part| (part.kind, part.removed, part.setbacks))
            .collect();
        assert_eq!(parts, [(Recordings, 0, 1), (CallRecords, 1, 0)]);
    }
    world
        .texts("update purge_parts set setbacks = 9, retry_at = 0 where ended_at is null returning kind")
        .await;
    world.work().await;
    let report = world.report(acme, id).await;
    assert_eq!((report.status, report.parts[0].kept), (Partial, 1));
    assert!(
        report.parts[0]
            .detail
            .as_ref()
            .unwrap()
            .contains("again and again")
    );
    world.purge(acme).await;
}

#[rstest]
#[tokio::test]
async fn a20_a_purge_that_cannot_be_read_is_ended_and_keeps_no_other(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    let (acme, globex) = (&world.acme, &world.globex);
    world.call(acme, "1790000000.1", "Ann", 60).await;
    world.call(globex, "1790000000.2", "Bob", 60).await;
    for tenant in [acme, globex] {
        world.keep(tenant, json!({"call_records": 10})).await;
    }
    let unread = world.purge(acme).await;
    world
        .texts("update purges set policy = '\"x\"' returning status")
        .await;
    let theirs = world.purge(globex).await;
    world.work().await;
    assert_eq!(world.counts(globex, theirs).await, [(CallRecords, 1, 1, 0)]);
    let id = world.purge(acme).await;
    assert_ne!(id, unread);
    world.work().await;
    assert_eq!(world.counts(acme, id).await, [(CallRecords, 1, 1, 0)]);
}

#[rstest]
#[tokio::test]
async fn a20_before_any_daemon_looked_at_the_clock_nothing_is_old(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    let acme = &world.acme;
    world.call(acme, "1790000000.1", "Ann", 60).await;
    world.old_recordings(1).await;
    world.texts("delete from trusted_time returning clock").await;
    world
        .keep(acme, json!({"recordings": 10, "call_records": 10}))
        .await;
    assert!(ago(60) > jiff::Timestamp::UNIX_EPOCH);
    let id = world.purge(acme).await;
    world.work().await;
    assert_eq!(world.counts(acme, id).await, [(CallRecords, 0, 0, 0)]);
    assert_eq!(world.recordings_left().await, 1);
}
