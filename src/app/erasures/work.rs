//! How erasures are carried out: what is noted is erased some at a time, each batch counted in the transaction that erases it, so
//! that whoever is killed goes on where they were.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::certificate::ended;
use super::noting::{AT_ONCE, abandon, begin};
use super::{recordings, rows, voicemail};
use crate::app::App;
use crate::app::error::AppError;
use crate::app::purge_pass::{AT_DISKS, AT_STOP, no_lock, unless_stopped};
use crate::app::purges::daemon;
use crate::app::setbacks::Setbacks;
use crate::auth::caller::Caller;
use crate::domain::erasure::{Erased, Erasure, ErasurePart, ErasurePlace, ErasureStatus, Marks};
use crate::domain::error_chain::error_chain;
use crate::domain::ids::{ErasureId, TenantId};
use crate::domain::instance::NodeName;
use crate::domain::permission::PlatformPermission;
use crate::store::erasure_targets::OfPart;
use crate::store::{StoreError, Tx, erasure_ends, erasure_targets, erasures, instances};

/// How long others have the database for themselves between two batches; at least twice as long as the batch took.
pub(super) const PAUSE: Duration = Duration::from_millis(10);
/// After that it is the turn of another one.
const TURN: Duration = Duration::from_secs(3);
pub(super) const FAILED: &str = "it failed again and again for a day; the server's log tells why";
const NEEDED: &str = "not every recording was looked at, and these tell whose a recording is; mend what `recordings` says, and run \
     it again";
