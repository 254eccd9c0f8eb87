//! Recordings of calls: listed, listened to, downloaded and deleted, each of the last three with its entry in the audit log.

use std::io;
use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::App;
use super::audit::Changed;
use super::call_records::seen;
use super::error::AppError;
use super::precondition::IfMatch;
use crate::auth::access::Act;
use crate::auth::caller::Caller;
use crate::deploy::DeployError;
use crate::domain::ids::{InstanceId, RecordingId, TenantId};
use crate::domain::permission::Permission;
use crate::domain::recording::{Recording, RecordingPage, RecordingQuery};
use crate::domain::tenant::Service;
use crate::driver::spool::{self, LANDMARK, Spool};
use crate::monitor::landmarks::Standing;
use crate::store::{StoreError, Tx, audit, instances, purge_files, recordings, revisions, served, tenants};

/// What is read at once.
const PIECE: usize = 64 * 1024;
/// How long a disk may take to open a file, to read a piece of it, or to remove one: all who change something wait for that.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long, besides, an answer that is late or owed to another is waited for in the midst of a recording: a disk may have to spin
/// up, and one who seeks must not cut off the others.
const STANDSTILL: Duration = Duration::from_secs(10);
/// How long it may take for what is asked besides.
const SHORTER: Duration = Duration::from_secs(2);
/// What asks for the middle of a recording goes on with a listening that is in the log since no longer than this.
const ONE_LISTENING: SignedDuration = SignedDuration::from_mins(10);

/// The sound of a recording, open to be read.
pub struct Sound {
    /// Which.
    pub recording: Recording,
    open: spool::Sound,
    /// What was read of it before it was given.
    first: Option<Vec<u8>>,
    /// How long it is now.
    pub length: u64,
    /// What of it is asked for.
    pub bytes: Bytes,
}

impl Sound {
    /// The next of the bytes that are asked for; empty at their end. A disk that owes an answer is asked nothing, so that one which
    /// hangs keeps few threads of those that all share; it is waited for.
    pub async fn next(&mut self) -> io::Result<Vec<u8>> {
        if let Some(first) = self.first.take() {
            return Ok(first);
        }
        let piece = self.open.next_in_all(PIECE, PATIENCE, STANDSTILL).await;
        // Who listens is told no reason.
        piece.inspect_err(|error| {
            tracing::warn!(%error, recording = %self.recording.id, "a recording breaks off");
        })
    }
}

/// Which bytes of a recording.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bytes {
    /// All.
    Whole,
    /// Some.
    From {
        /// The first, counted from 0.
        first: u64,
        /// The last, which is one of them.
        last: u64,
    },
}

impl Bytes {
    /// Whether it begins where something was given before.
    const fn goes_on(self) -> bool {
        matches!(self, Self::From { first, .. } if first > 0)
    }
}

/// What somebody does with a recording that changes nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Use {
    /// To hear it.
    Listen,
    /// To keep a copy.
    Download,
}

impl Use {
    const fn permission(self) -> Permission {
        match self {
            Self::Listen => Permission::CallsListenRecording,
            Self::Download => Permission::CallsDownloadRecording,
        }
    }

    const fn action(self) -> &'static str {
        match self {
            Self::Listen => "recording.listen",
            Self::Download => "recording.download",
        }
    }
}

/// One page of the recordings of calls that the caller may see.
pub async fn list(app: &App, caller: &Caller, query: &RecordingQuery) -> Result<RecordingPage, AppError> {
    let tenant = caller.tenant(Permission::CallsListenRecording, Act::Read)?;
    let mut tx = app.store.read("list_recordings").await?;
    Ok(recordings::list(&mut tx, tenant, seen(caller), query).await?)
}

/// One recording of a call that the caller may see, for whoever may use it so.
pub async fn find(app: &App, caller: &Caller, using: Use, id: RecordingId) -> Result<Recording, AppError> {
    found(app, caller, using.permission(), Act::Read, id).await
}

/// The same for whoever may delete it.
pub async fn find_to_delete(app: &App, caller: &Caller, id: RecordingId) -> Result<Recording, AppError> {
    found(app, caller, Permission::CallsDeleteRecording, Act::Change, id).await
}

async fn found(
    app: &App,
    caller: &Caller,
    permission: Permission,
    act: Act,
    id: RecordingId,
) -> Result<Recording, AppError> {
    let tenant = caller.tenant(permission, act)?;
    let mut tx = app.store.read("find_recording").await?;
    let recording = recordings::find(&mut tx, tenant, seen(caller), id).await?;
    recording.ok_or(AppError::NotFound)
}

