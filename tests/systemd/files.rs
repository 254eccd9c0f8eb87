//! The user and the directories, made in a root of their own.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use super::root::{Root, is_root, said};

/// The fields of a line of `passwd` or `group`.
fn line_of(list: &str, name: &str) -> Vec<String> {
    let line = list.lines().find(|line| line.starts_with(&format!("{name}:")));
    let line = line.unwrap_or_else(|| panic!("no {name} in {list}"));
    line.split(':').map(str::to_owned).collect()
}

#[test]
fn the_user_is_made_once_and_cannot_sign_in() {
    let root = Root::staged();
    for _ in 0..2 {
        let made = root.run_as_root("systemd-sysusers", &["switchyard.conf"]);
        assert!(made.status.success(), "{}", said(&made));
    }
    let users = fs::read_to_string(root.path("etc/passwd")).unwrap();
    assert_eq!(users.matches("switchyard:x:").count(), 1, "{users}");
    let user = line_of(&users, "switchyard");
    assert!(user[6].ends_with("/nologin"), "{user:?}");
    assert_eq!(user[5], "/var/lib/switchyard");
    let groups = fs::read_to_string(root.path("etc/group")).unwrap();
    assert_eq!(line_of(&groups, "switchyard")[2], user[3]);
}

#[test]
fn directories_and_key_are_closed_to_others() {
    let root = Root::staged();
    // An ordinary user can give files to nobody else.
    let id = if is_root() { 990 } else { 0 };
    root.put(
        "etc/passwd",
        format!("root:x:0:0::/root:/bin/sh\nswitchyard:x:{id}:{id}::/:/bin/sh\n"),
    );
    root.put("etc/group", format!("root:x:0:\nswitchyard:x:{id}:\n"));
    root.put("etc/switchyard/sealing.key", "0".repeat(64));
    let made = root.run_as_root("systemd-tmpfiles", &["--create", "switchyard.conf"]);
    assert!(made.status.success(), "{}", said(&made));
    let me = rustix::process::geteuid().as_raw();
    for (place, mode, user, group) in [
        ("etc/switchyard", 0o750, 0, id),
        ("etc/switchyard/templates", 0o755, 0, 0),
        ("etc/switchyard/sealing.key", 0o400, 0, 0),
        ("var/lib/switchyard", 0o750, id, id),
    ] {
        let found = fs::metadata(root.path(place)).unwrap();
        assert_eq!(found.mode() & 0o7777, mode, "{place}");
        if is_root() {
            assert_eq!((found.uid(), found.gid()), (user, group), "{place}");
        } else {
            assert_eq!(found.uid(), me, "{place}");
        }
    }
}
