//! Links that are opened again.

use std::time::Duration;

use super::peer::{DENIED, GOODBYE, LONG, Peer, Stage, password, subscription};
use crate::wire::esl::{
    Backoff, Client, Error, FeedError, Format, LinkError, LinkState, UnknownReason, supervise,
};
use crate::wire::link::Unopened;

impl Stage {
    fn supervised(&mut self, backoff: Backoff) -> Client {
        let (client, supervisor) = supervise(self.config.clone(), backoff, || u32::MAX);
        self.keep_up(supervisor);
        client
    }
}

/// Waits until the link is down with a next try ahead; gives why, and how far ahead that was.
async fn refused(client: &Client) -> (std::sync::Arc<LinkError>, Duration) {
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
    let state = tokio::time::timeout(LONG, down).await.unwrap().unwrap().clone();
    match state {
        LinkState::Down {
            reason,
            next_try: Some(next),
        } => (reason, next - tokio::time::Instant::now()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_broken_link_is_opened_again_with_its_events_and_the_same_client_goes_on() {
    let mut stage = Stage::new(|number, mut peer: Peer| async move {
        peer.greet().await;
        let number = number.to_string();
        // Signs in and subscribes on each link anew, or no event would come.
        assert_eq!(peer.asked().await.as_deref(), Some("api first"));
        peer.event(&[("Event-Name", "CHANNEL_CREATE"), ("Number", &number)], None)
            .await;
        peer.print(&number).await;
        assert_eq!(peer.asked().await.as_deref(), Some("api second"));
        peer.send(GOODBYE).await;
    })
    .await;
    stage.config.events = subscription(Format::Json);
    let client = stage.supervised(Backoff {
        first: Duration::from_millis(20),
        max: Duration::from_millis(80),
        ..Backoff::default()
    });
    let mut states = client.link();
    let mut feed = client.events();
    for number in 0..4 {
        let up = states.wait_for(LinkState::is_connected);
        tokio::time::timeout(LONG, up).await.expect("a link").unwrap();
        assert_eq!(client.api("first", LONG).await.unwrap(), number.to_string());
        let error = client.api("second", LONG).await.unwrap_err();
        assert!(
            matches!(&error, Error::Unknown { reason: UnknownReason::LinkBroke(reason), .. }
                if matches!(**reason, LinkError::Dismissed)),
            "{error:?}"
        );
        // The feed goes on too, and names each gap.
        assert_eq!(
            feed.next().await.unwrap().get("Number"),
            Some(number.to_string().as_str())
        );
        assert_eq!(feed.next().await, Err(FeedError::LinkDown));
    }
}

#[tokio::test]
async fn a_refused_password_or_address_waits_the_longest() {
    let backoff = Backoff {
        first: Duration::from_millis(1),
        max: LONG,
        ..Backoff::default()
    };
    let mut wrong = Stage::living(|peer, _| async move { peer }).await;
    wrong.config.password = password("another");
    let (reason, wait) = refused(&wrong.supervised(backoff.clone())).await;
    assert!(matches!(*reason, LinkError::LoginRefused { .. }), "{reason:?}");
    assert!(wait > LONG / 2, "{wait:?}");

    let mut denied =
        Stage::new(|_, mut peer: Peer| async move { peer.send(format!("{DENIED}{GOODBYE}")).await }).await;
    let (reason, wait) = refused(&denied.supervised(backoff)).await;
    assert!(matches!(*reason, LinkError::AddressDenied { .. }), "{reason:?}");
    assert!(wait > LONG / 2, "{wait:?}");
}

#[tokio::test]
async fn whoever_is_no_event_socket_or_closes_before_we_are_in_is_asked_again_as_soon_as_a_tunnel_that_leads_nowhere()
 {
    let backoff = Backoff {
        first: Duration::from_millis(1),
        max: LONG,
        ..Backoff::default()
    };
    let reply = "Content-Type: command/reply\nReply-Text: +OK accepted\n\n";
    for greeting in ["220 mail.example.com ESMTP\r\n", reply] {
        let mut other = Stage::new(move |_, mut peer: Peer| async move { peer.send(greeting).await }).await;
        let (reason, wait) = refused(&other.supervised(backoff.clone())).await;
        assert!(wait < LONG / 2, "{wait:?} after {reason:?}");
    }
    for goodbye in ["", GOODBYE] {
        let mut closing = Stage::new(move |_, mut peer: Peer| async move {
            peer.greet().await;
            peer.heard().await;
            peer.send(goodbye).await;
        })
        .await;
        let (reason, wait) = refused(&closing.supervised(backoff.clone())).await;
        assert!(wait < LONG / 2, "{wait:?} after {reason:?}");
    }
    let mut tunnel = Stage::new(|_, _: Peer| async {}).await;
    let (reason, wait) = refused(&tunnel.supervised(backoff)).await;
    assert!(
        matches!(*reason, LinkError::Unopened(Unopened::NotGreeted { .. })),
        "{reason:?}"
    );
    assert!(wait < LONG / 2, "{wait:?}");
}
