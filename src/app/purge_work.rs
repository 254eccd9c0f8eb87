//! How purges are carried out: some rows at a time, each batch counted in the transaction that removes it, so that whoever is
//! killed goes on where they were.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::App;
use super::audit::Changed;
use super::error::AppError;
use super::purge_part::{close, kept_by_now, open, set_back, stays};
use super::purge_pass::{AT_DISKS, Pass, no_lock};
use super::purge_recordings;
use super::purges::{count, daemon, rows};
use super::recording_look::{Looked, look};
use super::setbacks::Setbacks;
use crate::auth::caller::Caller;
use crate::domain::audit::RETAINED;
use crate::domain::error_chain::error_chain;
use crate::domain::ids::{PurgeId, TenantId};
use crate::domain::instance::NodeName;
use crate::domain::permission::PlatformPermission;
use crate::domain::purge::{Amount, Batch, Purge, PurgePart, PurgeStatus};
use crate::domain::retention::RetentionKind;
use crate::store::audit_retention::{self, Age};
use crate::store::{StoreError, Tx, instances, purge_rows, purges};

/// Rows that are removed in one transaction: whoever else writes waits for no more.
const AT_ONCE: i64 = 100;
/// Tickets, each of which may have as many comments.
const TICKETS_AT_ONCE: i64 = 10;
/// How long others have the database for themselves between two batches; at least twice as long as the batch took.
const PAUSE: Duration = Duration::from_millis(10);
/// After that it is the turn of another part, or of another tenant's purge.
const TURN: Duration = Duration::from_secs(3);
/// For how long another host, whose disk it is, may take to come for its part.
const PATIENCE: SignedDuration = SignedDuration::from_hours(24);

/// Carries out what purges there are, as far as this host can, a turn of each; gives whether something is left to do now.
pub async fn work(
    app: &App,
    setbacks: &mut Setbacks<(TenantId, PurgeId)>,
    stop: &CancellationToken,
) -> Result<bool, AppError> {
    let caller = daemon();
    caller.platform(PlatformPermission::InstancesDeploy)?;
    let mut tx = app.store.read("running_purges").await?;
    let running = purges::running(&mut tx).await?;
    drop(tx);
    let (mut is_left, mut pass) = (false, Pass::new(stop));
    for (tenant, id) in setbacks.due(running, Instant::now()) {
        if stop.is_cancelled() {
            break;
        }
        // One that fails keeps none of the others waiting.
        let done = carry_out_one(app, &caller, tenant, id, &mut pass).await;
        is_left |= matches!(done, Ok(true));
        setbacks.note((tenant, id), done.map(drop), Instant::now());
    }
    Ok(is_left)
}

async fn carry_out_one(
    app: &App,
    caller: &Caller,
    tenant: TenantId,
    id: PurgeId,
    pass: &mut Pass<'_>,
) -> Result<bool, AppError> {
    let mut tx = app.store.read("running_purge").await?;
    let found = purges::find(&mut tx, tenant, id).await;
    drop(tx);
    match found {
        Ok(Some(purge)) => carry_out(app, caller, &purge, pass).await,
        Ok(None) => Ok(false),
        // It would not be read the next time either, and keeps others of the tenant from being asked for.
        Err(error @ StoreError::Corrupt { .. }) => {
            let error = error_chain(&error);
            tracing::error!(purge = %id, error, "a purge cannot be read, and is not carried out");
            abandon(app, tenant, id).await.map(|()| false)
        }
        Err(error) => Err(error.into()),
    }
}

async fn abandon(app: &App, tenant: TenantId, id: PurgeId) -> Result<(), AppError> {
    let mut tx = app.begin_in(tenant, "abandon_purge").await?;
    purges::abandon(&mut tx, tenant, id, app.now()).await?;
    Ok(tx.commit().await?)
}

/// A turn of each part; what fails of one keeps none of the others.
async fn carry_out(app: &App, caller: &Caller, purge: &Purge, pass: &mut Pass<'_>) -> Result<bool, AppError> {
    let mut is_left = false;
    let mut failed = None;
    for part in purge.parts.iter().filter(|part| part.ended_at.is_none()) {
        if part.is_due(app.now()) {
            match go_on(app, caller, purge, part, pass).await {
                Ok(is_more) => is_left |= is_more,
                Err(AppError::NotFound) => return Ok(false),
                Err(error) => failed = set_back(app, purge, part, &error).await.err().or(failed),
            }
        }
        if pass.stop.is_cancelled() {
            return Ok(false);
        }
    }
    if let Some(error) = failed {
        return Err(error);
    }
    end(app, caller, purge).await?;
    Ok(is_left)
}

