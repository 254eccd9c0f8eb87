//! Reads the TOML file into keys with their texts and lines, without judging the values.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A key of the file, in dotted form, with its text.
pub struct Entry {
    /// Such as `http.listen`.
    pub name: String,
    /// The scalar as text, or what stands there instead.
    pub value: Result<String, &'static str>,
    /// Counted from 1.
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

fn entry(text: &str, name: String, start: usize, value: &Spanned<DeValue<'_>>) -> Entry {
    let value = match value.get_ref() {
        DeValue::String(value) => Ok(value.to_string()),
        DeValue::Integer(value) if value.radix() == 10 => Ok(value.as_str().to_owned()),
        DeValue::Boolean(value) => Ok(value.to_string()),
        other => Err(other.type_str()),
    };
    Entry {
        name,
        value,
        line: line_of(text, start),
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}
