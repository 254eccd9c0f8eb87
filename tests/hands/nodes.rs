//! Two daemons of different hosts on one database: only the one whose host owns the instance drives it.

use std::fs;

use switchyard::app::{instances, operator};
use switchyard::domain::deployment::Deployment;
use switchyard::domain::deployment::DeploymentStatus::{Failed, Live, Queued};
use switchyard::domain::instance::{AsteriskSettings, InstanceSettings};
use switchyard::domain::instance_secrets::InstanceSecrets;
use tokio::task::block_in_place;

use super::office::{ACME, By, Office};
use super::outcome;
use super::support::database::Backend::Postgres;

/// An instance of the other host, whose Asterisk does not answer.
async fn add_theirs(office: &Office) {
    let directory = office.host.config_dir().with_file_name("theirs");
    fs::create_dir(&directory).unwrap();
    let settings = AsteriskSettings {
        ami_host: "127.0.0.1".parse().unwrap(),
        ami_port: 1,
        ami_username: "switchyard".parse().unwrap(),
        config_dir: directory.display().to_string().parse().unwrap(),
        log_file: None,
        recordings_dir: None,
        emergency_numbers: Vec::new(),
        ami_tls: None,
    };
    let new = instances::NewInstance {
        name: "theirs".parse().unwrap(),
        node: "there".parse().unwrap(),
        settings: InstanceSettings::Asterisk(settings),
        secrets: InstanceSecrets::of_control("secret".to_owned().into()),
    };
    let caller = operator::platform(None);
    instances::create(&office.host.app, &caller, new).await.unwrap();
}

/// The other host's daemon has looked at all that waits, and done what is its own: what was asked for before that is not
/// taken up any more.
async fn theirs_has_looked(office: &Office) {
    for _ in 0..2 {
        let pressed = office.press(By::Daemon, &["apply", "--instance", "theirs"]).await;
        assert_eq!(pressed.clone().expect(&[Failed]).code, 9, "{pressed:#?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a10_a_daemon_of_another_host_never_drives_an_instance_that_is_not_its_own() {
    let mut office = Office::new(Postgres).await;
    add_theirs(&office).await;
    let theirs = office.daemon_on("there");
    let apply = ["apply", "--tenant", ACME];
    let record = async |id: &str| -> Deployment {
        let (deployment, _) = outcome::records(&office).await.remove(id).unwrap();
        deployment
    };

    // While no daemon of ours runs, and while ours is dead in the middle of it.
    let mut edits = 0;
    for is_killed in [false, true] {
        edits += 1;
        let patch = serde_json::json!({"name": format!("Ann {edits}")});
        office.host.patch(&office.host.tenants[0], patch).await;
        let pressed = office.press(By::LaterDaemon, &apply).await.expect(&[Queued]);
        if is_killed {
            office.watch.freeze();
            let ours = office.daemon();
            assert_eq!(block_in_place(|| office.watch.frozen()), ours.pid());
            assert!(ours.kill());
            office.watch.thaw();
        }
        theirs_has_looked(&office).await;
        assert!(!record(pressed.id()).await.status.is_end());
        let _ours = office.daemon();
        let ended = office.host.ended(&record(pressed.id()).await).await.0;
        assert_eq!(ended.status, Live, "{ended:#?}");
    }
    let callers = office.watch.callers();
    assert!(!callers.contains(&theirs.pid()), "{callers:?}");
    drop(theirs);
    office.watch.assert_one_at_a_time();
    office.host.requests += office.pressed.lock().unwrap().len();
    office.host.assert_well("two hosts").await;
}
