//! Statements: declared once, listed by themselves, run on whichever database the transaction is of.

use std::fmt::Write as _;

/// One SQL text, but for a few words the same for both databases.
#[derive(Clone, Copy, Debug)]
pub struct Statement {
    /// The module and the constant.
    pub name: &'static str,
    /// The text, with `{rows}` in the place of the values where it inserts many rows.
    pub sql: &'static str,
    /// PostgreSQL's: with how a row is locked, for which SQLite with its one writer has no word; without SQLite's word for an
    /// index.
    pub postgres: &'static str,
    /// How many columns one of many rows has; 0 where there are no such rows.
    pub columns: usize,
}

/// Rows per statement: beyond about 100, SQLite pays for the number of parameters with its square.
pub(super) const BATCH: usize = 100;

impl Statement {
    /// The text for a number of rows: `($1, $2), ($3, $4)` in the place of `{rows}`.
    #[must_use]
    pub fn sql_for(&self, rows: usize) -> String {
        let mut values = String::new();
        for row in 0..rows {
            values.push_str(if row == 0 { "(" } else { ", (" });
            for column in 0..self.columns {
                let comma = if column == 0 { "" } else { ", " };
                // Writing to a String cannot fail.
                let _ = write!(values, "{comma}${}", row * self.columns + column + 1);
            }
            values.push(')');
        }
        self.sql.replace("{rows}", &values)
    }
}

/// Declares the statements of a module and lists them in `STATEMENTS`: `NAME = "text";`, or
/// `NAME = "insert … values {rows}", columns;` for a statement with many rows, or
/// `NAME = "select …", 0, " for update skip locked";` for one that ends so on PostgreSQL, or
/// `NAME = "…", postgres: "…";` for one whose plan SQLite has to be told, or which it has nothing of.
macro_rules! statements {
    ($(
        $(#[$meta:meta])*
        $name:ident = $sql:expr $(, $columns:literal $(, $locking:literal)?)? $(, postgres: $postgres:expr)?;
    )+) => {
        $($(#[$meta])* const $name: $crate::store::Statement = $crate::store::Statement {
            name: concat!(module_path!(), "::", stringify!($name)),
            sql: $sql,
            postgres: $crate::store::statement::text_of_postgres!([$($postgres)?] $sql $($(, $locking)?)?),
            columns: 0 $(+ $columns)?,
        };)+
        pub(super) const STATEMENTS: &[$crate::store::Statement] = &[$($name),+];
    };
}

/// PostgreSQL's own text where there is one; else the same, with what only it has behind it.
macro_rules! text_of_postgres {
    ([$postgres:expr] $sql:expr) => {
        $postgres
    };
    ([] $sql:expr $(, $locking:literal)?) => {
        concat!($sql $(, $locking)?)
    };
}

/// That one of the columns is like the pattern of [`search_pattern`](super::row::search_pattern) in a parameter, or that
/// there is no pattern. The columns come first: by them PostgreSQL knows the parameter's type.
macro_rules! search {
    ($parameter:literal, $($column:literal),+) => {
        concat!(
            "("
            $(, $column, " like ", $parameter, " escape '\\' or ")+,
            $parameter, " is null)"
        )
    };
}

/// Runs one statement: `run!(tx, execute(DELETE, id))` answers how many rows it touched,
/// `run!(tx, fetch_optional::<Row>(FIND, id))` (or `fetch_one`, `fetch_all`) answers rows.
/// Leaves the function with an error when an earlier statement of the transaction has failed.
macro_rules! run {
    ($tx:expr, execute($statement:expr $(, $bind:expr)* $(,)?)) => {{
        let tx: &mut $crate::store::Tx = $tx;
        tx.admit()?;
        let done = match &mut tx.connection {
            $crate::store::tx::Connection::Sqlite(connection) => {
                let query = sqlx::query::<sqlx::Sqlite>($statement.sql)$(.bind($bind))*;
                let run = tracing::Instrument::instrument(query.execute(&mut **connection), tx.span.clone());
                run.await.map(|done| done.rows_affected())
            }
            $crate::store::tx::Connection::Postgres(connection) => {
                let query = sqlx::query::<sqlx::Postgres>($statement.postgres)$(.bind($bind))*;
                let run = tracing::Instrument::instrument(query.execute(&mut **connection), tx.span.clone());
                run.await.map(|done| done.rows_affected())
            }
        };
        done.map_err(|error| tx.failed(&$statement, error))
    }};
    ($tx:expr, $method:ident::<$row:ty>($statement:expr $(, $bind:expr)* $(,)?)) => {{
        let tx: &mut $crate::store::Tx = $tx;
        tx.admit()?;
        let rows = match &mut tx.connection {
            $crate::store::tx::Connection::Sqlite(connection) => {
                let query = sqlx::query_as::<sqlx::Sqlite, $row>($statement.sql)$(.bind($bind))*;
                tracing::Instrument::instrument(query.$method(&mut **connection), tx.span.clone()).await
            }
            $crate::store::tx::Connection::Postgres(connection) => {
                let query = sqlx::query_as::<sqlx::Postgres, $row>($statement.postgres)$(.bind($bind))*;
                tracing::Instrument::instrument(query.$method(&mut **connection), tx.span.clone()).await
            }
        };
        rows.map_err(|error| tx.failed(&$statement, error))
    }};
}

/// Inserts many rows: `insert_rows!(tx, INSERT, &rows, |row| (row.id, row.name))`, a batch per statement;
/// answers how many rows were touched.
macro_rules! insert_rows {
    ($tx:expr, $statement:expr, $rows:expr, |$row:pat_param| ($($bind:expr),+ $(,)?)) => {{
        let tx: &mut $crate::store::Tx = $tx;
        tx.admit()?;
        let mut touched = 0;
        for batch in $rows.chunks($crate::store::statement::BATCH) {
            let sql = sqlx::AssertSqlSafe($statement.sql_for(batch.len()));
            // The odd rest would push texts that come again out of the cache of prepared statements.
            let again = batch.len() == $crate::store::statement::BATCH || batch.len() == 1;
            let done = match &mut tx.connection {
                $crate::store::tx::Connection::Sqlite(connection) => {
                    let mut query = sqlx::query::<sqlx::Sqlite>(sql).persistent(again);
                    for $row in batch {
                        query = query$(.bind($bind))+;
                    }
                    let run = tracing::Instrument::instrument(query.execute(&mut **connection), tx.span.clone());
                    run.await.map(|done| done.rows_affected())
                }
                $crate::store::tx::Connection::Postgres(connection) => {
                    let mut query = sqlx::query::<sqlx::Postgres>(sql).persistent(again);
                    for $row in batch {
                        query = query$(.bind($bind))+;
                    }
                    let run = tracing::Instrument::instrument(query.execute(&mut **connection), tx.span.clone());
                    run.await.map(|done| done.rows_affected())
                }
            };
            touched += done.map_err(|error| tx.failed(&$statement, error))?;
        }
        Ok::<u64, $crate::store::StoreError>(touched)
    }};
}

pub(super) use {insert_rows, run, search, statements, text_of_postgres};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_numbered_through() {
        let statement = Statement {
            name: "x",
            sql: "insert into t (a, b) values {rows} on conflict do nothing",
            postgres: "",
            columns: 2,
        };
        assert_eq!(
            statement.sql_for(2),
            "insert into t (a, b) values ($1, $2), ($3, $4) on conflict do nothing"
        );
    }
}
