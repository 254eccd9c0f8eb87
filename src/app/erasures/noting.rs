//! How an erasure begins: what there is is looked for once more and noted, or, where that fails for a day, given up.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::finding::{Finds, Found, find as look_for, still_theirs, until_gone};
use super::rows;
use super::work::{FAILED, PATIENCE, PAUSE, TRIES, fails_for_long};
use crate::app::App;
use crate::app::audit::Changed;
use crate::app::error::AppError;
use crate::app::purge_pass::unless_stopped;
use crate::auth::caller::Caller;
use crate::domain::audit::CERTIFIED;
use crate::domain::erasure::{Erased, Erasure, ErasurePart, ErasurePlace, ErasureStatus, Marks};
use crate::domain::error_chain::error_chain;
use crate::domain::ids::{ErasureId, TenantId};
use crate::domain::tenant::TenantStatus;
use crate::store::erasure_targets::OfPart;
use crate::store::{Tx, erasure_ends, erasure_targets, erasures, tenants};

/// Ids that are noted in one transaction: whoever else writes waits for no more.
pub(super) const AT_ONCE: usize = 500;

/// Looks for everything once more, and notes it as what is to be erased; what is little goes at once. Nothing is noted to the end
/// where the tenant goes or the daemon stops: whoever comes next looks anew.
pub(super) async fn begin(app: &App, erasure: &Erasure, stop: &CancellationToken) -> Result<(), AppError> {
    let Err(error) = note(app, erasure, stop).await else {
        return Ok(());
    };
    let mut tx = app.store.read("failing_erasure").await?;
    let is_over = fails_for_long(app, &mut tx, erasure).await?;
    drop(tx);
    if !is_over {
        return Err(error);
    }
    // Others of the tenant come to their turn.
    let (error, id, tenant) = (error_chain(&error), erasure.id, erasure.tenant_id);
    tracing::error!(erasure = %id, %tenant, error, "what is to be erased cannot be noted; all of it stays");
    give_up(app, erasure).await
}

async fn note(app: &App, erasure: &Erasure, stop: &CancellationToken) -> Result<(), AppError> {
    let Some(looked) = unless_stopped(stop, Duration::ZERO, look(app, erasure)).await else {
        return Ok(());
    };
    let (finds, marks) = looked?;
    let Some(laid_out) = lay_out(app, erasure, &finds).await? else {
        return Ok(());
    };
    for part in &laid_out.parts {
        let Some(Found::Each(ids)) = finds.get(&(part.place, part.instance_id)) else {
            continue;
        };
        for some in ids.chunks(AT_ONCE) {
            let begun = Instant::now();
            let Some((mut tx, _)) = open(app, erasure).await? else {
                return Ok(());
            };
            erasure_targets::put(&mut tx, of(erasure, part), some).await?;
            tx.commit().await?;
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(PAUSE.max(begun.elapsed() * 2)) => {}
            }
        }
    }
    conclude(app, erasure, &finds, &marks).await
}

/// What there is of the person, and by what they are known, both as they are theirs still.
async fn look(app: &App, erasure: &Erasure) -> Result<(Finds, Marks), AppError> {
    let tenant = erasure.tenant_id;
    let mut tx = app.store.read("look_for_person").await?;
    let subject = until_gone(&mut tx, tenant, erasure.subject.clone()).await?;
    let marks = erasure.marks.clone().unwrap_or_default();
    let marks = still_theirs(&mut tx, tenant, &subject, marks).await?;
    Ok((look_for(&mut tx, tenant, &subject, &marks).await?, marks))
}

const fn of(erasure: &Erasure, part: &ErasurePart) -> OfPart {
    OfPart {
        tenant: erasure.tenant_id,
        erasure: erasure.id,
        position: part.position,
    }
}

