//! Our rows as they are: of each the columns that we write and no others, which may be long.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::difference::{Found, Rows};
use super::note::{Note, Owner};
use super::schema::Schema;
use crate::domain::fusionpbx_row::{FusionRow, FusionTable};

/// What a row is of, whichever of our columns a generation has.
const ADDRESS: [(FusionTable, &[&str]); 5] = [
    (FusionTable::Domains, &["domain_name", "domain_enabled"]),
    (
        FusionTable::Extensions,
        &["domain_uuid", "extension", "number_alias", "enabled"],
    ),
    (FusionTable::ExtensionSettings, &["domain_uuid", "extension_uuid"]),
    (FusionTable::Voicemails, &["domain_uuid", "voicemail_id"]),
    (FusionTable::Dialplans, &["domain_uuid", "dialplan_context"]),
];

/// The columns that are read of each table.
pub struct Columns(BTreeMap<FusionTable, BTreeSet<String>>);

impl Columns {
    /// Those that these rows and the database have.
    pub fn of(rows: &[FusionRow], schema: &Schema) -> Self {
        let mut columns: BTreeMap<FusionTable, BTreeSet<String>> = ADDRESS
            .iter()
            .map(|(table, names)| (*table, names.iter().map(|name| (*name).to_owned()).collect()))
            .collect();
        let mut seen: BTreeMap<FusionTable, &FusionRow> = BTreeMap::new();
        for row in rows {
            let before = seen.insert(row.table, row);
            if before.is_some_and(|before| before.values.keys().eq(row.values.keys())) {
                continue;
            }
            let names = row.values.keys().map(|column| column.as_str().to_owned());
            columns.entry(row.table).or_default().extend(names);
        }
        for (table, of_table) in &mut columns {
            of_table.retain(|column| schema.has(*table, column));
        }
        Self(columns)
    }

    /// Every row of a table for which `condition` holds, and no other column of it.
    fn select(&self, table: FusionTable, condition: &str) -> String {
        let id = table.id_column();
        let names = self.0.get(&table).into_iter().flatten();
        let names: Vec<&str> = names.map(String::as_str).filter(|name| *name != id).collect();
        let names = names.join(", ");
        format!(
            "select {id}, to_jsonb(r) - '{id}' from (select {id}, {names} from {table} where {condition}) r"
        )
    }
}

