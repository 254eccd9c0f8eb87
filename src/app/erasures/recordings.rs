//! Recordings in an erasure, on the host whose disk they are on: noted in one transaction, removed outside of any so that nobody
//! waits for a disk, and counted in another one.

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use tokio::time::error::Elapsed;
use tokio::time::timeout;
use uuid::Uuid;

use super::fate::{Fate, count};
use super::work::Work;
use crate::app::error::AppError;
use crate::app::purge_pass::{LONGEST_LOOK, unless_stopped};
use crate::app::purge_recordings::{LONGEST, NO_DIRECTORY, NO_DISK, NOT_REMOVED, is_of_the_whole};
use crate::app::recordings::is_recorded;
use crate::domain::erasure::ErasurePlace;
use crate::domain::error_chain::error_chain;
use crate::domain::ids::{CallRecordId, InstanceId, RecordingId};
use crate::domain::recording::Recording;
use crate::driver::spool::Spool;
use crate::monitor::recordings::{SearchError, search_for};
use crate::store::call_records::Seen;
use crate::store::erasure_finds::recordings_of_call;
use crate::store::erasure_targets::{self, OfPart, Target};
use crate::store::{instances, recordings as store};

/// Files that are noted at once.
const AT_ONCE: i64 = 20;
const NOT_SEEN: &str = "not every recording could be looked for, so nobody knows whether there are others; the server's log tells why";
const NOT_THERE: &str = "files were not there; see whether their disk is mounted";

/// Looks for recordings that nobody has found so far, and notes those of the person's calls.
pub(super) async fn begin(work: &Work<'_>, instance: InstanceId) -> Result<bool, AppError> {
    let (app, tenant) = (work.app, work.erasure.tenant_id);
    let calls = calls(work).await?;
    // Of who has no call, nothing is a recording.
    let looked = if calls.is_empty() {
        Some(None)
    } else {
        look(work, instance).await?
    };
    let Some(unseen) = looked else {
        return Ok(false);
    };
    let mut tx = app.store.read("recordings_of_person").await?;
    let mut recordings = BTreeSet::new();
    for call in calls {
        if work.stop.is_cancelled() {
            return Ok(false);
        }
        let of_call = recordings_of_call(&mut tx, tenant, CallRecordId::from_uuid(call)).await?;
        let here = of_call.filter(|(place, _)| *place == instance);
        let here = here.into_iter().flat_map(|(_, recordings)| recordings);
        recordings.extend(here.map(RecordingId::uuid));
    }
    drop(tx);
    let recordings: Vec<Uuid> = recordings.into_iter().collect();
    work.found(&recordings, unseen).await
}

/// The person's calls that are noted.
async fn calls(work: &Work<'_>) -> Result<Vec<Uuid>, AppError> {
    let parts = work.erasure.parts.iter();
    let mut tx = work.app.store.read("calls_of_person").await?;
    let mut calls = Vec::new();
    for part in parts.filter(|part| part.place == ErasurePlace::CallRecords) {
        let of = OfPart {
            position: part.position,
            ..work.of()
        };
        calls.extend(erasure_targets::all(&mut tx, of).await?);
    }
    Ok(calls)
}

