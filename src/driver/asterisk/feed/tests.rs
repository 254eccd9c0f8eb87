//! What Asterisk's events say.

use super::*;
use crate::domain::leg::{Endpoint, WireText};
use crate::domain::sip_domain::SipDomain;
use futures_util::FutureExt as _;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

fn message(lines: &[&str]) -> Message {
    Message::of_lines(lines)
}

fn channel(name: &str) -> Option<Leg> {
    let name = format!("Channel: {name}");
    let event = message(&[
        "Event: Newchannel",
        &name,
        "ChannelState: 4",
        "CallerIDNum: 1001",
        "ConnectedLineNum: <unknown>",
        "AccountCode: acme.example.com",
        "Context: acme.example.com",
        "Exten: 1002",
        "Uniqueid: pbx-1-1795184873.12",
        "Linkedid: pbx-1-1795184873.11",
    ]);
    match read(&event) {
        Some(News::Leg(leg)) => Some(leg),
        _ => None,
    }
}

#[test]
fn o10_a_channel_is_a_leg_with_its_call_and_its_endpoint() {
    let leg = channel("PJSIP/1001@acme.example.com-0000002a").unwrap();
    assert_eq!(
        (leg.id.as_str(), leg.call.as_str()),
        ("pbx-1-1795184873.12", "pbx-1-1795184873.11")
    );
    assert_eq!(leg.endpoint, Endpoint::parse("1001@acme.example.com"));
    assert_eq!(leg.domains, ["acme.example.com".parse().unwrap()]);
    assert_eq!(leg.created_at.map(Timestamp::as_second), Some(1_795_184_873));
    assert_eq!(leg.dialled, Some(WireText::of("1002")));
    assert!(leg.connected.is_empty() && !leg.is_up && !leg.is_local);
}

#[test]
fn o10_the_endpoints_own_domain_comes_before_what_a_dialplan_may_have_set() {
    let leg = channel("PJSIP/1001@globex.example.com-0000002a").unwrap();
    let domains: Vec<&str> = leg.domains.iter().map(SipDomain::as_str).collect();
    assert_eq!(domains, ["globex.example.com", "acme.example.com"]);
}

#[test]
fn o10_what_somebody_dialled_names_no_other_tenant() {
    for (name, domain) in [
        (
            "Local/1@globex.example.com@acme.example.com-0000002a;1",
            "acme.example.com",
        ),
        ("Local/1002@acme.example.com-0000002a;2", "acme.example.com"),
        ("PJSIP/trunk-0000002a", "acme.example.com"),
    ] {
        let leg = channel(name).unwrap();
        assert_eq!(leg.domains, [domain.parse().unwrap()], "{name}");
        assert_eq!(leg.endpoint, None, "{name}");
        assert_eq!(leg.is_local, name.starts_with("Local"));
    }
}

#[test]
fn o10_the_domain_of_a_local_channel_is_behind_all_that_was_dialled() {
    let event = message(&[
        "Event: Newchannel",
        "Channel: Local/1@globex.example.com@acme.example.com-0000002a;1",
        "Uniqueid: 1.2",
        "Linkedid: 1.2",
    ]);
    let Some(News::Leg(leg)) = read(&event) else {
        panic!()
    };
    assert_eq!(leg.domains, ["acme.example.com".parse().unwrap()]);
}

#[test]
fn an_event_that_should_name_a_leg_and_does_not_was_lost() {
    let long = format!("Uniqueid: {}", "1".repeat(151));
    for event in [
        &["Event: Newchannel", "Channel: PJSIP/x-1"][..],
        &["Event: Hangup", "Uniqueid: "],
        &["Event: Newstate", &long, "Linkedid: 1"],
    ] {
        assert_eq!(read(&message(event)), Some(News::LegLost), "{event:?}");
    }
    assert_eq!(read(&message(&["Event: FullyBooted"])), None);
}

