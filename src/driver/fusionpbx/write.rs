//! Makes our rows what they should be, in one transaction under a lock that whoever else does so takes too.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::choices::Choices;
use super::conflicts::{self, Moving};
use super::difference::{Difference, Found, Places, Rows, as_found};
use super::insert::insert;
use super::note::{self, Note, Owner};
use super::read::{self, Columns, Count};
use super::schema::Schema;
use super::touched::Touched;
use crate::domain::artifact::Artifact;
use crate::domain::finding::Finding;
use crate::domain::fusionpbx_row::{FusionColumn, FusionRow, FusionTable};

/// Two of us never write at once; of the database, and of nobody else's business in it.
const LOCK: &str = "select pg_advisory_xact_lock(7310593858020254331)";

/// What is to stand in the database.
pub struct Wanted {
    /// The number of its generation.
    pub number: i64,
    /// Its markers.
    pub markers: BTreeMap<Artifact, String>,
    /// How many rows it has in all.
    pub count: usize,
    /// Its rows, or those of them that may differ from what stands there, and those that these are of.
    pub rows: Vec<FusionRow>,
    /// Where it is not all of them: which may differ. Otherwise all of ours may.
    pub differing: Option<BTreeSet<(FusionTable, Uuid)>>,
    /// Which choices of people's are made for them.
    pub choices: Choices,
    /// Tenants of which nothing is touched, whatever stands there.
    pub aside: BTreeSet<Uuid>,
    /// Whether it is what stood there before: then nothing keeps it away, and what is served says how far it came.
    pub comes_back: bool,
}

impl Wanted {
    /// Leaves the rows of tenants aside.
    pub fn without(mut self, tenants: BTreeSet<Uuid>) -> Self {
        if let Some(ids) = &mut self.differing {
            // Those of a tenant that are gone are not touched either: they are told by the rows that are there.
            for row in self.rows.iter().filter(|row| is_of(row.tenant(), &tenants)) {
                ids.remove(&(row.table, row.id));
            }
        }
        self.rows.retain(|row| !is_of(row.tenant(), &tenants));
        self.aside = tenants;
        self
    }
}

fn is_of(tenant: Option<Uuid>, tenants: &BTreeSet<Uuid>) -> bool {
    tenant.is_some_and(|tenant| tenants.contains(&tenant))
}

/// What was written.
pub struct Written {
    /// How many rows are new, other ones, or gone.
    pub rows: usize,
    /// What stands in the database from now on, with what FreeSWITCH is to be told of.
    pub note: Note,
    /// Settings of extensions that are gone. They go once FreeSWITCH was told: a lookup that has read such an extension
    /// reads its settings next, and with an empty password and no hash anybody could sign in.
    pub orphans: Vec<Uuid>,
    /// What of others stands beside rows of ours that were not touched.
    pub warnings: Vec<Finding>,
}

/// What stands in the database before a write, under the lock.
pub struct Ground {
    /// What is noted.
    pub former: Option<Note>,
    /// The rows that somebody may have written to since; `None` where that is not known of each.
    pub touched: Option<BTreeSet<(FusionTable, Uuid)>>,
    count: Count,
}

impl Ground {
    /// Takes the lock for the transaction, and looks.
    pub async fn read(transaction: &mut PgConnection, owner: Owner) -> sqlx::Result<Self> {
        sqlx::query(LOCK).execute(&mut *transaction).await?;
        let former = note::read(transaction, owner).await?;
        let count = Count::read(transaction).await?;
        let touched = match &former {
            Some(note) => read::touched(transaction, owner, note, &count).await?,
            None => None,
        };
        Ok(Self {
            former,
            touched,
            count,
        })
    }
}

