//! Data of an ordinary user: root's command line leaves nothing there that this user cannot write, and what is closed to
//! that user is named.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use rustix::process::geteuid;
use serde_json::Value;

use super::host::{ACME, Host};
use super::serve::Daemon;

/// Whose data it is: `nobody`'s where root runs the tests, else that of whoever does.
fn user() -> u32 {
    if geteuid().is_root() {
        65534
    } else {
        geteuid().as_raw()
    }
}

/// Everything below a directory, and the directory.
fn below(path: &Path) -> Vec<PathBuf> {
    let mut all = vec![path.to_owned()];
    if fs::symlink_metadata(path).unwrap().is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            all.extend(below(&entry.unwrap().path()));
        }
    }
    all
}

/// A host whose data belongs to that user, and whose sealing key only the one who runs the tests can read.
fn host() -> Host {
    let host = Host::with_tenant();
    if geteuid().is_root() {
        for path in below(&host.path("")) {
            chown(path, Some(user()), Some(user())).unwrap();
        }
        chown(host.path("sealing.key"), Some(0), Some(0)).unwrap();
    }
    let mode = fs::metadata(host.path("sealing.key")).unwrap().mode();
    assert_eq!(mode & 0o077, 0);
    host
}

#[track_caller]
fn assert_all_is_the_users(host: &Host) {
    let key = host.path("sealing.key");
    let others: Vec<PathBuf> = below(&host.path(""))
        .into_iter()
        .filter(|path| *path != key && fs::symlink_metadata(path).unwrap().uid() != user())
        .collect();
    assert!(others.is_empty(), "{others:?}");
}

#[test]
fn commands_of_root_leave_only_files_of_the_datas_user() {
    let host = host();
    host.add_extension("1001", "Ann");
    assert_all_is_the_users(&host);
    host.ok(&["db", "migrate"]);
    let deployed = host.run(&["deploy", "apply", "--instance", "pbx1"]);
    assert_eq!(deployed.code, 9, "{deployed:?}");
    assert!(host.path("state").is_dir() && host.path("config-pbx1/generations").is_dir());
    assert_all_is_the_users(&host);
}

#[test]
fn a_database_is_made_for_the_user_whose_directory_it_is_made_in() {
    let host = Host::bare();
    if geteuid().is_root() {
        chown(host.path(""), Some(user()), Some(user())).unwrap();
    }
    host.ok(&["db", "migrate"]);
    assert_eq!(fs::metadata(host.path("switchyard.db")).unwrap().uid(), user());
}

#[test]
fn root_beside_the_daemon_of_another_user_shares_its_journal() {
    let mut host = host();
    let daemon = Daemon::start(&mut host);
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
    let runs_as = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap();
    assert!(
        runs_as.split_whitespace().all(|uid| uid == user().to_string()),
        "{runs_as}"
    );
    for number in ["1001", "1002", "1003"] {
        host.add_extension(number, "Ann");
    }
    assert!(host.path("switchyard.db-wal").exists(), "the journal is in use");
    assert_all_is_the_users(&host);
    assert_eq!(daemon.stop(), Some(0));
    assert_all_is_the_users(&host);
    let list = host.json(&["extension", "list", "--tenant", ACME]);
    assert_eq!(list["meta"]["total"], 3);
}

fn check<'a>(tested: &'a Value, name: &str) -> &'a Value {
    let checks = tested["checks"].as_array().unwrap();
    checks.iter().find(|check| check["name"] == name).unwrap()
}

#[test]
fn a_directory_or_a_log_that_is_closed_to_the_user_is_named_with_what_to_type() {
    let host = host();
    let directory = host.path("config-closed");
    let log = host.file("closed.log", "");
    host.add_instance_with("closed", &["--log-file", &log]);
    let shown = directory.display().to_string();
    // Made by whoever runs the tests: root's are closed to another user by their owner, one's own by their mode.
    fs::set_permissions(&directory, Permissions::from_mode(0o555)).unwrap();
    fs::set_permissions(&log, Permissions::from_mode(0o000)).unwrap();
    let ended = host.run(&["--json", "instance", "test", "closed"]);
    let tested: Value = serde_json::from_str(&ended.out).unwrap();
    let writing = check(&tested, "config_dir_writable");
    assert_eq!(writing["ok"], false, "{tested}");
    let detail = writing["detail"].as_str().unwrap();
    assert!(
        detail.contains(&format!("{shown}: ")) && detail.contains("Permission denied"),
        "{detail}"
    );
    let mend = writing["mend"].as_str().unwrap();
    assert!(
        mend.contains(&format!("chown -R {}:asterisk {shown}", user())),
        "{mend}"
    );
    let reading = check(&tested, "log_file");
    assert_eq!(reading["ok"], false, "{tested}");
    assert!(reading["detail"].as_str().unwrap().contains(&log), "{tested}");
    assert!(
        reading["mend"]
            .as_str()
            .unwrap()
            .contains(&format!("setfacl -m u:{}", user())),
        "{tested}"
    );

    let deployed = host.run(&["deploy", "apply", "--instance", "closed"]);
    assert_ne!(deployed.code, 0);
    fs::set_permissions(&directory, Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn templates_that_are_closed_to_the_datas_user_are_not_taken_for_absent() {
    let mut host = host();
    let file = host.file("closed/templates/asterisk/voicemail.conf", "; mine\n");
    fs::set_permissions(file, Permissions::from_mode(0o644)).unwrap();
    let closed = host.path("closed");
    let mode = |mode| fs::set_permissions(&closed, Permissions::from_mode(mode)).unwrap();
    let directory = closed.join("templates").display().to_string();
    host.set("SWITCHYARD_TEMPLATES_DIR", &directory);
    // Root's own, as `install -d -m 0750` makes it; where nobody is root, closed to its owner.
    mode(if geteuid().is_root() { 0o750 } else { 0o000 });
    for command in [&["config", "check"][..], &["templates", "check"], &["serve"]] {
        let said = host.refused(4, command);
        assert!(said.contains(&directory), "{command:?}: {said}");
        assert!(
            said.contains("Permission denied") && said.contains("chmod g+rx"),
            "{said}"
        );
    }
    let planned = host.run(&["deploy", "plan", "--tenant", ACME]);
    assert_eq!(planned.code, 6, "{planned:?}");
    assert!(
        planned.out.contains(&format!(
            "cannot read the templates in {directory}: Permission denied"
        )),
        "{planned:?}"
    );
    assert!(
        planned.out.contains("give the daemon's user access"),
        "{planned:?}"
    );
    assert!(
        planned
            .out
            .starts_with("pbx1: nothing was deployed yet; a deploy would be rejected\n"),
        "{planned:?}"
    );
    assert!(planned.err.contains("a deploy would be rejected"), "{planned:?}");
    mode(0o755);
    host.ok(&["config", "check"]);
    let checked = host.ok(&["templates", "check"]);
    assert!(checked.contains("your own"), "{checked}");
}
