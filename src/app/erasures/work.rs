//! How erasures are carried out: what there is is looked for once more and noted, then erased some at a time, each batch counted in
//! the transaction that erases it, so that whoever is killed goes on where they were.

use std::time::{Duration, Instant};

use jiff::SignedDuration;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::finding::{Finds, Found, Where, find as look_for};
use super::{digest, recordings, rows, told, voicemail};
use crate::app::App;
use crate::app::audit::Changed;
use crate::app::error::AppError;
use crate::app::purge_work::{AT_DISKS, no_lock};
use crate::app::purges::daemon;
use crate::app::setbacks::Setbacks;
use crate::auth::caller::Caller;
use crate::domain::erasure::{Erased, Erasure, ErasurePart, ErasurePlace, ErasureStatus, Marks};
use crate::domain::error_chain::error_chain;
use crate::domain::ids::{ErasureId, TenantId};
use crate::domain::instance::NodeName;
use crate::domain::permission::PlatformPermission;
use crate::domain::tenant::TenantStatus;
use crate::store::erasure_targets::OfPart;
use crate::store::{Tx, erasure_targets, erasures, instances, tenants};

/// How long others have the database for themselves between two batches; at least twice as long as the batch took.
const PAUSE: Duration = Duration::from_millis(10);
/// After that it is the turn of another one.
const TURN: Duration = Duration::from_secs(3);
const FAILED: &str = "it failed again and again for a day; the server's log tells why";
/// For how long another host, which drives the PBX, may take to come for its part, and a part may fail.
const PATIENCE: SignedDuration = SignedDuration::from_hours(24);

/// A part of an erasure that is worked on.
pub(super) struct Work<'a> {
    pub app: &'a App,
    pub caller: &'a Caller,
    pub erasure: &'a Erasure,
    pub marks: &'a Marks,
    pub part: &'a ErasurePart,
    pub stop: &'a CancellationToken,
}

/// A part under the tenant's lock.
pub(super) struct Open {
    pub tx: Tx,
    pub part: ErasurePart,
}

impl Work<'_> {
    pub(super) fn of(&self) -> OfPart {
        OfPart {
            tenant: self.erasure.tenant_id,
            erasure: self.erasure.id,
            position: self.part.position,
        }
    }

    /// Whether what did not go for all that time is not waited for any longer.
    fn is_late(&self) -> bool {
        let asked = self.erasure.run_at.unwrap_or(self.erasure.requested_at);
        self.app.now().duration_since(asked).abs() >= PATIENCE
    }

    /// None where nothing is left to do.
    pub(super) async fn open(&self) -> Result<Option<Open>, AppError> {
        let tenant = self.erasure.tenant_id;
        let mut tx = self.app.begin_in(tenant, "erase").await?;
        let part = erasures::part(&mut tx, tenant, self.erasure.id, self.part.position).await?;
        let part = part.filter(|part| part.ended_at.is_none());
        Ok(part.map(|part| Open { tx, part }))
    }

    /// Notes what was done; gives whether it was the last of the part.
    pub(super) async fn close(&self, mut open: Open, erased: Erased) -> Result<bool, AppError> {
        let OfPart {
            tenant,
            erasure,
            position,
        } = self.of();
        erasures::note(&mut open.tx, tenant, erasure, position, &erased, self.app.now()).await?;
        open.tx.commit().await?;
        Ok(erased.is_last)
    }

    /// Notes what a host has found of its part, and whether something could not be looked at.
    pub(super) async fn found(&self, targets: &[Uuid], unseen: Option<&str>) -> Result<(), AppError> {
        let Some(mut open) = self.open().await? else {
            return Ok(());
        };
        let of = self.of();
        let left = erasure_targets::put(&mut open.tx, of, targets).await?;
        erasures::looked(&mut open.tx, of.tenant, of.erasure, of.position, left).await?;
        let erased = Erased {
            kept: i64::from(unseen.is_some()),
            detail: unseen.map(str::to_owned),
            ..Erased::default()
        };
        self.close(open, erased).await.map(drop)
    }

    /// Nothing is left to try.
    pub(super) async fn nothing_left(&self) -> Result<bool, AppError> {
        match self.open().await? {
            Some(open) => self.close(open, Erased::all(0)).await,
            None => Ok(true),
        }
    }

    /// All that is left stays.
    pub(super) async fn stays(&self, why: impl Into<String>) -> Result<bool, AppError> {
        let Some(open) = self.open().await? else {
            return Ok(true);
        };
        let erased = Erased {
            kept: open.part.left().max(1),
            detail: Some(why.into()),
            is_last: true,
            ..Erased::default()
        };
        self.close(open, erased).await
    }
}

