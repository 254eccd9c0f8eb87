//! Signing in, and who is not let in or not told the password.

use std::error::Error as _;

use tokio::sync::mpsc;

use super::peer::{
    DENIED, GOODBYE, LONG, PASSWORD, Peer, SHORT, Stage, config, password, subscription, unused_port, word,
};
use crate::wire::esl::recorded::transcript;
use crate::wire::esl::{CodecError, Format, LinkError, Subscription, connect};
use crate::wire::link::Unopened;

/// A FreeSWITCH that says this and then tells what it heard.
async fn saying(greeting: &'static [u8]) -> (Stage, mpsc::UnboundedReceiver<Option<String>>) {
    let (tell, told) = mpsc::unbounded_channel();
    let stage = Stage::new(move |_, mut peer: Peer| {
        let tell = tell.clone();
        async move {
            peer.send(greeting).await;
            tell.send(peer.heard().await).unwrap();
        }
    })
    .await;
    (stage, told)
}

#[tokio::test]
async fn nobody_listens() {
    let port = unused_port().await;
    let error = connect(&config(port)).await.unwrap_err();
    assert!(
        matches!(&error, LinkError::Connect { address, .. } if *address == format!("127.0.0.1:{port}")),
        "{error:?}"
    );
    assert!(error.source().is_some());
}

#[tokio::test]
async fn the_password_is_said_when_it_is_asked_for_and_events_after_it() {
    for (format, expected) in [(Format::Json, "json"), (Format::Plain, "plain")] {
        let (tell, mut told) = mpsc::unbounded_channel();
        let mut stage = Stage::new(move |_, mut peer: Peer| {
            let tell = tell.clone();
            async move {
                peer.greet().await;
                while let Some(command) = peer.heard().await {
                    peer.reply("+OK").await;
                    tell.send(command).unwrap();
                }
            }
        })
        .await;
        stage.config.events = subscription(format)
            .filter(word("Caller-Context"), "demo.local")
            .unwrap();
        let opened = connect(&stage.config).await;
        assert!(opened.is_ok(), "{opened:?}");
        let expected = [
            format!("auth {PASSWORD}"),
            format!("event {expected} BACKGROUND_JOB CHANNEL_CREATE CUSTOM sofia::register"),
            "filter Event-Name BACKGROUND_JOB".to_owned(),
            "filter Caller-Context demo.local".to_owned(),
        ];
        for command in expected {
            assert_eq!(told.recv().await, Some(command));
        }
    }
}

#[tokio::test]
async fn a_wrong_password_is_told_as_such_and_not_shown() {
    let mut stage = Stage::living(|peer, _| async move { peer }).await;
    stage.config.password = password("s3cret");
    let error = connect(&stage.config).await.unwrap_err();
    assert!(
        matches!(&error, LinkError::LoginRefused { message } if message == "-ERR invalid"),
        "{error:?}"
    );
    assert!(!format!("{error:?} {error} {:?}", stage.config).contains("s3cret"));
}

#[tokio::test]
async fn what_was_recorded_of_a_wrong_password_is_read_as_such() {
    let (stage, _told) = saying(transcript("02-auth")).await;
    let error = connect(&stage.config).await.unwrap_err();
    assert!(matches!(&error, LinkError::LoginRefused { .. }), "{error:?}");
}

#[tokio::test]
async fn an_address_that_is_not_allowed_learns_what_to_change_and_says_no_password() {
    assert_eq!(format!("{DENIED}{GOODBYE}").as_bytes(), transcript("15-acl"));
    let (stage, mut told) = saying(transcript("15-acl")).await;
    let error = connect(&stage.config).await.unwrap_err();
    assert!(matches!(&error, LinkError::AddressDenied { .. }), "{error:?}");
    let text = error.to_string();
    assert!(
        text.contains("apply-inbound-acl") && text.contains("event_socket.conf.xml"),
        "{text}"
    );
    assert_eq!(told.recv().await, Some(None));
}

#[tokio::test]
async fn another_kind_of_server_gets_no_password() {
    for greeting in [
        b"220 mail.example.com ESMTP\r\n".as_slice(),
        b"Asterisk Call Manager/11.0.0\r\n",
        b"Content-Type: command/reply\nReply-Text: +OK accepted\n\n",
        GOODBYE.as_bytes(),
    ] {
        let (stage, mut told) = saying(greeting).await;
        let error = connect(&stage.config).await.unwrap_err();
        assert!(
            matches!(
                error,
                LinkError::Read(CodecError::Greeting { .. }) | LinkError::OutOfStep { .. }
            ),
            "{error:?}"
        );
        assert_eq!(told.recv().await, Some(None));
    }
}

#[tokio::test]
async fn a_server_that_never_answers_the_password_is_left_and_not_as_soon_as_one_that_asks_for_none() {
    let mut stage = Stage::new(|_, mut peer: Peer| async move {
        peer.greet().await;
        peer.fall_silent().await;
    })
    .await;
    (stage.config.timing.connect, stage.config.timing.sign_in) = (SHORT / 2, SHORT);
    let error = connect(&stage.config).await.unwrap_err();
    assert!(
        matches!(error, LinkError::Unopened(Unopened::TooLate { limit: SHORT, .. })),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_server_that_never_asks_for_the_password_is_left() {
    let mut stage = Stage::new(|_, mut peer: Peer| async move { peer.fall_silent().await }).await;
    stage.config.timing.connect = SHORT;
    let error = connect(&stage.config).await.unwrap_err();
    assert!(
        matches!(error, LinkError::Unopened(Unopened::TooLate { limit: SHORT, .. })),
        "{error:?}"
    );
}

#[tokio::test]
async fn the_sign_in_may_be_closed_on_us_with_and_without_a_word() {
    for goodbye in ["", GOODBYE] {
        let stage = Stage::new(move |_, mut peer: Peer| async move {
            peer.greet().await;
            peer.heard().await;
            peer.send(goodbye).await;
        })
        .await;
        let error = connect(&stage.config).await.unwrap_err();
        let as_expected = match goodbye {
            "" => matches!(error, LinkError::Closed),
            _ => matches!(error, LinkError::Dismissed),
        };
        assert!(as_expected, "{goodbye:?}: {error:?}");
    }
}

#[tokio::test]
async fn a_subscription_that_is_refused_is_told_as_such() {
    let mut stage = Stage::new(|_, mut peer: Peer| async move {
        peer.greet().await;
        for reply in ["+OK accepted", "-ERR no keywords supplied"] {
            peer.heard().await;
            peer.reply(reply).await;
        }
    })
    .await;
    stage.config.events = Subscription::new(Format::Plain);
    let error = connect(&stage.config).await.unwrap_err();
    assert!(
        matches!(&error, LinkError::SubscriptionRefused { command, message }
            if command == "event" && message == "-ERR no keywords supplied"),
        "{error:?}"
    );
}

#[tokio::test]
async fn before_the_password_nothing_is_understood() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let stage = Stage::living(|peer, _| async move { peer }).await;
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", stage.config.port))
        .await
        .unwrap();
    stream.write_all(b"api status\n\n").await.unwrap();
    let mut heard = vec![0; transcript("03-command").len()];
    let read = tokio::time::timeout(LONG, stream.read_exact(&mut heard));
    read.await.expect("an answer").unwrap();
    assert_eq!(
        heard,
        transcript("03-command"),
        "the peer of these tests answers as FreeSWITCH does"
    );
}
