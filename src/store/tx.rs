//! A named transaction on either database.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use secrecy::SecretString;
use sqlx::error::{DatabaseError, ErrorKind};
use sqlx::{Postgres, Sqlite, SqliteConnection, Transaction};
use tokio::sync::Notify;

use super::audit;
use super::error::StoreError;
use super::singles::Single;
use super::statement::Statement;
use super::webhook_queue;
use crate::crypto::SealingKey;
use crate::domain::audit_chain::Link;
use crate::domain::digest::Digest;
use crate::domain::event::Event;

/// What all transactions of a store share.
pub(super) struct Shared {
    /// The database, without password.
    pub(super) database: String,
    pub(super) key: Option<SealingKey>,
    /// Wakes whoever sends events to webhooks.
    pub(super) events: Arc<Notify>,
    /// The table and columns of each unique index of PostgreSQL, which names only the index when it refuses.
    pub(super) unique_indices: HashMap<String, (String, Vec<String>)>,
}

pub(super) enum Connection {
    Sqlite(Begun),
    Postgres(Transaction<'static, Postgres>),
}

/// A connection to SQLite, and whether a transaction was begun on it.
pub(super) enum Begun {
    Transaction(Transaction<'static, Sqlite>),
    /// None: one statement reads one state by itself.
    Nothing(Single),
}

impl Begun {
    async fn commit(self) -> sqlx::Result<()> {
        match self {
            Self::Transaction(transaction) => transaction.commit().await,
            Self::Nothing(_) => Ok(()),
        }
    }
}

impl From<Transaction<'static, Sqlite>> for Begun {
    fn from(transaction: Transaction<'static, Sqlite>) -> Self {
        Self::Transaction(transaction)
    }
}

impl Deref for Begun {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        match self {
            Self::Transaction(transaction) => transaction,
            Self::Nothing(single) => &single.connection,
        }
    }
}

impl DerefMut for Begun {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        match self {
            Self::Transaction(transaction) => transaction,
            Self::Nothing(single) => &mut single.connection,
        }
    }
}

/// A transaction. Dropped without [`Tx::commit`], it leaves nothing behind.
pub struct Tx {
    name: &'static str,
    pub(super) connection: Connection,
    pub(super) span: tracing::Span,
    shared: Arc<Shared>,
    /// The first statement that failed.
    failed: Option<&'static str>,
    only_reads: bool,
    /// How many statements it may still run.
    left: usize,
    /// What the audit log gets with the commit.
    pub(super) audited: Vec<Link>,
    /// What webhooks are told with the commit.
    pub(super) told: Vec<Event>,
}

impl Tx {
    pub(super) fn new(
        name: &'static str,
        only_reads: bool,
        connection: Connection,
        shared: Arc<Shared>,
    ) -> Self {
        let span = tracing::debug_span!("transaction", name);
        Self {
            name,
            connection,
            span,
            shared,
            failed: None,
            only_reads,
            left: usize::MAX,
            audited: Vec::new(),
            told: Vec::new(),
        }
    }

    /// The same, for no more than one statement.
    pub(super) fn of_one_statement(self) -> Self {
        Self { left: 1, ..self }
    }

    /// Stands before each statement: refuses it after one that failed, or after the only one.
    pub(super) fn admit(&mut self) -> Result<(), StoreError> {
        self.check()?;
        self.left = self.left.checked_sub(1).ok_or(StoreError::Used {
            transaction: self.name,
        })?;
        Ok(())
    }

    /// Keeps all that was done, with the events for webhooks and the entries of the audit log. Refused after a failed statement, however its error was dealt with.
    pub async fn commit(mut self) -> Result<(), StoreError> {
        self.check()?;
        let told = std::mem::take(&mut self.told);
        let is_told = webhook_queue::write(&mut self, told).await?;
        let audited = std::mem::take(&mut self.audited);
        audit::write(&mut self, audited).await?;
        let done = match self.connection {
            Connection::Sqlite(connection) => connection.commit().await,
            Connection::Postgres(connection) => connection.commit().await,
        };
        done.map_err(|error| self.shared.explain(self.name, "commit", error))?;
        if is_told {
            self.shared.events.notify_one();
        }
        Ok(())
    }

