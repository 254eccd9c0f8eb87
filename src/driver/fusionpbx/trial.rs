//! Writing a generation: for a trial first, in a transaction that then is the one that is committed.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::Ordering;

use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use super::FusionPbxDriver;
use super::choices::Choices;
use super::conflicts;
use super::database::{self, Database, refused_or_not_applied};
use super::delta::{Delta, outline};
use super::difference::Difference;
use super::note::Note;
use super::read::{self, Columns};
use super::same_switch::{self, Witnesses};
use super::staged::{Generation, Texts, lines_with, quoted, settings};
use super::write::{self, Aside, Ground, Wanted, Written};
use crate::domain::artifact::Artifact;
use crate::domain::finding::Finding;
use crate::domain::fusionpbx_row::{FusionRow, FusionTable, ROW_VARIABLE};
use crate::domain::ids::ExtensionId;
use crate::domain::instance::PbxKind;
use crate::domain::secret::Ha1;
use crate::driver::event_socket::User;
use crate::driver::event_socket::users::Row;
use crate::driver::files::FileTree;
use crate::driver::{AbsentExtension, DriverError, Expected};

const WRITING: &str = "writing the rows";
const READING: &str = "reading the staged rows";
/// So many extensions are looked for one by one in a text, which is gone through from end to end for each.
const FEW: usize = 10;

/// A generation that is written, in a transaction that has not ended. One that is dropped was never there.
pub(super) struct Trial {
    number: i64,
    /// Whether it counts as not known what FreeSWITCH has looked up.
    everything: bool,
    pub(super) written: Written,
    /// What is noted until it is committed.
    pub(super) former: Option<Note>,
    /// Who is served until then.
    pub(super) witnesses: Witnesses,
    connection: PgConnection,
}

impl Trial {
    /// Whether its transaction is still there, as far as can be told.
    pub(super) async fn stands(&mut self, database: &Database) -> bool {
        database.ask(self.connection.ping()).await.is_ok()
    }
}

impl FusionPbxDriver {
    /// Writes a generation for a trial, or says what stands in the way of it.
    pub(super) async fn attempt(&self, number: i64) -> Result<Result<Trial, Vec<Finding>>, DriverError> {
        let failed = |error: sqlx::Error| refused_or_not_applied(WRITING, error);
        self.end_trial().await;
        let everything = self.is_distrusted.load(Ordering::SeqCst);
        let mut connection = self.database.open().await?;
        let schema = self.schema(&mut connection).await?;
        let begun = run(&mut connection, "begin");
        self.database.ask(begun).await.map_err(failed)?;
        let ground = Ground::read(&mut connection, self.owner);
        let ground = self.database.work(ground).await.map_err(failed)?;
        let witnesses = same_switch::witnesses(&mut connection, self.owner);
        let witnesses = self.database.ask(witnesses).await.map_err(failed)?;
        let is_as_noted = match (&ground.former, &ground.touched) {
            (Some(note), Some(touched)) => self.is_as_noted(&mut connection, note, touched).await?,
            _ => false,
        };
        let former = ground.former.clone();
        let wanted = self
            .wanted(number, former.clone(), is_as_noted && !everything)
            .await?;
        let aside = self.left_alone();
        let wanted = Wanted {
            comes_back: self.goes_back.load(Ordering::SeqCst),
            ..wanted.without(aside)
        };
        let written = write::write(&mut connection, schema, self.owner, ground, wanted, everything);
        Ok(match self.database.work(written).await.map_err(failed)? {
            Ok(written) => Ok(Trial {
                number,
                everything,
                written,
                former,
                witnesses,
                connection,
            }),
            Err(conflicts) => {
                let taken_back = run(&mut connection, "rollback");
                self.database.ask(taken_back).await.map_err(failed)?;
                self.database.keep(connection).await;
                Err(conflicts)
            }
        })
    }

    /// Writes a generation for good: as it was tried, where that trial still stands. Before the commit nothing has
    /// happened, after it everything has.
    pub(super) async fn put(&self, number: i64) -> Result<Written, DriverError> {
        let everything = self.is_distrusted.load(Ordering::SeqCst);
        let tried = self.trial.lock().await.take();
        if let Some(mut trial) = tried {
            let is_this = trial.number == number && trial.everything == everything;
            if is_this && trial.stands(&self.database).await {
                return self.commit(trial).await;
            }
            self.take_back(trial).await;
        }
        let why = match self.attempt(number).await {
            Ok(Ok(trial)) => return self.commit(trial).await,
            // Whatever the database said no to, nothing was written.
            Ok(Err(conflicts)) => {
                let why = conflicts.into_iter().map(|conflict| conflict.message);
                why.collect::<Vec<_>>().join("; ").into()
            }
            Err(DriverError::Refused { source, .. }) => source,
            Err(error) => return Err(error),
        };
        Err(DriverError::not_applied(WRITING, why))
    }

