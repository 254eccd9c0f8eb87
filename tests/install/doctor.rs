//! What `doctor` says of a host that lacks something, and of one that lacks nothing.

use serde_json::Value;

use super::host::{Ended, Host};
use super::own::Own;

fn findings(ended: &Ended) -> Vec<Value> {
    let value: Value = serde_json::from_str(&ended.out).unwrap();
    value["findings"].as_array().unwrap().clone()
}

#[track_caller]
fn outcome(all: &[Value], subject: &str, name: &str) -> String {
    let found = all
        .iter()
        .find(|finding| finding["subject"] == subject && finding["name"] == name)
        .unwrap_or_else(|| panic!("no {name} of {subject}: {all:?}"));
    if found["outcome"] == "failed" {
        assert!(found["mend"].is_string(), "{found}");
    }
    found["outcome"].as_str().unwrap().to_owned()
}

#[track_caller]
fn examined(host: &Host, code: i32) -> Vec<Value> {
    let ended = host.run(&["--json", "doctor"]);
    assert_eq!(ended.code, code, "{ended:?}");
    findings(&ended)
}

#[test]
fn each_thing_that_lacks_is_named_with_its_mend() {
    let mut host = Host::bare();
    let all = examined(&host, 1);
    assert_eq!(outcome(&all, "database", "database"), "failed");
    assert_eq!(outcome(&all, "configuration", "config_lacking"), "warning");
    host.ok(&["db", "migrate"]);
    let all = examined(&host, 1);
    assert_eq!(outcome(&all, "database", "schema"), "ok");
    assert_eq!(outcome(&all, "sealing_key", "sealing_key"), "failed");
    assert_eq!(outcome(&all, "state_dir", "state_dir"), "ok");
    assert_eq!(outcome(&all, "instances", "instances"), "warning");

    host.file("templates/asterisk/pjsip.conf", "{% if %}");
    let templates = host.path("templates").display().to_string();
    host.set("SWITCHYARD_TEMPLATES_DIR", &templates);
    host.file("state", "a file in the way");
    let all = examined(&host, 1);
    assert_eq!(outcome(&all, "templates", "templates"), "failed");
    assert_eq!(outcome(&all, "state_dir", "state_dir"), "failed");

    host.set("SWITCHYARD_HTTP_LISTEN", "nowhere");
    let all = examined(&host, 1);
    assert_eq!(outcome(&all, "configuration", "config_file"), "failed");
    assert_eq!(all.len(), 1);
}

#[test]
fn another_key_than_the_one_that_sealed_is_found() {
    let mut host = Host::with_tenant();
    assert_eq!(outcome(&examined(&host, 1), "sealing_key", "sealing_key"), "ok");
    let other = host.path("other.key").display().to_string();
    host.ok(&["key", "generate", "--out", &other]);
    host.set("SWITCHYARD_SEALING_KEY_FILE", &other);
    assert_eq!(
        outcome(&examined(&host, 1), "sealing_key", "sealing_key"),
        "failed"
    );
}

#[tokio::test]
async fn an_installed_asterisk_that_runs_lacks_nothing_until_somebody_takes_a_line_out() {
    let mut own = Own::stock();
    let installed = own.run(&own.install(&[]));
    assert_eq!(installed.code, 0, "{installed:?}");
    own.start().await;
    let all = examined(&own.host, 0);
    for (subject, name) in [
        ("instance pbx1", "ami_login"),
        ("instance pbx1", "log_file"),
        ("pbx pbx1", "include_pjsip"),
        ("pbx pbx1", "manager_account"),
    ] {
        assert_eq!(outcome(&all, subject, name), "ok");
    }
    own.edit("pjsip.conf", |text| text.replace("#tryinclude", ";"));
    let all = examined(&own.host, 1);
    assert_eq!(outcome(&all, "pbx pbx1", "include_pjsip"), "failed");
    let people = own.host.run(&["doctor"]);
    assert!(people.out.contains("switchyard pbx install pbx1"), "{people:?}");
}
