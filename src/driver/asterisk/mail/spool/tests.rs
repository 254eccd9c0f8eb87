//! What is found in a directory of mail boxes, what is not reached by it, and what a removal leaves.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;

use jiff::Timestamp;
use rustix::fs::{CWD, FileType, Mode};
use tempfile::TempDir;

use super::*;
use crate::domain::call_text::CallText;

mod moved;
mod sound;

const ACME: &str = "acme.example.com";

struct Bench {
    directory: TempDir,
    tree: MailTree,
}

impl Bench {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("voicemail");
        fs::create_dir_all(root.join(ACME)).unwrap();
        let tree = MailTree::new(root);
        Self { directory, tree }
    }

    const fn spool(&self) -> MailSpool<'_> {
        MailSpool(&self.tree)
    }

    fn folder(&self, mailbox: &str, folder: &str) -> PathBuf {
        let path = self.tree.root().join(ACME).join(mailbox).join(folder);
        fs::create_dir_all(&path).unwrap();
        path
    }

    /// A message of one minute after the number-th hour of time.
    fn leave(&self, mailbox: &str, folder: &str, number: usize) {
        let path = self.folder(mailbox, folder);
        let text = format!(
            "[message]\ncallerid=\"Ann\" <100{number}>\norigtime={}\nmsg_id=1795969239-{number:08x}\nduration=60\n",
            3600 * (number + 1)
        );
        fs::write(path.join(format!("msg{number:04}.txt")), text).unwrap();
        fs::write(path.join(format!("msg{number:04}.wav")), [0; 1000]).unwrap();
    }

    fn found(&self, mailbox: &str) -> Vec<(MailFolder, String)> {
        let content = self
            .spool()
            .content(&domain(), &mailbox.parse().unwrap())
            .unwrap();
        let messages = content.messages.into_iter();
        messages
            .map(|message| (message.folder, message.id.to_string()))
            .collect()
    }

    fn unlink(&self, id: &str) -> io::Result<bool> {
        self.spool()
            .unlink(&domain(), &"1001".parse().unwrap(), &id.parse().unwrap())
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.folder("1001", folder)).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

fn domain() -> SipDomain {
    ACME.parse().unwrap()
}

fn id(number: usize) -> String {
    format!("1795969239-{number:08x}")
}

#[test]
fn a20_each_message_is_found_with_what_it_says_of_itself() {
    let bench = Bench::new();
    bench.leave("1001", "INBOX", 0);
    bench.leave("1001", "Old", 1);
    bench.leave("1002", "Urgent", 2);
    // Neither greetings nor a recording that is under way are messages.
    bench.leave("1001", "tmp", 3);
    fs::write(bench.folder("1001", "").join("unavail.wav"), "hello").unwrap();
    let content = bench
        .spool()
        .content(&domain(), &"1001".parse().unwrap())
        .unwrap();
    assert!(!content.has_more);
    let [first, second] = content.messages.as_slice() else {
        panic!("{content:?}");
    };
    assert_eq!(first.folder, MailFolder::Inbox);
    assert_eq!(first.id.as_str(), id(0));
    assert_eq!(first.left_at, Timestamp::from_second(3600).unwrap());
    assert_eq!(first.caller.as_ref().map(CallText::as_str), Some("1000"));
    assert_eq!(first.seconds, Some(60));
    assert_eq!(first.bytes, 1000 + 85);
    assert_eq!(
        (second.folder, second.id.as_str()),
        (MailFolder::Old, id(1).as_str())
    );
    let mailboxes = bench.tree.boxes(&domain()).unwrap().unwrap();
    assert_eq!(mailboxes, ["1001", "1002"].map(|number| number.parse().unwrap()));
}

#[test]
fn a20_without_its_disk_nothing_is_taken_to_have_gone() {
    let bench = Bench::new();
    let (mailbox, id) = ("1001".parse().unwrap(), id(0).parse().unwrap());
    let find = || bench.spool().find(&domain(), &mailbox, &id);
    let of_domain = bench.tree.root().join(ACME);
    // Whoever knows of messages there knows that they have not gone, whether the directory is not there or is a mount point.
    let is_told = || {
        let error = find().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Other);
        assert!(error.to_string().contains("see whether a disk"), "{error}");
    };
    assert_eq!(bench.tree.boxes(&domain()).unwrap(), None);
    is_told();
    // Emptied on purpose, as its operator says.
    fs::write(of_domain.join("emptied"), "").unwrap();
    assert_eq!(bench.tree.boxes(&domain()).unwrap(), Some(Vec::new()));
    assert!(find().unwrap().placed.is_empty());
    fs::create_dir(of_domain.join("1001")).unwrap();
    is_told();
    fs::remove_dir_all(&of_domain).unwrap();
    assert_eq!(bench.tree.boxes(&domain()).unwrap(), None);
    is_told();
    // Asterisk makes it for the first message.
    fs::remove_dir(bench.tree.root()).unwrap();
    assert_eq!(bench.tree.boxes(&domain()).unwrap(), None);
    assert!(bench.tree.open_root().unwrap().is_none());
    assert_eq!(bench.tree.placed().unwrap(), None);
    // A spool that is not on this host.
    let elsewhere = MailTree::new(bench.directory.path().join("no/voicemail"));
    for error in [
        elsewhere.boxes(&domain()).unwrap_err(),
        elsewhere.try_all().unwrap_err(),
        elsewhere.open_root().unwrap_err(),
        elsewhere.placed().unwrap_err(),
    ] {
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}

