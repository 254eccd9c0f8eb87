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
    let root = directory.path().join("spool").to_str().unwrap().parse().unwrap();
    without_rights(move || {
        let spool = Spool::new(root, PbxKind::Asterisk);
        spool.told(spool.standing(), "asterisk")
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
        spool.told(spool.standing(), "asterisk")
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
