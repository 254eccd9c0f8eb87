//! Recordings that cannot be had, or not to their end: each is told with why, and keeps nothing else back.

use std::fs;

use rstest::rstest;
use serde_json::{Value, json};

use super::exported::Archive;
use super::exporting::MARKS;
use super::exporting_faults::LONG;
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::World;

#[rstest]
#[tokio::test]
async fn a46_a_recording_that_cannot_be_had_is_told_with_why_and_keeps_nothing_else_back(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let mut maker = world.maker();
    let (caller, _) = world.filled(&world.acme, MARKS[0]).await;
    let gone = world.recording(&world.acme, "179000005.1.wav", 1).await;
    fs::remove_file(gone).unwrap();
    let link = world.recording(&world.acme, "179000006.1.wav", 1).await;
    fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", &link).unwrap();
    let archive = world
        .exported(&mut maker, &caller, json!({"tenant": true}))
        .await
        .unwrap();
    archive.check();
    let missing = &archive.manifest()["recordings"]["missing"];
    let told = json!({"file_is_not_there": 1, "file_cannot_be_read": 1});
    assert_eq!(*missing, told);
    assert!(!archive.holds("root:"));
    let rows = archive.rows("recordings");
    assert_eq!(rows.len(), 3);
    assert_eq!(rows.iter().filter(|row| row["file"].is_null()).count(), 2);
    assert!(
        rows.iter()
            .all(|row| row["file"].is_null() != row["missing"].is_null())
    );
    let without = match backend {
        Sqlite => "settings = json_remove(settings, '$.recordings_dir')",
        Postgres => "settings = settings - 'recordings_dir'",
    };
    for (change, why) in [(without, "no_directory"), ("node = 'another'", "other_host")] {
        let change = format!("update instances set {change} returning name");
        world.texts(&change).await;
        let archive = world
            .exported(&mut maker, &caller, json!({"tenant": true}))
            .await
            .unwrap();
        archive.check();
        assert_eq!(
            archive.manifest()["recordings"],
            json!({"files": 0, "bytes": 0, "missing": {(why): 3}})
        );
        let came_of = world.came_of().await;
        assert_eq!(
            (&came_of["outcome"], &came_of["missing"]),
            (&json!("complete"), &json!({(why): 3}))
        );
    }
}

#[rstest]
#[tokio::test]
async fn a46_a_recording_that_becomes_shorter_while_it_is_read_is_filled_up_and_told(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    /// Behind what is read while the reader waits.
    const LEFT: u64 = 2 * 1024 * 1024;
    let world = World::new(backend).await;
    let mut maker = world.maker();
    let (caller, _) = world.filled(&world.acme, MARKS[0]).await;
    world.long_recording().await;
    let mut begun = world.begun(&mut maker, &caller).await.unwrap();
    let mut bytes = Vec::new();
    while bytes.len() < 400 * 1024 {
        bytes.extend_from_slice(&begun.export.next().await.unwrap().unwrap());
    }
    let path = world.recorded(&world.acme).join("179000009.1.wav");
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_len(LEFT).unwrap();
    while let Some(piece) = begun.export.next().await {
        bytes.extend_from_slice(&piece.unwrap());
    }
    begun.ended().await;
    let archive = Archive::of(bytes, true);
    archive.check();
    let rows = archive.rows("recordings");
    let broken: Vec<&Value> = rows.iter().filter(|row| !row["missing"].is_null()).collect();
    assert_eq!(broken.len(), 1, "{rows:?}");
    assert_eq!(
        (&broken[0]["missing"], &broken[0]["file_bytes"]),
        (&json!("file_broke_off"), &json!(LONG))
    );
    let came_of = world.came_of().await;
    assert_eq!(
        (&came_of["outcome"], &came_of["missing"]),
        (&json!("complete"), &json!({"file_broke_off": 1}))
    );
}
