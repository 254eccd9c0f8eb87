//! How purges are carried out: some rows at a time, each batch counted in the transaction that removes it, so that whoever is
//! killed goes on where they were.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::App;
use super::audit::Changed;
use super::error::AppError;
use super::purge_recordings;
use super::purges::{count, daemon};
use crate::auth::caller::Caller;
use crate::domain::audit::RETAINED;
use crate::domain::error_chain::error_chain;
use crate::domain::ids::{PurgeId, TenantId};
use crate::domain::instance::NodeName;
use crate::domain::permission::PlatformPermission;
use crate::domain::purge::{Batch, Purge, PurgePart, PurgeStatus};
use crate::domain::retention::RetentionKind;
use crate::domain::tenant::TenantStatus;
use crate::store::{Tx, audit_retention, instances, purge_rows, purges, retention, tenants};

/// Rows that are removed in one transaction: whoever else writes waits for no more.
pub(super) const AT_ONCE: i64 = 200;
/// How long others have the database for themselves between two batches; at least twice as long as the batch took.
const PAUSE: Duration = Duration::from_millis(10);
/// For how long another host, whose disk it is, may take to come for its part.
const PATIENCE: SignedDuration = SignedDuration::from_hours(24);
/// Reports that are kept of each tenant.
const REPORTS: i64 = 400;

/// Carries out what purges there are, as far as this host can, until none is left to do or it is told to stop.
pub async fn work(app: &App, stop: &CancellationToken) -> Result<(), AppError> {
    let caller = daemon();
    caller.platform(PlatformPermission::InstancesDeploy)?;
    let mut tx = app.store.read("running_purges").await?;
    let running = purges::running(&mut tx).await?;
    drop(tx);
    for purge in running {
        if stop.is_cancelled() {
            break;
        }
        // One that fails keeps none of the others waiting.
        match carry_out(app, &caller, &purge, stop).await {
            Ok(()) | Err(AppError::NotFound) => {}
            Err(error) => {
                let error = error_chain(&error);
                tracing::error!(purge = %purge.id, error, "a purge could not go on; it is tried again");
            }
        }
    }
    Ok(())
}

async fn carry_out(
    app: &App,
    caller: &Caller,
    purge: &Purge,
    stop: &CancellationToken,
) -> Result<(), AppError> {
    for part in purge.parts.iter().filter(|part| part.ended_at.is_none()) {
        match elsewhere(app, part).await? {
            None => carry_out_part(app, caller, purge, part, stop).await?,
            Some(node) if app.now().duration_since(purge.requested_at) >= PATIENCE => {
                give_up(app, purge, part, &node).await?;
            }
            // That host does it.
            Some(_) => {}
        }
        if stop.is_cancelled() {
            return Ok(());
        }
    }
    end(app, caller, purge).await
}

/// The host that has to do a part, where it is another one.
async fn elsewhere(app: &App, part: &PurgePart) -> Result<Option<NodeName>, AppError> {
    let Some(id) = part.instance_id else {
        return Ok(None);
    };
    let mut tx = app.store.read("place_of_purge").await?;
    let instance = instances::find(&mut tx, id).await?;
    let node = instance.map(|instance| instance.node);
    Ok(node.filter(|node| node != app.engine.node()))
}

async fn carry_out_part(
    app: &App,
    caller: &Caller,
    purge: &Purge,
    part: &PurgePart,
    stop: &CancellationToken,
) -> Result<(), AppError> {
    if part.found.is_none() {
        begin(app, caller, purge, part).await?;
    }
    while !stop.is_cancelled() {
        let begun = Instant::now();
        let is_last = match (part.kind, part.instance_id) {
            (RetentionKind::Recordings, Some(place)) => {
                purge_recordings::batch(app, purge, part.position, place).await?
            }
            _ => batch(app, purge, part.position).await?,
        };
        if is_last {
            return Ok(());
        }
        let pause = PAUSE.max(begun.elapsed() * 2);
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(pause) => {}
        }
    }
    Ok(())
}

