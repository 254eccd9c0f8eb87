//! A whole first deploy: how long, and how much memory the process needed at most.

use std::io::{Write as _, stdout};
use std::path::Path;
use std::time::{Duration, Instant};

use switchyard::app::{deployments, operator};
use switchyard::domain::deployment::{Deployment, DeploymentStatus, StageRecord};
use tokio_util::sync::CancellationToken;

use super::Outcome;
use super::box_of_tenants::{self, Box, EXTENSIONS, Shadow, platform};
use super::daemon::Daemon;
use super::memory::memory;
use super::one_change::span;
use super::pbx::{Pbx, asterisk, open_directory};
use super::plan::change_one;
use super::times::Times;

/// A deploy that takes longer is given up.
const LONGEST: Duration = Duration::from_hours(2);
const LOOK: Duration = Duration::from_millis(20);
const ROUNDS: usize = 9;

/// By the daemon, with an Asterisk that reads and shows all of it, and a shadow that reads it first where one is wanted.
pub async fn by_daemon(tenants: usize, shadow: Shadow) -> Outcome<()> {
    let directory = open_directory()?;
    let path = directory.path();
    box_of_tenants::make(path, tenants).await?;
    let opened = box_of_tenants::open(path, Shadow::Never).await?;
    let app = &opened.parts.app;
    let pbx = Pbx::start(path).await?;
    opened.lead_to(&pbx).await?;
    let daemon = Daemon::start(path, shadow).await?;
    let before = daemon.memory("VmRSS")?;
    let id = opened.instance().await?;
    let request = deployments::deploy_instance(app, &platform(), id).await?;
    let begun = Instant::now();
    loop {
        tokio::time::sleep(LOOK).await;
        let (now, _) = deployments::find_of_instance(app, &platform(), id, request.id).await?;
        if now.status.is_end() {
            break;
        }
        if begun.elapsed() > LONGEST {
            return Err("the first deploy does not end".into());
        }
    }
    let who = format!("a box of {} extensions, by the daemon", tenants * EXTENSIONS);
    tell(&opened, &request, &who, before, daemon.memory("VmHWM")?).await?;
    daemon.stop().await?;
    pbx.private.stop().await;
    Ok(())
}

/// In this process, by a driver that writes and asks nobody.
pub async fn unasked(directory: &Path) -> Outcome<()> {
    let opened = box_of_tenants::open(directory, Shadow::Never).await?;
    let app = &opened.parts.app;
    let id = opened.instance().await?;
    let own = std::process::id();
    let before = memory(own, "VmRSS")?;
    let request = deployments::deploy_instance(app, &platform(), id).await?;
    opened.unasked().work_off(id, &CancellationToken::new()).await?;
    tell(
        &opened,
        &request,
        "no Asterisk is asked",
        before,
        memory(own, "VmHWM")?,
    )
    .await
}

/// The same of one change, several times.
pub async fn another(directory: &Path) -> Outcome<()> {
    let opened = box_of_tenants::open(directory, Shadow::Never).await?;
    let (app, engine) = (&opened.parts.app, opened.unasked());
    let caller = operator::in_tenant(&opened.some_tenant().await?, Some("measuring".parse()?));
    let [mut planning, mut staging, mut whole] = [Times::default(), Times::default(), Times::default()];
    for round in 0..ROUNDS {
        change_one(app, &caller, 20 + round).await?;
        let request = deployments::deploy(app, &caller, None).await?.into_inner();
        engine
            .work_off(request.instance_id, &CancellationToken::new())
            .await?;
        let (ended, stages) = deployments::find(app, &caller, request.id).await?;
        let took = |stage: &StageRecord| span(stage.started_at, stage.ended_at);
        if let [plan, stage, ..] = stages.as_slice() {
            planning.push(took(plan)?);
            staging.push(took(stage)?);
        }
        whole.push(span(ended.created_at, ended.ended_at)?);
    }
    writeln!(
        stdout(),
        "deploy of one changed ring time, no Asterisk is asked: {whole}; of it planning {planning}, writing {staging}"
    )?;
    Ok(())
}

async fn tell(opened: &Box, request: &Deployment, who: &str, before: u64, most: u64) -> Outcome<()> {
    let (app, id) = (&opened.parts.app, request.instance_id);
    let (ended, stages) = deployments::find_of_instance(app, &platform(), id, request.id).await?;
    if ended.status != DeploymentStatus::Live {
        return Err(format!("the first deploy ended {}: {:?}", ended.status, ended.findings).into());
    }
    let mut out = stdout().lock();
    writeln!(out, "first deploy, {who}")?;
    let mut last = ended.created_at;
    // Where it lies on this machine is nobody's concern.
    let path = format!(" ({})", asterisk()?.display());
    for stage in &stages {
        let end = stage.ended_at.unwrap_or(stage.started_at);
        let seconds = end.duration_since(stage.started_at).as_secs_f64();
        writeln!(
            out,
            "  {}: {seconds:.2} s, {}",
            stage.stage,
            stage.detail.replace(&path, "")
        )?;
        last = end;
    }
    let seconds = stages
        .first()
        .map(|first| last.duration_since(first.started_at).as_secs_f64());
    writeln!(
        out,
        "  {} after {:.1} s; memory {} before, {} at most",
        ended.status,
        seconds.unwrap_or_default(),
        megabytes(before),
        megabytes(most),
    )?;
    Ok(())
}

fn megabytes(kilobytes: u64) -> String {
    format!("{}.{} MB", kilobytes / 1024, kilobytes % 1024 * 10 / 1024)
}
