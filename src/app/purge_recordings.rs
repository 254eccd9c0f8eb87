//! Recordings of a purge, on the host whose disk they are on: noted in one transaction, removed outside of any so that nobody
//! waits for a disk, and counted in another one.

use std::io;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::App;
use super::error::AppError;
use super::purge_disk::{LONGEST, is_of_the_whole, is_still, place_of, remove_from};
use super::purge_part::{close, end, kept_by_now, may_go, open, stays};
use crate::domain::ids::InstanceId;
use crate::domain::purge::{Batch, Purge, PurgePart};
use crate::driver::spool::Spool;
use crate::monitor::landmarks::Standing;
use crate::store::purge_files::{self, Noted};
use crate::store::purge_rows::{self, OldRecording};
use crate::store::recordings;

/// Files that are noted at once.
const AT_ONCE: i64 = 20;
pub(super) const NO_DIRECTORY: &str = "the settings of the PBX name no directory of recordings, so nobody can look for them; set `recordings_dir`, \
     unless it is gone";
pub(super) const NO_DISK: &str = "the directory of the recordings is not there, is another one or cannot be opened, or its disk does not answer; \
     the server's log tells which";
pub(super) const NOT_THERE: &str = "files were not there; see whether their disk is mounted";
const NONE_THERE: &str = "no file was there of these recordings; see whether their disk is mounted";
pub(super) const NOT_REMOVED: &str = "files that cannot be removed stay with their recordings; the server's log tells why, and its \
     operator lets the service write in that directory";

/// Removes some, the oldest first; gives whether nothing is left to do.
pub(super) async fn batch(
    app: &App,
    purge: &Purge,
    position: i64,
    instance: InstanceId,
    stop: &CancellationToken,
) -> Result<bool, AppError> {
    let tenant = purge.tenant_id;
    let mut tx = app.store.read("recordings_to_purge").await?;
    let Some(now) = may_go(app, &mut tx, purge, position).await? else {
        return Ok(true);
    };
    let spool = match app.spool(&mut tx, instance).await {
        Err(AppError::NotFound) => None,
        // Another host goes on with it.
        Err(error) if error.is_of_another_host() => return Ok(true),
        spool => Some(spool?),
    };
    let noted = purge_files::noted(&mut tx, tenant, purge.id, position).await?;
    let old = match now.cutoff {
        Some(cutoff) if noted.is_none() => {
            purge_rows::recordings(&mut tx, tenant, instance, cutoff, now.part.after, AT_ONCE).await?
        }
        _ => Vec::new(),
    };
    drop(tx);
    let Some(spool) = spool else {
        return end(app, purge, position, stays(&now.part, NO_DIRECTORY)).await;
    };
    let work = Work {
        app,
        purge,
        part: &now.part,
        instance,
        spool,
        stop,
    };
    if let Some(noted) = noted {
        return work.resume(noted).await;
    }
    if now.cutoff.is_none() {
        return end(app, purge, position, kept_by_now()).await;
    }
    work.go_on(&old).await
}

/// A part of a purge, on the disk that it is about.
struct Work<'a> {
    app: &'a App,
    purge: &'a Purge,
    part: &'a PurgePart,
    instance: InstanceId,
    spool: Spool,
    stop: &'a CancellationToken,
}

/// What has become of files.
#[derive(Default)]
struct Removal<'a> {
    gone: Vec<&'a OldRecording>,
    /// How many could not be removed.
    kept: i64,
    /// Whether the disk does not answer, or is not there.
    has_no_disk: bool,
    /// Whether the daemon stops: what is noted is left to whoever comes next.
    is_stopped: bool,
}

impl Removal<'_> {
    /// What of it is counted, of a part with so much left.
    fn tally(&self, left: i64) -> Batch {
        let removed = i64::try_from(self.gone.len()).unwrap_or(i64::MAX);
        let mut batch = Batch {
            removed,
            bytes: self.gone.iter().map(|recording| recording.bytes).sum(),
            kept: self.kept,
            detail: (self.kept > 0).then(|| NOT_REMOVED.to_owned()),
            ..Batch::default()
        };
        if self.has_no_disk {
            // All that is left stays, until the next purge.
            batch.kept = left.saturating_sub(removed).max(1);
            (batch.detail, batch.is_last) = (Some(NO_DISK.to_owned()), true);
        }
        batch
    }
}

