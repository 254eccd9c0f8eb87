//! All buttons at once, by two daemons and many commands.

use rstest::rstest;
use serde_json::json;
use switchyard::domain::deployment::DeploymentStatus::{Live, Queued, Superseded};

use super::hand::{Past, admin, operator, regretful, unlucky};
use super::office::{ACME, By, Office, PLATFORM};
use super::outcome;
use super::support::database::Backend::{self, Postgres, Sqlite};

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a10_many_hands_never_drive_one_pbx_together_and_no_request_is_lost(#[case] backend: Backend) {
    let mut office = Office::new(backend).await;
    let umbrella = office.host.tenant("umbrella", 1).await;
    let past = Past::of(&office).await;
    let [acme, globex] = &office.host.tenants;
    let itself = json!({"forward": {"always": "1001"}});
    office.host.patch(&umbrella, itself).await;

    // While nobody drives, whatever asks for the same waits together, and is one deploy.
    office.host.patch(acme, json!({"ring_time": 55})).await;
    let apply = ["apply", "--tenant", ACME];
    let mut covered = Vec::new();
    for words in [apply, PLATFORM] {
        for _ in 0..3 {
            covered.push(office.press(By::LaterDaemon, &words).await.expect(&[Queued]));
        }
        // The last covers the others.
        covered.pop();
    }
    let daemons = [office.daemon(), office.daemon()];
    tokio::join!(
        admin(&office, acme),
        admin(&office, globex),
        operator(&office),
        regretful(&office, &past),
        unlucky(&office, &umbrella),
    );

    // What was edited last goes live, whoever is free to do it, until more than two processes have driven.
    let mut round = 0;
    while round < 2 || office.watch.drivers().len() < 3 {
        let name = format!("Last {round}");
        office.host.patch(acme, json!({"name": name})).await;
        office.press(By::turn(round), &apply).await.expect(&[Live]);
        let served = office.host.ami().caller_id("1001@acme.example.com");
        assert_eq!(served.unwrap(), format!("\"{name}\" <1001>"));
        round += 1;
        assert!(round < 20, "one process drives all: {:?}", office.watch.drivers());
    }
    drop(daemons);

    let records = outcome::settled(&mut office, "many hands").await;
    for pressed in &covered {
        let (ended, stages) = &records[pressed.id()];
        assert_eq!((ended.status, stages.len()), (Superseded, 0), "{ended:#?}");
    }
}