/// Writes what is wanted; the caller commits. `Err`: what stands in the way, and the caller takes it back. `everything`: it
/// is not known what FreeSWITCH has looked up last.
pub async fn write(
    transaction: &mut PgConnection,
    schema: &Schema,
    owner: Owner,
    ground: Ground,
    wanted: Wanted,
    everything: bool,
) -> sqlx::Result<Result<Written, Vec<Finding>>> {
    let columns = Columns::of(&wanted.rows, schema);
    let found = match &wanted.differing {
        None => read::rows(transaction, owner, &columns).await?,
        Some(ids) => {
            let mut found = read::rows_of(transaction, owner, &columns, ids).await?;
            let same = wanted
                .rows
                .iter()
                .filter(|row| !ids.contains(&(row.table, row.id)));
            found.extend(same.map(|row| ((row.table, row.id), as_found(row))));
            found
        }
    };
    let found = besides(found, &wanted.aside);
    let strayed = read::strayed(transaction, &found).await?;
    // Rows of ours without a note: somebody took it, and what FreeSWITCH was told of with it.
    let everything = everything || (ground.former.is_none() && !found.is_empty());
    let untold = ground.former.map(|note| note.untold).unwrap_or_default();
    let compared = Compared::of(found, wanted, strayed, untold, everything).await?;
    let Compared { found, wanted, .. } = &compared;
    let mut difference = compared.places.difference(found, &wanted.rows);
    let (taken, mut warnings) = conflicts::of_ids(transaction, &difference.missing, &wanted.rows).await?;
    if !wanted.comes_back && warnings.iter().any(Finding::is_error) {
        return Ok(Err(warnings));
    }
    difference
        .missing
        .retain(|row| !taken.contains(&(row.table, row.id)));
    let orphans = orphans(&difference, &wanted.rows);
    for table in FusionTable::ALL {
        let gone = difference.surplus.iter().filter(|(of, ..)| of == table);
        let gone = gone.map(|(_, id, _)| *id).filter(|id| !orphans.contains(id));
        delete(transaction, owner, *table, gone.collect()).await?;
        let is_there = |_: &FusionRow, column: &FusionColumn| schema.has(*table, column.as_str());
        let is_ours =
            |row: &FusionRow, column: &FusionColumn| is_there(row, column) && wanted.choices.has(row, column);
        let other = || difference.other.iter().map(|(row, _)| *row);
        let mut updated = BTreeSet::new();
        for (columns, rows) in alike(*table, other(), is_ours) {
            updated.extend(update(transaction, owner, *table, &columns, &rows).await?);
        }
        // What somebody removed since it was read is as missing as the others.
        let removed = other().filter(|row| !updated.contains(&row.id));
        let missing = difference.missing.iter().copied().chain(removed);
        for (columns, rows) in alike(*table, missing, is_there) {
            insert(transaction, owner, *table, &columns, &rows).await?;
        }
    }
    let written = difference.missing.iter().copied();
    let moving = Moving::of(written.chain(difference.other.iter().map(|(row, _)| *row)));
    warnings.extend(conflicts::beside(transaction, owner, &moving).await?);
    if !wanted.comes_back && warnings.iter().any(Finding::is_error) {
        return Ok(Err(warnings));
    }
    let note = Note {
        generation: wanted.number,
        markers: wanted.markers.clone(),
        rows: wanted.count,
        transaction: note::transaction(transaction).await?,
        since: ground.count.ended,
        cluster: ground.count.cluster,
        untold: compared.touched.clone(),
    };
    note::put(transaction, owner, &note).await?;
    Ok(Ok(Written {
        rows: difference.missing.len() + difference.other.len() + difference.surplus.len(),
        note,
        orphans: orphans.into_iter().collect(),
        warnings,
    }))
}

/// The rows that are there, less those of tenants that are left aside.
fn besides(mut found: Rows, aside: &BTreeSet<Uuid>) -> Rows {
    found.retain(|(table, id), row| {
        let domain = row.get("domain_uuid").and_then(Value::as_str);
        let tenant = match table {
            FusionTable::Domains => Some(*id),
            _ => domain.and_then(|id| id.parse().ok()),
        };
        !is_of(tenant, aside)
    });
    found
}