#[test]
fn a20_no_link_is_followed_and_nothing_outside_is_removed() {
    let bench = Bench::new();
    bench.leave("1001", "INBOX", 0);
    let outside = bench.directory.path().join("outside");
    fs::create_dir_all(outside.join("INBOX")).unwrap();
    let text = format!("origtime=1\nmsg_id={}\n", id(9));
    for name in ["secret.txt", "INBOX/msg0000.txt"] {
        fs::write(outside.join(name), &text).unwrap();
    }
    symlink(&outside, bench.tree.root().join(ACME).join("1002")).unwrap();
    symlink(&outside, bench.tree.root().join("globex.example.com")).unwrap();
    symlink(
        outside.join("secret.txt"),
        bench.folder("1001", "INBOX").join("msg0001.txt"),
    )
    .unwrap();
    assert_eq!(bench.found("1001"), [(MailFolder::Inbox, id(0))]);
    // Nobody knows what lies there: that is not told as nothing.
    let link = |answer: io::Result<()>| {
        let error = answer.unwrap_err().to_string();
        assert!(error.contains("is a link"), "{error}");
    };
    let mailbox = |number: &str| number.parse().unwrap();
    link(bench.spool().content(&domain(), &mailbox("1002")).map(drop));
    let of_globex = bench.tree.boxes(&"globex.example.com".parse().unwrap());
    link(of_globex.map(drop));
    assert!(!bench.unlink(&id(9)).unwrap());
    symlink(outside.join("INBOX"), bench.folder("1001", "").join("Old")).unwrap();
    link(bench.spool().content(&domain(), &mailbox("1001")).map(drop));
    link(bench.unlink(&id(9)).map(drop));
    fs::remove_file(bench.tree.root().join(ACME).join("1001/Old")).unwrap();
    assert!(outside.join("INBOX/msg0000.txt").exists() && outside.join("secret.txt").exists());
    // A sound that is a link goes itself.
    symlink(
        outside.join("secret.txt"),
        bench.folder("1001", "INBOX").join("msg0000.gsm"),
    )
    .unwrap();
    assert!(bench.unlink(&id(0)).unwrap());
    assert!(outside.join("secret.txt").exists());
}

