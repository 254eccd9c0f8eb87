//! All rows as they are, to prove that what is not ours was not touched.

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, PgPool};

use super::tables;

/// The rows of each table, as PostgreSQL writes them: NULL and the empty text differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot(BTreeMap<&'static str, Vec<String>>);

impl Snapshot {
    pub(super) async fn of(pool: &PgPool) -> Self {
        let mut all = BTreeMap::new();
        for table in tables::names() {
            let sql = format!("select t::text from {table} t order by t::text collate \"C\"");
            all.insert(
                table,
                sqlx::query_scalar(AssertSqlSafe(sql))
                    .fetch_all(pool)
                    .await
                    .unwrap(),
            );
        }
        Self(all)
    }

    /// The rows of one table.
    pub fn rows(&self, table: &str) -> &[String] {
        &self.0[table]
    }

    /// The rows that are no longer as they were in `later`, each with its table before it.
    pub fn missing_in(&self, later: &Self) -> Vec<String> {
        let mut missing = Vec::new();
        for (table, rows) in &self.0 {
            let mut left = later.rows(table).to_vec();
            for row in rows {
                match left.iter().position(|other| other == row) {
                    Some(at) => drop(left.swap_remove(at)),
                    None => missing.push(format!("{table} {row}")),
                }
            }
        }
        missing
    }
}
