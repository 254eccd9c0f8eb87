//! What a tenant tells people of its recording their calls.

use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::recording_notice::{NoticeFor, RecordingNotice, SoundName};

/// What people are told of recording.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Consent")]
pub struct ConsentView {
    /// Who hears that a call is recorded, before it is.
    recording_notice: NoticeFor,
    /// Which sound of the PBX they hear, without its ending.
    recording_notice_sound: Option<SoundName>,
}

impl From<RecordingNotice> for ConsentView {
    fn from(notice: RecordingNotice) -> Self {
        Self {
            recording_notice: notice.hearers,
            recording_notice_sound: notice.sound,
        }
    }
}
