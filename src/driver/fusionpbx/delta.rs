//! What differs between two staged generations, by their lines: of a large box nearly all are the same, and are not read.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::staged::{Generation, Texts, quoted};
use crate::domain::artifact::Artifact;
use crate::domain::fusionpbx_row::{FusionRow, FusionTable};

/// The rows in which two generations differ.
pub struct Delta {
    /// As the former one has them.
    pub former: Generation,
    /// As the wanted one has them.
    pub wanted: Generation,
    /// Rows that are the same in both, which the others are of: domains, and extensions of settings.
    pub context: Vec<FusionRow>,
}

impl Delta {
    /// Compares.
    pub fn between(former: &Texts, wanted: &Texts) -> std::io::Result<Self> {
        let nothing = String::new();
        let (mut old, mut new) = (Generation::default(), Generation::default());
        for (artifact, text) in wanted {
            let before = former.get(artifact).unwrap_or(&nothing);
            let (gone, come) = differing(before, text);
            old.add(*artifact, gone)?;
            new.add(*artifact, come)?;
        }
        let context = context(wanted, &old, &new)?;
        Ok(Self {
            former: old,
            wanted: new,
            context,
        })
    }
}

/// The lines that only one of two texts has.
fn differing<'a>(before: &'a str, after: &'a str) -> (Vec<&'a str>, Vec<&'a str>) {
    let (before, after): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    // A tenant keeps its place: what lies before and behind those that moved is the same.
    let same = |(one, other): &(&&str, &&str)| one == other;
    let head = before.iter().zip(&after).take_while(same).count();
    let (before, after) = (rest(&before, head), rest(&after, head));
    let tail = before
        .iter()
        .rev()
        .zip(after.iter().rev())
        .take_while(same)
        .count();
    let (before, after) = (but_last(before, tail), but_last(after, tail));
    let both: HashSet<&str> = before.iter().copied().collect();
    let both: HashSet<&str> = after.iter().copied().filter(|line| both.contains(line)).collect();
    let own = |lines: &[&'a str]| {
        lines
            .iter()
            .copied()
            .filter(|line| !both.contains(line))
            .collect()
    };
    (own(before), own(after))
}

fn rest<T>(all: &[T], from: usize) -> &[T] {
    all.get(from..).unwrap_or_default()
}

fn but_last<T>(all: &[T], count: usize) -> &[T] {
    all.get(..all.len() - count).unwrap_or_default()
}

/// The rows that differ are of these, which do not.
fn context(wanted: &Texts, old: &Generation, new: &Generation) -> std::io::Result<Vec<FusionRow>> {
    let moved = || old.rows.iter().chain(&new.rows);
    let ids: BTreeSet<_> = moved().map(|row| (row.table, row.id)).collect();
    let domains: BTreeSet<&str> = moved().filter_map(|row| row.text("domain_uuid")).collect();
    let settings = moved().filter(|row| row.table == FusionTable::ExtensionSettings);
    let owners: BTreeSet<&str> = settings.filter_map(|row| row.text("extension_uuid")).collect();
    // All users of a domain that is another one are other ones.
    let renamed = moved().filter(|row| row.table == FusionTable::Domains);
    let renamed: BTreeSet<String> = renamed.map(|row| row.id.to_string()).collect();
    let is_wanted = |line: &str| match quoted(line, "{\"table\":\"").zip(quoted(line, ",\"id\":\"")) {
        Some((table, id)) if table == FusionTable::Domains.as_str() => domains.contains(id),
        Some((table, id)) if table == FusionTable::Extensions.as_str() => {
            let domain = || quoted(line, "\"domain_uuid\":\"");
            owners.contains(id) || (!renamed.is_empty() && domain().is_some_and(|id| renamed.contains(id)))
        }
        _ => false,
    };
    let mut context = Generation::default();
    let artifact = Artifact::ExtensionRows;
    let lines = wanted
        .get(&artifact)
        .map(|text| text.lines())
        .into_iter()
        .flatten();
    context.add(artifact, lines.filter(|line| is_wanted(line)))?;
    context.rows.retain(|row| !ids.contains(&(row.table, row.id)));
    Ok(context.rows)
}

