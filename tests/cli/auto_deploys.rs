//! `deploy.mode = "auto"`: what is edited in a tenant goes live by itself, once, and nothing else does.

use std::time::Duration;

use rstest::rstest;
use serde_json::Value;

use super::asterisk::{bench, bench_on, serves};
use super::host::{ACME, Host};
use super::serve::Daemon;
use super::support::wait::until;

/// Longer than quiet is waited for, a turn of the daemon, and a deploy.
const LATER: Duration = Duration::from_secs(5);

fn automatic(host: &mut Host) {
    host.set("SWITCHYARD_DEPLOY_MODE", "auto");
    host.set("SWITCHYARD_DEPLOY_DEBOUNCE_SECONDS", "2");
}

/// The tenant's deployments, newest first: who asked, and how each ended.
fn history(host: &Host) -> Vec<(String, String)> {
    let listed = host.json(&["deploy", "history", "--tenant", ACME]);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let rows = listed["data"].as_array().unwrap().iter();
    rows.map(|row| (text(&row["requested_by"]), text(&row["status"])))
        .collect()
}

fn by_itself(status: &str) -> (String, String) {
    ("system:auto".to_owned(), status.to_owned())
}

#[rstest]
#[case::sqlite(Host::ready())]
#[case::postgres(Host::on_postgres())]
#[tokio::test]
async fn edits_go_live_by_themselves_and_several_at_once(#[case] host: Host) {
    let (pbx, mut host) = bench_on(host).await;
    let templates = host.path("templates").display().to_string();
    std::fs::create_dir(&templates).unwrap();
    host.set("SWITCHYARD_TEMPLATES_DIR", &templates);
    automatic(&mut host);
    let daemon = Daemon::start(&mut host);
    until("the first extension is served", || {
        serves(&pbx, "1001@acme.example.com")
    })
    .await;
    until("it is recorded", || history(&host) == [by_itself("live")]).await;

    for number in ["1002", "1003", "1004"] {
        host.add_extension(number, "Another");
    }
    until("all three are served", || serves(&pbx, "1004@acme.example.com")).await;
    tokio::time::sleep(LATER).await;
    assert_eq!(history(&host), [by_itself("live"), by_itself("live")]);
    assert!(serves(&pbx, "1002@acme.example.com") && serves(&pbx, "1003@acme.example.com"));

    // A secret is no part of a revision.
    host.ok(&["extension", "rotate", "--tenant", ACME, "1002"]);
    until("the new secret is deployed", || history(&host).len() == 3).await;
    until("it is live", || history(&host)[0] == by_itself("live")).await;
    let plan = host.json(&["deploy", "plan", "--tenant", ACME]);
    assert_eq!(plan["unchanged"], true, "{plan}");

    // Templates wait for somebody.
    let built_in = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/templates/asterisk/extensions-instance.conf"
    );
    let edited = format!("{}; edited\n", std::fs::read_to_string(built_in).unwrap());
    host.file("templates/asterisk/extensions-instance.conf", edited);
    tokio::time::sleep(LATER).await;
    assert_eq!(history(&host).len(), 3);
    let plan = host.json(&["deploy", "plan", "--instance", "pbx1"]);
    assert_eq!(plan["unchanged"], false, "{plan}");
    assert_eq!(daemon.stop(), Some(0));
}

/// The shadow that must read first is not there.
#[tokio::test]
async fn what_was_rejected_waits_for_the_next_edit() {
    let (_pbx, mut host) = bench().await;
    automatic(&mut host);
    host.set("SWITCHYARD_DEPLOY_SHADOW", "always");
    host.set("SWITCHYARD_DEPLOY_ASTERISK", "/nonexistent/asterisk");
    let daemon = Daemon::start(&mut host);
    until("it is rejected", || history(&host) == [by_itself("rejected")]).await;
    tokio::time::sleep(LATER).await;
    assert_eq!(history(&host).len(), 1, "it was tried again");
    assert_eq!(daemon.stop(), Some(0));
    let daemon = Daemon::start(&mut host);
    tokio::time::sleep(LATER).await;
    assert_eq!(history(&host).len(), 1, "the next daemon tried it again");
    host.add_extension("1002", "Bob");
    until("it is tried again", || history(&host).len() == 2).await;
    assert_eq!(daemon.stop(), Some(0));
}

#[tokio::test]
async fn another_hosts_tenants_and_manual_mode_are_left_alone() {
    let mut host = Host::with_tenant();
    host.add_extension("1001", "Ann");
    let manual = Daemon::start(&mut host);
    tokio::time::sleep(LATER).await;
    assert_eq!(manual.stop(), Some(0));
    automatic(&mut host);
    host.set("SWITCHYARD_NODE_NAME", "elsewhere");
    let elsewhere = Daemon::start(&mut host);
    tokio::time::sleep(LATER).await;
    assert_eq!(elsewhere.stop(), Some(0));
    assert_eq!(history(&host), []);
}

/// To look at a secret changes nothing.
#[tokio::test]
async fn a_rollback_is_not_undone_by_a_look_at_a_secret() {
    let (pbx, mut host) = bench().await;
    automatic(&mut host);
    let daemon = Daemon::start(&mut host);
    until("the first is recorded", || history(&host) == [by_itself("live")]).await;
    host.add_extension("1002", "Bob");
    until("the second is recorded", || {
        history(&host) == [by_itself("live"), by_itself("live")]
    })
    .await;
    let listed = host.json(&["deploy", "history", "--tenant", ACME]);
    let first = listed["data"][1]["id"].as_str().unwrap().to_owned();
    let back = host.run(&["deploy", "rollback", "--tenant", ACME, "--to", &first]);
    assert_eq!(back.code, 0, "{back:?}");
    host.ok(&["extension", "reveal", "--tenant", ACME, "1001"]);
    tokio::time::sleep(LATER).await;
    assert_eq!(history(&host).len(), 3, "{:?}", history(&host));
    assert!(!serves(&pbx, "1002@acme.example.com"));
    // An edit does.
    host.add_extension("1003", "Cem");
    until("what is edited is served", || {
        serves(&pbx, "1003@acme.example.com")
    })
    .await;
    assert!(serves(&pbx, "1002@acme.example.com"));
    assert_eq!(daemon.stop(), Some(0));
}
