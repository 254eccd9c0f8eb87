//! Entries as CSV, which no spreadsheet takes for formulas.

use std::borrow::Cow;
use std::io::{self, Write};

use crate::domain::audit::AuditRecord;

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

/// A text that a spreadsheet would take for a formula gets a `'` in front, and so does one that has it already: who reads
/// the file takes one off where there is one.
fn harmless(text: &str) -> Cow<'_, str> {
    let begins_a_formula = |c: char| {
        // The wide forms count as the narrow ones in some languages.
        matches!(c, '=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠' | '\'') || c.is_control()
    };
    let first = text.chars().find(|c| !matches!(c, ' ' | '\u{A0}' | '\u{FEFF}'));
    if first.is_some_and(begins_a_formula) {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("=1+1", "'=1+1")]
    #[case("+49 30 1234", "'+49 30 1234")]
    #[case("-1", "'-1")]
    #[case("@SUM(A1)", "'@SUM(A1)")]
    #[case(" =cmd|' /C calc'!A0", "' =cmd|' /C calc'!A0")]
    #[case("\t=1", "'\t=1")]
    #[case("\r=1", "'\r=1")]
    #[case("＝1", "'＝1")]
    #[case("'=1", "''=1")]
    #[case("Ann", "Ann")]
    #[case("a=1", "a=1")]
    #[case("{\"a\":\"=1\"}", "{\"a\":\"=1\"}")]
    #[case("", "")]
    fn o61_no_cell_is_a_formula(#[case] text: &str, #[case] cell: &str) {
        assert_eq!(harmless(text), cell);
        assert_eq!(cell.strip_prefix('\'').unwrap_or(cell), text);
    }
}
