//! What the recorded events and tables of a real FreeSWITCH say.

use bytes::BytesMut;
use tokio_util::codec::Decoder as _;

use super::*;
use crate::domain::leg::Endpoint;
use crate::domain::sip_domain::SipDomain;
use crate::wire::esl::{Codec, Message};

const SIP_CALL: &[u8] = include_bytes!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/data/esl/14-events-register-and-sip-call.raw"
));
const THROUGH_HALVES: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/data/esl/06-events-json-loopback-call.raw"
));
const FROM_OUTSIDE: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/data/esl/show-channels-inbound-did.json"
));
const WITHIN: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/data/esl/show-channels-sip-call.json"
));

fn events(transcript: &[u8]) -> Vec<Event> {
    let mut codec = Codec::new(1 << 20);
    let mut bytes = BytesMut::from(transcript);
    let mut events = Vec::new();
    while let Ok(Some(frame)) = codec.decode(&mut bytes) {
        if let Message::Event(event) = Message::from(frame) {
            events.push(event);
        }
    }
    events
}

fn table(text: &str) -> Vec<Channel> {
    let table: serde_json::Value = serde_json::from_str(text).unwrap();
    serde_json::from_value(table["rows"].clone()).unwrap()
}

fn domains(leg: &Leg) -> Vec<&str> {
    leg.domains.iter().map(SipDomain::as_str).collect()
}

#[test]
fn o10_the_recorded_call_is_two_legs_of_one_call_that_both_end() {
    let heard: Vec<News> = events(SIP_CALL).iter().filter_map(read).collect();
    let legs: Vec<&Leg> = heard
        .iter()
        .filter_map(|news| {
            if let News::Leg(leg) = news {
                Some(leg)
            } else {
                None
            }
        })
        .collect();
    let first = legs.first().unwrap();
    assert_eq!(first.endpoint, Endpoint::parse("1001@demo.local"));
    assert_eq!(
        (first.number.as_str(), first.dialled.as_ref().unwrap().as_str()),
        ("1001", "1002")
    );
    assert!(
        legs.iter()
            .all(|leg| leg.call == first.id && domains(leg) == ["demo.local"])
    );
    let second = legs.iter().find(|leg| leg.id != first.id).unwrap();
    assert_eq!(second.endpoint, Endpoint::parse("1002@demo.local"));
    assert_eq!(
        (second.number.as_str(), second.connected.as_str(), &second.dialled),
        ("1002", "1001", &None)
    );
    assert!(!first.is_up && legs.iter().any(|leg| leg.is_up && leg.answered_at.is_some()));
    assert!(!heard.contains(&News::Lost) && !heard.contains(&News::LegLost));
    for id in [&first.id, &second.id] {
        assert!(
            heard
                .iter()
                .any(|news| matches!(news, News::Ended { id: ended, .. } if ended == id)),
            "{heard:?}"
        );
    }
}

#[test]
fn o10_the_recorded_sign_ins_are_told() {
    let heard: Vec<News> = events(SIP_CALL).iter().filter_map(read).collect();
    let told = |news: &News| match news {
        News::SignedIn(contact) => Some((
            true,
            contact.endpoint.number.to_string(),
            contact.name.as_str().to_owned(),
        )),
        News::SignedOut(contact) => Some((
            false,
            contact.endpoint.number.to_string(),
            contact.name.as_str().to_owned(),
        )),
        _ => None,
    };
    let told: Vec<_> = heard.iter().filter_map(told).collect();
    let name = "1-24471@127.0.0.1".to_owned();
    assert_eq!(
        told,
        [
            (true, "1002".to_owned(), name.clone()),
            (false, "1002".to_owned(), name)
        ]
    );
}

#[test]
fn o10_events_and_table_agree_on_a_call() {
    let rows: Vec<Leg> = table(WITHIN)
        .iter()
        .filter_map(|row| leg::listed(row, None))
        .collect();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0].call, rows[1].call);
    assert!(
        rows.iter()
            .all(|leg| leg.is_up && domains(leg) == ["demo.local"] && leg.created_at.is_some())
    );
    assert_eq!(rows[0].endpoint, Endpoint::parse("1001@demo.local"));
    assert_eq!(rows[1].endpoint, Endpoint::parse("1002@demo.local"));
    assert_eq!(rows[1].number.as_str(), "1002");
}

#[test]
fn o10_a_caller_from_outside_names_no_tenant_by_what_they_call_themselves() {
    let mut rows = table(FROM_OUTSIDE);
    let leg = leg::listed(&rows[0], None).unwrap();
    assert_eq!((domains(&leg), &leg.endpoint), (vec!["demo.local"], &None));
    // Before it is answered it is in `public`, and the From header is the caller's to write.
    rows[0].context = "public".to_owned();
    rows[0].presence_id = "1001@globex.example.com".to_owned();
    let leg = leg::listed(&rows[0], None).unwrap();
    assert_eq!((domains(&leg), &leg.endpoint), (Vec::new(), &None));
}

