//! Silence: of a dead link, of an idle one, and of one that is at work.

use std::sync::Arc;
use std::time::Duration;

use super::peer::{LONG, SHORT, Stage};
use crate::wire::ami::{Action, Error, LinkError, connect};

/// Plays a manager that goes quiet after the login, and gives what the link then ends with.
async fn half_open(ask: u32) -> Arc<LinkError> {
    let mut stage = Stage::new(|_, mut peer| async move {
        peer.accept().await;
        peer.fall_silent().await;
    })
    .await;
    stage.config.timing.idle = SHORT;
    stage.config.timing.ping = SHORT;
    stage.config.limits.pending = 4;
    let (client, connection) = connect(&stage.config).await.unwrap();
    // Requests that overlap, so that there is always one that waits.
    for n in 0..ask {
        let client = client.clone();
        stage.tasks.spawn(async move {
            tokio::time::sleep(SHORT / ask * n).await;
            while client.link().borrow().is_connected() {
                let _ = client.request(Action::ping(), SHORT).await;
                tokio::task::yield_now().await;
            }
        });
    }
    let ended = tokio::time::timeout(LONG, connection.run(stage.stop.clone())).await;
    ended.expect("the silence is noticed").unwrap_err()
}

#[tokio::test]
async fn a_half_open_link_is_noticed_when_nobody_asks() {
    assert!(matches!(*half_open(0).await, LinkError::Silent { .. }));
}

#[tokio::test]
async fn a_half_open_link_is_noticed_while_requests_overlap() {
    assert!(matches!(*half_open(4).await, LinkError::Silent { .. }));
}

#[tokio::test]
async fn an_answered_ping_keeps_an_idle_link() {
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let mut stage = Stage::new(move |_, mut peer| {
        let tell = tell.clone();
        async move {
            peer.accept().await;
            while let Some(asked) = peer.asked().await {
                peer.respond(&asked, "Success", "").await;
                tell.send(asked["Action"].clone()).unwrap();
            }
        }
    })
    .await;
    stage.config.timing.idle = Duration::from_millis(20);
    let client = stage.client().await;
    for _ in 0..5 {
        assert_eq!(told.recv().await.as_deref(), Some("Ping"));
    }
    assert!(client.link().borrow().is_connected());
}

#[tokio::test]
async fn a_busy_link_is_not_pinged() {
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let mut stage = Stage::new(move |_, mut peer| {
        let tell = tell.clone();
        async move {
            peer.accept().await;
            for _ in 0..50 {
                peer.send("Event: Newchannel\r\n\r\n").await;
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
            tell.send(peer.asked().await.unwrap()["Action"].clone()).unwrap();
            peer.fall_silent().await;
        }
    })
    .await;
    stage.config.timing.idle = Duration::from_secs(1);
    let client = stage.client().await;
    tokio::time::sleep(Duration::from_millis(1400)).await;
    client.request(Action::logoff(), SHORT).await.unwrap_err();
    assert_eq!(told.recv().await.as_deref(), Some("Logoff"));
}

#[tokio::test]
async fn slow_work_is_not_taken_for_a_dead_link() {
    let mut stage = Stage::new(|_, mut peer| async move {
        peer.accept().await;
        let asked = peer.asked().await.unwrap();
        tokio::time::sleep(SHORT * 6).await;
        peer.respond(&asked, "Success", "").await;
        peer.fall_silent().await;
    })
    .await;
    stage.config.timing.idle = SHORT / 3;
    stage.config.timing.ping = SHORT;
    let client = stage.client().await;
    // A younger request that gives up must not bring the older one down.
    let (slow, impatient) = tokio::join!(
        client.request(Action::new("Reload").unwrap(), LONG),
        client.request(Action::ping(), SHORT)
    );
    assert!(slow.is_ok(), "{slow:?}");
    assert!(matches!(impatient, Err(Error::Unknown { .. })), "{impatient:?}");
}

#[tokio::test]
async fn a_manager_that_stops_reading_is_noticed_and_the_unwritten_stays_unsent() {
    let mut stage = Stage::new(|_, mut peer| async move {
        peer.accept().await;
        tokio::time::sleep(LONG).await;
    })
    .await;
    stage.config.timing.idle = SHORT;
    stage.config.timing.ping = SHORT;
    let (client, connection) = connect(&stage.config).await.unwrap();
    // Together far more than what the system keeps for a connection.
    let asks = (0..200).map(|_| {
        let mut action = Action::ping();
        for _ in 0..120 {
            action = action.header("X", "y".repeat(1000)).unwrap();
        }
        client.request(action, SHORT)
    });
    let asks = futures_util::future::join_all(asks);
    let (ended, answers) = tokio::join!(connection.run(stage.stop.clone()), asks);
    assert!(matches!(*ended.unwrap_err(), LinkError::Silent { .. }));
    let unknown = answers
        .iter()
        .filter(|a| matches!(a, Err(Error::Unknown { .. })))
        .count();
    let unsent = answers
        .iter()
        .filter(|a| matches!(a, Err(Error::Unsent { .. })))
        .count();
    assert!(
        unknown > 0 && unsent > 0 && unknown + unsent == 200,
        "{unknown} unknown, {unsent} unsent"
    );
    assert_eq!(client.pending_requests(), 0);
}
