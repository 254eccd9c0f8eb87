//! Between rows and domain types: what a column holds is parsed again when it is read.

use std::borrow::Cow;
use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgTypeInfo, PgValueRef};
use sqlx::sqlite::{SqliteTypeInfo, SqliteValueRef};
use sqlx::types::Json;
use sqlx::{Decode, Postgres, Sqlite, Type};
use uuid::Uuid;

use super::error::StoreError;
use crate::domain::ids::TenantId;
use crate::domain::invalid::Invalid;

/// A JSON column as it is read: parsed later and once, when the row's id is at hand for the error.
pub(super) struct RawJson(String);

impl Type<Sqlite> for RawJson {
    fn type_info() -> SqliteTypeInfo {
        <Json<()> as Type<Sqlite>>::type_info()
    }

    fn compatible(column: &SqliteTypeInfo) -> bool {
        <Json<()> as Type<Sqlite>>::compatible(column)
    }
}

impl<'r> Decode<'r, Sqlite> for RawJson {
    fn decode(value: SqliteValueRef<'r>) -> Result<Self, BoxDynError> {
        <String as Decode<'r, Sqlite>>::decode(value).map(Self)
    }
}

impl Type<Postgres> for RawJson {
    fn type_info() -> PgTypeInfo {
        <Json<()> as Type<Postgres>>::type_info()
    }

    fn compatible(column: &PgTypeInfo) -> bool {
        <Json<()> as Type<Postgres>>::compatible(column)
    }
}

impl<'r> Decode<'r, Postgres> for RawJson {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        // It knows the forms that PostgreSQL sends.
        let Json(text) = <Json<&'r RawValue> as Decode<'r, Postgres>>::decode(value)?;
        Ok(Self(text.get().to_owned()))
    }
}

/// The row that columns are read from, for the error that names it.
pub(super) struct Origin<I> {
    pub(super) table: &'static str,
    pub(super) id: I,
}

impl<I: Display> Origin<I> {
    /// A text that has a type of its own.
    pub(super) fn text<T: FromStr<Err = Invalid>>(&self, column: &str, text: &str) -> Result<T, StoreError> {
        text.parse()
            .map_err(|invalid: Invalid| self.corrupt(column, invalid))
    }

    /// A JSON value.
    pub(super) fn json<T: DeserializeOwned>(&self, column: &str, json: &RawJson) -> Result<T, StoreError> {
        serde_json::from_str(&json.0).map_err(|error| self.corrupt(column, error))
    }

    /// A time in microseconds.
    pub(super) fn time(&self, column: &str, micros: i64) -> Result<Timestamp, StoreError> {
        Timestamp::from_microsecond(micros).map_err(|error| self.corrupt(column, error))
    }

    /// What is wrong with a column.
    pub(super) fn corrupt(&self, column: &str, reason: impl Display) -> StoreError {
        StoreError::Corrupt {
            table: self.table,
            id: self.id.to_string(),
            what: format!("{column}: {reason}"),
        }
    }
}

/// A time that is so much later, as it is stored.
pub(super) fn later(now: Timestamp, by: Duration) -> i64 {
    now.as_microsecond()
        .saturating_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX))
}

/// A free text as both databases can hold it: PostgreSQL refuses NUL.
pub(super) fn storable(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        Cow::Owned(text.replace('\0', "\u{FFFD}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// A JSON value as both databases can hold it.
pub(super) fn to_json(what: &'static str, value: &impl Serialize) -> Result<Json<Value>, StoreError> {
    let mut value = serde_json::to_value(value).map_err(|source| StoreError::Unwritable { what, source })?;
    make_storable(&mut value);
    Ok(Json(value))
}

/// The same as text, which reads back byte by byte.
pub(super) fn to_json_text(what: &'static str, value: &impl Serialize) -> Result<String, StoreError> {
    to_json(what, value).map(|Json(value)| value.to_string())
}

fn make_storable(value: &mut Value) {
    match value {
        Value::String(text) if text.contains('\0') => *text = storable(text).into_owned(),
        Value::Array(items) => items.iter_mut().for_each(make_storable),
        Value::Object(fields) => fields.values_mut().for_each(make_storable),
        _ => {}
    }
}

/// The lower-case form that names are searched and sorted by.
pub(super) fn name_key(name: &str) -> String {
    name.to_lowercase()
}

/// The pattern that finds `search` anywhere in a [`name_key`], with the wildcards in it taken literally.
pub(super) fn search_pattern(search: Option<&str>) -> Option<String> {
    let search = storable(search?).to_lowercase();
    let literal = search
        .replace('\\', "\\\\")
        .replace('%', "\\%")
        .replace('_', "\\_");
    Some(format!("%{literal}%"))
}

/// Before when a page's rows are: a cursor's own words are no bound of an index, and all before its page would be read.
pub(super) fn until(to: Option<Timestamp>, at: i64) -> i64 {
    to.map_or(i64::MAX, Timestamp::as_microsecond)
        .min(at.saturating_add(1))
}

/// Ids strung together, in their own order.
pub(super) fn ids<I: Ord>(text: Option<&str>, id: impl Fn(Uuid) -> I) -> Vec<I> {
    let uuids = text
        .unwrap_or_default()
        .split(' ')
        .filter_map(|text| Uuid::parse_str(text).ok());
    let mut ids: Vec<I> = uuids.map(id).collect();
    ids.sort();
    // Several parts have one channel.
    ids.dedup();
    ids
}

/// Tenants for a statement that passes over them: as SQLite writes the bytes of an id, with commas between them.
pub(super) fn listed(tenants: &[TenantId]) -> String {
    let ids: Vec<String> = tenants
        .iter()
        .map(|id| format!("{:X}", id.uuid().simple()))
        .collect();
    ids.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_are_searched_for_themselves() {
        assert_eq!(
            search_pattern(Some("50%_\\É")).as_deref(),
            Some("%50\\%\\_\\\\é%")
        );
        assert_eq!(search_pattern(None), None);
    }

    #[test]
    fn nul_is_replaced_wherever_it_stands() {
        let json = to_json("x", &serde_json::json!({"a": ["b\0", {"c": "\0"}]})).unwrap();
        assert_eq!(json.0, serde_json::json!({"a": ["b\u{FFFD}", {"c": "\u{FFFD}"}]}));
    }

    #[test]
    fn a11_a_page_behind_a_cursor_reads_nothing_that_is_before_it() {
        let to = Timestamp::from_microsecond(50).ok();
        // What began together with the last of the page before is told apart by its id.
        assert_eq!(until(to, 30), 31);
        assert_eq!(until(None, 30), 31);
        assert_eq!(until(to, 70), 50);
        assert_eq!(until(None, i64::MAX), i64::MAX);
    }
}
