//! One change on a box: from the request until the running Asterisk was seen to serve it, beside the bare
//! `module reload` that it needs.

use std::io::{Write as _, stdout};
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use switchyard::app::precondition::IfMatch;
use switchyard::app::{deployments, extensions, operator};
use switchyard::auth::caller::Caller;
use switchyard::domain::artifact::Artifact::{self, Extensions, Pjsip, Voicemail};
use switchyard::domain::clock::{Clock as _, SystemClock};
use switchyard::domain::deployment::{Deployment, DeploymentStatus, StageRecord};
use switchyard::domain::ids::ExtensionId;
use switchyard::domain::query::ExtensionQuery;

use super::Outcome;
use super::box_of_tenants::{self, Box, EXTENSIONS, Shadow, platform};
use super::pbx::{Pbx, open_directory};
use super::times::{Times, ms};

const ROUNDS: usize = 9;

/// What is changed, and the files that differ then.
const CASES: [(Case, &str, &[Artifact]); 4] = [
    (
        Case::New,
        "a new extension with a mailbox",
        &[Pjsip, Extensions, Voicemail],
    ),
    (Case::Name, "another display name", &[Pjsip]),
    (Case::RingTime, "another ring time", &[Extensions]),
    (Case::Mailbox, "another address of a mailbox", &[Voicemail]),
];

#[derive(Clone, Copy)]
enum Case {
    New,
    Name,
    RingTime,
    Mailbox,
}

/// What one case took, round by round.
#[derive(Clone, Default)]
struct Measured {
    bare: Times,
    /// Of files that Asterisk need not read again.
    idle: Times,
    proven: Times,
    shadowed: Times,
    stages: [Times; 4],
}

/// A box whose deploys are measured.
struct Subject {
    opened: Box,
    shadowed: Box,
    pbx: Pbx,
    caller: Caller,
    /// One without a mailbox, and one with.
    extensions: [ExtensionId; 2],
    changes: u32,
}

pub async fn measure(tenants: usize) -> Outcome<()> {
    let directory = open_directory()?;
    box_of_tenants::make(directory.path(), tenants).await?;
    let mut subject = Subject::live(directory.path()).await?;
    let mut measured = CASES.map(|_| Measured::default());
    for _ in 0..ROUNDS {
        for ((case, _, files), measured) in CASES.iter().zip(&mut measured) {
            subject.change(*case).await?;
            let deployed = subject.deploy(Shadow::Never, files).await?;
            measured.proven.push(deployed.proven);
            for (times, took) in measured.stages.iter_mut().zip(deployed.stages) {
                times.push(took);
            }
            subject.pbx.touch(files)?;
            measured.bare.push(subject.pbx.reload(files).await?);
            measured.idle.push(subject.pbx.reload(files).await?);
            subject.change(*case).await?;
            let deployed = subject.deploy(Shadow::Always, files).await?;
            measured.shadowed.push(deployed.proven);
        }
    }
    tell(tenants, &measured)?;
    subject.pbx.private.stop().await;
    Ok(())
}

impl Subject {
    /// Makes the whole box live.
    async fn live(directory: &Path) -> Outcome<Self> {
        let opened = box_of_tenants::open(directory, Shadow::Never).await?;
        let app = &opened.parts.app;
        let pbx = Pbx::start(directory).await?;
        opened.lead_to(&pbx).await?;
        let id = opened.instance().await?;
        let request = deployments::deploy_instance(app, &platform(), id).await?;
        deployments::work_until_ended(app, &request).await?;
        let (ended, _) = deployments::find_of_instance(app, &platform(), id, request.id).await?;
        live(&ended)?;
        let tenant = opened.some_tenant().await?;
        let caller = operator::in_tenant(&tenant, Some("measuring".parse()?));
        let page = extensions::list(app, &caller, &ExtensionQuery::default()).await?;
        let one = |mailbox: bool| {
            let mut all = page.items.iter();
            all.find(|extension| extension.settings.voicemail.enabled == mailbox)
        };
        let (Some(without), Some(with)) = (one(false), one(true)) else {
            return Err("the tenant lacks an extension to be changed".into());
        };
        Ok(Self {
            extensions: [without.id, with.id],
            shadowed: box_of_tenants::open(directory, Shadow::Always).await?,
            opened,
            pbx,
            caller,
            changes: 0,
        })
    }

