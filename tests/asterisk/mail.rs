//! Messages in mail boxes: found as callers left them, and removed so that whoever listens has all others.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use jiff::Timestamp;
use serde_json::json;
use switchyard::domain::voicemail::{FoundMessage, MailFolder};
use switchyard::driver::PbxDriver as _;
use switchyard::driver::asterisk::AsteriskDriver;
use switchyard::driver::mail::MailError;

use super::office::{ACME, GLOBEX, Office};
use super::support::ami::{Ami, field};
use super::support::media::Media;
use super::support::sipp::{Account, Sipp};
use super::support::tenants::{PIN, TestTenant};
use super::support::wait::until;

/// Offices with mail boxes.
pub struct Mailed {
    pub office: Office,
}

impl Mailed {
    pub async fn open() -> Self {
        let mailbox = |number| json!({"number": number, "name": "Ann", "voicemail": {"enabled": true}});
        let acme = TestTenant::new(ACME, &[mailbox("1001"), mailbox("1002")]);
        let globex = TestTenant::new(GLOBEX, &[mailbox("1001")]);
        let office = Office::open(&[acme, globex]).await;
        let mailed = Self { office };
        for (number, domain) in [("1001", ACME), ("1002", ACME), ("1001", GLOBEX)] {
            // Asterisk makes the folders.
            let asked = [("Context", domain), ("Mailbox", number)];
            mailed.office.bench.pbx.ami().list("VoicemailBoxSummary", &asked);
        }
        mailed
    }

    pub fn folder(&self, domain: &str, mailbox: &str, folder: &str) -> PathBuf {
        let spool = self.office.bench.pbx.home().join("spool/voicemail");
        spool.join(domain).join(mailbox).join(folder)
    }

    /// Callers leave messages in a box of Acme, all of them at once.
    async fn leave(&self, mailbox: &str, callers: &[&str]) {
        let mut ami = self.office.bench.pbx.ami();
        for caller in callers {
            let answer = ami.ask(
                "Originate",
                &[
                    ("Channel", "Local/echo@switchyard-features/n"),
                    ("Application", "VoiceMail"),
                    ("Data", &format!("{mailbox}@{ACME},s")),
                    ("CallerID", caller),
                    ("Async", "true"),
                ],
            );
            assert_eq!(field(&answer, "Response"), Some("Success"));
        }
        let being_left = self.folder(ACME, mailbox, "tmp");
        until("all of them speak", || {
            let sounds = fs::read_dir(&being_left).into_iter().flatten().flatten();
            let sounds = sounds.filter(|sound| {
                let is_sound = sound.path().extension().is_some_and(|ending| ending == "wav");
                is_sound && sound.metadata().is_ok_and(|metadata| metadata.len() > 60_000)
            });
            sounds.count() == callers.len()
        })
        .await;
        ami.ask("Hangup", &[("Channel", "/^Local.*/"), ("Cause", "16")]);
        until("all of them are there", || {
            self.names(mailbox, "INBOX").len() >= 2 * callers.len()
        })
        .await;
    }

    /// A message as if it had been left, without anybody's having to speak.
    pub fn put(&self, mailbox: &str, folder: &str, number: usize, caller: &str) {
        let path = self.folder(ACME, mailbox, folder);
        let text = format!(
            ";\n; Message Information file\n;\n[message]\norigmailbox={mailbox}\ncontext={ACME}\ncallerid={caller}\n\
             origtime=1700000000\nmsg_id=1700000000-{number:08x}\nflag=\nduration=5\n"
        );
        fs::write(path.join(format!("msg{number:04}.txt")), text).unwrap();
        fs::write(path.join(format!("msg{number:04}.wav")), [0; 100]).unwrap();
    }

    pub fn names(&self, mailbox: &str, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.folder(ACME, mailbox, folder))
            .into_iter()
            .flatten();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    pub fn driver(&self) -> &AsteriskDriver {
        &self.office.bench.driver
    }

