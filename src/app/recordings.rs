//! Recordings of calls: listed, listened to, downloaded and deleted, each of the last three with its entry in the audit log.

use std::fs::File;
use std::io;

use serde_json::{Value, json};

use super::App;
use super::audit::Changed;
use super::call_records::seen;
use super::error::AppError;
use super::precondition::IfMatch;
use crate::auth::access::Act;
use crate::auth::caller::Caller;
use crate::deploy::DeployError;
use crate::domain::ids::{InstanceId, RecordingId};
use crate::domain::permission::Permission;
use crate::domain::recording::{Recording, RecordingPage, RecordingQuery};
use crate::driver::spool::Spool;
use crate::store::{Tx, instances, recordings};

/// The sound of a recording, open to be read.
pub struct Sound {
    /// Which.
    pub recording: Recording,
    /// The file.
    pub file: File,
    /// How long it is now.
    pub length: u64,
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

/// Opens a recording, once it is in the audit log that somebody did.
pub async fn open(app: &App, caller: &Caller, using: Use, id: RecordingId) -> Result<Sound, AppError> {
    let recording = find(app, caller, using, id).await?;
    let mut tx = app.store.read("recordings_place").await?;
    let spool = app.spool(&mut tx, recording.instance_id).await?;
    drop(tx);
    let (file, metadata) = spool.open(&recording.path).await.map_err(absent)?;
    let mut tx = app.store.begin("use_recording").await?;
    app.audit(&mut tx, caller, changed(using.action(), &recording, None, None))?;
    tx.commit().await?;
    Ok(Sound {
        recording,
        file,
        length: metadata.len(),
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
    spool
        .remove(&recording.path)
        .await
        .map_err(|error| kept(&error))?;
    tx.commit().await?;
    Ok(())
}

impl App {
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

/// A file that is not there, or that is no recording, is answered as what is not there.
fn absent(error: io::Error) -> AppError {
    match error.kind() {
        io::ErrorKind::NotFound => AppError::NotFound,
        _ => {
            tracing::warn!(%error, "a recording cannot be read");
            AppError::conflict(
                "recording_unreadable",
                "the recording is there and cannot be read; the server's log tells why, and its operator lets the service read it",
            )
        }
    }
}

fn kept(error: &io::Error) -> AppError {
    tracing::warn!(%error, "a recording cannot be removed");
    AppError::conflict(
        "recording_kept",
        "the recording's file cannot be removed, so it stays; the server's log tells why, and its operator lets the service \
         write in that directory",
    )
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
