//! One at a time works on the mail boxes of an Asterisk, also where nobody waits for what it was told, or hears of it.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use futures_util::future::join_all;
use jiff::Timestamp;
use rstest::rstest;
use switchyard::driver::PbxDriver as _;
use switchyard::driver::asterisk::AsteriskDriver;
use switchyard::driver::mail::MailError;

use super::mail::Mailed;
use super::office::ACME;
use super::support::wait::until;

#[tokio::test]
async fn a20_of_removals_at_the_same_time_each_removes_what_it_names() {
    const MANY: usize = 16;
    let mailed = Mailed::open().await;
    for number in 0..MANY {
        mailed.put("1001", "INBOX", number, &format!("\"C\" <555{number:04}>"));
    }
    let messages = mailed.messages("1001").await;
    let (domain, mailbox) = (ACME.parse().unwrap(), "1001".parse().unwrap());
    // Each by a session of its own, as of two who know nothing of each other.
    let removals = messages.iter().step_by(2).map(|message| {
        let (mailed, domain, mailbox) = (&mailed, &domain, &mailbox);
        async move {
            let mail = mailed.driver().mail().unwrap();
            mail.remove(domain, mailbox, &message.id, Timestamp::MAX).await
        }
    });
    for removed in join_all(removals).await {
        assert!(removed.unwrap());
    }
    let kept: Vec<_> = messages.iter().skip(1).step_by(2).cloned().collect();
    assert_eq!(mailed.messages("1001").await, kept);
}

/// Whoever asked goes away, or the connection does, before Asterisk has answered.
#[rstest]
#[case::nobody_waits(false)]
#[case::nobody_hears(true)]
#[tokio::test]
async fn a20_a_removal_without_an_answer_keeps_all_others_off(#[case] breaks_off: bool) {
    let mailed = Mailed::open().await;
    mailed.put("1001", "INBOX", 0, "\"Ann\" <5550001>");
    let message = mailed.messages("1001").await.remove(0);
    let pbx = &mailed.office.bench.pbx;
    let mut settings = pbx.private.settings().clone();
    settings.ami_port = relay_without_answer(settings.ami_port, "VoicemailRemove", breaks_off);
    let driver = AsteriskDriver::new(settings, pbx.private.secret().clone(), None);
    let mail = driver.mail().unwrap();
    let (domain, mailbox) = (ACME.parse().unwrap(), "1001".parse().unwrap());
    let removal = mail.remove(&domain, &mailbox, &message.id, Timestamp::MAX);
    if breaks_off {
        let error = removal.await.unwrap_err();
        assert!(matches!(error, MailError::Unavailable { .. }), "{error:?}");
    } else {
        tokio::select! {
            removed = removal => panic!("{removed:?}"),
            () = until("Asterisk has removed it", || mailed.names("1001", "INBOX").is_empty()) => {}
        }
    }
    // For a minute. Whoever tests the PBX waits some seconds for that, and hears of everything else.
    let checks = mailed.driver().test().await;
    let busy = checks.iter().find(|check| check.name == "mail_boxes").unwrap();
    assert!(!busy.ok && busy.detail.contains("something else"), "{busy:?}");
    assert!(
        checks.iter().any(|check| check.name == "include_voicemail"),
        "{checks:?}"
    );
}

/// The port of a relay before another one of this host, which passes everything on until this is said, and no answer after
/// that. It listens until the test's process ends.
fn relay_without_answer(to: u16, word: &'static str, breaks_off: bool) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let server = TcpStream::connect(("127.0.0.1", to)).unwrap();
            let is_said = Arc::new(AtomicBool::new(false));
            let (from, back) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            let heard = Arc::clone(&is_said);
            thread::spawn(move || pass(from, back, |_| !heard.load(Ordering::SeqCst)));
            thread::spawn(move || {
                let back = client.try_clone().unwrap();
                let passed = pass(client, server, |said| {
                    if said.contains(word) {
                        is_said.store(true, Ordering::SeqCst);
                        if breaks_off {
                            let _ = back.shutdown(Shutdown::Both);
                        }
                    }
                    true
                });
                drop(passed);
            });
        }
    });
    port
}

/// Passes on what is to be passed on, and takes all the same what is not.
fn pass(mut from: TcpStream, mut to: TcpStream, mut is_passed: impl FnMut(&str) -> bool) -> io::Result<()> {
    let mut buffer = [0_u8; 16 * 1024];
    loop {
        let length = from.read(&mut buffer)?;
        if length == 0 {
            return to.shutdown(Shutdown::Write);
        }
        if is_passed(&String::from_utf8_lossy(&buffer[..length])) {
            to.write_all(&buffer[..length])?;
        }
    }
}
