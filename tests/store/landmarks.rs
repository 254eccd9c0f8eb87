//! The file by which a directory of recordings is known again.

use std::fs;

use rstest::rstest;
use switchyard::domain::ids::SystemIds;
use switchyard::driver::spool::LANDMARK;
use switchyard::monitor::recordings::search;

use super::bench::Backend::{self, Postgres, Sqlite};
use super::bench::Bench;
use super::call_records::ACME;
use super::recordings::{known_of, recorded, recording_into};
use super::samples::{World, store_revision};

/// Where the daemon may not make a file, it is known by which directory of which disk it is.
#[rstest]
#[tokio::test]
async fn a13_a_directory_is_known_again_and_another_one_loses_no_recording(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let directory = tempfile::tempdir().unwrap();
    let instance = recording_into(&world, &directory);
    store_revision(&store, world.acme.id).await;
    store_revision(&store, world.globex.id).await;
    let (own, theirs) = (format!("{ACME}/1.0.wav"), "globex.example.com/2.0.wav".to_owned());
    recorded(&directory, &own, 20);
    recorded(&directory, &theirs, 20);
    let (spool, away) = (directory.path().join("spool"), directory.path().join("away"));
    let landmark = spool.join(LANDMARK);
    fs::create_dir(&landmark).unwrap();
    let found = async || search(&store, &SystemIds, &instance).await;
    found().await.unwrap();
    fs::rename(&spool, &away).unwrap();
    // The PBX goes on to record where the disk should be.
    let late = format!("{ACME}/3.0.wav");
    recorded(&directory, &late, 30);
    for _ in 0..2 {
        found().await.unwrap_err();
    }
    assert_eq!(known_of(&store, world.acme.id).await, [own.clone(), late.clone()]);
    fs::remove_dir_all(&spool).unwrap();
    fs::rename(&away, &spool).unwrap();
    assert_eq!(found().await.unwrap().lost, 1);
    fs::remove_dir_all(spool.join(ACME)).unwrap();
    assert_eq!(found().await.unwrap().lost, 1);
    assert_eq!(
        known_of(&store, world.globex.id).await,
        std::slice::from_ref(&theirs)
    );

    // Once it may, there is a file.
    fs::remove_dir(&landmark).unwrap();
    found().await.unwrap();
    let made = fs::read_to_string(&landmark).unwrap();
    let file = spool.join(&theirs);
    fs::remove_file(&file).unwrap();
    let copied = spool.join("copy");
    fs::write(&copied, &made).unwrap();
    fs::rename(&copied, &landmark).unwrap();
    found().await.unwrap_err();
    for there in [None, Some("By this file\nof another PBX\n")] {
        fs::remove_file(&landmark).unwrap();
        if let Some(there) = there {
            fs::write(&landmark, there).unwrap();
        }
        found().await.unwrap_err();
        assert_eq!(
            known_of(&store, world.globex.id).await,
            std::slice::from_ref(&theirs)
        );
        fs::write(&landmark, "of another").unwrap();
    }
    // Where all is there that is known, it was moved as a whole.
    recorded(&directory, &theirs, 20);
    found().await.unwrap();
    fs::remove_file(&file).unwrap();
    assert_eq!(found().await.unwrap().lost, 1);
    recorded(&directory, &theirs, 20);
    found().await.unwrap();
    // An operator says that it is the right one, and that is written into it.
    fs::remove_file(&file).unwrap();
    fs::remove_file(&landmark).unwrap();
    found().await.unwrap_err();
    fs::write(&landmark, "").unwrap();
    assert_eq!(found().await.unwrap().lost, 1);
    assert!(!fs::read_to_string(&landmark).unwrap().is_empty());
    // With nothing known, too: there may be some where it is.
    fs::remove_file(&landmark).unwrap();
    found().await.unwrap_err();
}

/// Nothing of what is known is there, and nobody knows of another directory: after an upgrade while the disk was away.
#[rstest]
#[tokio::test]
async fn a13_where_nothing_that_is_known_is_met_in_a_directory_that_was_never_known_nothing_has_gone(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let directory = tempfile::tempdir().unwrap();
    let instance = recording_into(&world, &directory);
    store_revision(&store, world.acme.id).await;
    let (own, late) = (format!("{ACME}/1.0.wav"), format!("{ACME}/3.0.wav"));
    recorded(&directory, &own, 20);
    let found = async || search(&store, &SystemIds, &instance).await;
    found().await.unwrap();
    let (spool, away) = (directory.path().join("spool"), directory.path().join("away"));
    fs::remove_file(spool.join(LANDMARK)).unwrap();
    bench.sql("update instances set recordings_landmark = null").await;
    fs::rename(&spool, &away).unwrap();
    recorded(&directory, &late, 30);
    for _ in 0..3 {
        found().await.unwrap_err();
    }
    assert_eq!(known_of(&store, world.acme.id).await, [own.clone(), late]);
    fs::remove_dir_all(&spool).unwrap();
    fs::rename(&away, &spool).unwrap();
    found().await.unwrap_err();
    // As it is told.
    fs::write(spool.join(LANDMARK), "").unwrap();
    assert_eq!(found().await.unwrap().lost, 1);
    assert_eq!(known_of(&store, world.acme.id).await, [own]);
}

#[rstest]
#[tokio::test]
async fn a13_in_a_directory_that_was_never_known_only_what_is_missing_beside_others_has_gone(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let directory = tempfile::tempdir().unwrap();
    let instance = recording_into(&world, &directory);
    store_revision(&store, world.acme.id).await;
    store_revision(&store, world.globex.id).await;
    let theirs = "globex.example.com/2.0.wav".to_owned();
    for path in [&format!("{ACME}/1.0.wav"), &format!("{ACME}/3.0.wav"), &theirs] {
        recorded(&directory, path, 20);
    }
    search(&store, &SystemIds, &instance).await.unwrap();
    let spool = directory.path().join("spool");
    fs::remove_file(spool.join(LANDMARK)).unwrap();
    bench.sql("update instances set recordings_landmark = null").await;
    fs::remove_file(spool.join(ACME).join("3.0.wav")).unwrap();
    fs::remove_dir_all(spool.join("globex.example.com")).unwrap();
    search(&store, &SystemIds, &instance).await.unwrap_err();
    assert_eq!(known_of(&store, world.acme.id).await, [format!("{ACME}/1.0.wav")]);
    assert_eq!(known_of(&store, world.globex.id).await, [theirs]);
}
