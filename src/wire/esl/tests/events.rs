//! Events as they come, and the jobs whose end is one.

use super::peer::{GOODBYE, LONG, Peer, SHORT, Stage, eventually, subscription};
use crate::wire::esl::recorded::transcript;
use crate::wire::esl::{Error, FeedError, Format, UnknownReason};

#[tokio::test]
async fn events_reach_listeners_and_a_slow_one_learns_what_it_lost() {
    for format in [Format::Json, Format::Plain] {
        let mut stage = Stage::living(|mut peer: Peer, _| async move {
            for n in 0..10 {
                let number = n.to_string();
                let headers = [
                    ("Event-Name", "CHANNEL_CREATE"),
                    ("Number", number.as_str()),
                    ("Name", "Zoë: 100%\n"),
                ];
                peer.event(&headers, None).await;
            }
            peer.print("done").await;
            peer
        })
        .await;
        stage.config.limits.events = 4;
        stage.config.events = subscription(format);
        let client = stage.client().await;
        let mut slow = client.events();
        // The link is not held up by the listener that does not read.
        client.api("status", LONG).await.unwrap();
        assert_eq!(slow.next().await, Err(FeedError::Lost(6)), "{format:?}");
        for n in 6..10 {
            let event = slow.next().await.unwrap();
            assert_eq!(event.get("Number"), Some(n.to_string().as_str()));
            assert_eq!(event.get("Name"), Some("Zoë: 100%\n"));
        }
    }
}

#[tokio::test]
async fn what_was_recorded_of_a_call_is_heard_whole() {
    for (name, count) in [("06-events-json", 10), ("07-event-plain", 4), ("14-events", 15)] {
        let mut stage = Stage::new(move |_, mut peer: Peer| async move {
            peer.accept().await;
            peer.heard().await.unwrap();
            peer.print("ready").await;
            // The events of the transcript, without what answered to somebody else.
            for frame in super::events_of(transcript(name)) {
                peer.send(frame).await;
            }
            peer.send(GOODBYE).await;
        })
        .await;
        let client = stage.client().await;
        let mut feed = client.events();
        client.api("status", LONG).await.unwrap();
        let mut heard = Vec::new();
        let ended = loop {
            match feed.next().await {
                Ok(event) => heard.push(event.name().unwrap().to_owned()),
                Err(error) => break error,
            }
        };
        assert_eq!(ended, FeedError::LinkDown);
        assert_eq!(heard.len(), count, "{name}: {heard:?}");
    }
}

#[tokio::test]
async fn an_event_that_cannot_be_read_is_a_gap() {
    let mut stage = Stage::living(|mut peer: Peer, _| async move {
        for (form, text) in [("json", "{\"Event-Name\":"), ("plain", "no header\n\n")] {
            peer.send(format!(
                "Content-Length: {}\nContent-Type: text/event-{form}\n\n{text}",
                text.len()
            ))
            .await;
        }
        peer.send("Content-Length: 4\nContent-Type: log/data\n\nlog\n")
            .await;
        peer.event(&[("Event-Name", "HEARTBEAT")], None).await;
        peer.print("done").await;
        peer
    })
    .await;
    let client = stage.client().await;
    let mut feed = client.events();
    client.api("status", LONG).await.unwrap();
    for _ in 0..2 {
        assert_eq!(feed.next().await, Err(FeedError::Lost(1)));
    }
    assert_eq!(feed.next().await.unwrap().name(), Some("HEARTBEAT"));
}

