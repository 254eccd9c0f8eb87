//! Extensions as a CSV file: the first row names the fields, each other row is one extension.

use std::io::{self, Read};

use csv::{ByteRecord, ReaderBuilder, Terminator, Trim};
use serde_json::{Map, Value};
use thiserror::Error;

use super::extension_import::{MOST_ROWS, Row};
use crate::domain::extension_input::ExtensionInput;
use crate::domain::invalid::{FieldErrors, Invalid};

/// How a cell is read.
#[derive(Clone, Copy)]
enum Cell {
    Text,
    Number,
    Flag,
    /// Parted by blanks.
    Words,
}

/// Every column, by the name that the field has in requests.
const COLUMNS: [(&str, Cell); 18] = [
    ("number", Cell::Text),
    ("name", Cell::Text),
    ("status", Cell::Text),
    ("secret", Cell::Text),
    ("caller_id.name", Cell::Text),
    ("caller_id.number", Cell::Text),
    ("voicemail.enabled", Cell::Flag),
    ("voicemail.pin", Cell::Text),
    ("voicemail.email", Cell::Text),
    ("forward.always", Cell::Text),
    ("forward.busy", Cell::Text),
    ("forward.no_answer", Cell::Text),
    ("ring_time", Cell::Number),
    ("recording", Cell::Text),
    ("max_contacts", Cell::Number),
    ("codecs", Cell::Words),
    ("transport", Cell::Text),
    ("outbound_class", Cell::Text),
];

/// The columns that no file can do without.
const REQUIRED: [&str; 2] = ["number", "name"];

/// The longest file: more than the most rows with every field written out.
const LONGEST: u64 = 16 * 1024 * 1024;
/// How much of a name that is no column's is shown.
const SHOWN_NAME: usize = 40;
/// How many such names are shown.
const SHOWN_NAMES: usize = 10;

