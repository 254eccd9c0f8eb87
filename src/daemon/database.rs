//! The configured database as an operator looks after it: how far its schema is, and bringing it up to date.

use serde::Serialize;

use super::parts::PartsError;
use super::settings;
use crate::config::Config;
use crate::domain::parsed::word_enum;
use crate::store::{Database, SchemaStatus, SchemaVersion};

word_enum! {
    /// What became of a migration.
    MigrationState {
        /// The database has it.
        Applied = "applied",
        /// The database lacks it.
        Pending = "pending",
        /// The database has it with another text.
        Changed = "changed",
        /// A newer program applied it.
        Unknown = "unknown",
    }
}

/// One step of the schema.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Migration {
    /// Its number.
    pub version: i64,
    /// Its name; absent where only a newer program knows it.
    pub name: Option<String>,
    /// What became of it.
    pub state: MigrationState,
}

/// How far a database is migrated.
#[derive(Debug, Serialize)]
pub struct Schema {
    /// Which database, without password.
    pub database: String,
    /// Whether this program can serve with it.
    pub up_to_date: bool,
    /// Each step, by number.
    pub migrations: Vec<Migration>,
    #[serde(skip)]
    status: SchemaStatus,
}

impl Schema {
    fn new(database: String, status: SchemaStatus) -> Self {
        let known = |state: MigrationState, versions: &[SchemaVersion]| -> Vec<Migration> {
            let migration = |version: &SchemaVersion| Migration {
                version: version.version,
                name: Some(version.name.clone()),
                state,
            };
            versions.iter().map(migration).collect()
        };
        let mut migrations = known(MigrationState::Applied, &status.applied);
        migrations.extend(known(MigrationState::Pending, &status.pending));
        migrations.extend(known(MigrationState::Changed, &status.foreign));
        migrations.extend(status.unknown.iter().map(|version| Migration {
            version: *version,
            name: None,
            state: MigrationState::Unknown,
        }));
        migrations.sort_by_key(|migration| migration.version);
        Self {
            up_to_date: status.check(&database).is_ok(),
            database,
            migrations,
            status,
        }
    }

    /// Refuses a schema that this program cannot serve with, and says what to do.
    pub fn check(&self) -> Result<(), PartsError> {
        Ok(self.status.check(&self.database)?)
    }
}

/// How far the database is; changes nothing.
pub async fn status(config: &Config) -> Result<Schema, PartsError> {
    let database = Database::connect(&settings::database_url(config)?).await?;
    let status = database.status().await;
    database.close().await;
    Ok(Schema::new(database.url().to_string(), status?))
}

/// Brings the schema up to date, and makes the file of a SQLite database that is not there; answers how far it is now,
/// and the names of what was applied.
pub async fn migrate(config: &Config) -> Result<(Schema, Vec<String>), PartsError> {
    let database = Database::create(&settings::database_url(config)?).await?;
    let migrated = match database.migrate().await {
        Ok(applied) => database.status().await.map(|status| (applied, status)),
        Err(error) => Err(error),
    };
    database.close().await;
    let (applied, status) = migrated?;
    let names = applied.into_iter().map(|version| version.name).collect();
    Ok((Schema::new(database.url().to_string(), status), names))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(version: i64, name: &str) -> SchemaVersion {
        SchemaVersion {
            version,
            name: name.to_owned(),
        }
    }

    #[test]
    fn every_migration_is_listed_once_by_its_number() {
        let status = SchemaStatus {
            applied: vec![version(1, "0001_a"), version(3, "0003_c")],
            pending: vec![version(4, "0004_d")],
            foreign: vec![version(2, "0002_b")],
            unknown: vec![9],
        };
        let schema = Schema::new("sqlite:x.db".to_owned(), status);
        let found: Vec<_> = schema.migrations.iter().map(|m| (m.version, m.state)).collect();
        assert_eq!(
            found,
            [
                (1, MigrationState::Applied),
                (2, MigrationState::Changed),
                (3, MigrationState::Applied),
                (4, MigrationState::Pending),
                (9, MigrationState::Unknown),
            ]
        );
        assert!(!schema.up_to_date && schema.check().is_err());
    }
}
