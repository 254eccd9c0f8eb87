//! Purges: what would go is counted, what is to go is asked for, and what went is told.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::App;
use super::audit::Changed;
use super::error::AppError;
use super::idempotency::{Done, Once};
use super::precondition::IfMatch;
use super::recordings::is_recorded;
use crate::auth::access::Act;
use crate::auth::caller::{Caller, Identity, Origin, Place};
use crate::domain::error_chain::error_chain;
use crate::domain::ids::{InstanceId, PurgeId, TenantId};
use crate::domain::instance::PbxInstance;
use crate::domain::page::{Page, PageRequest};
use crate::domain::permission::{Permission, PlatformPermission};
use crate::domain::purge::{Amount, Purge, PurgePart, PurgePreview, PurgeStatus};
use crate::domain::retention::{RetentionKind, RetentionPolicy};
use crate::store::audit_retention::{self, Age};
use crate::store::purge_rows::{self, Rows};
use crate::store::{Tx, instances, purges, retention, tenants, voicemail};

/// How long after the last one the daemon asks for the next.
const DAILY: SignedDuration = SignedDuration::from_hours(24);
/// Reports that are kept of each tenant.
const REPORTS: i64 = 400;

/// What a purge would remove now; of the policy that is named only.
pub async fn preview(app: &App, caller: &Caller, if_match: &IfMatch) -> Result<PurgePreview, AppError> {
    let tenant = caller.tenant(Permission::ComplianceWrite, Act::Change)?;
    let mut tx = app.store.read("preview_purge").await?;
    let policy = retention::find(&mut tx, tenant).await?;
    if_match.check(&policy.tag())?;
    app.preview(&mut tx, tenant, policy).await
}

/// Asks for what is older than the tenant keeps it to be removed; of the policy that is named only.
pub async fn request(
    app: &App,
    caller: &Caller,
    if_match: &IfMatch,
    once: Option<&Once>,
) -> Result<Done<Purge>, AppError> {
    caller.tenant(Permission::ComplianceWrite, Act::Change)?;
    caller.reason_to_change()?;
    let begun = app.begin_inside(caller, Permission::ComplianceWrite, "request_purge");
    let (mut tx, caller, tenant) = begun.await?;
    if let Some(id) = app.answered_before(&mut tx, tenant, &caller, once).await? {
        let before = purges::find(&mut tx, tenant, id).await?;
        return before.map(Done::Before).ok_or(AppError::NotFound);
    }
    let policy = retention::find(&mut tx, tenant).await?;
    if_match.check(&policy.tag())?;
    if let Some(id) = purges::running_of(&mut tx, tenant).await? {
        let message = "a purge of this tenant runs; wait until it has ended, or follow it by its id";
        return Err(AppError::in_use(message, [json!({"kind": "purge", "id": id})]));
    }
    let purge = app.begin_purge(&mut tx, &caller, tenant, policy).await?;
    app.audit(&mut tx, &caller, asked(&purge))?;
    app.keep_answer(&mut tx, tenant, &caller, once, purge.id).await?;
    tx.commit().await?;
    Ok(Done::Now(purge))
}

/// The tenant's purges without their parts, newest first.
pub async fn list(app: &App, caller: &Caller, page: PageRequest) -> Result<Page<Purge>, AppError> {
    let tenant = caller.tenant(Permission::ComplianceRead, Act::Read)?;
    let mut tx = app.store.read("list_purges").await?;
    Ok(purges::list(&mut tx, tenant, page).await?)
}

/// One of them with its parts.
pub async fn find(app: &App, caller: &Caller, id: PurgeId) -> Result<Purge, AppError> {
    let tenant = caller.tenant(Permission::ComplianceRead, Act::Read)?;
    let mut tx = app.store.read("find_purge").await?;
    purges::find(&mut tx, tenant, id).await?.ok_or(AppError::NotFound)
}

/// The daemon, which asks and carries out.
pub(super) fn daemon() -> Caller {
    Caller::new(Identity::SystemAuto, Place::Platform, None, Origin::default())
}

