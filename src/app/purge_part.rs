//! A part of a purge: what of it may go now, what was done of it, and that it failed.

use jiff::Timestamp;

use super::App;
use super::error::AppError;
use crate::domain::error_chain::error_chain;
use crate::domain::purge::{Batch, MOST_SETBACKS, Purge, PurgePart};
use crate::domain::tenant::TenantStatus;
use crate::store::{Tx, purges, retention, tenants};

/// What of a part may go now.
pub(super) struct MayGo {
    pub part: PurgePart,
    /// None where all of it is kept by now.
    pub cutoff: Option<Timestamp>,
    /// The time that is believed.
    pub time: Timestamp,
}

/// None where nothing is left to do.
pub(super) async fn may_go(
    app: &App,
    tx: &mut Tx,
    purge: &Purge,
    position: i64,
) -> Result<Option<MayGo>, AppError> {
    let tenant = tenants::find(tx, purge.tenant_id).await?;
    // One that goes is left to its deletion.
    if tenant.is_none_or(|tenant| tenant.status == TenantStatus::Deleting) {
        return Ok(None);
    }
    let part = purges::part(tx, purge.tenant_id, purge.id, position).await?;
    let Some(part) = part.filter(|part| part.ended_at.is_none()) else {
        return Ok(None);
    };
    let keep = retention::find(tx, purge.tenant_id).await?.of(part.kind);
    let time = app.known_time(tx).await?.time;
    let cutoff = part.cutoff_by(keep, time);
    Ok(Some(MayGo { part, cutoff, time }))
}

/// The same under the tenant's lock: nobody says anew what is kept until that has gone.
pub(super) struct Open {
    pub tx: Tx,
    pub part: PurgePart,
    pub cutoff: Option<Timestamp>,
    pub time: Timestamp,
}

/// None where nothing is left to do.
pub(super) async fn open(app: &App, purge: &Purge, position: i64) -> Result<Option<Open>, AppError> {
    let mut tx = app.begin_in(purge.tenant_id, "purge").await?;
    let now = may_go(app, &mut tx, purge, position).await?;
    Ok(now.map(|MayGo { part, cutoff, time }| Open {
        tx,
        part,
        cutoff,
        time,
    }))
}

/// Notes what was done; gives whether it was the last of the part.
pub(super) async fn close(
    app: &App,
    mut open: Open,
    purge: &Purge,
    mut batch: Batch,
) -> Result<bool, AppError> {
    if let Some(cutoff) = open.cutoff.filter(|cutoff| *cutoff < open.part.cutoff)
        && batch.is_last
        && batch.detail.is_none()
    {
        let gone = open.part.removed.saturating_add(batch.removed);
        batch.detail = Some(format!(
            "it is kept longer by now, or the clock was put right: after {gone} had gone, nothing more from {cutoff} on went"
        ));
    }
    let is_last = batch.is_last;
    let (tenant, position) = (purge.tenant_id, open.part.position);
    purges::note(&mut open.tx, tenant, purge.id, position, &batch, app.now()).await?;
    open.tx.commit().await?;
    Ok(is_last)
}

/// Notes what was done, with nothing removed.
pub(super) async fn end(app: &App, purge: &Purge, position: i64, batch: Batch) -> Result<bool, AppError> {
    match open(app, purge, position).await? {
        Some(open) => close(app, open, purge, batch).await,
        None => Ok(true),
    }
}

/// All that is left stays, until the next purge.
pub(super) fn stays(part: &PurgePart, why: impl Into<String>) -> Batch {
    Batch {
        kept: part.left().max(1),
        ..Batch::over(why)
    }
}

/// What is said where a kind is kept forever by now.
pub(super) fn kept_by_now() -> Batch {
    Batch::over("it is kept forever by now: nothing more was removed")
}

/// Lets a part that failed rest, each time for longer, and ends it where it fails too often: so neither the log is filled, nor
/// are other purges of the tenant kept off. Asks nothing that may be what failed.
pub(super) async fn set_back(
    app: &App,
    purge: &Purge,
    part: &PurgePart,
    error: &AppError,
) -> Result<(), AppError> {
    let error = error_chain(error);
    tracing::error!(purge = %purge.id, kind = %part.kind, setbacks = part.setbacks, error, "a part of a purge failed");
    let mut tx = app.begin_in(purge.tenant_id, "set_back").await?;
    let (tenant, id) = (purge.tenant_id, purge.id);
    let there = purges::part(&mut tx, tenant, id, part.position).await?;
    let Some(part) = there.filter(|there| there.ended_at.is_none()) else {
        return Ok(());
    };
    if part.setbacks.saturating_add(1) >= MOST_SETBACKS {
        let batch = Batch {
            kept: part.left().max(1),
            ..Batch::over("it failed again and again; the server's log tells why")
        };
        purges::note(&mut tx, tenant, id, part.position, &batch, app.now()).await?;
    } else {
        let retry_at = app.now() + part.pause();
        purges::set_back(&mut tx, tenant, id, part.position, retry_at).await?;
    }
    Ok(tx.commit().await?)
}
