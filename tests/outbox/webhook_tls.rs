//! Webhooks over TLS: what is sent goes to whom the name belongs, and to no proxy.

use std::path::Path;

use rstest::rstest;
use tempfile::TempDir;

use super::daemon::Daemon;
use super::hooked::Hooked;
use super::support::certificates::{authority, certificate};
use super::support::database::Backend::{Postgres, Sqlite};
use super::support::receiver::Receiver;
use super::support::smtp::acceptor;
use super::support::wait::until;
use super::webhook_daemon::host_of;

/// An authority `ca`, and certificates of it for this host and for another.
fn keys() -> TempDir {
    let keys = tempfile::tempdir().unwrap();
    authority(keys.path(), "ca");
    certificate(keys.path(), "here", "IP:127.0.0.1");
    certificate(keys.path(), "elsewhere", "DNS:hooks.example.com");
    keys
}

async fn receiver(keys: &Path, name: &str) -> Receiver {
    Receiver::start_with_tls(acceptor(keys, name)).await
}

/// The host's own authorities do not know the one of the test.
#[tokio::test]
async fn nothing_is_sent_to_whom_no_trusted_authority_has_certified() {
    let (hooked, keys) = (Hooked::new(Sqlite).await, keys());
    let receiver = receiver(keys.path(), "here").await;
    let made = hooked.hook(&receiver, &["user.created"]).await;
    hooked.user("ann", &hooked.acme).await;
    assert_eq!(hooked.work_off().await, 1);
    let error = hooked.standing(&made).await.standing.last_error.unwrap();
    assert!(error.contains("certificate"), "{error}");
    assert_eq!((receiver.connections(), receiver.got().len()), (1, 0));
}

#[rstest]
#[case::to_whom_it_belongs("here", 1)]
#[case::not_to_another("elsewhere", 0)]
#[tokio::test]
async fn a_daemon_sends_over_tls_to_whom_the_name_belongs_and_past_the_proxies_of_its_environment(
    #[case] name: &str,
    #[case] delivered: usize,
) {
    let (hooked, keys) = (Hooked::new(Postgres).await, keys());
    let (receiver, in_clear) = (receiver(keys.path(), name).await, Receiver::start().await);
    let proxy = Receiver::start().await;
    let mut host = host_of(&hooked);
    let authority = keys.path().join("ca.pem").display().to_string();
    host.set("SSL_CERT_FILE", &authority);
    for variable in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        for variable in [variable.to_owned(), variable.to_lowercase()] {
            host.set(&variable, &format!("http://{}", proxy.address));
        }
    }
    hooked.hook(&receiver, &["user.created"]).await;
    hooked.hook(&in_clear, &["user.created"]).await;
    hooked.user("ann", &hooked.acme).await;
    let daemon = Daemon::start(&host, "daemon.log");
    let tried = || daemon.told("event delivered").len() + daemon.told("event not delivered yet").len();
    until("both were tried", || tried() >= 2).await;
    assert_eq!((receiver.got().len(), in_clear.got().len()), (delivered, 1));
    assert_eq!(proxy.connections(), 0);
    let (code, _) = daemon.stop().await;
    assert_eq!(code, Some(0));
}