/// Asks for a purge of each tenant of which something is older than it keeps it, once a day; gives how many it was.
pub async fn request_due(app: &App) -> Result<usize, AppError> {
    let caller = daemon();
    caller.platform(PlatformPermission::InstancesDeploy)?;
    let mut tx = app.store.read("tenants_to_purge").await?;
    let tenants = retention::tenants(&mut tx).await?;
    drop(tx);
    let mut requested = 0;
    for tenant in tenants {
        // One that fails keeps none of the others waiting.
        match request_due_of(app, &caller, tenant).await {
            Ok(is_requested) => requested += usize::from(is_requested),
            Err(AppError::NotFound) => {}
            Err(error) => {
                let error = error_chain(&error);
                tracing::error!(%tenant, error, "a purge could not be asked for; it is tried again");
            }
        }
    }
    Ok(requested)
}

async fn request_due_of(app: &App, caller: &Caller, tenant: TenantId) -> Result<bool, AppError> {
    let mut tx = app.store.read("is_purge_due").await?;
    if !app.is_due(&mut tx, tenant).await? {
        return Ok(false);
    }
    let policy = retention::find(&mut tx, tenant).await?;
    let is_any = app.is_anything_old(&mut tx, tenant, policy).await?;
    drop(tx);
    if !is_any {
        return Ok(false);
    }
    // Another host may have asked meanwhile.
    let mut tx = app.begin_in(tenant, "request_daily_purge").await?;
    if !app.is_due(&mut tx, tenant).await? {
        return Ok(false);
    }
    let policy = retention::find(&mut tx, tenant).await?;
    let purge = app.begin_purge(&mut tx, caller, tenant, policy).await?;
    app.audit(&mut tx, caller, asked(&purge))?;
    tx.commit().await?;
    Ok(true)
}

impl App {
    /// Whether none runs, and the last one was asked for a day ago; a time that is yet to come was told by a wrong clock.
    async fn is_due(&self, tx: &mut Tx, tenant: TenantId) -> Result<bool, AppError> {
        if purges::running_of(tx, tenant).await?.is_some() {
            return Ok(false);
        }
        let last = purges::last_requested(tx, tenant).await?;
        Ok(last.is_none_or(|last| self.now().duration_since(last).abs() >= DAILY))
    }

