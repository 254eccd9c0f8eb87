//! Calls as a CSV file, in which no cell is a formula, whatever a caller calls himself.

use csv::Writer;

use crate::domain::call_record::CallRecord;
use crate::domain::spreadsheet::harmless;

const COLUMNS: [&str; 14] = [
    "id",
    "started_at",
    "answered_at",
    "ended_at",
    "direction",
    "from",
    "from_name",
    "to",
    "duration",
    "billable",
    "disposition",
    "hangup_cause",
    "extension_ids",
    "recording_ids",
];

/// The heading, then a row for each call.
pub fn write(calls: &[CallRecord]) -> Result<Vec<u8>, csv::Error> {
    let mut writer = Writer::from_writer(Vec::new());
    writer.write_record(COLUMNS)?;
    for call in calls {
        writer.write_record(cells(call).iter().map(|cell| harmless(cell).into_owned()))?;
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

fn cells(call: &CallRecord) -> [String; COLUMNS.len()] {
    fn text(value: Option<&impl ToString>) -> String {
        value.map(ToString::to_string).unwrap_or_default()
    }
    fn list(ids: &[impl ToString]) -> String {
        ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    }
    [
        call.id.to_string(),
        call.started_at.to_string(),
        text(call.answered_at.as_ref()),
        call.ended_at.to_string(),
        call.direction.to_string(),
        text(call.from_number.as_ref()),
        text(call.from_name.as_ref()),
        text(call.to_number.as_ref()),
        call.duration.to_string(),
        call.billable.to_string(),
        call.disposition.to_string(),
        text(call.hangup_cause.as_ref()),
        list(&call.extension_ids),
        list(&call.recording_ids),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    use crate::domain::call_record::{CallDirection, Disposition};
    use crate::domain::call_text::CallText;
    use crate::domain::ids::{CallRecordId, InstanceId, TenantId};

    #[test]
    fn a11_what_a_caller_calls_himself_is_no_formula() {
        let at = "2026-11-20T10:00:00Z".parse().unwrap();
        let nil = Uuid::nil();
        let call = CallRecord {
            id: CallRecordId::from_uuid(nil),
            tenant_id: TenantId::from_uuid(nil),
            instance_id: InstanceId::from_uuid(nil),
            call: "1.0".parse().unwrap(),
            from_number: CallText::of("+49301"),
            from_name: CallText::of("=cmd|'/C calc'!A0, \"x\""),
            to_number: CallText::of("@SUM(A1)"),
            direction: CallDirection::Inbound,
            started_at: at,
            answered_at: None,
            ended_at: at,
            duration: 0,
            billable: 0,
            disposition: Disposition::NoAnswer,
            hangup_cause: None,
            extension_ids: Vec::new(),
            recording_ids: Vec::new(),
        };
        let written = String::from_utf8(write(&[call]).unwrap()).unwrap();
        let row = written.lines().nth(1).unwrap();
        assert!(
            row.contains("'+49301,\"'=cmd|'/C calc'!A0, \"\"x\"\"\",'@SUM(A1)"),
            "{row}"
        );
    }
}
