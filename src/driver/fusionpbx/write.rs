//! Makes our rows what they should be, in one transaction under a lock that whoever else does so takes too.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::conflicts::{self, Moving};
use super::difference::{Difference, Found, Rows, as_found};
use super::insert::insert;
use super::note::{self, Note, Owner};
use super::schema::Schema;
use super::touched::Touched;
use crate::domain::artifact::Artifact;
use crate::domain::finding::Finding;
use crate::domain::fusionpbx_row::{FusionRow, FusionTable};

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
    /// Whether all of it is as it was written.
    pub is_as_noted: bool,
    since: String,
}

impl Ground {
    /// Takes the lock for the transaction, and looks.
    pub async fn read(transaction: &mut PgConnection, owner: Owner) -> sqlx::Result<Self> {
        sqlx::query(LOCK).execute(&mut *transaction).await?;
        let former = note::read(transaction, owner).await?;
        let since = "select mod(txid_snapshot_xmin(txid_current_snapshot()), 4294967296)::text";
        let since = sqlx::query_scalar(since).fetch_one(&mut *transaction).await?;
        let is_as_noted = match &former {
            Some(note) => !is_touched(transaction, owner, note).await?,
            None => false,
        };
        Ok(Self {
            former,
            is_as_noted,
            since,
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
    wanted: &Wanted,
    everything: bool,
) -> sqlx::Result<Result<Written, Vec<Finding>>> {
    let found = match &wanted.differing {
        None => rows(transaction, owner).await?,
        Some(ids) => {
            let mut found = rows_of(transaction, owner, ids).await?;
            let same = wanted
                .rows
                .iter()
                .filter(|row| !ids.contains(&(row.table, row.id)));
            found.extend(same.map(|row| ((row.table, row.id), as_found(row))));
            found
        }
    };
    let found = besides(found, &wanted.aside);
    let mut difference = Difference::between(&found, &wanted.rows);
    let (taken, mut warnings) = conflicts::of_ids(transaction, &difference.missing).await?;
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
        let other = difference.other.iter().map(|(row, _)| *row);
        for (columns, rows) in alike(schema, *table, other) {
            update(transaction, owner, *table, &columns, &rows).await?;
        }
        for (columns, rows) in alike(schema, *table, difference.missing.iter().copied()) {
            insert(transaction, owner, *table, &columns, &rows).await?;
        }
    }
    let written = difference.missing.iter().copied();
    let moving = Moving::of(written.chain(difference.other.iter().map(|(row, _)| *row)));
    warnings.extend(conflicts::beside(transaction, owner, &moving).await?);
    if !wanted.comes_back && warnings.iter().any(Finding::is_error) {
        return Ok(Err(warnings));
    }
    // Rows of ours without a note: somebody took it, and what FreeSWITCH was told of with it.
    let everything = everything || (ground.former.is_none() && !found.is_empty());
    let untold = ground.former.map(|note| note.untold).unwrap_or_default();
    let note = Note {
        generation: wanted.number,
        markers: wanted.markers.clone(),
        rows: wanted.count,
        transaction: note::transaction(transaction).await?,
        since: ground.since,
        untold: Touched::by(&found, &wanted.rows, &difference, untold, everything),
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

/// Our rows as they are, the note aside.
pub async fn rows(connection: &mut PgConnection, owner: Owner) -> sqlx::Result<Rows> {
    let mut rows = Rows::new();
    for table in FusionTable::ALL {
        let id = table.id_column();
        let sql = format!("select {id}, to_jsonb(t) from {table} t where insert_user = $1 and {id} <> $2");
        let found: Vec<(Uuid, Json<Found>)> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(owner.uuid())
            .bind(owner.note())
            .fetch_all(&mut *connection)
            .await?;
        rows.extend(found.into_iter().map(|(id, row)| ((*table, id), row.0)));
    }
    Ok(rows)
}

/// Those of them that have these ids.
async fn rows_of(
    connection: &mut PgConnection,
    owner: Owner,
    ids: &BTreeSet<(FusionTable, Uuid)>,
) -> sqlx::Result<Rows> {
    let mut rows = Rows::new();
    for table in FusionTable::ALL {
        let ids: Vec<Uuid> = ids
            .iter()
            .filter(|(of, _)| of == table)
            .map(|(_, id)| *id)
            .collect();
        if ids.is_empty() {
            continue;
        }
        let id = table.id_column();
        let sql =
            format!("select {id}, to_jsonb(t) from {table} t where {id} = any ($2) and insert_user = $1");
        let found: Vec<(Uuid, Json<Found>)> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(owner.uuid())
            .bind(ids)
            .fetch_all(&mut *connection)
            .await?;
        rows.extend(found.into_iter().map(|(id, row)| ((*table, id), row.0)));
    }
    Ok(rows)
}

/// Whether rows of ours may have been written, added or removed since the note. It sees who wrote, not what, and costs no
/// more than reading past them.
///
/// A transaction that had not ended when the note's looked at the rows may have written one after that.
pub async fn is_touched(connection: &mut PgConnection, owner: Owner, note: &Note) -> sqlx::Result<bool> {
    let tables = FusionTable::ALL.iter().map(|table| {
        format!(
            "select count(*), bool_or(age(xmin) <= age($3::text::xid) and xmin <> $2::text::xid) from {table} \
             where insert_user = $1 and {} <> $4",
            table.id_column()
        )
    });
    let tables = tables.collect::<Vec<_>>().join(" union all ");
    let sql = format!(
        "select coalesce(sum(n), 0)::bigint, coalesce(bool_or(later), false) from ({tables}) t (n, later)"
    );
    let (count, later): (i64, bool) = sqlx::query_as(AssertSqlSafe(sql))
        .bind(owner.uuid())
        .bind(&note.transaction)
        .bind(&note.since)
        .bind(owner.note())
        .fetch_one(connection)
        .await?;
    Ok(later || usize::try_from(count) != Ok(note.rows))
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

async fn update(
    connection: &mut PgConnection,
    owner: Owner,
    table: FusionTable,
    columns: &BTreeSet<&str>,
    rows: &[&FusionRow],
) -> sqlx::Result<()> {
    let id = table.id_column();
    let set: Vec<String> = columns
        .iter()
        .map(|column| format!("{column} = s.{column}"))
        .collect();
    let sql = format!(
        "update {table} t set {}, update_date = now(), update_user = $2 \
         from jsonb_populate_recordset(null::{table}, $1) s where t.{id} = s.{id} and t.insert_user = $2",
        set.join(", ")
    );
    let query = sqlx::query(AssertSqlSafe(sql))
        .bind(objects(table, rows))
        .bind(owner.uuid());
    query.execute(connection).await.map(drop)
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

/// The rows of a table by the columns that they and this version of FusionPBX have: one that an earlier version of this
/// program rendered may have others.
fn alike<'a>(
    schema: &Schema,
    table: FusionTable,
    rows: impl Iterator<Item = &'a FusionRow>,
) -> BTreeMap<BTreeSet<&'a str>, Vec<&'a FusionRow>> {
    let mut alike = BTreeMap::<_, Vec<_>>::new();
    for row in rows.filter(|row| row.table == table) {
        let columns = row.values.keys().map(AsRef::as_ref);
        let columns: BTreeSet<&str> = columns.filter(|column| schema.has(table, column)).collect();
        alike.entry(columns).or_default().push(row);
    }
    alike
}
