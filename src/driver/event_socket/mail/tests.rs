//! In which order an entry and its sound go, and what becomes of what is between the two.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use rustix::io::Errno;
use rustix::process::Uid;
use tempfile::TempDir;

use super::*;
use crate::domain::clock::{Clock as _, SystemClock};
use crate::domain::voicemail::MailFolder;
use crate::driver::mail::opened::Opened;
use crate::driver::spool::tests::without_rights;

const ID: &str = "6f2b7c1e-0000-4000-8000-000000000001";

/// A list that is kept here.
#[derive(Default)]
struct Kept {
    listed: Mutex<Vec<Listed>>,
    /// What was done, in order.
    done: Mutex<Vec<&'static str>>,
    /// Done when a box is asked for.
    when_asked: Mutex<Option<Box<dyn FnOnce() + Send>>>,
    /// Done when one is struck.
    when_struck: Mutex<Option<Box<dyn FnOnce() + Send>>>,
    has_no_phones: bool,
    /// What is struck stays.
    is_stubborn: bool,
    strays: Vec<PbxMessageId>,
}

fn run(act: &Mutex<Option<Box<dyn FnOnce() + Send>>>) {
    if let Some(act) = act.lock().unwrap().take() {
        act();
    }
}

#[async_trait]
impl MessageList for Kept {
    const REMOVES_SOUNDS: bool = false;
    const NAMES_SOUNDS: bool = false;

    async fn ready(&self) -> Result<(), MailError> {
        Ok(())
    }

    async fn mailboxes(
        &self,
        _domain: &SipDomain,
        _perhaps: &BTreeSet<ExtensionNumber>,
    ) -> Result<Vec<ExtensionNumber>, MailError> {
        Ok(Vec::new())
    }

    async fn strays(&self, _domain: &SipDomain) -> Result<Vec<PbxMessageId>, MailError> {
        Ok(self.strays.clone())
    }

    async fn of_box(
        &self,
        _domain: &SipDomain,
        _mailbox: &ExtensionNumber,
        _sounds: &[PbxMessageId],
    ) -> Result<Vec<Listed>, MailError> {
        run(&self.when_asked);
        Ok(self.listed.lock().unwrap().clone())
    }

    async fn one(
        &self,
        _domain: &SipDomain,
        _mailbox: &ExtensionNumber,
        id: &PbxMessageId,
    ) -> Result<Option<Listed>, MailError> {
        let listed = self.listed.lock().unwrap();
        Ok(listed.iter().find(|listed| listed.id == *id).cloned())
    }

    async fn strike(
        &self,
        _domain: &SipDomain,
        _mailbox: &ExtensionNumber,
        id: &PbxMessageId,
    ) -> Result<(), MailError> {
        self.done.lock().unwrap().push("struck");
        run(&self.when_struck);
        let stays = |listed: &Listed| self.is_stubborn || listed.id != *id;
        self.listed.lock().unwrap().retain(stays);
        Ok(())
    }

    async fn tell_phones(&self, _domain: &SipDomain, _mailbox: &ExtensionNumber) -> Result<(), MailError> {
        self.done.lock().unwrap().push("phones");
        if self.has_no_phones {
            return Err(MailError::unavailable("the phones", "nobody is there"));
        }
        Ok(())
    }

    async fn sound(
        &self,
        _mailbox: &ExtensionNumber,
        _id: &PbxMessageId,
    ) -> Result<Option<Opened>, MailError> {
        Ok(None)
    }
}

struct Bench {
    directory: TempDir,
    mail: SwitchMail<Kept>,
}