async fn go_on(
    app: &App,
    caller: &Caller,
    purge: &Purge,
    part: &PurgePart,
    pass: &mut Pass<'_>,
) -> Result<bool, AppError> {
    let Some(node) = elsewhere(app, part).await? else {
        return carry_out_part(app, caller, purge, part, pass).await;
    };
    // By the time that the purge was counted from: no jump of this host's clock makes it longer.
    let mut tx = app.store.read("time_of_purge").await?;
    let time = app.known_time(&mut tx).await?.time;
    drop(tx);
    if time.duration_since(purge.time).abs() >= PATIENCE {
        give_up(app, purge, part, &node).await?;
    }
    // That host does it.
    Ok(false)
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
    pass: &mut Pass<'_>,
) -> Result<bool, AppError> {
    // Two of them at one disk would take each other's removals for files that were not there.
    let _alone = match part.instance_id {
        Some(_) => match app.engine.alone(AT_DISKS).map_err(|error| no_lock(&error))? {
            None => return Ok(false),
            alone => alone,
        },
        None => None,
    };
    if part.found.is_none() {
        begin(app, caller, purge, part, pass).await?;
    }
    let turn = Instant::now();
    while turn.elapsed() < TURN && !pass.stop.is_cancelled() {
        let begun = Instant::now();
        let (is_last, pause) = match (part.kind, part.instance_id) {
            // They wait for a disk or a PBX while nobody waits for them.
            (RetentionKind::Recordings, Some(place)) => {
                let is_last = purge_recordings::batch(app, purge, part.position, place, pass.stop).await?;
                (is_last, PAUSE)
            }
            (RetentionKind::Voicemail, Some(place)) => {
                let is_last = pass.voicemail(app, purge, part.position, place).await?;
                (is_last, PAUSE)
            }
            _ => {
                let is_last = batch(app, purge, part.position).await?;
                (is_last, PAUSE.max(begun.elapsed() * 2))
            }
        };
        if is_last {
            return Ok(false);
        }
        tokio::select! {
            () = pass.stop.cancelled() => return Ok(false),
            () = tokio::time::sleep(pause) => {}
        }
    }
    Ok(!pass.stop.is_cancelled())
}

/// Counts what there is to do. Of payloads, the entry that is to tell of them comes first: each that is blanked names it.
async fn begin(
    app: &App,
    caller: &Caller,
    purge: &Purge,
    part: &PurgePart,
    pass: &mut Pass<'_>,
) -> Result<(), AppError> {
    let (tenant, cutoff) = (purge.tenant_id, part.cutoff);
    let mut unseen = None;
    let mut amount = amount_of(app, purge, part).await?;
    match (part.kind, part.instance_id) {
        (RetentionKind::Voicemail, Some(place)) => {
            let missed = pass.look(app, tenant, place).await?;
            amount = amount_of(app, purge, part).await?;
            unseen = missed.map(|missed| missed.batch(amount));
        }
        // None is known to be old: where none is known at all, nobody may have looked.
        (RetentionKind::Recordings, Some(place)) if amount.found == 0 => {
            let looked = look(app, tenant, place, pass.stop).await?;
            amount = amount_of(app, purge, part).await?;
            unseen = match looked {
                Looked::NotHere => return Ok(()),
                Looked::Whole => None,
                Looked::Missed(why) if amount.found == 0 => Some(stays(part, why)),
                // What was found goes all the same.
                Looked::Missed(why) => Some(Batch {
                    is_last: false,
                    ..stays(part, why)
                }),
            };
        }
        _ => {}
    }
    if pass.stop.is_cancelled() {
        return Ok(());
    }
    let mut tx = app.begin_in(tenant, "begin_purge_part").await?;
    // Another host may have begun meanwhile.
    let there = purges::part(&mut tx, tenant, purge.id, part.position).await?;
    if there.is_none_or(|there| there.found.is_some() || there.ended_at.is_some()) {
        return Ok(());
    }
    let told_by = if part.kind == RetentionKind::AuditPayloads && amount.found > 0 {
        Some(app.audit(&mut tx, caller, blanked(purge, cutoff))?)
    } else {
        None
    };
    purges::begin_part(&mut tx, tenant, purge.id, part.position, amount, told_by).await?;
    if let Some(batch) = unseen {
        purges::note(&mut tx, tenant, purge.id, part.position, &batch, app.now()).await?;
    }
    Ok(tx.commit().await?)
}