/// Carries out what erasures there are, as far as this host can, a turn of each; gives whether something is left to do now.
pub async fn work(
    app: &App,
    setbacks: &mut Setbacks<(TenantId, ErasureId)>,
    stop: &CancellationToken,
) -> Result<bool, AppError> {
    let caller = daemon();
    caller.platform(PlatformPermission::InstancesDeploy)?;
    let mut tx = app.store.read("running_erasures").await?;
    let running = erasures::running(&mut tx).await?;
    drop(tx);
    let mut is_left = false;
    for (tenant, id) in setbacks.due(running, app.now()) {
        if stop.is_cancelled() {
            break;
        }
        // One that fails keeps none of the others waiting.
        let done = carry_out(app, &caller, tenant, id, stop).await;
        is_left |= matches!(done, Ok(true));
        setbacks.note((tenant, id), done.map(drop), app.now());
    }
    Ok(is_left)
}

async fn carry_out(
    app: &App,
    caller: &Caller,
    tenant: TenantId,
    id: ErasureId,
    stop: &CancellationToken,
) -> Result<bool, AppError> {
    let mut tx = app.store.read("running_erasure").await?;
    let found = erasures::find(&mut tx, tenant, id).await?;
    drop(tx);
    let Some(erasure) = found.filter(|erasure| erasure.status == ErasureStatus::Running) else {
        return Ok(false);
    };
    let marks = erasure.marks.clone().unwrap_or_default();
    if erasure.noted_at.is_none() && !begin(app, &erasure, &marks).await? {
        return Ok(false);
    }
    let mut tx = app.store.read("running_erasure").await?;
    let found = erasures::find(&mut tx, tenant, id).await?;
    drop(tx);
    let Some(erasure) = found else {
        return Ok(false);
    };
    let (mut is_left, mut failed) = (false, None);
    for part in erasure.parts.iter().filter(|part| part.ended_at.is_none()) {
        if part.place == ErasurePlace::CallRecords && !are_recordings_known(app, tenant, id).await? {
            continue;
        }
        let work = Work {
            app,
            caller,
            erasure: &erasure,
            marks: &marks,
            part,
            stop,
        };
        match go_on(&work).await {
            Ok(is_more) => is_left |= is_more,
            // What fails for a day is left, so that the others come to an end, and others of the tenant to their turn.
            Err(error) if work.is_late() => {
                let error = error_chain(&error);
                tracing::error!(erasure = %id, %tenant, error, "a part of an erasure fails; what is left of it stays");
                work.stays(FAILED).await?;
            }
            Err(error) => failed = Some(error),
        }
        if stop.is_cancelled() {
            return Ok(false);
        }
    }
    end(app, caller, tenant, id).await?;
    failed.map_or(Ok(is_left), Err)
}

/// Whether each host has looked for recordings: what tells whose they are is in the records of calls.
async fn are_recordings_known(app: &App, tenant: TenantId, id: ErasureId) -> Result<bool, AppError> {
    let mut tx = app.store.read("recordings_of_erasure").await?;
    let erasure = erasures::find(&mut tx, tenant, id).await?;
    let mut parts = erasure.iter().flat_map(|erasure| &erasure.parts);
    Ok(!parts.any(|part| {
        part.place == ErasurePlace::Recordings && part.found.is_none() && part.ended_at.is_none()
    }))
}

/// Looks for everything once more, and notes it as what is to be erased; what is little goes at once. False where the tenant goes.
async fn begin(app: &App, erasure: &Erasure, marks: &Marks) -> Result<bool, AppError> {
    let (tenant, id) = (erasure.tenant_id, erasure.id);
    let mut tx = app.store.read("look_for_person").await?;
    let finds = look_for(&mut tx, tenant, &erasure.subject, marks).await?;
    drop(tx);
    let mut tx = app.begin_in(tenant, "begin_erasure").await?;
    let there = tenants::find(&mut tx, tenant).await?;
    // One that goes is left to its deletion.
    if there.is_none_or(|there| there.status == TenantStatus::Deleting) {
        return Ok(false);
    }
    // Another host may have begun meanwhile.
    if !erasures::noted(&mut tx, tenant, id, app.now()).await? {
        return Ok(true);
    }
    for (part, found) in parts(erasure, &finds) {
        erasures::put_part(&mut tx, tenant, id, &part).await?;
        let of = OfPart {
            tenant,
            erasure: id,
            position: part.position,
        };
        match found {
            Some(Found::Whole(count)) => {
                rows::at_once(&mut tx, erasure, marks, part.place).await?;
                erasures::looked(&mut tx, tenant, id, part.position, *count).await?;
                let erased = Erased::all(*count);
                erasures::note(&mut tx, tenant, id, part.position, &erased, app.now()).await?;
            }
            // Where nothing of it is found any more, what was kept is tried again.
            Some(Found::Each(_)) | None => {
                let ids = match found {
                    Some(Found::Each(ids)) => ids.as_slice(),
                    _ => &[],
                };
                erasure_targets::try_again(&mut tx, of).await?;
                let left = erasure_targets::put(&mut tx, of, ids).await?;
                // How much there is on a PBX is known once the host that drives it has looked.
                if part.instance_id.is_none() {
                    erasures::looked(&mut tx, tenant, id, part.position, left).await?;
                }
            }
        }
    }
    tx.commit().await?;
    Ok(true)
}

