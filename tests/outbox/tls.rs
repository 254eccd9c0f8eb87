//! The way to the mail server: nothing is said that counts before it has proven itself.

use std::path::PathBuf;

use rstest::rstest;
use switchyard::domain::mail::{Login, SmtpServer as Settings, TlsMode};
use switchyard::outbox::worker::Rest;
use tempfile::TempDir;

use super::support::certificates::{authority, certificate};
use super::support::database::Backend::Sqlite;
use super::support::smtp::{At, Fault, SmtpServer, Way, acceptor};
use super::world::{ADDRESS, World};

const ACCOUNT: (&str, &str) = ("pbx@example.com", "correct horse battery");

struct Keys(TempDir);

impl Keys {
    /// An authority `ca`, a stranger `other`, and certificates for this host and for another.
    fn make() -> Self {
        let keys = Self(tempfile::tempdir().unwrap());
        authority(keys.0.path(), "ca");
        authority(keys.0.path(), "other");
        certificate(keys.0.path(), "here", "IP:127.0.0.1");
        certificate(keys.0.path(), "elsewhere", "DNS:mail.example.com");
        keys
    }

    fn way(&self, tls: TlsMode, name: &str) -> Way {
        let acceptor = acceptor(self.0.path(), name);
        match tls {
            TlsMode::Required => Way::Tls(acceptor),
            TlsMode::StartTls => Way::StartTls(acceptor),
            TlsMode::None => Way::Clear,
        }
    }

    fn authority(&self, name: &str) -> PathBuf {
        self.0.path().join(format!("{name}.pem"))
    }
}

fn login(password: &str) -> Login {
    Login {
        username: ACCOUNT.0.to_owned(),
        password: password.to_owned().into(),
    }
}

/// Posts an invitation; gives what went wrong, if anything, and whether the server heard of it.
async fn posted(server: SmtpServer, change: impl FnOnce(&mut Settings)) -> (World, Option<String>) {
    let world = World::with(Sqlite, server, change).await;
    let subject = world.post(&world.invitation()).await;
    world.work_off().await;
    let standing = world.standing(&subject).await.unwrap();
    assert_eq!(
        standing.sent_at.is_some(),
        standing.last_error.is_none(),
        "{standing:?}"
    );
    (world, standing.last_error)
}

#[rstest]
#[tokio::test]
async fn a_mail_goes_over_tls_to_whom_the_account_belongs(
    #[values(TlsMode::Required, TlsMode::StartTls)] tls: TlsMode,
) {
    let keys = Keys::make();
    let server = SmtpServer::start_with(keys.way(tls, "here"), Some(ACCOUNT)).await;
    let (world, error) = posted(server, |settings| {
        settings.tls = tls;
        settings.ca_file = Some(keys.authority("ca"));
        settings.login = Some(login(ACCOUNT.1));
    })
    .await;
    assert_eq!(error, None);
    world.server.assert_correct();
    let accepted = world.server.accepted();
    assert!(accepted[0].encrypted);
    assert_eq!(accepted[0].account.as_deref(), Some(ACCOUNT.0));
}

#[rstest]
#[case::stranger(TlsMode::Required, "here", "other")]
#[case::stranger_by_starttls(TlsMode::StartTls, "here", "other")]
#[case::elsewhere(TlsMode::Required, "elsewhere", "ca")]
#[case::elsewhere_by_starttls(TlsMode::StartTls, "elsewhere", "ca")]
#[tokio::test]
async fn a_server_that_does_not_prove_itself_gets_neither_password_nor_mail(
    #[case] tls: TlsMode,
    #[case] shown: &str,
    #[case] believed: &str,
) {
    let keys = Keys::make();
    let server = SmtpServer::start_with(keys.way(tls, shown), Some(ACCOUNT)).await;
    let (world, error) = posted(server, |settings| {
        settings.tls = tls;
        settings.ca_file = Some(keys.authority(believed));
        settings.login = Some(login(ACCOUNT.1));
    })
    .await;
    let error = error.unwrap();
    assert!(error.contains("certificate"), "{error}");
    let heard = world.server.heard();
    assert!(!heard.contains("AUTH") && !heard.contains(ADDRESS), "{heard}");
}

