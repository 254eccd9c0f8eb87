//! What FreeSWITCH tells of a leg of a call that is over: its event `CHANNEL_HANGUP_COMPLETE`.

use jiff::Timestamp;
use thiserror::Error;

use super::halves::{Halves, is_half, own_call};
use crate::domain::call_part::{CallPart, EndedPart, Phone};
use crate::domain::call_record::Disposition;
use crate::domain::call_text::{CallText, PbxCallId};
use crate::wire::esl::Event;

/// The event that tells of it.
pub const EVENT: &str = "CHANNEL_HANGUP_COMPLETE";

/// Why an event is of no use.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("the {0} of FreeSWITCH's event {EVENT} is missing or wrong")]
pub struct UnreadableLeg(&'static str);

/// The part of a call that an event tells of; `None` for any other event. `halves`: what it and the events before it said.
pub fn ended(event: &Event, halves: &Halves) -> Option<Result<EndedPart, UnreadableLeg>> {
    (event.name() == Some(EVENT)).then(|| leg(event, halves))
}

fn leg(event: &Event, halves: &Halves) -> Result<EndedPart, UnreadableLeg> {
    let text = |name: &str| event.get(name).filter(|text| !text.is_empty());
    let id = |name: &'static str, text: Option<&str>| {
        text.and_then(|text| text.parse::<PbxCallId>().ok())
            .ok_or(UnreadableLeg(name))
    };
    let channel = id("Unique-ID", text("Unique-ID"))?;
    let call = own_call(event).ok_or(UnreadableLeg("Channel-Call-UUID"))?;
    let call = halves.call(&call);
    let is_of_called = call != channel;

    let time = |name: &'static str| {
        let micros = text(name)
            .and_then(|text| text.parse().ok())
            .filter(|micros| *micros > 0);
        micros.and_then(|micros| Timestamp::from_microsecond(micros).ok())
    };
    let started = "Caller-Channel-Created-Time";
    let started = time(started).ok_or(UnreadableLeg(started))?;
    let ended = time("Caller-Channel-Hangup-Time").unwrap_or(started).max(started);
    // Our dialplan has answered it for its announcement alone: whoever takes it has a leg of their own.
    let is_announced = text("variable_switchyard_announced").is_some();
    let answered = time("Caller-Channel-Answered-Time")
        .filter(|_| !is_announced)
        .map(|at| at.clamp(started, ended));
    let cause = text("Hangup-Cause").or(text("variable_hangup_cause"));

    let domain = text("variable_domain_name");
    // Who signed in, which a carrier's call has not done.
    let caller = text("variable_user_name").or(text("variable_sip_auth_username"));
    let dialled = text("variable_dialed_user").zip(text("variable_dialed_domain"));
    // A leg that was made for whoever wants to call from it.
    let is_made = text("Call-Direction") == Some("outbound") && caller.is_none();
    let made_for = dialled.filter(|_| is_made);
    let presence = text("Channel-Presence-ID").and_then(|presence| presence.split_once('@'));
    let is_outside = caller.is_none() && dialled.is_none();
    let names = [
        text("variable_domain_uuid"),
        domain,
        text("Caller-Context"),
        // A carrier's names the carrier's own domain, or whatever it likes.
        presence.filter(|_| !is_outside).map(|(_, domain)| domain),
    ];
    Ok(EndedPart {
        call,
        names: names.into_iter().flatten().map(str::to_owned).collect(),
        part: CallPart {
            key: channel.clone(),
            channel,
            caller: (!is_of_called)
                .then(|| {
                    caller
                        .zip(domain.or(presence.map(|(_, domain)| domain)))
                        .or(made_for)
                })
                .flatten()
                .and_then(|(number, domain)| Phone::of(number, domain)),
            called: is_of_called
                .then(|| dialled.and_then(|(number, domain)| Phone::of(number, domain)))
                .flatten(),
            // A half leads on within FreeSWITCH.
            left: is_of_called && dialled.is_none() && !is_half(event),
            is_of_called,
            from_number: text("Caller-Caller-ID-Number").and_then(CallText::of),
            from_name: text("Caller-Caller-ID-Name").and_then(CallText::of),
            // What was dialled first: the other one changes with each transfer within the dialplan.
            to: text("variable_sip_req_user")
                .filter(|_| !is_of_called)
                .or(text("Caller-Destination-Number"))
                .and_then(CallText::of),
            started,
            answered,
            ended,
            disposition: disposition(answered.is_some(), cause, text("variable_originate_disposition")),
            cause: cause.and_then(|cause| cause.parse().ok()),
        },
    })
}

