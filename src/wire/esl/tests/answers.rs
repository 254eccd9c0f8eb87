//! Requests that get an answer.

use std::collections::HashMap;
use std::sync::Arc;

use super::peer::{LONG, Peer, Stage};
use crate::wire::esl::recorded::printed;
use crate::wire::esl::{Client, Command, Error, UnsentReason};

/// Answers each of these commands with what was recorded, and others as FreeSWITCH does what it does not know.
pub async fn knowing(answers: &[(&str, &str)]) -> (Stage, Client) {
    let answers: Arc<HashMap<String, String>> = Arc::new(
        answers
            .iter()
            .map(|(command, answer)| (format!("api {command}"), (*answer).to_owned()))
            .collect(),
    );
    let mut stage = Stage::living(move |mut peer: Peer, command| {
        let answers = Arc::clone(&answers);
        async move {
            match answers.get(&command) {
                Some(answer) => peer.print(answer).await,
                None => peer.print(format!("-ERR {command} Command not found!\n")).await,
            }
            peer
        }
    })
    .await;
    let client = stage.client().await;
    (stage, client)
}

#[tokio::test]
async fn an_error_in_the_body_is_a_refusal() {
    let (_stage, client) = knowing(&[
        ("nosuchapi", &printed("05-errors", 0)),
        ("uuid_kill", "-USAGE: <uuid> [cause]\n"),
        ("reloadxml", "what"),
    ])
    .await;
    for (line, said) in [
        ("nosuchapi", "-ERR nosuchapi Command not found!"),
        ("uuid_kill", "-USAGE: <uuid> [cause]"),
    ] {
        let error = client.api(line, LONG).await.unwrap_err();
        assert!(
            matches!(&error, Error::Refused { action, message } if *action == format!("api {line}") && message == said),
            "{error:?}"
        );
    }
    let error = client.reload_xml(LONG).await.unwrap_err();
    assert!(matches!(&error, Error::Answer { .. }), "no yes: {error:?}");
    let error = client.api("status\n\napi shutdown", LONG).await.unwrap_err();
    assert!(
        matches!(
            &error,
            Error::Unsent {
                reason: UnsentReason::Action(_),
                ..
            }
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_call_that_becomes_none_is_refused_by_a_reply() {
    let mut stage = Stage::living(|mut peer: Peer, _| async move {
        peer.reply("-ERR command not found").await;
        peer
    })
    .await;
    let client = stage.client().await;
    for command in [
        Command::api("status").unwrap(),
        Command::background("status").unwrap(),
    ] {
        let error = client.request(command, LONG).await.unwrap_err();
        assert!(
            matches!(&error, Error::Refused { message, .. } if message == "-ERR command not found"),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn many_requests_at_a_time_get_their_own_answers_in_order() {
    let mut stage = Stage::living(|mut peer: Peer, command| async move {
        peer.print(&command).await;
        peer
    })
    .await;
    let client = stage.client().await;
    let asks = (0..200).map(|n| {
        let client = client.clone();
        async move { (n, client.api(&format!("echo {n}"), LONG).await.unwrap()) }
    });
    for (n, answer) in futures_util::future::join_all(asks).await {
        assert_eq!(answer, format!("api echo {n}"));
    }
    assert_eq!(client.pending_requests(), 0);
}

#[tokio::test]
async fn a_session_ends_with_a_yes() {
    let mut stage = Stage::living(|peer: Peer, _| async move { peer }).await;
    let client = stage.client().await;
    assert_eq!(
        client.request(Command::no_events(), LONG).await.unwrap(),
        "+OK no longer listening for events"
    );
    assert_eq!(client.request(Command::exit(), LONG).await.unwrap(), "+OK bye");
}