    /// Refuses to go on after a failed statement: PostgreSQL would answer a commit with "done" and keep nothing,
    /// SQLite would keep the rest.
    fn check(&self) -> Result<(), StoreError> {
        match self.failed {
            Some(statement) => Err(StoreError::Aborted {
                transaction: self.name,
                statement,
            }),
            None => Ok(()),
        }
    }

    /// Notes that a statement failed and says why.
    pub(super) fn failed(&mut self, statement: &Statement, error: sqlx::Error) -> StoreError {
        self.failed.get_or_insert(statement.name);
        if let Connection::Sqlite(Begun::Nothing(single)) = &mut self.connection {
            single.has_failed = true;
        }
        match self.shared.explain(self.name, statement.name, error) {
            // Not the disk: a transaction for reading will not write at another time either.
            StoreError::NotWritable {
                database,
                transaction,
                source,
            } if self.only_reads && is_read_only(&source) => StoreError::Refused {
                database,
                transaction,
                statement: statement.name,
                source,
            },
            error => error,
        }
    }

    /// Whether there is a key at all.
    pub(super) fn check_sealing_key(&self) -> Result<(), StoreError> {
        self.sealing_key().map(drop)
    }

    fn sealing_key(&self) -> Result<&SealingKey, StoreError> {
        self.shared.key.as_ref().ok_or(StoreError::NoSealingKey)
    }

    /// A digest that only the sealing key can make again.
    pub(super) fn fingerprint(&self, digest: Digest) -> Result<Digest, StoreError> {
        let key = self.sealing_key()?;
        Ok(Digest::from(key.fingerprint(digest.as_bytes())))
    }

    /// Seals a secret for its place: table, column and ids.
    pub(super) fn seal(&self, place: &str, secret: &str) -> Result<Vec<u8>, StoreError> {
        self.sealing_key()?
            .seal(place, secret)
            .map_err(StoreError::Sealing)
    }

    /// Opens what was sealed for the same place.
    pub(super) fn unseal(&self, place: &str, sealed: &[u8]) -> Result<SecretString, StoreError> {
        let opened = self.sealing_key()?.open(place, sealed);
        opened.map_err(|source| StoreError::Unsealable {
            place: place.to_owned(),
            source,
        })
    }
}

impl Shared {
    /// What a failed statement means for the caller.
    pub(super) fn explain(
        &self,
        transaction: &'static str,
        statement: &'static str,
        error: sqlx::Error,
    ) -> StoreError {
        match &error {
            sqlx::Error::Database(refusal) => match refusal.kind() {
                ErrorKind::UniqueViolation => self.conflict(&**refusal),
                ErrorKind::ForeignKeyViolation => StoreError::Reference { statement },
                _ if is_busy(refusal.code()) => StoreError::Busy {
                    transaction,
                    source: error,
                },
                _ if is_unavailable(refusal.code()) => self.unavailable(transaction, error),
                _ if takes_nothing(refusal.code()) => StoreError::NotWritable {
                    database: self.database.clone(),
                    transaction,
                    source: error,
                },
                _ => StoreError::Refused {
                    database: self.database.clone(),
                    transaction,
                    statement,
                    source: error,
                },
            },
            sqlx::Error::ColumnDecode { index, source } => StoreError::Corrupt {
                table: statement,
                id: "(unknown)".to_owned(),
                what: format!("{index}: {source}"),
            },
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => self.unavailable(transaction, error),
            _ => StoreError::Refused {
                database: self.database.clone(),
                transaction,
                statement,
                source: error,
            },
        }
    }

