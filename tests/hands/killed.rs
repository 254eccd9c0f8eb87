//! One of two daemons is killed in the middle, and the other goes on.

use rstest::rstest;
use serde_json::json;
use switchyard::domain::deployment::DeploymentStatus::{Live, Unchanged};
use switchyard::domain::deployment::{Stage, StageResult};
use tokio::task::block_in_place;

use super::office::{ACME, By, GLOBEX, Office, PLATFORM, rounds};
use super::outcome;
use super::support::database::Backend::{self, Postgres, Sqlite};

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a10_when_one_of_two_daemons_is_killed_in_a_reload_the_other_goes_on(#[case] backend: Backend) {
    let mut office = Office::new(backend).await;
    let mut daemons = vec![office.daemon(), office.daemon()];
    for round in 0..rounds() {
        for tenant in &office.host.tenants {
            let patch = json!({"name": format!("Ann {round}"), "ring_time": 30 + round});
            office.host.patch(tenant, patch).await;
        }
        office.watch.freeze();
        // The commands only wait; with so many in the queue, whoever drives has more before it.
        let pressed = async {
            tokio::join!(
                office.press(By::Daemon, &["apply", "--tenant", ACME]),
                office.press(By::Daemon, &["apply", "--tenant", GLOBEX]),
                office.press(By::Daemon, &PLATFORM),
            )
        };
        let killing = async {
            let driver = block_in_place(|| office.watch.frozen());
            let at = daemons.iter().position(|daemon| daemon.pid() == driver);
            let killed = daemons.swap_remove(at.expect("a daemon drives"));
            assert!(killed.kill());
            office.watch.thaw();
            driver
        };
        let ((acme, globex, whole), killed) = tokio::join!(pressed, killing);
        for pressed in [acme, globex, whole] {
            pressed.expect(&[Live, Unchanged]);
        }
        let survivor = daemons[0].pid();
        assert!(
            office.watch.drivers().is_superset(&[killed, survivor].into()),
            "round {round}"
        );
        daemons.push(office.daemon());
    }
    drop(daemons);

    let records = outcome::settled(&mut office, "a daemon was killed").await;
    let cut: Vec<_> = records
        .values()
        .flat_map(|(deployment, stages)| stages.iter().map(|stage| (stage, deployment.status)))
        .filter(|(stage, _)| stage.result == Some(StageResult::Interrupted))
        .map(|(stage, status)| (stage.stage, status))
        .collect();
    assert_eq!(cut, vec![(Stage::Applying, Live); rounds()]);
    let served = office.host.ami().caller_id("1001@acme.example.com");
    assert_eq!(served.unwrap(), format!("\"Ann {}\" <1001>", rounds() - 1));
}