/// Adds the parts that are not there, and begins those again that are; gives the erasure with all of them. Whoever does the same
/// on another host keeps to these.
async fn lay_out(app: &App, erasure: &Erasure, finds: &Finds) -> Result<Option<Erasure>, AppError> {
    let Some((mut tx, mut now)) = open(app, erasure).await? else {
        return Ok(None);
    };
    for (place, instance) in finds.keys().copied() {
        let position = now.position_of(place, instance);
        if !now.parts.iter().any(|part| part.position == position) {
            now.parts.push(ErasurePart::new(position, place, instance));
        }
    }
    // A login goes with the run itself, and is counted then.
    for part in now.parts.iter().filter(|part| !is_counted(part)) {
        erasures::put_part(&mut tx, now.tenant_id, now.id, part).await?;
        // Where nothing of it is found any more, what was kept is tried again.
        erasure_targets::try_again(&mut tx, of(&now, part)).await?;
    }
    tx.commit().await?;
    Ok(Some(now))
}

fn is_counted(part: &ErasurePart) -> bool {
    part.place == ErasurePlace::Account && part.ended_at.is_some() && part.kept == 0
}

/// Has what is little go, and says that all is noted.
async fn conclude(app: &App, erasure: &Erasure, finds: &Finds, marks: &Marks) -> Result<(), AppError> {
    let Some((mut tx, now)) = open(app, erasure).await? else {
        return Ok(());
    };
    let (tenant, id) = (now.tenant_id, now.id);
    for part in &now.parts {
        if let Some(Found::Whole(count)) = finds.get(&(part.place, part.instance_id)) {
            rows::at_once(&mut tx, &now, marks, part.place).await?;
            erasures::looked(&mut tx, tenant, id, part.position, *count).await?;
            let erased = Erased::all(*count);
            erasures::note(&mut tx, tenant, id, part.position, &erased, app.now()).await?;
        } else if part.instance_id.is_none() {
            // How much there is on a PBX is known once the host that drives it has looked.
            let left = erasure_targets::count(&mut tx, of(&now, part)).await?;
            erasures::looked(&mut tx, tenant, id, part.position, left).await?;
        }
    }
    erasures::noted(&mut tx, tenant, id, app.now()).await?;
    Ok(tx.commit().await?)
}

/// The erasure as it is now. None where the tenant goes, which is left to its deletion, where another host has noted everything,
/// or where it is another run by now.
async fn open(app: &App, erasure: &Erasure) -> Result<Option<(Tx, Erasure)>, AppError> {
    let tenant = erasure.tenant_id;
    let mut tx = app.begin_in(tenant, "note_erasure").await?;
    let there = tenants::find(&mut tx, tenant).await?;
    let is_there = there.is_some_and(|there| there.status != TenantStatus::Deleting);
    if !is_there || !erasures::is_to_note(&mut tx, erasure).await? {
        return Ok(None);
    }
    let now = erasures::find(&mut tx, tenant, erasure.id).await?;
    Ok(now.map(|now| (tx, now)))
}

/// Notes that all that there may be stays.
async fn give_up(app: &App, erasure: &Erasure) -> Result<(), AppError> {
    let Some((mut tx, now)) = open(app, erasure).await? else {
        return Ok(());
    };
    erasure_ends::end_parts(&mut tx, now.tenant_id, now.id, FAILED, app.now()).await?;
    erasures::noted(&mut tx, now.tenant_id, now.id, app.now()).await?;
    Ok(tx.commit().await?)
}

/// Ends one that cannot be read once it has failed for a day, for others of the tenant wait for it.
pub(super) async fn abandon(
    app: &App,
    caller: &Caller,
    tenant: TenantId,
    id: ErasureId,
) -> Result<(), AppError> {
    let mut tx = app.begin_in(tenant, "abandon_erasure").await?;
    let now = app.now();
    let time = app.known_time(&mut tx).await?.waited;
    if !erasure_ends::abandon(&mut tx, tenant, id, (TRIES, PATIENCE), (time, now)).await? {
        return Ok(());
    }
    erasure_ends::end_parts(&mut tx, tenant, id, FAILED, now).await?;
    let ended = Changed {
        action: CERTIFIED,
        resource: "erasure",
        target: id.to_string(),
        tenant_id: Some(tenant),
        before: None,
        after: Some(json!({"status": ErasureStatus::Partial})),
    };
    app.audit(&mut tx, caller, ended)?;
    Ok(tx.commit().await?)
}
