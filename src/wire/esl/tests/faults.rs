//! Servers that break, lie or go quiet; what the caller is told then.

use std::sync::Arc;
use std::time::Duration;

use super::peer::{GOODBYE, LONG, Peer, SHORT, Stage};
use crate::wire::esl::{
    Client, CodecError, Command, Error, FeedError, LinkError, UnknownReason, UnsentReason, connect,
};

fn broke(error: &Error) -> &LinkError {
    match error {
        Error::Unknown {
            reason: UnknownReason::LinkBroke(reason),
            ..
        } => reason,
        other => panic!("{other:?}"),
    }
}

/// A FreeSWITCH that answers its first command with these bytes and hangs up, or falls silent.
async fn answering(bytes: impl Into<Vec<u8>>, hang_up: bool) -> (Stage, Client) {
    let bytes = bytes.into();
    let mut stage = Stage::new(move |_, mut peer: Peer| {
        let bytes = bytes.clone();
        async move {
            peer.accept().await;
            peer.heard().await;
            peer.send(bytes).await;
            if !hang_up {
                peer.fall_silent().await;
            }
        }
    })
    .await;
    let client = stage.client().await;
    (stage, client)
}

#[tokio::test]
async fn a_link_that_breaks_leaves_what_was_sent_unknown_and_the_next_unsent() {
    for (last_words, dismissed) in [("", false), (GOODBYE, true)] {
        let (_stage, client) = answering(last_words, true).await;
        let mut feed = client.events();
        let error = client.reload_xml(LONG).await.unwrap_err();
        let reason = broke(&error);
        let as_expected = if dismissed {
            matches!(reason, LinkError::Dismissed)
        } else {
            matches!(reason, LinkError::Closed)
        };
        assert!(as_expected, "{error:?}");
        assert_eq!(feed.next().await, Err(FeedError::LinkDown));

        let error = client.reload_xml(LONG).await.unwrap_err();
        assert!(
            matches!(&error, Error::Unsent { action, reason: UnsentReason::LinkDown(_) } if action == "api reloadxml"),
            "{error:?}"
        );
        assert!(!client.link().borrow().is_connected());
        assert_eq!(client.pending_requests(), 0);
    }
}

#[tokio::test]
async fn an_answer_cut_in_the_middle_is_no_answer() {
    let (_stage, client) = answering(
        "Content-Type: api/response\nContent-Length: 14\n\n+OK [Succ",
        true,
    )
    .await;
    let error = client.reload_xml(LONG).await.unwrap_err();
    assert!(
        matches!(broke(&error), LinkError::Read(CodecError::CutOff { bytes }) if *bytes > 40),
        "{error:?}"
    );
}