/// Asterisk puts its `systemname` before each id, whatever that is.
#[test]
fn a13_a_record_that_cannot_be_read_was_lost() {
    for event in [
        &[
            "Event: Cdr",
            "LinkedID: Haupt PBX-1790000000.1",
            "UniqueID: Haupt PBX-1790000000.1",
        ][..],
        &["Event: Cdr"],
    ] {
        assert_eq!(read(&message(event)), Some(News::RecordLost), "{event:?}");
    }
}

#[test]
fn a_hang_up_says_which_leg_and_why() {
    let event = message(&["Event: Hangup", "Uniqueid: 1.2", "Cause: 16"]);
    let id = crate::domain::leg::LegId::new("1.2").unwrap();
    assert_eq!(read(&event), Some(News::Ended { id, cause: Some(16) }));
}

#[test]
fn a_phone_is_signed_in_until_it_is_removed_or_gives_no_sign() {
    for (status, is_in) in [
        ("Created", true),
        ("NonQualified", true),
        ("Reachable", true),
        ("Unreachable", false),
        ("Removed", false),
    ] {
        let status = format!("ContactStatus: {status}");
        let event = message(&[
            "Event: ContactStatus",
            "URI: sip:1001@127.0.0.1:5098",
            &status,
            "AOR: 1001@acme.example.com",
        ]);
        let news = read(&event).unwrap();
        assert_eq!(matches!(news, News::SignedIn(_)), is_in, "{status}");
    }
    let trunk = message(&[
        "Event: ContactStatus",
        "URI: sip:x",
        "ContactStatus: Reachable",
        "AOR: trunk",
    ]);
    assert_eq!(read(&trunk), None);
}

fn enters(bridges: &mut Bridges, event: &str, bridge: &str, call: &str, count: &str) -> bool {
    bridges.hear(&message(&[
        &format!("Event: {event}"),
        &format!("BridgeUniqueid: {bridge}"),
        &format!("Linkedid: {call}"),
        &format!("BridgeNumChannels: {count}"),
    ]))
}

#[test]
fn o10_one_that_meets_another_call_in_a_bridge_is_told() {
    let mut bridges = Bridges::new(2);
    for (event, bridge, call, count, expected) in [
        ("BridgeEnter", "a", "1.1", "1", false),
        ("BridgeEnter", "a", "1.1", "2", false),
        ("BridgeEnter", "a", "1.5", "3", true),
        // Nobody heard who is in there.
        ("BridgeEnter", "b", "1.7", "2", true),
        ("BridgeDestroy", "a", "", "0", false),
        ("BridgeEnter", "a", "1.5", "2", true),
        ("Newstate", "a", "1.8", "2", false),
        ("BridgeEnter", "c", "1.9", "1", false),
        // More than are kept: of the others nothing is known any more.
        ("BridgeEnter", "b", "1.7", "3", true),
    ] {
        let told = enters(&mut bridges, event, bridge, call, count);
        assert_eq!(told, expected, "{event} {bridge} {call} {count}");
    }
    assert_eq!(read(&message(&["Event: Rename"])), Some(News::Moved));
}

#[test]
fn o10_no_event_that_is_read_is_kept_back() {
    let read = [
        "Cdr",
        "Newchannel",
        "Newstate",
        "NewCallerid",
        "NewConnectedLine",
        "NewAccountCode",
        "BridgeEnter",
        "BridgeDestroy",
        "Rename",
        "Hangup",
        "ContactStatus",
    ];
    for begin in UNREAD {
        assert!(!read.iter().any(|event| event.starts_with(begin)), "{begin}");
        // Nothing that one kind of regular expression reads as the other does not.
        assert!(begin.chars().all(|c| c.is_ascii_alphabetic()), "{begin}");
    }
}

