//! What is measured, each in a process of its own.

use std::io::{Write as _, stdout};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;
use switchyard::app::precondition::IfMatch;
use switchyard::app::{deployments, extensions, instances, operator};
use switchyard::daemon::private_pbx::{Options, PrivatePbx};
use switchyard::domain::instance::InstanceSettings;
use switchyard::domain::query::ExtensionQuery;
use switchyard::domain::random::SystemRandom;
use tokio_util::sync::CancellationToken;

use super::Outcome;
use super::box_of_tenants::{self, Box, platform, some_tenant};
use super::memory::memory;

/// The middle one counts: of so many, one may well be disturbed.
const ROUNDS: usize = 9;

/// A whole first deploy to a running Asterisk: how long, and how much memory this process needed at most.
pub async fn first_deploy(directory: &Path) -> Outcome<()> {
    let pbx = directory.join("pbx");
    let options = Options {
        directory: pbx,
        program: Some(box_of_tenants::asterisk()),
    };
    let asterisk = PrivatePbx::start(&options, &SystemRandom).await?;
    let Box { app, engine } = box_of_tenants::open(directory, false).await?;
    let all = instances::list(&app, &platform()).await?;
    let id = all.first().ok_or("no instance")?.id;
    let settings = InstanceSettings::Asterisk(asterisk.settings().clone());
    instances::change_settings(&app, &platform(), id, settings, asterisk.secret()).await?;
    let before = memory("VmRSS")?;
    let begun = Instant::now();
    let request = deployments::deploy_instance(&app, &platform(), id).await?;
    engine.work_off(id, &CancellationToken::new()).await?;
    let took = begun.elapsed();
    let (ended, stages) = deployments::find_of_instance(&app, &platform(), id, request.id).await?;
    let mut out = stdout().lock();
    for stage in &stages {
        let end = stage.ended_at.unwrap_or(stage.started_at);
        let seconds = end.duration_since(stage.started_at).as_secs_f64();
        writeln!(out, "  {}: {seconds:.2} s, {}", stage.stage, stage.detail)?;
    }
    writeln!(
        out,
        "  first deploy: {} after {:.1} s; memory {before} kB before, {} kB at most",
        ended.status,
        took.as_secs_f64(),
        memory("VmHWM")?
    )?;
    Ok(())
}

/// `GET /config/plan` of the platform and of a tenant: with nothing changed, and with one extension changed.
pub async fn plan(directory: &Path) -> Outcome<()> {
    let Box { app, .. } = box_of_tenants::open(directory, false).await?;
    let all = instances::list(&app, &platform()).await?;
    let id = all.first().ok_or("no instance")?.id;
    let tenant = some_tenant(&app).await?;
    let caller = operator::in_tenant(&tenant, None);
    for what in ["nothing changed", "one extension changed"] {
        let mut times = [Vec::new(), Vec::new()];
        let mut changes = 0;
        for _ in 0..ROUNDS {
            let begun = Instant::now();
            let seen = deployments::plan_instance(&app, &platform(), id).await?;
            times[0].push(begun.elapsed());
            let begun = Instant::now();
            deployments::plan(&app, &caller).await?;
            times[1].push(begun.elapsed());
            changes = seen.changes.len();
        }
        let [platform, tenant] = times.map(middle);
        writeln!(
            stdout(),
            "  plan, {what} ({changes} changes): platform {platform:.1?}, tenant {tenant:.1?}"
        )?;
        let page = extensions::list(&app, &caller, &ExtensionQuery::default()).await?;
        let one = page.items.first().ok_or("the tenant has no extension")?.id;
        extensions::patch(&app, &caller, one, json!({"ring_time": 31}), &IfMatch::Any).await?;
    }
    Ok(())
}

fn middle(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
