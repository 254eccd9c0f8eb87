//! What can go wrong with the database, told apart by what the caller can do about it.

use sqlx::migrate::MigrateError;

use crate::crypto::{OpenError, SealError};
use crate::domain::random::NoRandomness;

/// A step on the database that failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No connection: the server is down, the file is missing, all connections are busy for too long.
    #[error(
        "{step}: the database {database} cannot be used; check `database.url`, and that it is there (`switchyard db migrate` makes a SQLite file) and may be opened"
    )]
    Unavailable {
        /// What was to be done: the transaction's name, or `open`.
        step: &'static str,
        /// The database, without password.
        database: String,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// The directory that is to hold a SQLite file is missing.
    #[error(
        "the directory {directory} of the database is not there; make it for the user that the daemon runs as: `install -d -m 0700 -o switchyard -g switchyard {directory}`"
    )]
    NoDirectory {
        /// The directory.
        directory: String,
    },
    /// Lost against another transaction; may be repeated from its beginning.
    #[error("{transaction}: lost against another transaction at the same time; try again")]
    Busy {
        /// The transaction.
        transaction: &'static str,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// The database is there and takes nothing: its disk is full, broken or read-only.
    #[error(
        "{transaction}: the database {database} cannot be written; see that its disk has room, works and is not read-only"
    )]
    NotWritable {
        /// The database, without password.
        database: String,
        /// The transaction.
        transaction: &'static str,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// Another statement after the only one of its kind: what it read might be of another state.
    #[error("{transaction}: it may run one statement only")]
    Used {
        /// The transaction.
        transaction: &'static str,
    },
    /// A value that must be unique is there already.
    #[error("{table} has a row with this {} already", .columns.join(", "))]
    Conflict {
        /// The table.
        table: String,
        /// The columns that must be unique together, in the order of the index.
        columns: Vec<String>,
    },
    /// A row refers to one that is absent, or one that is referred to was to be deleted.
    #[error("{statement}: it refers to something that does not exist, or removes something that is in use")]
    Reference {
        /// The statement.
        statement: &'static str,
    },
    /// A row that no longer parses: somebody changed it, or a newer version wrote it.
    #[error("the row {id} of {table} cannot be read: {what}; restore it from a backup or correct it by hand")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The row's id.
        id: String,
        /// The column and what is wrong with it.
        what: String,
    },
    /// A sealed value that does not open.
    #[error("the secret {place} cannot be opened")]
    Unsealable {
        /// Table, column and ids.
        place: String,
        /// Why.
        #[source]
        source: OpenError,
    },
    /// A secret is needed, and there is no key.
    #[error("a secret is needed and no sealing key is configured; name its file as `sealing.key_file`")]
    NoSealingKey,
    /// A secret could not be sealed.
    #[error("a secret could not be sealed")]
    Sealing(#[source] SealError),
    /// An older entry of the audit log got no salt.
    #[error("the audit log could not be made a chain")]
    NoRandomness(#[source] NoRandomness),
    /// A value could not be written as JSON.
    #[error("{what} cannot be written as JSON")]
    Unwritable {
        /// The column.
        what: &'static str,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The schema is older than the program.
    #[error("the database {database} lacks {} migration(s), first `{}`; run `switchyard db migrate`", .pending.len(), .pending.first().map_or("", String::as_str))]
    NotMigrated {
        /// The database, without password.
        database: String,
        /// The names of the migrations it lacks.
        pending: Vec<String>,
    },
    /// The schema is newer than the program.
    #[error(
        "the database {database} has schema version {version}, which a newer version of the program made; update the program"
    )]
    NewerSchema {
        /// The database, without password.
        database: String,
        /// The newest version it has.
        version: i64,
    },
    /// A migration that was applied is not the one that the program knows.
    #[error(
        "the database {database} was migrated with another text of `{name}`; use the program that made it"
    )]
    ForeignSchema {
        /// The database, without password.
        database: String,
        /// The migration.
        name: String,
    },
    /// A migration failed; it left nothing behind.
    #[error("the database {database} could not be migrated")]
    Migration {
        /// The database, without password.
        database: String,
        /// Why.
        #[source]
        source: MigrateError,
    },
    /// A statement or commit after another statement had failed: nothing of the transaction is kept.
    #[error("{transaction}: nothing of it is kept, because {statement} had failed before")]
    Aborted {
        /// The transaction.
        transaction: &'static str,
        /// The first statement that failed.
        statement: &'static str,
    },
    /// Anything else that the database refused.
    #[error("{transaction}: the database {database} refused {statement}")]
    Refused {
        /// The database, without password.
        database: String,
        /// The transaction.
        transaction: &'static str,
        /// The statement, or `commit`.
        statement: &'static str,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
}

impl StoreError {
    /// Whether the same may succeed later: nothing is wrong with it, only with the database at the moment.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Unavailable { .. } | Self::Busy { .. } | Self::NotWritable { .. }
        )
    }

    /// Whether a secret was sealed with another key than the one that is configured.
    #[must_use]
    pub const fn is_wrong_key(&self) -> bool {
        matches!(
            self,
            Self::Unsealable {
                source: OpenError::WrongKey { .. },
                ..
            }
        )
    }

    /// Whether a value of this column is there already.
    #[must_use]
    pub fn is_conflict_on(&self, in_table: &str, column: &str) -> bool {
        matches!(self, Self::Conflict { table, columns }
            if table == in_table && columns.iter().any(|name| name == column))
    }
}