    pub async fn messages(&self, mailbox: &str) -> Vec<FoundMessage> {
        let mail = self.driver().mail().unwrap();
        let content = mail
            .content(&ACME.parse().unwrap(), &mailbox.parse().unwrap())
            .await;
        content.unwrap().messages
    }

    pub async fn callers(&self, mailbox: &str) -> Vec<String> {
        let messages = self.messages(mailbox).await.into_iter();
        let mut callers: Vec<String> = messages
            .filter_map(|message| message.caller.map(String::from))
            .collect();
        callers.sort();
        callers
    }

    /// Removes the messages of a caller from a box.
    pub async fn remove(&self, mailbox: &str, caller: &str) -> Result<bool, MailError> {
        let messages = self.messages(mailbox).await;
        let mut of_caller = messages.iter().filter(|message| {
            message
                .caller
                .as_ref()
                .is_some_and(|number| number.as_str() == caller)
        });
        let id = &of_caller.next().expect("there is none of that caller").id;
        let mail = self.driver().mail().unwrap();
        let (domain, mailbox) = (ACME.parse().unwrap(), mailbox.parse().unwrap());
        mail.remove(&domain, &mailbox, id, Timestamp::MAX).await
    }

    /// What is told of a box of Acme to whoever asks how many messages it has.
    pub fn new_messages(&self, mailbox: &str) -> String {
        let name = format!("{mailbox}@{ACME}");
        let mut ami = self.office.bench.pbx.ami();
        let count = ami.ask("MailboxCount", &[("Mailbox", &name)]);
        field(&count, "NewMessages").unwrap().to_owned()
    }

    /// Somebody at a phone of Acme's 1001 who has come as far as to their first message.
    async fn listen(&self, media: &Media) -> Sipp {
        let call = self
            .office
            .call(&Account::new("1001", ACME), "*97", &media.port());
        call.status(200).await;
        self.office.prompt("vm-password").await;
        media.press(&format!("{PIN}#"));
        self.office.prompt("vm-youhave").await;
        media.press("1");
        self.office.prompt("vm-first").await;
        call
    }
}

/// What a message sounds like, by its number in the box.
fn sound(folder: &std::path::Path, number: usize) -> Vec<u8> {
    fs::read(folder.join(format!("msg{number:04}.wav"))).unwrap()
}

#[tokio::test]
async fn a20_messages_go_and_the_others_still_play_under_numbers_without_a_gap() {
    let mailed = Mailed::open().await;
    let phone = mailed.office.phone("silent", "1001", ACME).await;
    let callers = ["5550001", "5550002", "5550003", "5550004"];
    let ids = callers.map(|caller| format!("\"C\" <{caller}>"));
    mailed.leave("1001", &ids.each_ref().map(String::as_str)).await;
    mailed.put("1002", "INBOX", 0, "\"Ann\" <5550001>");
    let messages = mailed.messages("1001").await;
    assert_eq!(mailed.callers("1001").await, callers);
    let folder = mailed.folder(ACME, "1001", "INBOX");
    let mut sounds = Vec::new();
    for (number, message) in messages.iter().enumerate() {
        assert_eq!(message.folder, MailFolder::Inbox);
        assert!(
            message.seconds.is_some_and(|seconds| (2..60).contains(&seconds)),
            "{message:?}"
        );
        assert!(message.bytes > 60_000 && message.id.is_asterisks(), "{message:?}");
        sounds.push(sound(&folder, number));
    }

    let [first, kept, third, also_kept] = messages.as_slice() else {
        panic!("{messages:?}");
    };
    let mail = mailed.driver().mail().unwrap();
    for message in [third, first] {
        let (domain, mailbox) = (ACME.parse().unwrap(), "1001".parse().unwrap());
        let left_at = message.left_at;
        assert!(
            mail.remove(&domain, &mailbox, &message.id, left_at)
                .await
                .unwrap()
        );
        // Nothing is removed twice.
        assert!(
            !mail
                .remove(&domain, &mailbox, &message.id, left_at)
                .await
                .unwrap()
        );
    }
    assert_eq!(mailed.messages("1001").await, [kept.clone(), also_kept.clone()]);
    assert_eq!(
        mailed.names("1001", "INBOX"),
        ["msg0000.txt", "msg0000.wav", "msg0001.txt", "msg0001.wav"]
    );
    assert!(sound(&folder, 0) == sounds[1] && sound(&folder, 1) == sounds[3]);
    assert_eq!(mailed.callers("1002").await, ["5550001"]);
    assert_eq!(mailed.new_messages("1001"), "2");
    until("the phone is told of it", || {
        let heard = phone.heard();
        let told = heard.iter().rfind(|message| message.is("NOTIFY"));
        told.is_some_and(|told| told.text.contains("Voice-Message: 2/0"))
    })
    .await;

    let media = Media::start();
    let mut call = mailed.listen(&media).await;
    until("the first of those that are left is played", || {
        mailed.office.played().contains("INBOX/msg0000")
    })
    .await;
    mailed.office.hang_up_all();
    assert!(call.ended().await, "{:#?}", call.heard());
}

