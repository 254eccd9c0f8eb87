//! Makes our rows what they should be, in one transaction under a lock that whoever else does so takes too.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::choices::Choices;
use super::conflicts::{self, Moving};
use super::difference::{Difference, Found, Places, Rows, as_found};
use super::insert::{insert, objects};
use super::note::{self, Note, Owner};
use super::read::{self, Columns, Count};
use super::schema::Schema;
use super::touched::Touched;
use crate::domain::artifact::Artifact;
use crate::domain::finding::Finding;
use crate::domain::fusionpbx_row::{FusionColumn, FusionRow, FusionTable};

/// Two of us never write at once; of the database, and of nobody else's business in it.
const LOCK: &str = "select pg_advisory_xact_lock(7310593858020254331)";

/// Rows that are made into text at a time: nobody else is served on this thread meanwhile.
const AT_A_TIME: usize = 1_000;

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
    /// What is not touched, whatever stands there.
    pub aside: Aside,
    /// Whether it is what stood there before: then nothing keeps it away, and what is served says how far it came.
    pub comes_back: bool,
}

impl Wanted {
    /// Leaves the rows of tenants aside.
    pub fn without(mut self, tenants: BTreeSet<Uuid>) -> Self {
        self.aside = Aside::of(tenants, &mut self.rows);
        if let Some(ids) = &mut self.differing {
            ids.retain(|id| !self.aside.rows.contains(id));
        }
        self
    }
}

/// Tenants of which nothing is touched.
#[derive(Default)]
pub struct Aside {
    tenants: BTreeSet<Uuid>,
    /// Their rows as they were written, wherever somebody may have moved them.
    rows: BTreeSet<(FusionTable, Uuid)>,
}

impl Aside {
    /// Takes the rows of tenants out of all that are wanted.
    pub fn of(tenants: BTreeSet<Uuid>, rows: &mut Vec<FusionRow>) -> Self {
        let mut aside = BTreeSet::new();
        if !tenants.is_empty() {
            rows.retain(|row| {
                let is_aside = row.tenant().is_some_and(|tenant| tenants.contains(&tenant));
                if is_aside {
                    aside.insert((row.table, row.id));
                }
                !is_aside
            });
        }
        Self { tenants, rows: aside }
    }

    /// The rows that are there, less those of these tenants. One that is wanted of another tenant may have been moved to them.
    pub fn besides(&self, mut found: Rows, wanted: &[FusionRow]) -> Rows {
        if self.tenants.is_empty() {
            return found;
        }
        let wanted: BTreeSet<_> = wanted.iter().map(|row| (row.table, row.id)).collect();
        found.retain(|(table, id), row| {
            let domain = row.get("domain_uuid").and_then(Value::as_str);
            let tenant = match table {
                FusionTable::Domains => Some(*id),
                _ => domain.and_then(|id| id.parse().ok()),
            };
            let is_theirs = tenant.is_some_and(|tenant| self.tenants.contains(&tenant));
            !self.rows.contains(&(*table, *id)) && (!is_theirs || wanted.contains(&(*table, *id)))
        });
        found
    }
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
    let found = wanted.aside.besides(found, &wanted.rows);
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
        let of_table = |row: &&FusionRow| row.table == *table;
        let other = difference.other.iter().map(|(row, _)| *row);
        let other: Vec<&FusionRow> = other.filter(of_table).collect();
        let mut updated = BTreeSet::new();
        for some in other.chunks(AT_A_TIME) {
            for (columns, rows) in alike(some, is_ours) {
                updated.extend(update(transaction, owner, *table, &columns, &rows).await?);
            }
        }
        let missing = difference.missing.iter().copied().filter(of_table);
        // What somebody removed since it was read is as missing as the others.
        let removed = other.iter().copied().filter(|row| !updated.contains(&row.id));
        let missing: Vec<&FusionRow> = missing.chain(removed).collect();
        for some in missing.chunks(AT_A_TIME) {
            for (columns, rows) in alike(some, is_there) {
                insert(transaction, owner, *table, &columns, &rows).await?;
            }
        }
    }
    let written = difference.missing.iter().copied();
    let written = written.chain(difference.other.iter().map(|(row, _)| *row));
    let moving = Moving::of(written, &wanted.rows);
    warnings.extend(conflicts::beside(transaction, owner, &moving).await?);
    warnings.extend(conflicts::of_settings(transaction, &orphans).await?);
    if !wanted.comes_back && warnings.iter().any(Finding::is_error) {
        return Ok(Err(warnings));
    }
    let mut untold = compared.touched.clone();
    untold.silent_domains = read::silent(transaction, untold.domains_that_lost_somebody()).await?;
    let note = Note {
        generation: wanted.number,
        markers: wanted.markers.clone(),
        rows: wanted.count,
        transaction: note::transaction(transaction).await?,
        since: ground.count.ended,
        cluster: ground.count.cluster,
        untold,
    };
    note::put(transaction, owner, &note).await?;
    Ok(Ok(Written {
        rows: difference.missing.len() + difference.other.len() + difference.surplus.len(),
        note,
        orphans: orphans.into_iter().collect(),
        warnings,
    }))
}

/// The settings that are of no use and of no extension that stays.
fn orphans(difference: &Difference<'_>, wanted: &[FusionRow]) -> BTreeSet<Uuid> {
    if difference.surplus.is_empty() {
        return BTreeSet::new();
    }
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

/// Removes settings of extensions that are gone. One that stands there all the same keeps them: without them anybody could
/// sign in.
pub async fn remove_settings(
    connection: &mut PgConnection,
    owner: Owner,
    orphans: Vec<Uuid>,
) -> sqlx::Result<()> {
    let sql = "delete from v_extension_settings s where s.extension_setting_uuid = any ($1) and s.insert_user = $2 \
        and not exists (select 1 from v_extensions e where e.extension_uuid = s.extension_uuid)";
    let query = sqlx::query(sql).bind(orphans).bind(owner.uuid());
    query.execute(connection).await.map(drop)
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

/// Rows by those of their columns that are written: one that an earlier version of this program rendered may
/// have others than the rest, and so may one of which somebody chose a forward.
fn alike<'a>(
    rows: &[&'a FusionRow],
    is_written: impl Fn(&FusionRow, &FusionColumn) -> bool,
) -> BTreeMap<BTreeSet<&'a str>, Vec<&'a FusionRow>> {
    let mut alike = BTreeMap::<_, Vec<_>>::new();
    for row in rows {
        let columns = row.values.keys().filter(|column| is_written(row, column));
        let columns: BTreeSet<&str> = columns.map(AsRef::as_ref).collect();
        alike.entry(columns).or_default().push(*row);
    }
    alike
}
