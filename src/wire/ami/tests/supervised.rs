//! Links that are opened again.

use std::sync::Arc;
use std::time::Duration;

use super::peer::{LONG, Peer, SHORT, Stage, config, eventually, unused_port};
use crate::wire::ami::{
    Action, Backoff, Client, Error, FeedError, LinkError, LinkState, UnsentReason, supervise,
};
use crate::wire::link::Unopened;

const QUICK: Backoff = Backoff {
    first: Duration::from_millis(20),
    max: Duration::from_millis(80),
    refused: Duration::from_millis(80),
};

impl Stage {
    fn supervised(&mut self, backoff: Backoff) -> Client {
        let (client, supervisor) = supervise(self.config.clone(), backoff, || u32::MAX);
        self.keep_up(supervisor);
        client
    }
}

async fn connected(client: &Client) {
    let mut link = client.link();
    let up = link.wait_for(LinkState::is_connected);
    tokio::time::timeout(LONG, up).await.expect("a link").unwrap();
}

#[tokio::test]
async fn a_broken_link_is_opened_again_and_the_same_client_goes_on() {
    let mut stage = Stage::new(|number, mut peer| async move {
        peer.accept().await;
        peer.send(format!("Event: Newchannel\r\nNumber: {number}\r\n\r\n"))
            .await;
        let asked = peer.asked().await.unwrap();
        let body = format!("Value: {number}\r\n");
        peer.respond(&asked, "Success", &body).await;
    })
    .await;
    let client = stage.supervised(QUICK);
    let mut states = client.link();
    let mut feed = client.events();
    for number in 0..4 {
        connected(&client).await;
        let answer = client.request(Action::ping(), LONG).await.unwrap();
        assert_eq!(answer.get("Value"), Some(number.to_string().as_str()));
        let down = states.wait_for(|s| {
            matches!(
                s,
                LinkState::Down {
                    next_try: Some(_),
                    ..
                }
            )
        });
        tokio::time::timeout(LONG, down).await.unwrap().unwrap();
        // The feed goes on too, and names each gap.
        assert_eq!(
            feed.next().await.unwrap().get("Number"),
            Some(number.to_string().as_str())
        );
        assert_eq!(feed.next().await, Err(FeedError::LinkDown));
    }
}

#[tokio::test]
async fn while_there_is_no_link_requests_are_unsent_at_once() {
    let mut stage = Stage::new(|_, _| async {}).await;
    stage.config = config(unused_port().await);
    let client = stage.supervised(Backoff {
        first: LONG,
        max: LONG,
        ..Backoff::default()
    });
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
    eventually("the state names the reason", || {
        matches!(&*client.link().borrow(), LinkState::Down { reason, next_try: Some(_) }
            if matches!(**reason, LinkError::Connect { .. }))
    })
    .await;
}

