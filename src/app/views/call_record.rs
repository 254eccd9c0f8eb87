//! A call that is over as every surface shows it, and the times of which nothing is known.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::call_record::{CallDirection, CallGap, CallRecord, Disposition};
use crate::domain::call_text::{CallText, HangupCause};
use crate::domain::ids::{CallRecordId, ExtensionId, RecordingId};

/// A call that is over.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CallRecord")]
pub struct CallRecordView {
    /// Its id.
    pub id: CallRecordId,
    /// The caller's number: that of the extension where it is one. Anybody else chooses it.
    pub from: Option<CallText>,
    /// The caller's name, which the caller may have chosen.
    pub from_name: Option<CallText>,
    /// What was dialled.
    pub to: Option<CallText>,
    /// Whether it came in, went out, or neither.
    pub direction: CallDirection,
    /// When it began.
    pub started_at: Timestamp,
    /// When it was first answered.
    pub answered_at: Option<Timestamp>,
    /// When it was over.
    pub ended_at: Timestamp,
    /// Whole seconds from its beginning to its end.
    pub duration: i64,
    /// Whole seconds in which it was answered.
    pub billable: i64,
    /// What came of it.
    pub disposition: Disposition,
    /// Why it ended, in the PBX's own word; `null` where the PBX does not tell.
    pub hangup_cause: Option<HangupCause>,
    /// The extensions that took part, by the numbers that they had then; one that was deleted since is among them.
    pub extension_ids: Vec<ExtensionId>,
    /// Its recordings.
    pub recording_ids: Vec<RecordingId>,
}

impl From<CallRecord> for CallRecordView {
    fn from(call: CallRecord) -> Self {
        Self {
            id: call.id,
            from: call.from_number,
            from_name: call.from_name,
            to: call.to_number,
            direction: call.direction,
            started_at: call.started_at,
            answered_at: call.answered_at,
            ended_at: call.ended_at,
            duration: call.duration,
            billable: call.billable,
            disposition: call.disposition,
            hangup_cause: call.hangup_cause,
            extension_ids: call.extension_ids,
            recording_ids: call.recording_ids,
        }
    }
}

/// A time in which the tenant's PBX may have had calls that are not on record: what a FusionPBX wrote down of it is read in, and
/// that some are missing cannot be excluded.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CallGap")]
pub struct CallGapView {
    /// When the last was heard of the PBX before.
    pub from: Timestamp,
    /// When it was heard of again.
    pub to: Timestamp,
}

impl From<CallGap> for CallGapView {
    fn from(gap: CallGap) -> Self {
        Self {
            from: gap.from,
            to: gap.to,
        }
    }
}
