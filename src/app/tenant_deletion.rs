//! Deleting a tenant: said beforehand, confirmed by its name, taken off its PBX first, and then gone but for the audit log.

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use tokio::time::timeout;

use super::App;
use super::audit::Changed;
use super::error::AppError;
use super::guards;
use super::precondition::IfMatch;
use super::tell;
use super::tenant_change::check_version;
use super::tenant_status::{bad_transition, found, service};
use crate::auth::caller::Caller;
use crate::deploy::Forgotten;
use crate::domain::ids::{AuditId, DeploymentId, InstanceId, TenantId};
use crate::domain::instance::{InstanceSettings, PbxInstance};
use crate::domain::permission::PlatformPermission;
use crate::domain::tenant::{Tenant, TenantStatus};
use crate::monitor::leaving_recordings::remove_leaving;
use crate::monitor::recordings::SearchError;
use crate::store::tenant_lifecycle::{self, Belongings};
use crate::store::{self, Tx, audit, domains, instances, tenant_records, user_counts, webhook_queue};

/// A disk that takes longer is asked again later.
const LONGEST: Duration = Duration::from_hours(1);
/// So long a deletion waits for webhooks to be told of it. The clocks of hosts may differ by half of that.
const LAST_WORDS: SignedDuration = SignedDuration::from_mins(10);
/// Records of calls that are removed in one transaction.
const CALLS_AT_ONCE: i64 = 1_000;

/// What goes with a tenant, kind by kind.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub struct DeletionPreview {
    /// What the deletion has to be confirmed with: the tenant's name.
    pub confirm: String,
    /// Why it would be refused now, as the codes of that answer; empty where it would not.
    pub refused: Vec<&'static str>,
    /// What the database holds of it.
    #[serde(flatten)]
    pub belongings: Belongings,
    /// What stays where this service cannot remove it, for somebody to do it by hand.
    pub not_removed: Vec<String>,
}

/// A tenant that is on its way out.
pub struct Leaving {
    /// The tenant.
    pub tenant: Tenant,
    /// The deploys that take it off the PBXs which serve it.
    pub deployments: Vec<DeploymentId>,
    /// What stays where this service cannot remove it.
    pub not_removed: Vec<String>,
}

/// What a deletion would remove.
pub async fn preview(app: &App, caller: &Caller, id: TenantId) -> Result<DeletionPreview, AppError> {
    caller.platform(PlatformPermission::TenantsDelete)?;
    let mut tx = app.store.read("preview_deletion").await?;
    let tenant = found(&mut tx, id).await?;
    let mut refused = Vec::new();
    if tenant.status == TenantStatus::Active {
        refused.push("must_suspend_first");
    }
    if user_counts::managers_inside(&mut tx, id).await? > 0 {
        refused.push("platform_managers_inside");
    }
    Ok(DeletionPreview {
        confirm: tenant.name.to_string(),
        refused,
        belongings: tenant_lifecycle::belongings(&mut tx, id).await?,
        not_removed: not_removed(&mut tx, &tenant).await?,
    })
}

/// Has a suspended tenant go for good: it is taken off its PBX, and as soon as that is proven nothing of it is left.
pub async fn delete(
    app: &App,
    caller: &Caller,
    id: TenantId,
    confirm: &str,
    if_match: &IfMatch,
) -> Result<Leaving, AppError> {
    let right = PlatformPermission::TenantsDelete;
    let (mut tx, caller) = app
        .begin_on_platform(caller, right, Some(id), "delete_tenant")
        .await?;
    let tenant = found(&mut tx, id).await?;
    check_version(&mut tx, id, if_match).await?;
    guards::suspended_first(tenant.status)?;
    if tenant.status == TenantStatus::Deleting {
        return Err(bad_transition(tenant.status));
    }
    guards::no_managers_inside(&mut tx, id).await?;
    guards::confirmed(confirm, tenant.name.as_str(), "the tenant's name")?;
    let belongings = tenant_lifecycle::belongings(&mut tx, id).await?;
    let not_removed = not_removed(&mut tx, &tenant).await?;
    let service = service(&mut tx, &tenant).await?;
    tenant_lifecycle::let_go(&mut tx, id, app.now()).await?;
    let followed = app.have_followed(&mut tx, &caller, id, service).await?;
    // Of no tenant: it stays when all that is the tenant's has gone, and says who it was.
    let entry = Changed {
        action: "tenant.delete",
        resource: "tenant",
        target: id.to_string(),
        tenant_id: None,
        before: Some(
            json!({"name": tenant.name, "domain": tenant.domain, "users": belongings.users,
            "extensions": belongings.extensions}),
        ),
        after: Some(json!({"deployments": followed.deployments, "not_removed": not_removed})),
    };
    let entry = app.audit(&mut tx, &caller, entry)?;
    tx.tell([tell::deleted(id, entry, app.now())]);
    tx.commit().await?;
    app.deploys.notify_one();
    Ok(Leaving {
        tenant: followed.tenant,
        deployments: followed.deployments,
        not_removed,
    })
}

