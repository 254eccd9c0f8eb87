//! What somebody did to our rows since they were written, as the files that they were written from.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::PathBuf;

use serde_json::{Map, Value};
use uuid::Uuid;

use super::FusionPbxDriver;
use super::choices::Choices;
use super::conflicts;
use super::database::asked;
use super::difference::{Difference, Found, Rows, is_value};
use super::note::{self, Note};
use super::read::{self, Columns, Count};
use super::write::Aside;
use crate::domain::artifact::Artifact;
use crate::domain::finding::Finding;
use crate::domain::fusionpbx_row::{FusionRow, FusionTable};
use crate::domain::instance::PbxKind;
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
    drifted.retain(|artifact, how| unchanged.contains(artifact) && *how != Drifted::Taken);
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

/// The artifacts of which a row is not as it was just written, as findings.
pub(super) async fn differing(driver: &FusionPbxDriver) -> Result<Vec<Finding>, DriverError> {
    let mut differing = compare(driver, Closeness::Touched).await?;
    // What somebody else has under our ids was not written.
    differing.retain(|_, how| *how != Drifted::Taken);
    let finding = |artifact: Artifact| {
        let message = "rows of it are not as they were written: somebody wrote to them meanwhile";
        Finding::error("rows_differ", message).about(artifact.as_str())
    };
    Ok(differing.into_keys().map(finding).collect())
}

async fn compare(
    driver: &FusionPbxDriver,
    closeness: Closeness,
) -> Result<BTreeMap<Artifact, Drifted>, DriverError> {
    let Some(note) = noted(driver, closeness).await? else {
        return Ok(BTreeMap::new());
    };
    let Some(mut written) = driver.staged(note.generation).await? else {
        // What was written is gone from this host, and nothing to compare with.
        let all = Artifact::of(PbxKind::FusionPbx).iter();
        return Ok(all.map(|artifact| (*artifact, Drifted::Lost)).collect());
    };
    // Whose rows are left alone has no drift that a deploy could mend.
    let aside = Aside::of(driver.left_alone(), &mut written.rows);
    let rows = rows(driver, &written.rows).await?;
    let rows = aside.besides(rows, &written.rows);
    let taken = taken(driver, &rows, &written.rows).await?;
    written.rows.retain(|row| !taken.contains(&(row.table, row.id)));
    let comparing = driver
        .files
        .on_disk(WHAT, move |_| Ok(apart(&rows, &written.rows)));
    let mut apart = comparing.await?;
    for (table, _) in taken {
        apart.entry(table.artifact()).or_insert(Drifted::Taken);
    }
    Ok(apart)
}

/// Of the rows that were written, those that are there as somebody else's.
async fn taken(
    driver: &FusionPbxDriver,
    rows: &Rows,
    written: &[FusionRow],
) -> Result<BTreeSet<(FusionTable, Uuid)>, DriverError> {
    let ids = written.iter().map(|row| (row.table, row.id));
    let missing: Vec<_> = ids.filter(|id| !rows.contains_key(id)).collect();
    if missing.is_empty() {
        return Ok(BTreeSet::new());
    }
    let mut connection = driver.database.open().await?;
    let found = conflicts::taken(&mut connection, missing);
    let found = driver.database.work(found).await;
    let found = found.map_err(|error| asked(WHAT, error))?;
    driver.database.keep(connection).await;
    Ok(found)
}

/// The artifacts of which a row is another one, less what people chose by their phones.
fn apart(rows: &Rows, written: &[FusionRow]) -> BTreeMap<Artifact, Drifted> {
    let difference = Difference::between(rows, written, &Choices::none());
    let changed = difference.other.iter().map(|(row, _)| row.table);
    let surplus = difference.surplus.iter().map(|(table, ..)| *table);
    let missing = difference.missing.iter().map(|row| row.table);
    let drifted: BTreeSet<Artifact> = changed
        .chain(surplus)
        .chain(missing)
        .map(FusionTable::artifact)
        .collect();
    let how = |artifact: Artifact| {
        let mut found = rows.keys().map(|(table, _)| table.artifact());
        if found.any(|found| found == artifact) {
            Drifted::Edited
        } else {
            Drifted::Missing
        }
    };
    drifted
        .into_iter()
        .map(|artifact| (artifact, how(artifact)))
        .collect()
}