impl Bench {
    fn new(list: Kept) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("default");
        fs::create_dir_all(root.join("acme.example.com/1001")).unwrap();
        let root: AbsolutePath = root.to_str().unwrap().parse().unwrap();
        let mail = SwitchMail::new(Some(&root), list).unwrap();
        Self { directory, mail }
    }

    fn folder(&self) -> PathBuf {
        self.directory.path().join("default/acme.example.com/1001")
    }

    /// A sound that was written so long ago.
    fn lay(&self, name: &str, ago: Duration) -> PathBuf {
        let path = self.folder().join(name);
        fs::write(&path, "hello").unwrap();
        let then = SystemTime::from(SystemClock.now()) - ago;
        let file = File::options().write(true).open(&path).unwrap();
        file.set_modified(then).unwrap();
        path
    }

    fn list(&self, id: &str) {
        self.mail.list.listed.lock().unwrap().push(Listed {
            id: id.parse().unwrap(),
            folder: MailFolder::Inbox,
            left_at: Timestamp::UNIX_EPOCH,
            caller: None,
            seconds: None,
            sound: ListedSound::Named,
        });
    }

    async fn remove(&self, id: &str) -> Result<bool, MailError> {
        let id = id.parse().unwrap();
        let mail = &self.mail;
        mail.remove(&domain(), &mailbox(), &id, Timestamp::MAX).await
    }

    fn done(&self) -> Vec<&'static str> {
        self.mail.list.done.lock().unwrap().clone()
    }
}

fn domain() -> SipDomain {
    "acme.example.com".parse().unwrap()
}

fn mailbox() -> ExtensionNumber {
    "1001".parse().unwrap()
}

fn block_on<T>(what: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(what)
}

#[test]
fn a22_an_entry_is_not_struck_where_its_sound_cannot_be_removed() {
    let bench = Bench::new(Kept::default());
    let path = bench.lay(&format!("msg_{ID}.wav"), Duration::ZERO);
    bench.list(ID);
    fs::set_permissions(bench.folder(), fs::Permissions::from_mode(0o555)).unwrap();
    let (bench, told) = without_rights(move || {
        let told = block_on(bench.remove(ID)).unwrap_err();
        (bench, told)
    });
    assert!(matches!(told, MailError::Refused { .. }), "{told:?}");
    assert_eq!(bench.done(), [""; 0]);
    assert!(path.exists());
    fs::set_permissions(bench.folder(), fs::Permissions::from_mode(0o755)).unwrap();
    assert!(block_on(bench.remove(ID)).unwrap());
    assert!(!path.exists());
    assert_eq!(bench.done(), ["struck", "phones"]);
}

#[test]
fn a22_of_a_sticky_box_of_somebody_else_only_what_is_ones_own_can_be_removed() {
    let bench = Bench::new(Kept::default());
    let files = [format!("msg_{ID}.wav")];
    bench.lay(&files[0], Duration::ZERO);
    let own = rustix::process::geteuid();
    let anothers = Uid::from_raw(own.as_raw() ^ 1);
    let may = |mode, files: &[String], own| {
        fs::set_permissions(bench.folder(), fs::Permissions::from_mode(mode)).unwrap();
        may_remove(&bench.mail.tree, &domain(), &mailbox(), files, own)
    };
    let refused = may(0o1777, &files, Some(anothers)).unwrap_err();
    assert_eq!(refused.raw_os_error(), Some(Errno::PERM.raw_os_error()));
    for (mode, files, own) in [
        (0o1777, &files[..], Some(own)),
        (0o1777, &files[..], None),
        (0o777, &files[..], Some(anothers)),
        (0o1777, &[], Some(anothers)),
    ] {
        may(mode, files, own).unwrap();
    }
}

#[tokio::test]
async fn a22_what_whoever_was_killed_left_of_a_message_is_removed_though_it_was_written_just_now() {
    let bench = Bench::new(Kept::default());
    let path = bench.lay(&format!("msg_{ID}.wav"), Duration::ZERO);
    // Nobody who looks takes it for a message: a caller may be speaking.
    let content = bench.mail.content(&domain(), &mailbox()).await.unwrap();
    assert!(content.messages.is_empty() && content.unsettled.contains(&ID.parse().unwrap()));
    assert!(
        bench
            .mail
            .holds(&domain(), &mailbox(), &ID.parse().unwrap(), Timestamp::UNIX_EPOCH)
            .await
            .unwrap()
    );
    assert!(bench.remove(ID).await.unwrap() && !path.exists());
    assert!(!bench.remove(ID).await.unwrap());
    assert_eq!(bench.done(), ["phones"]);
}

#[tokio::test]
async fn a22_the_phones_hear_of_an_entry_of_which_nobody_knows_whether_it_was_struck() {
    let bench = Bench::new(Kept {
        is_stubborn: true,
        ..Kept::default()
    });
    let path = bench.lay(&format!("msg_{ID}.wav"), Duration::ZERO);
    bench.list(ID);
    let told = bench.remove(ID).await.unwrap_err().full();
    assert!(told.contains(STILL_LISTED) && path.exists(), "{told}");
    assert_eq!(bench.done(), ["struck", "phones"]);
}

