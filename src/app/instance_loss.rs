//! Giving up a PBX whose host is gone for good: nobody asks it any more, and what only waited for its answer ends.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::App;
use super::error::AppError;
use super::guards;
use super::instance_changes;
use super::instances::changed;
use super::tenant_deletion::{forget_calls, gone, remove};
use crate::auth::caller::Caller;
use crate::domain::error_chain::error_chain;
use crate::domain::ids::{InstanceId, TenantId};
use crate::domain::instance::{InstanceSettings, PbxInstance};
use crate::domain::name::{InstanceName, TenantName};
use crate::domain::permission::PlatformPermission;
use crate::domain::sip_domain::SipDomain;
use crate::domain::tenant::{Tenant, TenantStatus};
use crate::store::{Tx, audit, instances, leases, recordings, served, tenant_lifecycle, tenants};

/// An instance that was given up.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
#[schemars(rename = "LostInstance")]
pub struct LostInstance {
    /// Its id, which is no instance's any more.
    pub id: InstanceId,
    /// As it was called.
    pub name: InstanceName,
    /// The tenants whose deletion waited for it, and that are gone now.
    pub deleted_tenants: Vec<LostTenant>,
    /// What nobody could ask the PBX, and what to do before its host is connected again.
    pub not_proven: Vec<String>,
}

/// A tenant that went with an instance.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub struct LostTenant {
    /// Its id.
    pub id: TenantId,
    /// As people called it.
    pub name: TenantName,
    /// Its SIP domain.
    pub domain: SipDomain,
}

/// Deletes an instance whose host is gone, without asking its PBX, and with it the tenants that were being deleted.
///
/// Tenants that are to be served are not touched: each has to be given another instance first.
pub async fn give_up(
    app: &App,
    caller: &Caller,
    id: InstanceId,
    confirm: &str,
) -> Result<LostInstance, AppError> {
    let right = PlatformPermission::InstancesWrite;
    let begun = app.begin_on_platform(caller, right, None, "instance_to_give_up");
    let (mut tx, _) = begun.await?;
    let (_, leaving) = losable(app, &mut tx, id, confirm).await?;
    drop(tx);
    for tenant in leaving {
        forget_calls(app, tenant.id).await?;
    }
    let (mut tx, caller) = app
        .begin_on_platform(caller, right, None, "give_up_instance")
        .await?;
    let (instance, leaving) = losable(app, &mut tx, id, confirm).await?;
    let mut not_proven = not_proven(&mut tx, &instance).await?;
    served::clear(&mut tx, id).await?;
    instances::set_applying(&mut tx, id, None).await?;
    let deleted_tenants = delete_leaving(app, &mut tx, &caller, leaving).await?;
    not_proven.extend(lost_recordings(&mut tx, &instance).await?);
    let was = json!({"name": instance.name, "node": instance.node, "settings": instance.settings});
    let is = json!({"deleted_tenants": deleted_tenants, "not_proven": not_proven});
    let entry = changed("instance.give_up", &instance, Some(was), is);
    app.audit(&mut tx, &caller, entry)?;
    instances::delete(&mut tx, id).await?;
    tx.commit().await?;
    // After the commit: a disk that fails keeps no host from being given up.
    if let Err(error) = app.engine.forget_instance(&instance).await {
        let error = error_chain(&error);
        let left = format!(
            "on this host: what was rendered for it, with digests that sign in, below instances/{id} and staged/{id} in the state directory; it \
             could not be removed ({error}), remove it by hand"
        );
        tracing::warn!(instance = %instance.name, "{left}");
        not_proven.push(left);
    }
    Ok(LostInstance {
        id,
        name: instance.name,
        deleted_tenants,
        not_proven,
    })
}

/// The instance, where nothing is in the way of its loss, and the tenants that go with it.
async fn losable(
    app: &App,
    tx: &mut Tx,
    id: InstanceId,
    confirm: &str,
) -> Result<(PbxInstance, Vec<Tenant>), AppError> {
    let instance = instances::find(tx, id).await?.ok_or(AppError::NotFound)?;
    guards::confirmed(confirm, instance.name.as_str(), "the instance's name")?;
    if let Some(lease) = leases::find(tx, id).await?
        && lease.expires_at > app.now()
    {
        let message = format!(
            "{} works on it right now: its host is not gone; wait for it",
            lease.holder
        );
        return Err(AppError::in_use(message, []));
    }
    let assigned = tenants::assigned_to(tx, id).await?;
    let (mut leaving, mut staying): (Vec<Tenant>, Vec<Tenant>) = assigned
        .into_iter()
        .partition(|tenant| tenant.status == TenantStatus::Deleting);
    staying.extend(served_nowhere_else(tx, id).await?);
    leaving.extend(leaving_from(tx, id).await?);
    if !staying.is_empty() {
        let message = format!(
            "{} tenants are to be served by it; give each another instance and deploy that, or delete the tenant, first",
            staying.len()
        );
        let references = staying
            .into_iter()
            .map(|tenant| json!({"kind": "tenant", "id": tenant.id, "name": tenant.name}));
        return Err(AppError::in_use(message, references));
    }
    Ok((instance, leaving))
}