/// The settings that are of no use and of no extension that stays.
fn orphans(difference: &Difference<'_>, wanted: &[FusionRow]) -> BTreeSet<Uuid> {
    let extensions = wanted.iter().filter(|row| row.table == FusionTable::Extensions);
    let stay: BTreeSet<String> = extensions.map(|row| row.id.to_string()).collect();
    let stays = |row: &Found| {
        let extension = row.get("extension_uuid").and_then(Value::as_str);
        extension.is_some_and(|id| stay.contains(id))
    };
    let settings = difference.surplus.iter();
    let settings = settings.filter(|(table, _, row)| *table == FusionTable::ExtensionSettings && !stays(row));
    settings.map(|(_, id, _)| *id).collect()
}

/// Removes settings of extensions that are gone.
pub async fn remove_settings(
    connection: &mut PgConnection,
    owner: Owner,
    orphans: Vec<Uuid>,
) -> sqlx::Result<()> {
    delete(connection, owner, FusionTable::ExtensionSettings, orphans).await
}

/// What is there and what is wanted, compared.
struct Compared {
    found: Rows,
    wanted: Wanted,
    places: Places,
    touched: Touched,
}

impl Compared {
    /// Of a large box that takes long enough to keep others waiting.
    async fn of(
        found: Rows,
        wanted: Wanted,
        strayed: BTreeMap<Uuid, String>,
        untold: Touched,
        everything: bool,
    ) -> sqlx::Result<Self> {
        let comparing = spawn_blocking(move || {
            let places = Places::between(&found, &wanted.rows, &wanted.choices);
            let difference = places.difference(&found, &wanted.rows);
            let touched = Touched::by(&found, &wanted.rows, &difference, &strayed, untold, everything);
            Self {
                found,
                wanted,
                places,
                touched,
            }
        });
        comparing
            .await
            .map_err(|error| sqlx::Error::Protocol(format!("the rows could not be compared: {error}")))
    }
}

async fn delete(
    connection: &mut PgConnection,
    owner: Owner,
    table: FusionTable,
    ids: Vec<Uuid>,
) -> sqlx::Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "delete from {table} where {} = any ($1) and insert_user = $2",
        table.id_column()
    );
    let query = sqlx::query(AssertSqlSafe(sql)).bind(ids).bind(owner.uuid());
    query.execute(connection).await.map(drop)
}

/// Gives which of them were there.
async fn update(
    connection: &mut PgConnection,
    owner: Owner,
    table: FusionTable,
    columns: &BTreeSet<&str>,
    rows: &[&FusionRow],
) -> sqlx::Result<Vec<Uuid>> {
    let id = table.id_column();
    let set: Vec<String> = columns
        .iter()
        .map(|column| format!("{column} = s.{column}"))
        .collect();
    let sql = format!(
        "update {table} t set {}, update_date = now(), update_user = $2 \
         from jsonb_populate_recordset(null::{table}, $1) s where t.{id} = s.{id} and t.insert_user = $2 returning t.{id}",
        set.join(", ")
    );
    let query = sqlx::query_scalar(AssertSqlSafe(sql))
        .bind(objects(table, rows))
        .bind(owner.uuid());
    query.fetch_all(connection).await
}

/// PostgreSQL makes of each value what its column is: of `true` a boolean, or the word where the column is a text.
fn objects(table: FusionTable, rows: &[&FusionRow]) -> Value {
    let object = |row: &&FusionRow| {
        let mut object = json!(row.values);
        if let Some(object) = object.as_object_mut() {
            object.insert(table.id_column().to_owned(), json!(row.id));
        }
        object
    };
    rows.iter().map(object).collect()
}

/// The rows of a table by those of their columns that are written: one that an earlier version of this program rendered may
/// have others than the rest, and so may one of which somebody chose a forward.
fn alike<'a>(
    table: FusionTable,
    rows: impl Iterator<Item = &'a FusionRow>,
    is_written: impl Fn(&FusionRow, &FusionColumn) -> bool,
) -> BTreeMap<BTreeSet<&'a str>, Vec<&'a FusionRow>> {
    let mut alike = BTreeMap::<_, Vec<_>>::new();
    for row in rows.filter(|row| row.table == table) {
        let columns = row.values.keys().filter(|column| is_written(row, column));
        let columns: BTreeSet<&str> = columns.map(AsRef::as_ref).collect();
        alike.entry(columns).or_default().push(row);
    }
    alike
}
