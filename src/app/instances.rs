//! PBX instances: add, find, and what is known of each.

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use super::App;
use super::audit::Changed;
use super::error::AppError;
use crate::auth::caller::Caller;
use crate::domain::ids::InstanceId;
use crate::domain::instance::{InstanceSettings, NodeName, PbxInstance};
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
    /// The secret of the manager account.
    pub ami_secret: SecretString,
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
    store::instances::insert(tx, &instance, &new.ami_secret).await?;
    refuse_shared_directory(tx, &instance).await?;
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
    ami_secret: &SecretString,
) -> Result<PbxInstance, AppError> {
    let right = PlatformPermission::InstancesWrite;
    let (mut tx, caller) = app
        .begin_on_platform(caller, right, None, "change_instance")
        .await?;
    let before = store::instances::find(&mut tx, id)
        .await?
        .ok_or(AppError::NotFound)?;
    let same_settings = before.settings == settings;
    let kept = store::instances::ami_secret(&mut tx, id).await?;
    if same_settings && kept.is_some_and(|kept| kept.expose_secret() == ami_secret.expose_secret()) {
        return Ok(before);
    }
    if !same_settings {
        store::instances::update_settings(&mut tx, id, &settings).await?;
    }
    store::instances::set_ami_secret(&mut tx, id, ami_secret).await?;
    let after = store::instances::find(&mut tx, id)
        .await?
        .ok_or(AppError::NotFound)?;
    refuse_shared_directory(&mut tx, &after).await?;
    let values = (
        json!({"settings": before.settings}),
        json!({"settings": after.settings}),
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

/// The secret of the manager account, for whoever puts it where Asterisk reads it.
pub async fn manager_secret(
    app: &App,
    caller: &Caller,
    id: InstanceId,
) -> Result<Option<SecretString>, AppError> {
    caller.platform(PlatformPermission::InstancesWrite)?;
    let mut tx = app.store.read("manager_secret").await?;
    Ok(store::instances::ami_secret(&mut tx, id).await?)
}

/// How many tenants the instance was last proven to serve.
pub async fn served_tenants(app: &App, caller: &Caller, id: InstanceId) -> Result<usize, AppError> {
    caller.platform(PlatformPermission::InstancesRead)?;
    let mut tx = app.store.read("served_tenants").await?;
    Ok(store::served::all(&mut tx, id).await?.len())
}

/// Two instances of one host may not have one directory: each would remove what the other serves.
pub(super) async fn refuse_shared_directory(tx: &mut Tx, instance: &PbxInstance) -> Result<(), AppError> {
    let InstanceSettings::Asterisk(settings) = &instance.settings;
    for other in store::instances::list(tx).await? {
        // It may be about to move, and serve from where it was until then.
        let live = store::instances::live_settings(tx, other.id).await?;
        let taken = [Some(other.settings), live]
            .into_iter()
            .flatten()
            .any(|InstanceSettings::Asterisk(taken)| taken.config_dir == settings.config_dir);
        if other.id != instance.id && other.node == instance.node && taken {
            let message = format!(
                "the instance {} has {} on this host; each would remove what the other serves",
                other.name, settings.config_dir
            );
            return Err(AppError::conflict("config_dir_taken", message));
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
