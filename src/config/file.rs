//! Reads the TOML file into keys with their texts and lines, without judging the values.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A key of the file, in dotted form, with its text.
pub struct Entry {
    /// Such as `http.listen`; in a table of a list, the key alone.
    pub name: String,
    /// What stands there.
    pub value: Value,
    /// Counted from 1.
    pub line: usize,
}

/// What stands behind a key.
pub enum Value {
    /// A scalar, as text.
    Text(String),
    /// A list of tables.
    Tables(Vec<Table>),
    /// Something else, by its name.
    Other(&'static str),
}

/// One table of a list.
pub struct Table {
    /// Its keys.
    pub entries: Vec<Entry>,
    /// Where it begins, counted from 1.
    pub line: usize,
}

/// What keeps a file from being read at all.
pub struct SyntaxError {
    /// The parser's own words, without an excerpt: the line may hold a secret.
    pub message: String,
    /// Counted from 1.
    pub line: usize,
}

/// Every key of a file, in the order of their names.
pub fn entries(text: &str) -> Result<Vec<Entry>, SyntaxError> {
    let table = DeTable::parse(text).map_err(|error| SyntaxError {
        message: error.message().to_owned(),
        line: line_of(text, error.span().map_or(0, |span| span.start)),
    })?;
    let mut entries = Vec::new();
    for (section, value) in table.get_ref() {
        match value.get_ref() {
            DeValue::Table(keys) => {
                for (key, value) in keys {
                    let name = format!("{}.{}", section.get_ref(), key.get_ref());
                    entries.push(entry(text, name, key.span().start, value));
                }
            }
            _ => entries.push(entry(
                text,
                section.get_ref().to_string(),
                section.span().start,
                value,
            )),
        }
    }
    Ok(entries)
}

/// The tables that a variable holds, which are written as one value: `[{ name = "…" }]`.
pub fn tables(value: &str) -> Option<Vec<Table>> {
    let mut entries = entries(&format!("list = {value}")).ok()?;
    match (entries.pop()?.value, entries.is_empty()) {
        (Value::Tables(tables), true) => Some(tables),
        _ => None,
    }
}

fn entry(text: &str, name: String, start: usize, value: &Spanned<DeValue<'_>>) -> Entry {
    let value = match value.get_ref() {
        DeValue::String(value) => Value::Text(value.to_string()),
        DeValue::Integer(value) if value.radix() == 10 => Value::Text(value.as_str().to_owned()),
        DeValue::Boolean(value) => Value::Text(value.to_string()),
        DeValue::Array(items) => {
            let tables = items.iter().map(|item| table(text, item)).collect::<Option<_>>();
            tables.map_or(Value::Other("array"), Value::Tables)
        }
        other => Value::Other(other.type_str()),
    };
    Entry {
        name,
        value,
        line: line_of(text, start),
    }
}

fn table(text: &str, item: &Spanned<DeValue<'_>>) -> Option<Table> {
    let DeValue::Table(keys) = item.get_ref() else {
        return None;
    };
    let entries = keys
        .iter()
        .map(|(key, value)| entry(text, key.get_ref().to_string(), key.span().start, value));
    Some(Table {
        entries: entries.collect(),
        line: line_of(text, item.span().start),
    })
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}