/// Looks for recordings that nobody has found so far: gives what is to be said where not all can be seen; none where the daemon
/// stops.
async fn look(work: &Work<'_>, instance: InstanceId) -> Result<Option<Option<&'static str>>, AppError> {
    let (app, tenant) = (work.app, work.erasure.tenant_id);
    let mut tx = app.store.read("place_of_recordings").await?;
    let found = instances::find(&mut tx, instance).await?;
    let is_recorded = is_recorded(&mut tx, tenant, instance).await?;
    drop(tx);
    let Some(found) = found else {
        return Ok(Some(None));
    };
    // The same path may be there on this host, with nothing of that PBX below it.
    if found.node != *app.engine.node() {
        return Ok(None);
    }
    if found.settings.recordings_dir().is_none() {
        return Ok(Some(is_recorded.then_some(NO_DIRECTORY)));
    }
    let search = search_for(&app.store, app.ids.as_ref(), &found, tenant, is_recorded);
    let search = timeout(LONGEST_LOOK, search);
    let Some(searched) = unless_stopped(work.stop, Duration::ZERO, search).await else {
        return Ok(None);
    };
    let missed = missed(searched)?;
    if let Some(error) = &missed {
        tracing::warn!(error, %instance, %tenant, "not every recording could be looked for before an erasure");
    }
    Ok(Some(missed.map(|_| NOT_SEEN)))
}

/// Why something could not be looked at, where that is not to be tried again.
fn missed(searched: Result<Result<(), SearchError>, Elapsed>) -> Result<Option<String>, AppError> {
    match searched {
        Ok(Ok(())) => Ok(None),
        Ok(Err(SearchError::Store(error))) => Err(error.into()),
        Ok(Err(error)) => Ok(Some(error_chain(&error))),
        Err(error) => Ok(Some(error.to_string())),
    }
}

/// Removes some; gives whether nothing is left to do.
pub(super) async fn batch(work: &Work<'_>, instance: InstanceId) -> Result<bool, AppError> {
    let (app, tenant) = (work.app, work.erasure.tenant_id);
    let mut tx = app.store.read("recordings_to_erase").await?;
    let spool = match app.spool(&mut tx, instance).await {
        Err(AppError::NotFound) => None,
        // Another host goes on with it.
        Err(error) if error.is_of_another_host() => return Ok(true),
        spool => Some(spool?),
    };
    let targets = erasure_targets::next(&mut tx, work.of(), AT_ONCE).await?;
    let mut found = Vec::with_capacity(targets.len());
    for target in targets {
        let recording = store::find(&mut tx, tenant, Seen::All, RecordingId::from_uuid(target.id)).await?;
        found.push((target, recording));
    }
    drop(tx);
    if found.is_empty() {
        return work.nothing_left().await;
    }
    let Some(spool) = spool else {
        return work.stays(NO_DIRECTORY).await;
    };
    match remove(work, &spool, found).await {
        Ok(fates) => count(work, fates).await,
        Err(Failed::Disk(error)) => {
            tracing::warn!(%error, %tenant, "recordings that are to be erased cannot be worked on");
            work.stays(NO_DISK).await
        }
        Err(Failed::Else(error)) => Err(error),
    }
}

enum Failed {
    /// None of the others would fare better.
    Disk(io::Error),
    Else(AppError),
}

impl From<AppError> for Failed {
    fn from(error: AppError) -> Self {
        Self::Else(error)
    }
}

type Fates = Vec<(Uuid, Fate)>;

async fn remove(
    work: &Work<'_>,
    spool: &Spool,
    found: Vec<(Target, Option<Recording>)>,
) -> Result<Fates, Failed> {
    let mark = spool.mark(LONGEST).await.map_err(Failed::Disk)?;
    let place = format!("{} {mark}", work.app.engine.node());
    let mut fates = Vec::with_capacity(found.len());
    let mut there = Vec::new();
    for (target, recording) in found {
        let Some(recording) = recording else {
            fates.push((target.id, Fate::of_unknown(&target, &place)));
            continue;
        };
        let is_there = match spool.last_written(&recording.path, LONGEST).await {
            Ok(written) => written.is_some(),
            Err(error) if is_of_the_whole(&error) => return Err(Failed::Disk(error)),
            // Whoever tries to remove it is told why.
            Err(_) => true,
        };
        match (is_there, &target.begun_at) {
            (true, _) => there.push((target, recording)),
            // Whoever was killed before it was counted had removed it.
            (false, Some(begun_at)) if *begun_at == place => {
                fates.push((target.id, Fate::Gone(recording.bytes)));
            }
            // Another disk may be there.
            (false, _) => fates.push((target.id, Fate::Kept(NOT_THERE))),
        }
    }
    if !there.is_empty() {
        let Some(mut open) = work.open().await? else {
            return Ok(Vec::new());
        };
        for (target, _) in &there {
            let begun = erasure_targets::begin(&mut open.tx, work.of(), target.id, &place).await;
            begun.map_err(AppError::from)?;
        }
        open.tx.commit().await.map_err(AppError::from)?;
    }
    for (target, recording) in there {
        if work.stop.is_cancelled() {
            break;
        }
        let fate = match spool.remove_within(&recording.path, LONGEST).await {
            Ok(true) => Fate::Gone(recording.bytes),
            // Somebody else was quicker.
            Ok(false) => Fate::Forgotten,
            Err(error) if is_of_the_whole(&error) => {
                tracing::warn!(%error, recording = %recording.id, "a recording that is to be erased cannot be removed");
                // What is left stays noted for whoever comes next, and this one with it.
                break;
            }
            Err(error) => {
                tracing::warn!(%error, recording = %recording.id, "a recording that is to be erased cannot be removed");
                Fate::Kept(NOT_REMOVED)
            }
        };
        fates.push((target.id, fate));
    }
    Ok(fates)
}
