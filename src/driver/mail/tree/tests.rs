//! Which directory it is, and what in it is a mail box.

use std::fs;
use std::time::UNIX_EPOCH;

use tempfile::TempDir;

use super::*;

const ACME: &str = "acme.example.com";

fn tree() -> (TempDir, MailTree) {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("voicemail");
    fs::create_dir_all(root.join(ACME)).unwrap();
    (directory, MailTree::new(root))
}

#[test]
fn a46_a_directory_that_was_made_anew_is_another_one_unless_its_operator_says_otherwise() {
    let (directory, tree) = tree();
    let place = || tree.placed().unwrap().unwrap();
    let before = place();
    assert_eq!(place(), before);
    // It is still there: its number is not given again.
    fs::rename(tree.root(), directory.path().join("before")).unwrap();
    fs::create_dir(tree.root()).unwrap();
    assert_ne!(place().mark, before.mark);
    // The root of each disk has the same number: when it was made tells, where that is known.
    if let Ok(made) = fs::metadata(tree.root()).unwrap().created() {
        let made = made.duration_since(UNIX_EPOCH).unwrap();
        let told = format!(" of {}.{:09} ", made.as_secs(), made.subsec_nanos());
        assert!(place().mark.contains(&told), "{} {told}", place().mark);
    }
    let word = tree.root().join(BELIEVED);
    fs::create_dir(&word).unwrap();
    assert!(!place().is_believed);
    fs::remove_dir(&word).unwrap();
    fs::write(&word, "something").unwrap();
    assert!(!place().is_believed);
    fs::write(&word, "").unwrap();
    assert!(place().is_believed);
}

#[test]
fn a20_what_is_no_extensions_box_is_no_mail_box() {
    let (_directory, tree) = tree();
    for name in ["1001", "sales", "..", "1001 ", "*98", "911", "123456789"] {
        fs::create_dir_all(tree.root().join(ACME).join(name)).unwrap();
    }
    let mailboxes = tree.boxes(&ACME.parse().unwrap()).unwrap();
    assert_eq!(mailboxes, Some(vec!["1001".parse().unwrap()]));
}

#[test]
fn a20_a_disk_that_is_mounted_among_the_mail_boxes_is_no_directory_of_theirs() {
    let root = File::open("/").unwrap();
    for answer in [
        within(&root, "proc"),
        within(&root, "proc/self"),
        readable(&root, "proc"),
    ] {
        let error = answer.unwrap_err().to_string();
        assert!(error.contains("a disk is mounted at proc"), "{error}");
    }
}
