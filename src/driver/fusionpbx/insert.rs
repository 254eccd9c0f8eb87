//! Rows that are inserted as PostgreSQL takes them fastest: a few in one question, many as lines of text.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use super::note::Owner;
use crate::domain::fusionpbx_row::{FusionRow, FusionTable, FusionValue};

/// What stands for nothing.
const NULL: &str = "\\N";

/// More rows than these are sent as lines, of which each column reads its own. That takes two messages behind one another:
/// the second waits for the first to be acknowledged, which systems put off by 40 ms, since nobody tells them not to.
const FEW: usize = 200;

/// Inserts rows of a table with these of their columns. A flag is `true` for a boolean and for a text alike.
pub async fn insert(
    connection: &mut PgConnection,
    owner: Owner,
    table: FusionTable,
    columns: &BTreeSet<&str>,
    rows: &[&FusionRow],
) -> sqlx::Result<()> {
    if rows.len() > FEW {
        return copy(connection, owner, table, columns, rows).await;
    }
    let id = table.id_column();
    let list = columns.iter().copied().collect::<Vec<_>>().join(", ");
    let sql = format!(
        "insert into {table} ({id}, {list}, insert_date, insert_user) \
         select {id}, {list}, now(), $2 from jsonb_populate_recordset(null::{table}, $1)"
    );
    sqlx::query(AssertSqlSafe(sql))
        .bind(objects(table, rows))
        .bind(owner.uuid())
        .execute(connection)
        .await
        .map(drop)
}

/// PostgreSQL makes of each value what its column is: of `true` a boolean, or the word where the column is a text.
pub fn objects(table: FusionTable, rows: &[&FusionRow]) -> Value {
    let object = |row: &&FusionRow| {
        let mut object = json!(row.values);
        if let Some(object) = object.as_object_mut() {
            object.insert(table.id_column().to_owned(), json!(row.id));
        }
        object
    };
    rows.iter().map(object).collect()
}

async fn copy(
    connection: &mut PgConnection,
    owner: Owner,
    table: FusionTable,
    columns: &BTreeSet<&str>,
    rows: &[&FusionRow],
) -> sqlx::Result<()> {
    let now: String = sqlx::query_scalar("select now()::text")
        .fetch_one(&mut *connection)
        .await?;
    let stamps = format!("{now}\t{}\n", owner.uuid());
    let mut lines = String::new();
    for row in rows {
        line(&mut lines, row, columns);
        lines.push_str(&stamps);
    }
    let list = columns.iter().copied().collect::<Vec<_>>().join(", ");
    let id = table.id_column();
    let sql = format!("copy {table} ({id}, {list}, insert_date, insert_user) from stdin");
    let mut copying = connection.copy_in_raw(&sql).await?;
    copying.send(lines.into_bytes()).await?;
    copying.finish().await.map(drop)
}

/// Its id and its columns, each before a tab.
fn line(lines: &mut String, row: &FusionRow, columns: &BTreeSet<&str>) {
    lines.push_str(&row.id.to_string());
    lines.push('\t');
    for (_, value) in row
        .values
        .iter()
        .filter(|(column, _)| columns.contains(column.as_str()))
    {
        match value {
            FusionValue::Null => lines.push_str(NULL),
            FusionValue::Flag(flag) => lines.push_str(if *flag { "true" } else { "false" }),
            FusionValue::Number(number) => lines.push_str(&number.to_string()),
            FusionValue::Text(text) => text.chars().for_each(|one| push(lines, one)),
        }
        lines.push('\t');
    }
}

/// What would end a column or a line, or begin such an end, is written as two characters.
fn push(lines: &mut String, one: char) {
    match one {
        '\\' => lines.push_str("\\\\"),
        '\t' => lines.push_str("\\t"),
        '\n' => lines.push_str("\\n"),
        '\r' => lines.push_str("\\r"),
        one => lines.push(one),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use uuid::Uuid;

    use super::*;

    #[test]
    fn no_value_ends_its_column_or_its_line() {
        let values = [
            ("call_timeout", FusionValue::Number(30)),
            ("description", FusionValue::Text("a\tb\\N\r\nc".to_owned())),
            ("enabled", FusionValue::Flag(true)),
            ("left_out", FusionValue::Flag(false)),
            ("user_record", FusionValue::Null),
        ];
        let row = FusionRow {
            table: FusionTable::Extensions,
            id: Uuid::from_u128(1),
            values: BTreeMap::from(values.map(|(column, value)| (column.parse().unwrap(), value))),
        };
        let columns = BTreeSet::from(["call_timeout", "description", "enabled", "user_record"]);
        let mut lines = String::new();
        line(&mut lines, &row, &columns);
        assert_eq!(
            lines,
            "00000000-0000-0000-0000-000000000001\t30\ta\\tb\\\\N\\r\\nc\ttrue\t\\N\t"
        );
    }
}