/// So often it is tried at least before what fails is left: once an hour in the end.
pub(super) const TRIES: i64 = 10;
/// For how long another host, which drives the PBX, may take to come for its part, and something may fail.
pub(super) const PATIENCE: SignedDuration = SignedDuration::from_hours(24);

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

    /// Whether another host is not waited for any longer.
    async fn is_late(&self, tx: &mut Tx) -> Result<bool, AppError> {
        let asked = self.erasure.run_at.unwrap_or(self.erasure.requested_at);
        self.app.has_passed(tx, asked, PATIENCE).await
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

    /// Notes what a host has found of its part, some at a time, and whether something could not be looked at. False where that
    /// came to nothing: whoever comes next looks.
    pub(super) async fn found(&self, targets: &[Uuid], unseen: Option<&str>) -> Result<bool, AppError> {
        let of = self.of();
        for some in targets.chunks(AT_ONCE) {
            let Some(mut open) = self.open_here().await? else {
                return Ok(false);
            };
            erasure_targets::put(&mut open.tx, of, some).await?;
            open.tx.commit().await?;
            if self.stop.is_cancelled() {
                return Ok(false);
            }
        }
        let Some(mut open) = self.open_here().await? else {
            return Ok(false);
        };
        let left = erasure_targets::count(&mut open.tx, of).await?;
        erasures::looked(&mut open.tx, of.tenant, of.erasure, of.position, left).await?;
        let erased = Erased {
            kept: i64::from(unseen.is_some()),
            detail: unseen.map(str::to_owned),
            unseen: unseen.is_some(),
            ..Erased::default()
        };
        self.close(open, erased).await.map(|_| true)
    }

    /// None also where the PBX was given to another host while this one looked: that one looks itself.
    async fn open_here(&self) -> Result<Option<Open>, AppError> {
        let Some(mut open) = self.open().await? else {
            return Ok(None);
        };
        let other = elsewhere(self.app, &mut open.tx, self.part).await?;
        Ok(other.is_none().then_some(open))
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

/// Whether an erasure fails for as long, and has as often, as it is tried again.
pub(super) async fn fails_for_long(app: &App, tx: &mut Tx, erasure: &Erasure) -> Result<bool, AppError> {
    match erasure.failing_since {
        Some(since) if erasure.failures >= TRIES => app.has_passed(tx, since, PATIENCE).await,
        _ => Ok(false),
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
    for (tenant, id) in setbacks.due(running, Instant::now()) {
        if stop.is_cancelled() {
            break;
        }
        // One that fails keeps none of the others waiting.
        let done = carry_out(app, &caller, tenant, id, stop).await;
        if done.is_err() {
            count_failure(app, tenant, id).await;
        }
        is_left |= matches!(done, Ok(true));
        setbacks.note((tenant, id), done.map(drop), Instant::now());
    }
    Ok(is_left)
}

/// Counts that an erasure has failed. What cannot even be counted is in the log.
async fn count_failure(app: &App, tenant: TenantId, id: ErasureId) {
    let counted = async {
        let mut tx = app.begin_in(tenant, "erasure_fails").await?;
        erasure_ends::fails(&mut tx, tenant, id, app.now()).await?;
        Ok::<_, AppError>(tx.commit().await?)
    };
    if let Err(error) = counted.await {
        let error = error_chain(&error);
        tracing::error!(erasure = %id, %tenant, error, "that an erasure fails cannot be counted");
    }
}

async fn carry_out(
    app: &App,
    caller: &Caller,
    tenant: TenantId,
    id: ErasureId,
    stop: &CancellationToken,
) -> Result<bool, AppError> {
    let mut tx = app.store.read("running_erasure").await?;
    let found = erasures::find(&mut tx, tenant, id).await;
    drop(tx);
    if let Err(error @ StoreError::Corrupt { .. }) = found {
        abandon(app, caller, tenant, id).await?;
        return Err(error.into());
    }
    let Some(erasure) = found?.filter(|erasure| erasure.status == ErasureStatus::Running) else {
        return Ok(false);
    };
    let marks = erasure.marks.clone().unwrap_or_default();
    if erasure.noted_at.is_none() {
        begin(app, &erasure, stop).await?;
    }
    let mut tx = app.store.read("running_erasure").await?;
    let found = erasures::find(&mut tx, tenant, id).await?;
    let Some(erasure) = found.filter(|erasure| erasure.noted_at.is_some()) else {
        return Ok(false);
    };
    let is_over = fails_for_long(app, &mut tx, &erasure).await?;
    drop(tx);
    let (mut is_left, mut failed) = (false, None);
    let mut parts: Vec<&ErasurePart> = erasure.parts.iter().collect();
    parts.retain(|part| part.ended_at.is_none());
    // Recordings before the records of calls, also where a PBX has come later.
    parts.sort_by_key(|part| part.place);
    for part in parts {
        let recordings = match part.place {
            ErasurePlace::CallRecords => recordings_of(app, tenant, id).await?,
            _ => Recordings::Seen,
        };
        let work = Work {
            app,
            caller,
            erasure: &erasure,
            marks: &marks,
            part,
            stop,
        };
        let done = match recordings {
            Recordings::ToGo => continue,
            Recordings::Unseen if part.left() > 0 => work.stays(NEEDED).await,
            Recordings::Unseen | Recordings::Seen => go_on(&work).await,
        };
        match done {
            Ok(is_more) => is_left |= is_more,
            // What fails for a day is left, so that the others come to an end, and others of the tenant to their turn.
            Err(error) if is_over => {
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

/// What has become of a person's recordings. What tells whose they are is in the records of calls.
enum Recordings {
    /// Some are still to be looked for or removed.
    ToGo,
    /// Not all could be looked at, so others may be there.
    Unseen,
    /// All were seen: those that stay keep the record of their call.
    Seen,
}

async fn recordings_of(app: &App, tenant: TenantId, id: ErasureId) -> Result<Recordings, AppError> {
    let mut tx = app.store.read("recordings_of_erasure").await?;
    let erasure = erasures::find(&mut tx, tenant, id).await?;
    let parts = erasure.iter().flat_map(|erasure| &erasure.parts);
    let parts = parts.filter(|part| part.place == ErasurePlace::Recordings);
    let all = || parts.clone();
    Ok(if all().any(|part| part.ended_at.is_none()) {
        Recordings::ToGo
    } else if all().any(ErasurePart::is_unseen) {
        Recordings::Unseen
    } else {
        Recordings::Seen
    })
}

async fn go_on(work: &Work<'_>) -> Result<bool, AppError> {
    let mut tx = work.app.store.read("place_of_erasure").await?;
    let node = elsewhere(work.app, &mut tx, work.part).await?;
    let Some(node) = node else {
        drop(tx);
        return carry_out_part(work).await;
    };
    let is_late = work.is_late(&mut tx).await?;
    drop(tx);
    if is_late {
        let why = format!(
            "the host {node}, which drives the PBX, did not come for them within a day; see that its daemon runs"
        );
        work.stays(why).await?;
    }
    // That host does it.
    Ok(false)
}

/// The host that has to do a part, where it is another one.
async fn elsewhere(app: &App, tx: &mut Tx, part: &ErasurePart) -> Result<Option<NodeName>, AppError> {
    let Some(id) = part.instance_id else {
        return Ok(None);
    };
    let instance = instances::find(tx, id).await?;
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
    let is_looked = match (work.part.place, work.part.instance_id) {
        _ if work.part.found.is_some() => true,
        (ErasurePlace::Recordings, Some(place)) => recordings::begin(work, place).await?,
        (ErasurePlace::Voicemail, Some(place)) => voicemail::begin(work, place).await?,
        _ => true,
    };
    if !is_looked {
        return Ok(false);
    }
    let turn = Instant::now();
    while turn.elapsed() < TURN && !work.stop.is_cancelled() {
        let begun = Instant::now();
        let (is_last, pause) = match (work.part.place, work.part.instance_id) {
            // They wait for a disk or a PBX while nobody waits for them.
            (ErasurePlace::Recordings, Some(place)) => (recordings::batch(work, place).await?, PAUSE),
            (ErasurePlace::Voicemail, Some(place)) => {
                // What was begun and not counted because of the stop is counted by whoever goes on.
                let batch = unless_stopped(work.stop, AT_STOP, voicemail::batch(work, place));
                (batch.await.unwrap_or(Ok(true))?, PAUSE)
            }
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
        erasure_ends::forget_marks(&mut tx, tenant, id, &subject, Timestamp::MAX).await?;
    }
    app.audit(&mut tx, caller, ended(&erasure))?;
    Ok(tx.commit().await?)
}