impl Work<'_> {
    /// The next ones: those that are there and old are noted, then removed.
    async fn go_on(&self, old: &[OldRecording]) -> Result<bool, AppError> {
        let mut there = Vec::new();
        let mut missing = 0;
        let place = match place_of(self.app, self.instance, &self.spool).await? {
            Ok(place) => place,
            Err(error) => return self.no_disk(&error).await,
        };
        for recording in old {
            if self.stop.is_cancelled() {
                return Ok(true);
            }
            match self.spool.last_written(&recording.path, LONGEST).await {
                Ok(None) => missing += 1,
                Ok(Some(written)) => there.push((recording, written)),
                Err(error) if is_of_the_whole(&error) => return self.no_disk(&error).await,
                // Whoever tries to remove it is told why.
                Err(_) => there.push((recording, Timestamp::MIN)),
            }
        }
        let Some(mut open) = open(self.app, self.purge, self.part.position).await? else {
            return Ok(true);
        };
        let mut batch = Batch {
            after: old.last().map(OldRecording::cursor),
            is_last: old.is_empty(),
            ..Batch::default()
        };
        // Rows of files that are not there are left to whoever looks for recordings: another disk may be there, unless it is known
        // which one that is and other files are on it.
        if missing > 0 && (there.is_empty() || place.standing != Standing::Right) {
            batch.kept = missing;
            let why = if there.is_empty() { NONE_THERE } else { NOT_THERE };
            batch.detail = Some(why.to_owned());
        }
        let Some(cutoff) = open.cutoff else {
            return close(self.app, open, self.purge, kept_by_now()).await;
        };
        let (tx, tenant, id) = (&mut open.tx, self.purge.tenant_id, self.purge.id);
        let mut noted = Vec::new();
        for (recording, _) in there.iter().filter(|(_, written)| *written < cutoff) {
            let of = (self.part.position, recording.id);
            if purge_files::note(tx, tenant, id, of, cutoff, &place.name).await? {
                noted.push(*recording);
            }
        }
        let is_last = close(self.app, open, self.purge, batch).await?;
        if noted.is_empty() {
            return Ok(is_last);
        }
        let removal = self.remove(&noted, &place.name).await?;
        self.count(removal).await
    }

    /// Those that were noted by whoever was killed, or failed: what is not there was removed and not counted.
    async fn resume(&self, noted: Noted) -> Result<bool, AppError> {
        let mut removal = Removal::default();
        let mut there = Vec::new();
        match place_of(self.app, self.instance, &self.spool).await? {
            Ok(place) if place.name == noted.place => {}
            // Nobody knows what has become of them where they were: they are not counted, and stay on record.
            Ok(_) => return self.count(removal).await,
            Err(error) => return self.no_disk(&error).await,
        }
        for recording in &noted.recordings {
            if self.stop.is_cancelled() {
                return Ok(true);
            }
            match self.spool.last_written(&recording.path, LONGEST).await {
                Ok(None) => removal.gone.push(recording),
                // Something else has its name by now.
                Ok(Some(written)) if written > recording.written_at && written >= self.part.cutoff => {}
                Err(error) if is_of_the_whole(&error) => {
                    tracing::warn!(%error, tenant = %self.purge.tenant_id, "recordings cannot be looked at");
                    removal.has_no_disk = true;
                    break;
                }
                Ok(Some(_)) | Err(_) => there.push(recording),
            }
        }
        if !removal.gone.is_empty() {
            let from = (&self.spool, noted.place.as_str());
            if let Err(error) = is_still(self.app, self.instance, from).await? {
                return self.no_disk(&error).await;
            }
        }
        if removal.has_no_disk {
            return self.count(removal).await;
        }
        let removed = self.remove(&there, &noted.place).await?;
        removal.gone.extend(removed.gone);
        removal.kept += removed.kept;
        removal.has_no_disk = removed.has_no_disk;
        removal.is_stopped = removed.is_stopped;
        self.count(removal).await
    }

    /// Removes files of a place, outside of any transaction that others wait for.
    async fn remove<'a>(&self, noted: &[&'a OldRecording], place: &str) -> Result<Removal<'a>, AppError> {
        let from = (&self.spool, place);
        let mut removal = Removal::default();
        for recording in noted {
            if self.stop.is_cancelled() {
                removal.is_stopped = true;
                break;
            }
            if !self.is_old(recording).await? {
                continue;
            }
            match remove_from(self.app, self.instance, from, &recording.path).await? {
                Ok(true) => removal.gone.push(recording),
                // Somebody else was quicker.
                Ok(false) => {}
                // None of the others would fare better.
                Err(error) if is_of_the_whole(&error) => {
                    tracing::warn!(%error, tenant = %self.purge.tenant_id, "recordings cannot be removed");
                    removal.has_no_disk = true;
                    break;
                }
                Err(error) => {
                    // Once a part: a disk that is read only refuses all of them.
                    if removal.kept == 0 && self.part.kept == 0 {
                        tracing::warn!(%error, recording = %recording.id, "a recording cannot be removed, and others may not either");
                    }
                    removal.kept += 1;
                }
            }
        }
        Ok(removal)
    }

    /// Whether a recording may still go: somebody may have said meanwhile that it is kept longer.
    async fn is_old(&self, recording: &OldRecording) -> Result<bool, AppError> {
        let mut tx = self.app.store.read("may_recording_go").await?;
        let now = may_go(self.app, &mut tx, self.purge, self.part.position).await?;
        let cutoff = now.and_then(|now| now.cutoff);
        Ok(cutoff.is_some_and(|cutoff| recording.written_at < cutoff))
    }

    /// Counts what has gone, and forgets it.
    async fn count(&self, removal: Removal<'_>) -> Result<bool, AppError> {
        if removal.is_stopped {
            return Ok(true);
        }
        let Some(mut open) = open(self.app, self.purge, self.part.position).await? else {
            return Ok(true);
        };
        let (tx, tenant) = (&mut open.tx, self.purge.tenant_id);
        for recording in &removal.gone {
            recordings::delete(tx, tenant, recording.id).await?;
        }
        purge_files::forget(tx, tenant, self.purge.id, self.part.position).await?;
        let batch = removal.tally(open.part.left());
        close(self.app, open, self.purge, batch).await
    }

    /// Counts nothing, and leaves what was noted to be forgotten with the purge.
    async fn no_disk(&self, error: &io::Error) -> Result<bool, AppError> {
        tracing::warn!(%error, tenant = %self.purge.tenant_id, "recordings cannot be looked at");
        end(
            self.app,
            self.purge,
            self.part.position,
            stays(self.part, NO_DISK),
        )
        .await
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::ids::RecordingId;

    fn recording(bytes: i64) -> OldRecording {
        OldRecording {
            id: RecordingId::from_uuid(Uuid::nil()),
            path: "acme.example.com/1790000000.1.wav".parse().unwrap(),
            bytes,
            written_at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn a20_of_a_disk_that_fails_half_way_what_went_is_counted_and_all_the_rest_stays() {
        let (one, other) = (recording(3), recording(4));
        let mut removal = Removal {
            gone: vec![&one, &other],
            kept: 1,
            ..Removal::default()
        };
        let went_on = removal.tally(5);
        assert_eq!(
            (went_on.removed, went_on.bytes, went_on.kept, went_on.is_last),
            (2, 7, 1, false)
        );
        assert_eq!(went_on.detail.as_deref(), Some(NOT_REMOVED));
        removal.has_no_disk = true;
        let ended = removal.tally(5);
        assert_eq!(
            (ended.removed, ended.bytes, ended.kept, ended.is_last),
            (2, 7, 3, true)
        );
        assert_eq!(ended.detail.as_deref(), Some(NO_DISK));
        // Where less was found than there is, something stays all the same.
        assert_eq!(removal.tally(0).kept, 1);
        assert_eq!(Removal::default().tally(5), Batch::default());
    }
}
