//! FusionPBX: rows in its PostgreSQL, and the event socket to have FreeSWITCH look anew and to ask what it serves.

mod archive;
mod cache;
mod call_rows;
mod checks;
mod choices;
mod conflicts;
mod database;
mod delta;
mod difference;
mod drift;
pub mod found;
mod insert;
mod mail;
mod note;
mod read;
mod same_switch;
mod schema;
mod staged;
mod touched;
mod trial;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::sync::{Mutex, OnceCell};
use uuid::Uuid;

pub use self::archive::CallArchive;

use self::database::{Database, asked};
use self::note::{Note, Owner};
use self::schema::Schema;
use self::trial::Trial;
use self::write::Written;
use super::event_socket::{Socket, Switch, users};
use super::files::FileTree;
use super::mail::{Mail, MailError};
use super::{
    Check, Closeness, Drifted, DriverError, EndedCalls, Expected, Foreign, Inclusion, Parting, PbxDriver,
    Rehearsal, Staged, StagedFile, Warrant,
};
use crate::domain::artifact::Artifact;
use crate::domain::dial::DialNumber;
use crate::domain::finding::Finding;
use crate::domain::ids::{InstanceId, TenantId};
use crate::domain::instance::{FusionPbxSettings, PbxKind};
use crate::domain::instance_secrets::InstanceSecrets;
use crate::domain::leg::{Endpoint, LegId};
use crate::domain::sip_domain::SipDomain;

/// Where what is to be written is staged, below the daemon's own directory.
#[must_use]
pub fn staging(state_dir: &Path, instance: InstanceId) -> PathBuf {
    state_dir.join("staged").join(instance.to_string())
}

/// Drives one FusionPBX, wherever its database and its event socket are.
///
/// What is staged lies on this host, and what is live is a note in the database that is written with the rows.
pub struct FusionPbxDriver {
    settings: FusionPbxSettings,
    owner: Owner,
    database: Database,
    socket: Socket,
    files: FileTree,
    /// The tables, once they were read: they stay as they are for as long as a deploy takes.
    tables: OnceCell<Schema>,
    /// What was tried and is not committed yet.
    trial: Mutex<Option<Trial>>,
    /// Whether it is not known what FreeSWITCH has looked up last.
    is_distrusted: AtomicBool,
    /// Tenants of which nothing is touched.
    aside: std::sync::Mutex<BTreeSet<Uuid>>,
    /// Whether it is on the way back: what stood there before is kept away by nothing of others.
    goes_back: AtomicBool,
}

impl FusionPbxDriver {
    /// `staging`: the directory for what is to be written.
    #[must_use]
    pub fn new(
        id: InstanceId,
        settings: FusionPbxSettings,
        secrets: InstanceSecrets,
        staging: &Path,
    ) -> Self {
        Self {
            owner: Owner::new(id.uuid()),
            database: Database::new(&settings, secrets.database.as_ref()),
            socket: Socket::new(
                settings.event_socket_host.clone(),
                settings.event_socket_port,
                secrets.control,
            ),
            files: FileTree::new(staging, PbxKind::FusionPbx),
            tables: OnceCell::new(),
            trial: Mutex::default(),
            is_distrusted: AtomicBool::new(false),
            aside: std::sync::Mutex::default(),
            goes_back: AtomicBool::new(false),
            settings,
        }
    }

    /// The same with other limits for an answer of the database, and for reading or writing all rows.
    #[must_use]
    pub fn with_limits(mut self, answer: Duration, work: Duration) -> Self {
        self.database.set_limits(answer, work);
        self
    }

    async fn switch(&self) -> Result<Switch, DriverError> {
        self.socket.switch().await
    }

