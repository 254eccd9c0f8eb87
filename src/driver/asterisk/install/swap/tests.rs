//! Changes of several files as one, over real files.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use rustix::fs::{XattrFlags, getxattr, setxattr};

use super::super::content::Standing;
use super::super::{backup, place};
use super::*;

/// Of a file as it is; where there is none, as an ordinary new one.
fn change(path: PathBuf, after: Option<&str>) -> Change {
    let own = Standing {
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
        mode: 0o640,
    };
    let found = place::find(&path).unwrap();
    let bytes = after.map(|text| text.as_bytes().to_vec());
    Change::File(FileChange {
        backup: found.as_ref().map(backup::place_for),
        after: bytes.map(|bytes| match &found {
            Some(found) => found.content.with(bytes),
            None => Content::new(bytes, own),
        }),
        before: found.map(|found| found.content),
        path,
        shown: Shown::Changed,
    })
}

fn directory(path: PathBuf) -> Change {
    let change = DirectoryChange {
        path,
        before: None,
        after: Some(Standing {
            uid: rustix::process::geteuid().as_raw(),
            gid: rustix::process::getegid().as_raw(),
            mode: 0o2750,
        }),
        below: Vec::new(),
    };
    change.into()
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn all_is_changed_and_each_state_before_is_kept() {
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name);
    fs::write(at("a"), "one").unwrap();
    fs::set_permissions(at("a"), fs::Permissions::from_mode(0o604)).unwrap();
    let _ = swap(vec![change(at("a"), Some("two")), change(at("b"), Some("new"))]).unwrap();
    let _ = swap(vec![change(at("a"), Some("three"))]).unwrap();
    assert_eq!(fs::read(at("a")).unwrap(), b"three");
    assert_eq!(fs::read(at("a.before-switchyard")).unwrap(), b"one");
    assert_eq!(fs::read(at("a.before-switchyard.2")).unwrap(), b"two");
    for (name, mode) in [("a", 0o604), ("a.before-switchyard", 0o604), ("b", 0o640)] {
        assert_eq!(fs::metadata(at(name)).unwrap().mode() & 0o7777, mode, "{name}");
    }
    // As it was at first: what is kept already is not kept twice.
    fs::write(at("a"), "one").unwrap();
    let _ = swap(vec![change(at("a"), Some("four"))]).unwrap();
    let all = ["a", "a.before-switchyard", "a.before-switchyard.2", "b"];
    assert_eq!(names(home.path()), all);
}

#[test]
fn one_failure_puts_all_back() {
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name);
    fs::write(at("a"), "one").unwrap();
    fs::write(at("c"), "as it was").unwrap();
    let changes = || {
        vec![
            directory(at("d")),
            change(at("a"), Some("two")),
            change(at("b"), Some("new")),
        ]
    };
    let mut late = changes();
    late.push(change(at("c"), Some("other")));
    fs::write(at("c"), "changed by somebody").unwrap();
    let mut early = changes();
    early.push(change(at("nowhere/e"), Some("x")));
    for changes in [late, early] {
        let error = swap(changes).err().unwrap();
        assert!(error.to_string().contains("everything is as it was"), "{error}");
        assert_eq!(names(home.path()), ["a", "c"]);
        assert_eq!(fs::read(at("a")).unwrap(), b"one");
    }
    let swapped = swap(changes()).unwrap();
    assert_eq!(fs::metadata(at("d")).unwrap().mode() & 0o7777, 0o2750);
    assert_eq!(swapped.undo(), Vec::<String>::new());
    assert_eq!(names(home.path()), ["a", "c"]);
}

