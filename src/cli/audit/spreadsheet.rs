//! Entries as CSV, which no spreadsheet takes for formulas.

use std::io::{self, Write};

use crate::domain::audit::AuditRecord;
use crate::domain::spreadsheet::harmless;

/// Writes the heading, then a row for each entry.
pub struct Spreadsheet<W: Write> {
    writer: csv::Writer<W>,
}

impl<W: Write> Spreadsheet<W> {
    /// With the names of the columns.
    pub fn begin(out: W) -> io::Result<Self> {
        let mut writer = csv::Writer::from_writer(out);
        writer.write_record([
            "number",
            "id",
            "at",
            "actor_kind",
            "actor_id",
            "actor_name",
            "operating_as",
            "action",
            "resource",
            "target_id",
            "tenant_id",
            "before",
            "after",
            "reason",
            "request_id",
            "address",
            "agent",
            "blanked_by",
            "payload_digest",
            "digest",
        ])?;
        Ok(Self { writer })
    }

    /// One entry.
    pub fn row(&mut self, record: &AuditRecord) -> io::Result<()> {
        let entry = &record.entry;
        let cell = |text: Option<String>| text.unwrap_or_default();
        let cells = [
            record.number.to_string(),
            entry.id.to_string(),
            entry.at.to_string(),
            entry.actor.kind.to_string(),
            cell(entry.actor.id.map(|id| id.to_string())),
            entry.actor.name.clone(),
            entry.operating_as.to_string(),
            entry.action.clone(),
            entry.resource.clone(),
            entry.target_id.clone(),
            cell(entry.tenant_id.map(|id| id.to_string())),
            cell(entry.before.as_ref().map(ToString::to_string)),
            cell(entry.after.as_ref().map(ToString::to_string)),
            cell(entry.reason.clone()),
            cell(entry.request_id.clone()),
            cell(entry.address.clone()),
            cell(entry.agent.clone()),
            cell(record.blanked_by.map(|id| id.to_string())),
            record.payload_digest.to_string(),
            record.digest.to_string(),
        ];
        self.writer
            .write_record(cells.iter().map(|cell| harmless(cell).into_owned()))?;
        Ok(())
    }

    /// Writes what is left.
    pub fn end(mut self) -> io::Result<()> {
        self.writer.flush()
    }
}
