//! Requests that get an answer.

use super::peer::{LONG, Peer, Stage};
use crate::wire::ami::{Action, AnswerError, Error, EventMask, FeedError, List};

/// Serves one connection: each action is handed to `answer`.
async fn stage<F>(answer: impl Fn(Peer, super::peer::Asked) -> F + Clone + Send + Sync + 'static) -> Stage
where
    F: Future<Output = Peer> + Send,
{
    Stage::new(move |_, mut peer| {
        let answer = answer.clone();
        async move {
            peer.accept().await;
            while let Some(asked) = peer.asked().await {
                peer = answer(peer, asked).await;
            }
        }
    })
    .await
}

async fn list_of(stage: &mut Stage) -> Result<List, Error> {
    let client = stage.client().await;
    client
        .list(Action::new("PJSIPShowEndpoints").unwrap(), LONG)
        .await
}

#[tokio::test]
async fn login_says_who_we_are_and_wants_no_events() {
    let (tell, told) = tokio::sync::oneshot::channel();
    let mut tell = Some(tell);
    let mut stage = Stage::new(move |_, mut peer| {
        let tell = tell.take();
        async move {
            let login = peer.accept().await;
            tell.unwrap().send(login).unwrap();
            peer.fall_silent().await;
        }
    })
    .await;
    let _client = stage.client().await;
    let login = told.await.unwrap();
    assert_eq!(login["Action"], "Login");
    assert_eq!(login["Username"], "lab");
    assert_eq!(login["Secret"], "throwaway");
    assert_eq!(login["Events"], "off");
}

#[tokio::test]
async fn many_requests_at_a_time_get_their_own_answers_in_any_order() {
    let mut stage = Stage::new(|_, mut peer| async move {
        peer.accept().await;
        let mut asked = Vec::new();
        while asked.len() < 50 {
            asked.push(peer.asked().await.unwrap());
        }
        for one in asked.iter().rev() {
            let value = format!("Value: {}\r\n", one["Variable"]);
            peer.respond(one, "Success", &value).await;
        }
        peer.fall_silent().await;
    })
    .await;
    let client = stage.client().await;
    let asks = (0..50).map(|n| {
        let client = client.clone();
        async move {
            let action = Action::new("Getvar")
                .unwrap()
                .header("Variable", format!("V{n}"))
                .unwrap();
            (n, client.request(action, LONG).await.unwrap())
        }
    });
    for (n, answer) in futures_util::future::join_all(asks).await {
        assert_eq!(answer.get("Value"), Some(format!("V{n}").as_str()));
    }
    assert_eq!(client.pending_requests(), 0);
}

#[tokio::test]
async fn a_no_is_refused_with_the_reason() {
    let mut stage = stage(|mut peer, asked| async move {
        peer.respond(&asked, "Error", "Message: No Contacts found\n\r\n")
            .await;
        peer
    })
    .await;
    match list_of(&mut stage).await.unwrap_err() {
        Error::Refused { action, message } => {
            assert_eq!(
                (action.as_str(), message.as_str()),
                ("PJSIPShowEndpoints", "No Contacts found")
            );
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_command_gives_its_lines_and_a_refused_one_its_output() {
    let mut stage = stage(|mut peer, asked| async move {
        let (kind, rest) = match asked["Command"].as_str() {
            "good" => (
                "Success",
                "Message: follows\r\nOutput: a\r\nOutput: \r\nOutput:  b\r\n",
            ),
            "empty" => ("Success", "Message: follows\r\n"),
            _ => ("Error", "Message: follows\r\nOutput: No such command\r\n"),
        };
        peer.respond(&asked, kind, rest).await;
        peer
    })
    .await;
    let client = stage.client().await;
    assert_eq!(client.command("good", LONG).await.unwrap(), ["a", "", " b"]);
    assert!(client.command("empty", LONG).await.unwrap().is_empty());
    let error = client.command("bad", LONG).await.unwrap_err();
    assert!(
        matches!(&error, Error::Refused { message, .. } if message == "No such command"),
        "{error:?}"
    );
    let error = client.command("a\r\nAction: Originate", LONG).await.unwrap_err();
    assert!(matches!(error, Error::Unsent { .. }), "{error:?}");
}

#[tokio::test]
async fn a_list_is_whole_when_its_count_says_so() {
    let mut stage = stage(|mut peer, asked| async move {
        peer.respond(&asked, "Success", "EventList: start\r\n").await;
        for n in 0..3 {
            // Events of others come in between.
            peer.send("Event: Reload\r\nModule: x\r\n\r\n").await;
            peer.event(&asked, "EndpointList", &format!("ObjectName: {n}\r\n"))
                .await;
        }
        peer.event(
            &asked,
            "EndpointListComplete",
            "EventList: Complete\r\nListItems: 3\r\n",
        )
        .await;
        peer
    })
    .await;
    let list = list_of(&mut stage).await.unwrap();
    let names: Vec<_> = list.events.iter().filter_map(|e| e.get("ObjectName")).collect();
    assert_eq!(names, ["0", "1", "2"]);
    assert_eq!(list.response.get("EventList"), Some("start"));
}

#[tokio::test]
async fn a_list_with_a_wrong_or_no_count_is_not_believed() {
    for (count, said) in [
        ("ListItems: 3\r\n", Some("3")),
        ("ListItems: many\r\n", Some("many")),
        ("", None),
    ] {
        let mut stage = stage(move |mut peer, asked| async move {
            peer.respond(&asked, "Success", "EventList: start\r\n").await;
            peer.event(&asked, "EndpointList", "").await;
            peer.event(
                &asked,
                "EndpointListComplete",
                &format!("EventList: Complete\r\n{count}"),
            )
            .await;
            peer
        })
        .await;
        match list_of(&mut stage).await.unwrap_err() {
            Error::Answer { reason, .. } => {
                assert_eq!(
                    reason,
                    AnswerError::ItemCount {
                        said: said.map(str::to_owned),
                        got: 1
                    }
                );
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_list_beyond_the_limit_is_given_up_and_the_link_goes_on() {
    let mut stage = stage(|mut peer, asked| async move {
        if asked["Action"] == "Ping" {
            peer.respond(&asked, "Success", "Ping: Pong\r\n").await;
            return peer;
        }
        peer.respond(&asked, "Success", "EventList: start\r\n").await;
        for _ in 0..9 {
            peer.event(&asked, "EndpointList", "").await;
        }
        peer.event(
            &asked,
            "EndpointListComplete",
            "EventList: Complete\r\nListItems: 9\r\n",
        )
        .await;
        peer
    })
    .await;
    stage.config.limits.list = 8;
    let client = stage.client().await;
    let error = client.list(Action::new("X").unwrap(), LONG).await.unwrap_err();
    let reason = AnswerError::TooManyItems { limit: 8 };
    assert!(
        matches!(&error, Error::Answer { reason: r, .. } if *r == reason),
        "{error:?}"
    );
    assert!(client.request(Action::ping(), LONG).await.unwrap().is_success());
}

#[tokio::test]
async fn a_yes_that_starts_no_list_is_told_with_its_text() {
    let mut stage = stage(|mut peer, asked| async move {
        peer.respond(&asked, "Success", "Message: There is no voicemail user\r\n")
            .await;
        peer
    })
    .await;
    let error = list_of(&mut stage).await.unwrap_err();
    let reason = AnswerError::NotAList {
        message: "There is no voicemail user".to_owned(),
    };
    assert!(
        matches!(&error, Error::Answer { reason: r, .. } if *r == reason),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_response_of_no_known_kind_is_no_yes() {
    let mut stage = stage(|mut peer, asked| async move {
        peer.respond(&asked, "Perhaps", "").await;
        peer
    })
    .await;
    let error = stage
        .client()
        .await
        .request(Action::ping(), LONG)
        .await
        .unwrap_err();
    let reason = AnswerError::Response {
        response: "Perhaps".to_owned(),
    };
    assert!(
        matches!(&error, Error::Answer { reason: r, .. } if *r == reason),
        "{error:?}"
    );
}

#[tokio::test]
async fn events_reach_listeners_and_a_slow_one_learns_what_it_lost() {
    let mut stage = stage(|mut peer, asked| async move {
        for n in 0..10 {
            peer.send(format!("Event: Newchannel\r\nNumber: {n}\r\n\r\n"))
                .await;
        }
        // An event with the action id of somebody else's session is for everybody.
        peer.send("Event: OriginateResponse\r\nActionID: theirs-1\r\n\r\n")
            .await;
        peer.respond(&asked, "Success", "").await;
        peer
    })
    .await;
    stage.config.limits.events = 4;
    stage.config.events = EventMask::Classes(vec!["call".to_owned()]);
    let client = stage.client().await;
    let mut slow = client.events();
    // The link is not held up by the listener that does not read.
    client.request(Action::ping(), LONG).await.unwrap();
    assert_eq!(slow.next().await, Err(FeedError::Lost(7)));
    for n in 7..10 {
        assert_eq!(
            slow.next().await.unwrap().get("Number"),
            Some(n.to_string().as_str())
        );
    }
    assert_eq!(slow.next().await.unwrap().event(), Some("OriginateResponse"));
}