/// Opens a recording whose sound is given, once it can be read and it is in the audit log that somebody uses it so.
///
/// `choose` is told how long it is, and says what of it is given; what it refuses was no use. A player that goes on with what
/// the same caller began to hear from the same address is one use with that.
pub async fn open<E: From<AppError>>(
    app: &App,
    caller: &Caller,
    using: Use,
    id: RecordingId,
    choose: impl FnOnce(u64) -> Result<Bytes, E>,
) -> Result<Sound, E> {
    let mut sound = look(app, caller, using, id, choose).await?;
    // A disk that is dying, or away, opens what it cannot read.
    let first = sound.open.next(PIECE, PATIENCE).await;
    sound.first = Some(first.map_err(|error| absent(&error))?);
    if !sound.bytes.goes_on() || !app.was_used(caller, using, &sound.recording).await? {
        app.note_use(caller, using, &sound.recording).await?;
    }
    Ok(sound)
}

/// The same for what says of a recording how it would be given, and gives nothing of it.
pub async fn look<E: From<AppError>>(
    app: &App,
    caller: &Caller,
    using: Use,
    id: RecordingId,
    choose: impl FnOnce(u64) -> Result<Bytes, E>,
) -> Result<Sound, E> {
    let recording = find(app, caller, using, id).await?;
    let mut open = app.sound(&recording).await?;
    let length = open.length;
    let bytes = choose(length)?;
    if let Bytes::From { first, last } = bytes {
        open.narrow(first, last.saturating_sub(first).saturating_add(1));
    }
    Ok(Sound {
        recording,
        open,
        first: None,
        length,
        bytes,
    })
}

/// What tells a version of a recording from another, as `ETag` shows it.
#[must_use]
pub fn tag(recording: &Recording) -> String {
    format!("{}-{}", recording.bytes, recording.written_at.as_microsecond())
}

/// Deletes a recording and its file.
pub async fn delete(app: &App, caller: &Caller, id: RecordingId, if_match: &IfMatch) -> Result<(), AppError> {
    let right = Permission::CallsDeleteRecording;
    let (mut tx, caller, tenant) = app.begin_inside(caller, right, "delete_recording").await?;
    if !recordings::lock(&mut tx, tenant, id).await? {
        return Err(AppError::NotFound);
    }
    let recording = recordings::find(&mut tx, tenant, seen(&caller), id)
        .await?
        .ok_or(AppError::NotFound)?;
    caller.reason_to_change()?;
    if_match.check(&tag(&recording))?;
    let spool = app.spool(&mut tx, recording.instance_id).await?;
    recordings::delete(&mut tx, tenant, id).await?;
    let before = Some(view(&recording));
    app.audit(
        &mut tx,
        &caller,
        changed("recording.delete", &recording, before, None),
    )?;
    // The file first: a row without its file can be deleted again, a file without its row would be found again.
    let removed = spool.remove(&recording.path, PATIENCE).await;
    if removed.map_err(|error| kept(&error))? {
        purge_files::forget_one(&mut tx, tenant, id).await?;
    } else {
        let known = recordings::landmark(&mut tx, recording.instance_id).await?;
        let there = spool.landmark(SHORTER).await.map_err(|error| kept(&error))?;
        if Standing::of(known.as_deref(), there.as_ref()) == Standing::Wrong {
            return Err(elsewhere());
        }
    }
    tx.commit().await?;
    Ok(())
}

impl App {
    async fn sound(&self, recording: &Recording) -> Result<spool::Sound, AppError> {
        let mut tx = self.store.read("recordings_place").await?;
        let spool = self.spool(&mut tx, recording.instance_id).await?;
        drop(tx);
        let opened = spool.open_within(&recording.path, PATIENCE).await;
        opened.map_err(|error| absent(&error))
    }

    async fn note_use(&self, caller: &Caller, using: Use, recording: &Recording) -> Result<(), AppError> {
        let mut tx = self.store.begin("use_recording").await?;
        self.audit(&mut tx, caller, changed(using.action(), recording, None, None))?;
        Ok(tx.commit().await?)
    }

    /// Whether it is in the audit log already that the caller does this.
    async fn was_used(&self, caller: &Caller, using: Use, recording: &Recording) -> Result<bool, AppError> {
        let actor = caller.identity().actor().id;
        let Some((actor, address)) = actor.zip(caller.origin().address) else {
            return Ok(false);
        };
        let mut tx = self.store.read("used_recording").await?;
        let used = audit::Doing {
            tenant: recording.tenant_id,
            actor,
            address: address.to_string(),
            action: using.action(),
            target: recording.id.to_string(),
        };
        Ok(audit::was_done(&mut tx, &used, self.now() - ONE_LISTENING).await?)
    }