/// How many rows a generation has, and its markers, without reading the rows.
pub fn outline(texts: &Texts) -> std::io::Result<(usize, BTreeMap<Artifact, String>)> {
    let mut outline = Generation::default();
    let mut lines = 0;
    for (artifact, text) in texts {
        lines += text.lines().count();
        let markers = text.lines().filter(|line| line.starts_with("{\"marker\":"));
        outline.add(*artifact, markers)?;
    }
    Ok((lines - outline.markers.len(), outline.markers))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::super::choices::Choices;
    use super::super::difference::{Difference, Rows, as_found};
    use super::super::touched::Touched;
    use super::*;

    fn line(table: FusionTable, id: u128, values: &Value) -> String {
        let row = json!({"table": table, "id": Uuid::from_u128(id), "values": values});
        let row: FusionRow = serde_json::from_value(row).unwrap();
        serde_json::to_string(&row).unwrap() + "\n"
    }

    /// By the number of a domain its name, and by that of an extension its number, its name and its secret.
    type State = BTreeMap<u8, (u8, BTreeMap<u8, (u8, u8, u8)>)>;

    fn texts(state: &State) -> Texts {
        let mut text = String::new();
        for (domain, (name, extensions)) in state {
            let domain_uuid = Uuid::from_u128(u128::from(*domain) + 1000);
            let values = json!({"domain_name": format!("d{domain}{name}.example.com")});
            text += &line(FusionTable::Domains, domain_uuid.as_u128(), &values);
            for (extension, (number, name, secret)) in extensions {
                let id = u128::from(*domain) * 10 + u128::from(*extension);
                let extension_uuid = Uuid::from_u128(id);
                let values = json!({"description": name.to_string(), "domain_uuid": domain_uuid,
                    "extension": format!("10{extension}{number}")});
                text += &line(FusionTable::Extensions, id, &values);
                let values = json!({"domain_uuid": domain_uuid, "extension_uuid": extension_uuid,
                    "extension_setting_value": secret.to_string()});
                text += &line(FusionTable::ExtensionSettings, id, &values);
            }
        }
        text += "{\"marker\":\"sy-1\"}\n";
        Texts::from([(Artifact::ExtensionRows, text)])
    }

    fn rows(texts: &Texts) -> Vec<FusionRow> {
        let mut all = Generation::default();
        for (artifact, text) in texts {
            all.add(*artifact, text.lines()).unwrap();
        }
        all.rows
    }

    fn found(rows: &[FusionRow]) -> Rows {
        rows.iter()
            .map(|row| ((row.table, row.id), as_found(row)))
            .collect()
    }

    /// What differs, by ids, and what FreeSWITCH is told of.
    fn seen(found: &Rows, wanted: &[FusionRow]) -> ([Vec<(FusionTable, Uuid)>; 3], Touched) {
        let difference = Difference::between(found, wanted, &Choices::all());
        let ids = |rows: &mut dyn Iterator<Item = (FusionTable, Uuid)>| {
            let mut ids: Vec<_> = rows.collect();
            ids.sort_unstable();
            ids
        };
        let nowhere = BTreeMap::new();
        let touched = Touched::by(found, wanted, &difference, &nowhere, Touched::default(), false);
        let differ = [
            ids(&mut difference.missing.iter().map(|row| (row.table, row.id))),
            ids(&mut difference.other.iter().map(|(row, _)| (row.table, row.id))),
            ids(&mut difference.surplus.iter().map(|(table, id, _)| (*table, *id))),
        ];
        (differ, touched)
    }

    fn states() -> impl Strategy<Value = State> {
        let extensions = proptest::collection::btree_map(0_u8..5, (0_u8..2, 0_u8..2, 0_u8..2), 0..5);
        proptest::collection::btree_map(0_u8..4, (0_u8..2, extensions), 0..4)
    }

    proptest! {
        /// What nobody reads changes nothing.
        #[test]
        fn the_lines_that_differ_say_the_same_as_all_of_them(before in states(), after in states()) {
            let (before, after) = (texts(&before), texts(&after));
            let delta = Delta::between(&before, &after).unwrap();
            let context = delta.context;
            let mut there = found(&delta.former.rows);
            there.extend(found(&context));
            let mut wanted = delta.wanted.rows;
            wanted.extend(context);
            prop_assert_eq!(seen(&there, &wanted), seen(&found(&rows(&before)), &rows(&after)));
        }
    }

    #[test]
    fn what_is_the_same_is_left_out_but_for_what_differing_rows_are_of() {
        let extensions =
            |secret| (0..5).map(move |number| (number, (0, 0, if number == 3 { secret } else { 0 })));
        let state = |secret| {
            let domain = |number| {
                (
                    number,
                    (0, extensions(if number == 2 { secret } else { 0 }).collect()),
                )
            };
            texts(&(0..4).map(domain).collect())
        };
        let delta = Delta::between(&state(0), &state(1)).unwrap();
        assert_eq!((delta.former.rows.len(), delta.wanted.rows.len()), (1, 1));
        // The domain, and the extension whose secret it is.
        assert_eq!(delta.context.len(), 2);
        assert_eq!(outline(&state(1)).unwrap().0, 4 * (1 + 2 * 5));
        let same = Delta::between(&state(0), &state(0)).unwrap();
        assert!(same.wanted.rows.is_empty() && same.context.is_empty());
    }
}