    fn left_alone(&self) -> BTreeSet<Uuid> {
        self.aside.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn note(&self) -> Result<Option<Note>, DriverError> {
        if let Some(trial) = self.trial.lock().await.as_mut()
            && trial.stands(&self.database).await
        {
            return Ok(trial.former.clone());
        }
        let mut connection = self.database.open().await?;
        match self.database.ask(note::read(&mut connection, self.owner)).await {
            Ok(note) => {
                self.database.keep(connection).await;
                Ok(note)
            }
            Err(error) => Err(self
                .why(&mut connection, "which generation stands in the database", error)
                .await),
        }
    }

    /// The link on this host follows what is written.
    async fn link(&self, number: i64) -> Result<(), DriverError> {
        let what = "moving the link to what is staged";
        self.files.on_disk(what, move |tree| tree.swap(number)).await
    }

    /// Tells FreeSWITCH of what was written, and notes that.
    async fn tell(&self, switch: &Switch, written: Written) -> Result<(), DriverError> {
        let Written { note, orphans, .. } = written;
        if note.untold.is_empty() && orphans.is_empty() {
            return Ok(());
        }
        cache::forget(switch, &note.untold).await?;
        let untold = &note.untold;
        self.socket
            .dismiss(
                switch,
                &untold.gone_users,
                &untold.gone_domains,
                &untold.silent_domains,
            )
            .await?;
        let mut connection = self.database.open().await?;
        let told = self.database.ask(async {
            // A lookup that has read an extension before it was removed has read its settings by now.
            write::remove_settings(&mut connection, self.owner, orphans).await?;
            note::told(&mut connection, self.owner, note).await
        });
        told.await
            .map_err(|error| asked("noting what FreeSWITCH was told of", error))?;
        self.database.keep(connection).await;
        Ok(())
    }

    /// The link says what lies on this host; the note says what stands. A process that died in between left them apart.
    async fn follow_note(&self) -> Result<(), DriverError> {
        let Some(note) = self.note().await? else {
            return Ok(());
        };
        self.files
            .on_disk("moving the link to what stands", move |tree| {
                if tree.standing()? != Some(note.generation) && tree.generation(note.generation).is_dir() {
                    tree.swap(note.generation)?;
                }
                Ok(())
            })
            .await
    }

    fn place_name(&self) -> String {
        let settings = &self.settings;
        format!(
            "{} at {}:{}",
            settings.database_name, settings.database_host, settings.database_port
        )
    }
}

/// Rows are written: whatever fails from now on, it is not known what FreeSWITCH serves.
fn begun(error: DriverError) -> DriverError {
    match error {
        unknown @ DriverError::Unknown { .. } => unknown,
        error => DriverError::unknown("having FreeSWITCH serve the rows that were written", error),
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
        let drifted = if self.is_known().await? {
            self.follow_note().await?;
            drift::found(self, &files).await?
        } else {
            // The trial says what was found in place of FusionPBX's tables.
            BTreeMap::new()
        };
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

    fn rehearses_on_a_shadow(&self) -> bool {
        false
    }

    /// Writes it all and commits nothing: the database itself says whether it takes these rows. What is applied next is
    /// this very transaction.
    async fn rehearse(&self, generation: i64) -> Result<Rehearsal, DriverError> {
        let begun = Instant::now();
        let (findings, what) = match self.attempt(generation).await? {
            Ok(trial) => {
                let (warnings, rows) = (trial.written.warnings.clone(), trial.written.rows);
                *self.trial.lock().await = Some(trial);
                let took = format!("took {rows} rows, in a transaction that is not committed yet");
                (warnings, took)
            }
            Err(conflicts) => {
                let back = "has rows of others in the way: the transaction was taken back";
                (conflicts, back.to_owned())
            }
        };
        let took = begun.elapsed().as_millis();
        let detail = format!("FusionPBX's database {what} (after {took} ms)");
        Ok(Rehearsal { findings, detail })
    }

    async fn ready(&self) -> Result<(), DriverError> {
        let witnesses = self.witnesses().await?;
        let switch = self.switch().await?;
        switch.ready().await?;
        same_switch::knows_one(&switch, &witnesses).await
    }

    async fn unread(
        &self,
        markers: &BTreeMap<Artifact, Option<String>>,
    ) -> Result<Vec<Artifact>, DriverError> {
        let note = self.note().await?;
        let untold = note.as_ref().is_some_and(|note| !note.untold.is_empty());
        let noted = note.map(|note| note.markers).unwrap_or_default();
        let differs =
            |(file, marker): &(&Artifact, &Option<String>)| untold || noted.get(file) != marker.as_ref();
        Ok(markers.iter().filter(differs).map(|(file, _)| *file).collect())
    }

    /// FusionPBX reads its own database.
    async fn inclusion(&self) -> Result<Inclusion, DriverError> {
        Ok(Inclusion::default())
    }

    async fn place(&self, generation: i64) -> Result<(), DriverError> {
        self.goes_back.store(true, Ordering::SeqCst);
        self.put(generation).await?;
        self.link(generation).await.map_err(begun)
    }

    fn leave_alone(&self, tenants: &BTreeSet<TenantId>) {
        let mut aside = self.aside.lock().unwrap_or_else(PoisonError::into_inner);
        *aside = tenants.iter().map(|id| id.uuid()).collect();
    }

    fn distrust(&self) {
        self.is_distrusted.store(true, Ordering::SeqCst);
    }

    fn signs_phones_out(&self) -> bool {
        true
    }

    fn part_from(&self, parting: Parting) {
        self.socket.part_from(parting);
    }

    /// Which rows differ says what FreeSWITCH is told of.
    async fn apply(&self, generation: i64, _reload: &[Artifact]) -> Result<(), DriverError> {
        // Before the rows: without it FreeSWITCH would go on with what it has.
        let switch = self.switch().await?;
        let written = self.put(generation).await?;
        let (told, linked) = tokio::join!(self.tell(&switch, written), self.link(generation));
        told.and(linked).map_err(begun)
    }

    async fn verify(&self, expected: &Expected) -> Result<Vec<Finding>, DriverError> {
        let note = self.note().await?;
        let mut findings = note::differences(note.as_ref(), &expected.markers);
        if !users::asks_for_all(expected) {
            findings.extend(drift::differing(self).await?);
        }
        let present = match note {
            Some(note) if !expected.present.is_empty() => self.shown(note.generation, expected).await?,
            _ => BTreeMap::new(),
        };
        let others = self.of_others(&expected.absent).await?;
        let rows = users::Rows { present, others };
        let step = users::step(expected);
        findings.extend(users::objects(&self.switch().await?, expected, step, Some(&rows)).await?);
        Ok(findings)
    }

    fn asks_for(&self, expected: &Expected) -> usize {
        users::asked_for(expected, users::step(expected))
    }

    async fn end_calls(&self, domains: &BTreeSet<SipDomain>) -> Result<EndedCalls, DriverError> {
        self.socket.end_calls(domains).await
    }

    async fn call(&self, from: &Endpoint, to: &DialNumber) -> Result<(), DriverError> {
        self.socket.call(from, to).await
    }

    async fn hang_up(&self, legs: &[LegId]) -> Result<(), DriverError> {
        self.socket.hang_up(legs).await
    }

    fn mail(&self) -> Result<Box<dyn Mail + '_>, MailError> {
        Ok(Box::new(self.mail_boxes()?))
    }

    /// FreeSWITCH complains about rows when it looks them up, which is asked for.
    async fn log_since_apply(&self) -> Vec<Finding> {
        self.socket.calls_left()
    }

    async fn standing(&self) -> Result<Option<i64>, DriverError> {
        Ok(self.note().await?.map(|note| note.generation))
    }

    async fn keep_only(&self, generations: &[i64]) -> Result<(), DriverError> {
        self.files.clean_up(generations).await
    }

    async fn leave(&self) -> Result<(), DriverError> {
        let mut connection = self.database.open().await?;
        let removed = self.database.ask(note::remove(&mut connection, self.owner));
        removed.await.map_err(|error| asked("removing the note", error))
    }

    async fn test(&self) -> Vec<Check> {
        checks::all(self).await
    }
}