#[tokio::test]
async fn a_job_is_answered_by_its_event_while_others_are_answered_too() {
    for format in [Format::Json, Format::Plain] {
        let mut stage = Stage::new(|_, mut peer: Peer| async move {
            peer.greet().await;
            let mut jobs = Vec::new();
            while let Some(command) = peer.asked().await {
                match command.split_once(' ').unwrap() {
                    ("bgapi", line) => jobs.push((peer.begin_job().await, line.to_owned())),
                    (_, "end") => {
                        peer.print("ended").await;
                        // Somebody else's job, and ours from the last to the first.
                        peer.end_job("99999999-2222-3333-4444-555555555555", "theirs")
                            .await;
                        for (job, line) in jobs.drain(..).rev() {
                            peer.end_job(&job, &format!("{line}\n")).await;
                        }
                    }
                    (_, line) => peer.print(line).await,
                }
            }
        })
        .await;
        stage.config.events = subscription(format);
        let client = stage.client().await;
        let mut feed = client.events();
        let jobs = (0..20).map(|n| {
            let client = client.clone();
            async move { (n, client.background(&format!("job {n}"), LONG).await.unwrap()) }
        });
        let jobs = futures_util::future::join_all(jobs);
        let meanwhile = async {
            eventually("the jobs wait", || client.pending_requests() == 20).await;
            assert_eq!(client.api("between", LONG).await.unwrap(), "between");
            client.api("end", LONG).await.unwrap();
        };
        let (jobs, ()) = tokio::join!(jobs, meanwhile);
        for (n, printed) in jobs {
            assert_eq!(printed, format!("job {n}\n"));
        }
        let more = tokio::time::timeout(SHORT, feed.next()).await;
        assert!(more.is_err(), "the end of a job reached the listeners: {more:?}");
        assert_eq!(client.pending_requests(), 0);
    }
}

#[tokio::test]
async fn a_recorded_job_is_answered_in_its_own_words() {
    let mut stage = Stage::new(|_, mut peer: Peer| async move {
        peer.accept().await;
        assert_eq!(peer.heard().await.as_deref(), Some("bgapi status"));
        // After the replies to the password and to the subscription.
        let mut rest = transcript("10-bgapi");
        for _ in 0..3 {
            let end = rest.windows(2).position(|pair| pair == b"\n\n").unwrap();
            rest = &rest[end + 2..];
        }
        peer.send(rest).await;
        peer.fall_silent().await;
    })
    .await;
    stage.config.events = subscription(Format::Plain);
    let printed = stage.client().await.background("status", LONG).await.unwrap();
    assert_eq!(printed.len(), 334);
    assert!(
        printed.starts_with("UP 0 years") && printed.ends_with("Max 240K/8192K\n"),
        "{printed}"
    );
}

#[tokio::test]
async fn a_job_that_fails_or_never_ends_is_told_as_such() {
    let mut stage = Stage::living(|mut peer: Peer, command| async move {
        match command.as_str() {
            "bgapi fails" => {
                let job = peer.begin_job().await;
                peer.end_job(&job, "-ERR no such thing\n").await;
            }
            "bgapi prints nothing" => {
                let job = peer.begin_job().await;
                peer.event(&[("Event-Name", "BACKGROUND_JOB"), ("Job-UUID", &job)], None)
                    .await;
            }
            "bgapi never ends" => {
                peer.begin_job().await;
            }
            _ => peer.print("alive").await,
        }
        peer
    })
    .await;
    let client = stage.client().await;
    let error = client.background("fails", LONG).await.unwrap_err();
    assert!(
        matches!(&error, Error::Refused { action, message } if action == "bgapi fails" && message == "-ERR no such thing"),
        "{error:?}"
    );
    assert_eq!(client.background("prints nothing", LONG).await.unwrap(), "");
    let error = client.background("never ends", SHORT).await.unwrap_err();
    let reason = UnknownReason::TimedOut { after: SHORT };
    assert!(
        matches!(&error, Error::Unknown { reason: r, .. } if format!("{r:?}") == format!("{reason:?}")),
        "{error:?}"
    );
    assert_eq!(client.api("status", LONG).await.unwrap(), "alive");
}

#[tokio::test]
async fn jobs_whose_callers_have_gone_are_forgotten() {
    let mut stage = Stage::living(|mut peer: Peer, command| async move {
        match command.as_str() {
            "bgapi quick" => {
                let job = peer.begin_job().await;
                peer.end_job(&job, "quick").await;
            }
            _ => drop(peer.begin_job().await),
        }
        peer
    })
    .await;
    let client = stage.client().await;
    for _ in 0..500 {
        let asking = client.background("forever", LONG);
        assert!(
            tokio::time::timeout(std::time::Duration::from_millis(1), asking)
                .await
                .is_err()
        );
    }
    assert_eq!(client.background("quick", LONG).await.unwrap(), "quick");
    assert_eq!(client.pending_requests(), 0);
}
