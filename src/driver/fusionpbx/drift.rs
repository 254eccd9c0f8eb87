//! What somebody did to our rows since they were written, as the files that they were written from.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use serde_json::{Map, Value};

use super::difference::{Difference, Found, Rows, is_value};
use super::staged::Generation;
use super::write::{self, Note};
use super::{FusionPbxDriver, asked};
use crate::domain::artifact::Artifact;
use crate::domain::fusionpbx_row::FusionRow;
use crate::driver::{Closeness, Drifted, DriverError, StagedFile};

const WHAT: &str = "comparing the rows";

/// Of files that are to be staged, those that should be unchanged and are not.
pub(super) async fn found(
    driver: &FusionPbxDriver,
    files: &BTreeMap<Artifact, StagedFile>,
) -> Result<BTreeMap<Artifact, Drifted>, DriverError> {
    let unchanged: BTreeSet<Artifact> = files
        .iter()
        .filter(|(_, file)| file.unchanged)
        .map(|(artifact, _)| *artifact)
        .collect();
    if unchanged.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut drifted = compare(driver, Closeness::Touched).await?;
    drifted.retain(|artifact, _| unchanged.contains(artifact));
    Ok(drifted)
}

/// The artifacts of which a row is not as it was written.
pub(super) async fn drifted(
    driver: &FusionPbxDriver,
    files: &BTreeMap<Artifact, StagedFile>,
    closeness: Closeness,
) -> Result<BTreeMap<Artifact, Drifted>, DriverError> {
    let mut drifted = compare(driver, closeness).await?;
    drifted.retain(|artifact, _| files.contains_key(artifact));
    Ok(drifted)
}

async fn compare(
    driver: &FusionPbxDriver,
    closeness: Closeness,
) -> Result<BTreeMap<Artifact, Drifted>, DriverError> {
    let Some((note, rows)) = state(driver, closeness).await? else {
        return Ok(BTreeMap::new());
    };
    let written = live(driver, &note).await?;
    let difference = Difference::between(&rows, &written.rows);
    let changed = difference.other.iter().map(|(row, _)| row.table);
    let surplus = difference.surplus.iter().map(|(table, ..)| *table);
    let missing = difference.missing.iter().map(|row| row.table);
    let mut drifted: BTreeMap<Artifact, Drifted> = changed
        .chain(surplus)
        .chain(missing)
        .map(|table| (table.artifact(), Drifted::Edited))
        .collect();
    for (artifact, how) in &mut drifted {
        let is_there = |table: &_| crate::domain::fusionpbx_row::FusionTable::artifact(*table) == *artifact;
        if !rows.keys().any(|(table, _)| is_there(table)) {
            *how = Drifted::Missing;
        }
    }
    Ok(drifted)
}

/// The note and the rows; `None` where nothing of ours stands, or nothing was touched and no closer look is wanted.
async fn state(driver: &FusionPbxDriver, closeness: Closeness) -> Result<Option<(Note, Rows)>, DriverError> {
    let failed = |error| asked(WHAT, error);
    let mut database = driver.database().await?;
    let note = write::note(&mut database, driver.owner).await.map_err(failed)?;
    let Some(note) = note else { return Ok(None) };
    if closeness == Closeness::Touched
        && !write::is_touched(&mut database, driver.owner, &note)
            .await
            .map_err(failed)?
    {
        return Ok(None);
    }
    let rows = write::rows(&mut database, driver.owner).await.map_err(failed)?;
    Ok(Some((note, rows)))
}

/// What was written: the generation that the note names, as it lies on this host.
async fn live(driver: &FusionPbxDriver, note: &Note) -> Result<Generation, DriverError> {
    driver.staged(note.generation).await
}

/// A text with what the database has in place of what was written, row by row; rows that were not written come last.
pub(super) async fn live_text(
    driver: &FusionPbxDriver,
    artifact: Artifact,
    limit: u64,
) -> Result<Option<String>, DriverError> {
    let Some((note, mut rows)) = state(driver, Closeness::Whole).await? else {
        return Ok(None);
    };
    rows.retain(|(table, _), _| table.artifact() == artifact);
    let path: PathBuf = driver.files.generation(note.generation).join(artifact.as_str());
    let written = driver
        .files
        .on_disk("reading the staged rows", move |_| fs::read_to_string(path))
        .await?;
    let mut text = String::with_capacity(written.len());
    for line in written.lines() {
        match serde_json::from_str::<FusionRow>(line) {
            Ok(row) => {
                if let Some(there) = rows.remove(&(row.table, row.id)) {
                    push(&mut text, &as_it_is(&row, &there));
                }
            }
            // The marker, which is noted, and no row.
            Err(_) => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    for ((table, id), row) in rows {
        let values: Map<String, Value> = row.into_iter().filter(|(_, value)| !value.is_null()).collect();
        push(&mut text, &serde_json::json!({"table": table, "id": id, "values": values}));
    }
    Ok(u64::try_from(text.len()).is_ok_and(|length| length <= limit).then_some(text))
}

fn push(text: &mut String, row: &Value) {
    text.push_str(&row.to_string());
    text.push('\n');
}

fn as_it_is(row: &FusionRow, there: &Found) -> Value {
    let values = row.values.iter().map(|(column, value)| {
        let found = there.get(column.as_str());
        let shown = match found {
            Some(found) if !is_value(value, found) => found.clone(),
            _ => serde_json::to_value(value).unwrap_or_default(),
        };
        (column.as_str().to_owned(), shown)
    });
    serde_json::json!({"table": row.table, "id": row.id, "values": values.collect::<Map<_, _>>()})
}
