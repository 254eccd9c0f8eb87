//! The real daemon sends events: killed, it leaves them to the next.

use rstest::rstest;

use super::daemon::Daemon;
use super::hooked::{ALLOWED, Hooked};
use super::host::Host;
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::support::receiver::Manner::{Hang, Status};
use super::support::receiver::Receiver;
use super::support::wait::until;

pub fn host_of(hooked: &Hooked) -> Host {
    let mut host = Host::bare();
    let key = host.file("sealing.key", "a".repeat(64));
    for (name, value) in [
        ("DATABASE_URL", hooked.bench.text.as_str()),
        ("SEALING_KEY_FILE", &key),
        ("HTTP_LISTEN", "127.0.0.1:0"),
        ("LOG_FORMAT", "json"),
        ("LOG_LEVEL", "debug"),
        ("NODE_NAME", "node2"),
        ("WEBHOOKS_ALLOW", ALLOWED),
    ] {
        host.set(&format!("SWITCHYARD_{name}"), value);
    }
    host
}

#[rstest]
#[tokio::test]
async fn a_daemon_that_is_killed_while_it_sends_leaves_the_event_to_the_next(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (hooked, receiver) = (Hooked::new(backend).await, Receiver::start().await);
    let host = host_of(&hooked);
    receiver.behave(&[Hang, Status(200)]);
    let made = hooked.hook(&receiver, &["user.created"]).await;
    for name in ["ann", "bob"] {
        hooked.user(name, &hooked.acme).await;
    }
    let daemon = Daemon::start(&host, "first.log");
    until("the receiver has it", || receiver.got().len() == 1).await;
    daemon.kill();
    assert_eq!(hooked.standing(&made).await.standing.pending, 2);

    // The time that its claim is heeded passes.
    hooked.bench.sql("update webhooks set claimed_until = 1").await;
    let daemon = Daemon::start(&host, "second.log");
    until("all arrives", || receiver.numbers() == [1, 1, 2]).await;
    until("that is noted", || daemon.told("event delivered").len() == 2).await;
    let (code, log) = daemon.stop().await;
    assert_eq!(code, Some(0));
    let got = receiver.got();
    assert_eq!(got[0].body, got[1].body);
    assert!(got.iter().all(|got| got.is_signed_by(&[&made.secret])));
    for secret in ["T0kenInThePath", "ann@example.com", made.secret.as_str()] {
        assert!(!log.contains(secret), "{secret}");
    }
    assert_eq!(hooked.standing(&made).await.standing.pending, 0);
}