/// What came of a leg, by why it ended; `originate`: what came of those that it called.
pub fn disposition(is_answered: bool, cause: Option<&str>, originate: Option<&str>) -> Disposition {
    if is_answered {
        return Disposition::Answered;
    }
    let worst = originate.filter(|word| *word != "SUCCESS").or(cause);
    match worst {
        Some("USER_BUSY" | "CALL_REJECTED") => Disposition::Busy,
        Some(
            "NO_ANSWER"
            | "NO_USER_RESPONSE"
            | "ORIGINATOR_CANCEL"
            | "ALLOTTED_TIMEOUT"
            | "NORMAL_CLEARING"
            | "USER_NOT_REGISTERED"
            | "SUBSCRIBER_ABSENT"
            | "LOSE_RACE"
            | "PICKED_OFF",
        ) => Disposition::NoAnswer,
        _ => Disposition::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    use crate::domain::call_part::WholeCall;
    use crate::domain::call_record::CallDirection;

    const UUID: &str = CALLER;

    fn event(fields: &[(&str, &str)]) -> Event {
        let mut all = vec![
            ("Event-Name", EVENT),
            ("Unique-ID", UUID),
            ("Channel-Call-UUID", UUID),
            ("Caller-Channel-Created-Time", "1795186157949156"),
            ("Caller-Channel-Answered-Time", "0"),
            ("Caller-Channel-Hangup-Time", "1795186161349170"),
            ("Hangup-Cause", "NORMAL_CLEARING"),
        ];
        all.retain(|(key, _)| !fields.iter().any(|(given, _)| given == key));
        all.extend(fields);
        let text: String = all
            .iter()
            .flat_map(|(key, value)| [*key, ": ", *value, "\n"])
            .collect();
        Event::from_plain(text.as_bytes()).unwrap()
    }

    fn told(fields: &[(&str, &str)]) -> EndedPart {
        ended(&event(fields), &Halves::default()).unwrap().unwrap()
    }

    #[test]
    fn a11_the_two_legs_of_a_call_that_a_real_freeswitch_told_are_one_call() {
        let bodies = recorded("14-events-register-and-sip-call.raw").into_iter();
        let parts: Vec<EndedPart> = bodies
            .filter_map(|body| ended(&Event::from_json(body.as_bytes()).unwrap(), &Halves::default()))
            .map(Result::unwrap)
            .collect();
        assert_eq!(parts.len(), 2);
        assert_eq!(parts[0].call, parts[1].call);
        assert_ne!(parts[0].part.key, parts[1].part.key);
        for part in &parts {
            assert_eq!(part.names[1], "demo.local");
        }
        let legs: Vec<CallPart> = parts.into_iter().map(|told| told.part).collect();
        let call = WholeCall::of(&legs, |domain| domain == "demo.local").unwrap();
        assert_eq!(call.from_number, CallText::of("1001"));
        assert_eq!(call.to, CallText::of("1002"));
        assert_eq!((call.duration, call.billable), (3, 3));
        assert_eq!(call.direction, CallDirection::Internal);
        assert_eq!(call.disposition, Disposition::Answered);
        assert_eq!(call.cause.unwrap().as_str(), "NORMAL_CLEARING");
        assert_eq!(call.numbers.into_iter().collect::<Vec<_>>(), ["1001", "1002"]);
    }

    #[rstest]
    #[case::not_announced(&[], Disposition::Answered)]
    #[case::hung_up_meanwhile(&[("variable_switchyard_announced", "true")], Disposition::NoAnswer)]
    #[case::nobody_took_it(
        &[("variable_switchyard_announced", "true"), ("variable_originate_disposition", "USER_BUSY")],
        Disposition::Busy
    )]
    fn a12_who_only_heard_the_announcement_was_not_answered(
        #[case] fields: &[(&str, &str)],
        #[case] disposition: Disposition,
    ) {
        let mut all = vec![("Caller-Channel-Answered-Time", "1795186157999156")];
        all.extend(fields);
        let part = told(&all).part;
        assert_eq!(part.disposition, disposition);
        assert_eq!(part.answered.is_some(), disposition == Disposition::Answered);
    }

    /// The bodies of recorded events in their order.
    fn recorded(file: &str) -> Vec<String> {
        let path = format!("{}/tests/data/esl/{file}", env!("CARGO_MANIFEST_DIR"));
        let recorded = std::fs::read_to_string(path).unwrap();
        let begins = recorded.match_indices("{\"Event-Name\"");
        let body = |(at, _): (usize, &str)| {
            let rest = recorded.get(at..).unwrap();
            let mut values = serde_json::Deserializer::from_str(rest).into_iter::<serde_json::Value>();
            values.next().unwrap().unwrap().to_string()
        };
        begins.map(body).collect()
    }

    /// The legs of the recorded call, and the halves of the recorded pair.
    const CALLER: &str = "20b13f5e-8da5-4b94-ba0f-f7d7946ddb6b";
    const PHONE: &str = "d1b7b7c5-395d-45f7-9a2f-38a0c6a6c2d2";
    const HALF_A: &str = "a22e03e7-506e-4b28-ab9d-c522f26e0c67";
    const HALF_B: &str = "f8473916-ae7f-4890-a55b-75f40db19aee";

    /// While the recorded call was up.
    const DURING: &str = "1795186159000000";

    /// The recorded call as it is where its phone is called through so many of the recorded pairs, each behind another.
    fn through_pairs(pairs: usize) -> Vec<Event> {
        let id = |half: &str, pair: usize| format!("{}-{pair:02}", half.get(..33).unwrap());
        let mut told = Vec::new();
        let mut caller = CALLER.to_owned();
        for pair in 0..pairs {
            let (a, b) = (id(HALF_A, pair), id(HALF_B, pair));
            for body in recorded("06-events-json-loopback-call.raw") {
                let mut event: serde_json::Value = serde_json::from_str(&body).unwrap();
                for time in
                    ["Created", "Answered", "Hangup"].map(|what| format!("Caller-Channel-{what}-Time"))
                {
                    if event[&time].as_str().is_some_and(|time| time != "0") {
                        event[&time] = DURING.into();
                    }
                }
                // As the leg has it that was called in the other recording.
                if event["Unique-ID"] == HALF_A {
                    event["variable_originating_leg_uuid"] = caller.clone().into();
                }
                told.push(event.to_string().replace(HALF_A, &a).replace(HALF_B, &b));
            }
            caller = b;
        }
        for body in recorded("14-events-register-and-sip-call.raw") {
            let mut event: serde_json::Value = serde_json::from_str(&body).unwrap();
            if event["Unique-ID"] == PHONE {
                for name in ["variable_originating_leg_uuid", "Other-Leg-Unique-ID"] {
                    event[name] = caller.clone().into();
                }
            }
            told.push(event.to_string());
        }
        told.iter()
            .map(|body| Event::from_json(body.as_bytes()).unwrap())
            .collect()
    }

    #[test]
    fn a11_a_call_that_leads_through_loopback_halves_is_one_record_with_what_is_behind_them() {
        for pairs in 0..=3 {
            let mut halves = Halves::default();
            let told = through_pairs(pairs);
            let mut parts = Vec::new();
            for event in &told {
                halves.hear(event);
                parts.extend(ended(event, &halves).map(Result::unwrap));
            }
            assert_eq!(parts.len(), 2 + 2 * pairs);
            assert!(
                parts.iter().all(|part| part.call.as_str() == CALLER),
                "{parts:#?}"
            );
            let keys: std::collections::BTreeSet<_> = parts.iter().map(|told| &told.part.key).collect();
            assert_eq!(keys.len(), parts.len());
            let legs: Vec<CallPart> = parts.into_iter().map(|told| told.part).collect();
            let call = WholeCall::of(&legs, |domain| domain == "demo.local").unwrap();
            assert_eq!(
                call.direction,
                CallDirection::Internal,
                "no half leads to a trunk"
            );
            assert!(call.numbers.contains("1002"), "{:?}", call.numbers);
        }
    }

    #[test]
    fn a11_a_phone_behind_halves_that_were_taken_out_long_ago_is_of_the_call_that_led_to_them() {
        let mut halves = Halves::default();
        let told = through_pairs(1);
        for event in &told {
            halves.hear(event);
        }
        let end = |id: &str| {
            let own = |event: &&Event| event.name() == Some(EVENT) && event.get("Unique-ID") == Some(id);
            ended(told.iter().find(own).unwrap(), &halves).unwrap().unwrap()
        };
        assert_eq!(end(PHONE).call.as_str(), CALLER);
        assert!(end(PHONE).part.is_of_called);
        assert_eq!(end(CALLER).call.as_str(), CALLER);
    }

    #[test]
    fn c06_whose_a_carriers_call_is_tells_no_presence() {
        let carrier = told(&[
            ("Channel-Presence-ID", "4930@acme.example.com"),
            ("Caller-Context", "public"),
        ]);
        assert_eq!(carrier.names, ["public"]);
        assert_eq!(carrier.part.caller, None);
        let own = told(&[
            ("Channel-Presence-ID", "1001@acme.example.com"),
            ("variable_user_name", "1001"),
        ]);
        assert_eq!(own.names, ["acme.example.com"]);
        assert_eq!(own.part.caller.unwrap().number.as_str(), "1001");
    }

    #[rstest]
    #[case("USER_BUSY", Disposition::Busy)]
    #[case("NO_ANSWER", Disposition::NoAnswer)]
    #[case("ORIGINATOR_CANCEL", Disposition::NoAnswer)]
    #[case("UNALLOCATED_NUMBER", Disposition::Failed)]
    #[case("EXCHANGE_ROUTING_ERROR", Disposition::Failed)]
    fn what_came_of_an_unanswered_call_tells_its_cause(#[case] cause: &str, #[case] expected: Disposition) {
        assert_eq!(disposition(false, Some(cause), None), expected);
        assert_eq!(disposition(true, Some(cause), None), Disposition::Answered);
    }

    #[rstest]
    #[case("Unique-ID")]
    #[case("Caller-Channel-Created-Time")]
    fn what_is_no_leg_is_refused(#[case] name: &'static str) {
        let event = event(&[]);
        let text: String = event
            .headers()
            .filter(|(key, _)| *key != name)
            .flat_map(|(key, value)| [key, ": ", value, "\n"])
            .collect();
        let event = Event::from_plain(text.as_bytes()).unwrap();
        assert_eq!(ended(&event, &Halves::default()), Some(Err(UnreadableLeg(name))));
    }

    #[test]
    fn what_was_dialled_stays_when_the_dialplan_goes_on_elsewhere() {
        let leg = told(&[
            ("variable_sip_req_user", "1002"),
            ("Caller-Destination-Number", "switchyard-USER_BUSY"),
        ]);
        assert_eq!(leg.part.to, CallText::of("1002"));
    }
}