/// Counts what there is to do. Of payloads, the entry that is to tell of them comes first: each that is blanked names it.
async fn begin(app: &App, caller: &Caller, purge: &Purge, part: &PurgePart) -> Result<(), AppError> {
    let (tenant, cutoff) = (purge.tenant_id, part.cutoff);
    let mut tx = app.store.read("count_to_purge").await?;
    let amount = count(&mut tx, tenant, part.kind, part.instance_id, cutoff).await?;
    drop(tx);
    let mut tx = app.begin_in(tenant, "begin_purge_part").await?;
    // Another host may have begun meanwhile.
    let there = purges::part(&mut tx, purge.id, part.position).await?;
    if there.is_none_or(|there| there.found.is_some() || there.ended_at.is_some()) {
        return Ok(());
    }
    let told_by = if part.kind == RetentionKind::AuditPayloads && amount.found > 0 {
        Some(app.audit(&mut tx, caller, blanked(purge, cutoff))?)
    } else {
        None
    };
    purges::begin_part(&mut tx, purge.id, part.position, amount, told_by).await?;
    Ok(tx.commit().await?)
}

/// What of a part may go now, under the tenant's lock: nobody says anew what is kept until that has gone.
pub(super) struct Open {
    pub tx: Tx,
    pub part: PurgePart,
    /// None where all of it is kept by now.
    pub cutoff: Option<Timestamp>,
}

/// None where nothing is left to do.
pub(super) async fn open(app: &App, purge: &Purge, position: i64) -> Result<Option<Open>, AppError> {
    let mut tx = app.begin_in(purge.tenant_id, "purge").await?;
    let tenant = tenants::find(&mut tx, purge.tenant_id).await?;
    // One that goes is left to its deletion.
    if tenant.is_none_or(|tenant| tenant.status == TenantStatus::Deleting) {
        return Ok(None);
    }
    let part = purges::part(&mut tx, purge.id, position).await?;
    let Some(part) = part.filter(|part| part.ended_at.is_none()) else {
        return Ok(None);
    };
    let keep = retention::find(&mut tx, purge.tenant_id).await?.of(part.kind);
    let cutoff = part.cutoff_by(keep, app.known_time(&mut tx).await?.time);
    Ok(Some(Open { tx, part, cutoff }))
}

/// Notes what was done; gives whether it was the last of the part.
pub(super) async fn close(
    app: &App,
    mut open: Open,
    purge: PurgeId,
    mut batch: Batch,
) -> Result<bool, AppError> {
    if let Some(cutoff) = open.cutoff.filter(|cutoff| *cutoff < open.part.cutoff)
        && batch.is_last
        && batch.detail.is_none()
    {
        batch.detail = Some(format!(
            "less is old by now, since it is kept longer or the clock was put right: what is from {cutoff} on stays"
        ));
    }
    let is_last = batch.is_last;
    purges::note(&mut open.tx, purge, open.part.position, &batch, app.now()).await?;
    open.tx.commit().await?;
    Ok(is_last)
}

/// What is said where a kind is kept forever by now.
pub(super) fn kept_by_now() -> Batch {
    Batch::over("it is kept forever by now: nothing more was removed")
}

/// Removes some of what lies in the database; gives whether nothing is left to do.
async fn batch(app: &App, purge: &Purge, position: i64) -> Result<bool, AppError> {
    let Some(mut open) = open(app, purge, position).await? else {
        return Ok(true);
    };
    let Some(cutoff) = open.cutoff else {
        return close(app, open, purge.id, kept_by_now()).await;
    };
    let (tx, tenant) = (&mut open.tx, purge.tenant_id);
    let batch = match open.part.kind {
        RetentionKind::CallRecords => removed(purge_rows::delete_calls(tx, tenant, cutoff, AT_ONCE).await?),
        RetentionKind::Deployments => {
            removed(purge_rows::delete_deployments(tx, tenant, cutoff, AT_ONCE).await?)
        }
        RetentionKind::AuditPayloads => blank(tx, tenant, &open.part, cutoff).await?,
        // Each of them lies on a PBX.
        RetentionKind::Recordings => Batch::over("it names no PBX"),
    };
    close(app, open, purge.id, batch).await
}

