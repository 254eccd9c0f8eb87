//! A recording as every surface shows it: what it is and of which call, never where it lies.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::ids::{CallRecordId, RecordingId};
use crate::domain::recording::{Recording, SoundFormat};

/// A recording of a call.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Recording")]
pub struct RecordingView {
    /// Its id.
    pub id: RecordingId,
    /// The call; `null` while that is not known.
    pub call_id: Option<CallRecordId>,
    /// What it holds.
    pub format: Option<SoundFormat>,
    /// How many bytes it has.
    pub bytes: i64,
    /// When it was last written to.
    pub written_at: Timestamp,
}

impl From<Recording> for RecordingView {
    fn from(recording: Recording) -> Self {
        Self {
            id: recording.id,
            call_id: recording.call_id,
            format: recording.path.format(),
            bytes: recording.bytes,
            written_at: recording.written_at,
        }
    }
}
