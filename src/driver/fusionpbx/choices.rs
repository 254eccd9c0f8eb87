//! What people choose by their own phone: written with a new row, and later only where what is chosen here becomes another one.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::domain::fusionpbx_row::{FusionColumn, FusionRow, FusionTable};

/// Which of people's choices a write makes for them.
pub struct Choices(Option<BTreeMap<(FusionTable, Uuid), BTreeSet<String>>>);

impl Choices {
    /// All: it is not known what was written before.
    pub const fn all() -> Self {
        Self(None)
    }

    /// None: whatever they chose is right.
    pub const fn none() -> Self {
        Self(Some(BTreeMap::new()))
    }

    /// Those that differ between two states of ours.
    pub fn between(former: &[FusionRow], wanted: &[FusionRow]) -> Self {
        let former: BTreeMap<_, _> = former.iter().map(|row| ((row.table, row.id), row)).collect();
        let moved = wanted.iter().filter_map(|row| {
            let before = former.get(&(row.table, row.id));
            let differs = |column: &FusionColumn| {
                before.is_none_or(|before| before.values.get(column) != row.values.get(column))
            };
            let columns = row.values.keys().filter(|column| differs(column));
            let names: BTreeSet<String> = columns
                .filter_map(|column| column.choice().map(str::to_owned))
                .collect();
            (!names.is_empty()).then_some(((row.table, row.id), names))
        });
        Self(Some(moved.collect()))
    }

    /// Whether a column of a row that is there is ours to write.
    pub fn has(&self, row: &FusionRow, column: &FusionColumn) -> bool {
        let Some((choice, moved)) = column.choice().zip(self.0.as_ref()) else {
            return true;
        };
        let names = moved.get(&(row.table, row.id));
        names.is_some_and(|names| names.contains(choice))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(id: u128, always: Option<&str>, busy: Option<&str>) -> FusionRow {
        let values = json!({
            "enabled": true,
            "forward_all_destination": always, "forward_all_enabled": always.is_some(),
            "forward_busy_destination": busy, "forward_busy_enabled": busy.is_some(),
        });
        let row = json!({"table": "v_extensions", "id": Uuid::from_u128(id), "values": values});
        serde_json::from_value(row).unwrap()
    }

    fn written(choices: &Choices, row: &FusionRow) -> Vec<String> {
        let columns = row.values.keys().filter(|column| choices.has(row, column));
        columns.map(|column| column.as_str().to_owned()).collect()
    }

    #[test]
    fn what_is_ours_is_always_written_and_a_choice_whole_where_ours_is_another_one_or_new() {
        let former = [row(1, Some("1002"), None)];
        let wanted = [row(1, Some("1003"), None), row(2, None, None)];
        let choices = Choices::between(&former, &wanted);
        let all = ["enabled", "forward_all_destination", "forward_all_enabled"];
        // Its switch too, whatever somebody made of it: that of the former destination.
        assert_eq!(written(&choices, &wanted[0]), all);
        assert_eq!(written(&choices, &wanted[1]).len(), 5);
        assert_eq!(
            written(&Choices::between(&wanted, &wanted), &wanted[0]),
            ["enabled"]
        );
        assert_eq!(written(&Choices::none(), &wanted[0]), ["enabled"]);
        assert_eq!(written(&Choices::all(), &wanted[0]).len(), 5);
    }
}