fn removed(rows: i64) -> Batch {
    Batch {
        removed: rows,
        // Somebody else may remove some of them at the same time.
        is_last: rows == 0,
        ..Batch::default()
    }
}

async fn blank(
    tx: &mut Tx,
    tenant: TenantId,
    part: &PurgePart,
    cutoff: Timestamp,
) -> Result<Batch, AppError> {
    let mut batch = Batch::default();
    let Some(told_by) = part.told_by else {
        batch.is_last = true;
        return Ok(batch);
    };
    let old = audit_retention::old(tx, tenant, cutoff, told_by, part.after, AT_ONCE).await?;
    for payload in &old {
        if payload.is_as_written {
            let blanked = audit_retention::blank(tx, tenant, payload.id, told_by).await?;
            batch.removed += i64::from(blanked);
        } else {
            batch.kept += 1;
        }
    }
    if batch.kept > 0 {
        let detail = "entries that are not as they were written stay, for `switchyard audit verify` to name";
        batch.detail = Some(detail.to_owned());
    }
    batch.after = old.last().map(audit_retention::OldPayload::cursor);
    batch.is_last = i64::try_from(old.len()).unwrap_or(i64::MAX) < AT_ONCE;
    Ok(batch)
}

/// Nobody came for it.
async fn give_up(app: &App, purge: &Purge, part: &PurgePart, node: &NodeName) -> Result<(), AppError> {
    let Some(mut open) = open(app, purge, part.position).await? else {
        return Ok(());
    };
    let (tenant, cutoff) = (purge.tenant_id, open.part.cutoff);
    let left = count(&mut open.tx, tenant, part.kind, part.instance_id, cutoff).await?;
    let detail = format!(
        "the host {node}, which drives the PBX, did not remove them within a day; see that its daemon runs"
    );
    let batch = Batch {
        kept: left.found,
        ..Batch::over(detail)
    };
    close(app, open, purge.id, batch).await.map(drop)
}

/// Ends a purge once each of its parts has ended.
async fn end(app: &App, caller: &Caller, purge: &Purge) -> Result<(), AppError> {
    let mut tx = app.begin_in(purge.tenant_id, "end_purge").await?;
    let there = purges::find(&mut tx, purge.tenant_id, purge.id).await?;
    let Some(purge) = there.filter(|there| there.ended_at.is_none()) else {
        return Ok(());
    };
    if purge.outcome() == PurgeStatus::Running {
        return Ok(());
    }
    purges::end(&mut tx, &purge, app.now(), REPORTS).await?;
    app.audit(&mut tx, caller, ended(&purge))?;
    Ok(tx.commit().await?)
}

fn ended(purge: &Purge) -> Changed {
    let parts = purge.parts.iter().map(|part| {
        json!({
            "kind": part.kind, "instance_id": part.instance_id, "cutoff": part.cutoff,
            "found": part.found.map(|found| found.found), "removed": part.removed, "kept": part.kept,
        })
    });
    Changed {
        action: "compliance.purge_end",
        resource: "purge",
        target: purge.id.to_string(),
        tenant_id: Some(purge.tenant_id),
        before: None,
        after: Some(json!({"status": purge.outcome(), "parts": parts.collect::<Vec<_>>()})),
    }
}

/// What tells of blanked payloads: its target names the time that they are from before, which stays when its own payload goes
/// with the tenant.
fn blanked(purge: &Purge, cutoff: Timestamp) -> Changed {
    Changed {
        action: RETAINED,
        resource: "audit_payloads",
        target: cutoff.to_string(),
        tenant_id: Some(purge.tenant_id),
        before: None,
        after: Some(json!({"purge_id": purge.id})),
    }
}