/// The tenants that were given another instance, which does not serve them yet.
async fn served_nowhere_else(tx: &mut Tx, id: InstanceId) -> Result<Vec<Tenant>, AppError> {
    let mut waiting = Vec::new();
    for (tenant, is_served) in served::assigned_elsewhere(tx, id).await? {
        if !is_served {
            waiting.extend(tenants::find(tx, tenant).await?);
        }
    }
    Ok(waiting)
}

/// The tenants of other instances that are being deleted, and that only this one still serves.
async fn leaving_from(tx: &mut Tx, id: InstanceId) -> Result<Vec<Tenant>, AppError> {
    let mut leaving = Vec::new();
    for tenant in tenant_lifecycle::leaving(tx).await? {
        if tenant_lifecycle::serving(tx, tenant).await? == [id] {
            let tenant = tenants::find(tx, tenant).await?;
            leaving.extend(tenant.filter(|tenant| tenant.instance_id != id));
        }
    }
    Ok(leaving)
}

/// Ends the deletions that waited for the instance.
async fn delete_leaving(
    app: &App,
    tx: &mut Tx,
    caller: &Caller,
    leaving: Vec<Tenant>,
) -> Result<Vec<LostTenant>, AppError> {
    let mut deleted = Vec::new();
    for tenant in leaving {
        tenants::lock(tx, tenant.id).await?;
        if tenant_lifecycle::is_served(tx, tenant.id).await? {
            let message = format!(
                "another instance still serves {}; deploy that one first",
                tenant.name
            );
            let reference = json!({"kind": "tenant", "id": tenant.id, "name": tenant.name});
            return Err(AppError::in_use(message, [reference]));
        }
        let moves = audit::moves(tx, tenant.id).await?;
        let told = app.audit(tx, caller, gone(&tenant, &moves))?;
        remove(tx, tenant.id, &moves, told).await?;
        deleted.push(LostTenant {
            id: tenant.id,
            name: tenant.name,
            domain: tenant.domain,
        });
    }
    Ok(deleted)
}

async fn not_proven(tx: &mut Tx, instance: &PbxInstance) -> Result<Vec<String>, AppError> {
    let node = &instance.node;
    let below = instance_changes::places_of(tx, instance, " and below ").await?;
    let to = instance_changes::places_of(tx, instance, " or to ").await?;
    let mut told = vec![match &instance.settings {
        InstanceSettings::Asterisk(_) => format!(
            "on the host {node}: the files below {below}, and what its tenants left in Asterisk's spool directory and \
             database, are where they were; before {node} is connected to a network again, remove them, and the lines in \
             Asterisk's own files that lead to {to}"
        ),
        InstanceSettings::FreeSwitch(_) => format!(
            "on the host {node}: the files below {below}, and what its tenants left in FreeSWITCH's storage and recordings \
             directories, are where they were; before {node} is connected to a network again, remove them, and the lines in \
             FreeSWITCH's own files that lead to {to}"
        ),
        InstanceSettings::FusionPbx(_) => format!(
            "in {place}: the rows of its tenants' domains, each with the insert_user {id}, and on its host what they left in \
             FreeSWITCH's storage and recordings directories, are where they were; before its FreeSWITCH is connected to a \
             network again, remove them (docs/fusionpbx.md has the statements)",
            place = instance.settings.place(),
            id = instance.id
        ),
    }];
    let mut domains = Vec::new();
    for id in served::all(tx, instance.id).await?.keys() {
        domains.extend(
            tenants::find(tx, *id)
                .await?
                .map(|tenant| tenant.domain.to_string()),
        );
    }
    if !domains.is_empty() {
        told.push(format!(
            "as long as its PBX runs somewhere, phones may sign in there and call: it was last proven to serve {}",
            domains.join(", ")
        ));
    }
    if instance.applying.is_some() {
        told.push("a deploy of it was cut off, so that it may serve others than those".to_owned());
    }
    Ok(told)
}

/// The recordings that nobody hears or removes by this service any more: those of tenants that stay, and were moved away before.
async fn lost_recordings(tx: &mut Tx, instance: &PbxInstance) -> Result<Vec<String>, AppError> {
    let held = recordings::by_tenant(tx, instance.id).await?;
    let place = instance.settings.recordings_dir();
    let place = place.map_or_else(String::new, |place| format!("in {place} "));
    let told = held.into_iter().map(|held| {
        format!(
            "{} recordings of calls of {}, {place}on the host {}, are lost with it: they are neither shown nor removed any more",
            held.recordings, held.domain, instance.node
        )
    });
    Ok(told.collect())
}
