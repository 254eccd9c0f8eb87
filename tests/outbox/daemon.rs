//! The real daemon: killed, stopped, two of them, and what they write into their logs.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::process::{Child, Stdio};
use std::time::Duration;

use rstest::rstest;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::host::Host;
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::support::smtp::At::{Command, Content};
use super::support::smtp::Fault::Silence;
use super::support::smtp::{SmtpServer, Way, plain};
use super::support::wait::until;
use super::world::{ADDRESS, TOKEN, World};

const ACCOUNT: (&str, &str) = ("pbx@example.com", "correct-horse-battery");

/// A host whose daemon sends to the world's mail server.
fn host_of(world: &World) -> Host {
    let mut host = Host::bare();
    let key = host.file("sealing.key", "a".repeat(64));
    let port = world.server.port.to_string();
    for (name, value) in [
        ("DATABASE_URL", world.bench.text.as_str()),
        ("SEALING_KEY_FILE", &key),
        ("HTTP_LISTEN", "127.0.0.1:0"),
        ("HTTP_PUBLIC_URL", "https://pbx.example.com"),
        ("LOG_FORMAT", "json"),
        ("MAIL_HOST", "localhost"),
        ("MAIL_PORT", &port),
        ("MAIL_TLS", "none"),
        ("MAIL_FROM", "Switchyard <pbx@example.com>"),
    ] {
        host.set(&format!("SWITCHYARD_{name}"), value);
    }
    host
}

/// A running daemon, killed when it is dropped.
pub struct Daemon {
    process: Child,
    log: std::path::PathBuf,
}

