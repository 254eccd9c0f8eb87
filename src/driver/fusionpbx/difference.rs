//! What differs between the rows that are there and those that should be, as a pure function.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use uuid::Uuid;

use super::choices::Choices;
use crate::domain::fusionpbx_row::{FusionRow, FusionTable, FusionValue};

/// A row of ours as the database has it: the columns that we write, as JSON.
pub type Found = Map<String, Value>;
/// The rows of ours that are there.
pub type Rows = BTreeMap<(FusionTable, Uuid), Found>;

/// What makes the one the other.
#[derive(Default)]
pub struct Difference<'a> {
    /// Not there.
    pub missing: Vec<&'a FusionRow>,
    /// There with other values in columns of ours; the row as it is beside it.
    pub other: Vec<(&'a FusionRow, &'a Found)>,
    /// There, and of no use.
    pub surplus: Vec<(FusionTable, Uuid, &'a Found)>,
}

impl<'a> Difference<'a> {
    /// Compares. `choices`: which of those that are people's are compared too.
    pub fn between(found: &'a Rows, wanted: &'a [FusionRow], choices: &Choices) -> Self {
        Places::between(found, wanted, choices).difference(found, wanted)
    }
}

/// A difference by the places of its rows, which can be moved while nobody looks at them.
#[derive(Default)]
pub struct Places {
    missing: Vec<usize>,
    other: Vec<usize>,
    surplus: Vec<(FusionTable, Uuid)>,
}

impl Places {
    /// Compares.
    pub fn between(found: &Rows, wanted: &[FusionRow], choices: &Choices) -> Self {
        let mut places = Self::default();
        let mut unseen: BTreeMap<_, _> = found.iter().collect();
        for (at, row) in wanted.iter().enumerate() {
            match unseen.remove(&(row.table, row.id)) {
                None => places.missing.push(at),
                Some(there) if is_same(row, there, choices) => {}
                Some(_) => places.other.push(at),
            }
        }
        places.surplus.extend(unseen.into_keys());
        places
    }

    /// The rows at these places.
    pub fn difference<'a>(&self, found: &'a Rows, wanted: &'a [FusionRow]) -> Difference<'a> {
        let row = |at: &usize| wanted.get(*at);
        let there = |table, id| found.get(&(table, id));
        let both = |row: &'a FusionRow| Some((row, there(row.table, row.id)?));
        let surplus = self.surplus.iter();
        Difference {
            missing: self.missing.iter().filter_map(row).collect(),
            other: self.other.iter().filter_map(row).filter_map(both).collect(),
            surplus: surplus
                .filter_map(|(table, id)| Some((*table, *id, there(*table, *id)?)))
                .collect(),
        }
    }
}

/// A row of ours as the database has it once it is written, but for what is not ours.
pub fn as_found(row: &FusionRow) -> Found {
    let values = row.values.iter().map(|(column, value)| {
        let value = serde_json::to_value(value).unwrap_or_default();
        (column.as_str().to_owned(), value)
    });
    values.collect()
}

/// Whether a row has the values of ours; a column that this version of FusionPBX does not have cannot differ.
fn is_same(wanted: &FusionRow, found: &Found, choices: &Choices) -> bool {
    wanted.values.iter().all(|(column, value)| {
        // An empty password is refused beside a hash (measured); of none at all nobody has seen it.
        let must_be_text = column.as_str() == "password";
        !choices.has(wanted, column)
            || found
                .get(column.as_str())
                .is_none_or(|there| is_value(value, there) && !(must_be_text && there.is_null()))
    })
}

/// FusionPBX keeps a flag as a boolean or as a word, and a number as a number or as a text, depending on its version. It
/// takes NULL for the empty text, and its pages write the one or the other.
pub fn is_value(wanted: &FusionValue, found: &Value) -> bool {
    match (wanted, found) {
        (FusionValue::Null, Value::Null) => true,
        (FusionValue::Null, Value::String(found)) => found.is_empty(),
        (FusionValue::Text(wanted), Value::Null) => wanted.is_empty(),
        (FusionValue::Flag(wanted), Value::Bool(found)) => wanted == found,
        (FusionValue::Flag(wanted), Value::String(found)) => found == if *wanted { "true" } else { "false" },
        (FusionValue::Number(wanted), Value::Number(found)) => found.as_i64() == Some(*wanted),
        (FusionValue::Number(wanted), Value::String(found)) => *found == wanted.to_string(),
        (FusionValue::Text(wanted), Value::String(found)) => wanted == found,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    fn row(id: u128, enabled: bool) -> FusionRow {
        FusionRow {
            table: FusionTable::Extensions,
            id: Uuid::from_u128(id),
            values: BTreeMap::from([("enabled".parse().unwrap(), FusionValue::Flag(enabled))]),
        }
    }

    fn found(rows: &[(u128, Value)]) -> Rows {
        let row = |(id, row): &(u128, Value)| {
            let key = (FusionTable::Extensions, Uuid::from_u128(*id));
            (key, row.as_object().unwrap().clone())
        };
        rows.iter().map(row).collect()
    }

    #[test]
    fn what_is_missing_other_and_surplus_is_told_apart() {
        let there = found(&[
            (1, json!({"enabled": true, "description": "theirs"})),
            (2, json!({"enabled": "false"})),
            (9, json!({"enabled": true})),
        ]);
        let wanted = [row(1, true), row(2, true), row(3, true)];
        let difference = Difference::between(&there, &wanted, &Choices::all());
        let ids = |rows: &[&FusionRow]| rows.iter().map(|row| row.id.as_u128()).collect::<Vec<_>>();
        assert_eq!(ids(&difference.missing), [3]);
        assert_eq!(difference.other.len(), 1);
        assert_eq!(difference.surplus.len(), 1);
        let same = [row(1, true), row(2, false), row(9, true)];
        let difference = Difference::between(&there, &same, &Choices::all());
        assert!(
            difference.missing.is_empty() && difference.other.is_empty() && difference.surplus.is_empty()
        );
    }

    #[test]
    fn a_password_that_somebody_made_nothing_of_is_another_one() {
        let mut wanted = row(1, true);
        wanted.values = ["password", "description"]
            .map(|column| (column.parse().unwrap(), FusionValue::Text(String::new())))
            .into();
        for (values, same) in [
            (json!({"password": "", "description": null}), true),
            (json!({"password": null, "description": ""}), false),
        ] {
            assert_eq!(
                is_same(&wanted, values.as_object().unwrap(), &Choices::none()),
                same
            );
        }
    }

    #[rstest]
    #[case(FusionValue::Flag(true), json!("true"), true)]
    #[case(FusionValue::Flag(true), json!(true), true)]
    #[case(FusionValue::Flag(true), json!(null), false)]
    #[case(FusionValue::Flag(false), json!(""), false)]
    #[case(FusionValue::Number(30), json!(30), true)]
    #[case(FusionValue::Number(30), json!("30"), true)]
    #[case(FusionValue::Number(30), json!(31), false)]
    #[case(FusionValue::Null, json!(null), true)]
    #[case(FusionValue::Null, json!(""), true)]
    #[case(FusionValue::Null, json!("1"), false)]
    #[case(FusionValue::Text(String::new()), json!(null), true)]
    #[case(FusionValue::Text("1".to_owned()), json!(null), false)]
    #[case(FusionValue::Text("1001".to_owned()), json!("1001"), true)]
    fn a_value_is_the_same_in_whatever_form_a_version_keeps_it(
        #[case] wanted: FusionValue,
        #[case] there: Value,
        #[case] same: bool,
    ) {
        assert_eq!(is_value(&wanted, &there), same);
    }
}
