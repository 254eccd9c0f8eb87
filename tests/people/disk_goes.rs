//! A disk that goes after it was noted which of its files are to go, and before they are: nothing counts as gone.

use std::fs;
use std::path::{Path, PathBuf};

use notify::event::{AccessKind, EventKind};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher as _};
use rstest::rstest;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde_json::json;
use switchyard::domain::erasure::ErasureStatus;
use switchyard::domain::purge::PurgeStatus::Partial;
use switchyard::domain::retention::RetentionKind::Recordings;
use switchyard::store::tenants;
use tempfile::TempDir;

use super::erasing::amounts;
use super::gone::world;
use super::purging::inside;
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::World;

impl World {
    /// Takes the disk away once somebody waits for the tenant; beneath it is another directory.
    async fn disk_goes(&self) {
        let mut tx = self.store.begin("somebody_else").await.unwrap();
        assert!(tenants::lock(&mut tx, self.acme.id).await.unwrap());
        self.bench.others_wait().await;
        let root = self.bench.folder.path().join("recordings");
        fs::rename(&root, root.with_extension("away")).unwrap();
        fs::create_dir_all(self.recorded(&self.acme)).unwrap();
        tx.commit().await.unwrap();
    }

    /// Takes the disk away once somebody looks at the first of its files; beneath it is another directory. Gives where the disk
    /// is then, and who waits for that.
    fn disk_goes_when_looked_at(&self) -> (PathBuf, RecommendedWatcher) {
        let root = self.bench.folder.path().join("recordings");
        let (own, away) = (self.recorded(&self.acme), root.with_extension("away"));
        fs::create_dir_all(away.join(own.file_name().unwrap())).unwrap();
        let mut turn = Some((root, away.clone()));
        let seen = move |event: notify::Result<Event>| {
            let is_look = matches!(event.unwrap().kind, EventKind::Access(AccessKind::Open(_)));
            if is_look && let Some((root, away)) = turn.take() {
                renameat_with(CWD, root, CWD, away, RenameFlags::EXCHANGE).unwrap();
            }
        };
        let mut watcher = notify::recommended_watcher(seen).unwrap();
        watcher.watch(&own, RecursiveMode::NonRecursive).unwrap();
        (away, watcher)
    }

    fn disk_is_back(&self) {
        let root = self.bench.folder.path().join("recordings");
        fs::remove_dir_all(&root).unwrap();
        fs::rename(root.with_extension("away"), &root).unwrap();
    }
}

#[rstest]
#[tokio::test]
async fn a20_where_another_directory_is_there_when_files_are_to_be_purged_all_are_kept(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    let acme = &world.acme;
    let files = world.old_recordings(3).await;
    world.keep(acme, json!({"recordings": 10})).await;
    let id = world.purge(acme).await;
    world
        .texts("update purge_parts set found = 3, found_bytes = 12 returning kind")
        .await;
    tokio::join!(world.disk_goes(), world.work());
    assert_eq!(world.counts(acme, id).await, [(Recordings, 3, 0, 3)]);
    assert_eq!(world.report(acme, id).await.status, Partial);
    world.disk_is_back();
    let again = world.purge(acme).await;
    world.work().await;
    assert_eq!(world.counts(acme, again).await, [(Recordings, 3, 3, 0)]);
    assert!(files.iter().all(|file| !file.exists()));
}

#[rstest]
#[tokio::test]
async fn a22_where_another_directory_is_there_when_files_are_to_be_erased_none_counts_as_gone(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    let files = world.recorded_calls(2).await;
    let asked = world.half_erased(&world.disk()).await;
    world
        .bench
        .sql("update erasure_targets set begun_at = null")
        .await;
    tokio::join!(world.disk_goes(), world.erase());
    let partial = world.erasure(&world.acme, asked.id).await;
    assert_eq!(amounts(&partial), [("recordings", 2, 0, 2)]);
    assert_eq!(partial.status, ErasureStatus::Partial);
    world.disk_is_back();
    world.run(&inside(&world.acme), asked.id).await.unwrap();
    world.erase().await;
    let again = world.erasure(&world.acme, asked.id).await;
    assert!(
        amounts(&again).starts_with(&[("recordings", 2, 2, 0)]),
        "{again:#?}"
    );
    assert!(files.iter().all(|file| !file.exists()));
}

/// How many of these are no more, wherever their directory is by now.
fn no_more(files: &[PathBuf], away: &Path) -> i64 {
    let is_there = |file: &&PathBuf| {
        let mut of_domain = file.iter().rev().take(2);
        let (name, domain) = (of_domain.next().unwrap(), of_domain.next().unwrap());
        file.exists() || away.join(domain).join(name).exists()
    };
    let there = files.iter().filter(is_there).count();
    i64::try_from(files.len() - there).unwrap()
}

#[tokio::test]
async fn a20_what_was_about_to_go_when_somebody_was_killed_is_not_counted_where_the_disk_goes_meanwhile() {
    let state = TempDir::new().unwrap();
    let world = world(Sqlite, &state).await;
    let acme = &world.acme;
    let files = world.old_recordings(20).await;
    world.keep(acme, json!({"recordings": 10})).await;
    let id = world.purge(acme).await;
    world.noted().await;
    let (away, _watcher) = world.disk_goes_when_looked_at();
    world.work().await;
    let [(Recordings, _, removed, _)] = world.counts(acme, id).await[..] else {
        panic!("{:?}", world.counts(acme, id).await);
    };
    assert_eq!(removed, no_more(&files, &away));
    // Where nobody saw the disk go, all of them have.
    if removed < 20 {
        assert_eq!(world.report(acme, id).await.status, Partial);
    }
}

#[tokio::test]
async fn a22_what_was_about_to_go_when_somebody_was_killed_is_not_erased_where_the_disk_goes_meanwhile() {
    let state = TempDir::new().unwrap();
    let world = world(Sqlite, &state).await;
    let files = world.recorded_calls(20).await;
    let asked = world.half_erased(&world.disk()).await;
    let (away, _watcher) = world.disk_goes_when_looked_at();
    world.erase().await;
    let partial = world.erasure(&world.acme, asked.id).await;
    let [("recordings", 20, erased, _)] = amounts(&partial)[..] else {
        panic!("{partial:#?}");
    };
    assert_eq!(erased, no_more(&files, &away));
    if erased < 20 {
        assert_eq!(partial.status, ErasureStatus::Partial);
    }
}
