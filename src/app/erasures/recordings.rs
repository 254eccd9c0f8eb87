//! Recordings in an erasure, on the host whose disk they are on: noted in one transaction, removed outside of any so that nobody
//! waits for a disk, and counted in another one.

use std::collections::BTreeSet;
use std::io;

use uuid::Uuid;

use super::fate::{Fate, count};
use super::work::Work;
use crate::app::error::AppError;
use crate::app::purge_disk::{LONGEST, is_of_the_whole, is_still, place_of, remove_from};
use crate::app::purge_recordings::{NO_DIRECTORY, NO_DISK, NOT_REMOVED, NOT_THERE};
use crate::app::recording_look::{Looked, look};
use crate::domain::erasure::ErasurePlace;
use crate::domain::ids::{CallRecordId, InstanceId, RecordingId};
use crate::domain::recording::Recording;
use crate::driver::spool::Spool;
use crate::store::call_records::Seen;
use crate::store::erasure_finds::recordings_of_call;
use crate::store::erasure_targets::{self, OfPart, Target};
use crate::store::recordings as store;

/// Files that are noted at once.
const AT_ONCE: i64 = 20;

/// Looks for recordings that nobody has found so far, and notes those of the person's calls.
pub(super) async fn begin(work: &Work<'_>, instance: InstanceId) -> Result<bool, AppError> {
    let (app, tenant) = (work.app, work.erasure.tenant_id);
    let calls = calls(work).await?;
    // Of who has no call, nothing is a recording.
    let looked = if calls.is_empty() {
        Looked::Whole
    } else {
        look(app, tenant, instance, work.stop).await?
    };
    let unseen = match looked {
        Looked::NotHere => return Ok(false),
        Looked::Missed(why) => Some(why),
        Looked::Whole => None,
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
    match remove(work, (instance, &spool), found).await {
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
    (instance, spool): (InstanceId, &Spool),
    found: Vec<(Target, Option<Recording>)>,
) -> Result<Fates, Failed> {
    let place = place_of(work.app, instance, spool).await?;
    let place = place.map_err(Failed::Disk)?.name;
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
    if !fates.is_empty() {
        is_still(work.app, instance, (spool, &place))
            .await?
            .map_err(Failed::Disk)?;
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
        let fate = match remove_from(work.app, instance, (spool, &place), &recording.path).await? {
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
