//! What the API changes of PBX instances: adding one as it is written, changing and deleting it.

use secrecy::ExposeSecret as _;
use serde_json::json;

use super::App;
use super::error::AppError;
use super::idempotency::{Done, Once};
use super::instance_input::{InstanceInput, ParsedInstance};
use super::instances::{NewInstance, changed, insert, made, refuse_shared_directory};
use super::precondition::IfMatch;
use crate::auth::caller::Caller;
use crate::domain::digest::Digest;
use crate::domain::ids::InstanceId;
use crate::domain::instance::{InstanceSettings, PbxInstance};
use crate::domain::page::PageRequest;
use crate::domain::permission::PlatformPermission;
use crate::domain::query::TenantQuery;
use crate::store::{Tx, deployments, instances, tenant_overviews};

/// One instance, and what names its version: every change of name, settings or secret gives it another one.
pub async fn show(app: &App, caller: &Caller, id: InstanceId) -> Result<(PbxInstance, String), AppError> {
    caller.platform(PlatformPermission::InstancesRead)?;
    let mut tx = app.store.read("show_instance").await?;
    let instance = instances::find(&mut tx, id).await?.ok_or(AppError::NotFound)?;
    let tag = tag(&mut tx, &instance).await?;
    Ok((instance, tag))
}

async fn tag(tx: &mut Tx, instance: &PbxInstance) -> Result<String, AppError> {
    let mark = instances::ami_secret_mark(tx, instance.id).await?;
    let mark = mark.ok_or(AppError::NotFound)?.to_string();
    let revision = instance.settings_revision.to_string();
    let parts = [instance.name.as_str(), &revision, &mark];
    Ok(Digest::of_parts(parts.map(str::as_bytes)).short())
}

/// Adds an instance as it is written. Nothing is deployed to it yet.
pub async fn add(
    app: &App,
    caller: &Caller,
    input: InstanceInput,
    once: Option<&Once>,
) -> Result<Done<(PbxInstance, String)>, AppError> {
    caller.platform(PlatformPermission::InstancesWrite)?;
    let ParsedInstance {
        name,
        node,
        settings,
        secret,
    } = input.parse()?;
    let new = NewInstance {
        name,
        node: node.unwrap_or_else(|| app.engine.node().clone()),
        settings: InstanceSettings::Asterisk(settings),
        ami_secret: secret,
    };
    let right = PlatformPermission::InstancesWrite;
    let (mut tx, caller) = app
        .begin_on_platform(caller, right, None, "create_instance")
        .await?;
    if let Some(id) = app.answered_before(&mut tx, None, &caller, once).await? {
        let instance = instances::find(&mut tx, id).await?.ok_or(AppError::NotFound)?;
        let tag = tag(&mut tx, &instance).await?;
        return Ok(Done::Before((instance, tag)));
    }
    let instance = insert(app, &mut tx, new).await?;
    let tag = tag(&mut tx, &instance).await?;
    app.audit(&mut tx, &caller, made(&instance))?;
    app.keep_answer(&mut tx, None, &caller, once, instance.id).await?;
    tx.commit().await?;
    Ok(Done::Now((instance, tag)))
}

/// Changes an instance; what is absent stays. The PBX hears of it with the next platform deploy.
pub async fn change(
    app: &App,
    caller: &Caller,
    id: InstanceId,
    input: InstanceInput,
    if_match: &IfMatch,
) -> Result<(PbxInstance, String), AppError> {
    let right = PlatformPermission::InstancesWrite;
    let (mut tx, caller) = app
        .begin_on_platform(caller, right, None, "change_instance")
        .await?;
    let before = instances::find(&mut tx, id).await?.ok_or(AppError::NotFound)?;
    let tag = tag(&mut tx, &before).await?;
    let kept = instances::ami_secret(&mut tx, id).await?;
    let InstanceSettings::Asterisk(settings) = &before.settings;
    let mut input = input.over(&before.name, settings)?;
    let given = input.ami_secret.take();
    input.ami_secret = given.clone().or_else(|| kept.clone());
    let parsed = input.parse()?;
    let settings = InstanceSettings::Asterisk(parsed.settings);
    let same_secret = match (&given, &kept) {
        (Some(given), Some(kept)) => given.expose_secret() == kept.expose_secret(),
        (given, _) => given.is_none(),
    };
    if_match.check(&tag)?;
    if parsed.name == before.name && settings == before.settings && same_secret {
        return Ok((before, tag));
    }
    if parsed.name != before.name {
        instances::rename(&mut tx, id, &parsed.name).await?;
    }
    if settings != before.settings {
        instances::update_settings(&mut tx, id, &settings).await?;
    }
    if !same_secret {
        instances::set_ami_secret(&mut tx, id, &parsed.secret).await?;
    }
    let after = instances::find(&mut tx, id).await?.ok_or(AppError::NotFound)?;
    refuse_shared_directory(&mut tx, &after).await?;
    let was = json!({"name": before.name, "settings": before.settings});
    let is = json!({"name": after.name, "settings": after.settings, "new_secret": !same_secret});
    app.audit(
        &mut tx,
        &caller,
        changed("instance.change", &after, Some(was), is),
    )?;
    let tag = self::tag(&mut tx, &after).await?;
    tx.commit().await?;
    Ok((after, tag))
}

/// Deletes an instance that serves no tenant. What lies on its host stays until `switchyard pbx remove` removes it there.
pub async fn delete(app: &App, caller: &Caller, id: InstanceId, if_match: &IfMatch) -> Result<(), AppError> {
    let right = PlatformPermission::InstancesWrite;
    let (mut tx, caller) = app
        .begin_on_platform(caller, right, None, "delete_instance")
        .await?;
    let instance = instances::find(&mut tx, id).await?.ok_or(AppError::NotFound)?;
    if_match.check(&tag(&mut tx, &instance).await?)?;
    let assigned = TenantQuery {
        instance_id: Some(id),
        page: PageRequest::new(1, PageRequest::LARGEST).unwrap_or_default(),
        ..TenantQuery::default()
    };
    let tenants = tenant_overviews::list(&mut tx, &assigned).await?;
    if tenants.total > 0 {
        let references = tenants
            .items
            .into_iter()
            .map(|found| json!({"kind": "tenant", "id": found.tenant.id, "name": found.tenant.name}));
        let message = format!(
            "{} tenants are assigned to it; move or delete them first",
            tenants.total
        );
        return Err(AppError::in_use(message, references));
    }
    if !deployments::unfinished(&mut tx, id).await?.is_empty()
        || deployments::next_queued(&mut tx, id).await?.is_some()
        || instance.applying.is_some()
    {
        let message = "a deploy of it is under way, or it is not known what it serves; wait for it, or deploy it once more";
        return Err(AppError::in_use(message, []));
    }
    if !crate::store::served::all(&mut tx, id).await?.is_empty() {
        let message = "it still serves tenants that are assigned elsewhere; deploy it first";
        return Err(AppError::in_use(message, []));
    }
    let is = json!({"name": instance.name, "node": instance.node, "settings": instance.settings});
    let mut entry = changed("instance.delete", &instance, None, is);
    std::mem::swap(&mut entry.before, &mut entry.after);
    app.audit(&mut tx, &caller, entry)?;
    instances::delete(&mut tx, id).await?;
    Ok(tx.commit().await?)
}