#[tokio::test]
async fn a_server_that_leaves_starttls_out_gets_nothing() {
    let server = SmtpServer::start().await;
    let (world, error) = posted(server, |settings| {
        settings.tls = TlsMode::StartTls;
        settings.login = Some(login(ACCOUNT.1));
    })
    .await;
    let error = error.unwrap();
    assert!(
        error.contains("STARTTLS: ") && error.contains("not supported"),
        "{error}"
    );
    let heard = world.server.heard();
    assert!(!heard.contains("AUTH") && !heard.contains("MAIL"), "{heard}");
}

#[rstest]
#[case::on_the_way("454 4.7.0 TLS not available")]
#[case::for_good("502 what?")]
#[tokio::test]
async fn a_server_that_refuses_starttls_gets_nothing(#[case] answer: &str) {
    let keys = Keys::make();
    let server = SmtpServer::start_with(keys.way(TlsMode::StartTls, "here"), Some(ACCOUNT)).await;
    server.set(Some((At::Command("STARTTLS"), Fault::Answer(answer.to_owned()))));
    let (world, error) = posted(server, |settings| {
        settings.tls = TlsMode::StartTls;
        settings.ca_file = Some(keys.authority("ca"));
        settings.login = Some(login(ACCOUNT.1));
    })
    .await;
    assert!(error.unwrap().contains(answer.split(' ').next().unwrap()));
    let heard = world.server.heard();
    assert!(!heard.contains("AUTH") && !heard.contains("MAIL"), "{heard}");
}

#[tokio::test]
async fn a_wrong_password_is_the_servers_fault_and_not_in_the_record() {
    let keys = Keys::make();
    let server = SmtpServer::start_with(keys.way(TlsMode::Required, "here"), Some(ACCOUNT)).await;
    let change = |settings: &mut Settings| {
        settings.tls = TlsMode::Required;
        settings.ca_file = Some(keys.authority("ca"));
        settings.login = Some(login("wrong horse"));
    };
    let mut world = World::with(Sqlite, server, change).await;
    let subject = world.post(&world.invitation()).await;
    assert_eq!(world.work_off().await, Rest::ServerDown);
    let error = world.standing(&subject).await.unwrap().last_error.unwrap();
    assert!(
        error.contains("signing in: permanent error (535): 5.7.8 wrong"),
        "{error}"
    );

    // One that repeats what it was given.
    let fault = Fault::Answer("535 no account for `wrong horse`".to_owned());
    world.server.set(Some((At::Command("AUTH"), fault)));
    world.clock.forward(std::time::Duration::from_mins(1));
    world.work_off().await;
    let error = world.standing(&subject).await.unwrap().last_error.unwrap();
    assert!(
        error.ends_with("signing in: 535, its answer is withheld, since it repeats a secret"),
        "{error}"
    );

    // It is corrected, and the daemon started again.
    world.server.set(None);
    world.settings.login = Some(login(ACCOUNT.1));
    world.clock.forward(std::time::Duration::from_mins(1));
    assert_eq!(world.work_off().await, Rest::NothingDue);
    assert_eq!(world.server.accepted().len(), 1);
}

#[tokio::test]
async fn a_server_that_wants_an_account_we_have_not_keeps_the_mail_waiting() {
    let server = SmtpServer::start_with(Way::Clear, Some(ACCOUNT)).await;
    let (_world, error) = posted(server, |_| {}).await;
    assert!(error.unwrap().contains("MAIL FROM: permanent error (530)"));
}

#[rstest]
#[case::absent("none.pem", "none.pem cannot be used")]
#[case::empty("empty.pem", "certificate")]
#[tokio::test]
async fn a_file_of_certificates_that_cannot_be_used_is_named(#[case] file: &str, #[case] said: &str) {
    let keys = Keys::make();
    std::fs::write(keys.0.path().join("empty.pem"), "").unwrap();
    let server = SmtpServer::start_with(keys.way(TlsMode::Required, "here"), None).await;
    let (_world, error) = posted(server, |settings| {
        settings.tls = TlsMode::Required;
        settings.ca_file = Some(keys.0.path().join(file));
    })
    .await;
    let error = error.unwrap();
    assert!(error.contains(said), "{error}");
}