#[tokio::test]
async fn a20_nothing_is_removed_from_a_box_that_somebody_listens_to() {
    let mailed = Mailed::open().await;
    for (number, caller) in ["5550001", "5550002", "5550003"].iter().enumerate() {
        mailed.put("1001", "INBOX", number, &format!("\"C\" <{caller}>"));
    }
    mailed.put("1002", "INBOX", 0, "\"C\" <5550001>");
    let media = Media::start();
    let mut call = mailed.listen(&media).await;
    let refused = mailed.remove("1001", "5550001").await.unwrap_err();
    assert!(matches!(refused, MailError::InUse { .. }), "{refused:?}");
    // Nobody is in the other one.
    assert!(mailed.remove("1002", "5550001").await.unwrap());
    // What they delete is what they heard.
    media.press("7");
    mailed.office.prompt("vm-deleted").await;
    mailed.office.hang_up_all();
    assert!(call.ended().await, "{:#?}", call.heard());
    until("it is deleted", || mailed.names("1001", "INBOX").len() == 4).await;
    assert_eq!(mailed.callers("1001").await, ["5550002", "5550003"]);
    assert!(mailed.remove("1001", "5550002").await.unwrap());
    assert_eq!(mailed.callers("1001").await, ["5550003"]);
}

#[tokio::test]
async fn a20_one_whose_caller_has_hidden_it_from_asterisk_goes_and_keeps_no_other_one() {
    let mailed = Mailed::open().await;
    mailed.put("1001", "INBOX", 0, "\"Ann\" <5550001>");
    mailed.put("1001", "INBOX", 1, "\"x;--y\" <5550002>");
    mailed.put("1001", "INBOX", 2, "\"Bob\" <5550003>");
    mailed.put("1001", "INBOX", 3, "\"Eve\" <5550004>");
    fs::write(
        mailed.folder(ACME, "1001", "INBOX").join("msg0002.txt"),
        "[message\n",
    )
    .unwrap();
    assert_eq!(mailed.callers("1001").await, ["5550001", "5550002", "5550004"]);
    for caller in ["5550002", "5550004"] {
        assert!(mailed.remove("1001", caller).await.unwrap(), "{caller}");
    }
    assert_eq!(mailed.callers("1001").await, ["5550001"]);
    let broken = mailed
        .messages("1001")
        .await
        .into_iter()
        .find(|message| message.caller.is_none());
    let (domain, mailbox) = (ACME.parse().unwrap(), "1001".parse().unwrap());
    let mail = mailed.driver().mail().unwrap();
    let mut heard = Ami::listening(&mailed.office.bench.pbx.private);
    let broken = broken.unwrap().id;
    let removed = mail.remove(&domain, &mailbox, &broken, Timestamp::MAX).await;
    assert!(removed.unwrap());
    // The phones are told of what Asterisk did not remove itself, too.
    heard.heard_until(|event| {
        field(event, "Event") == Some("MessageWaiting")
            && field(event, "Mailbox").is_some_and(|of| of.starts_with("1001@acme"))
            && field(event, "New") == Some("1")
    });
    assert_eq!(mailed.names("1001", "INBOX"), ["msg0000.txt", "msg0000.wav"]);
    assert_eq!(mailed.new_messages("1001"), "1");
}

