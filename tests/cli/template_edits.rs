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

/// What a plan or a record says of templates that are not used.
#[track_caller]
fn refused(told: &Value) -> &str {
    let findings = told["findings"].as_array().unwrap();
    let of_templates: Vec<&Value> = findings
        .iter()
        .filter(|finding| finding["code"] == "templates_refused")
        .collect();
    assert_eq!(of_templates.len(), 1, "{told}");
    of_templates[0]["message"].as_str().unwrap()
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
    // A command makes of it what the daemon does.
    let plan = host.json(&["deploy", "plan", "--instance", "pbx1"]);
    assert_eq!(plan["rejected"], false, "{plan}");
    assert!(
        refused(&plan).contains("asterisk/extensions-instance.conf"),
        "{plan}"
    );
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

/// It renders for what there is: nobody would have noticed before somebody adds the extension 30.
#[tokio::test]
async fn a_command_checks_the_whole_set_and_goes_on_with_the_last_good_one() {
    let (pbx, mut host) = bench().await;
    let templates = host.path("templates").display().to_string();
    host.set("SWITCHYARD_TEMPLATES_DIR", &templates);
    let broken = "{% for extension in extensions %}{% if extension.number == \"30\" %}{{ nothing }}{% endif %}{% endfor %}";
    let built_in = concat!(env!("CARGO_MANIFEST_DIR"), "/templates/asterisk/extensions.conf");
    let built_in = fs::read_to_string(built_in).unwrap();

    // Before anything is live there is no other.
    host.file(
        "templates/asterisk/extensions.conf",
        format!("{built_in}{broken}\n"),
    );
    for target in [["--tenant", ACME], ["--instance", "pbx1"]] {
        let ended = host.run(&["deploy", "apply", target[0], target[1], "--json"]);
        assert_eq!(ended.code, 6, "{ended:?}");
        let record: Value = serde_json::from_str(&ended.out).unwrap();
        assert_eq!(record["findings"][0]["code"], "templates_unusable", "{record}");
        let message = record["findings"][0]["message"].as_str().unwrap();
        assert!(message.contains("asterisk/extensions.conf"), "{message}");
    }
    host.file(
        "templates/asterisk/extensions.conf",
        format!("{built_in}; good\n"),
    );
    let record = host.json(&["deploy", "apply", "--instance", "pbx1"]);
    assert_eq!(record["status"], "live", "{record}");

    host.file(
        "templates/asterisk/extensions.conf",
        format!("{built_in}{broken}\n"),
    );
    host.add_extension("1002", "Bob");
    let plan = host.json(&["deploy", "plan", "--instance", "pbx1"]);
    assert!(refused(&plan).contains("asterisk/extensions.conf"), "{plan}");
    let record = host.json(&["deploy", "apply", "--instance", "pbx1"]);
    assert_eq!(record["status"], "live", "{record}");
    assert!(refused(&record).contains("those before stay"), "{record}");
    assert!(serves(&pbx, "1002@acme.example.com"));
    assert!(live(&pbx).contains("; good"), "{}", live(&pbx));
    // What moves no templates says nothing of them.
    host.add_extension("1003", "Cem");
    let record = host.json(&["deploy", "apply", "--tenant", ACME]);
    assert_eq!(
        (&record["status"], &record["findings"]),
        (&"live".into(), &serde_json::json!([]))
    );
}
