//! A call of a FreeSWITCH that leads through pairs of `loopback` halves, by recorded events: one call while it is up, and one
//! record once it is over.

use std::time::Duration;

use serde_json::Value;
use switchyard::domain::call_record::{CallDirection, CallQuery};
use switchyard::domain::call_text::CallText;
use switchyard::store::call_records::{self, Seen};

use super::rig::ACME;
use super::support::wait::until;
use super::switch::Rig;

pub const SIP_CALL: &str = include_str!("../data/esl/14-events-register-and-sip-call.raw");
const PAIR: &str = include_str!("../data/esl/06-events-json-loopback-call.raw");
const CALLER: &str = "20b13f5e-8da5-4b94-ba0f-f7d7946ddb6b";
const PHONE: &str = "d1b7b7c5-395d-45f7-9a2f-38a0c6a6c2d2";
const HALF_A: &str = "a22e03e7-506e-4b28-ab9d-c522f26e0c67";
const HALF_B: &str = "f8473916-ae7f-4890-a55b-75f40db19aee";
/// While the recorded call was up.
const DURING: &str = "1795186159000000";

/// The events of a call that a real FreeSWITCH told of, with the tenant's domain in the place of its own.
pub fn recorded(transcript: &str) -> Vec<Value> {
    let recorded = transcript.replace("demo.local", ACME);
    let begins = recorded.match_indices("{\"Event-Name\"");
    let event = |(at, _): (usize, &str)| {
        let mut values = serde_json::Deserializer::from_str(recorded.get(at..).unwrap()).into_iter();
        values.next().unwrap().unwrap()
    };
    begins.map(event).collect()
}

/// The events of a pair that this leg called, with its ids ending in this digit.
fn pair(caller: &str, digit: char) -> Vec<Value> {
    let id = |half: &str| format!("{}{digit}", half.get(..35).unwrap());
    let renamed = PAIR.replace(HALF_A, &id(HALF_A)).replace(HALF_B, &id(HALF_B));
    let mut events = recorded(&renamed);
    // Which nobody asked for.
    events.retain(|event| event["Event-Name"] != "CHANNEL_HANGUP");
    for event in &mut events {
        for time in ["Created", "Answered", "Hangup"].map(|what| format!("Caller-Channel-{what}-Time")) {
            if event[&time].as_str().is_some_and(|time| time != "0") {
                event[&time] = DURING.into();
            }
        }
        // As the leg has it that was called in the other recording.
        if event["Unique-ID"] == id(HALF_A) {
            event["variable_originating_leg_uuid"] = caller.into();
            if event["Event-Name"] != "CHANNEL_HANGUP_COMPLETE" {
                event["Channel-Call-UUID"] = caller.into();
            }
        }
    }
    events
}

fn is_end(event: &Value) -> bool {
    let name = event["Event-Name"].as_str().unwrap();
    name.starts_with("CHANNEL_HANGUP") || name == "CHANNEL_DESTROY"
}

#[tokio::test]
async fn a11_a_call_through_pairs_of_halves_is_one_call_and_one_record() {
    // No poll: the table of the simulation has none of what is played.
    let rig = Rig::start_polling(Duration::from_mins(5)).await;
    let mut call = recorded(SIP_CALL);
    call.retain(|event| event["Event-Name"].as_str().unwrap().starts_with("CHANNEL_"));
    let inner = format!("{}1", HALF_B.get(..35).unwrap());
    let behind = format!("{}2", HALF_B.get(..35).unwrap());
    for event in &mut call {
        if event["Unique-ID"] == PHONE {
            for name in ["variable_originating_leg_uuid", "Other-Leg-Unique-ID"] {
                event[name] = behind.clone().into();
            }
            if event["Channel-Call-UUID"] == CALLER {
                event["Channel-Call-UUID"] = behind.clone().into();
            }
        }
    }
    let (call_ends, call): (Vec<Value>, Vec<Value>) = call.into_iter().partition(is_end);
    let halves = [pair(CALLER, '1'), pair(&inner, '2')].concat();
    let (halves_end, halves): (Vec<Value>, Vec<Value>) = halves.into_iter().partition(is_end);
    rig.play(&call[0]);
    for event in halves.iter().chain(&call[1..]) {
        rig.play(event);
    }
    let has_phone = |rig: &Rig| {
        let calls = rig.calls();
        let mut legs = calls.iter().flat_map(|call| &call.legs);
        legs.any(|leg| leg.as_str() == PHONE)
    };
    until("the phone is in the call", || has_phone(&rig)).await;
    assert_eq!((rig.calls().len(), rig.total()), (1, Some(1)));
    // FreeSWITCH takes the halves out once both talk.
    for event in halves_end.iter().chain(&call_ends) {
        rig.play(event);
    }
    until("it is over", || rig.total() == Some(0)).await;
    let mut records = Vec::new();
    for _ in 0..500 {
        let mut tx = rig.world.store.read("records").await.unwrap();
        let page = call_records::list(&mut tx, rig.acme.id, Seen::All, &CallQuery::default()).await;
        records = page.unwrap().calls;
        // The caller's own leg is the last of which the end is told.
        if records.iter().any(|call| call.extension_ids.len() == 1) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(records.len(), 1, "{records:#?}");
    let call = &records[0];
    assert_eq!(call.call.as_str(), CALLER);
    assert_eq!(call.direction, CallDirection::Internal);
    assert_eq!(
        [&call.from_number, &call.to_number],
        [&CallText::of("1001"), &CallText::of("1002")]
    );
    assert_eq!((call.duration, call.billable), (3, 3));
}