    async fn commit(&self, mut trial: Trial) -> Result<Written, DriverError> {
        let warrant = self.files.warrant();
        warrant.map_err(|error| DriverError::not_applied(WRITING, error))?;
        match self.database.ask(run(&mut trial.connection, "commit")).await {
            Ok(()) => {}
            // Without an answer it may have happened all the same.
            Err(error) if database::is_said_no(&error) => return Err(refused(error)),
            Err(error) => return Err(DriverError::unknown(WRITING, error)),
        }
        self.database.keep(trial.connection).await;
        Ok(trial.written)
    }

    /// Nothing else is written while a trial has the lock.
    async fn end_trial(&self) {
        let tried = self.trial.lock().await.take();
        if let Some(trial) = tried {
            self.take_back(trial).await;
        }
    }

    async fn take_back(&self, mut trial: Trial) {
        // With the connection it would end too, only later.
        let taken_back = run(&mut trial.connection, "rollback");
        if self.database.ask(taken_back).await.is_ok() {
            self.database.keep(trial.connection).await;
        }
    }

    /// What is to be written of a generation: where all stands as it was noted, only what differs from that.
    async fn wanted(
        &self,
        number: i64,
        former: Option<Note>,
        is_as_noted: bool,
    ) -> Result<Wanted, DriverError> {
        // What was touched and not told of may be in neither of the two.
        let is_told = former.as_ref().is_some_and(|note| note.untold.is_empty());
        let is_as_noted = is_as_noted && is_told;
        let wanted = self.files.on_disk(READING, move |tree| {
            let Some(texts) = read(&tree.generation(number))? else {
                return Ok(None);
            };
            let (count, markers) = outline(&texts)?;
            let delta = former.and_then(|note| since_noted(&tree, &note, &texts));
            let mut wanted = Wanted {
                number,
                markers,
                count,
                rows: Vec::new(),
                differing: None,
                choices: delta.as_ref().map_or_else(Choices::all, |delta| {
                    Choices::between(&delta.former.rows, &delta.wanted.rows)
                }),
                aside: Aside::default(),
                comes_back: false,
            };
            match delta {
                Some(delta) if is_as_noted => {
                    let both = delta.former.rows.iter().chain(&delta.wanted.rows);
                    let ids: BTreeSet<_> = both.map(|row| (row.table, row.id)).collect();
                    wanted.differing = Some(ids);
                    wanted.rows = delta.wanted.rows;
                    wanted.rows.extend(delta.context);
                }
                _ => wanted.rows = whole(&texts)?.rows,
            }
            Ok(Some(wanted))
        });
        wanted.await?.ok_or_else(|| {
            DriverError::not_applied(WRITING, format!("generation {number} is not staged on this host"))
        })
    }

    /// Whether rows that somebody wrote to are as they were written, but for what people chose by their phones: of a large
    /// box somebody chooses something all day.
    pub(super) async fn is_as_noted(
        &self,
        connection: &mut PgConnection,
        note: &Note,
        touched: &BTreeSet<(FusionTable, Uuid)>,
    ) -> Result<bool, DriverError> {
        if touched.is_empty() {
            return Ok(true);
        }
        let (number, ids) = (note.generation, touched.clone());
        let read = move |tree: FileTree| {
            let texts = read(&tree.generation(number)).ok().flatten();
            Ok(texts
                .and_then(|texts| lines_of(&texts, &ids).ok())
                .unwrap_or_default())
        };
        let written = self.files.on_disk(READING, read).await?;
        if written.len() != touched.len() {
            return Ok(false);
        }
        let columns = Columns::of(&written, self.schema(connection).await?);
        let there = read::rows_of(connection, self.owner, &columns, touched);
        let there = self.database.work(there).await;
        let there = there.map_err(|error| database::asked("the rows that somebody wrote to", error))?;
        let difference = Difference::between(&there, &written, &Choices::none());
        Ok(difference.missing.is_empty() && difference.other.is_empty())
    }

    /// A generation as it lies staged; `None` where it does not.
    pub(super) async fn staged(&self, number: i64) -> Result<Option<Generation>, DriverError> {
        let read = move |tree: FileTree| match read(&tree.generation(number))? {
            Some(texts) => whole(&texts).map(Some),
            None => Ok(None),
        };
        self.files.on_disk(READING, read).await
    }
}

