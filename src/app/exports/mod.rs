//! Exports of a tenant's or a person's data: asked for and in the audit log before the first byte, made by a task of the daemon
//! while somebody reads, and in the audit log again as complete or cut.

mod archive;
mod calls;
mod configuration;
pub mod kinds;
mod making;
mod manifest;
mod patience;
mod people;
mod person;
mod places;
mod sounds;
mod tickets;
mod voicemail;

use std::io;

use bytes::Bytes;
use serde_json::json;
use tokio::sync::mpsc::{self, Receiver, Sender};

use self::archive::{Piece, WAITING};
pub use self::making::make;
pub(super) use self::places::Exports;
use self::places::Place;
pub use self::places::{MOST, MOST_OF_TENANT};
use super::App;
use super::audit::Changed;
use super::error::AppError;
use crate::auth::access::Act;
use crate::auth::caller::Caller;
use crate::domain::export::{ExportInput, ExportSubject};
use crate::domain::ids::{ExportId, TenantId};
use crate::domain::invalid::FieldErrors;
use crate::domain::permission::Permission;
use crate::store::{Tx, extensions, users};

/// What may be exported of a tenant is asked of whoever asks for it, and again as long as it goes on.
const RIGHT: Permission = Permission::DataExport;

/// An export that is to be made.
pub struct Job {
    id: ExportId,
    tenant: TenantId,
    caller: Caller,
    subject: ExportSubject,
    out: Sender<Piece>,
    _place: Place,
}

/// An archive, for whoever asked for it. Once it is dropped, the export ends.
pub struct Export {
    /// Which.
    pub id: ExportId,
    pieces: Receiver<Piece>,
    is_over: bool,
}

impl Export {
    /// The next piece; none at the end. An error where the archive was cut, so that nobody takes it for a whole one.
    pub async fn next(&mut self) -> Option<io::Result<Bytes>> {
        if self.is_over {
            return None;
        }
        match self.pieces.recv().await {
            Some(Piece::Bytes(bytes)) => Some(Ok(bytes)),
            Some(Piece::End) => {
                self.is_over = true;
                None
            }
            None => {
                self.is_over = true;
                Some(Err(io::Error::other("the export was cut")))
            }
        }
    }
}

/// Begins an export; it goes on while somebody reads it.
pub async fn begin(app: &App, caller: &Caller, input: ExportInput) -> Result<Export, AppError> {
    let tenant = caller.tenant(RIGHT, Act::Change)?;
    caller.reason_to_change()?;
    let subject = input.parse()?;
    let place = app.exports.enter(tenant)?;
    // Before the log says that it began: as many as wait there have no place left.
    let turn = app.exports.sender.try_reserve();
    let turn = turn.map_err(|_| AppError::Crowded)?;
    let (mut tx, caller, tenant) = app.begin_inside(caller, RIGHT, "begin_export").await?;
    is_there(&mut tx, tenant, &subject).await?;
    let id = ExportId::fresh(app.ids.as_ref());
    let asked = json!({"subject": subject});
    app.audit(&mut tx, &caller, changed("data.export", id, tenant, asked))?;
    tx.commit().await?;
    let (out, pieces) = mpsc::channel(WAITING);
    let job = Job {
        id,
        tenant,
        caller,
        subject,
        out,
        _place: place,
    };
    turn.send(job);
    Ok(Export {
        id,
        pieces,
        is_over: false,
    })
}

/// What is asked for, for the one who makes it; none when somebody does already.
#[must_use]
pub fn take(app: &App) -> Option<Receiver<Job>> {
    app.exports.take()
}

/// Of another tenant's nobody learns that it is there.
async fn is_there(tx: &mut Tx, tenant: TenantId, subject: &ExportSubject) -> Result<(), AppError> {
    let (field, is_there) = match subject {
        ExportSubject::Tenant | ExportSubject::Number { .. } => return Ok(()),
        ExportSubject::Extension { id, .. } => {
            ("extension", extensions::find(tx, tenant, *id).await?.is_some())
        }
        ExportSubject::User { id } => ("user", users::find(tx, tenant, *id).await?.is_some()),
    };
    if is_there {
        Ok(())
    } else {
        Err(FieldErrors::one(field, format!("must be the id of one of the tenant's {field}s")).into())
    }
}

fn changed(action: &'static str, id: ExportId, tenant: TenantId, after: serde_json::Value) -> Changed {
    Changed {
        action,
        resource: "export",
        target: id.to_string(),
        tenant_id: Some(tenant),
        before: None,
        after: Some(after),
    }
}