    /// Whether a purge would find something; what that is, it counts itself.
    async fn is_anything_old(
        &self,
        tx: &mut Tx,
        tenant: TenantId,
        policy: RetentionPolicy,
    ) -> Result<bool, AppError> {
        let time = self.known_time(tx).await?.time;
        for kind in RetentionKind::ALL {
            if let Some(before) = policy.of(*kind).cutoff(time)
                && any(tx, tenant, *kind, Age { before, now: time }).await?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn preview(
        &self,
        tx: &mut Tx,
        tenant: TenantId,
        policy: RetentionPolicy,
    ) -> Result<PurgePreview, AppError> {
        let time = self.known_time(tx).await?.time;
        let mut parts = Vec::new();
        for kind in RetentionKind::ALL {
            if let Some(cutoff) = policy.of(*kind).cutoff(time) {
                let age = Age {
                    before: cutoff,
                    now: time,
                };
                let mut amount = Amount::default();
                for place in places(tx, tenant, *kind, age).await? {
                    let there = count(tx, tenant, *kind, place, age).await?;
                    amount.found += there.found;
                    amount.bytes += there.bytes;
                }
                parts.push((*kind, cutoff, amount));
            }
        }
        Ok(PurgePreview { policy, time, parts })
    }

    async fn begin_purge(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        tenant: TenantId,
        policy: RetentionPolicy,
    ) -> Result<Purge, AppError> {
        let now = self.now();
        let mut purge = Purge {
            id: PurgeId::fresh(self.ids.as_ref()),
            tenant_id: tenant,
            requested_by: caller.identity().actor().name,
            requested_at: now,
            policy,
            time: self.known_time(tx).await?.time,
            status: PurgeStatus::Running,
            ended_at: None,
            parts: Vec::new(),
        };
        for kind in RetentionKind::ALL {
            let Some(cutoff) = policy.of(*kind).cutoff(purge.time) else {
                continue;
            };
            let age = Age {
                before: cutoff,
                now: purge.time,
            };
            for place in places(tx, tenant, *kind, age).await? {
                let position = i64::try_from(purge.parts.len()).unwrap_or(i64::MAX);
                purge.parts.push(PurgePart::new(position, *kind, place, cutoff));
            }
        }
        // Of what is kept forever, and of recordings where there are none, nothing is to be done.
        purge.status = purge.outcome();
        purge.ended_at = (purge.status != PurgeStatus::Running).then_some(now);
        purges::insert(tx, &purge, REPORTS).await?;
        Ok(purge)
    }
}

/// What a kind is in the database, where it is all that there is of it.
pub(super) const fn rows(kind: RetentionKind) -> Option<Rows> {
    match kind {
        RetentionKind::CallRecords => Some(Rows::Calls),
        RetentionKind::Deployments => Some(Rows::Deployments),
        RetentionKind::Tickets => Some(Rows::Tickets),
        RetentionKind::Recordings | RetentionKind::AuditPayloads | RetentionKind::Voicemail => None,
    }
}

/// Where a kind is removed: recordings and messages of mail boxes on each PBX that has some, by its host; everything else in the
/// database.
async fn places(
    tx: &mut Tx,
    tenant: TenantId,
    kind: RetentionKind,
    age: Age,
) -> Result<Vec<Option<InstanceId>>, AppError> {
    let instances = match kind {
        RetentionKind::Recordings => recording_places(tx, tenant, age).await?,
        RetentionKind::Voicemail => voicemail_places(tx, tenant, age).await?,
        _ => return Ok(vec![None]),
    };
    Ok(instances.into_iter().map(Some).collect())
}

/// The PBXs with old recordings, and the tenant's own where it records calls and none was ever found, or nobody can look for them:
/// its part says so.
async fn recording_places(tx: &mut Tx, tenant: TenantId, age: Age) -> Result<Vec<InstanceId>, AppError> {
    let mut places = purge_rows::places(tx, tenant, age.before).await?;
    let known = purge_rows::places(tx, tenant, Timestamp::MAX).await?;
    if let Some(own) = own_pbx(tx, tenant).await?
        && (own.settings.recordings_dir().is_none() || !known.contains(&own.id))
        && !places.contains(&own.id)
        && is_recorded(tx, tenant, own.id).await?
    {
        places.push(own.id);
    }
    Ok(places)
}

/// The PBX that serves a tenant, or is to.
pub(super) async fn own_pbx(tx: &mut Tx, tenant: TenantId) -> Result<Option<PbxInstance>, AppError> {
    let Some(tenant) = tenants::find(tx, tenant).await? else {
        return Ok(None);
    };
    Ok(instances::find(tx, tenant.instance_id).await?)
}

/// The PBXs that hold messages, and the tenant's own: whether that holds some is known once it was looked at, and where it cannot
/// be, its part says so.
async fn voicemail_places(tx: &mut Tx, tenant: TenantId, age: Age) -> Result<Vec<InstanceId>, AppError> {
    let mut places = voicemail::places(tx, tenant, age.before).await?;
    if let Some(own) = own_pbx(tx, tenant).await?
        && !places.contains(&own.id)
    {
        places.push(own.id);
    }
    Ok(places)
}

/// Whether there is something of a kind that is older.
async fn any(tx: &mut Tx, tenant: TenantId, kind: RetentionKind, age: Age) -> Result<bool, AppError> {
    Ok(match rows(kind) {
        Some(rows) => purge_rows::any(tx, tenant, rows, age.before).await?,
        None if kind == RetentionKind::AuditPayloads => audit_retention::any(tx, tenant, age).await?,
        None if kind == RetentionKind::Voicemail => {
            // What nobody could look at so far may be old.
            !voicemail_places(tx, tenant, age).await?.is_empty()
        }
        None => !recording_places(tx, tenant, age).await?.is_empty(),
    })
}

/// How much there is of a kind that is older, of recordings and messages on a PBX.
pub(super) async fn count(
    tx: &mut Tx,
    tenant: TenantId,
    kind: RetentionKind,
    place: Option<InstanceId>,
    age: Age,
) -> Result<Amount, AppError> {
    Ok(match (rows(kind), place) {
        (Some(rows), _) => purge_rows::count(tx, tenant, rows, age.before).await?,
        (None, Some(place)) if kind == RetentionKind::Voicemail => {
            voicemail::count(tx, tenant, place, age.before).await?
        }
        (None, Some(place)) => purge_rows::count_recordings(tx, tenant, place, age.before).await?,
        (None, None) => audit_retention::count(tx, tenant, age).await?,
    })
}

fn asked(purge: &Purge) -> Changed {
    Changed {
        action: "compliance.purge",
        resource: "purge",
        target: purge.id.to_string(),
        tenant_id: Some(purge.tenant_id),
        before: None,
        after: Some(json!({"policy": purge.policy, "counted_from": purge.time})),
    }
}
