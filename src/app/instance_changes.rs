//! What the API changes of PBX instances: adding one as it is written, changing and deleting it.

use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;

use super::App;
use super::error::AppError;
use super::idempotency::{Done, Once};
use super::instance_input::{InstanceInput, ParsedInstance};
use super::instance_moves;
use super::instances::{NewInstance, changed, insert, made, refuse_shared_place};
use super::precondition::IfMatch;
use crate::auth::caller::Caller;
use crate::deploy::Hold;
use crate::domain::digest::Digest;
use crate::domain::error_chain::error_chain;
use crate::domain::ids::InstanceId;
use crate::domain::instance::{PbxInstance, PbxKind};
use crate::domain::page::PageRequest;
use crate::domain::permission::PlatformPermission;
use crate::domain::query::TenantQuery;
use crate::monitor;
use crate::monitor::recordings::SearchError;
use crate::store::{Tx, deployments, instances, recordings, tenant_overviews};

/// A disk that does not answer is not waited for without end.
const LOOKING: Duration = Duration::from_secs(5);

/// One instance, and what names its version: every change of name, settings or secret gives it another one.
pub async fn show(app: &App, caller: &Caller, id: InstanceId) -> Result<(PbxInstance, String), AppError> {
    caller.platform(PlatformPermission::InstancesRead)?;
    let mut tx = app.store.read("show_instance").await?;
    let instance = instances::find(&mut tx, id).await?.ok_or(AppError::NotFound)?;
    let tag = tag(&mut tx, &instance).await?;
    Ok((instance, tag))
}

/// Where something of an instance may lie, for people: where today's settings have it, and where what runs is read.
pub async fn places(app: &App, caller: &Caller, id: InstanceId) -> Result<String, AppError> {
    caller.platform(PlatformPermission::InstancesRead)?;
    let mut tx = app.store.read("places_of_instance").await?;
    let instance = instances::find(&mut tx, id).await?.ok_or(AppError::NotFound)?;
    places_of(&mut tx, &instance, " and in ").await
}

/// The same, with what stands between the two.
pub(super) async fn places_of(
    tx: &mut Tx,
    instance: &PbxInstance,
    between: &str,
) -> Result<String, AppError> {
    let today = instance.settings.place();
    let live = instances::live_settings(tx, instance.id).await?;
    let live = live.map(|live| live.place()).filter(|live| *live != today);
    Ok(live.map_or(today.clone(), |live| format!("{live}{between}{today}")))
}

async fn tag(tx: &mut Tx, instance: &PbxInstance) -> Result<String, AppError> {
    let mark = instances::secrets_mark(tx, instance.id).await?;
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
        secrets,
    } = input.parse()?;
    let new = NewInstance {
        name,
        node: node.unwrap_or_else(|| app.engine.node().clone()),
        settings,
        secrets,
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
    caller.platform(right)?;
    let seen = look(app, caller, id, input.clone()).await?;
    let (mut tx, caller) = app
        .begin_on_platform(caller, right, None, "change_instance")
        .await?;
    let before = instances::find(&mut tx, id).await?.ok_or(AppError::NotFound)?;
    let tag = tag(&mut tx, &before).await?;
    let kept = instances::secrets(&mut tx, id).await?.ok_or(AppError::NotFound)?;
    let parsed = input.over(&before, &kept)?.parse()?;
    let settings = parsed.settings;
    let same_secrets = parsed.secrets.same(&kept);
    if_match.check(&tag)?;
    if parsed.name == before.name && settings == before.settings && same_secrets {
        return Ok((before, tag));
    }
    instance_moves::refuse(&mut tx, &before, &settings, &seen).await?;
    if parsed.name != before.name {
        instances::rename(&mut tx, id, &parsed.name).await?;
    }
    if settings != before.settings {
        instances::update_settings(&mut tx, id, &settings).await?;
    }
    if !same_secrets {
        instances::set_secrets(&mut tx, id, &parsed.secrets).await?;
    }
    let after = instances::find(&mut tx, id).await?.ok_or(AppError::NotFound)?;
    refuse_shared_place(&mut tx, &after).await?;
    let was = json!({"name": before.name, "settings": before.settings});
    let is = json!({"name": after.name, "settings": after.settings, "new_secret": !same_secrets});
    app.audit(
        &mut tx,
        &caller,
        changed("instance.change", &after, Some(was), is),
    )?;
    let tag = self::tag(&mut tx, &after).await?;
    tx.commit().await?;
    Ok((after, tag))
}

