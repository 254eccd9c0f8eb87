//! What is said of directories that the service may work in, and of those that it may not.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use rustix::process::Uid;
use rustix::thread::set_thread_res_uid;
use tempfile::TempDir;

use super::super::tests::without_rights;
use super::*;

/// What stands in the way, as the check tells it; whoever runs this, no more may be done than the modes say.
fn found(directory: &TempDir) -> Check {
    found_as(directory, None, PbxKind::Asterisk, ENOUGH)
}

fn found_as(directory: &TempDir, own: Option<Uid>, kind: PbxKind, limits: Limits) -> Check {
    let root = directory.path().join("spool").to_str().unwrap().parse().unwrap();
    without_rights(move || {
        let spool = Spool::new(root, kind);
        spool.told(spool.standing(own, limits), "asterisk")
    })
}

fn spool() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let domain = directory.path().join("spool/acme.example.com");
    fs::create_dir_all(domain.join("archive")).unwrap();
    fs::write(domain.join("1.0.wav"), "sound").unwrap();
    (directory, domain)
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a13_a_directory_that_all_may_be_done_in_is_said_to_be_so() {
    let (directory, domain) = spool();
    // Beside the domains' own, what is not a PBX's: a disk has it.
    let others = domain.with_file_name("lost+found");
    fs::create_dir(&others).unwrap();
    set_mode(&others, 0);
    // Nor is all that is in one a recording.
    let notes = domain.join("notes.txt");
    fs::write(&notes, "").unwrap();
    set_mode(&notes, 0);
    // Nothing is removed from the one that holds them.
    set_mode(domain.parent().unwrap(), 0o555);
    let check = found(&directory);
    set_mode(domain.parent().unwrap(), 0o755);
    assert!(check.ok && check.mend.is_none(), "{check:?}");
    assert!(check.detail.contains("can be played and removed"), "{check:?}");
    fs::remove_dir_all(&domain).unwrap();
    let check = found(&directory);
    assert!(
        check.ok && check.detail.contains("nothing is recorded"),
        "{check:?}"
    );
}

#[test]
fn a13_what_may_be_played_and_not_removed_is_told_with_what_to_type() {
    let (directory, domain) = spool();
    for place in [domain.join("archive"), domain.clone()] {
        set_mode(&place, 0o555);
        let check = found(&directory);
        set_mode(&place, 0o755);
        let mend = check.mend.unwrap();
        let root = domain.parent().unwrap().display();
        assert!(
            check.ok && check.detail.contains(place.to_str().unwrap()),
            "{}",
            check.detail
        );
        assert!(
            mend.contains("`setfacl -R -m u:") && mend.contains(&format!(":rwX {root}`")),
            "{mend}"
        );
    }
}

#[test]
fn a12_what_cannot_be_read_fails_the_check() {
    let (directory, domain) = spool();
    let file = domain.join("1.0.wav");
    let root = domain.parent().unwrap();
    // It may list, and not go in; go in, and not list; neither.
    for (place, mode) in [(&*file, 0), (&*domain, 0o444), (&*domain, 0o111), (root, 0)] {
        set_mode(place, mode);
        let check = found(&directory);
        set_mode(place, 0o755);
        assert!(
            !check.ok && check.detail.contains("cannot be read"),
            "{place:?}: {check:?}"
        );
    }
}

#[test]
fn a12_what_a_pbx_records_beside_the_domains_own_is_nobodys() {
    let (directory, domain) = spool();
    let root = domain.parent().unwrap();
    let lie_flat = |numbers: std::ops::Range<u128>| {
        for number in numbers {
            let file = root.join(format!("{}.wav", uuid::Uuid::from_u128(number)));
            fs::write(&file, "sound").unwrap();
            set_mode(&file, 0);
        }
    };
    // Before and behind it, in whichever order a disk tells them.
    lie_flat(0..100);
    fs::remove_dir_all(&domain).unwrap();
    fs::create_dir(&domain).unwrap();
    lie_flat(100..200);
    let few = Limits { tried: 1, ..ENOUGH };
    let found = || found_as(&directory, None, PbxKind::FreeSwitch, few);
    let check = found();
    assert!(check.ok && check.mend.is_none(), "{check:?}");
    set_mode(&domain, 0o555);
    let check = found();
    set_mode(&domain, 0o755);
    assert!(check.detail.contains(domain.to_str().unwrap()), "{check:?}");
}

