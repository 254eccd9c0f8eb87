//! Killed at any time, again and again.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{Write as _, stderr};
use std::time::Duration;

use jiff::Timestamp;
use rstest::rstest;
use switchyard::domain::clock::{Clock as _, SystemClock};
use switchyard::domain::deployment::DeploymentStatus::Live;
use switchyard::domain::deployment::{Deployment, StageResult};

use super::shadow;
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::support::host::Host;
use super::support::victim::Victim;

/// How often a daemon is killed on each of three hosts, and how often one that has a shadow read first, which takes longer:
/// 150 times on each database.
const KILLS: u32 = 43;
const REHEARSED_KILLS: u32 = 21;

/// Four times as often in the long run.
fn often(kills: u32) -> u32 {
    let long = std::env::var_os("SWITCHYARD_TEST_ALL").is_some();
    if long { 4 * kills } else { kills }
}

/// From the start of the daemon that brought a deploy to its end until then.
fn time_since(began: Timestamp, ended: &Deployment) -> Duration {
    ended.ended_at.unwrap().duration_since(began).unsigned_abs()
}

/// Between no time and all of it.
fn part_of(whole: Duration) -> Duration {
    let random = RandomState::new().hash_one(()) % 1_000;
    whole * u32::try_from(random).unwrap() / 1_000
}

/// How often what was met by kills.
#[derive(Default, Debug)]
struct Met {
    stages: BTreeMap<String, u32>,
    shadows: usize,
}

#[rstest]
#[tokio::test]
async fn a10_a_daemon_that_is_killed_at_any_time_leaves_nothing_to_mend_by_hand(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[values(1, 2, 3)] host: u32,
) {
    let kills = often(KILLS);
    let met = punish(backend, Host::daemon, kills).await;
    writeln!(stderr(), "{kills} kills on host {host}: {met:?}").unwrap();
    // Before the daemon began, and after it had ended, there is nothing to mend.
    let cut: u32 = met.stages.values().sum();
    assert!(cut > kills / 10, "too few kills met a deploy: {met:?}");
}

#[rstest]
#[tokio::test]
async fn a10_a_daemon_that_is_killed_at_any_time_of_a_rehearsed_deploy_leaves_nothing_to_mend_by_hand(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let kills = often(REHEARSED_KILLS);
    let met = punish(backend, shadow::rehearsing_daemon, kills).await;
    writeln!(stderr(), "{kills} kills: {met:?}").unwrap();
    assert!(met.shadows > 0, "no kill met a shadow: {met:?}");
}

/// Kills a daemon at any time of a deploy and has another mend what it left, so many times.
async fn punish(backend: Backend, start: fn(&Host) -> Victim, kills: u32) -> Met {
    let mut host = Host::new(backend, 30).await;
    let count = host.endpoints();
    let mut met = Met::default();
    host.edit().await;
    let undisturbed = host.request().await;
    let began = SystemClock.now();
    let daemon = start(&host);
    let (ended, _) = host.ended(&undisturbed).await;
    drop(daemon);
    let mut whole = time_since(began, &ended);
    for kill in 0..kills {
        host.edit().await;
        let deployment = host.request().await;
        let mut began = SystemClock.now();
        let victim = start(&host);
        tokio::time::sleep(part_of(whole)).await;
        assert!(victim.kill(), "it had ended by itself");
        let what = format!("kill {kill}");
        host.assert_whole_on_disk(&what);
        met.shadows += shadow::shadows(&host).len();
        if !host.record(&deployment).await.0.status.is_end() {
            began = SystemClock.now();
        }
        let daemon = start(&host);
        let (ended, stages) = host.ended(&deployment).await;
        drop(daemon);
        // The machine is not always as fast.
        whole = time_since(began, &ended);
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
            *met.stages.entry(stage.stage.to_string()).or_default() += 1;
        }
        host.assert_well(&what).await;
    }
    assert_eq!(host.endpoints(), count);
    met
}