/// What a change would move the instance to, looked at before it is made.
async fn look(
    app: &App,
    caller: &Caller,
    id: InstanceId,
    input: InstanceInput,
) -> Result<instance_moves::Seen, AppError> {
    let mut tx = app.store.read("find_instance").await?;
    let before = instances::find(&mut tx, id).await?.ok_or(AppError::NotFound)?;
    let kept = instances::secrets(&mut tx, id).await?.ok_or(AppError::NotFound)?;
    drop(tx);
    let to = input.over(&before, &kept)?.parse()?;
    instance_moves::look(app, caller, &before, &to.settings, &to.secrets).await
}

/// Deletes an instance that serves no tenant, with what of it lies on this host. What lies on an Asterisk's host stays until
/// `switchyard pbx remove` removes it there; in a FusionPBX's database, and in our directory on a FreeSWITCH's host, nothing is
/// left.
pub async fn delete(app: &App, caller: &Caller, id: InstanceId, if_match: &IfMatch) -> Result<(), AppError> {
    let missing = missing(app, caller, id, if_match).await?;
    // A deploy in between would write what is being removed.
    let Some(hold) = app.engine.hold(id).await? else {
        return Err(AppError::in_use("a deploy of it is under way; wait for it", []));
    };
    let deleted = delete_held(app, caller, id, if_match, &hold, missing.as_deref()).await;
    hold.end().await;
    let instance = deleted?;
    // After the commit: a disk that fails keeps nothing from being deleted.
    if let Err(error) = app.engine.forget_instance(&instance).await {
        let error = error_chain(&error);
        tracing::warn!(instance = %instance.name, error, "what was rendered for it lies in the state directory still");
    }
    Ok(())
}

/// Refuses what `delete` would refuse because of what is there, and deletes nothing.
pub async fn refuse_deletion(
    app: &App,
    caller: &Caller,
    id: InstanceId,
    if_match: &IfMatch,
) -> Result<(), AppError> {
    missing(app, caller, id, if_match).await.map(|_| ())
}

/// Refuses the same; gives what keeps recordings that have gone from being noticed.
async fn missing(
    app: &App,
    caller: &Caller,
    id: InstanceId,
    if_match: &IfMatch,
) -> Result<Option<String>, AppError> {
    let right = PlatformPermission::InstancesWrite;
    caller.platform(right)?;
    let missing = look_for_recordings(app, id).await?;
    let begun = app.begin_on_platform(caller, right, None, "instance_to_delete");
    let (mut tx, _) = begun.await?;
    deletable(&mut tx, id, if_match, missing.as_deref()).await?;
    Ok(missing)
}

async fn delete_held(
    app: &App,
    caller: &Caller,
    id: InstanceId,
    if_match: &IfMatch,
    hold: &Hold<'_>,
    missing: Option<&str>,
) -> Result<PbxInstance, AppError> {
    leave(app, caller, id, if_match, hold, missing).await?;
    let right = PlatformPermission::InstancesWrite;
    let (mut tx, caller) = app
        .begin_on_platform(caller, right, None, "delete_instance")
        .await?;
    let instance = deletable(&mut tx, id, if_match, missing).await?;
    let is = json!({"name": instance.name, "node": instance.node, "settings": instance.settings});
    let mut entry = changed("instance.delete", &instance, None, is);
    std::mem::swap(&mut entry.before, &mut entry.after);
    app.audit(&mut tx, &caller, entry)?;
    instances::delete(&mut tx, id).await?;
    tx.commit().await?;
    Ok(instance)
}

/// Before anything is deleted, since nobody knows the way there afterwards. Where nothing was ever live it may lead nowhere.
///
/// That it is removed is in the audit log before, also where the instance is not deleted in the end: then nobody is served by it,
/// and its next deploy writes everything anew.
async fn leave(
    app: &App,
    caller: &Caller,
    id: InstanceId,
    if_match: &IfMatch,
    hold: &Hold<'_>,
    missing: Option<&str>,
) -> Result<(), AppError> {
    let right = PlatformPermission::InstancesWrite;
    let (mut tx, caller) = app
        .begin_on_platform(caller, right, None, "leave_instance")
        .await?;
    let instance = deletable(&mut tx, id, if_match, missing).await?;
    let what = match instance.settings.kind() {
        PbxKind::Asterisk => return Ok(()),
        PbxKind::FusionPbx => "the note in",
        PbxKind::FreeSwitch => "what former deploys left, with digests that sign in, in",
    };
    let is = json!({"settings": instance.settings});
    app.audit(&mut tx, &caller, changed("instance.leave", &instance, None, is))?;
    tx.commit().await?;
    match hold.leave().await {
        Err(error) if instance.live.is_some() => {
            let message = format!(
                "{what} {} could not be removed: {}; see that it is reached, from the host {}, and delete the instance then; \
                 where it is gone for good, `switchyard instance give-up {}` deletes it without asking",
                instance.settings.place(),
                error.told().1,
                instance.node,
                instance.name
            );
            Err(AppError::in_use(message, []))
        }
        _ => Ok(()),
    }
}

