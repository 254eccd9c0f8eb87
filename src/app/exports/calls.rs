//! Of an export, calls that are over, and their recordings.

use std::collections::{BTreeSet, HashSet};

use jiff::Timestamp;
use serde::Serialize;

use super::archive::Cut;
use super::making::Making;
use super::sounds::Sounds;
use crate::app::views::{CallGapView, CallRecordView};
use crate::domain::call_part::{CallPart, Phone};
use crate::domain::call_record::{CallFilter, Disposition};
use crate::domain::call_text::{CallText, HangupCause};
use crate::domain::dial::ExtensionNumber;
use crate::domain::export::ExportKind;
use crate::domain::ids::{CallRecordId, RecordingId};
use crate::domain::sip_domain::SipDomain;
use crate::store::call_records::Seen;
use crate::store::{call_gaps, call_records, domains, exports, recordings};

/// Calls that are read at once.
const CALLS: i64 = 250;
/// The same where each is looked up by itself.
const FEW_CALLS: usize = 100;
/// The same of recordings, whose sound comes with them.
const RECORDINGS: i64 = 100;
/// More than are kept of a PBX, and a tenant has few of them.
const GAPS: usize = 10_000;

/// A call with all that its PBX told of it: to where it was forwarded or transferred, and which phones rang.
#[derive(Serialize)]
struct CallRow {
    #[serde(flatten)]
    call: CallRecordView,
    parts: Vec<PartRow>,
}

/// A part of a call: between who called and one who was called.
#[derive(Serialize)]
struct PartRow {
    from: Option<CallText>,
    from_name: Option<CallText>,
    to: Option<CallText>,
    /// Which of the tenant's phones called; null where it was none.
    caller: Option<ExtensionNumber>,
    /// The same of who was called.
    called: Option<ExtensionNumber>,
    started_at: Timestamp,
    answered_at: Option<Timestamp>,
    ended_at: Timestamp,
    disposition: Disposition,
    hangup_cause: Option<HangupCause>,
}

impl PartRow {
    /// Other tenants' phones are not named.
    fn new(part: CallPart, domains: &BTreeSet<SipDomain>) -> Self {
        let own = |phone: Option<Phone>| {
            let phone = phone.filter(|phone| domains.contains(&phone.domain));
            phone.map(|phone| phone.number)
        };
        Self {
            from: part.from_number,
            from_name: part.from_name,
            to: part.to,
            caller: own(part.caller),
            called: own(part.called),
            started_at: part.started,
            answered_at: part.answered,
            ended_at: part.ended,
            disposition: part.disposition,
            hangup_cause: part.cause,
        }
    }
}

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

/// All calls of the tenant.
pub(super) async fn all(making: &mut Making<'_>) -> Result<(), Cut> {
    making.archive.name_kind(ExportKind::CallRecords);
    let tenant = making.job.tenant;
    let mut after = None;
    loop {
        let mut tx = making.read("export_calls").await?;
        let page = exports::calls(&mut tx, tenant, after, CALLS).await?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        let mut parts = exports::parts(&mut tx, tenant, after, last.id).await?;
        let domains = domains::ever_of(&mut tx, tenant).await?;
        drop(tx);
        after = Some(last.id);
        for call in page {
            let parts = parts.remove(&call.id).unwrap_or_default();
            let row = CallRow {
                parts: parts
                    .into_iter()
                    .map(|part| PartRow::new(part, &domains))
                    .collect(),
                call: call.into(),
            };
            making.archive.row(ExportKind::CallRecords, &row).await?;
        }
    }
}

/// These calls, with their recordings.
pub(super) async fn of_person(making: &mut Making<'_>, ids: Vec<CallRecordId>) -> Result<(), Cut> {
    making.archive.name_kind(ExportKind::CallRecords);
    making.archive.name_kind(ExportKind::Recordings);
    let (mut sounds, mut known) = (Sounds::default(), HashSet::new());
    for ids in ids.chunks(FEW_CALLS) {
        let mut tx = making.read("export_calls").await?;
        let mut page = Vec::with_capacity(ids.len());
        for id in ids {
            page.push(call_records::find(&mut tx, making.job.tenant, Seen::All, *id).await?);
        }
        drop(tx);
        for call in page {
            let recordings = call.as_ref().map(|call| call.recording_ids.clone());
            let row = call.map(CallRecordView::from);
            making.found(ExportKind::CallRecords, row.as_ref()).await?;
            for id in recordings.into_iter().flatten() {
                // Some are of several calls.
                if known.insert(id) {
                    recording(making, &mut sounds, id).await?;
                }
            }
        }
    }
    Ok(())
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

/// All recordings of the tenant, each with its sound where this host has it.
pub(super) async fn recordings(making: &mut Making<'_>) -> Result<(), Cut> {
    making.archive.name_kind(ExportKind::Recordings);
    let mut sounds = Sounds::default();
    let mut after = None;
    loop {
        let mut tx = making.read("export_recordings").await?;
        let page = recordings::behind(&mut tx, making.job.tenant, after, RECORDINGS).await?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        after = Some(last.id);
        sounds.look_for(making.app, &mut tx, &page).await?;
        drop(tx);
        for recording in page {
            sounds.add(making, recording).await?;
        }
    }
}
