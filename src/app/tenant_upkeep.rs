//! What has to become of suspended and deleted tenants by itself: PBXs follow, and what they no longer serve goes.

use jiff::Timestamp;
use serde_json::json;
use tokio::time::Instant;

use super::App;
use super::audit::Changed;
use super::deployments::requested;
use super::error::AppError;
use super::setbacks::{Setbacks, Task, pause};
use super::tenant_deletion;
use super::tenant_status::found;
use crate::auth::caller::{Caller, Identity, Origin, Place};
use crate::deploy::request;
use crate::domain::deployment::Deployment;
use crate::domain::ids::{InstanceId, TenantId};
use crate::domain::permission::PlatformPermission;
use crate::store::{Tx, deployment_history, deployments, domains, tenant_lifecycle};

/// Who asks, in records, for a PBX to follow a status where nobody's own request is known.
const FOLLOWS: &str = "system:status";

/// Asks again where a PBX serves something else of a tenant than its status says, and removes the tenants that are to go
/// and that no PBX serves any more. Gives how many went. What fails is tried again more and more seldom.
pub async fn turn(app: &App, setbacks: &mut Setbacks<Task>) -> Result<usize, AppError> {
    let caller = Caller::new(Identity::SystemAuto, Place::Platform, None, Origin::default());
    let mut tx = app.store.read("tenants_served_otherwise").await?;
    let lagging = tenant_lifecycle::served_otherwise(&mut tx).await?;
    let leaving = tenant_lifecycle::leaving(&mut tx).await?;
    let expired = domains::with_expired_aliases(&mut tx, app.now()).await?;
    drop(tx);
    let tasks = expired.into_iter().map(Task::ExpiredAliases);
    let tasks = tasks.chain(
        lagging
            .into_iter()
            .map(|(pbx, tenant)| Task::ServedOtherwise(pbx, tenant)),
    );
    let tasks = tasks.chain(leaving.into_iter().map(Task::Deletion));
    let mut gone = 0;
    // One that fails keeps none of the others waiting.
    for task in setbacks.due(tasks, Instant::now()) {
        let done = match task {
            Task::ExpiredAliases(tenant) => give_up_aliases(app, &caller, tenant).await,
            Task::ServedOtherwise(pbx, tenant) => ask_again(app, &caller, pbx, tenant).await.map(drop),
            Task::Deletion(tenant) => {
                let finished = tenant_deletion::finish(app, &caller, tenant).await;
                gone += usize::from(matches!(finished, Ok(true)));
                finished.map(drop)
            }
        };
        setbacks.note(task, done, Instant::now());
    }
    Ok(gone)
}

/// An instance that serves something else of a tenant than its status says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Behind {
    /// Which instance.
    pub instance: InstanceId,
    /// Why the last deploy that was to change that came to nothing; none where none has.
    pub reason: Option<String>,
    /// When the next one is asked for; none while one is under way.
    pub again_at: Option<Timestamp>,
}

/// The instances that serve something else of a tenant than its status says.
pub(super) async fn behind(tx: &mut Tx, tenant: TenantId) -> Result<Vec<Behind>, AppError> {
    let mut behind = Vec::new();
    let lagging = tenant_lifecycle::served_otherwise(tx).await?;
    for (instance, _) in lagging.into_iter().filter(|(_, whose)| *whose == tenant) {
        let asked = deployments::newest_of_status(tx, instance, tenant).await?;
        let again_at = next(tx, instance, tenant, asked.as_ref()).await?;
        behind.push(Behind {
            instance,
            reason: asked.as_ref().and_then(reason),
            again_at,
        });
    }
    Ok(behind)
}

/// When the next deploy is asked for after the last one of the tenant's status; none while any of the tenant is under way.
///
/// The records of deploys tell how often one came to nothing: so it is the same on every host, and after a start.
async fn next(
    tx: &mut Tx,
    instance: InstanceId,
    tenant: TenantId,
    asked: Option<&Deployment>,
) -> Result<Option<Timestamp>, AppError> {
    if deployment_history::is_under_way(tx, instance, tenant).await? {
        return Ok(None);
    }
    // Whoever changes something of the tenant may have mended it.
    let changed = found(tx, tenant).await?.updated_at;
    let Some((asked, ended)) = asked.and_then(|asked| asked.ended_at.map(|ended| (asked, ended))) else {
        return Ok(Some(changed));
    };
    if asked.created_at < changed {
        // It knew nothing of that: nothing has come to nothing yet.
        return Ok(Some(ended));
    }
    let times = deployment_history::setbacks(tx, instance, tenant, changed).await?;
    Ok(Some(ended + pause(times)))
}

/// Why a deploy came to nothing, in its own last words.
fn reason(deployment: &Deployment) -> Option<String> {
    let mut errors = deployment
        .findings
        .iter()
        .rev()
        .filter(|finding| finding.is_error());
    errors.next().map(|finding| finding.message.clone())
}

async fn ask_again(
    app: &App,
    caller: &Caller,
    instance: InstanceId,
    tenant: TenantId,
) -> Result<Option<Deployment>, AppError> {
    caller.platform(PlatformPermission::InstancesDeploy)?;
    let mut tx = app.begin_in(tenant, "follow_status").await?;
    let now = app.now();
    let still = tenant_lifecycle::served_otherwise(&mut tx).await?;
    if !still.contains(&(instance, tenant)) {
        return Ok(None);
    }
    let before = deployments::newest_of_status(&mut tx, instance, tenant).await?;
    match next(&mut tx, instance, tenant, before.as_ref()).await? {
        Some(at) if at <= now => {}
        _ => return Ok(None),
    }
    // Somebody asked for it, and for no less than that: what was made by hand meanwhile does not hold it back.
    let somebody = before.filter(|before| !before.is_automatic());
    let actor = somebody.map_or_else(|| FOLLOWS.to_owned(), |before| before.requested_by);
    let asked = request::status(&mut tx, app.ids.as_ref(), tenant, instance, &actor, now).await?;
    let Some(asked) = asked else { return Ok(None) };
    app.audit(&mut tx, caller, requested("config.deploy", &asked))?;
    tx.commit().await?;
    app.deploys.notify_one();
    Ok(Some(asked))
}

/// Former domains whose time is over are aliases no more from the tenant's next deploy on.
async fn give_up_aliases(app: &App, caller: &Caller, tenant: TenantId) -> Result<(), AppError> {
    caller.platform(PlatformPermission::InstancesDeploy)?;
    let mut tx = app.begin_in(tenant, "give_up_aliases").await?;
    let before = domains::aliases(&mut tx, tenant).await?;
    domains::drop_expired(&mut tx, tenant, app.now()).await?;
    let after = domains::aliases(&mut tx, tenant).await?;
    let entry = Changed {
        action: "tenant.alias_expired",
        resource: "tenant",
        target: tenant.to_string(),
        tenant_id: Some(tenant),
        before: Some(json!({"aliases": before})),
        after: Some(json!({"aliases": after})),
    };
    app.audit(&mut tx, caller, entry)?;
    Ok(tx.commit().await?)
}
