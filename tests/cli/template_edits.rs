//! Edits of the operator's own templates while the daemon runs, and broken ones at its start.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::asterisk::{bench, serves};
use super::host::{ACME, Host};
use super::serve::Daemon;
use super::support::pbx::Pbx;

const OWN: &str = "templates/asterisk/extensions-instance.conf";

/// The built-in template with a line of its own.
fn edited(line: &str) -> String {
    let built_in = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/templates/asterisk/extensions-instance.conf"
    );
    format!("{}; {line}\n", fs::read_to_string(built_in).unwrap())
}

/// What the PBX reads now.
fn live(pbx: &Pbx) -> String {
    let directory = pbx.private.settings().config_dir.as_str().to_owned();
    fs::read_to_string(format!("{directory}/live/extensions.conf")).unwrap()
}

/// Has the daemon do a platform deploy: the command may not drive the instance itself. Gives its status.
fn deployed_by_the_daemon(host: &mut Host) -> Value {
    host.set("SWITCHYARD_NODE_NAME", "elsewhere");
    let ended = host.run(&["deploy", "apply", "--instance", "pbx1", "--json"]);
    host.set("SWITCHYARD_NODE_NAME", "here");
    let deployment: Value = serde_json::from_str(&ended.out).unwrap_or_else(|_| panic!("{ended:?}"));
    deployment["status"].clone()
}

fn says(daemon: &Daemon, level: &str, part: &str) -> bool {
    let is = |event: &&Value| event["level"] == level && event["message"].as_str().unwrap().contains(part);
    daemon.logged.iter().any(|event| is(&event))
}

#[tokio::test]
async fn a_good_edit_is_pending_and_a_broken_one_leaves_the_last_good_set() {
    let (pbx, mut host) = bench().await;
    host.file(OWN, edited("first"));
    let templates = host.path("templates").display().to_string();
    host.set("SWITCHYARD_TEMPLATES_DIR", &templates);
    let daemon = Daemon::start(&mut host);
    assert_eq!(deployed_by_the_daemon(&mut host), "live");
    assert!(live(&pbx).contains("; first"));

    host.file(OWN, edited("second"));
    let began = Instant::now();
    // As it stands, for a command; the daemon needs a moment.
    let plan = host.json(&["deploy", "plan", "--instance", "pbx1"]);
    assert_eq!(plan["unchanged"], false, "{plan}");
    tokio::time::sleep(Duration::from_secs(2).saturating_sub(began.elapsed())).await;
    assert!(live(&pbx).contains("; first"), "it went live by itself");
    assert_eq!(deployed_by_the_daemon(&mut host), "live");
    assert!(live(&pbx).contains("; second"));

    host.file(OWN, "{% if %}\n");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let refused = host.run(&["deploy", "plan", "--instance", "pbx1", "--json"]);
    assert_eq!(refused.code, 6, "{refused:?}");
    let plan: Value = serde_json::from_str(&refused.out).unwrap();
    assert_eq!(plan["findings"][0]["code"], "templates_unusable", "{plan}");
    let message = plan["findings"][0]["message"].as_str().unwrap();
    assert!(message.contains("asterisk/extensions-instance.conf"), "{message}");
    host.add_extension("1002", "Bob");
    assert_eq!(deployed_by_the_daemon(&mut host), "live");
    assert!(live(&pbx).contains("; second"));
    assert!(serves(&pbx, "1002@acme.example.com"));
    assert_eq!(daemon.stop(), Some(0));

    // A daemon that finds them broken goes on with what is live.
    host.add_extension("1003", "Cem");
    let daemon = Daemon::start(&mut host);
    assert!(
        says(&daemon, "ERROR", "asterisk/extensions-instance.conf"),
        "{:?}",
        daemon.logged
    );
    assert!(
        says(&daemon, "ERROR", "newest generation that is live"),
        "{:?}",
        daemon.logged
    );
    assert_eq!(deployed_by_the_daemon(&mut host), "live");
    assert!(live(&pbx).contains("; second"));
    assert!(serves(&pbx, "1003@acme.example.com"));
    assert_eq!(daemon.stop(), Some(0));
}

#[tokio::test]
async fn broken_templates_and_nothing_live_is_a_rejection_until_they_are_corrected() {
    let (pbx, mut host) = bench().await;
    host.file(OWN, "{% if %}\n");
    let templates = host.path("templates").display().to_string();
    host.set("SWITCHYARD_TEMPLATES_DIR", &templates);
    let daemon = Daemon::start(&mut host);
    assert!(
        says(&daemon, "ERROR", "are rejected until they are good"),
        "{:?}",
        daemon.logged
    );
    assert_eq!(deployed_by_the_daemon(&mut host), "rejected");
    host.file(OWN, edited("corrected"));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(deployed_by_the_daemon(&mut host), "live");
    assert!(live(&pbx).contains("; corrected"));
    let shown = host.json(&["deploy", "plan", "--tenant", ACME]);
    assert_eq!(shown["unchanged"], true, "{shown}");
    assert_eq!(daemon.stop(), Some(0));
}
