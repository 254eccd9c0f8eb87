//! What is left of somebody: every row of a database, and every file below a directory, that names them.

use std::path::Path;

use super::database::Backend::{Postgres, Sqlite};
use super::database::Bench;

/// What an entry of the audit log says; what else it holds stays for good.
const PAYLOAD: [&str; 7] = [
    "actor_name",
    "before",
    "after",
    "reason",
    "request_id",
    "address",
    "agent",
];

/// Every row of every table that names one of these texts, as `table: row`.
pub async fn rows_that_name(database: &Bench, texts: &[String]) -> Vec<String> {
    that_name(&all_rows(database).await, texts)
}

/// The tables with rows that name one of these texts, each once.
pub async fn tables_that_name(database: &Bench, texts: &[&str]) -> Vec<String> {
    let texts: Vec<String> = texts.iter().map(|text| text.to_lowercase()).collect();
    let rows = rows_that_name(database, &texts).await;
    let mut tables: Vec<String> = rows
        .iter()
        .map(|row| row.split(':').next().unwrap().to_owned())
        .collect();
    tables.sort();
    tables.dedup();
    tables
}

/// Those of the rows that name one of these texts.
pub fn that_name(rows: &[String], texts: &[String]) -> Vec<String> {
    let names = |row: &&String| {
        let text = row.to_lowercase();
        let bare = text.replace('-', "");
        texts
            .iter()
            .any(|wanted| stands_in(&text, wanted) || stands_in(&bare, wanted))
    };
    rows.iter().filter(names).cloned().collect()
}

/// Every row of every table, as `table: row`. The audit log keeps who was deleted, and generations keep the bare id to say
/// who does not come back.
pub async fn all_rows(database: &Bench) -> Vec<String> {
    let tables = match database.backend {
        Sqlite => "select name from sqlite_master where type = 'table' and name not like 'sqlite_%'",
        Postgres => "select tablename::text from pg_tables where schemaname = 'public'",
    };
    let mut found = Vec::new();
    let tables = database.ask(tables.to_owned()).await;
    assert!(tables.len() > 20, "{tables:?}");
    for table in tables {
        let rows = if table == "generation_tombstones" {
            continue;
        } else if table == "audit_entries" {
            let said = PAYLOAD.map(|column| format!("coalesce({column}, '')"));
            format!(
                "select action || ': ' || {} from audit_entries \
                where action not in ('tenant.delete', 'tenant.gone', 'instance.give_up') order by number",
                said.join(" || ' ' || ")
            )
        } else if database.backend == Postgres {
            format!("select t::text from {table} t")
        } else {
            let columns = format!("select 'quote(' || name || ')' from pragma_table_info('{table}')");
            let columns = database.ask(columns).await.join(" || ' ' || ");
            format!("select {columns} from {table}")
        };
        let rows = database.ask(rows).await;
        found.extend(rows.into_iter().map(|row| format!("{table}: {row}")));
    }
    found
}

/// Whether a name stands in a text as a whole: neither behind a longer one's beginning nor before the rest of one.
fn stands_in(text: &str, wanted: &str) -> bool {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let pieces: Vec<&str> = text.split(wanted).collect();
    pieces.windows(2).any(|around| {
        let mut after = around[1].chars();
        let goes_on = match after.next() {
            Some('.') => after.next().is_some_and(part),
            next => next.is_some_and(part),
        };
        !around[0].ends_with(|c: char| part(c) || matches!(c, '.' | '-')) && !goes_on
    })
}

/// Every file below that holds one of these texts wherever it stands, as a database's file does, whose columns have nothing in
/// between.
pub fn files_that_hold(below: &Path, texts: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(below).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            found.extend(files_that_hold(&path, texts));
        } else if path.is_file() {
            let content = std::fs::read(&path).unwrap();
            let content = String::from_utf8_lossy(&content).to_lowercase();
            if texts.iter().any(|text| content.contains(text)) {
                found.push(path.display().to_string());
            }
        }
    }
    found
}

/// Every file and directory below whose name or content names one of these texts.
pub fn files_that_name(below: &Path, texts: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(below).unwrap() {
        let path = entry.unwrap().path();
        let name = path.display().to_string();
        let content = if path.is_file() {
            String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned()
        } else {
            String::new()
        };
        if texts
            .iter()
            .any(|text| stands_in(&name, text) || stands_in(&content, text))
        {
            found.push(name);
        }
        if path.is_dir() && !path.is_symlink() {
            found.extend(files_that_name(&path, texts));
        }
    }
    found
}
