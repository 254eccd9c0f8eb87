//! The box, and what is measured on it.

use std::io::{Write as _, stdout};
use std::time::{Duration, Instant};

use serde_json::json;
use switchyard::app::deployments;
use switchyard::app::extension_import::{self, Row};
use switchyard::domain::deployment::DeploymentStatus::Live;
use switchyard::domain::deployment::{Stage, StageRecord};

use super::fusionpbx::Booleans::Native;
use super::times::{Times, ms};
use super::world::{Ended, TestTenant, World, operator};

/// Of each tenant.
const EXTENSIONS: usize = 100;
const ROUNDS: usize = 15;

/// Measures one after the other, in one run.
pub async fn all(tenants: usize) {
    let world = World::new(Native).await;
    let mut some = None;
    for number in 0..tenants {
        let tenant = world.tenant(&format!("tenant{number}")).await;
        let rows: Vec<_> = (0..EXTENSIONS).map(row).collect();
        let report = extension_import::import(&world.app, &tenant.caller, rows, false, None).await;
        assert!(report.unwrap().into_inner().imported);
        some = Some(tenant);
    }
    say(&format!(
        "a box of {} extensions; of several rounds the middle one and in brackets the extremes",
        tenants * EXTENSIONS
    ));
    first(&world).await;
    lookups(&world, tenants).await;
    plan(&world).await;
    one(&world, &some.unwrap()).await;
}

async fn first(world: &World) {
    let begun = Instant::now();
    let ended = world.deploy_platform().await.expect(Live);
    say(&format!(
        "first deploy: {} from the request to the end",
        ms(begun.elapsed())
    ));
    for stage in &ended.stages {
        say(&format!(
            "  {}: {}, {}",
            stage.stage,
            ms(span(stage)),
            stage.detail
        ));
    }
}

/// What the simulated FreeSWITCH takes of it, by itself: a lookup that reads FusionPBX's tables.
async fn lookups(world: &World, tenants: usize) {
    let mut times = Times::default();
    for tenant in 0..tenants {
        let domain = format!("tenant{tenant}.example.com");
        let begun = Instant::now();
        let user = world.freeswitch.user("1005", &domain).await;
        times.push(begun.elapsed());
        assert!(user.is_some());
    }
    say(&format!("a lookup that is not cached, by itself: {times}"));
}

async fn plan(world: &World) {
    let mut times = Times::default();
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let plan = deployments::plan_instance(&world.app, &operator(), world.instance_id).await;
        times.push(begun.elapsed());
        assert!(plan.unwrap().unchanged);
    }
    say(&format!("plan with nothing to do: {times}"));
}

async fn one(world: &World, tenant: &TestTenant) {
    let stages = [
        Stage::Planning,
        Stage::Validating,
        Stage::Applying,
        Stage::Verifying,
    ];
    let mut times = stages.map(|stage| (stage, Times::default()));
    let (mut whole, mut live) = (Times::default(), Times::default());
    for round in 0..ROUNDS {
        world.extension(tenant, &format!("20{round:02}"), "New").await;
        let begun = Instant::now();
        let ended = world.deploy(tenant).await.expect(Live);
        whole.push(begun.elapsed());
        live.push(of(&ended, Stage::Applying) + of(&ended, Stage::Verifying));
        for (stage, times) in &mut times {
            times.push(of(&ended, *stage));
        }
    }
    say(&format!("one extension: {whole} from the request to the end"));
    for (stage, times) in times {
        say(&format!("  {stage}: {times}"));
    }
    say(&format!("  from the start of applying to the proof: {live}"));
}

fn of(ended: &Ended, stage: Stage) -> Duration {
    let record = ended.stages.iter().find(|record| record.stage == stage);
    span(record.unwrap())
}

fn span(stage: &StageRecord) -> Duration {
    let end = stage.ended_at.unwrap();
    end.duration_since(stage.started_at).unsigned_abs()
}

/// Four of five have a mailbox.
fn row(place: usize) -> Row {
    let number = (1000 + place).to_string();
    let voicemail = json!({"enabled": !place.is_multiple_of(5)});
    let input = json!({"number": number, "name": format!("Phone {place}"), "voicemail": voicemail});
    Row {
        line: u64::try_from(place).unwrap(),
        number: Some(number),
        input: Ok(serde_json::from_value(input).unwrap()),
    }
}

fn say(line: &str) {
    writeln!(stdout(), "{line}").unwrap();
}
