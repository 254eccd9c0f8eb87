//! The columns of a row, whichever its version has.

use serde_json::{Map, Value};

/// Columns by name; those that are NULL are left out.
pub type Columns = Map<String, Value>;

/// A text that says something.
pub fn text<'a>(row: &'a Columns, column: &str) -> Option<&'a str> {
    let text = row.get(column)?.as_str()?.trim();
    (!text.is_empty()).then_some(text)
}

/// A text as it is, blanks at its ends too: they are a part of a password.
pub fn exact<'a>(row: &'a Columns, column: &str) -> Option<&'a str> {
    row.get(column)?.as_str().filter(|text| !text.is_empty())
}

/// A flag is a boolean, or from before version 5.5 a word.
pub fn flag(row: &Columns, column: &str) -> bool {
    match row.get(column) {
        Some(Value::Bool(flag)) => *flag,
        Some(Value::String(word)) => word == "true",
        _ => false,
    }
}

/// A number, or a text that holds one.
pub fn number_of(row: &Columns, column: &str) -> Option<i64> {
    match row.get(column)? {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}