#[tokio::test]
async fn a20_one_that_says_that_it_was_left_later_than_was_known_stays() {
    let mailed = Mailed::open().await;
    mailed.put("1001", "INBOX", 0, "\"Ann\" <5550001>");
    let message = mailed.messages("1001").await.remove(0);
    let (domain, mailbox) = (ACME.parse().unwrap(), "1001".parse().unwrap());
    let mail = mailed.driver().mail().unwrap();
    let before = Timestamp::from_second(message.left_at.as_second() - 1).unwrap();
    let refused = mail
        .remove(&domain, &mailbox, &message.id, before)
        .await
        .unwrap_err();
    assert!(refused.full().contains("left later"), "{refused:?}");
    assert_eq!(mailed.callers("1001").await, ["5550001"]);
    let removed = mail.remove(&domain, &mailbox, &message.id, message.left_at);
    assert!(removed.await.unwrap());
}

#[tokio::test]
async fn a20_what_is_left_of_a_box_that_is_not_served_any_more_goes_too() {
    let mut mailed = Mailed::open().await;
    mailed.put("1002", "INBOX", 0, "\"Ann\" <5550001>");
    mailed.put("1002", "INBOX", 1, "\"Bob\" <5550002>");
    let gone = TestTenant::new(ACME, &[json!({"number": "1001", "name": "Ann"})]);
    mailed.office.bench.serve(&[gone]).await;
    let mail = mailed.driver().mail().unwrap();
    let mailboxes = mail
        .mailboxes(&ACME.parse().unwrap(), &BTreeSet::new())
        .await
        .unwrap();
    let both = ["1001".parse().unwrap(), "1002".parse().unwrap()];
    assert_eq!(mailboxes.unwrap(), both);
    drop(mail);
    assert!(mailed.remove("1002", "5550001").await.unwrap());
    assert_eq!(mailed.callers("1002").await, ["5550002"]);
}

#[tokio::test]
async fn a20_an_account_that_may_not_remove_is_told_which_right_it_lacks() {
    let mailed = Mailed::open().await;
    mailed.put("1001", "INBOX", 0, "\"Ann\" <5550001>");
    let pbx = &mailed.office.bench.pbx;
    pbx.add_account(
        "reader",
        "read = system,call,cdr\nwrite = system,reporting,originate",
    );
    let mut settings = pbx.private.settings().clone();
    settings.ami_username = "reader".parse().unwrap();
    let driver = AsteriskDriver::new(settings, "secret".into(), None);
    let id = &mailed.messages("1001").await[0].id;
    let (domain, mailbox) = (ACME.parse().unwrap(), "1001".parse().unwrap());
    let refused = driver
        .mail()
        .unwrap()
        .remove(&domain, &mailbox, id, Timestamp::MAX)
        .await
        .unwrap_err();
    assert!(matches!(refused, MailError::Refused { .. }), "{refused:?}");
    let told = refused.full();
    assert!(
        told.contains("`write = user`") && told.contains("[reader]"),
        "{told}"
    );
    assert_eq!(mailed.callers("1001").await, ["5550001"]);
}

#[tokio::test]
async fn a20_a_pbx_that_is_down_is_told_as_such_and_nothing_is_taken_to_have_gone() {
    let mailed = Mailed::open().await;
    mailed.put("1001", "INBOX", 0, "\"Ann\" <5550001>");
    let home = mailed.office.bench.pbx.home();
    super::support::pbx::kill(super::support::pbx::pid(&home));
    let mail = mailed.driver().mail().unwrap();
    let error = mail
        .mailboxes(&ACME.parse().unwrap(), &BTreeSet::new())
        .await
        .unwrap_err();
    assert!(matches!(error, MailError::Unavailable { .. }), "{error:?}");
    assert_eq!(mailed.names("1001", "INBOX").len(), 2);
}