#[test]
fn what_somebody_changed_meanwhile_is_not_written_over_by_putting_back() {
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name);
    for name in ["a", "b", "gone", "mode"] {
        fs::write(at(name), "one").unwrap();
    }
    let changes = vec![
        change(at("a"), Some("two")),
        change(at("b"), Some("two")),
        change(at("mode"), Some("two")),
        change(at("new"), Some("two")),
        change(at("gone"), None),
        directory(at("d")),
    ];
    let swapped = swap(changes).unwrap();
    for name in ["a", "new", "gone"] {
        fs::write(at(name), "somebody's").unwrap();
    }
    fs::set_permissions(at("mode"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(at("d/file"), "somebody's").unwrap();
    let left = swapped.undo();
    assert_eq!(left.len(), 5, "{left:?}");
    for name in ["a", "new", "gone", "d/file"] {
        assert_eq!(fs::read(at(name)).unwrap(), b"somebody's", "{name}");
    }
    assert_eq!(fs::read(at("mode")).unwrap(), b"two");
    assert_eq!(fs::metadata(at("mode")).unwrap().mode() & 0o777, 0o600);
    assert_eq!(fs::read(at("b")).unwrap(), b"one");
    // What could not be put back is still there as it was, and is named.
    for name in ["a", "gone", "mode"] {
        let copy = at(&format!("{name}.before-switchyard"));
        assert_eq!(fs::read(&copy).unwrap(), b"one", "{name}");
        let named = copy.display().to_string();
        assert!(left.iter().any(|words| words.contains(&named)), "{left:?}");
    }
    assert!(!at("b.before-switchyard").exists() && !at("new.before-switchyard").exists());
}

/// `user::rw-, user:USER:r--, group::r--, mask::r--, other::---`, as Linux keeps it.
fn acl(user: u32) -> Vec<u8> {
    let mut acl = 2_u32.to_le_bytes().to_vec();
    for (tag, rights, id) in [
        (1_u16, 6_u16, u32::MAX),
        (2, 4, user),
        (4, 4, u32::MAX),
        (0x10, 4, u32::MAX),
        (0x20, 0, u32::MAX),
    ] {
        acl.extend(tag.to_le_bytes());
        acl.extend(rights.to_le_bytes());
        acl.extend(id.to_le_bytes());
    }
    acl
}

const ACL: &str = "system.posix_acl_access";

fn attribute(path: &Path, name: &str) -> Option<Vec<u8>> {
    let mut value = vec![0; 1024];
    let length = getxattr(path, name, &mut value).ok()?;
    value.truncate(length);
    Some(value)
}

#[test]
fn who_may_use_a_file_by_its_acl_may_still_and_nobody_else() {
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name);
    for name in ["listed", "plain"] {
        fs::write(at(name), "one").unwrap();
        fs::set_permissions(at(name), fs::Permissions::from_mode(0o640)).unwrap();
    }
    let set = |path: &Path, name: &str, value: &[u8]| {
        setxattr(path, name, value, XattrFlags::empty()).unwrap();
    };
    set(&at("listed"), ACL, &acl(12345));
    set(&at("listed"), "user.note", b"mine");
    // What the directory gives to new files is not what these had.
    set(home.path(), "system.posix_acl_default", &acl(54321));
    let changes = || {
        vec![
            change(at("listed"), Some("two")),
            change(at("plain"), Some("two")),
            change(at("new"), Some("new")),
        ]
    };
    let kept = |names: &[&str]| {
        for name in names {
            let has = |attribute_name| attribute(&at(name), attribute_name);
            assert_eq!(fs::metadata(at(name)).unwrap().mode() & 0o777, 0o640, "{name}");
            if name.starts_with("listed") {
                assert_eq!(has(ACL), Some(acl(12345)), "{name}");
                assert_eq!(has("user.note").as_deref(), Some(&b"mine"[..]), "{name}");
            } else {
                assert_eq!(has(ACL), None, "{name}");
            }
        }
    };
    let swapped = swap(changes()).unwrap();
    kept(&[
        "listed",
        "plain",
        "listed.before-switchyard",
        "plain.before-switchyard",
    ]);
    assert_eq!(attribute(&at("new"), ACL), Some(acl(54321)));
    assert_eq!(swapped.undo(), Vec::<String>::new());
    assert_eq!(fs::read(at("listed")).unwrap(), b"one");
    kept(&["listed", "plain"]);
}