/// Waits until the link is down with a next try ahead; gives why, and how far ahead that was.
async fn first_failure<F>(script: impl FnMut(usize, Peer) -> F + Send + 'static) -> (Arc<LinkError>, Duration)
where
    F: Future<Output = ()> + Send,
{
    let mut stage = Stage::new(script).await;
    let client = stage.supervised(Backoff {
        first: Duration::from_millis(1),
        max: LONG,
        ..Backoff::default()
    });
    let mut link = client.link();
    let down = link.wait_for(|state| {
        matches!(
            state,
            LinkState::Down {
                next_try: Some(_),
                ..
            }
        )
    });
    match tokio::time::timeout(LONG, down).await.unwrap().unwrap().clone() {
        LinkState::Down {
            reason,
            next_try: Some(next),
        } => (reason, next - tokio::time::Instant::now()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_refused_login_waits_the_longest() {
    let (reason, wait) = first_failure(|_, mut peer| async move {
        peer.greet().await;
        let login = peer.asked().await.unwrap();
        peer.respond(&login, "Error", "Message: Authentication failed\r\n")
            .await;
    })
    .await;
    assert!(matches!(*reason, LinkError::LoginRefused { .. }), "{reason:?}");
    assert!(wait > LONG / 2, "{wait:?}");
}

#[tokio::test]
async fn another_service_on_that_port_and_who_closes_before_we_are_in_are_asked_again_soon() {
    let (reason, wait) =
        first_failure(|_, mut peer| async move { peer.send("SSH-2.0-OpenSSH_9.2p1\r\n").await }).await;
    assert!(matches!(*reason, LinkError::Read(_)), "{reason:?}");
    assert!(wait < LONG / 2, "{wait:?}");

    let (reason, wait) = first_failure(|_, mut peer| async move {
        peer.greet().await;
        peer.asked().await;
    })
    .await;
    assert!(matches!(*reason, LinkError::Closed), "{reason:?}");
    assert!(wait < LONG / 2, "{wait:?}");
}

#[tokio::test]
async fn a_tunnel_with_nobody_at_its_other_end_is_tried_again_soon() {
    let (reason, wait) = first_failure(|_, _| async {}).await;
    assert!(
        matches!(*reason, LinkError::Unopened(Unopened::NotGreeted { .. })),
        "{reason:?}"
    );
    assert!(wait < LONG / 2, "{wait:?}");
}

/// Refuses the login this often, and closes without a word in between, then lets in; tells of each login.
async fn refusing(times: usize, tell: tokio::sync::mpsc::UnboundedSender<tokio::time::Instant>) -> Stage {
    Stage::new(move |number, mut peer| {
        let tell = tell.clone();
        async move {
            if number % 2 > 0 {
                return;
            }
            if number / 2 >= times {
                peer.accept().await;
                peer.asked().await;
                return;
            }
            peer.greet().await;
            let login = peer.asked().await.unwrap();
            tell.send(tokio::time::Instant::now()).unwrap();
            peer.respond(&login, "Error", "Message: Authentication failed\r\n")
                .await;
        }
    })
    .await
}

#[tokio::test]
async fn who_is_refused_for_a_moment_is_soon_let_in_and_who_is_refused_on_and_on_asks_ever_more_rarely() {
    let backoff = Backoff {
        first: Duration::from_millis(1),
        max: Duration::from_millis(50),
        refused: LONG,
    };
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let mut stage = refusing(4, tell).await;
    let client = stage.supervised(backoff);
    connected(&client).await;
    let mut last = told.recv().await.unwrap();
    for wait in [50, 100, 200] {
        let now = told.recv().await.unwrap();
        assert!(
            now - last >= Duration::from_millis(wait),
            "{:?} is too soon, {wait} ms were due",
            now - last
        );
        last = now;
    }
}

#[tokio::test]
async fn a_stop_ends_it_in_the_middle_of_a_wait() {
    let mut stage = Stage::new(|_, _| async {}).await;
    let (client, supervisor) = supervise(
        stage.config.clone(),
        Backoff {
            first: LONG,
            max: LONG,
            ..Backoff::default()
        },
        || 0,
    );
    let stop = stage.stop.clone();
    stage.tasks.spawn(async move {
        tokio::time::sleep(SHORT).await;
        stop.cancel();
    });
    tokio::time::timeout(LONG / 2, supervisor.run(stage.stop.clone()))
        .await
        .expect("it ends");
    let last = client.link().borrow().clone();
    let LinkState::Down {
        reason,
        next_try: None,
    } = last
    else {
        panic!("{last:?}")
    };
    assert!(matches!(*reason, LinkError::Stopped));
}

#[tokio::test]
async fn a_server_that_drops_us_at_once_is_called_ever_more_rarely() {
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let mut stage = Stage::new(move |_, mut peer| {
        let tell = tell.clone();
        async move {
            peer.accept().await;
            tell.send(tokio::time::Instant::now()).unwrap();
        }
    })
    .await;
    let backoff = Backoff {
        first: Duration::from_millis(20),
        max: Duration::from_secs(10),
        ..Backoff::default()
    };
    let _client = stage.supervised(backoff);
    let mut last = told.recv().await.unwrap();
    for wait in [20, 40, 80, 160] {
        let now = told.recv().await.unwrap();
        assert!(
            now - last >= Duration::from_millis(wait),
            "{:?} is too soon, {wait} ms were due",
            now - last
        );
        last = now;
    }
}