#[test]
fn a20_a_broken_text_is_a_message_all_the_same_and_keeps_no_other_one() {
    let bench = Bench::new();
    for number in 0..5 {
        bench.leave("1001", "INBOX", number);
    }
    let folder = bench.folder("1001", "INBOX");
    fs::write(folder.join("msg0001.txt"), "[message\ngarbage").unwrap();
    fs::write(folder.join("msg0002.txt"), vec![0xff; 100_000]).unwrap();
    fs::remove_file(folder.join("msg0003.txt")).unwrap();
    fs::create_dir(folder.join("msg0003.txt")).unwrap();
    rustix::fs::mknodat(CWD, folder.join("msg0005.txt"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    let found = bench.found("1001");
    let known: Vec<&str> = found.iter().map(|(_, id)| id.as_str()).collect();
    let [first, broken, binary, last] = known.as_slice() else {
        panic!("{known:?}");
    };
    assert_eq!((*first, *last), (id(0).as_str(), id(4).as_str()));
    assert!(broken.starts_with("file-") && binary.starts_with("file-") && broken != binary);
    // It is the same one wherever it is moved.
    fs::rename(folder.join("msg0001.txt"), folder.join("msg0007.txt")).unwrap();
    assert!(bench.found("1001").iter().any(|(_, id)| id == broken));
    assert!(bench.unlink(broken).unwrap());
    assert!(!bench.found("1001").iter().any(|(_, id)| id == broken));
}

#[test]
fn a20_two_that_say_the_same_and_no_id_are_told_apart_by_when_they_were_written() {
    let bench = Bench::new();
    let folder = bench.folder("1001", "INBOX");
    for number in 0..2 {
        let text = folder.join(format!("msg000{number}.txt"));
        fs::write(&text, "garbage").unwrap();
        let written = Timestamp::from_second(1_000_000_000 + number).unwrap();
        let text = File::options().write(true).open(text).unwrap();
        text.set_modified(written.into()).unwrap();
    }
    let found = bench.found("1001");
    assert_ne!(found[0].1, found[1].1);
    assert!(bench.unlink(&found[0].1).unwrap());
    assert_eq!(bench.names("INBOX"), ["msg0001.txt"]);
}

#[test]
fn a20_one_that_says_no_time_is_as_old_as_its_oldest_file() {
    let bench = Bench::new();
    bench.leave("1001", "INBOX", 0);
    let folder = bench.folder("1001", "INBOX");
    let old = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let sound = File::options()
        .write(true)
        .open(folder.join("msg0000.wav"))
        .unwrap();
    sound.set_modified(old).unwrap();
    fs::write(folder.join("msg0000.txt"), "callerid = \"x\n").unwrap();
    let content = bench
        .spool()
        .content(&domain(), &"1001".parse().unwrap())
        .unwrap();
    let [message] = content.messages.as_slice() else {
        panic!("{content:?}");
    };
    assert_eq!(message.left_at.as_second(), 1_000_000_000);
}

#[test]
fn a20_a_removal_takes_all_files_of_one_message_and_keeps_the_numbers_of_the_others() {
    let bench = Bench::new();
    for number in 0..3 {
        bench.leave("1001", "INBOX", number);
    }
    let folder = bench.folder("1001", "INBOX");
    fs::write(folder.join("msg0001.gsm"), "the same").unwrap();
    fs::write(folder.join("msg00011.wav"), "another's").unwrap();
    assert!(bench.unlink(&id(1)).unwrap());
    assert!(!bench.unlink(&id(1)).unwrap());
    assert_eq!(
        bench.names("INBOX"),
        [
            "msg0000.txt",
            "msg0000.wav",
            "msg00011.wav",
            "msg0002.txt",
            "msg0002.wav"
        ]
    );
}

#[test]
fn a20_a_folder_that_somebody_else_works_on_is_left_alone() {
    let bench = Bench::new();
    bench.leave("1001", "INBOX", 0);
    let folder = bench.folder("1001", "INBOX");
    fs::write(folder.join(".lock"), "").unwrap();
    let error = bench.unlink(&id(0)).unwrap_err();
    assert!(error.to_string().contains(".lock"), "{error}");
    assert_eq!(bench.names("INBOX"), [".lock", "msg0000.txt", "msg0000.wav"]);
    fs::remove_file(folder.join(".lock")).unwrap();
    assert!(bench.unlink(&id(0)).unwrap());
    assert!(bench.names("INBOX").is_empty());
}

#[test]
fn a20_a_lock_of_one_that_was_killed_keeps_no_caller_from_leaving_a_message() {
    let bench = Bench::new();
    bench.leave("1001", "INBOX", 0);
    let folder = bench.folder("1001", "INBOX");
    fs::write(folder.join(".lock-switchyard"), "").unwrap();
    fs::hard_link(folder.join(".lock-switchyard"), folder.join(".lock")).unwrap();
    assert_eq!(bench.found("1001").len(), 1);
    assert_eq!(bench.names("INBOX"), ["msg0000.txt", "msg0000.wav"]);
    // One that another process of ours holds is in use.
    let directory = File::open(&folder).unwrap();
    let held = Locked::take(&directory).unwrap();
    assert_eq!(bench.found("1001").len(), 1);
    assert_eq!(bench.names("INBOX").len(), 4);
    drop(held);
    assert_eq!(bench.names("INBOX"), ["msg0000.txt", "msg0000.wav"]);
    // Asterisk's own is none of ours.
    fs::write(folder.join(".lock-switchyard"), "").unwrap();
    fs::write(folder.join(".lock"), "").unwrap();
    assert_eq!(bench.found("1001").len(), 1);
    assert_eq!(bench.names("INBOX"), [".lock", "msg0000.txt", "msg0000.wav"]);
}

#[test]
fn a20_where_the_service_may_not_write_a_message_stays_and_is_told() {
    let bench = Bench::new();
    bench.leave("1001", "INBOX", 0);
    let folder = bench.folder("1001", "INBOX");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o555)).unwrap();
    let kept = thread::scope(|scope| {
        let thread = scope.spawn(|| {
            // Root may write anywhere.
            let none = rustix::thread::CapabilitySets {
                effective: rustix::thread::CapabilitySet::empty(),
                permitted: rustix::thread::CapabilitySet::empty(),
                inheritable: rustix::thread::CapabilitySet::empty(),
            };
            rustix::thread::set_capabilities(None, none).unwrap();
            (bench.found("1001").len(), bench.unlink(&id(0)))
        });
        thread.join().unwrap()
    });
    assert_eq!(kept.0, 1);
    assert_eq!(kept.1.unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    assert_eq!(bench.names("INBOX").len(), 2);
}
