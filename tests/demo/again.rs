//! A demo that is started again in its directory, and demos without an Asterisk.

use std::os::unix::fs::{MetadataExt as _, chown};
use std::process::{Command, Output};

use serde_json::{Value, json};

use super::support::demo::{Ended, Place, Running, run, sign_in};

fn once(mut command: Command) -> Ended {
    command.arg("--once");
    let ended = run(command);
    assert_eq!(ended.code(), Some(0), "{}{}", ended.out, ended.err);
    ended
}

/// The program on the demo's own configuration.
fn manage(place: &Place, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_switchyard"))
        .args(["--json", "--config"])
        .arg(place.demo().join("switchyard.toml"))
        .args(words)
        .output()
        .unwrap()
}

fn add_extension(place: &Place) {
    let words = [
        "extension",
        "add",
        "--tenant",
        "acme.example.com",
        "--number",
        "1555",
        "--name",
        "New",
    ];
    let added = manage(place, &words);
    assert!(added.status.success(), "{added:?}");
}

#[test]
fn a10_a_second_start_keeps_generation_and_ports() {
    let place = Place::new();
    once(place.command());
    let first = place.record()["pbx"].clone();
    let again = once(place.command());
    assert!(again.out.contains("Nothing differs"), "{}", again.out);
    let second = place.record()["pbx"].clone();
    for field in ["/generation", "/sip", "/ami/port", "/live"] {
        assert_eq!(second.pointer(field), first.pointer(field), "{field}");
    }
    assert_eq!(
        (&second["live"], &second["generation"]),
        (&json!(true), &json!(1))
    );

    add_extension(&place);
    once(place.command());
    assert_eq!(place.record()["pbx"]["generation"], 2);
}

#[test]
fn a10_a_port_that_was_taken_meanwhile_is_another_one() {
    let place = Place::new();
    once(place.command());
    let sip = super::support::demo::sip(&place.record());
    let _taken = std::net::UdpSocket::bind(sip).unwrap();
    once(place.command());
    assert_ne!(super::support::demo::sip(&place.record()), sip);
    assert_eq!(place.record()["pbx"]["live"], true);
}

#[test]
fn a10_without_asterisk_a_second_start_writes_only_what_changed() {
    let place = Place::new();
    once(place.bare_command());
    assert_eq!(place.record()["pbx"]["generation"], 1);
    let file = place.demo().join("pbx/config/live/pjsip.conf");
    let identity = || {
        std::fs::metadata(&file)
            .map(|found| (found.ino(), found.mtime_nsec()))
            .unwrap()
    };
    let before = identity();
    once(place.bare_command());
    assert_eq!(place.record()["pbx"]["generation"], 1);
    assert_eq!(identity(), before);

    add_extension(&place);
    once(place.bare_command());
    assert_eq!(place.record()["pbx"]["generation"], 2);
    assert!(
        std::fs::read_to_string(&file)
            .unwrap()
            .contains("[1555@acme.example.com]")
    );

    std::fs::write(&file, "edited").unwrap();
    once(place.bare_command());
    assert_eq!(place.record()["pbx"]["generation"], 3);
    assert!(
        std::fs::read_to_string(&file)
            .unwrap()
            .contains("[1555@acme.example.com]")
    );
}

#[test]
fn a10_a_demo_with_more_extensions_than_a_page_holds_starts_again_and_lists_them_all() {
    let place = Place::new();
    once(place.bare_command());
    // They come before 1001 and 1002.
    let mut table = String::from("number,name\n");
    for number in 100_001..=100_130 {
        table.push_str(&number.to_string());
        table.push_str(",Many\n");
    }
    let file = place.path("many.csv").display().to_string();
    std::fs::write(&file, table).unwrap();
    let imported = manage(
        &place,
        &["extension", "import", "--tenant", "acme.example.com", &file],
    );
    assert!(imported.status.success(), "{imported:?}");
    once(place.bare_command());
    let record = place.record();
    let tenants = record["tenants"].as_array().unwrap();
    let acme = tenants.iter().find(|tenant| tenant["name"] == "Acme").unwrap();
    let extensions = acme["extensions"].as_array().unwrap();
    assert_eq!(extensions.len(), 132);
    assert!(extensions.iter().any(|extension| extension["number"] == "1002"));
}

#[tokio::test]
async fn a10_without_asterisk_every_place_says_so() {
    let place = Place::new();
    let mut running = Running::start(place.bare_command());
    running.until_ready();
    assert!(
        running.said.iter().any(|line| line.contains("No Asterisk runs")),
        "{:?}",
        running.said
    );
    let record = place.record();
    assert_eq!(record["pbx"]["live"], false);

    let tenant = record["tenants"][0]["id"].as_str().unwrap();
    let deployed: Value = reqwest::Client::new()
        .post(format!(
            "{}/api/v1/config/deploy?wait=true",
            record["api"].as_str().unwrap()
        ))
        .bearer_auth(sign_in(&record, &record["users"][0]).await)
        .header("X-Operate-As-Tenant", tenant)
        .header("X-Reason", "to see what it says")
        .json(&json!({}))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(deployed["data"]["status"], "failed", "{deployed}");
    let findings = deployed["data"]["findings"].to_string();
    assert!(
        findings.contains("pbx_unreachable") && findings.contains("this instance has no Asterisk"),
        "{findings}"
    );

    let applied = manage(&place, &["deploy", "apply", "--instance", "demo"]);
    assert_eq!(applied.status.code(), Some(9), "{applied:?}");
    let text = String::from_utf8(applied.stdout).unwrap();
    assert!(text.contains("this instance has no Asterisk"), "{text}");
    let tested = manage(&place, &["instance", "test", "demo"]);
    assert_eq!(tested.status.code(), Some(9), "{tested:?}");
    let tested: Value = serde_json::from_slice(&tested.stdout).unwrap();
    assert!(
        tested["checks"][0]["detail"]
            .as_str()
            .unwrap()
            .contains("this instance has no Asterisk"),
        "{tested}"
    );
    assert_eq!(running.terminate().code(), Some(0));
}

#[test]
fn a10_two_demos_without_asterisk_exclude_each_other() {
    let place = Place::new();
    let mut first = Running::start(place.bare_command());
    first.until_ready();
    let before = place.record();
    for command in [place.bare_command(), place.command()] {
        let ended = run(command);
        assert_ne!(ended.code(), Some(0), "{}", ended.out);
        let demo = place.demo().display().to_string();
        assert!(
            ended.err.contains(&demo) && ended.err.contains("already") && ended.err.contains("--dir"),
            "{}",
            ended.err
        );
    }
    assert_eq!(place.record(), before);
    assert_eq!(first.terminate().code(), Some(0));
    once(place.bare_command());
}

#[test]
fn a10_the_demo_of_another_user_is_not_taken_over() {
    let place = Place::new();
    once(place.bare_command());
    if !rustix::process::geteuid().is_root() {
        // An ordinary user cannot give anything away; what is its own it goes on with.
        once(place.bare_command());
        return;
    }
    for name in ["sealing.key", "switchyard.db", "state", "pbx/etc", "pbx/config"] {
        let path = place.demo().join(name);
        chown(&path, Some(4711), None).unwrap();
        let ended = run(place.command());
        assert_ne!(ended.code(), Some(0), "{name}: {}", ended.out);
        assert!(
            ended
                .err
                .contains(&format!("{} belongs to uid 4711", path.display()))
                && ended.err.contains("--dir"),
            "{name}: {}",
            ended.err
        );
        chown(&path, Some(0), None).unwrap();
    }
    once(place.bare_command());
}
