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

fn generation(pjsip: StagedFile, extensions: StagedFile) -> BTreeMap<Artifact, StagedFile> {
    BTreeMap::from([(Artifact::Pjsip, pjsip), (Artifact::Extensions, extensions)])
}

fn tree() -> (tempfile::TempDir, FileTree) {
    let directory = tempfile::tempdir().unwrap();
    let tree = FileTree::new(directory.path(), PbxKind::Asterisk);
    (directory, tree)
}

fn whole(tree: &FileTree, files: &BTreeMap<Artifact, StagedFile>) -> BTreeMap<Artifact, Drifted> {
    tree.drifted(files, Closeness::Whole).unwrap()
}

fn edited(file: Artifact) -> BTreeMap<Artifact, Drifted> {
    BTreeMap::from([(file, Drifted::Edited)])
}

/// Two generations, of which the second is live.
fn two() -> (tempfile::TempDir, FileTree) {
    let (directory, tree) = tree();
    for number in [1, 2] {
        let texts = generation(text(&format!("a{number}"), false), text("b", false));
        tree.stage(number, texts).unwrap();
        tree.swap(number).unwrap();
    }
    (directory, tree)
}

fn foreign(tree: &FileTree) -> Vec<PathBuf> {
    let found = tree.foreign(0).unwrap().into_iter();
    found.map(|foreign| foreign.path).collect()
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
    assert!(staged.drifted.is_empty());
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
    assert_eq!(whole(&tree, &looked_at), BTreeMap::new());
    let staged = tree.stage(2, looked_at).unwrap();
    assert!(staged.drifted.is_empty());
    let expected = (Digest::of("head of old, a"), 14);
    assert_eq!(staged.files[&Artifact::Pjsip], expected);
    tree.swap(2).unwrap();
    assert_eq!(fs::metadata(&live).unwrap().ino(), inode);

    // One that changes is written as of today, and an edit is found all the same.
    let staged = tree.stage(3, generation(today(false), text("b", true))).unwrap();
    assert_eq!(staged.files[&Artifact::Pjsip].0, Digest::of("head of today, a"));
    fs::write(&live, "by hand").unwrap();
    let looked_at = generation(today(true), text("b", true));
    assert_eq!(whole(&tree, &looked_at), edited(Artifact::Pjsip));
    assert_eq!(tree.stage(4, looked_at).unwrap().drifted, edited(Artifact::Pjsip));
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
    assert_eq!(staged.drifted, edited(Artifact::Pjsip));
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
        Artifact::Pjsip,
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

#[test]
fn what_is_not_ours_is_named_left_alone_and_stops_no_cleaning() {
    let (directory, tree) = two();
    let at = |name: &str| directory.path().join("generations").join(name);
    fs::write(at("007"), "a file").unwrap();
    fs::write(at("0"), "a file of our kind of name").unwrap();
    fs::create_dir(at("backup")).unwrap();
    fs::write(at("backup/pjsip.conf"), "copied").unwrap();
    symlink("2", at("3")).unwrap();
    fs::write(at("1/extra.conf"), "mine").unwrap();
    // What a deploy left that was cut off.
    fs::create_dir(at(".9.new")).unwrap();
    fs::write(at(".9.new/pjsip.conf"), "half").unwrap();
    let named = ["0", "007", "1/extra.conf", "3", "backup"].map(at);
    assert_eq!(foreign(&tree), named);

    tree.keep_only(&[]).unwrap();
    assert_eq!(foreign(&tree), named, "all of it is there");
    assert_eq!(fs::read_to_string(at("backup/pjsip.conf")).unwrap(), "copied");
    assert!(!at("1/pjsip.conf").exists() && !at(".9.new").exists());
    assert_eq!(fs::read_to_string(at("2/pjsip.conf")).unwrap(), "a2");
}

#[test]
fn what_is_in_the_way_of_a_generation_is_moved_aside_and_not_removed() {
    let (directory, tree) = two();
    let at = |name: &str| directory.path().join("generations").join(name);
    fs::write(at("3"), "a file").unwrap();
    fs::write(at(".3.new"), "another").unwrap();
    fs::write(at("1/extra.conf"), "mine").unwrap();
    for number in [3, 1] {
        tree.stage(number, generation(text("new", false), text("b", false)))
            .unwrap();
        tree.swap(number).unwrap();
    }
    assert_eq!(
        foreign(&tree),
        [".3.new.foreign1", "1.foreign1", "3.foreign1"].map(at)
    );
    assert_eq!(fs::read_to_string(at("3.foreign1")).unwrap(), "a file");
    assert_eq!(fs::read_to_string(at("1.foreign1/extra.conf")).unwrap(), "mine");
    assert_eq!(fs::read_to_string(at("1/pjsip.conf")).unwrap(), "new");
}

#[test]
fn a_link_or_a_long_text_is_named_and_not_read() {
    let (directory, tree) = two();
    let at = |name: &str| directory.path().join(name);
    fs::write(at("long"), "x".repeat(11)).unwrap();
    fs::write(at("short"), "x".repeat(10)).unwrap();
    fs::write(at("binary"), [0xff]).unwrap();
    symlink(at("short"), at("a-link")).unwrap();
    let found = tree.foreign(10).unwrap();
    let texts: Vec<_> = found
        .iter()
        .filter_map(|foreign| foreign.text.as_deref())
        .collect();
    assert_eq!(texts, ["xxxxxxxxxx"]);
    assert_eq!(found.len(), 4);
    assert!(found[0].what.starts_with("a link to "), "{found:?}");
}

/// A glance costs nothing where nobody wrote anything.
#[test]
fn a_glance_reads_what_was_written_to_since_the_swap() {
    let (_directory, tree) = two();
    let wanted = generation(text("a2", true), text("other than was written", true));
    let glance = || tree.drifted(&wanted, Closeness::Touched).unwrap();
    let put = |file: Artifact, seconds: i64| {
        let moved = fs::symlink_metadata(tree.root.join("live"))
            .unwrap()
            .modified()
            .unwrap();
        let at = if seconds < 0 {
            moved - std::time::Duration::from_secs(seconds.unsigned_abs())
        } else {
            moved + std::time::Duration::from_secs(seconds.unsigned_abs())
        };
        File::open(tree.live(file)).unwrap().set_modified(at).unwrap();
    };
    put(Artifact::Pjsip, -1);
    put(Artifact::Extensions, -1);
    assert_eq!(glance(), BTreeMap::new());
    put(Artifact::Extensions, 1);
    assert_eq!(glance(), edited(Artifact::Extensions));
    assert_eq!(whole(&tree, &wanted), edited(Artifact::Extensions));
    fs::remove_file(tree.live(Artifact::Pjsip)).unwrap();
    assert_eq!(glance()[&Artifact::Pjsip], Drifted::Missing);
}