/// The instance, where nothing is in the way of its deletion.
async fn deletable(
    tx: &mut Tx,
    id: InstanceId,
    if_match: &IfMatch,
    missing: Option<&str>,
) -> Result<PbxInstance, AppError> {
    let instance = instances::find(tx, id).await?.ok_or(AppError::NotFound)?;
    if_match.check(&tag(tx, &instance).await?)?;
    let assigned = TenantQuery {
        instance_id: Some(id),
        page: PageRequest::new(1, PageRequest::LARGEST).unwrap_or_default(),
        ..TenantQuery::default()
    };
    let tenants = tenant_overviews::list(tx, &assigned).await?;
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
    if !deployments::unfinished(tx, id).await?.is_empty()
        || deployments::next_queued(tx, id).await?.is_some()
        || instance.applying.is_some()
    {
        let message = "a deploy of it is under way, or it is not known what it serves; wait for it, or deploy it once more";
        return Err(AppError::in_use(message, []));
    }
    if !crate::store::served::all(tx, id).await?.is_empty() {
        let message = "it still serves tenants that are assigned elsewhere; deploy it first";
        return Err(AppError::in_use(message, []));
    }
    no_recordings(tx, &instance, missing).await?;
    Ok(instance)
}

/// Brings what is known of an instance's recordings in line with its disk: none that has gone keeps the instance, and none that
/// was just made is overlooked. Gives what has to be done before that can be.
async fn look_for_recordings(app: &App, id: InstanceId) -> Result<Option<String>, AppError> {
    let mut tx = app.store.read("instance_of_recordings").await?;
    let instance = instances::find(&mut tx, id).await?.ok_or(AppError::NotFound)?;
    drop(tx);
    if instance.settings.recordings_dir().is_none() {
        let message =
            "none is looked for or removed while the instance has no `recordings_dir`: set it again first";
        return Ok(Some(message.to_owned()));
    }
    if instance.node != *app.engine.node() {
        let node = &instance.node;
        let message =
            format!("what has gone from its disk is noticed within half a minute, by the host {node}");
        return Ok(Some(message));
    }
    let search = monitor::recordings::search(&app.store, app.ids.as_ref(), &instance);
    match timeout(LOOKING, search).await {
        Ok(Ok(_)) => Ok(None),
        Ok(Err(SearchError::Store(error))) => Err(error.into()),
        Ok(Err(error)) => Ok(Some(error_chain(&error))),
        Err(_) => Ok(Some(
            "its disk did not answer in time; see that it does".to_owned(),
        )),
    }
}

/// Of tenants that have moved away, recordings stay where they were made: without the instance nobody hears or removes them.
async fn no_recordings(tx: &mut Tx, instance: &PbxInstance, missing: Option<&str>) -> Result<(), AppError> {
    let held = recordings::by_tenant(tx, instance.id).await?;
    if held.is_empty() {
        return Ok(());
    }
    let count: i64 = held.iter().map(|held| held.recordings).sum();
    let place = instance.settings.recordings_dir();
    let message = format!(
        "{count} recordings of tenants that were moved away lie on its host{}; move their files to the same place below the \
         directory of recordings of each tenant's instance, where they are found as new ones without their calls, or remove \
         them (`DELETE /recordings/{{id}}`); those of tenants that are being deleted go by themselves{}",
        place.map_or_else(String::new, |place| format!(" in {place}")),
        missing.map_or_else(String::new, |missing| format!("; {missing}")),
    );
    let references = held.into_iter().map(
        |held| json!({"kind": "tenant", "id": held.tenant, "name": held.name, "recordings": held.recordings}),
    );
    Err(AppError::in_use(message, references))
}
