//! The disk that recordings are removed from: which one it is, and whether it is still there.

use std::io;
use std::time::Duration;

use super::App;
use super::error::AppError;
use crate::domain::ids::InstanceId;
use crate::domain::recording::RecordingPath;
use crate::driver::spool::Spool;
use crate::monitor::landmarks::{self, Standing};

/// How long a disk may take to show or remove a file.
pub(super) const LONGEST: Duration = Duration::from_secs(2);

/// What has to do with the disk, and not with a file.
pub(super) fn is_of_the_whole(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::NotFound)
}

/// Where files are by now.
pub(super) struct Place {
    /// The host, the directory, and which one that is.
    pub name: String,
    pub standing: Standing,
}

/// Where the files of a PBX are; none where that is another directory than the one that it was: its disk may have gone a moment
/// ago, and what has the same names there is something else.
pub(super) async fn place_of(
    app: &App,
    instance: InstanceId,
    spool: &Spool,
) -> Result<io::Result<Place>, AppError> {
    let kept = landmarks::kept(&app.store, instance).await?;
    let looked = async {
        let mark = spool.mark(LONGEST).await?;
        let there = spool.landmark(LONGEST).await?;
        match Standing::of(kept.as_deref(), there.as_ref()) {
            Standing::Wrong => Err(io::Error::new(
                io::ErrorKind::NotFound,
                "it is another directory than the one that is known again",
            )),
            standing => Ok(Place {
                name: format!("{} {mark}", app.engine.node()),
                standing,
            }),
        }
    };
    Ok(looked.await)
}

/// An error where another place is there by now than that, or none: what was not there a moment ago may be on that disk still.
pub(super) async fn is_still(
    app: &App,
    instance: InstanceId,
    (spool, place): (&Spool, &str),
) -> Result<io::Result<()>, AppError> {
    let there = place_of(app, instance, spool).await?;
    Ok(match there {
        Ok(there) if there.name != place => Err(io::Error::new(
            io::ErrorKind::NotFound,
            "it is another directory than a moment ago",
        )),
        there => there.map(drop),
    })
}

/// Removes a file of a place; false where it is not there. Where that place is not there any more, that is an error.
pub(super) async fn remove_from(
    app: &App,
    instance: InstanceId,
    (spool, place): (&Spool, &str),
    path: &RecordingPath,
) -> Result<io::Result<bool>, AppError> {
    let removed = spool.remove_within(path, LONGEST).await;
    if !matches!(removed, Ok(false)) {
        return Ok(removed);
    }
    // The disk may have gone since.
    let still = is_still(app, instance, (spool, place)).await?;
    Ok(still.map(|()| false))
}
