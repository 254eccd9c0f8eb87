//! Recordings that somebody listens to: what is in the audit log was given.

use std::fs::{self, File};

use rstest::rstest;
use switchyard::app::error::AppError;
use switchyard::app::recordings::{self, Bytes, Use};
use switchyard::domain::recording::RecordingQuery;

use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::World;

#[rstest]
#[tokio::test]
async fn a12_what_can_be_opened_and_not_read_is_refused_and_is_no_listening(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let caller = world.owner().await;
    let file = world.recording(&world.acme, "1790000001.1.wav", 3).await;
    let found = recordings::list(&world.app, &caller, &RecordingQuery::default()).await;
    let id = found.unwrap().recordings[0].id;
    let listened = "select cast(count(*) as text) from audit_entries where action = 'recording.listen'";
    // It was opened by then.
    let lose = |_| {
        File::options()
            .write(true)
            .open(&file)
            .unwrap()
            .set_len(2)
            .unwrap();
        Ok::<_, AppError>(Bytes::Whole)
    };
    let refused = recordings::open(&world.app, &caller, Use::Listen, id, lose).await;
    let refused = refused.err().unwrap();
    assert!(
        matches!(
            refused,
            AppError::Conflict {
                code: "recording_unreadable",
                ..
            }
        ),
        "{refused:?}"
    );
    assert_eq!(world.texts(listened).await, ["0"]);
    fs::write(&file, "RIFF").unwrap();
    let whole = |_| Ok::<_, AppError>(Bytes::Whole);
    let mut sound = recordings::open(&world.app, &caller, Use::Listen, id, whole)
        .await
        .unwrap();
    assert_eq!(world.texts(listened).await, ["1"]);
    assert_eq!(sound.next().await.unwrap(), b"RIFF");
    assert!(sound.next().await.unwrap().is_empty());
}
