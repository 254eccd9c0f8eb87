//! A purge as every surface shows it: what goes, and what became of it.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::ids::{InstanceId, PurgeId};
use crate::domain::purge::{Amount, Purge, PurgePart, PurgePreview, PurgeStatus};
use crate::domain::retention::{RetentionKind, RetentionPolicy};

/// A purge.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Purge")]
pub struct PurgeView {
    id: PurgeId,
    status: PurgeStatus,
    requested_by: String,
    requested_at: Timestamp,
    /// The time that ages are counted by.
    counted_from: Timestamp,
    ended_at: Option<Timestamp>,
    /// What the tenant kept when it was asked for.
    policy: RetentionPolicy,
    /// Of each kind that is not kept forever; left out in a list.
    parts: Vec<PurgePartView>,
}

/// What a purge removes of a kind.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PurgePart")]
struct PurgePartView {
    kind: RetentionKind,
    /// The PBX on which recordings or messages of mail boxes lie; `null` of other kinds.
    instance_id: Option<InstanceId>,
    /// What is older goes.
    cutoff: Timestamp,
    /// How much of that there was when it began; `null` before.
    found: Option<i64>,
    /// How many were removed; of audit payloads, blanked.
    removed: i64,
    /// How many bytes of recordings and messages were removed.
    bytes: i64,
    /// How many were to go and stay, at least 1 where nobody knows how many; the next purge tries it again.
    kept: i64,
    /// Why, or why less was removed than was found.
    detail: Option<String>,
    ended_at: Option<Timestamp>,
}

impl From<PurgePart> for PurgePartView {
    fn from(part: PurgePart) -> Self {
        Self {
            kind: part.kind,
            instance_id: part.instance_id,
            cutoff: part.cutoff,
            found: part.found.map(|found| found.found),
            removed: part.removed,
            bytes: part.bytes,
            kept: part.kept,
            detail: part.detail,
            ended_at: part.ended_at,
        }
    }
}

impl From<Purge> for PurgeView {
    fn from(purge: Purge) -> Self {
        Self {
            id: purge.id,
            status: purge.status,
            requested_by: purge.requested_by,
            requested_at: purge.requested_at,
            counted_from: purge.time,
            ended_at: purge.ended_at,
            policy: purge.policy,
            parts: purge.parts.into_iter().map(PurgePartView::from).collect(),
        }
    }
}

/// What a purge would remove.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PurgePreview")]
pub struct PurgePreviewView {
    /// What the tenant keeps; the answer's `ETag` names it.
    policy: RetentionPolicy,
    /// The time that ages are counted by.
    counted_from: Timestamp,
    /// Of each kind that is not kept forever.
    parts: Vec<PreviewPartView>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PurgePreviewPart")]
struct PreviewPartView {
    kind: RetentionKind,
    /// What is older would go.
    cutoff: Timestamp,
    #[serde(flatten)]
    amount: Amount,
    /// Of messages of mail boxes, which of them nobody can count; `null` of other kinds.
    detail: Option<&'static str>,
}

/// Their rows are what the last look found.
const NOT_COUNTED: &str = "messages that were left since the mail boxes were looked at last, lie in boxes that could not be looked at, or are \
    nobody's are not counted; the server's log tells of boxes and of messages that are nobody's, and a purge of boxes";

impl From<PurgePreview> for PurgePreviewView {
    fn from(preview: PurgePreview) -> Self {
        let parts = preview.parts.into_iter();
        let part = |(kind, cutoff, amount)| PreviewPartView {
            kind,
            cutoff,
            amount,
            detail: (kind == RetentionKind::Voicemail).then_some(NOT_COUNTED),
        };
        Self {
            policy: preview.policy,
            counted_from: preview.time,
            parts: parts.map(part).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a20_a_dry_run_says_of_mail_boxes_alone_which_messages_it_cannot_count() {
        let part = |kind| (kind, Timestamp::UNIX_EPOCH, Amount::default());
        let preview = PurgePreview {
            policy: RetentionPolicy::default(),
            time: Timestamp::UNIX_EPOCH,
            parts: vec![part(RetentionKind::Voicemail), part(RetentionKind::CallRecords)],
        };
        let shown = serde_json::to_value(PurgePreviewView::from(preview)).unwrap();
        let of_mail_boxes = shown["parts"][0]["detail"].as_str().unwrap();
        assert!(
            of_mail_boxes.contains("could not be looked at"),
            "{of_mail_boxes}"
        );
        assert_eq!(shown["parts"][1]["detail"], json!(null));
    }
}
