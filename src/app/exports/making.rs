//! An export as it is made: what is read is read by whoever may still have it, each page for itself, and nothing of the
//! database is held while somebody reads the archive.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::archive::{Archive, Cut, Patience};
use super::manifest::{self, Manifest, NamedTenant, SoundTotal};
use super::{Job, RIGHT, calls, changed, configuration, kinds, people, person, tickets, voicemail};
use crate::app::App;
use crate::app::error::AppError;
use crate::domain::error_chain::error_chain;
use crate::domain::export::{ExportKind, ExportSubject};
use crate::store::exports::{self, END};
use crate::store::{Tx, tenants};

/// Whoever takes less keeps a place from others.
const PATIENCE: Patience = Patience {
    piece: Duration::from_mins(1),
    grace: Duration::from_mins(10),
    pace: 16 * 1024,
};
/// Whoever may not have it any more gets nothing that is read later than this.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// How long a database that is busy or away is waited for: an export of hours is not given up for a moment.
const DATABASE_PATIENCE: Duration = Duration::from_secs(30);
/// How often it is tried to note what came of an export.
const TRIES: u32 = 3;
/// Until the database is asked again.
const PAUSE: Duration = Duration::from_secs(1);
/// After so long no further try is begun while the daemon is to stop, which does not wait for ever.
const LONGEST_AT_A_STOP: Duration = Duration::from_secs(10);

/// An export under way.
pub(super) struct Making<'a> {
    pub(super) app: &'a App,
    pub(super) job: &'a Job,
    pub(super) archive: Archive,
    pub(super) recordings: SoundTotal,
    pub(super) voicemail: SoundTotal,
    asked: Option<Instant>,
    stop: CancellationToken,
}

/// Makes an export, until it is complete, nobody reads it, or it is told to stop.
pub async fn make(app: App, job: Job, stop: CancellationToken) {
    let began = app.now();
    let archive = Archive::new(job.out.clone(), stop.clone(), PATIENCE, began);
    let mut making = Making {
        app: &app,
        job: &job,
        archive,
        recordings: SoundTotal::default(),
        voicemail: SoundTotal::default(),
        asked: None,
        stop,
    };
    let Err(cut) = making.whole(began).await else {
        return;
    };
    let why = cut.why();
    if let Cut::Failed(error) = &cut {
        let error = error_chain(error.as_ref());
        tracing::error!(export = %job.id, error, "an export was cut, since something failed");
    } else {
        tracing::info!(export = %job.id, %why, "an export was cut");
    }
    let after = making.came_of("cut", &json!({"why": why}));
    // Before whoever reads sees that it was cut.
    if let Err(error) = end(&app, &job, began, after, &making.stop).await {
        if matches!(error, AppError::NotFound) {
            tracing::info!(export = %job.id, "an export was cut whose tenant is gone, and its log with it");
            return;
        }
        let error = error_chain(&error);
        tracing::error!(export = %job.id, error, "that an export was cut is not in the audit log");
    }
}

/// Notes what came of an export, trying again where that fails.
async fn end(
    app: &App,
    job: &Job,
    began: Timestamp,
    after: Value,
    stop: &CancellationToken,
) -> Result<(), AppError> {
    let (mut tries, since) = (1, Instant::now());
    let is_late = || stop.is_cancelled() && since.elapsed() >= LONGEST_AT_A_STOP;
    loop {
        match note_end(app, job, began, &after).await {
            Err(error) if tries < TRIES && !is_late() && !matches!(error, AppError::NotFound) => {
                let error = error_chain(&error);
                tracing::warn!(export = %job.id, error, "what came of an export is noted again");
            }
            done => return done,
        }
        tries += 1;
        tokio::time::sleep(PAUSE).await;
    }
}

/// Once for each: of a commit whose answer was lost nobody knows without a look.
async fn note_end(app: &App, job: &Job, began: Timestamp, after: &Value) -> Result<(), AppError> {
    let mut tx = app.begin_in(job.tenant, "end_export").await?;
    if exports::is_ended(&mut tx, job.tenant, job.id, began).await? {
        return Ok(());
    }
    let ended = changed(END, job.id, job.tenant, after.clone());
    app.audit(&mut tx, &job.caller, ended)?;
    Ok(tx.commit().await?)
}

