//! Links to an event socket that break, hang, are slow, and talk nonsense.

use std::time::{Duration, Instant};

use super::freeswitch::{Effect, Fault, FreeSwitch, NewCall};
use super::proxy::{Proxy, Way};
use super::rig::{ACME, soon};
use super::support::wait::until;
use super::switch::Rig;

/// One that is listened to through a proxy.
async fn behind_a_proxy() -> (Rig, Proxy) {
    let freeswitch = FreeSwitch::start().await;
    let proxy = Proxy::before(freeswitch.port).await;
    let rig = Rig::start_at(proxy.port, freeswitch, Duration::from_secs(1)).await;
    (rig, proxy)
}

#[tokio::test]
async fn o10_a_broken_event_socket_is_stale_and_right_again_within_two_seconds() {
    let mut rig = Rig::start().await;
    rig.freeswitch.add_call(&NewCall::within(ACME, "1001", "1002"));
    until("it is known", || rig.total() == Some(1)).await;
    rig.freeswitch.close().await;
    until("it is stale", || rig.total().is_none()).await;
    assert_eq!(rig.calls().len(), 1, "what was known is shown");
    rig.freeswitch.add_call(&NewCall::within(ACME, "1001", "1003"));
    rig.freeswitch
        .add_call(&NewCall::within("acme.example.community", "1001", "1003"));
    // So long that pauses between tries which grow would have grown.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let since = Instant::now();
    rig.freeswitch.open().await;
    until("it is right again", || rig.total() == Some(3)).await;
    soon(since, "it takes connections again");
    assert_eq!(rig.calls().len(), 2);
}

#[tokio::test]
async fn o10_an_event_socket_that_is_cut_often_is_right_again_within_two_seconds_each_time() {
    let (rig, proxy) = behind_a_proxy().await;
    for cut in 1..=10 {
        proxy.set(Way::Cut);
        until("it is stale", || rig.total().is_none()).await;
        rig.freeswitch.add_call(&NewCall::within(ACME, "1001", "1002"));
        let since = Instant::now();
        proxy.set(Way::Open);
        until("it is right again", || rig.total() == Some(cut)).await;
        soon(since, &format!("after cut {cut}"));
    }
    let figures = rig.figures();
    assert_eq!(
        figures.corrected, 0,
        "what was missed while there was no link was to be found"
    );
}

#[tokio::test]
async fn o10_an_event_socket_that_is_half_open_is_stale_and_right_again_within_two_seconds() {
    let (rig, proxy) = behind_a_proxy().await;
    rig.freeswitch.add_call(&NewCall::within(ACME, "1001", "1002"));
    until("it is known", || rig.total() == Some(1)).await;
    proxy.set(Way::Held);
    rig.freeswitch.add_call(&NewCall::within(ACME, "1001", "1003"));
    until("it is stale", || rig.total().is_none()).await;
    assert_eq!(rig.calls().len(), 1, "what was known is shown");
    let since = Instant::now();
    proxy.set(Way::Open);
    until("it is right again", || rig.total() == Some(2)).await;
    soon(since, "the link is open");
}

#[tokio::test]
async fn o10_an_event_socket_that_is_slow_is_stale_or_right() {
    let (rig, proxy) = behind_a_proxy().await;
    for _ in 0..30 {
        rig.freeswitch.add_call(&NewCall::within(ACME, "1001", "1002"));
    }
    until("they are known", || rig.total() == Some(30)).await;
    // The table is many pieces: no answer comes in time.
    proxy.set(Way::Slow(Duration::from_secs(2)));
    rig.freeswitch.add_call(&NewCall::within(ACME, "1001", "1003"));
    until("it is stale", || rig.total().is_none()).await;
    let since = Instant::now();
    proxy.set(Way::Open);
    until("it is right again", || rig.total() == Some(31)).await;
    soon(since, "it is fast");
}

#[tokio::test]
async fn o10_an_event_socket_that_talks_nonsense_is_stale_and_right_again_within_two_seconds() {
    let (rig, proxy) = behind_a_proxy().await;
    rig.freeswitch.add_call(&NewCall::within(ACME, "1001", "1002"));
    until("it is known", || rig.total() == Some(1)).await;
    proxy.set(Way::Garbage);
    rig.freeswitch.add_call(&NewCall::within(ACME, "1001", "1003"));
    until("it is stale", || rig.total().is_none()).await;
    assert_eq!(rig.calls().len(), 1, "what was known is shown");
    // So long that pauses between tries which grow would have grown.
    tokio::time::sleep(Duration::from_secs(9)).await;
    assert_eq!(rig.total(), None, "nonsense is no news");
    let since = Instant::now();
    proxy.set(Way::Open);
    until("it is right again", || rig.total() == Some(2)).await;
    soon(since, "it talks sense");
}

#[tokio::test]
async fn o10_an_event_that_cannot_be_read_and_a_table_that_is_none_are_stale_and_right_again() {
    let rig = Rig::start().await;
    rig.freeswitch.add_call(&NewCall::within(ACME, "1001", "1002"));
    until("it is known", || rig.total() == Some(1)).await;
    rig.freeswitch
        .faults()
        .add(Fault::at("show channels", Effect::Print("{\"row_count\": 7}".to_owned())).always());
    rig.freeswitch
        .play(b"Content-Length: 3\nContent-Type: text/event-json\n\n{x}");
    until("it is stale", || rig.total().is_none()).await;
    rig.freeswitch.faults().clear();
    until("it is right again", || rig.total() == Some(1)).await;
}