    /// Where an instance of this host has its recordings.
    pub(super) async fn spool(&self, tx: &mut Tx, id: InstanceId) -> Result<Spool, AppError> {
        let instance = instances::find(tx, id).await?.ok_or(AppError::NotFound)?;
        if instance.node != *self.engine.node() {
            let (name, node) = (instance.name, instance.node);
            return Err(DeployError::DrivenElsewhere { name, node }.into());
        }
        let directory = instance.settings.recordings_dir().cloned();
        let directory = directory.ok_or(AppError::NotFound)?;
        Ok(Spool::new(directory, instance.settings.kind()))
    }
}

/// Whether a PBX records calls of a tenant, as it is edited or as it is served there now; also where that cannot be read.
pub(super) async fn is_recorded(
    tx: &mut Tx,
    tenant: TenantId,
    instance: InstanceId,
) -> Result<bool, StoreError> {
    match records_calls(tx, tenant, instance).await {
        Err(StoreError::Corrupt { .. }) => Ok(true),
        known => known,
    }
}

async fn records_calls(tx: &mut Tx, tenant: TenantId, instance: InstanceId) -> Result<bool, StoreError> {
    let found = tenants::find(tx, tenant).await?;
    let is_its_own = found.is_some_and(|found| found.instance_id == instance);
    let edited = revisions::head(tx, tenant).await?.filter(|_| is_its_own);
    let served = match served::revision(tx, instance, tenant).await? {
        Some(id) => revisions::find(tx, tenant, id).await?,
        None => None,
    };
    let mut configs = edited.into_iter().chain(served.map(|revision| revision.config));
    Ok(configs.any(|config| config.under(Service::Open).records()))
}

/// A file that is not there, or that is no recording, is answered as what is not there.
fn absent(error: &io::Error) -> AppError {
    match error.kind() {
        io::ErrorKind::NotFound => return AppError::NotFound,
        io::ErrorKind::TimedOut => return no_answer("recording_unreadable"),
        _ => {}
    }
    tracing::warn!(%error, "a recording cannot be read");
    AppError::conflict(
        "recording_unreadable",
        "the recording is there and cannot be read; the server's log tells why, and its operator lets the service read it",
    )
}

fn kept(error: &io::Error) -> AppError {
    match error.kind() {
        io::ErrorKind::TimedOut => return no_answer("recording_kept"),
        io::ErrorKind::NotFound => return elsewhere(),
        _ => {}
    }
    tracing::warn!(%error, "a recording cannot be removed");
    AppError::conflict(
        "recording_kept",
        "the recording's file cannot be removed, so it stays; the server's log tells why, and its operator lets the service \
         write in that directory",
    )
}

fn elsewhere() -> AppError {
    let message = format!(
        "the recording's file is not there, nor is the directory the one that it was: the server's operator mounts its disk or, \
         where recordings were removed on purpose, makes the file {LANDMARK} in it empty"
    );
    AppError::conflict("recording_kept", message)
}

/// Of a disk that owes an answer, to them or to somebody before.
fn no_answer(code: &'static str) -> AppError {
    let message = "the disk of the recordings does not answer; try again later, and if that lasts, tell the server's operator";
    tracing::warn!("a disk of recordings does not answer");
    AppError::conflict(code, message)
}

fn view(recording: &Recording) -> Value {
    json!({
        "call_id": recording.call_id,
        "bytes": recording.bytes,
        "written_at": recording.written_at,
    })
}

fn changed(
    action: &'static str,
    recording: &Recording,
    before: Option<Value>,
    after: Option<Value>,
) -> Changed {
    Changed {
        action,
        resource: "recording",
        target: recording.id.to_string(),
        tenant_id: Some(recording.tenant_id),
        before,
        after,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a13_of_a_disk_that_does_not_answer_nobody_is_told_that_a_recording_is_not_there() {
        let late = io::Error::from(io::ErrorKind::TimedOut);
        for (error, expected) in [
            (kept(&late), "recording_kept"),
            (absent(&late), "recording_unreadable"),
        ] {
            assert!(
                matches!(error, AppError::Conflict { code, .. } if code == expected),
                "{error:?}"
            );
        }
    }
}
