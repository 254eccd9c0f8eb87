//! The schema's versions: which migrations there are, which are applied, and applying the rest.

use std::collections::BTreeMap;

use sqlx::SqlSafeStr as _;
use sqlx::migrate::{Migration, MigrationType, Migrator};

use super::error::StoreError;

/// A migration's number and its text for each database.
struct Step {
    version: i64,
    name: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
}

/// Lists the migrations; a file that is missing for one of the databases does not compile.
macro_rules! steps {
    ($($version:literal $name:literal),+ $(,)?) => {
        const STEPS: &[Step] = &[$(Step {
            version: $version,
            name: $name,
            sqlite: include_str!(concat!("../../migrations/sqlite/", $name, ".sql")),
            postgres: include_str!(concat!("../../migrations/postgres/", $name, ".sql")),
        }),+];
    };
}

steps! {
    1 "0001_instances_and_tenants",
    2 "0002_extensions",
    3 "0003_revisions_and_generations",
    4 "0004_deployments",
    5 "0005_audit",
    6 "0006_versions_and_repeated_requests",
    7 "0007_head_revisions",
    8 "0008_platform_rollbacks",
    9 "0009_sealing_key",
    10 "0010_generations_that_ran",
    11 "0011_queue_numbers",
    12 "0012_tombstones",
    13 "0013_instance_settings",
    14 "0014_generation_files",
    15 "0015_outbox",
    16 "0016_audit_chain",
    17 "0017_users_and_roles",
    18 "0018_marker_salts",
    19 "0019_tenant_lifecycle",
    20 "0020_api_keys",
    21 "0021_platform_requests",
    22 "0022_former_domains",
    23 "0023_instance_secrets",
    24 "0024_known_secrets",
    25 "0025_call_records",
    26 "0026_recording_policy",
    27 "0027_calls_by_number",
    28 "0028_tickets",
    29 "0029_webhooks",
    30 "0030_retention",
    31 "0031_recording_notice",
    32 "0032_exports",
    33 "0033_voicemail",
    34 "0034_erasures",
    35 "0035_domain_tenures",
    36 "0036_unseen_erasures",
    37 "0037_landmarks",
    38 "0038_mail_places",
    39 "0039_believed_clock",
}

/// Which text of a migration.
#[derive(Clone, Copy)]
pub(super) enum Dialect {
    Sqlite,
    Postgres,
}

/// One version of the schema.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SchemaVersion {
    /// Its number.
    pub version: i64,
    /// Its file's name without the ending.
    pub name: String,
}

/// How far a database is migrated.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct SchemaStatus {
    /// Applied, oldest first.
    pub applied: Vec<SchemaVersion>,
    /// Known to the program and not applied, in the order in which they would be.
    pub pending: Vec<SchemaVersion>,
    /// Applied with another text than the program knows.
    pub foreign: Vec<SchemaVersion>,
    /// Applied and unknown: a newer program was here.
    pub unknown: Vec<i64>,
}

impl SchemaStatus {
    /// Compares what the database says with what the program knows.
    pub(super) fn new(applied: Vec<(i64, Vec<u8>)>, dialect: Dialect) -> Self {
        let mut applied: BTreeMap<i64, Vec<u8>> = applied.into_iter().collect();
        let mut status = Self::default();
        for (step, migration) in STEPS.iter().zip(migrations(dialect)) {
            let version = SchemaVersion {
                version: step.version,
                name: step.name.to_owned(),
            };
            match applied.remove(&step.version) {
                None => status.pending.push(version),
                Some(checksum) if checksum == *migration.checksum => status.applied.push(version),
                Some(_) => status.foreign.push(version),
            }
        }
        status.unknown = applied.into_keys().collect();
        status
    }

    /// Refuses a schema that is not exactly the program's own.
    pub fn check(&self, database: &str) -> Result<(), StoreError> {
        let database = || database.to_owned();
        if let Some(version) = self.unknown.last() {
            return Err(StoreError::NewerSchema {
                database: database(),
                version: *version,
            });
        }
        if let Some(version) = self.foreign.first() {
            return Err(StoreError::ForeignSchema {
                database: database(),
                name: version.name.clone(),
            });
        }
        if !self.pending.is_empty() {
            let pending = self.pending.iter().map(|version| version.name.clone()).collect();
            return Err(StoreError::NotMigrated {
                database: database(),
                pending,
            });
        }
        Ok(())
    }
}

/// What applies the migrations of one database; whoever runs it takes care that nobody else does.
pub(super) fn migrator(dialect: Dialect) -> Migrator {
    let mut migrator = Migrator::with_migrations(migrations(dialect).collect());
    // Its lock would stay behind where a migration fails.
    migrator.set_locking(false);
    migrator
}

fn migrations(dialect: Dialect) -> impl Iterator<Item = Migration> {
    STEPS.iter().map(move |step| {
        let sql = match dialect {
            Dialect::Sqlite => step.sqlite,
            Dialect::Postgres => step.postgres,
        };
        Migration::new(
            step.version,
            step.name.into(),
            MigrationType::Simple,
            sql.into_sql_str(),
            false,
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("sqlite")]
    #[case("postgres")]
    fn every_migration_file_is_listed_under_its_number(#[case] database: &str) {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/").to_owned() + database;
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        let listed: Vec<String> = STEPS.iter().map(|step| format!("{}.sql", step.name)).collect();
        assert_eq!(files, listed);
        for (step, number) in STEPS.iter().zip(1..) {
            assert_eq!(step.version, number);
            assert!(step.name.starts_with(&format!("{number:04}_")));
        }
    }
}