    fn unavailable(&self, step: &'static str, source: sqlx::Error) -> StoreError {
        StoreError::Unavailable {
            step,
            database: self.database.clone(),
            source,
        }
    }

    fn conflict(&self, refusal: &dyn DatabaseError) -> StoreError {
        let (table, columns) = match refusal.constraint() {
            Some(index) => self.unique_indices.get(index).cloned().unwrap_or_default(),
            None => sqlite_columns(refusal.message()),
        };
        StoreError::Conflict { table, columns }
    }
}

/// Reads `UNIQUE constraint failed: extensions.tenant_id, extensions.number`.
fn sqlite_columns(message: &str) -> (String, Vec<String>) {
    let list = message.split_once(": ").map_or("", |(_, list)| list);
    let mut table = String::new();
    let mut columns = Vec::new();
    for (named, column) in list.split(", ").filter_map(|pair| pair.split_once('.')) {
        named.clone_into(&mut table);
        columns.push(column.to_owned());
    }
    (table, columns)
}

/// SQLite: BUSY and its extended codes. PostgreSQL: serialization failure, deadlock, lock not available.
fn is_busy(code: Option<Cow<'_, str>>) -> bool {
    code.is_some_and(|code| {
        matches!(
            code.as_ref(),
            "5" | "261" | "517" | "773" | "40001" | "40P01" | "55P03"
        )
    })
}

/// PostgreSQL: the server shuts down or starts up, ended the connection, or has no more of them. SQLite: its files
/// cannot be opened, as where no more files may be open.
fn is_unavailable(code: Option<Cow<'_, str>>) -> bool {
    code.is_some_and(|code| match sqlite_code(&code) {
        Some(code) => code == 14,
        None => code.starts_with("57P") || code.starts_with("08") || code == "53300",
    })
}

/// SQLite: READONLY, IOERR and FULL. PostgreSQL: no disk or memory left, an error of the system, read-only.
fn takes_nothing(code: Option<Cow<'_, str>>) -> bool {
    code.is_some_and(|code| match sqlite_code(&code) {
        Some(code) => matches!(code, 8 | 10 | 13),
        None => code.starts_with("53") || code.starts_with("58") || code == "25006",
    })
}

/// READONLY of SQLite, and the same of PostgreSQL.
fn is_read_only(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(DatabaseError::code);
    code.is_some_and(|code| sqlite_code(&code) == Some(8) || code == "25006")
}

/// The primary code of SQLite, in whose lowest byte it stands. Those of PostgreSQL have five characters, its own have fewer.
fn sqlite_code(code: &str) -> Option<u32> {
    let number = code.parse::<u32>().ok().filter(|_| code.len() < 5);
    number.map(|number| number & 0xff)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::full("13")]
    #[case::read_only("8")]
    #[case::read_only_directory("1544")]
    #[case::write_failed("778")]
    #[case::sync_failed("1034")]
    #[case::postgres_disk_full("53100")]
    #[case::postgres_io_error("58030")]
    #[case::postgres_read_only("25006")]
    fn a_disk_that_takes_nothing_is_told_from_a_wrong_statement(#[case] code: &str) {
        assert!(takes_nothing(Some(code.into())) && !is_unavailable(Some(code.into())));
    }

    #[rstest]
    #[case::sqlite_error("1")]
    #[case::sqlite_constraint("19")]
    #[case::sqlite_corrupt("11")]
    #[case::postgres_syntax("42601")]
    #[case::postgres_check("23514")]
    fn what_is_wrong_with_a_statement_does_not_pass(#[case] code: &str) {
        let code = || Some(Cow::from(code));
        assert!(!takes_nothing(code()) && !is_unavailable(code()) && !is_busy(code()));
    }

    #[test]
    fn the_columns_of_a_conflict_are_read() {
        let (table, columns) =
            sqlite_columns("UNIQUE constraint failed: extensions.tenant_id, extensions.number");
        assert_eq!(table, "extensions");
        assert_eq!(columns, ["tenant_id", "number"]);
    }
}