#[tokio::test]
async fn a22_a_sound_that_comes_while_its_entry_is_struck_is_told() {
    let bench = Bench::new(Kept::default());
    bench.lay(&format!("msg_{ID}.wav"), Duration::ZERO);
    bench.list(ID);
    let late = bench.folder().join(format!("intro_{ID}.wav"));
    *bench.mail.list.when_struck.lock().unwrap() = Some(Box::new(move || {
        fs::write(late, "hello").unwrap();
    }));
    let told = bench.remove(ID).await.unwrap_err().full();
    assert!(told.contains("lies there all the same"), "{told}");
    assert!(bench.remove(ID).await.unwrap());
}

#[tokio::test]
async fn a20_a_disk_that_is_taken_away_in_the_midst_is_told() {
    let bench = Bench::new(Kept::default());
    bench.lay(&format!("msg_{ID}.wav"), Duration::ZERO);
    bench.list(ID);
    let root = bench.directory.path().join("default");
    let aside = bench.directory.path().join("aside");
    *bench.mail.list.when_struck.lock().unwrap() = Some(Box::new(move || {
        fs::rename(&root, aside).unwrap();
        fs::create_dir_all(root.join("acme.example.com/1001")).unwrap();
    }));
    let told = bench.remove(ID).await.unwrap_err();
    assert!(matches!(told, MailError::Unavailable { .. }), "{told:?}");
}

#[tokio::test]
async fn a20_a_sound_that_comes_after_the_disk_was_asked_is_seen() {
    let bench = Bench::new(Kept::default());
    bench.list(ID);
    let late = bench.folder().join(format!("msg_{ID}.wav"));
    *bench.mail.list.when_asked.lock().unwrap() = Some(Box::new(move || {
        fs::write(late, "hello").unwrap();
    }));
    let content = bench.mail.content(&domain(), &mailbox()).await.unwrap();
    assert_eq!(content.messages.len(), 1);
}

#[test]
fn a20_a_box_that_cannot_be_read_hides_no_message_of_a_box_that_is_no_more() {
    let lying = "6f2b7c1e-0000-4000-8000-000000000002";
    let bench = Bench::new(Kept {
        strays: [ID, lying].map(|id| id.parse().unwrap()).into(),
        ..Kept::default()
    });
    bench.lay(&format!("msg_{lying}.wav"), Duration::ZERO);
    let other = bench.folder().with_file_name("1002");
    fs::create_dir(&other).unwrap();
    fs::set_permissions(&other, fs::Permissions::from_mode(0o000)).unwrap();
    let strays = without_rights(move || block_on(bench.mail.strays(&domain())).unwrap());
    assert_eq!(strays, [ID.parse().unwrap()]);
}

#[tokio::test]
async fn a20_phones_that_cannot_be_told_are_not_waited_for_again() {
    let bench = Bench::new(Kept {
        has_no_phones: true,
        ..Kept::default()
    });
    for n in 1..=3 {
        let id = format!("6f2b7c1e-0000-4000-8000-00000000000{n}");
        bench.lay(&format!("msg_{id}.wav"), Duration::ZERO);
        assert!(bench.remove(&id).await.unwrap());
    }
    assert_eq!(bench.done(), ["phones"]);
}

#[tokio::test]
async fn a20_of_a_box_with_very_many_messages_each_can_be_removed_all_the_same() {
    let bench = Bench::new(Kept::default());
    let old = Duration::from_hours(1);
    for n in 0..=10_000 {
        bench.lay(&format!("msg_6f2b7c1e-0000-4000-8000-{n:012}.wav"), old);
    }
    let content = bench.mail.content(&domain(), &mailbox()).await.unwrap();
    assert!(content.has_more && content.messages.len() == 10_000);
    let last = format!("6f2b7c1e-0000-4000-8000-{:012}", 10_000);
    assert!(bench.remove(&last).await.unwrap());
    let content = bench.mail.content(&domain(), &mailbox()).await.unwrap();
    assert!(!content.has_more && content.messages.len() == 10_000);
}