impl FusionPbxDriver {
    /// What FreeSWITCH is to show of extensions, by what is staged of the generation that stands. Where that is lost, the
    /// rows are asked for column by column.
    pub(super) async fn shown(
        &self,
        number: i64,
        expected: &Expected,
    ) -> Result<BTreeMap<ExtensionId, Row>, DriverError> {
        let extensions = expected.present.iter().flat_map(|tenant| &tenant.extensions);
        let ids: Vec<ExtensionId> = extensions.map(|extension| extension.id).collect();
        let read = move |tree: FileTree| {
            let text = read_one(&tree.generation(number), Artifact::ExtensionRows)?.unwrap_or_default();
            let names: Vec<String> = ids.iter().map(ToString::to_string).collect();
            let settings = if names.len() > FEW {
                settings(text.lines())
            } else {
                settings(names.iter().flat_map(|id| lines_with(&text, id)))
            };
            let shown = |(id, name): (ExtensionId, &String)| {
                let of = |setting| {
                    settings
                        .get(&(name.as_str(), setting))
                        .map(|value| (*value).to_owned())
                };
                let row = Row {
                    ha1: of("a1-hash").and_then(|ha1| Ha1::parse(&ha1.into()).ok()),
                    digest: of(ROW_VARIABLE),
                };
                (id, row)
            };
            Ok(ids.into_iter().zip(&names).map(shown).collect())
        };
        self.files.on_disk(READING, read).await
    }

    /// Who of those that must not be there stands there all the same, as somebody else's.
    pub(super) async fn of_others(&self, absent: &[AbsentExtension]) -> Result<BTreeSet<User>, DriverError> {
        if absent.is_empty() {
            return Ok(BTreeSet::new());
        }
        let mut connection = self.database.open().await?;
        let found = conflicts::users(&mut connection, self.owner, absent);
        let found = self.database.ask(found).await;
        let found = found.map_err(|error| database::asked("who is somebody else's", error))?;
        self.database.keep(connection).await;
        Ok(found)
    }
}

/// What of a generation differs from the noted one; `None` where that does not lie here as it was written.
fn since_noted(tree: &FileTree, note: &Note, texts: &Texts) -> Option<Delta> {
    let before = read(&tree.generation(note.generation)).ok()??;
    let (rows, markers) = outline(&before).ok()?;
    let is_it = (rows, &markers) == (note.rows, &note.markers);
    is_it.then(|| Delta::between(&before, texts).ok()).flatten()
}

/// The rows that have these ids.
fn lines_of(texts: &Texts, ids: &BTreeSet<(FusionTable, Uuid)>) -> io::Result<Vec<FusionRow>> {
    let names: HashSet<String> = ids.iter().map(|(_, id)| id.to_string()).collect();
    let mut found = Generation::default();
    for (artifact, text) in texts {
        let is_one = |line: &&str| quoted(line, ",\"id\":\"").is_some_and(|id| names.contains(id));
        found.add(*artifact, text.lines().filter(is_one))?;
    }
    found.rows.retain(|row| ids.contains(&(row.table, row.id)));
    Ok(found.rows)
}

fn refused(error: sqlx::Error) -> DriverError {
    match refused_or_not_applied(WRITING, error) {
        // Nothing was written.
        DriverError::Refused { source, .. } => DriverError::not_applied(WRITING, source),
        error => error,
    }
}

async fn run(connection: &mut PgConnection, sql: &'static str) -> sqlx::Result<()> {
    sqlx::raw_sql(sql).execute(connection).await.map(drop)
}

/// `None` where no such generation is staged.
fn read(directory: &Path) -> io::Result<Option<Texts>> {
    let mut texts = Texts::new();
    for artifact in Artifact::of(PbxKind::FusionPbx) {
        let Some(text) = read_one(directory, *artifact)? else {
            return Ok(None);
        };
        texts.insert(*artifact, text);
    }
    Ok(Some(texts))
}

fn read_one(directory: &Path, artifact: Artifact) -> io::Result<Option<String>> {
    let path = directory.join(artifact.as_str());
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io::Error::new(
            error.kind(),
            format!("{}: {error}", path.display()),
        )),
    }
}

fn whole(texts: &Texts) -> io::Result<Generation> {
    let mut generation = Generation::default();
    for (artifact, text) in texts {
        generation.add(*artifact, text.lines())?;
    }
    Ok(generation)
}