/// What is known of a part to be old.
async fn amount_of(app: &App, purge: &Purge, part: &PurgePart) -> Result<Amount, AppError> {
    let mut tx = app.store.read("count_to_purge").await?;
    let age = Age {
        before: part.cutoff,
        now: app.known_time(&mut tx).await?.time,
    };
    count(&mut tx, purge.tenant_id, part.kind, part.instance_id, age).await
}

/// Removes some of what lies in the database; gives whether nothing is left to do.
async fn batch(app: &App, purge: &Purge, position: i64) -> Result<bool, AppError> {
    let Some(mut open) = open(app, purge, position).await? else {
        return Ok(true);
    };
    let Some(cutoff) = open.cutoff else {
        return close(app, open, purge, kept_by_now()).await;
    };
    let (tx, tenant) = (&mut open.tx, purge.tenant_id);
    let batch = match (open.part.kind, rows(open.part.kind)) {
        (RetentionKind::AuditPayloads, _) => {
            let age = Age {
                before: cutoff,
                now: open.time,
            };
            blank(tx, tenant, &open.part, age).await?
        }
        (kind, Some(rows)) => {
            let most = if kind == RetentionKind::Tickets {
                TICKETS_AT_ONCE
            } else {
                AT_ONCE
            };
            removed(purge_rows::delete(tx, tenant, rows, cutoff, most).await?)
        }
        // Each of them lies on a PBX.
        (_, None) => Batch::over("it names no PBX"),
    };
    close(app, open, purge, batch).await
}

fn removed(rows: i64) -> Batch {
    Batch {
        removed: rows,
        // Somebody else may remove some of them at the same time.
        is_last: rows == 0,
        ..Batch::default()
    }
}

async fn blank(tx: &mut Tx, tenant: TenantId, part: &PurgePart, age: Age) -> Result<Batch, AppError> {
    let mut batch = Batch::default();
    let Some(told_by) = part.told_by else {
        batch.is_last = true;
        return Ok(batch);
    };
    let old = audit_retention::old(tx, tenant, age, told_by, part.after, AT_ONCE).await?;
    for payload in &old.payloads {
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
    (batch.after, batch.is_last) = (old.after, old.is_last);
    Ok(batch)
}

/// Nobody came for it.
async fn give_up(app: &App, purge: &Purge, part: &PurgePart, node: &NodeName) -> Result<(), AppError> {
    let left = amount_of(app, purge, part).await?;
    let Some(open) = open(app, purge, part.position).await? else {
        return Ok(());
    };
    let detail = format!(
        "the host {node}, which drives the PBX, did not remove them within a day; see that its daemon runs"
    );
    let batch = Batch {
        // Of a PBX that nobody came to look at, nobody knows what is old there.
        kept: left.found.max(1),
        ..Batch::over(detail)
    };
    close(app, open, purge, batch).await.map(drop)
}

/// Ends a purge once each of its parts has ended.
async fn end(app: &App, caller: &Caller, purge: &Purge) -> Result<(), AppError> {
    let mut tx = app.store.read("is_purge_over").await?;
    let there = purges::find(&mut tx, purge.tenant_id, purge.id).await?;
    drop(tx);
    if there.is_none_or(|there| there.outcome() == PurgeStatus::Running) {
        return Ok(());
    }
    let mut tx = app.begin_in(purge.tenant_id, "end_purge").await?;
    let there = purges::find(&mut tx, purge.tenant_id, purge.id).await?;
    let Some(purge) = there.filter(|there| there.ended_at.is_none()) else {
        return Ok(());
    };
    if purge.outcome() == PurgeStatus::Running {
        return Ok(());
    }
    purges::end(&mut tx, &purge, app.now()).await?;
    app.audit(&mut tx, caller, ended(&purge))?;
    Ok(tx.commit().await?)
}

fn ended(purge: &Purge) -> Changed {
    let parts = purge.parts.iter().map(|part| {
        json!({
            "kind": part.kind, "instance_id": part.instance_id, "cutoff": part.cutoff,
            "found": part.found.map(|found| found.found), "removed": part.removed, "kept": part.kept,
            "detail": part.detail,
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
