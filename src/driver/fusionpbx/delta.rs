//! What differs between two staged generations, by their lines: of a large box nearly all are the same, and are not read.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use memchr::memchr_iter;

use super::staged::{Generation, Texts, is_of, lines_with, quoted};
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
    // A tenant keeps its place: what lies before and behind those that moved is the same.
    let head = head(before.as_bytes(), after.as_bytes());
    let (before, after) = (from(before, head), from(after, head));
    let tail = tail(before.as_bytes(), after.as_bytes());
    let (before, after) = (but_last(before, tail), but_last(after, tail));
    let (before, after): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let both: HashSet<&str> = before.iter().copied().collect();
    let both: HashSet<&str> = after.iter().copied().filter(|line| both.contains(line)).collect();
    let own = |lines: &[&'a str]| {
        lines
            .iter()
            .copied()
            .filter(|line| !both.contains(line))
            .collect()
    };
    (own(before.as_slice()), own(after.as_slice()))
}

/// Bytes that are compared at a time.
const BLOCK: usize = 4096;

/// The bytes of the whole lines with which both texts begin.
fn head(one: &[u8], other: &[u8]) -> usize {
    let blocks = one.chunks(BLOCK).zip(other.chunks(BLOCK));
    let same: usize = blocks
        .map_while(|(one, other)| (one == other).then_some(one.len()))
        .sum();
    let rest = one.iter().skip(same).zip(other.iter().skip(same));
    let same = same + rest.take_while(|(one, other)| one == other).count();
    let lines = one.get(..same).unwrap_or_default();
    lines
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |end| end + 1)
}

/// The bytes of the whole lines with which both texts end.
fn tail(one: &[u8], other: &[u8]) -> usize {
    let blocks = one.rchunks(BLOCK).zip(other.rchunks(BLOCK));
    let same: usize = blocks
        .map_while(|(one, other)| (one == other).then_some(one.len()))
        .sum();
    let rest = one.iter().rev().skip(same).zip(other.iter().rev().skip(same));
    let same = same + rest.take_while(|(one, other)| one == other).count();
    // The first of these lines may be the end of two that differ.
    let lines = one.get(one.len() - same..).unwrap_or_default();
    let begin = lines
        .iter()
        .position(|byte| *byte == b'\n')
        .map_or(same, |end| end + 1);
    same - begin
}

fn from(text: &str, at: usize) -> &str {
    text.get(at..).unwrap_or_default()
}

fn but_last(text: &str, count: usize) -> &str {
    text.get(..text.len() - count).unwrap_or_default()
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
    let has_id =
        |line: &str, ids: &BTreeSet<&str>| quoted(line, ",\"id\":\"").is_some_and(|id| ids.contains(id));
    let is_wanted = |line: &str| {
        if is_of(line, FusionTable::Extensions) {
            let domain = || quoted(line, "\"domain_uuid\":\"");
            has_id(line, &owners) || (!renamed.is_empty() && domain().is_some_and(|id| renamed.contains(id)))
        } else {
            is_of(line, FusionTable::Domains) && has_id(line, &domains)
        }
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

/// How the line of a marker begins.
const MARKER: &str = "{\"marker\":";

/// How many rows a generation has, and its markers, without reading the rows.
pub fn outline(texts: &Texts) -> std::io::Result<(usize, BTreeMap<Artifact, String>)> {
    let mut outline = Generation::default();
    let mut lines = 0;
    for (artifact, text) in texts {
        lines += memchr_iter(b'\n', text.as_bytes()).count();
        let markers = lines_with(text, MARKER).filter(|line| line.starts_with(MARKER));
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