#[test]
fn o10_only_the_profiles_of_phones_are_believed_who_calls() {
    let mut rows = table(FROM_OUTSIDE);
    rows[0].context = "public".to_owned();
    rows[0].presence_id = "1001@globex.example.com".to_owned();
    for (profile, direction, is_believed) in [
        ("internal", "inbound", true),
        ("internal-ipv6", "inbound", true),
        ("external", "inbound", false),
        ("external-ipv6", "inbound", false),
        ("carrier", "inbound", false),
        ("internal-carrier", "inbound", false),
        // To a phone that signed in at a profile of the operator's own.
        ("wan", "outbound", true),
        ("external", "outbound", false),
        ("external-ipv6", "outbound", false),
    ] {
        rows[0].name = format!("sofia/{profile}/1001@globex.example.com");
        rows[0].direction = direction.to_owned();
        let leg = leg::listed(&rows[0], None).unwrap();
        let expected: &[&str] = if is_believed { &["globex.example.com"] } else { &[] };
        assert_eq!(domains(&leg), expected, "{profile} {direction}");
        assert_eq!(leg.endpoint.is_some(), is_believed, "{profile} {direction}");
    }
}

/// The halves of the recorded call.
const HALF_A: &str = "a22e03e7-506e-4b28-ab9d-c522f26e0c67";
const HALF_B: &str = "f8473916-ae7f-4890-a55b-75f40db19aee";
/// A call that leads to them, where a test says so.
const CALLER: &str = "00000000-0000-4000-8000-00000000000a";

/// The recorded call, as what was called by a leg of this call.
fn halves_of(call: &str) -> Vec<Event> {
    let own = |call: &str| format!("\"Channel-Call-UUID\":\"{call}\"");
    let transcript = THROUGH_HALVES.replace(&own(HALF_A), &own(call));
    assert_eq!(
        transcript == THROUGH_HALVES,
        call == HALF_A,
        "not as it was recorded"
    );
    events(transcript.as_bytes())
}

/// The legs and the calls that a table shows.
fn rows(legs: &[(&str, &str, &str)]) -> Vec<Channel> {
    let row = |(uuid, call, name): &(&str, &str, &str)| Channel {
        uuid: (*uuid).to_owned(),
        call_uuid: (*call).to_owned(),
        name: (*name).to_owned(),
        ..table(WITHIN).remove(0)
    };
    legs.iter().map(row).collect()
}

fn calls_of(legs: &[Leg]) -> Vec<&str> {
    legs.iter().map(|leg| leg.call.as_str()).collect()
}

#[test]
fn o10_the_recorded_halves_of_a_local_channel_are_one_call() {
    let said = Said::default();
    let recorded = halves_of(HALF_A);
    let asked = |event: &&Event| event.name().is_some_and(|name| EVENTS.contains(&name));
    let recorded = recorded.iter().filter(asked);
    let heard: Vec<News> = recorded.filter_map(|event| take(event, &said)).collect();
    let legs = heard.iter().filter_map(|news| match news {
        News::Leg(leg) => Some((leg.id.as_str(), leg.call.as_str(), leg.is_local)),
        _ => None,
    });
    let both = [(HALF_A, HALF_A, true), (HALF_B, HALF_A, true)];
    assert_eq!(legs.collect::<Vec<_>>(), [both, both].concat());
    let shown = rows(&[
        (HALF_A, HALF_A, "loopback/*9196-a"),
        (HALF_B, HALF_B, "loopback/*9196-b"),
    ]);
    assert_eq!(calls_of(&take_rows(&shown, &said)), [HALF_A, HALF_A]);
}

#[test]
fn o10_a_call_that_leads_through_local_halves_is_one_call_to_its_end() {
    let recorded = halves_of(CALLER);
    let [heard_of_a, heard_of_b] = [HALF_A, HALF_B].map(|half| {
        let of_half = |event: &&Event| event.get("Unique-ID") == Some(half);
        recorded.iter().find(of_half).unwrap()
    });
    let phone = ("leg-c", HALF_B, "sofia/internal/1002@192.0.2.1:5060");
    let all = rows(&[
        (CALLER, CALLER, "sofia/internal/1001@demo.local"),
        (HALF_A, CALLER, "loopback/*9196-a"),
        (HALF_B, HALF_B, "loopback/*9196-b"),
        phone,
    ]);
    // What was told while nobody listened is missing.
    for heard in [vec![heard_of_a, heard_of_b], vec![heard_of_a], vec![heard_of_b]] {
        let said = Said::default();
        for event in &heard {
            take(event, &said);
        }
        assert_eq!(calls_of(&take_rows(&all, &said)), [CALLER; 4]);
        // FreeSWITCH took the halves out.
        for event in recorded
            .iter()
            .filter(|event| event.name() == Some("CHANNEL_DESTROY"))
        {
            take(event, &said);
        }
        let talking = rows(&[(CALLER, CALLER, "sofia/internal/1001@demo.local"), phone]);
        for _ in 0..4 {
            assert_eq!(calls_of(&take_rows(&talking, &said)), [CALLER; 2]);
        }
        // The table is behind: once is not enough.
        take_rows(&[], &said);
        assert_eq!(calls_of(&take_rows(&talking, &said)), [CALLER; 2]);
        take_rows(&[], &said);
        take_rows(&[], &said);
        assert_eq!(
            calls_of(&take_rows(&talking, &said)),
            [CALLER, HALF_B],
            "kept for ever"
        );
    }
}