/// Why a file has no rows that could be looked at one by one.
#[derive(Debug, Error)]
pub enum CsvError {
    /// The system refused it.
    #[error("it cannot be read")]
    Open(#[from] io::Error),
    /// It is something else than a table.
    #[error(
        "line {line} is not UTF-8 text; what is expected is a CSV file, whose first row names the columns (`number,name,…`): \
         save the table as \"CSV UTF-8\""
    )]
    NotText {
        /// The first line that is none.
        line: usize,
    },
    /// It is far too long for a table.
    #[error("it has more than {} MiB; split it", LONGEST / 1024 / 1024)]
    TooLarge,
    /// It is no CSV.
    #[error("the file cannot be read as CSV")]
    Read(#[from] csv::Error),
    /// A column would be ignored.
    #[error("unknown column(s) {names}; the columns are {known}, parted by commas")]
    UnknownColumns {
        /// What stands there.
        names: String,
        /// What could be meant.
        known: String,
    },
    /// Two columns for one field.
    #[error("the column `{0}` stands there twice")]
    Twice(&'static str),
    /// No row could be good.
    #[error("the first row must name the columns, and `{0}` is not among them")]
    Lacks(&'static str),
    /// Too much for one import.
    #[error("the file has more than {MOST_ROWS} rows; split it")]
    TooLong,
}

/// The rows of a file; what is wrong with one of them stands in its place.
///
/// An empty cell is an absent field, a row of empty cells is none. A byte-order mark and Windows' line ends are fine.
pub fn read(file: impl Read) -> Result<Vec<Row>, CsvError> {
    let text = text(file)?;
    let mut reader = ReaderBuilder::new()
        .flexible(true)
        // By default a row of Windows ends before its line feed, and the next one's line is counted wrong.
        .terminator(Terminator::Any(b'\n'))
        .trim(Trim::All)
        .from_reader(text.as_bytes());
    let columns = columns(reader.byte_headers()?)?;
    let mut rows = Vec::new();
    let mut record = ByteRecord::new();
    while reader.read_byte_record(&mut record)? {
        if record.iter().all(<[u8]>::is_empty) {
            continue;
        }
        if rows.len() == MOST_ROWS {
            return Err(CsvError::TooLong);
        }
        let line = record.position().map_or(0, csv::Position::line);
        let input = row(&columns, &record);
        let number = input.as_ref().ok().and_then(|input| input.number.clone());
        rows.push(Row { line, number, input });
    }
    Ok(rows)
}

/// The whole file, which must be text.
fn text(file: impl Read) -> Result<String, CsvError> {
    let mut bytes = Vec::new();
    file.take(LONGEST + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > LONGEST {
        return Err(CsvError::TooLarge);
    }
    let good = match str::from_utf8(&bytes) {
        Ok(text) => text.find('\0'),
        Err(error) => Some(error.valid_up_to()),
    };
    match good {
        None => String::from_utf8(bytes).map_err(|_| CsvError::NotText { line: 1 }),
        Some(end) => {
            let breaks = bytes.iter().take(end).filter(|byte| **byte == b'\n').count();
            Err(CsvError::NotText { line: breaks + 1 })
        }
    }
}

/// The known columns in the order of the file.
fn columns(header: &ByteRecord) -> Result<Vec<(&'static str, Cell)>, CsvError> {
    let mut columns: Vec<(&'static str, Cell)> = Vec::new();
    let mut unknown = Vec::new();
    for cell in header {
        let name = String::from_utf8_lossy(cell);
        match COLUMNS.iter().find(|(column, _)| *column == name) {
            None => {
                let shown: String = name
                    .chars()
                    .take(SHOWN_NAME)
                    .flat_map(char::escape_debug)
                    .collect();
                unknown.push(format!("`{shown}`"));
            }
            Some((column, _)) if columns.iter().any(|(other, _)| other == column) => {
                return Err(CsvError::Twice(column));
            }
            Some(column) => columns.push(*column),
        }
    }
    if !unknown.is_empty() {
        let more = unknown.len().saturating_sub(SHOWN_NAMES);
        unknown.truncate(SHOWN_NAMES);
        if more > 0 {
            unknown.push(format!("and {more} more"));
        }
        return Err(CsvError::UnknownColumns {
            names: unknown.join(", "),
            known: COLUMNS.map(|(name, _)| name).join(", "),
        });
    }
    let lacking = |name: &&&str| !columns.iter().any(|(column, _)| column == *name);
    match REQUIRED.iter().find(lacking) {
        Some(name) => Err(CsvError::Lacks(name)),
        None => Ok(columns),
    }
}

fn row(columns: &[(&'static str, Cell)], record: &ByteRecord) -> Result<ExtensionInput, FieldErrors> {
    if record.len() != columns.len() {
        let reason = format!(
            "must have {} cells, as the first row, not {}",
            columns.len(),
            record.len()
        );
        return Err(FieldErrors::one("row", reason));
    }
    let mut errors = FieldErrors::default();
    let mut fields = Map::new();
    for ((name, cell), bytes) in columns.iter().zip(record) {
        if let Some(Some(value)) = errors.take(name, value(*cell, bytes)) {
            insert(&mut fields, name, value);
        }
    }
    errors.check()?;
    serde_json::from_value(Value::Object(fields)).map_err(|error| FieldErrors::one("row", error.to_string()))
}

/// The value of a cell; none when it is empty.
fn value(cell: Cell, bytes: &[u8]) -> Result<Option<Value>, Invalid> {
    let text = str::from_utf8(bytes).map_err(|_| Invalid::new("must be UTF-8; save the file as that"))?;
    if text.is_empty() {
        return Ok(None);
    }
    let value = match cell {
        Cell::Text => text.into(),
        Cell::Number => text
            .parse::<i64>()
            .map_err(|_| Invalid::new("must be a whole number"))?
            .into(),
        Cell::Flag => flag(text)?.into(),
        Cell::Words => text.split_whitespace().collect::<Vec<_>>().into(),
    };
    Ok(Some(value))
}

/// Spreadsheets write `TRUE`, people write `yes`.
fn flag(text: &str) -> Result<bool, Invalid> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" => Ok(true),
        "false" | "no" | "0" => Ok(false),
        _ => Err(Invalid::new("must be `true` or `false`")),
    }
}

/// Puts a value at its dotted name, which has at most one dot.
fn insert(fields: &mut Map<String, Value>, name: &str, value: Value) {
    match name.split_once('.') {
        None => {
            fields.insert(name.to_owned(), value);
        }
        Some((group, name)) => {
            let group = fields.entry(group).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(group) = group {
                group.insert(name.to_owned(), value);
            }
        }
    }
}

#[cfg(test)]
mod tests;
