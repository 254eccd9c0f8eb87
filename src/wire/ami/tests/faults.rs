//! Servers that break, lie or go quiet; what the caller is told then.

use std::error::Error as _;
use std::time::Duration;

use super::peer::{LONG, SHORT, Stage, config, eventually, unused_port};
use crate::wire::ami::{
    Action, CodecError, Error, FeedError, LinkError, LinkState, UnknownReason, UnsentReason, connect,
};
use crate::wire::link::Unopened;

fn broke(error: &Error) -> &LinkError {
    match error {
        Error::Unknown {
            reason: UnknownReason::LinkBroke(reason),
            ..
        } => reason,
        other => panic!("{other:?}"),
    }
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
async fn a_wrong_secret_is_told_as_such() {
    let stage = Stage::new(|_, mut peer| async move {
        peer.greet().await;
        let login = peer.asked().await.unwrap();
        peer.respond(&login, "Error", "Message: Authentication failed\r\n")
            .await;
    })
    .await;
    let error = connect(&stage.config).await.unwrap_err();
    assert!(
        matches!(&error, LinkError::LoginRefused { message } if message == "Authentication failed"),
        "{error:?}"
    );
    assert!(!format!("{error:?} {error}").contains("throwaway"));
}

#[tokio::test]
async fn another_kind_of_server_gets_no_secret() {
    let (tell, told) = tokio::sync::oneshot::channel();
    let mut tell = Some(tell);
    let stage = Stage::new(move |_, mut peer| {
        let tell = tell.take();
        async move {
            peer.send("220 mail.example.com ESMTP\r\n").await;
            tell.unwrap().send(peer.asked().await).unwrap();
        }
    })
    .await;
    let error = connect(&stage.config).await.unwrap_err();
    assert!(
        matches!(error, LinkError::Read(CodecError::Banner { .. })),
        "{error:?}"
    );
    assert_eq!(told.await.unwrap(), None);
}

#[tokio::test]
async fn a_server_that_never_answers_the_login_is_left() {
    let mut stage = Stage::new(|_, mut peer| async move {
        peer.greet().await;
        peer.fall_silent().await;
    })
    .await;
    stage.config.timing.sign_in = SHORT;
    let error = connect(&stage.config).await.unwrap_err();
    assert!(
        matches!(error, LinkError::Unopened(Unopened::TooLate { limit: SHORT, .. })),
        "{error:?}"
    );
}

#[tokio::test]
async fn the_login_may_be_closed_on_us() {
    let stage = Stage::new(|_, mut peer| async move {
        peer.greet().await;
        peer.asked().await;
    })
    .await;
    let error = connect(&stage.config).await.unwrap_err();
    assert!(matches!(error, LinkError::Closed), "{error:?}");
}

#[tokio::test]
async fn a_link_that_breaks_leaves_what_was_sent_unknown_and_the_next_unsent() {
    let mut stage = Stage::new(|_, mut peer| async move {
        peer.accept().await;
        peer.asked().await;
    })
    .await;
    let client = stage.client().await;
    let mut feed = client.events();
    let error = client.command("module reload", LONG).await.unwrap_err();
    assert!(matches!(broke(&error), LinkError::Closed), "{error:?}");
    assert_eq!(feed.next().await, Err(FeedError::LinkDown));

    let error = client.request(Action::ping(), LONG).await.unwrap_err();
    match &error {
        Error::Unsent {
            reason: UnsentReason::LinkDown(reason),
            ..
        } => assert!(matches!(**reason, LinkError::Closed)),
        other => panic!("{other:?}"),
    }
    assert!(matches!(
        &*client.link().borrow(),
        LinkState::Down { next_try: None, .. }
    ));
    assert_eq!(client.pending_requests(), 0);
}

#[tokio::test]
async fn an_answer_cut_in_the_middle_is_no_answer() {
    let mut stage = Stage::new(|_, mut peer| async move {
        peer.accept().await;
        let asked = peer.asked().await.unwrap();
        peer.send(format!(
            "Response: Success\r\nActionID: {}\r\nMess",
            asked["ActionID"]
        ))
        .await;
    })
    .await;
    let error = stage
        .client()
        .await
        .request(Action::ping(), LONG)
        .await
        .unwrap_err();
    assert!(
        matches!(broke(&error), LinkError::Read(CodecError::CutOff { bytes }) if *bytes > 30),
        "{error:?}"
    );
}

#[tokio::test]
async fn an_answer_byte_by_byte_is_an_answer() {
    let mut stage = Stage::new(|_, mut peer| async move {
        peer.accept().await;
        let asked = peer.asked().await.unwrap();
        for byte in format!("Response: Success\r\nActionID: {}\r\n\r\n", asked["ActionID"]).bytes() {
            peer.send([byte]).await;
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        peer.fall_silent().await;
    })
    .await;
    assert!(
        stage
            .client()
            .await
            .request(Action::ping(), LONG)
            .await
            .unwrap()
            .is_success()
    );
}

#[tokio::test]
async fn blocks_of_garbage_are_skipped_and_told_as_lost_events() {
    let mut stage = Stage::new(|_, mut peer| async move {
        peer.accept().await;
        let asked = peer.asked().await.unwrap();
        peer.send(b"\xff\xfe\x00 garbage\r\n\r\nno colon\r\n\r\nKey: neither response nor event\r\n\r\n\r\n")
            .await;
        peer.send(b"Response: Success\r\nActionID: 1-99999999999999999999999\r\n\r\n")
            .await;
        peer.respond(&asked, "Success", "").await;
        peer.fall_silent().await;
    })
    .await;
    let client = stage.client().await;
    let mut feed = client.events();
    assert!(client.request(Action::ping(), LONG).await.unwrap().is_success());
    for _ in 0..3 {
        assert_eq!(feed.next().await, Err(FeedError::Lost(1)));
    }
}

#[tokio::test]
async fn a_message_beyond_the_limit_closes_the_link() {
    let mut stage = Stage::new(|_, mut peer| async move {
        peer.accept().await;
        let asked = peer.asked().await.unwrap();
        let lines = "Output: x\r\n".repeat(1000);
        peer.respond(&asked, "Success", &lines).await;
        peer.fall_silent().await;
    })
    .await;
    stage.config.limits.frame = 2000;
    let error = stage
        .client()
        .await
        .command("core show channels", LONG)
        .await
        .unwrap_err();
    assert!(
        matches!(
            broke(&error),
            LinkError::Read(CodecError::TooLong { limit: 2000 })
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn no_answer_in_time_is_unknown_and_a_late_one_is_dropped() {
    let mut stage = Stage::new(|_, mut peer| async move {
        peer.accept().await;
        let first = peer.asked().await.unwrap();
        let second = peer.asked().await.unwrap();
        peer.respond(&first, "Success", "Message: late\r\n").await;
        peer.event(&first, "EndpointList", "").await;
        peer.respond(&second, "Success", "Message: in time\r\n").await;
        peer.fall_silent().await;
    })
    .await;
    let client = stage.client().await;
    let mut feed = client.events();
    let error = client.request(Action::ping(), SHORT).await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::Unknown {
                reason: UnknownReason::TimedOut { after: SHORT },
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(client.pending_requests(), 0);
    let answer = client.request(Action::ping(), LONG).await.unwrap();
    assert_eq!(answer.get("Message"), Some("in time"));
    assert!(
        tokio::time::timeout(SHORT, feed.next()).await.is_err(),
        "a late event reached the listeners"
    );
}

#[tokio::test]
async fn a_dropped_request_leaves_nothing_behind() {
    let mut stage = Stage::new(|_, mut peer| async move {
        peer.accept().await;
        peer.fall_silent().await;
    })
    .await;
    stage.config.limits.pending = 4;
    let client = stage.client().await;
    for _ in 0..100 {
        let asking = client.request(Action::ping(), LONG);
        assert!(
            tokio::time::timeout(Duration::from_millis(2), asking)
                .await
                .is_err()
        );
        assert_eq!(client.pending_requests(), 0);
    }
}

#[tokio::test]
async fn more_requests_than_allowed_are_not_sent() {
    let mut stage = Stage::new(|_, mut peer| async move {
        peer.accept().await;
        peer.fall_silent().await;
    })
    .await;
    stage.config.limits.pending = 3;
    let client = stage.client().await;
    for _ in 0..3 {
        let client = client.clone();
        stage.tasks.spawn(async move {
            let _ = client.request(Action::ping(), LONG).await;
        });
    }
    eventually("three requests wait", || client.pending_requests() == 3).await;
    let error = client.request(Action::ping(), LONG).await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::Unsent {
                reason: UnsentReason::Busy { limit: 3 },
                ..
            }
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn what_waits_to_be_written_is_unsent_when_its_time_is_up() {
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let mut stage = Stage::new(move |_, mut peer| {
        let tell = tell.clone();
        async move {
            peer.accept().await;
            while let Some(asked) = peer.asked().await {
                tell.send(asked["Action"].clone()).unwrap();
                peer.respond(&asked, "Success", "").await;
            }
        }
    })
    .await;
    // Until the connection is driven nothing is written.
    let (client, connection) = connect(&stage.config).await.unwrap();
    let error = client.command("module reload", SHORT).await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::Unsent {
                reason: UnsentReason::TimedOut { .. },
                ..
            }
        ),
        "{error:?}"
    );
    // Now it is, and what was given up stays unsent.
    stage.drive(connection);
    client.request(Action::ping(), LONG).await.unwrap();
    assert_eq!(told.recv().await.as_deref(), Some("Ping"));
}

#[tokio::test]
async fn a_stop_ends_the_link_and_tells_who_waits() {
    let mut stage = Stage::new(|_, mut peer| async move {
        peer.accept().await;
        peer.fall_silent().await;
    })
    .await;
    let (client, connection) = connect(&stage.config).await.unwrap();
    let stop = stage.stop.clone();
    stage.tasks.spawn(async move {
        tokio::time::sleep(SHORT).await;
        stop.cancel();
    });
    let (ended, answer) = tokio::join!(
        connection.run(stage.stop.clone()),
        client.request(Action::ping(), LONG)
    );
    assert!(ended.is_ok());
    assert!(matches!(broke(&answer.unwrap_err()), LinkError::Stopped));
}

#[tokio::test]
async fn a_connection_that_is_dropped_leaves_nobody_waiting() {
    let stage = Stage::new(|_, mut peer| async move {
        peer.accept().await;
        peer.fall_silent().await;
    })
    .await;
    let (client, connection) = connect(&stage.config).await.unwrap();
    drop(connection);
    let error = client.request(Action::ping(), LONG).await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::Unsent {
                reason: UnsentReason::LinkDown(_),
                ..
            }
        ),
        "{error:?}"
    );
    assert!(!client.link().borrow().is_connected());
}
