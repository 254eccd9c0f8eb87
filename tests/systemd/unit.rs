//! The unit: nothing in it is unknown to systemd, it stays as locked up as it is, and it agrees with the program.

use std::fs;
use std::process::Command;

use switchyard::config::keys::KEYS;

use super::root::{Root, committed, ended, said};

/// In tenths of the points of `systemd-analyze security`: 0 is locked up, 100 is bare.
const MOST_EXPOSED: &str = "--threshold=25";

/// The values of a setting, in order.
fn values(setting: &str) -> Vec<String> {
    let unit = fs::read_to_string(committed("switchyard.service")).unwrap();
    let prefix = format!("{setting}=");
    unit.lines()
        .filter_map(|line| line.strip_prefix(&prefix))
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_unit_is_verified() {
    let root = Root::staged();
    for target in ["sysinit", "basic", "shutdown", "network-online", "multi-user"] {
        let place = format!("usr/lib/systemd/system/{target}.target");
        root.put(&place, "[Unit]\nDescription=of every host\n");
    }
    let verify = ["verify", "switchyard.service"];
    let without = root.run("systemd-analyze", &verify);
    assert!(!without.status.success(), "it did not look for the program");
    let program = root.path("usr/bin/switchyard");
    fs::create_dir_all(program.parent().unwrap()).unwrap();
    fs::copy(env!("CARGO_BIN_EXE_switchyard"), program).unwrap();
    let verified = root.run("systemd-analyze", &verify);
    assert!(verified.status.success(), "{}", said(&verified));
    // A setting that it does not know is a warning only.
    assert_eq!(said(&verified), "");
}

/// Tells a warning from silence, for the test above.
#[test]
fn an_unknown_setting_would_be_told() {
    let root = Root::staged();
    root.put("usr/bin/switchyard", "");
    let unit = fs::read_to_string(committed("switchyard.service")).unwrap();
    let unit = unit.replace("\nProtectHome=", "\nProtectHouse=");
    root.put("etc/systemd/system/switchyard.service", unit);
    let verified = root.run("systemd-analyze", &["verify", "switchyard.service"]);
    assert!(said(&verified).contains("ProtectHouse"), "{}", said(&verified));
}

fn security(unit: &std::path::Path) -> (bool, String) {
    let mut command = Command::new("timeout");
    command.args([
        "10",
        "systemd-analyze",
        "security",
        "--no-pager",
        "--offline=true",
    ]);
    let output = ended("systemd-analyze", command.arg(MOST_EXPOSED).arg(unit));
    (output.status.success(), said(&output))
}

#[test]
fn the_service_is_locked_up() {
    let (locked_up, said) = security(&committed("switchyard.service"));
    assert!(locked_up, "{said}");
    let directory = tempfile::tempdir().unwrap();
    let bare = directory.path().join("bare.service");
    fs::write(&bare, "[Service]\nExecStart=/usr/bin/switchyard serve\n").unwrap();
    assert!(!security(&bare).0, "it lets everything pass");
}

#[test]
fn every_credential_is_the_name_of_a_secret() {
    let credentials = values("LoadCredential");
    assert!(!credentials.is_empty());
    for credential in credentials {
        let (name, path) = credential.split_once(':').unwrap();
        let key = KEYS.iter().find(|key| key.name == name);
        assert!(key.is_some_and(|key| key.secret), "{credential}");
        assert!(path.starts_with("/etc/switchyard/"), "{credential}");
    }
}

/// The private Asterisk runs in namespaces of its own, and in the service's control group.
#[test]
fn the_shadow_gets_what_it_needs() {
    assert_eq!(values("RestrictNamespaces"), ["user net"]);
    assert_eq!(values("KillMode"), ["mixed"]);
    let calls = values("SystemCallFilter");
    // The last word counts.
    assert_eq!(calls.last().map(String::as_str), Some("capset"), "{calls:?}");
}

/// Longer than the half minute that tasks get to finish, and the five seconds to be gone.
#[test]
fn systemd_waits_for_the_soft_stop() {
    let seconds: u64 = values("TimeoutStopSec")[0].parse().unwrap();
    assert!(seconds > 35, "{seconds}");
}
