//! Generations on a real disk: staged, swapped, kept and removed.

use super::*;
use std::os::unix::fs::MetadataExt;

fn text(text: &str, unchanged: bool) -> StagedFile {
    StagedFile {
        parts: vec![Part::Bytes(text.into())],
        unchanged,
    }
}

fn generation(pjsip: StagedFile, extensions: StagedFile) -> BTreeMap<ConfFile, StagedFile> {
    BTreeMap::from([(ConfFile::Pjsip, pjsip), (ConfFile::Extensions, extensions)])
}

fn tree() -> (tempfile::TempDir, FileTree) {
    let directory = tempfile::tempdir().unwrap();
    let tree = FileTree::new(directory.path());
    (directory, tree)
}

#[test]
fn nothing_is_live_before_the_swap() {
    let (directory, tree) = tree();
    tree.stage(1, generation(text("a", false), text("b", false)))
        .unwrap();
    assert_eq!(tree.standing().unwrap(), None);
    tree.swap(1).unwrap();
    assert_eq!(tree.standing().unwrap(), Some(1));
    assert_eq!(
        fs::read_to_string(directory.path().join("live/pjsip.conf")).unwrap(),
        "a"
    );
}

#[test]
fn nothing_is_moved_or_removed_once_the_warrant_is_withdrawn() {
    let (_directory, mut tree) = tree();
    let warrant = Warrant::default();
    tree.obey(warrant.clone());
    for number in [1, 2] {
        tree.stage(number, generation(text("a", false), text("b", false)))
            .unwrap();
    }
    tree.swap(1).unwrap();
    warrant.withdraw();
    assert!(tree.swap(2).is_err());
    assert!(
        tree.stage(3, generation(text("a", false), text("b", false)))
            .is_err()
    );
    assert!(tree.keep_only(&[]).is_err());
    assert_eq!(tree.standing().unwrap(), Some(1));
    assert!(tree.generation(2).exists() && !tree.generation(3).exists());
    // Whoever drives now is not held up by what was left.
    tree.obey(Warrant::default());
    tree.swap(2).unwrap();
    tree.keep_only(&[]).unwrap();
    assert_eq!(tree.standing().unwrap(), Some(2));
}

#[test]
fn a_kept_file_keeps_inode_and_mtime() {
    let (directory, tree) = tree();
    tree.stage(1, generation(text("a", false), text("b", false)))
        .unwrap();
    tree.swap(1).unwrap();
    let before = fs::metadata(directory.path().join("live/pjsip.conf")).unwrap();
    let staged = tree
        .stage(2, generation(text("a", true), text("c", false)))
        .unwrap();
    tree.swap(2).unwrap();
    let after = fs::metadata(directory.path().join("live/pjsip.conf")).unwrap();
    assert_eq!(
        (before.ino(), before.mtime_nsec()),
        (after.ino(), after.mtime_nsec())
    );
    assert_eq!(staged.drifted, []);
    assert_eq!(
        fs::read_to_string(directory.path().join("live/extensions.conf")).unwrap(),
        "c"
    );
}

#[test]
fn a_file_that_was_edited_in_place_is_written_anew_and_named() {
    let (directory, tree) = tree();
    tree.stage(1, generation(text("a", false), text("b", false)))
        .unwrap();
    tree.swap(1).unwrap();
    fs::write(directory.path().join("live/pjsip.conf"), "hand-edited").unwrap();
    let staged = tree
        .stage(2, generation(text("a", true), text("b", false)))
        .unwrap();
    assert_eq!(staged.drifted, [ConfFile::Pjsip]);
    tree.swap(2).unwrap();
    assert_eq!(
        fs::read_to_string(directory.path().join("live/pjsip.conf")).unwrap(),
        "a"
    );
}

#[test]
fn the_live_generation_is_never_rewritten_or_removed() {
    let (_directory, tree) = tree();
    tree.stage(1, generation(text("a", false), text("b", false)))
        .unwrap();
    tree.swap(1).unwrap();
    assert!(
        tree.stage(1, generation(text("x", false), text("y", false)))
            .is_err()
    );
    tree.stage(2, generation(text("x", false), text("y", false)))
        .unwrap();
    tree.keep_only(&[]).unwrap();
    assert_eq!(tree.standing().unwrap(), Some(1));
    assert!(tree.generation(1).exists() && !tree.generation(2).exists());
}

#[test]
fn a_damaged_fragment_fails_the_staging_and_leaves_the_live_one() {
    let (directory, tree) = tree();
    let fragment = directory.path().join("fragment");
    fs::write(&fragment, "damaged").unwrap();
    let part = Part::File {
        path: fragment,
        digest: Digest::of("whole"),
    };
    let files = BTreeMap::from([(
        ConfFile::Pjsip,
        StagedFile {
            parts: vec![part],
            unchanged: false,
        },
    )]);
    assert!(tree.stage(1, files).is_err());
    assert_eq!(tree.standing().unwrap(), None);
    assert!(!tree.generation(1).exists());
}

#[test]
fn files_are_for_owner_and_group_only() {
    let (_directory, tree) = tree();
    tree.stage(1, generation(text("a", false), text("b", false)))
        .unwrap();
    let mode = fs::metadata(tree.generation(1).join("pjsip.conf"))
        .unwrap()
        .mode();
    assert_eq!(mode & 0o777 & !0o640, 0);
}