/// Our rows as they are, the note aside.
pub async fn rows(connection: &mut PgConnection, owner: Owner, columns: &Columns) -> sqlx::Result<Rows> {
    let mut rows = Rows::new();
    for table in FusionTable::ALL {
        let condition = format!("insert_user = $1 and {} <> $2", table.id_column());
        let sql = columns.select(*table, &condition);
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
pub async fn rows_of(
    connection: &mut PgConnection,
    owner: Owner,
    columns: &Columns,
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
        let condition = format!("{} = any ($2) and insert_user = $1", table.id_column());
        let sql = columns.select(*table, &condition);
        let found: Vec<(Uuid, Json<Found>)> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(owner.uuid())
            .bind(ids)
            .fetch_all(&mut *connection)
            .await?;
        rows.extend(found.into_iter().map(|(id, row)| ((*table, id), row.0)));
    }
    Ok(rows)
}

/// The names of domains of others that rows of ours were moved into: they are served there until those are put back.
pub async fn strayed(connection: &mut PgConnection, rows: &Rows) -> sqlx::Result<BTreeMap<Uuid, String>> {
    let own = |id: &Uuid| rows.contains_key(&(FusionTable::Domains, *id));
    let domains = rows.values().filter_map(|row| row.get("domain_uuid")?.as_str());
    let strange: BTreeSet<Uuid> = domains
        .filter_map(|id| id.parse().ok())
        .filter(|id| !own(id))
        .collect();
    if strange.is_empty() {
        return Ok(BTreeMap::new());
    }
    let sql = "select domain_uuid, domain_name from v_domains where domain_uuid = any ($1) and domain_name is not null";
    let named: Vec<(Uuid, String)> = sqlx::query_as(sql)
        .bind(strange.into_iter().collect::<Vec<_>>())
        .fetch_all(connection)
        .await?;
    Ok(named.into_iter().collect())
}

/// Those of these domains in which nobody is served any more, of ours or of others.
pub async fn silent(
    connection: &mut PgConnection,
    domains: BTreeSet<&str>,
) -> sqlx::Result<BTreeSet<String>> {
    if domains.is_empty() {
        return Ok(BTreeSet::new());
    }
    let sql = "select name from unnest($1::text[]) name where not exists (select 1 from v_domains d \
          join v_extensions e on e.domain_uuid = d.domain_uuid where d.domain_name = name and e.enabled::text = 'true')";
    let names: Vec<&str> = domains.into_iter().collect();
    let silent: Vec<String> = sqlx::query_scalar(sql).bind(names).fetch_all(connection).await?;
    Ok(silent.into_iter().collect())
}

/// Where a database is in its count of transactions.
pub struct Count {
    /// Every transaction before this one has ended.
    pub ended: i64,
    /// The database that counts: another server, which ours was restored on, counts otherwise.
    pub cluster: String,
}

impl Count {
    /// As of now.
    pub async fn read(connection: &mut PgConnection) -> sqlx::Result<Self> {
        let sql = "select txid_snapshot_xmin(txid_current_snapshot()), system_identifier::text from pg_control_system()";
        let (ended, cluster) = sqlx::query_as(sql).fetch_one(connection).await?;
        Ok(Self { ended, cluster })
    }

    /// Whether what a row says of its transaction can be compared with what is noted: a row tells it without the upper half,
    /// and another server counts from elsewhere.
    fn is_comparable(&self, note: &Note) -> bool {
        let since = self.ended.checked_sub(note.since);
        self.cluster == note.cluster && since.is_some_and(|since| (0..LONGEST).contains(&since))
    }
}

/// Half of what a row can tell.
const LONGEST: i64 = 1 << 31;

/// More rows than these are not looked at one by one.
const FEW: usize = 500;

/// The rows of ours that may have been written since the note; `None` where any may have been, or some were added or removed, or
/// they are too many. It sees who wrote, not what, and costs no more than reading past them.
///
/// A transaction that had not ended when the note's looked at the rows may have written one after that.
pub async fn touched(
    connection: &mut PgConnection,
    owner: Owner,
    note: &Note,
    count: &Count,
) -> sqlx::Result<Option<BTreeSet<(FusionTable, Uuid)>>> {
    if !count.is_comparable(note) {
        return Ok(None);
    }
    let tables = FusionTable::ALL.iter().map(|table| {
        let id = table.id_column();
        format!(
            "select '{table}' as t, count(*) as n, array_agg({id}) filter (where xmin <> $2::text::xid \
             and age(xmin) <= age($3::text::xid)) as later from {table} where insert_user = $1 and {id} <> $4"
        )
    });
    let sql = tables.collect::<Vec<_>>().join(" union all ");
    let tables: Vec<(String, i64, Option<Vec<Uuid>>)> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(owner.uuid())
        .bind(as_in_a_row(note.transaction))
        .bind(as_in_a_row(note.since))
        .bind(owner.note())
        .fetch_all(connection)
        .await?;
    let rows: i64 = tables.iter().map(|(_, rows, _)| rows).sum();
    let ids = tables.into_iter().flat_map(|(table, _, later)| {
        let table = table.parse::<FusionTable>();
        let later = later.unwrap_or_default().into_iter();
        later.filter_map(move |id| Some((table.as_ref().ok().copied()?, id)))
    });
    let ids: BTreeSet<_> = ids.collect();
    let all_there = usize::try_from(rows) == Ok(note.rows);
    Ok(Some(ids).filter(|ids| all_there && ids.len() <= FEW))
}

/// A transaction as a row tells of it: by the lower half of the count. PostgreSQL takes the few that are none for older than
/// any, so that all rows are looked at.
fn as_in_a_row(transaction: i64) -> String {
    (transaction & 0xffff_ffff).to_string()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::at_once("one", 5_000, true)]
    #[case::another_server("other", 5_000, false)]
    #[case::one_that_counted_less("one", 4_999, false)]
    #[case::as_far_as_a_row_can_tell("one", 5_000 + LONGEST, false)]
    #[case::not_as_far("one", 4_999 + LONGEST, true)]
    fn what_a_row_says_is_compared_with_a_note_of_the_same_count_only(
        #[case] cluster: &str,
        #[case] ended: i64,
        #[case] comparable: bool,
    ) {
        let note = Note {
            generation: 1,
            markers: BTreeMap::new(),
            rows: 0,
            transaction: 5_001,
            since: 5_000,
            cluster: "one".to_owned(),
            untold: super::super::touched::Touched::default(),
        };
        let count = Count {
            ended,
            cluster: cluster.to_owned(),
        };
        assert_eq!(count.is_comparable(&note), comparable);
    }
}