/// The parts that there are so far and those that were found, each with what is left of it.
fn parts<'a>(erasure: &Erasure, finds: &'a Finds) -> Vec<(ErasurePart, Option<&'a Found>)> {
    let before = erasure.parts.iter().map(|part| (part.place, part.instance_id));
    let known: Vec<Where> = before.collect();
    let new = finds.keys().copied().filter(|place| !known.contains(place));
    let all: Vec<Where> = known.iter().copied().chain(new).collect();
    (0..)
        .zip(all)
        .map(|(position, (place, instance))| {
            let part = ErasurePart::new(position, place, instance);
            (part, finds.get(&(place, instance)))
        })
        .collect()
}

async fn go_on(work: &Work<'_>) -> Result<bool, AppError> {
    let Some(node) = elsewhere(work.app, work.part).await? else {
        return carry_out_part(work).await;
    };
    if work.is_late() {
        let why = format!(
            "the host {node}, which drives the PBX, did not come for them within a day; see that its daemon runs"
        );
        work.stays(why).await?;
    }
    // That host does it.
    Ok(false)
}

/// The host that has to do a part, where it is another one.
async fn elsewhere(app: &App, part: &ErasurePart) -> Result<Option<NodeName>, AppError> {
    let Some(id) = part.instance_id else {
        return Ok(None);
    };
    let mut tx = app.store.read("place_of_erasure").await?;
    let instance = instances::find(&mut tx, id).await?;
    let node = instance.map(|instance| instance.node);
    Ok(node.filter(|node| node != app.engine.node()))
}

async fn carry_out_part(work: &Work<'_>) -> Result<bool, AppError> {
    // Two of them at one disk would take each other's removals for files that were not there.
    let _alone = match work.part.instance_id {
        Some(_) => match work.app.engine.alone(AT_DISKS).map_err(|error| no_lock(&error))? {
            None => return Ok(false),
            alone => alone,
        },
        None => None,
    };
    if work.part.found.is_none() {
        match (work.part.place, work.part.instance_id) {
            (ErasurePlace::Recordings, Some(place)) => recordings::begin(work, place).await?,
            (ErasurePlace::Voicemail, Some(place)) => voicemail::begin(work, place).await?,
            _ => {}
        }
    }
    let turn = Instant::now();
    while turn.elapsed() < TURN && !work.stop.is_cancelled() {
        let begun = Instant::now();
        let (is_last, pause) = match (work.part.place, work.part.instance_id) {
            // They wait for a disk or a PBX while nobody waits for them.
            (ErasurePlace::Recordings, Some(place)) => (recordings::batch(work, place).await?, PAUSE),
            (ErasurePlace::Voicemail, Some(place)) => (voicemail::batch(work, place).await?, PAUSE),
            _ => (rows::batch(work).await?, PAUSE.max(begun.elapsed() * 2)),
        };
        if is_last {
            return Ok(false);
        }
        tokio::select! {
            () = work.stop.cancelled() => return Ok(false),
            () = tokio::time::sleep(pause) => {}
        }
    }
    Ok(!work.stop.is_cancelled())
}

/// Ends an erasure once each of its parts has ended; where nothing stays, by what the person was found is forgotten.
async fn end(app: &App, caller: &Caller, tenant: TenantId, id: ErasureId) -> Result<(), AppError> {
    let mut tx = app.store.read("is_erasure_over").await?;
    let there = erasures::find(&mut tx, tenant, id).await?;
    drop(tx);
    if there.is_none_or(|there| there.outcome() == ErasureStatus::Running) {
        return Ok(());
    }
    let mut tx = app.begin_in(tenant, "end_erasure").await?;
    let there = erasures::find(&mut tx, tenant, id).await?;
    let Some(mut erasure) = there.filter(|there| there.status == ErasureStatus::Running) else {
        return Ok(());
    };
    let (status, now) = (erasure.outcome(), app.now());
    if status == ErasureStatus::Running || !erasures::end(&mut tx, &erasure, now).await? {
        return Ok(());
    }
    erasure.ended_at = Some(now);
    if status == ErasureStatus::Done {
        let subject = erasure.subject.for_good();
        erasures::forget_marks(&mut tx, tenant, id, &subject).await?;
    }
    app.audit(&mut tx, caller, ended(&erasure))?;
    Ok(tx.commit().await?)
}

/// Keeps what the certificate says: nobody changes that afterwards without being found out.
fn ended(erasure: &Erasure) -> Changed {
    Changed {
        action: "data.erasure_end",
        resource: "erasure",
        target: erasure.id.to_string(),
        tenant_id: Some(erasure.tenant_id),
        before: None,
        after: Some(json!({
            "status": erasure.outcome(),
            "certificate": digest(erasure),
            "parts": told(erasure),
        })),
    }
}
