//! Testing the connection to a PBX: one that is to be added, one that is there, and all of this host now and then.

use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;

use super::App;
use super::audit::Changed;
use super::error::AppError;
use super::instance_input::{InstanceInput, ParsedInstance};
use super::instances::{changed, find};
use crate::auth::caller::Caller;
use crate::domain::ids::InstanceId;
use crate::domain::instance::PbxInstance;
use crate::domain::instance_check::{CheckRecord, KeptCheck};
use crate::domain::permission::PlatformPermission;
use crate::driver::Check;
use crate::store::instance_checks;

/// Tests that are kept of each instance: three days of one every five minutes.
const KEPT: i64 = 864;

/// A test takes seconds. One that takes longer says that, and keeps nobody from being tested next.
const LONGEST: Duration = Duration::from_mins(2);

/// Tests connection, rights and paths of an instance on this host, and keeps what was found.
pub async fn test(app: &App, caller: &Caller, id: InstanceId) -> Result<Vec<Check>, AppError> {
    let right = PlatformPermission::InstancesTest;
    caller.platform(right)?;
    find(app, caller, id).await?;
    let (instance, driver) = app.engine.driver(id).await?;
    let begun = app.begin_on_platform(caller, right, None, "test_instance");
    // Before it is asked: whoever may no longer has nobody asked. What it answers is kept with its tests.
    let (mut tx, caller) = begun.await?;
    let asked = json!({"name": instance.name, "settings": instance.settings});
    app.audit(&mut tx, &caller, changed("instance.test", &instance, None, asked))?;
    tx.commit().await?;
    let checks = driver.test().await;
    app.keep(id, &checks, "keep_instance_test").await?;
    Ok(checks)
}

/// The same, and keeps nothing.
pub async fn probe(app: &App, caller: &Caller, id: InstanceId) -> Result<Vec<Check>, AppError> {
    caller.platform(PlatformPermission::InstancesTest)?;
    find(app, caller, id).await?;
    let (_, driver) = app.engine.driver(id).await?;
    Ok(tested(LONGEST, driver.test()).await)
}

/// Tests what is to be an instance of this host; nothing of it is kept but that somebody tested it.
pub async fn test_new(app: &App, caller: &Caller, input: InstanceInput) -> Result<Vec<Check>, AppError> {
    caller.platform(PlatformPermission::InstancesTest)?;
    let ParsedInstance {
        name,
        node,
        settings,
        secrets,
    } = input.parse()?;
    let entry = Changed {
        action: "instance.test_new",
        resource: "pbx_instance",
        target: name.to_string(),
        tenant_id: None,
        before: None,
        after: Some(json!({"name": name, "settings": settings})),
    };
    let instance = PbxInstance {
        id: InstanceId::fresh(app.ids.as_ref()),
        name,
        node: node.unwrap_or_else(|| app.engine.node().clone()),
        settings,
        settings_revision: 1,
        live: None,
        applying: None,
        created_at: app.now(),
    };
    let driver = app.engine.driver_for(&instance, secrets)?;
    // Before it is asked: somebody may have this host connect to wherever they like, and that is to be seen.
    let right = PlatformPermission::InstancesTest;
    let (mut tx, caller) = app
        .begin_on_platform(caller, right, None, "test_new_instance")
        .await?;
    app.audit(&mut tx, &caller, entry)?;
    tx.commit().await?;
    Ok(tested(LONGEST, driver.test()).await)
}

/// What the newest tests of an instance found, newest first.
pub async fn history(app: &App, caller: &Caller, id: InstanceId) -> Result<Vec<CheckRecord>, AppError> {
    caller.platform(PlatformPermission::InstancesRead)?;
    find(app, caller, id).await?;
    let mut tx = app.store.read("instance_checks").await?;
    Ok(instance_checks::newest(&mut tx, id, 100).await?)
}

/// Tests an instance of this host by itself; nobody changes anything by that.
pub async fn look(app: &App, id: InstanceId) -> Result<(), AppError> {
    let (_, driver) = app.engine.driver(id).await?;
    let checks = tested(LONGEST, driver.test()).await;
    app.keep(id, &checks, "look_at_instance").await
}

/// What a test finds, or that it goes on for too long.
async fn tested(longest: Duration, test: impl Future<Output = Vec<Check>>) -> Vec<Check> {
    timeout(longest, test).await.unwrap_or_else(|_| {
        let detail = format!("the test had not ended after {} s", longest.as_secs());
        let mend = "see that the PBX's host answers, and that nothing between swallows what is sent";
        vec![Check::bad("answer", detail, mend)]
    })
}

impl App {
    async fn keep(&self, id: InstanceId, checks: &[Check], name: &'static str) -> Result<(), AppError> {
        let record = CheckRecord {
            at: self.now(),
            ok: checks.iter().all(|check| check.ok),
            checks: checks
                .iter()
                .map(|check| KeptCheck {
                    name: check.name.to_owned(),
                    ok: check.ok,
                    detail: check.detail.clone(),
                    mend: check.mend.clone(),
                })
                .collect(),
        };
        let mut tx = self.store.begin(name).await?;
        instance_checks::insert(&mut tx, id, &record, KEPT).await?;
        Ok(tx.commit().await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_test_that_never_ends_is_a_finding_and_keeps_nobody_waiting() {
        let found = tested(Duration::ZERO, std::future::pending()).await;
        assert_eq!(found.len(), 1);
        assert!(!found[0].ok && found[0].name == "answer");
        let good = vec![Check::good("ami", "it answers".to_owned())];
        let ended = tested(LONGEST, std::future::ready(good.clone())).await;
        assert_eq!(ended, good);
    }
}
