//! What somebody has edited and not deployed, while others deploy and go back.

use std::convert::Infallible;
use std::time::Duration;

use rstest::rstest;
use serde_json::json;
use switchyard::domain::deployment::DeploymentStatus::Live;

use super::hand::{Past, admin, regretful};
use super::office::{By, Office};
use super::outcome;
use super::support::database::Backend::{self, Postgres, Sqlite};

const PHONE: &str = "1001@initech.example.com";

/// Asks the running Asterisk again and again.
async fn watchman(office: &Office, should: Option<&String>) -> Infallible {
    let mut ami = office.host.ami();
    loop {
        assert_eq!(ami.caller_id(PHONE).as_ref(), should);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a10_an_unfinished_edit_never_goes_live_by_the_buttons_of_others(#[case] backend: Backend) {
    let mut office = Office::new(backend).await;
    let initech = office.host.tenant("initech", 2).await;
    let past = Past::of(&office).await;
    let [acme, globex] = &office.host.tenants;
    let before = office.host.ami().caller_id(PHONE);
    assert!(before.is_some());
    office.host.patch(&initech, json!({"name": "Unfinished"})).await;

    let daemons = [office.daemon(), office.daemon()];
    let others = async {
        tokio::join!(
            admin(&office, acme),
            admin(&office, globex),
            regretful(&office, &past),
        );
    };
    tokio::select! {
        () = others => {}
        never = watchman(&office, before.as_ref()) => match never {},
    }
    assert_eq!(office.host.ami().caller_id(PHONE), before);

    // By its own button it does.
    let own = ["apply", "--tenant", &initech.domain];
    office.press(By::Daemon, &own).await.expect(&[Live]);
    let served = office.host.ami().caller_id(PHONE);
    assert_eq!(served.unwrap(), "\"Unfinished\" <1001>");
    drop(daemons);
    outcome::settled(&mut office, "an unfinished edit").await;
}