impl Daemon {
    pub fn start(host: &Host, name: &str) -> Self {
        let log = host.path(name);
        let mut command = host.command(&["serve"]);
        command.stdout(Stdio::null()).stderr(File::create(&log).unwrap());
        Self {
            process: command.spawn().unwrap(),
            log,
        }
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.process.id().try_into().unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Its lines with this message.
    pub fn told(&self, message: &str) -> Vec<Value> {
        let log = self.log();
        let whole = log
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        whole.filter(|event| event["message"] == message).collect()
    }

    pub fn kill(mut self) {
        self.signal(Signal::KILL);
        self.process.wait().unwrap();
    }

    /// Asks it to end; gives its exit code and what it has logged.
    pub async fn stop(mut self) -> (Option<i32>, String) {
        self.signal(Signal::TERM);
        let mut ended = None;
        until("it ends", || {
            ended = self.process.try_wait().unwrap();
            ended.is_some()
        })
        .await;
        (ended.unwrap().code(), self.log())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It has ended already where the test came to its end.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[rstest]
#[tokio::test]
async fn o28_a_daemon_that_is_killed_after_sending_leaves_the_mail_to_the_next(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let host = host_of(&world);
    world.server.set(Some((Content, Silence)));
    let subject = world.post(&world.invitation()).await;
    let daemon = Daemon::start(&host, "first.log");
    until("the server has it", || world.server.accepted().len() == 1).await;
    daemon.kill();
    world.server.go_on();
    let standing = world.standing(&subject).await.unwrap();
    assert_eq!((standing.attempts, standing.sent_at), (1, None));

    // The time that its claim is heeded passes.
    world.bench.sql("update outbox set claimed_until = 1").await;
    let daemon = Daemon::start(&host, "second.log");
    until("it arrives again", || world.server.accepted().len() == 2).await;
    until("that is noted", || !daemon.told("mail sent").is_empty()).await;
    assert_eq!(daemon.stop().await.0, Some(0));
    let accepted = world.server.accepted();
    assert_eq!(accepted[0], accepted[1]);
    assert!(world.standing(&subject).await.unwrap().sent_at.is_some());
}

#[tokio::test]
async fn o28_the_daemon_sends_what_waited_for_a_dead_server_once_that_is_back() {
    let mut world = World::new(Sqlite).await;
    let host = host_of(&world);
    world.server.stop().await;
    let subject = world.post(&world.invitation()).await;
    let daemon = Daemon::start(&host, "log");
    until("it has tried", || !daemon.told("mail not sent yet").is_empty()).await;
    world.server.start_again().await;
    until("it arrives", || world.server.accepted().len() == 1).await;
    until("that is noted", || !daemon.told("mail sent").is_empty()).await;
    assert!(world.standing(&subject).await.unwrap().sent_at.is_some());
    assert_eq!(daemon.stop().await.0, Some(0));
}

#[tokio::test]
async fn o28_two_daemons_on_one_postgresql_send_each_mail_once() {
    let world = World::new(Postgres).await;
    let (one, two) = (host_of(&world), host_of(&world));
    let daemons = [Daemon::start(&one, "log"), Daemon::start(&two, "log")];
    for daemon in &daemons {
        until("it serves", || !daemon.told("serving").is_empty()).await;
    }
    let mut messages = Vec::new();
    for number in 0..40 {
        messages.push(
            world
                .message(&world.invitation_to(&format!("Ann {number}"), "Acme Inc."))
                .0,
        );
    }
    // All of them at once, so that both find something to do.
    let mut tx = world.begin().await;
    for message in &messages {
        switchyard::store::outbox::push(&mut tx, message).await.unwrap();
    }
    tx.commit().await.unwrap();
    until("all have arrived", || world.server.accepted().len() >= 40).await;
    let sent = || {
        daemons
            .iter()
            .map(|daemon| daemon.told("mail sent").len())
            .sum::<usize>()
    };
    until("all are noted", || sent() >= 40).await;
    for daemon in daemons {
        assert_eq!(daemon.stop().await.0, Some(0));
    }
    let accepted = world.server.accepted();
    let ids: BTreeSet<_> = accepted
        .iter()
        .map(|mail| mail.header("Message-ID").unwrap())
        .collect();
    assert_eq!((accepted.len(), ids.len()), (40, 40));
    world.server.assert_correct();
}

/// Neither does it wait for a server that says nothing, nor is the mail lost or late.
#[tokio::test]
async fn a_stop_while_the_server_is_silent_is_prompt_and_leaves_the_mail_due() {
    let world = World::new(Sqlite).await;
    let host = host_of(&world);
    world.server.set(Some((Command("EHLO"), Silence)));
    let subject = world.post(&world.invitation()).await;
    let daemon = Daemon::start(&host, "log");
    until("the server is greeted", || world.server.heard().contains("EHLO")).await;
    assert_eq!(daemon.stop().await.0, Some(0));
    world.server.go_on();
    world.clock.forward(Duration::from_secs(1));
    world.work_off().await;
    assert!(world.standing(&subject).await.unwrap().sent_at.is_some());
}

#[tokio::test]
async fn o28_no_log_however_talkative_says_what_is_secret() {
    let server = SmtpServer::start_with(Way::Clear, Some(ACCOUNT)).await;
    let world = World::with(Sqlite, server, |_| {}).await;
    let mut host = host_of(&world);
    let password = host.file("mail.password", ACCOUNT.1);
    host.set("SWITCHYARD_MAIL_USERNAME", ACCOUNT.0);
    host.set("SWITCHYARD_MAIL_PASSWORD_FILE", &password);
    host.set("SWITCHYARD_LOG_LEVEL", "trace");
    let subject = world
        .post(&world.invitation_to("Ann Invited", "Acme Secret Inc."))
        .await;
    let daemon = Daemon::start(&host, "log");
    until("it is sent", || !daemon.told("mail sent").is_empty()).await;
    let (code, log) = daemon.stop().await;
    assert_eq!(code, Some(0));
    assert!(
        log.contains(subject.as_str()) && log.contains("transaction"),
        "it says what may be said"
    );
    let encoded = plain(ACCOUNT.0, ACCOUNT.1);
    assert!(
        world.server.heard().contains(&encoded),
        "the scan looks for what was said"
    );
    for secret in [
        TOKEN,
        ACCOUNT.1,
        &encoded,
        ADDRESS,
        "Ann Invited",
        "Acme Secret Inc.",
    ] {
        assert!(!log.contains(secret), "{secret} stands in the log");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operators_own_words_are_sent_and_broken_ones_give_way() {
    let world = World::new(Sqlite).await;
    let mut host = host_of(&world);
    host.file(
        "templates/mail/invitation.txt",
        "Subject: Welcome to {{ tenant }}\n\nHi {{ name }}: {{ link }}\n",
    );
    let templates = host.path("templates").display().to_string();
    host.set("SWITCHYARD_TEMPLATES_DIR", &templates);
    world.post(&world.invitation()).await;
    let daemon = Daemon::start(&host, "log");
    until("it arrives", || world.server.accepted().len() == 1).await;
    // An edit counts from the next mail on.
    host.file(
        "templates/mail/invitation.txt",
        "Subject: Welcome\n\n{{ nmae }}\n",
    );
    world.post(&world.invitation()).await;
    until("the next arrives", || world.server.accepted().len() == 2).await;
    let accepted = world.server.accepted();
    let subjects: Vec<_> = accepted
        .iter()
        .map(|mail| mail.header("Subject").unwrap())
        .collect();
    assert_eq!(subjects, ["Welcome to Acme Inc.", "You are invited to Acme Inc."]);
    assert!(
        accepted[0].parts()[0]
            .1
            .starts_with("Hi Ann: https://pbx.example.com/")
    );
    let (_, log) = daemon.stop().await;
    assert!(
        log.contains("the built-in templates are used instead: template `mail/invitation.txt`"),
        "{log}"
    );

    let said = host.refused(4, &["templates", "check"]);
    assert!(said.contains("mail/invitation.txt"), "{said}");
}

/// The finding on the mail server, of a host that lacks other things.
fn examined(host: &Host) -> (String, String, bool) {
    let ended = host.run(&["--json", "doctor"]);
    let value: Value = serde_json::from_str(&ended.out).unwrap_or_else(|_| panic!("{ended:?}"));
    let all = value["findings"].as_array().unwrap();
    let found = all
        .iter()
        .find(|finding| finding["name"] == "mail_server")
        .unwrap();
    let text = |field: &str| found[field].as_str().unwrap().to_owned();
    (text("outcome"), text("detail"), found["mend"].is_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_asks_the_mail_server_and_sends_nothing() {
    let server = SmtpServer::start_with(Way::Clear, Some(ACCOUNT)).await;
    let mut world = World::with(Sqlite, server, |_| {}).await;
    let mut host = host_of(&world);
    let password = host.file("mail.password", ACCOUNT.1);
    host.set("SWITCHYARD_MAIL_USERNAME", ACCOUNT.0);
    host.set("SWITCHYARD_MAIL_PASSWORD_FILE", &password);
    let asked = async |host: &Host| tokio::task::block_in_place(|| examined(host));
    let (outcome, detail, _) = asked(&host).await;
    assert_eq!(outcome, "ok", "{detail}");
    assert!(detail.contains("signed in as pbx@example.com"), "{detail}");
    assert!(!world.server.heard().contains("MAIL FROM"));

    host.file("mail.password", "wrong-horse");
    let (outcome, detail, is_mended) = asked(&host).await;
    assert!(
        outcome == "failed" && is_mended && detail.contains("signing in"),
        "{detail}"
    );
    world.server.stop().await;
    let (outcome, detail, is_mended) = asked(&host).await;
    assert!(
        outcome == "failed" && is_mended && detail.contains("refused"),
        "{detail}"
    );

    for name in ["HOST", "PORT", "TLS", "FROM", "USERNAME", "PASSWORD_FILE"] {
        host.unset(&format!("SWITCHYARD_MAIL_{name}"));
    }
    let (outcome, detail, _) = asked(&host).await;
    assert!(
        outcome == "ok" && detail.contains("none is configured"),
        "{detail}"
    );
}
