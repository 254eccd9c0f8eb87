//! Killed at any time, again and again.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{Write as _, stderr};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use rstest::rstest;
use switchyard::domain::deployment::DeploymentStatus::Live;
use switchyard::domain::deployment::StageResult;

use super::shadow;
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::support::host::Host;
use super::support::victim::Victim;

/// Hosts that work side by side: each is mostly waiting.
const HOSTS: u32 = 3;

/// How often a daemon is killed on each host. Both databases together: 300 times, or 1,200 times in the long run.
fn kills() -> u32 {
    let long = std::env::var_os("SWITCHYARD_TEST_ALL").is_some();
    if long { 200 } else { 50 }
}

/// One daemon of so many has a shadow read first, which takes a while.
const REHEARSING: u32 = 8;
/// What is counted beside the stages: kills while a shadow ran.
const SHADOW: &str = "a shadow";

/// Between no time and all of it.
fn part_of(whole: Duration, seed: u32) -> Duration {
    let random = RandomState::new().hash_one(seed) % 1_000;
    whole * u32::try_from(random).unwrap() / 1_000
}

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a10_a_daemon_that_is_killed_at_any_time_leaves_nothing_to_mend_by_hand(#[case] backend: Backend) {
    let mut met = BTreeMap::new();
    for one in join_all((0..HOSTS).map(|host| punish(backend, host))).await {
        for (stage, count) in one {
            *met.entry(stage).or_insert(0) += count;
        }
    }
    let kills = HOSTS * kills();
    // Before the daemon began, and after it had ended, there is nothing to mend.
    let stages = met.iter().filter(|(what, _)| *what != SHADOW);
    let cut: u32 = stages.map(|(_, count)| count).sum();
    writeln!(stderr(), "{kills} kills met these stages: {met:?}").unwrap();
    assert!(cut > kills / 10, "too few kills met a deploy: {met:?}");
    assert!(met.contains_key(SHADOW), "no kill met a shadow: {met:?}");
}

fn start(host: &Host, rehearses: bool) -> Victim {
    if rehearses {
        shadow::rehearsing_daemon(host)
    } else {
        host.daemon()
    }
}

/// How often each stage was met, and how often a shadow.
async fn punish(backend: Backend, seed: u32) -> BTreeMap<String, u32> {
    let mut host = Host::new(backend, 30).await;
    let count = host.endpoints();
    let mut met = BTreeMap::new();
    // From a daemon's start to the end of the deploy, when nothing happens to it.
    let mut whole = [Duration::ZERO; 2];
    for (rehearses, whole) in [false, true].into_iter().zip(&mut whole) {
        host.edit().await;
        let undisturbed = host.request().await;
        let begun = Instant::now();
        let _daemon = start(&host, rehearses);
        host.ended(&undisturbed).await;
        *whole = begun.elapsed();
    }
    for kill in 0..kills() {
        host.edit().await;
        let deployment = host.request().await;
        let rehearses = kill % REHEARSING == 0;
        let victim = start(&host, rehearses);
        let whole = whole[usize::from(rehearses)];
        tokio::time::sleep(part_of(whole, seed * 1_000 + kill)).await;
        assert!(victim.kill(), "it had ended by itself");
        let what = format!("kill {kill} of host {seed}");
        host.assert_whole_on_disk(&what);
        if !shadow::shadows(&host).is_empty() {
            *met.entry(SHADOW.to_owned()).or_insert(0) += 1;
        }
        let (ended, stages) = host.mended(&deployment).await;
        assert_eq!(ended.status, Live, "{what}: {ended:#?} {stages:#?}");
        assert!(
            shadow::shadows(&host).is_empty(),
            "{what}: {:?}",
            shadow::shadows(&host)
        );
        for stage in stages
            .iter()
            .filter(|stage| stage.result == Some(StageResult::Interrupted))
        {
            *met.entry(stage.stage.to_string()).or_insert(0) += 1;
        }
        host.assert_well(&what).await;
    }
    assert_eq!(host.endpoints(), count);
    met
}