/// Removes all that is left of a tenant which no PBX serves any more, but for what the audit log says of its deletion.
///
/// False while it is served, or while another process works on an instance that served it: it is to be tried again.
pub async fn finish(app: &App, caller: &Caller, id: TenantId) -> Result<bool, AppError> {
    caller.platform(PlatformPermission::InstancesDeploy)?;
    let mut tx = app.store.read("leaving_tenant").await?;
    let is_leaving = tenant_lifecycle::leaving(&mut tx).await?.contains(&id);
    if !is_leaving
        || tenant_lifecycle::is_served(&mut tx, id).await?
        || app.is_being_told(&mut tx, id).await?
    {
        return Ok(false);
    }
    let places = tenant_lifecycle::places(&mut tx, id).await?;
    let served_once = tenant_lifecycle::served_once(&mut tx, id).await?;
    drop(tx);
    for instance in places.iter().chain(&served_once) {
        match app.engine.forget(*instance, id).await? {
            Forgotten::Done => {}
            // The host that is to serve it finishes; of those that did once, the next deploy removes what is left.
            Forgotten::Elsewhere if !places.contains(instance) => {}
            Forgotten::Busy | Forgotten::Elsewhere => return Ok(false),
        }
    }

    if !recordings_are_gone(app, id, places.iter().chain(&served_once)).await? {
        return Ok(false);
    }
    forget_calls(app, id).await?;

    let right = PlatformPermission::InstancesDeploy;
    let begun = app.begin_on_platform(caller, right, Some(id), "finish_deletion");
    let (mut tx, caller) = begun.await?;
    let tenant = found(&mut tx, id).await?;
    // A deploy may have brought it back to a PBX meanwhile, by what it had read before.
    if tenant.status != TenantStatus::Deleting || tenant_lifecycle::is_served(&mut tx, id).await? {
        return Ok(false);
    }
    let moves = audit::moves(&mut tx, id).await?;
    let told = app.audit(&mut tx, &caller, gone(&tenant, &moves))?;
    remove(&mut tx, id, &moves, told).await?;
    tx.commit().await?;
    Ok(true)
}

impl App {
    /// Whether a tenant's webhooks are still to be told that it goes: with it goes what waits for them.
    async fn is_being_told(&self, tx: &mut Tx, id: TenantId) -> Result<bool, AppError> {
        let since = found(tx, id).await?.updated_at;
        // By the distance, since a clock that is put back is to keep nobody here.
        let is_recent = self.now().duration_since(since).abs() < LAST_WORDS;
        Ok(is_recent && webhook_queue::is_being_told(tx, id, since - LAST_WORDS / 2).await?)
    }
}

/// Forgets the calls of a tenant that is to go, some at a time: whoever else writes waits for a few of them, not for all.
///
/// Where it is cut off, the tenant is still to go, and the rest is forgotten next time.
pub(super) async fn forget_calls(app: &App, id: TenantId) -> Result<(), AppError> {
    loop {
        let mut tx = app.begin_in(id, "forget_calls").await?;
        let forgotten = tenant_lifecycle::forget_calls(&mut tx, id, CALLS_AT_ONCE).await?;
        tx.commit().await?;
        if forgotten == 0 {
            return Ok(());
        }
    }
}

