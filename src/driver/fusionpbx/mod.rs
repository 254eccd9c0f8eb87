//! FusionPBX: rows in its PostgreSQL, and the event socket to have FreeSWITCH look anew and to ask what it serves.

mod checks;
mod conflicts;
mod database;
mod difference;
mod drift;
mod staged;
mod switch;
mod touched;
mod verify;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;
use std::time::Instant;

use async_trait::async_trait;
use secrecy::SecretString;
use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgConnection};

use self::database::Schema;
use self::staged::Generation;
use self::switch::Switch;
use self::touched::Touched;
use self::write::{Note, Owner};
use super::files::FileTree;
use super::{
    Check, Closeness, Drifted, DriverError, Expected, Foreign, PbxDriver, Rehearsal, Staged, StagedFile,
    Warrant,
};
use crate::domain::artifact::Artifact;
use crate::domain::finding::Finding;
use crate::domain::ids::InstanceId;
use crate::domain::instance::{FusionPbxSettings, PbxKind};
use crate::domain::instance_secrets::InstanceSecrets;
use crate::domain::sip_domain::SipDomain;
use crate::wire::esl::Word;

/// Drives one FusionPBX, wherever its database and its event socket are.
///
/// What is staged lies on this host, and what is live is a note in the database that is written with the rows.
pub struct FusionPbxDriver {
    settings: FusionPbxSettings,
    owner: Owner,
    options: PgConnectOptions,
    password: SecretString,
    files: FileTree,
}

impl FusionPbxDriver {
    /// `staging`: the directory for what is to be written.
    #[must_use]
    pub fn new(id: InstanceId, settings: FusionPbxSettings, secrets: InstanceSecrets, staging: &Path) -> Self {
        let database = secrets.database.unwrap_or_default();
        Self {
            owner: Owner::new(id.uuid()),
            options: database::options(&settings, &database),
            password: secrets.control,
            files: FileTree::new(staging, PbxKind::FusionPbx),
            settings,
        }
    }

    async fn database(&self) -> Result<PgConnection, DriverError> {
        database::connect(&self.options).await
    }

    async fn switch(&self) -> Result<Switch, DriverError> {
        Switch::open(&self.settings, &self.password).await
    }

    async fn note(&self) -> Result<Option<Note>, DriverError> {
        let mut database = self.database().await?;
        write::note(&mut database, self.owner)
            .await
            .map_err(|error| asked("which generation stands in the database", error))
    }

    /// A generation as it lies staged.
    async fn staged(&self, number: i64) -> Result<Generation, DriverError> {
        self.files
            .on_disk("reading the staged rows", move |tree| read(&tree.generation(number)))
            .await
    }

    /// Writes a generation; with `keep` for good. Before the commit nothing has happened, after it everything has.
    async fn write(&self, number: i64, everything: bool, keep: bool) -> Result<Outcome, DriverError> {
        let what = "writing the rows";
        let not_applied = |error: sqlx::Error| DriverError::not_applied(what, error);
        let generation = self.staged(number).await?;
        let mut database = self.database().await?;
        let schema = Schema::read(&mut database).await.map_err(not_applied)?;
        let schema = schema.map_err(|error| DriverError::Refused {
            what: what.to_owned(),
            source: error.into(),
        })?;
        let mut transaction = database.begin().await.map_err(not_applied)?;
        let written = write::write(&mut transaction, &schema, self.owner, number, &generation, everything)
            .await
            .map_err(not_applied)?;
        let profiles = write::profiles(&mut transaction).await.map_err(not_applied)?;
        let outcome = Outcome {
            rows: written.rows,
            touched: written.touched,
            conflicts: written.conflicts,
            profiles: profiles.into_iter().filter_map(|name| Word::new(name).ok()).collect(),
        };
        if !outcome.conflicts.is_empty() || !keep {
            transaction.rollback().await.map_err(not_applied)?;
            return Ok(outcome);
        }
        self.files.warrant().map_err(|error| DriverError::not_applied(what, error))?;
        match transaction.commit().await {
            Ok(()) => Ok(outcome),
            // The server said that it did not.
            Err(error @ sqlx::Error::Database(_)) => Err(not_applied(error)),
            Err(error) => Err(DriverError::unknown(what, error)),
        }
    }

    fn place(&self) -> String {
        let settings = &self.settings;
        format!(
            "{} at {}:{}",
            settings.database_name, settings.database_host, settings.database_port
        )
    }

    /// The same, for good, and the link on this host with it.
    async fn put(&self, number: i64, everything: bool) -> Result<Outcome, DriverError> {
        let outcome = self.write(number, everything, true).await?;
        if let Some(conflict) = outcome.conflicts.first() {
            return Err(DriverError::Refused {
                what: "the rows".to_owned(),
                source: conflict.message.clone().into(),
            });
        }
        self.files
            .on_disk("moving the link to what is staged", move |tree| tree.swap(number))
            .await
            .map_err(begun)?;
        Ok(outcome)
    }
}

/// What writing did, or would do.
struct Outcome {
    rows: usize,
    touched: Touched,
    conflicts: Vec<Finding>,
    profiles: Vec<Word>,
}