impl Making<'_> {
    /// A transaction that reads a page; none for whoever may not have it any more. A database that is busy or away is waited for.
    pub(super) async fn read(&mut self, name: &'static str) -> Result<Tx, Cut> {
        let began = Instant::now();
        loop {
            self.archive.check()?;
            match self.read_now(name).await {
                Err(AppError::Store(error)) if error.may_pass() && began.elapsed() < DATABASE_PATIENCE => {
                    let error = error_chain(&error);
                    tracing::warn!(export = %self.job.id, error, "an export waits for the database");
                    self.archive.pause(PAUSE).await;
                }
                read => return Ok(read?),
            }
        }
    }

    async fn read_now(&mut self, name: &'static str) -> Result<Tx, AppError> {
        let mut tx = self.app.store.read(name).await?;
        if self.asked.is_none_or(|asked| asked.elapsed() >= ASK_AGAIN) {
            let Job { caller, tenant, .. } = self.job;
            self.app.still_inside(&mut tx, caller, RIGHT, *tenant).await?;
            self.asked = Some(Instant::now());
        }
        Ok(tx)
    }

    /// Asks for them again where that is due, while something else than the database is read.
    pub(super) async fn still(&mut self) -> Result<(), Cut> {
        self.archive.check()?;
        if self.asked.is_none_or(|asked| asked.elapsed() >= ASK_AGAIN) {
            self.read("export_still").await?;
        }
        Ok(())
    }

    async fn whole(&mut self, began: Timestamp) -> Result<(), Cut> {
        let mut tx = self.read("export_tenant").await?;
        let tenant = tenants::find(&mut tx, self.job.tenant).await?;
        drop(tx);
        let tenant = tenant.ok_or(AppError::NotFound)?;
        match &self.job.subject {
            ExportSubject::Tenant => self.tenant().await?,
            ExportSubject::User { id } => person::user(self, *id).await?,
            ExportSubject::Extension { id, within } => person::extension(self, *id, *within).await?,
            ExportSubject::Number { id, within } => person::number(self, id, *within).await?,
        }
        self.archive.end_parts().await?;
        let manifest = Manifest {
            format: manifest::FORMAT,
            version: manifest::VERSION,
            export_id: self.job.id,
            tenant: NamedTenant {
                id: tenant.id,
                name: &tenant.name,
                domain: &tenant.domain,
            },
            subject: &self.job.subject,
            requested_by: self.job.caller.identity().actor().name,
            began_at: began,
            ended_at: self.app.now(),
            read: manifest::READ,
            // It is told of them where the archive is cut in the manifest, too.
            kinds: &self.archive.kinds.clone(),
            recordings: &self.recordings,
            voicemail: &self.voicemail,
            files: &std::mem::take(&mut self.archive.files),
            left_out: kinds::left_out(&self.job.subject),
        };
        let sha256 = self.archive.last(manifest::NAME, &manifest).await?;
        let after = self.came_of("complete", &json!({"manifest_sha256": sha256}));
        let ending = self.archive.end().await?;
        // Nobody has a whole archive of which the log does not say so.
        end(self.app, self.job, began, after, &self.stop).await?;
        ending.hand_over();
        Ok(())
    }

    /// All that a tenant has, what is most and changes most last.
    async fn tenant(&mut self) -> Result<(), Cut> {
        configuration::tenant(self).await?;
        configuration::webhooks(self).await?;
        // Else a part of each kind would be in memory to the end.
        self.archive.end_parts().await?;
        configuration::extensions(self).await?;
        self.archive.end_parts().await?;
        people::all(self).await?;
        self.archive.end_parts().await?;
        tickets::all(self).await?;
        self.archive.end_parts().await?;
        configuration::deployments(self).await?;
        self.archive.end_parts().await?;
        configuration::revisions(self).await?;
        self.archive.end_parts().await?;
        configuration::purges(self).await?;
        configuration::erasures(self).await?;
        self.archive.end_parts().await?;
        people::audit_entries(self).await?;
        self.archive.end_parts().await?;
        calls::gaps(self).await?;
        calls::all(self).await?;
        self.archive.end_parts().await?;
        calls::recordings(self).await?;
        self.archive.end_parts().await?;
        voicemail::all(self).await
    }

    /// As the audit log tells it: figures, and nothing of a person.
    fn came_of(&self, outcome: &str, more: &Value) -> Value {
        let kinds = self.archive.kinds.values();
        let (rows, gone) = kinds.fold((0, 0), |(rows, gone): (u64, u64), total| {
            (rows + total.rows, gone + total.gone_meanwhile)
        });
        let came_of = json!({
            "outcome": outcome,
            "rows": rows,
            "gone_meanwhile": gone,
            "recordings": self.recordings.files,
            "missing": self.recordings.missing,
            "voicemail": self.voicemail.files,
            "voicemail_missing": self.voicemail.missing,
            "bytes": self.archive.bytes,
        });
        crate::app::audit::merged(came_of, more.clone())
    }

    /// Adds a row, unless it went while it was looked for.
    pub(super) async fn found(
        &mut self,
        kind: ExportKind,
        row: Option<&impl serde::Serialize>,
    ) -> Result<(), Cut> {
        if let Some(row) = row {
            self.archive.row(kind, row).await
        } else {
            self.archive.gone(kind);
            Ok(())
        }
    }
}