/// Removes the recordings of the tenants that go from the disks of this host; false while another host has some of this one,
/// which does the same.
async fn recordings_are_gone(
    app: &App,
    id: TenantId,
    instances: impl Iterator<Item = &InstanceId>,
) -> Result<bool, AppError> {
    let places: BTreeSet<InstanceId> = instances.copied().collect();
    let mut tx = app.store.read("recordings_of_leaving").await?;
    let mut own = Vec::new();
    for place in places {
        let instance = instances::find(&mut tx, place).await?;
        own.extend(instance.filter(|instance| instance.node == *app.engine.node()));
    }
    drop(tx);
    for instance in own {
        let removal = remove_leaving(&app.store, app.ids.as_ref(), &instance);
        // Others wait for their turn; a large disk takes long.
        let removed = timeout(LONGEST, removal)
            .await
            .unwrap_or_else(|_| Err(no_answer(&instance)));
        let kept = removed.map_err(AppError::Recordings)?.kept.remove(&id);
        kept.map_or(Ok(()), |error| Err(AppError::Recordings(error)))?;
    }
    let mut tx = app.store.read("recordings_elsewhere").await?;
    Ok(store::recordings::elsewhere(&mut tx, id, app.engine.node()).await? == 0)
}

fn no_answer(instance: &PbxInstance) -> SearchError {
    let directory = instance.settings.recordings_dir();
    SearchError::Disk {
        directory: directory.map(ToString::to_string).unwrap_or_default(),
        source: io::ErrorKind::TimedOut.into(),
    }
}

/// The entry of a tenant of which nothing is left; of no tenant, so that it stays. It names the moves that are blanked with
/// what is the tenant's own.
pub(super) fn gone(tenant: &Tenant, moves: &[AuditId]) -> Changed {
    Changed {
        action: "tenant.gone",
        resource: "tenant",
        target: tenant.id.to_string(),
        tenant_id: None,
        before: Some(json!({"name": tenant.name, "domain": tenant.domain})),
        after: (!moves.is_empty()).then(|| json!({"moves": moves})),
    }
}

/// Removes every row of a tenant and what others tell of it; of the audit log the payloads, which `told` tells of.
pub(super) async fn remove(
    tx: &mut Tx,
    id: TenantId,
    moves: &[AuditId],
    told: AuditId,
) -> Result<(), AppError> {
    let domains = domains::ever_of(tx, id).await?;
    tenant_records::forget(tx, id, &domains).await?;
    audit::blank_tenant(tx, id, told).await?;
    audit::blank_moves(tx, moves, told).await?;
    tenant_lifecycle::delete(tx, id).await?;
    Ok(())
}

/// What lies on a PBX's host and is neither ours to read nor to remove.
async fn not_removed(tx: &mut Tx, tenant: &Tenant) -> Result<Vec<String>, AppError> {
    let mut left = Vec::new();
    for id in tenant_lifecycle::places(tx, tenant.id).await? {
        let Some(instance) = instances::find(tx, id).await? else {
            continue;
        };
        let domain = &tenant.domain;
        // Where their directory is known, recordings of calls are removed, and no other file that may lie there.
        let (sound, others) = match instance.settings.recordings_dir() {
            Some(directory) => (
                "",
                format!(
                    "; and in {directory}/{domain} the files that are not known as recordings of its calls: what is named \
                     otherwise, what is older than its first deploy there, and links"
                ),
            ),
            None => (" and recordings", String::new()),
        };
        let folders = format!(
            "voicemail messages, greetings{sound} in the folders named {domain} below FreeSWITCH's storage and recordings \
             directories"
        );
        let what = match &instance.settings {
            InstanceSettings::Asterisk(_) => format!(
                "voicemail messages of the context {domain}{sound} under Asterisk's spool directory, what \
                 Asterisk's own files of call records tell of it, and its phones' last addresses in Asterisk's own \
                 database (`database deltree registrar/contact` shows and removes them)"
            ),
            InstanceSettings::FusionPbx(_) => format!(
                "{folders}; and in {place} what others wrote under the domain_uuid {id}: rows of v_xml_cdr, \
                 v_voicemail_messages, v_voicemail_greetings, v_users, v_destinations, v_ring_groups and of every other table \
                 with that column",
                place = instance.settings.place(),
                id = tenant.id
            ),
            InstanceSettings::FreeSwitch(_) => folders,
        };
        left.push(format!(
            "on the host {} of the instance {}: {what}{others}",
            instance.node, instance.name
        ));
    }
    Ok(left)
}