#[tokio::test]
async fn an_answer_byte_by_byte_is_an_answer() {
    let mut stage = Stage::new(|_, mut peer: Peer| async move {
        peer.accept().await;
        peer.heard().await;
        for byte in b"Content-Type: api/response\nContent-Length: 4\n\ntrue" {
            peer.send([*byte]).await;
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        peer.fall_silent().await;
    })
    .await;
    assert_eq!(stage.client().await.api("status", LONG).await.unwrap(), "true");
}

#[tokio::test]
async fn garbage_between_messages_ends_the_link() {
    let (_stage, client) = answering("\u{7f}ELF s3cret\n\n", false).await;
    let error = client.api("status", LONG).await.unwrap_err();
    assert!(
        matches!(broke(&error), LinkError::Read(CodecError::NoHeader { bytes: 11 })),
        "{error:?}"
    );
}

#[tokio::test]
async fn an_answer_beyond_the_limit_ends_the_link() {
    let mut stage = Stage::living(|mut peer: Peer, _| async move {
        peer.print("x".repeat(2001)).await;
        peer
    })
    .await;
    stage.config.limits.body = 2000;
    let error = stage.client().await.channels(LONG).await.unwrap_err();
    assert!(
        matches!(
            broke(&error),
            LinkError::Read(CodecError::TooLong { limit: 2000 })
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn an_answer_of_another_kind_ends_the_link_before_it_is_taken_for_ours() {
    for (asked, answer) in [
        (
            Command::api("status").unwrap(),
            "Content-Type: command/reply\nReply-Text: +OK bye\n\n",
        ),
        (
            Command::no_events(),
            "Content-Type: api/response\nContent-Length: 3\n\n+OK",
        ),
        (
            Command::background("status").unwrap(),
            "Content-Type: command/reply\nReply-Text: +OK\n\n",
        ),
        (
            Command::background("status").unwrap(),
            "Content-Type: api/response\nContent-Length: 3\n\n+OK",
        ),
        (Command::api("status").unwrap(), "Content-Type: auth/request\n\n"),
    ] {
        let (_stage, client) = answering(answer, false).await;
        let error = client.request(asked, LONG).await.unwrap_err();
        assert!(
            matches!(broke(&error), LinkError::OutOfStep { .. }),
            "{answer}: {error:?}"
        );
    }
}

#[tokio::test]
async fn an_answer_that_nobody_asked_for_ends_the_link() {
    let stage = Stage::new(|_, mut peer: Peer| async move {
        peer.accept().await;
        peer.print("true").await;
        peer.fall_silent().await;
    })
    .await;
    let (_client, connection) = connect(&stage.config).await.unwrap();
    let ended = tokio::time::timeout(LONG, connection.run(stage.stop.clone())).await;
    let reason = ended.expect("it ends").unwrap_err();
    assert!(
        matches!(&*reason, LinkError::OutOfStep { content_type } if content_type == "api/response"),
        "{reason:?}"
    );
}

#[tokio::test]
async fn no_answer_in_time_is_unknown_and_a_late_one_goes_to_nobody_else() {
    let mut stage = Stage::new(|_, mut peer: Peer| async move {
        peer.accept().await;
        for _ in 0..3 {
            peer.heard().await;
        }
        for answer in ["late", "later", "in time"] {
            peer.print(answer).await;
        }
        peer.fall_silent().await;
    })
    .await;
    let client = stage.client().await;
    for _ in 0..2 {
        let error = client.api("status", SHORT).await.unwrap_err();
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
    }
    assert_eq!(client.pending_requests(), 0);
    assert_eq!(client.api("status", LONG).await.unwrap(), "in time");
}

#[tokio::test]
async fn what_waits_to_be_written_is_unsent_when_its_time_is_up_and_takes_no_turn() {
    let mut stage = Stage::living(|mut peer: Peer, command| async move {
        peer.print(command).await;
        peer
    })
    .await;
    // Until the connection is driven nothing is written.
    let (client, connection) = connect(&stage.config).await.unwrap();
    let error = client.reload_xml(SHORT).await.unwrap_err();
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
    stage.drive(connection);
    assert_eq!(client.api("status", LONG).await.unwrap(), "api status");
}

/// Plays a FreeSWITCH that goes quiet, and gives what the link then ends with.
async fn quiet_after(work: &'static str, ask: Option<Duration>) -> Arc<LinkError> {
    let mut stage = Stage::new(move |_, mut peer: Peer| async move {
        peer.accept().await;
        if work == "job" {
            peer.heard().await;
            peer.begin_job().await;
        }
        peer.fall_silent().await;
    })
    .await;
    stage.config.timing.idle = SHORT;
    stage.config.timing.ping = SHORT;
    let (client, connection) = connect(&stage.config).await.unwrap();
    if let Some(limit) = ask {
        stage.tasks.spawn(async move {
            let command = match work {
                "job" => Command::background("status"),
                _ => Command::api("status"),
            };
            let _ = client.request(command.unwrap(), limit).await;
        });
    }
    let ended = tokio::time::timeout(LONG / 2, connection.run(stage.stop.clone())).await;
    ended.expect("the silence is noticed").unwrap_err()
}

#[tokio::test]
async fn a_half_open_link_is_noticed_when_nobody_asks() {
    assert!(matches!(
        *quiet_after("nothing", None).await,
        LinkError::Silent { .. }
    ));
}

#[tokio::test]
async fn a_half_open_link_is_noticed_once_a_request_has_waited_in_vain() {
    assert!(matches!(
        *quiet_after("call", Some(SHORT)).await,
        LinkError::Silent { .. }
    ));
}

#[tokio::test]
async fn a_half_open_link_is_noticed_while_a_job_is_under_way() {
    assert!(matches!(
        *quiet_after("job", Some(LONG * 2)).await,
        LinkError::Silent { .. }
    ));
}

#[tokio::test]
async fn slow_work_is_not_taken_for_a_dead_link() {
    let mut stage = Stage::living(|mut peer: Peer, command| async move {
        if command == "api slow" {
            tokio::time::sleep(SHORT * 6).await;
        }
        peer.print("done").await;
        peer
    })
    .await;
    stage.config.timing.idle = SHORT / 3;
    stage.config.timing.ping = SHORT;
    let client = stage.client().await;
    // A younger request that gives up must not bring the older one down.
    let (slow, impatient) = tokio::join!(client.api("slow", LONG), client.api("status", SHORT));
    assert_eq!(slow.unwrap(), "done");
    assert!(matches!(impatient, Err(Error::Unknown { .. })), "{impatient:?}");
}

#[tokio::test]
async fn an_idle_link_is_asked_for_a_sign_of_life() {
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let mut stage = Stage::living(move |mut peer: Peer, command| {
        let tell = tell.clone();
        async move {
            // A no is a sign too.
            peer.print("-ERR no\n").await;
            tell.send(command).unwrap();
            peer
        }
    })
    .await;
    stage.config.timing.idle = Duration::from_millis(20);
    let client = stage.client().await;
    for _ in 0..5 {
        assert_eq!(told.recv().await.as_deref(), Some("api version"));
    }
    assert!(client.link().borrow().is_connected());
}

#[tokio::test]
async fn a_freeswitch_that_stops_reading_is_noticed_and_the_unwritten_stays_unsent() {
    let mut stage = Stage::new(|_, mut peer: Peer| async move {
        peer.accept().await;
        tokio::time::sleep(LONG).await;
    })
    .await;
    stage.config.timing.idle = SHORT;
    stage.config.timing.ping = SHORT;
    let (client, connection) = connect(&stage.config).await.unwrap();
    // Together far more than what the system keeps for a connection.
    let command = Command::api(&format!("echo {}", "y".repeat(120_000))).unwrap();
    let asks = (0..200).map(|_| client.request(command.clone(), SHORT));
    let asks = futures_util::future::join_all(asks);
    let (ended, answers) = tokio::join!(connection.run(stage.stop.clone()), asks);
    assert!(matches!(*ended.unwrap_err(), LinkError::Silent { .. }));
    let count = |check: fn(&Error) -> bool| {
        answers
            .iter()
            .filter(|a| a.as_ref().err().is_some_and(check))
            .count()
    };
    let unknown = count(|error| matches!(error, Error::Unknown { .. }));
    let unsent = count(|error| matches!(error, Error::Unsent { .. }));
    assert!(
        unknown > 0 && unsent > 0 && unknown + unsent == 200,
        "{unknown} unknown, {unsent} unsent"
    );
}
