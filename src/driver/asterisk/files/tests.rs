//! Generations on a real disk: staged, swapped, kept and removed.

use super::*;
use std::os::unix::fs::MetadataExt;

fn text(text: &str, unchanged: bool) -> StagedFile {
    StagedFile {
        parts: vec![Part::Bytes(text.into())],
        unchanged,
        written: None,
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

/// As another version of the program wrote it.
#[test]
fn an_unchanged_file_stays_as_it_was_written_whatever_its_pieces_give_today() {
    let (directory, tree) = tree();
    tree.stage(1, generation(text("head of old, a", false), text("b", false)))
        .unwrap();
    tree.swap(1).unwrap();
    let live = directory.path().join("live/pjsip.conf");
    let inode = fs::metadata(&live).unwrap().ino();
    let today = |unchanged| StagedFile {
        written: Some(Digest::of("head of old, a")),
        ..text("head of today, a", unchanged)
    };
    let looked_at = generation(today(true), text("b", true));
    assert_eq!(tree.drifted(&looked_at).unwrap(), []);
    let staged = tree.stage(2, looked_at).unwrap();
    assert_eq!(staged.drifted, []);
    let expected = (Digest::of("head of old, a"), 14);
    assert_eq!(staged.files[&ConfFile::Pjsip], expected);
    tree.swap(2).unwrap();
    assert_eq!(fs::metadata(&live).unwrap().ino(), inode);

    // One that changes is written as of today, and an edit is found all the same.
    let staged = tree.stage(3, generation(today(false), text("b", true))).unwrap();
    assert_eq!(staged.files[&ConfFile::Pjsip].0, Digest::of("head of today, a"));
    fs::write(&live, "by hand").unwrap();
    let looked_at = generation(today(true), text("b", true));
    assert_eq!(tree.drifted(&looked_at).unwrap(), [ConfFile::Pjsip]);
    assert_eq!(tree.stage(4, looked_at).unwrap().drifted, [ConfFile::Pjsip]);
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
            written: None,
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
