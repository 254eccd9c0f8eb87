//! PBX instances: add, find, and what is known of each.

use secrecy::SecretString;
use serde_json::json;

use super::App;
use super::audit::Changed;
use super::error::AppError;
use super::instance_moves;
use crate::auth::caller::Caller;
use crate::domain::ids::InstanceId;
use crate::domain::instance::{InstanceSettings, NodeName, PbxInstance, PbxKind};
use crate::domain::instance_secrets::InstanceSecrets;
use crate::domain::name::InstanceName;
use crate::domain::permission::PlatformPermission;
use crate::store::{self, Tx};

/// A new instance.
pub struct NewInstance {
    /// Unique.
    pub name: InstanceName,
    /// The host that drives it.
    pub node: NodeName,
    /// How it is reached.
    pub settings: InstanceSettings,
    /// What is signed in with there.
    pub secrets: InstanceSecrets,
}

/// Adds an instance. Nothing is deployed to it yet.
pub async fn create(app: &App, caller: &Caller, new: NewInstance) -> Result<PbxInstance, AppError> {
    let right = PlatformPermission::InstancesWrite;
    let (mut tx, caller) = app
        .begin_on_platform(caller, right, None, "create_instance")
        .await?;
    let instance = insert(app, &mut tx, new).await?;
    app.audit(&mut tx, &caller, made(&instance))?;
    tx.commit().await?;
    Ok(instance)
}

pub(super) async fn insert(app: &App, tx: &mut Tx, new: NewInstance) -> Result<PbxInstance, AppError> {
    let instance = PbxInstance {
        id: InstanceId::fresh(app.ids.as_ref()),
        name: new.name,
        node: new.node,
        settings: new.settings,
        settings_revision: 1,
        live: None,
        applying: None,
        created_at: app.now(),
    };
    store::instances::insert(tx, &instance, &new.secrets).await?;
    refuse_shared_place(tx, &instance).await?;
    Ok(instance)
}

/// The entry of a new instance.
pub(super) fn made(instance: &PbxInstance) -> Changed {
    let after = json!({"name": instance.name, "node": instance.node, "settings": instance.settings});
    changed("instance.create", instance, None, after)
}

/// Changes how an instance is reached. What is as it was leaves no trace, and is no new revision of the settings.
pub async fn change_settings(
    app: &App,
    caller: &Caller,
    id: InstanceId,
    settings: InstanceSettings,
    secrets: &InstanceSecrets,
) -> Result<PbxInstance, AppError> {
    caller.platform(PlatformPermission::InstancesWrite)?;
    let seen = instance_moves::look_from(app, caller, id, &settings, secrets).await?;
    let right = PlatformPermission::InstancesWrite;
    let (mut tx, caller) = app
        .begin_on_platform(caller, right, None, "change_instance")
        .await?;
    let before = store::instances::find(&mut tx, id)
        .await?
        .ok_or(AppError::NotFound)?;
    instance_moves::refuse(&mut tx, &before, &settings, &seen).await?;
    let same_settings = before.settings == settings;
    let kept = store::instances::secrets(&mut tx, id).await?;
    let same_secrets = kept.is_some_and(|kept| kept.same(secrets));
    if same_settings && same_secrets {
        return Ok(before);
    }
    if !same_settings {
        store::instances::update_settings(&mut tx, id, &settings).await?;
    }
    store::instances::set_secrets(&mut tx, id, secrets).await?;
    let after = store::instances::find(&mut tx, id)
        .await?
        .ok_or(AppError::NotFound)?;
    refuse_shared_place(&mut tx, &after).await?;
    let values = (
        json!({"settings": before.settings}),
        json!({"settings": after.settings, "new_secret": !same_secrets}),
    );
    app.audit(
        &mut tx,
        &caller,
        changed("instance.change", &after, Some(values.0), values.1),
    )?;
    tx.commit().await?;
    Ok(after)
}

/// All instances, by name.
pub async fn list(app: &App, caller: &Caller) -> Result<Vec<PbxInstance>, AppError> {
    caller.platform(PlatformPermission::InstancesRead)?;
    let mut tx = app.store.read("list_instances").await?;
    Ok(store::instances::list(&mut tx).await?)
}

/// One instance.
pub async fn find(app: &App, caller: &Caller, id: InstanceId) -> Result<PbxInstance, AppError> {
    caller.platform(PlatformPermission::InstancesRead)?;
    let mut tx = app.store.read("find_instance").await?;
    store::instances::find(&mut tx, id)
        .await?
        .ok_or(AppError::NotFound)
}

/// One instance by its name, as the command line names them.
pub async fn find_by_name(app: &App, caller: &Caller, name: &InstanceName) -> Result<PbxInstance, AppError> {
    caller.platform(PlatformPermission::InstancesRead)?;
    let mut tx = app.store.read("find_instance").await?;
    store::instances::find_by_name(&mut tx, name)
        .await?
        .ok_or(AppError::NotFound)
}

/// The number of the generation that was last proven to run; `None` before the first.
pub async fn live_generation(app: &App, caller: &Caller, id: InstanceId) -> Result<Option<i64>, AppError> {
    let instance = find(app, caller, id).await?;
    let Some(live) = instance.live else {
        return Ok(None);
    };
    let mut tx = app.store.read("live_generation").await?;
    Ok(store::generations::find(&mut tx, id, live)
        .await?
        .map(|generation| generation.number))
}

/// The secret of the control interface, for whoever puts it where the PBX reads it.
pub async fn control_secret(
    app: &App,
    caller: &Caller,
    id: InstanceId,
) -> Result<Option<SecretString>, AppError> {
    caller.platform(PlatformPermission::InstancesWrite)?;
    let mut tx = app.store.read("control_secret").await?;
    let secrets = store::instances::secrets(&mut tx, id).await?;
    Ok(secrets.map(|secrets| secrets.control))
}

/// How many tenants the instance was last proven to serve.
pub async fn served_tenants(app: &App, caller: &Caller, id: InstanceId) -> Result<usize, AppError> {
    caller.platform(PlatformPermission::InstancesRead)?;
    let mut tx = app.store.read("served_tenants").await?;
    Ok(store::served::all(&mut tx, id).await?.len())
}

/// Two instances may not have one directory of a host, or one database: each would remove what the other serves.
pub(super) async fn refuse_shared_place(tx: &mut Tx, instance: &PbxInstance) -> Result<(), AppError> {
    for other in store::instances::list(tx).await? {
        if other.id == instance.id || (instance.settings.is_own_to_host() && other.node != instance.node) {
            continue;
        }
        // It may be about to move, and serve from where it was until then.
        let live = store::instances::live_settings(tx, other.id).await?;
        let mut places = [Some(other.settings), live].into_iter().flatten();
        if places.any(|taken| taken.nests(&instance.settings)) {
            let message = format!(
                "the instance {} has {}, or one that lies within it or around it, already; each would remove what the other serves",
                other.name,
                instance.settings.place()
            );
            let code = match instance.settings.kind() {
                PbxKind::Asterisk | PbxKind::FreeSwitch => "config_dir_taken",
                PbxKind::FusionPbx => "database_taken",
            };
            return Err(AppError::conflict(code, message));
        }
    }
    Ok(())
}

pub(super) fn changed(
    action: &'static str,
    instance: &PbxInstance,
    before: Option<serde_json::Value>,
    after: serde_json::Value,
) -> Changed {
    Changed {
        action,
        resource: "pbx_instance",
        target: instance.id.to_string(),
        tenant_id: None,
        before,
        after: Some(after),
    }
}
