//! Of an export, calls that are over, and their recordings.

use std::collections::HashSet;

use super::archive::Cut;
use super::making::Making;
use super::sounds::Sounds;
use crate::app::views::{CallGapView, CallRecordView};
use crate::domain::call_record::{CallFilter, CallQuery};
use crate::domain::export::ExportKind;
use crate::domain::ids::RecordingId;
use crate::domain::recording::RecordingQuery;
use crate::store::call_records::Seen;
use crate::store::{call_gaps, call_records, recordings};

/// Calls that are read at once.
const CALLS: i64 = 1_000;
/// The same of recordings, whose sound comes with them.
const RECORDINGS: i64 = 100;
/// More than are kept of a PBX, and a tenant has few of them.
const GAPS: i64 = 10_000;

/// The times in which calls may have been missed.
pub(super) async fn gaps(making: &mut Making<'_>) -> Result<(), Cut> {
    making.archive.name_kind(ExportKind::CallGaps);
    let mut tx = making.read("export_call_gaps").await?;
    let gaps = call_gaps::of_tenant(&mut tx, making.job.tenant, &CallFilter::default(), GAPS).await?;
    drop(tx);
    for gap in gaps {
        making
            .archive
            .row(ExportKind::CallGaps, &CallGapView::from(gap))
            .await?;
    }
    Ok(())
}

/// All calls of the tenant, newest first.
pub(super) async fn all(making: &mut Making<'_>) -> Result<(), Cut> {
    matching(making, CallFilter::default(), false).await
}

/// The calls that match, with their recordings where these are asked for.
pub(super) async fn matching(
    making: &mut Making<'_>,
    filter: CallFilter,
    with_recordings: bool,
) -> Result<(), Cut> {
    making.archive.name_kind(ExportKind::CallRecords);
    if with_recordings {
        making.archive.name_kind(ExportKind::Recordings);
    }
    let (mut sounds, mut known) = (Sounds::default(), HashSet::new());
    let mut query = CallQuery {
        filter,
        after: None,
        per_page: CALLS,
    };
    loop {
        let mut tx = making.read("export_calls").await?;
        let page = call_records::list(&mut tx, making.job.tenant, Seen::All, &query).await?;
        drop(tx);
        for call in page.calls {
            let ids = call.recording_ids.clone();
            making
                .archive
                .row(ExportKind::CallRecords, &CallRecordView::from(call))
                .await?;
            for id in ids.into_iter().filter(|_| with_recordings) {
                // Some are of several calls.
                if known.insert(id) {
                    recording(making, &mut sounds, id).await?;
                }
            }
        }
        query.after = page.next;
        if query.after.is_none() {
            return Ok(());
        }
    }
}

async fn recording(making: &mut Making<'_>, sounds: &mut Sounds, id: RecordingId) -> Result<(), Cut> {
    let mut tx = making.read("export_recording").await?;
    let found = recordings::find(&mut tx, making.job.tenant, Seen::All, id).await?;
    let Some(found) = found else {
        drop(tx);
        making.archive.gone(ExportKind::Recordings);
        return Ok(());
    };
    sounds
        .look_for(making.app, &mut tx, std::slice::from_ref(&found))
        .await?;
    drop(tx);
    sounds.add(making, found).await
}

/// All recordings of the tenant, newest first, each with its sound where this host has it.
pub(super) async fn recordings(making: &mut Making<'_>) -> Result<(), Cut> {
    making.archive.name_kind(ExportKind::Recordings);
    let mut sounds = Sounds::default();
    let mut query = RecordingQuery {
        per_page: RECORDINGS,
        ..RecordingQuery::default()
    };
    loop {
        let mut tx = making.read("export_recordings").await?;
        let page = recordings::list(&mut tx, making.job.tenant, Seen::All, &query).await?;
        sounds.look_for(making.app, &mut tx, &page.recordings).await?;
        drop(tx);
        for recording in page.recordings {
            sounds.add(making, recording).await?;
        }
        query.after = page.next;
        if query.after.is_none() {
            return Ok(());
        }
    }
}