/// The note; `None` where nothing of ours stands, or nothing was touched and no closer look is wanted.
async fn noted(driver: &FusionPbxDriver, closeness: Closeness) -> Result<Option<Note>, DriverError> {
    let mut connection = driver.database.open().await?;
    let looking = async {
        let Some(note) = note::read(&mut connection, driver.owner).await? else {
            return Ok(None);
        };
        let touched = match closeness {
            Closeness::Whole => None,
            Closeness::Touched => {
                let count = Count::read(&mut connection).await?;
                read::touched(&mut connection, driver.owner, &note, &count).await?
            }
        };
        Ok(Some((note, touched)))
    };
    let looked = driver.database.ask(looking).await;
    let looked = looked.map_err(|error| asked(WHAT, error))?;
    let note = match looked {
        Some((note, Some(touched))) => {
            let as_noted = driver.is_as_noted(&mut connection, &note, &touched);
            (!as_noted.await?).then_some(note)
        }
        Some((note, None)) => Some(note),
        None => None,
    };
    driver.database.keep(connection).await;
    Ok(note)
}

/// Our rows as they are, in the columns that were written.
async fn rows(driver: &FusionPbxDriver, written: &[FusionRow]) -> Result<Rows, DriverError> {
    let mut connection = driver.database.open().await?;
    let schema = driver.schema(&mut connection).await?;
    let columns = Columns::of(written, schema);
    let rows = read::rows(&mut connection, driver.owner, &columns);
    let rows = driver.database.work(rows).await;
    let rows = rows.map_err(|error| asked(WHAT, error))?;
    driver.database.keep(connection).await;
    Ok(rows)
}

/// A text with what the database has in place of what was written, row by row; rows that were not written come last.
pub(super) async fn live_text(
    driver: &FusionPbxDriver,
    artifact: Artifact,
    limit: u64,
) -> Result<Option<String>, DriverError> {
    let Some(note) = noted(driver, Closeness::Whole).await? else {
        return Ok(None);
    };
    let path: PathBuf = driver.files.generation(note.generation).join(artifact.as_str());
    let read = move |_| match fs::metadata(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Ok(written) if written.len() > limit => Ok(None),
        Err(error) => Err(error),
        Ok(_) => {
            let text = fs::read_to_string(&path)?;
            let lines = text.lines();
            let lines = lines.map(|line| serde_json::from_str(line).map_err(|_| line.to_owned()));
            Ok(Some(lines.collect::<Vec<Result<FusionRow, String>>>()))
        }
    };
    let Some(lines) = driver.files.on_disk("reading the staged rows", read).await? else {
        return Ok(None);
    };
    let ours: Vec<FusionRow> = lines.iter().flatten().cloned().collect();
    let mut rows = rows(driver, &ours).await?;
    rows.retain(|(table, _), _| table.artifact() == artifact);
    let text = driver
        .files
        .on_disk(WHAT, move |_| Ok(as_they_are(lines, rows)))
        .await?;
    Ok(u64::try_from(text.len())
        .is_ok_and(|length| length <= limit)
        .then_some(text))
}

/// `lines`: rows as they were written; what is none of them is the marker, which is noted.
fn as_they_are(lines: Vec<Result<FusionRow, String>>, mut rows: Rows) -> String {
    let mut text = String::new();
    for line in lines {
        match line {
            Ok(row) => {
                if let Some(there) = rows.remove(&(row.table, row.id)) {
                    push(&mut text, &as_it_is(&row, &there));
                }
            }
            Err(line) => {
                text.push_str(&line);
                text.push('\n');
            }
        }
    }
    for ((table, id), row) in rows {
        let values: Map<String, Value> = row.into_iter().filter(|(_, value)| !value.is_null()).collect();
        push(
            &mut text,
            &serde_json::json!({"table": table, "id": id, "values": values}),
        );
    }
    text
}

fn push(text: &mut String, row: &Value) {
    text.push_str(&row.to_string());
    text.push('\n');
}

fn as_it_is(row: &FusionRow, there: &Found) -> Value {
    let values = row.values.iter().map(|(column, value)| {
        let found = there.get(column.as_str());
        let shown = match found {
            Some(found) if column.choice().is_none() && !is_value(value, found) => found.clone(),
            _ => serde_json::to_value(value).unwrap_or_default(),
        };
        (column.as_str().to_owned(), shown)
    });
    serde_json::json!({"table": row.table, "id": row.id, "values": values.collect::<Map<_, _>>()})
}
