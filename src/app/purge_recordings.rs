//! Recordings of a purge, on the host whose disk they are on: the file first, then its row.

use std::io;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::time::timeout;

use super::App;
use super::error::AppError;
use super::purge_work::{Open, close, kept_by_now, open};
use crate::domain::ids::InstanceId;
use crate::domain::purge::{Batch, Purge, PurgePart};
use crate::driver::spool::{Spool, written_at};
use crate::store::purge_rows::{self, OldRecording};
use crate::store::recordings;

/// Files that are removed in one transaction.
const AT_ONCE: i64 = 20;
/// How long a disk may take to show one of them.
const LONGEST: Duration = Duration::from_secs(2);
/// How long it may take to remove one: whoever changes something waits for it.
const LONGEST_REMOVAL: Duration = Duration::from_millis(250);
/// After so long no more of them are removed in one transaction.
const ENOUGH: Duration = Duration::from_millis(20);

/// Removes some, the oldest first; gives whether nothing is left to do.
pub(super) async fn batch(
    app: &App,
    purge: &Purge,
    position: i64,
    instance: InstanceId,
) -> Result<bool, AppError> {
    let mut tx = app.store.read("recordings_to_purge").await?;
    let part = crate::store::purges::part(&mut tx, purge.id, position).await?;
    let Some(part) = part.filter(|part| part.ended_at.is_none()) else {
        return Ok(true);
    };
    let spool = match app.spool(&mut tx, instance).await {
        Err(AppError::NotFound) => None,
        spool => Some(spool?),
    };
    let (tenant, cutoff) = (purge.tenant_id, part.cutoff);
    let old = purge_rows::recordings(&mut tx, tenant, instance, cutoff, part.after, AT_ONCE).await?;
    drop(tx);
    let looked = match &spool {
        // Before anybody waits for this: a disk that does not answer is found out here.
        Some(spool) => look(spool, &old).await,
        None => Looked::None("the settings of the PBX name no directory of recordings; set `recordings_dir`"),
    };
    let Some(mut open) = open(app, purge, position).await? else {
        return Ok(true);
    };
    let Some(cutoff) = open.cutoff else {
        return close(app, open, purge.id, kept_by_now()).await;
    };
    let batch = match (looked, spool) {
        (Looked::Written(written), Some(spool)) => {
            remove(&mut open, purge, &spool, old.iter().zip(written), cutoff).await?
        }
        (Looked::None(why), _) => stays(&open.part, why),
        (Looked::Written(_), None) => Batch::over(""),
    };
    close(app, open, purge.id, batch).await
}

/// What the disk told of some files.
enum Looked {
    /// When each was last written to; none where that cannot be told.
    Written(Vec<Option<Timestamp>>),
    /// Nothing, for this reason.
    None(&'static str),
}

async fn look(spool: &Spool, old: &[OldRecording]) -> Looked {
    let mut written = Vec::new();
    for recording in old {
        match timeout(LONGEST, spool.open(&recording.path)).await {
            Ok(Ok((_, metadata))) => written.push(written_at(&metadata)),
            // One that cannot be read may be removed all the same, and one that is not there need not.
            Ok(Err(_)) => written.push(None),
            Err(_) => return Looked::None("the disk of the recordings does not answer"),
        }
    }
    Looked::Written(written)
}

async fn remove<'a>(
    open: &mut Open,
    purge: &Purge,
    spool: &Spool,
    old: impl ExactSizeIterator<Item = (&'a OldRecording, Option<Timestamp>)>,
    cutoff: Timestamp,
) -> Result<Batch, AppError> {
    let mut batch = Batch {
        is_last: i64::try_from(old.len()).unwrap_or(i64::MAX) < AT_ONCE,
        ..Batch::default()
    };
    let begun = Instant::now();
    for (recording, written) in old {
        if begun.elapsed() >= ENOUGH {
            batch.is_last = false;
            break;
        }
        if recording.written_at >= cutoff {
            // The tenant keeps them longer by now, and all that follow.
            batch.is_last = true;
            break;
        }
        batch.after = Some(recording.cursor());
        let was_written_since = written.is_some_and(|written| written >= cutoff);
        let (tx, tenant) = (&mut open.tx, purge.tenant_id);
        if was_written_since || !recordings::lock(tx, tenant, recording.id).await? {
            continue;
        }
        let removal = timeout(LONGEST_REMOVAL, spool.remove(&recording.path)).await;
        match removal.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok(_) => {
                recordings::delete(tx, tenant, recording.id).await?;
                batch.removed += 1;
                batch.bytes += recording.bytes;
            }
            // None of the others would fare better.
            Err(error) if is_of_the_whole(&error) => {
                tracing::warn!(%error, tenant = %tenant, "recordings cannot be removed");
                let done = (batch.removed, batch.bytes, batch.kept);
                batch = stays(
                    &open.part,
                    "the directory of the recordings is not there, or its disk does not answer",
                );
                (batch.removed, batch.bytes) = (done.0, done.1);
                batch.kept = (batch.kept - done.0).max(1);
                break;
            }
            Err(error) => {
                if batch.kept == 0 {
                    tracing::warn!(%error, recording = %recording.id, "a recording cannot be removed, and others may not either");
                }
                batch.kept += 1;
                batch.detail = Some(
                    "files that cannot be removed stay with their recordings; the server's log tells why, and its operator \
                     lets the service write in that directory"
                        .to_owned(),
                );
            }
        }
    }
    Ok(batch)
}

/// What has to do with the disk, and not with a file.
fn is_of_the_whole(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::NotFound)
}

/// All that is left stays, until the next purge.
fn stays(part: &PurgePart, why: &str) -> Batch {
    let found = part.found.map_or(0, |found| found.found);
    Batch {
        kept: (found - part.removed - part.kept).max(0),
        ..Batch::over(why)
    }
}
