//! Another database for a FusionPBX: taken only where nothing would be left behind that goes on being served.

use serde_json::json;

use super::App;
use super::error::AppError;
use super::instances::changed;
use crate::auth::caller::Caller;
use crate::domain::ids::InstanceId;
use crate::domain::instance::{InstanceSettings, PbxInstance, PbxKind};
use crate::domain::instance_secrets::InstanceSecrets;
use crate::domain::permission::PlatformPermission;
use crate::store::{Tx, deployments, generations, instances, served};

/// What was seen of the places that an instance is to move to, before anything was changed.
pub(super) struct Seen(Option<InstanceSettings>);

/// Looks where other settings lead to. It goes over the network, so that no transaction may be open meanwhile.
pub(super) async fn look(
    app: &App,
    caller: &Caller,
    before: &PbxInstance,
    to: &InstanceSettings,
    secrets: &InstanceSecrets,
) -> Result<Seen, AppError> {
    if !is_move(&before.settings, to) {
        return Ok(Seen(None));
    }
    let Some(live) = before.live else {
        return Ok(Seen(None));
    };
    let mut tx = app.store.read("live_generation").await?;
    let live = generations::find(&mut tx, before.id, live).await?;
    drop(tx);
    let instance = PbxInstance {
        settings: to.clone(),
        ..before.clone()
    };
    let standing = match app.engine.driver_for(&instance, secrets.clone()) {
        Ok(driver) => {
            note(app, caller, &instance).await?;
            driver.standing().await.ok().flatten()
        }
        Err(_) => None,
    };
    let stands = live.is_some_and(|live| standing == Some(live.number));
    Ok(Seen(stands.then_some(instance.settings)))
}

/// Refuses a move away from what is served: nobody would take it off there any more, and a tenant that is suspended or
/// deleted would go on being served.
pub(super) async fn refuse(
    tx: &mut Tx,
    before: &PbxInstance,
    to: &InstanceSettings,
    seen: &Seen,
) -> Result<(), AppError> {
    if !is_move(&before.settings, to) {
        return Ok(());
    }
    if before.applying.is_some() || !deployments::unfinished(tx, before.id).await?.is_empty() {
        let message = "a deploy of it is under way, or it is not known what it serves: wait for it, or deploy it once more, before \
                       you name another database";
        return Err(AppError::in_use(message, []));
    }
    let tenants = served::all(tx, before.id).await?.len();
    if tenants == 0 || seen.0.as_ref() == Some(to) {
        return Ok(());
    }
    let message = format!(
        "it serves {tenants} tenants from {}, and {} does not hold what it was last proven to serve: add another instance and \
         move the tenants there; or move the whole database first, and name it then",
        before.settings.place(),
        to.place()
    );
    Err(AppError::in_use(message, []))
}

/// The same of what is there, for whoever has not looked inside a transaction yet.
pub(super) async fn look_from(
    app: &App,
    caller: &Caller,
    id: InstanceId,
    to: &InstanceSettings,
    secrets: &InstanceSecrets,
) -> Result<Seen, AppError> {
    let mut tx = app.store.read("find_instance").await?;
    let before = instances::find(&mut tx, id).await?.ok_or(AppError::NotFound)?;
    drop(tx);
    look(app, caller, &before, to, secrets).await
}

/// Before it is asked: somebody may have this host connect to wherever they like with what it signs in with, and that is to be
/// seen, also where nothing is changed in the end.
async fn note(app: &App, caller: &Caller, to: &PbxInstance) -> Result<(), AppError> {
    let right = PlatformPermission::InstancesWrite;
    let (mut tx, caller) = app
        .begin_on_platform(caller, right, None, "look_where_an_instance_moves")
        .await?;
    let is = json!({"settings": to.settings});
    app.audit(&mut tx, &caller, changed("instance.look", to, None, is))?;
    Ok(tx.commit().await?)
}

/// Files are moved by a platform deploy, and stay where they are until then. A database has no such two states: it is
/// another one as soon as it is named.
fn is_move(before: &InstanceSettings, to: &InstanceSettings) -> bool {
    before.kind() == PbxKind::FusionPbx && !before.same_place(to)
}