#[test]
fn o10_what_was_dialled_is_told_by_the_begin_of_a_channel_alone() {
    let dialled = |event: &str, exten: &str| {
        let event = message(&[
            &format!("Event: {event}"),
            "Channel: PJSIP/1001@acme.example.com-0000002a",
            &format!("Exten: {exten}"),
            "Uniqueid: 1.2",
            "Linkedid: 1.2",
        ]);
        match read(&event) {
            Some(News::Leg(leg)) => leg.dialled,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(dialled("Newchannel", "1002"), Some(WireText::of("1002")));
    // By then it is what the dialplan made of it.
    assert_eq!(dialled("Newstate", "1002"), None);
    for nothing in ["s", ""] {
        assert_eq!(dialled("Newchannel", nothing), None);
    }
}

#[test]
fn o10_a_phone_that_gives_no_sign_is_not_there_although_the_list_has_it() {
    for (status, is_there) in [
        ("Reachable", true),
        ("NonQualified", true),
        ("Created", true),
        ("Unavailable", false),
        ("Unreachable", false),
    ] {
        let item = message(&[
            "Event: ContactList",
            "ObjectName: 1001@acme.example.com;@0123456789",
            "Uri: sip:1001@192.0.2.1",
            "Endpoint: 1001@acme.example.com",
            &format!("Status: {status}"),
        ]);
        assert_eq!(contact::listed(&item).is_some(), is_there, "{status}");
    }
}

/// An Asterisk that lets everybody in, and says this before it answers what it is asked for its channels. Once this is there, it
/// was said.
async fn heard(events: String) -> (ManagerFeed, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut asterisk = JoinSet::new();
    asterisk.spawn(async move {
        let (read, mut write) = listener.accept().await.unwrap().0.into_split();
        write
            .write_all(b"Asterisk Call Manager/11.0.0\r\n")
            .await
            .unwrap();
        let mut lines = BufReader::new(read).lines();
        let (mut is_of_channels, mut id) = (false, String::new());
        while let Ok(Some(line)) = lines.next_line().await {
            match line.split_once(": ") {
                Some(("Action", name)) => is_of_channels = name == ActionName::CoreShowChannels.as_str(),
                Some(("ActionID", asked)) => id = asked.to_owned(),
                Some(_) => {}
                None => {
                    let events = if is_of_channels { events.as_str() } else { "" };
                    let answer = format!("Response: Success\r\nActionID: {id}\r\nChallenge: 1\r\n\r\n");
                    // Whoever asked may be gone.
                    let _ = write.write_all(format!("{events}{answer}").as_bytes()).await;
                }
            }
        }
    });
    let settings = json!({"ami_host": "127.0.0.1", "ami_port": port, "ami_username": "switchyard",
        "config_dir": "/etc/asterisk/switchyard"});
    let settings: AsteriskSettings = serde_json::from_value(settings).unwrap();
    let mut feed = ManagerFeed::open(&settings, &"throwaway".into(), &Transport::default(), || 0);
    assert_eq!(feed.next().await, Some(News::LinkUp));
    let question = action(ActionName::CoreShowChannels, &[]).unwrap();
    feed.client
        .request(question, Duration::from_mins(1))
        .await
        .unwrap();
    (feed, asterisk)
}

#[tokio::test]
async fn o10_of_more_events_than_wait_it_is_told_that_some_were_lost() {
    let events = "Event: Hangup\r\nUniqueid: 1.1\r\n\r\n".repeat(WAITING + 1);
    let (mut feed, _asterisk) = heard(events).await;
    assert_eq!(feed.next().await, Some(News::Lost));
    assert!(
        matches!(feed.next().await, Some(News::Ended { .. })),
        "it goes on"
    );
}

#[tokio::test]
async fn o10_behind_the_second_of_two_calls_that_meet_in_a_bridge_it_is_told_that_legs_have_moved() {
    let enters = |number: usize| {
        format!(
            "Event: BridgeEnter\r\nBridgeUniqueid: b\r\nBridgeNumChannels: {number}\r\n\
             Channel: PJSIP/100{number}@acme.example.com-0000002a\r\nUniqueid: {number}.1\r\nLinkedid: {number}.1\r\n\r\n"
        )
    };
    let (mut feed, _asterisk) = heard(enters(1) + &enters(2)).await;
    for _ in 0..2 {
        let entered = feed.next().now_or_never();
        assert!(matches!(entered, Some(Some(News::Leg(_)))), "{entered:?}");
    }
    assert_eq!(feed.next().now_or_never(), Some(Some(News::Moved)));
}