#[test]
fn a13_that_nothing_is_recorded_is_said_only_where_that_was_seen() {
    let (directory, domain) = spool();
    let late = Limits {
        time: Duration::ZERO,
        ..ENOUGH
    };
    let none = Limits { tried: 0, ..ENOUGH };
    for limits in [late, none] {
        let check = found_as(&directory, None, PbxKind::Asterisk, limits);
        let mend = check.mend.unwrap();
        assert!(
            check.ok && check.detail.contains("could not be looked at in time"),
            "{}",
            check.detail
        );
        assert!(mend.contains("disk"), "{mend}");
    }
    // Nor that it can be played: no link is followed.
    let elsewhere = directory.path().join("elsewhere");
    fs::rename(&domain, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &domain).unwrap();
    let check = found(&directory);
    assert!(
        check.ok && check.detail.contains("nothing is recorded"),
        "{check:?}"
    );
}

#[test]
fn a13_in_a_sticky_directory_only_what_is_ones_own_can_be_removed() {
    let (directory, domain) = spool();
    set_mode(&domain, 0o1777);
    let anothers = Uid::from_raw(rustix::process::geteuid().as_raw() ^ 1);
    let check = found_as(&directory, Some(anothers), PbxKind::Asterisk, ENOUGH);
    let mend = check.mend.unwrap();
    let root = domain.parent().unwrap().display();
    assert!(
        check.ok && check.detail.contains(domain.to_str().unwrap()),
        "{}",
        check.detail
    );
    assert!(mend.contains(&format!("`chmod -R a-t {root}`")), "{mend}");
    let own = Some(rustix::process::geteuid());
    for (own, mode) in [(own, 0o1777), (None, 0o1777), (Some(anothers), 0o777)] {
        set_mode(&domain, mode);
        let check = found_as(&directory, own, PbxKind::Asterisk, ENOUGH);
        assert!(check.ok && check.mend.is_none(), "{own:?} {mode:o}: {check:?}");
    }
}

#[test]
fn a12_a_directory_that_cannot_be_read_beside_others_may_be_of_nobody_here() {
    let (directory, domain) = spool();
    let other = domain.with_file_name("old.example");
    fs::create_dir(&other).unwrap();
    set_mode(&other, 0);
    let check = found(&directory);
    set_mode(&domain, 0o555);
    let kept = found(&directory);
    set_mode(&domain, 0);
    let neither = found(&directory);
    set_mode(&domain, 0o755);
    set_mode(&other, 0o755);
    assert!(
        check.ok && check.detail.contains(other.to_str().unwrap()),
        "{check:?}"
    );
    assert!(check.mend.unwrap().contains("`setfacl -R -m u:"));
    assert!(
        kept.ok && kept.detail.contains(domain.to_str().unwrap()),
        "{kept:?}"
    );
    assert!(
        !neither.ok && neither.detail.contains("cannot be read"),
        "{neither:?}"
    );
}

#[test]
fn a13_a_directory_that_another_user_would_make_is_told_before_it_is_there() {
    let (directory, domain) = spool();
    fs::remove_dir_all(domain.parent().unwrap()).unwrap();
    let check = found(&directory);
    assert!(check.ok && check.mend.is_none(), "it is ours to make: {check:?}");
    let root: AbsolutePath = "/no-such-directory/spool".parse().unwrap();
    let another = std::thread::spawn(move || {
        if rustix::process::geteuid().is_root() {
            let nobody = Uid::from_raw(65_534);
            set_thread_res_uid(nobody, nobody, nobody).unwrap();
        }
        let spool = Spool::new(root, PbxKind::Asterisk);
        spool.told(spool.standing(own(), ENOUGH), "asterisk")
    });
    let check = another.join().unwrap();
    let mend = check.mend.unwrap();
    assert!(
        check.ok && mend.contains("`install -d -o asterisk -g asterisk -m 2770 /no-such-directory/spool`"),
        "{mend}"
    );
}

#[test]
fn a13_a_file_system_that_nothing_can_be_written_to_is_the_units_to_open() {
    let (directory, _) = spool();
    let root = directory.path().to_str().unwrap().parse().unwrap();
    let spool = Spool::new(root, PbxKind::Asterisk);
    let check = spool.told(Ok(Standing::Kept("/srv/x".to_owned(), Errno::ROFS)), "asterisk");
    let mend = check.mend.unwrap();
    assert!(
        check.ok && mend.contains("`ReadWritePaths`") && mend.contains("`systemctl restart switchyard`"),
        "{mend}"
    );
}

#[tokio::test]
async fn a12_an_instance_without_recordings_has_no_such_check() {
    assert!(check(None, PbxKind::Asterisk, "asterisk").await.is_none());
    let (directory, _) = spool();
    let root = directory.path().join("spool").to_str().unwrap().parse().unwrap();
    let found = check(Some(&root), PbxKind::Asterisk, "asterisk").await.unwrap();
    assert_eq!((found.name, found.ok), ("recordings_dir", true));
}
