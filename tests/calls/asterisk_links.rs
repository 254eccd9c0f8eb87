//! Links that are worse than cut: half open, slow, and full of nonsense.

use std::time::Duration;

use switchyard::domain::clock::{Clock as _, SystemClock};

use super::proxy::Way;
use super::rig::{ACME, GLOBEX, Rig, call, hang_up, soon};
use super::support::ami::field;
use super::support::wait::until;

#[tokio::test]
async fn asterisk_o10_a_link_that_is_half_open_is_stale_and_right_again() {
    let rig = Rig::start(Duration::from_secs(1)).await;
    let mut ami = rig.pbx.ami();
    call(&mut ami, ACME, 3).await;
    rig.agrees(&mut ami, "calls are up").await;
    rig.proxy.set(Way::Held);
    hang_up(&mut ami, ACME, 2).await;
    call(&mut ami, GLOBEX, 1).await;
    rig.until_stale().await;
    let since = rig.open();
    rig.agrees(&mut ami, "the link is open").await;
    soon(since, "the link is open");
}

#[tokio::test]
async fn asterisk_o10_a_link_that_talks_nonsense_is_stale_and_right_again() {
    let rig = Rig::start(Duration::from_secs(1)).await;
    let mut ami = rig.pbx.ami();
    call(&mut ami, ACME, 3).await;
    rig.agrees(&mut ami, "calls are up").await;
    rig.proxy.set(Way::Garbage);
    hang_up(&mut ami, ACME, 1).await;
    call(&mut ami, GLOBEX, 2).await;
    rig.until_stale().await;
    // So long that pauses between tries which grow would have grown.
    tokio::time::sleep(Duration::from_secs(12)).await;
    let since = rig.open();
    rig.agrees(&mut ami, "it talks sense").await;
    soon(since, "it talks sense");
}

#[tokio::test]
async fn asterisk_o10_a_slow_link_is_stale_or_right() {
    let rig = Rig::start(Duration::from_secs(1)).await;
    let mut ami = rig.pbx.ami();
    call(&mut ami, ACME, 30).await;
    rig.agrees(&mut ami, "calls are up").await;
    // All channels are many pieces: no answer comes in time.
    rig.proxy.set(Way::Slow(Duration::from_secs(2)));
    hang_up(&mut ami, ACME, 7).await;
    rig.until_stale().await;
    let since = rig.open();
    rig.agrees(&mut ami, "the link is fast").await;
    soon(since, "the link is fast");
}

#[tokio::test]
async fn asterisk_o10_the_end_of_a_call_right_after_the_link_came_back_is_heard() {
    // No poll puts right what an event did not tell.
    let rig = Rig::start(Duration::from_mins(5)).await;
    let mut ami = rig.pbx.ami();
    call(&mut ami, ACME, 2).await;
    rig.agrees(&mut ami, "calls are up").await;
    rig.proxy.set(Way::Cut);
    rig.until_stale().await;
    // Whatever is asked of Asterisk after the link came up has its answer this much later.
    rig.proxy.set(Way::Slow(Duration::from_millis(200)));
    rig.agrees(&mut ami, "the link is back").await;
    hang_up(&mut ami, ACME, 1).await;
    rig.agrees(&mut ami, "a call is over").await;
    assert_eq!(rig.told()[ACME].len(), 1);
}

#[tokio::test]
async fn asterisk_o10_two_calls_that_become_one_in_a_bridge_are_told_although_no_event_says_so() {
    let rig = Rig::start(Duration::from_mins(5)).await;
    let mut ami = rig.pbx.ami();
    call(&mut ami, ACME, 2).await;
    rig.agrees(&mut ami, "calls are up").await;
    let channels = ami.list("CoreShowChannels", &[]);
    let names: Vec<&str> = channels
        .iter()
        .filter_map(|channel| field(channel, "Channel"))
        .collect();
    let ends: Vec<&str> = names.into_iter().filter(|name| name.ends_with(";1")).collect();
    assert_eq!(ends.len(), 2);
    let bridged = ami.ask("Bridge", &[("Channel1", ends[0]), ("Channel2", ends[1])]);
    assert_eq!(field(&bridged, "Response"), Some("Success"), "{bridged:?}");
    // Both that were bridged, and the other half of the older.
    let legs = || {
        let (calls, _) = rig
            .monitor
            .board
            .of_tenant(rig.acme.id, rig.world.instance_id, SystemClock.now());
        calls.iter().map(|call| call.legs.len()).max()
    };
    until("they are one call", || legs() == Some(3)).await;
}