fn read(directory: &Path) -> io::Result<Generation> {
    let mut generation = Generation::default();
    for artifact in Artifact::of(PbxKind::FusionPbx) {
        let path = directory.join(artifact.as_str());
        let text = fs::read_to_string(&path)
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
        generation.add(*artifact, &text)?;
    }
    Ok(generation)
}

/// Rows are written: whatever fails from now on, it is not known what FreeSWITCH serves.
fn begun(error: DriverError) -> DriverError {
    match error {
        unknown @ DriverError::Unknown { .. } => unknown,
        error => DriverError::unknown("having FreeSWITCH serve the rows that were written", error),
    }
}

/// A question to the database failed: nothing was done.
fn asked(what: &str, error: sqlx::Error) -> DriverError {
    DriverError::Unreachable {
        what: what.to_owned(),
        source: error.into(),
    }
}

#[async_trait]
impl PbxDriver for FusionPbxDriver {
    fn obey(&mut self, warrant: Warrant) {
        self.files.obey(warrant);
    }

    async fn stage(
        &self,
        generation: i64,
        files: BTreeMap<Artifact, StagedFile>,
    ) -> Result<Staged, DriverError> {
        let drifted = drift::found(self, &files).await?;
        let mut staged = self
            .files
            .on_disk("staging rows", move |tree| {
                tree.make()?;
                tree.stage(generation, files)
            })
            .await?;
        staged.drifted = drifted;
        Ok(staged)
    }

    async fn drifted(
        &self,
        files: BTreeMap<Artifact, StagedFile>,
        closeness: Closeness,
    ) -> Result<BTreeMap<Artifact, Drifted>, DriverError> {
        drift::drifted(self, &files, closeness).await
    }

    async fn live_text(&self, file: Artifact, limit: u64) -> Result<Option<String>, DriverError> {
        drift::live_text(self, file, limit).await
    }

    /// What others have in FusionPBX's tables is theirs.
    async fn foreign(&self, _limit: u64) -> Result<Vec<Foreign>, DriverError> {
        Ok(Vec::new())
    }

    /// Writes it all, and takes it back: the database itself says whether it takes these rows.
    async fn rehearse(&self, generation: i64) -> Result<Rehearsal, DriverError> {
        let begun = Instant::now();
        let outcome = self.write(generation, false, false).await?;
        let detail = format!(
            "FusionPBX's database took {} rows in {} ms, in a transaction that was taken back",
            outcome.rows,
            begun.elapsed().as_millis()
        );
        Ok(Rehearsal {
            findings: outcome.conflicts,
            detail,
        })
    }

    async fn ready(&self) -> Result<(), DriverError> {
        self.database().await?;
        self.switch().await?.ready().await
    }

    async fn unread(&self, markers: &BTreeMap<Artifact, Option<String>>) -> Result<Vec<Artifact>, DriverError> {
        let noted = self.note().await?.map(|note| note.markers).unwrap_or_default();
        let differs = |(file, marker): &(&Artifact, &Option<String>)| noted.get(file) != marker.as_ref();
        Ok(markers.iter().filter(differs).map(|(file, _)| *file).collect())
    }

    /// FusionPBX reads its own database.
    async fn not_included(&self) -> Result<BTreeMap<Artifact, Finding>, DriverError> {
        Ok(BTreeMap::new())
    }

    async fn place(&self, generation: i64) -> Result<(), DriverError> {
        self.put(generation, true).await.map(drop)
    }

    async fn apply(&self, generation: i64, reload: &[Artifact]) -> Result<(), DriverError> {
        // Before the rows: without it FreeSWITCH would go on with what it has.
        let switch = self.switch().await?;
        let everything = reload.len() == Artifact::of(PbxKind::FusionPbx).len();
        let outcome = self.put(generation, everything).await?;
        switch.forget(&outcome.touched).await.map_err(begun)?;
        switch.dismiss(&outcome.touched, &outcome.profiles).await.map_err(begun)
    }

    async fn verify(&self, expected: &Expected) -> Result<Vec<Finding>, DriverError> {
        let mut findings = verify::markers(self.note().await?.as_ref(), &expected.markers);
        findings.extend(verify::objects(&self.switch().await?, expected).await?);
        Ok(findings)
    }

    async fn end_calls(&self, domains: &BTreeSet<SipDomain>) -> Result<usize, DriverError> {
        let names: BTreeSet<String> = domains.iter().map(ToString::to_string).collect();
        let switch = self.switch().await?;
        let up = switch.legs_of(&names).await?;
        switch.hang_up_domains(&names).await?;
        Ok(up)
    }

    /// FreeSWITCH complains about rows when it looks them up, which is asked for.
    async fn log_since_apply(&self) -> Vec<Finding> {
        Vec::new()
    }

    async fn standing(&self) -> Result<Option<i64>, DriverError> {
        Ok(self.note().await?.map(|note| note.generation))
    }

    async fn keep_only(&self, generations: &[i64]) -> Result<(), DriverError> {
        let generations = generations.to_vec();
        self.files
            .on_disk("removing old generations", move |tree| tree.keep_only(&generations))
            .await
    }

    async fn test(&self) -> Vec<Check> {
        checks::all(self).await
    }
}