/// The halves of a pair behind the recorded one.
const INNER_A: &str = "00000000-0000-4000-8000-0000000000a2";
/// Takes the place of another while that is renamed.
const HALF_B_ALONE: &str = "00000000-0000-4000-8000-0000000000ff";
const INNER_B: &str = "00000000-0000-4000-8000-0000000000b2";

#[test]
fn o10_a_call_that_leads_through_pairs_within_pairs_is_one_call_in_whatever_order_they_are_told() {
    let outer = halves_of(CALLER);
    let inner = THROUGH_HALVES
        .replace(
            &format!("\"Channel-Call-UUID\":\"{HALF_A}\""),
            &format!("\"Channel-Call-UUID\":\"{HALF_B_ALONE}\""),
        )
        .replace(HALF_A, INNER_A)
        .replace(HALF_B, INNER_B)
        .replace(HALF_B_ALONE, HALF_B);
    let inner = events(inner.as_bytes());
    let all = rows(&[
        (CALLER, CALLER, "sofia/internal/1001@demo.local"),
        (HALF_A, CALLER, "loopback/*9196-a"),
        (HALF_B, HALF_B, "loopback/*9196-b"),
        (INNER_A, HALF_B, "loopback/*9196-a"),
        (INNER_B, INNER_B, "loopback/*9196-b"),
        ("leg-c", INNER_B, "sofia/internal/1002@192.0.2.1:5060"),
    ]);
    let begins = |events: &[Event]| {
        let created = |event: &&Event| event.name() == Some("CHANNEL_CREATE");
        events.iter().filter(created).cloned().collect::<Vec<Event>>()
    };
    let mut told = begins(&outer);
    told.extend(begins(&inner));
    assert_eq!(told.len(), 4);
    for turned in 0..told.len() {
        told.rotate_left(turned);
        let said = Said::default();
        let legs: Vec<News> = told.iter().filter_map(|event| take(event, &said)).collect();
        assert_eq!(legs.len(), 4);
        assert_eq!(calls_of(&take_rows(&all, &said)), [CALLER; 6], "{turned}");
        // Told again, each is of that call at once.
        for news in told.iter().filter_map(|event| take(event, &said)) {
            assert!(
                matches!(&news, News::Leg(leg) if leg.call.as_str() == CALLER),
                "{news:?}"
            );
        }
    }
}

#[test]
fn a13_a_record_that_cannot_be_read_was_lost() {
    let over =
        r#"{"Event-Name": "CHANNEL_HANGUP_COMPLETE", "Unique-ID": "0198c0de-0000-7000-8000-000000000001"}"#;
    let event = Event::from_json(over.as_bytes()).unwrap();
    assert_eq!(record(&event, &mut Halves::default()), Some(News::RecordLost));
}

#[test]
fn a_leg_that_is_over_is_none_although_the_table_shows_it() {
    let mut rows = table(WITHIN);
    rows[0].state = "CS_REPORTING".to_owned();
    assert_eq!(leg::listed(&rows[0], None), None);
}

#[test]
fn the_subscription_can_be_sent() {
    assert!(subscription().is_ok());
    assert_eq!(
        EVENTS
            .iter()
            .chain(&PHONES)
            .filter(|name| Word::new(**name).is_err())
            .count(),
        0
    );
}

fn event(fields: &[(&str, &str)]) -> Event {
    let lines = fields.iter().flat_map(|(key, value)| [*key, ": ", *value, "\n"]);
    Event::from_plain(lines.collect::<String>().as_bytes()).unwrap()
}

#[test]
fn o10_whose_a_leg_is_says_its_domain_before_its_context_and_whom_it_shows() {
    let mut said = vec![
        ("Event-Name", "CHANNEL_CREATE"),
        ("Unique-ID", "leg-a"),
        ("Channel-Name", "sofia/internal/1001@initech.example.com"),
        ("Call-Direction", "inbound"),
        ("Channel-Presence-ID", "1001@initech.example.com"),
        ("Caller-Context", "globex.example.com"),
    ];
    let named = |said: &[(&str, &str)]| -> Vec<String> {
        let leg = leg::read(&event(said)).unwrap();
        domains(&leg).into_iter().map(str::to_owned).collect()
    };
    assert_eq!(named(&said), ["globex.example.com", "initech.example.com"]);
    said.push(("variable_domain_name", "acme.example.com"));
    assert_eq!(named(&said)[0], "acme.example.com");
}

#[test]
fn o10_the_end_of_a_leg_that_cannot_be_read_is_lost_with_its_record() {
    let end = |name| {
        read(&event(&[
            ("Event-Name", name),
            ("Channel-Name", "sofia/internal/1001"),
        ]))
    };
    assert_eq!(end("CHANNEL_HANGUP_COMPLETE"), Some(News::Lost));
    assert_eq!(end("CHANNEL_DESTROY"), Some(News::LegLost));
}
