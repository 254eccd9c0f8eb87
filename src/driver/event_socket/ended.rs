//! What FreeSWITCH tells of a leg of a call that is over: its event `CHANNEL_HANGUP_COMPLETE`.

use jiff::Timestamp;
use thiserror::Error;

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

/// The part of a call that an event tells of; `None` for any other event.
pub fn ended(event: &Event) -> Option<Result<EndedPart, UnreadableLeg>> {
    (event.name() == Some(EVENT)).then(|| leg(event))
}

fn leg(event: &Event) -> Result<EndedPart, UnreadableLeg> {
    let text = |name: &str| event.get(name).filter(|text| !text.is_empty());
    let id = |name: &'static str, text: Option<&str>| {
        text.and_then(|text| text.parse::<PbxCallId>().ok())
            .ok_or(UnreadableLeg(name))
    };
    let channel = id("Unique-ID", text("Unique-ID"))?;
    // A leg that was made for another one belongs to that one's call; by then its own `Channel-Call-UUID` names itself
    // (measured).
    let originator = (text("Other-Type") == Some("originator")).then(|| text("Other-Leg-Unique-ID"));
    let call = text("variable_originating_leg_uuid")
        .or(originator.flatten())
        .or(text("Channel-Call-UUID"))
        .or(text("Unique-ID"));
    let call = id("Channel-Call-UUID", call)?;
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
    let answered = time("Caller-Channel-Answered-Time").map(|at| at.clamp(started, ended));
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
            left: is_of_called && dialled.is_none(),
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

fn disposition(is_answered: bool, cause: Option<&str>, originate: Option<&str>) -> Disposition {
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

    const UUID: &str = "20b13f5e-8da5-4b94-ba0f-f7d7946ddb6b";

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
        all.extend(fields);
        let text: String = all
            .iter()
            .flat_map(|(key, value)| [*key, ": ", *value, "\n"])
            .collect();
        Event::from_plain(text.as_bytes()).unwrap()
    }

    fn told(fields: &[(&str, &str)]) -> EndedPart {
        ended(&event(fields)).unwrap().unwrap()
    }

    #[test]
    fn a11_the_two_legs_of_a_call_that_a_real_freeswitch_told_are_one_call() {
        let recorded = std::fs::read_to_string(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/data/esl/14-events-register-and-sip-call.raw"
        ))
        .unwrap();
        let bodies = recorded.match_indices("{\"Event-Name\"").map(|(at, _)| {
            let rest = recorded.get(at..).unwrap();
            let mut values = serde_json::Deserializer::from_str(rest).into_iter::<serde_json::Value>();
            values.next().unwrap().unwrap().to_string()
        });
        let parts: Vec<EndedPart> = bodies
            .filter_map(|body| ended(&Event::from_json(body.as_bytes()).unwrap()))
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
        assert_eq!(ended(&event), Some(Err(UnreadableLeg(name))));
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