    async fn change(&mut self, case: Case) -> Outcome<()> {
        self.changes += 1;
        let count = self.changes;
        let [without, with] = self.extensions;
        let (id, patch) = match case {
            Case::New => {
                let number = (5000 + count).to_string();
                let new = json!({"number": number, "name": "New", "voicemail": {"enabled": true}});
                let new = serde_json::from_value(new)?;
                extensions::create(&self.opened.parts.app, &self.caller, new).await?;
                return Ok(());
            }
            Case::Name => (without, json!({"name": format!("Name {count}")})),
            Case::RingTime => (without, json!({"ring_time": 20 + count % 40})),
            Case::Mailbox => {
                let email = format!("mailbox{count}@example.com");
                (with, json!({"voicemail": {"email": email}}))
            }
        };
        extensions::patch(&self.opened.parts.app, &self.caller, id, patch, &IfMatch::Any).await?;
        Ok(())
    }

    /// Has the tenant's head go live; only these files may differ.
    async fn deploy(&self, shadow: Shadow, files: &[Artifact]) -> Outcome<Deployed> {
        let app = match shadow {
            Shadow::Never => &self.opened.parts.app,
            Shadow::Always => &self.shadowed.parts.app,
        };
        let begun = SystemClock.now();
        let request = deployments::deploy(app, &self.caller, None).await?.into_inner();
        deployments::work_until_ended(app, &request).await?;
        let (ended, stages) = deployments::find(app, &self.caller, request.id).await?;
        live(&ended)?;
        let [planning, validating, applying, verifying] = stages.as_slice() else {
            return Err(format!("these stages are too few or too many: {stages:?}").into());
        };
        let expected = format!("swapped; reloaded: {}", names(files));
        if applying.detail != expected {
            return Err(format!("{} instead of {expected}", applying.detail).into());
        }
        let took = |stage: &StageRecord| span(stage.started_at, stage.ended_at);
        Ok(Deployed {
            proven: span(begun, ended.ended_at)?,
            stages: [
                took(planning)?,
                took(validating)?,
                took(applying)?,
                took(verifying)?,
            ],
        })
    }
}

/// What one deploy took.
struct Deployed {
    /// From the request to the end in its record.
    proven: Duration,
    stages: [Duration; 4],
}

fn live(ended: &Deployment) -> Outcome<()> {
    if ended.status == DeploymentStatus::Live {
        Ok(())
    } else {
        Err(format!("a deploy ended {}: {:?}", ended.status, ended.findings).into())
    }
}

/// From a time to the end of something in a record.
pub fn span(from: Timestamp, to: Option<Timestamp>) -> Outcome<Duration> {
    Ok(to.ok_or("it has not ended")?.duration_since(from).try_into()?)
}

fn names(files: &[Artifact]) -> String {
    let names: Vec<&str> = files.iter().map(|file| file.as_str()).collect();
    names.join(", ")
}

fn tell(tenants: usize, measured: &[Measured]) -> Outcome<()> {
    let mut out = stdout().lock();
    writeln!(
        out,
        "a box of {} extensions; {ROUNDS} rounds, the middle one and in brackets the extremes",
        tenants * EXTENSIONS
    )?;
    for ((_, what, files), measured) in CASES.iter().zip(measured) {
        let Measured {
            bare,
            idle,
            proven,
            shadowed,
            stages,
        } = measured;
        writeln!(out, "{what}: {}", names(files))?;
        writeln!(
            out,
            "  bare reload      {bare}; of files that it need not read {idle}"
        )?;
        writeln!(
            out,
            "  request to live  {proven}, {:.2} times the bare reload",
            proven.ratio_to(bare)
        )?;
        let [planning, validating, applying, verifying] = stages.each_ref().map(|times| ms(times.middle()));
        writeln!(
            out,
            "    of it planning {planning}, validating {validating}, applying {applying}, verifying {verifying}"
        )?;
        let more = shadowed.middle().saturating_sub(proven.middle());
        writeln!(out, "  with the shadow  {shadowed}, {} more", ms(more))?;
    }
    Ok(())
}
