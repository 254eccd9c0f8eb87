//! What Asterisk's call detail records tell of a part of a call that is over.
//!
//! With the two mappings of `cdr_manager.conf` that are put in once, the event `Cdr` says which call it is of and which part
//! of that, and with three more its times without a time zone.

use std::collections::BTreeMap;

use jiff::Timestamp;
use thiserror::Error;

use crate::domain::call_part::{CallPart, EndedPart, Phone};
use crate::domain::call_record::Disposition;
use crate::domain::call_text::{CallText, PbxCallId};
use crate::wire::ami::Message;

/// The fields that a record has beside Asterisk's own, each with what it is made of.
pub const MAPPINGS: [(&str, &str); 5] = [
    ("linkedid", "LinkedID"),
    ("sequence", "Sequence"),
    ("start,u", "StartEpoch"),
    ("answer,u", "AnswerEpoch"),
    ("end,u", "EndEpoch"),
];

/// What our dialplan notes in `UserField` of a call that was answered for its announcement: `announced`, and where nobody took it
/// after that, the `DIALSTATUS`.
const ANNOUNCED: &str = "switchyard-";

/// The fields of Asterisk's own that are read.
pub const OWN_FIELDS: [&str; 10] = [
    "UniqueID",
    "Channel",
    "DestinationChannel",
    "Source",
    "Destination",
    "DestinationContext",
    "CallerID",
    "AccountCode",
    "Disposition",
    "UserField",
];

/// Why a record is of no use.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum UnreadableCdr {
    /// Asterisk does not say it.
    #[error(
        "Asterisk's call record has no {0}: its cdr_manager.conf lacks a line; `switchyard pbx install` puts it in, and \
         `module reload cdr_manager.so` has it heeded"
    )]
    Lacks(&'static str),
    /// It says something else than it should.
    #[error("the {0} of Asterisk's call record is none")]
    Wrong(&'static str),
}

/// The part of a call that an event `Cdr` tells of; `None` for any other event.
#[must_use]
pub fn ended(event: &Message) -> Option<Result<EndedPart, UnreadableCdr>> {
    if event.event() != Some("Cdr") {
        return None;
    }
    Some(part(|name| event.get(name)))
}

/// The same of the fields of a record, by the names that they have in the event.
pub fn of_fields(fields: &BTreeMap<&str, String>) -> Result<EndedPart, UnreadableCdr> {
    part(|name| fields.get(name).map(String::as_str))
}

fn part<'a>(field: impl Fn(&'static str) -> Option<&'a str>) -> Result<EndedPart, UnreadableCdr> {
    let given = |name| {
        field(name)
            .filter(|text| !text.is_empty())
            .ok_or(UnreadableCdr::Lacks(name))
    };
    let id = |name, text: String| text.parse::<PbxCallId>().map_err(|_| UnreadableCdr::Wrong(name));
    let text = |name| field(name).unwrap_or_default();
    let call = id("LinkedID", given("LinkedID")?.to_owned())?;
    let channel = id("UniqueID", given("UniqueID")?.to_owned())?;
    let sequence: u64 = given("Sequence")?
        .parse()
        .map_err(|_| UnreadableCdr::Wrong("Sequence"))?;
    let time = |name| {
        let time = moment(given(name)?).ok_or(UnreadableCdr::Wrong(name))?;
        Ok::<_, UnreadableCdr>(time)
    };
    let started = time("StartEpoch")?;
    let ended = time("EndEpoch")?.max(started);
    // It says zero where nobody answered.
    let answered = time("AnswerEpoch")?;
    let (source, destination) = (text("Channel"), text("DestinationChannel"));
    let disposition = match (
        disposition(given("Disposition")?),
        text("UserField").strip_prefix(ANNOUNCED),
    ) {
        (Disposition::Answered, Some(came)) if destination.is_empty() => announced(came),
        (disposition, _) => disposition,
    };
    let answered = (disposition == Disposition::Answered && answered > Timestamp::UNIX_EPOCH)
        .then(|| answered.clamp(started, ended));
    let (context, account) = (text("DestinationContext"), text("AccountCode"));
    let source_phone = phone(source);
    let source_domain = local_domain(source);
    let destination_phone = phone(destination);
    let names = [
        source_phone.as_ref().map(|phone| phone.domain.to_string()),
        source_domain.map(str::to_owned),
        Some(context.to_owned()),
        Some(account.to_owned()),
        destination_phone.as_ref().map(|phone| phone.domain.to_string()),
        local_domain(destination).map(str::to_owned),
    ];
    Ok(EndedPart {
        call,
        names: names
            .into_iter()
            .flatten()
            .filter(|name| !name.is_empty())
            .collect(),
        part: CallPart {
            key: id("UniqueID", format!("{channel}:{sequence}"))?,
            channel,
            left: !destination.is_empty()
                && destination_phone.is_none()
                && local_domain(destination).is_none(),
            // One half of a call that the PBX makes within a tenant is nobody's phone: whose number it shows may be anybody's.
            caller: source_phone,
            called: destination_phone,
            is_of_called: source_domain.is_some(),
            from_number: CallText::of(text("Source")),
            from_name: CallText::of(name(text("CallerID"))),
            to: dialled(text("Destination")),
            started,
            answered,
            ended,
            disposition,
            cause: None,
        },
    })
}

/// `s` and `h` are where Asterisk puts calls that dialled nothing.
fn dialled(exten: &str) -> Option<CallText> {
    if matches!(exten, "s" | "h") {
        return None;
    }
    CallText::of(exten)
}

/// `1001` at `acme.example.com` of `PJSIP/1001@acme.example.com-00000001`.
fn phone(channel: &str) -> Option<Phone> {
    let (endpoint, _) = channel.strip_prefix("PJSIP/")?.rsplit_once('-')?;
    let (number, domain) = endpoint.split_once('@')?;
    Phone::of(number, domain)
}

/// `acme.example.com` of `Local/1001@acme.example.com-00000001;2`.
fn local_domain(channel: &str) -> Option<&str> {
    let (called, _) = channel.strip_prefix("Local/")?.rsplit_once('-')?;
    called.split_once('@').map(|(_, domain)| domain)
}

/// `Ann` of `"Ann" <1001>`; what stands in the quotes is as the phone sent it.
fn name(caller_id: &str) -> &str {
    let name = caller_id.rsplit_once(" <").map_or(caller_id, |(name, _)| name);
    let quoted = name.strip_prefix('"').and_then(|name| name.strip_suffix('"'));
    match (quoted, caller_id.starts_with('<')) {
        (Some(name), _) => name,
        (None, true) => "",
        (None, false) => name,
    }
}

/// `1795911390.403012`, seconds and microseconds.
fn moment(text: &str) -> Option<Timestamp> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let seconds: i64 = seconds.parse().ok()?;
    if fraction.len() > 6 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let micros: i64 = format!("{fraction:0<6}").parse().ok()?;
    Timestamp::from_microsecond(seconds.checked_mul(1_000_000)?.checked_add(micros)?).ok()
}

/// What came of a call that nothing but its announcement answered.
fn announced(came: &str) -> Disposition {
    match came {
        "BUSY" => Disposition::Busy,
        "announced" | "NOANSWER" => Disposition::NoAnswer,
        _ => Disposition::Failed,
    }
}

fn disposition(word: &str) -> Disposition {
    match word {
        "ANSWERED" => Disposition::Answered,
        "BUSY" => Disposition::Busy,
        "NO ANSWER" | "CANCELED" => Disposition::NoAnswer,
        _ => Disposition::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    /// As Asterisk 22 sends them for a call of 1001 to 1002 (measured).
    fn answered() -> BTreeMap<&'static str, String> {
        let fields = [
            ("UniqueID", "1795911390.0"),
            ("LinkedID", "1795911390.0"),
            ("Sequence", "0"),
            ("Channel", "PJSIP/1001@acme.example.com-00000000"),
            ("DestinationChannel", "PJSIP/1002@acme.example.com-00000001"),
            ("Source", "1001"),
            ("Destination", "1002"),
            ("DestinationContext", "acme.example.com"),
            ("CallerID", "\"Ann\" <1001>"),
            ("AccountCode", "acme.example.com"),
            ("Disposition", "ANSWERED"),
            ("UserField", ""),
            ("StartEpoch", "1795911390.403012"),
            ("AnswerEpoch", "1795911390.412897"),
            ("EndEpoch", "1795911393.132111"),
        ];
        fields
            .into_iter()
            .map(|(name, value)| (name, value.to_owned()))
            .collect()
    }

    fn with(name: &'static str, value: &str) -> Result<EndedPart, UnreadableCdr> {
        let mut fields = answered();
        fields.insert(name, value.to_owned());
        of_fields(&fields)
    }

    /// As Asterisk 22 sends them of a caller who hung up while the announcement was played (measured).
    #[rstest]
    #[case::only_announced("switchyard-announced", "", Disposition::NoAnswer)]
    #[case::announced_and_taken(
        "switchyard-announced",
        "PJSIP/1002@acme.example.com-00000001",
        Disposition::Answered
    )]
    #[case::announced_and_busy("switchyard-BUSY", "", Disposition::Busy)]
    #[case::announced_and_off("switchyard-CHANUNAVAIL", "", Disposition::Failed)]
    #[case::announced_and_failing("switchyard-CONGESTION", "", Disposition::Failed)]
    #[case::announced_and_nobody("switchyard-NOANSWER", "", Disposition::NoAnswer)]
    #[case::of_a_dialplan_of_the_operators("my-BUSY", "", Disposition::Answered)]
    #[case::a_mailbox("", "", Disposition::Answered)]
    fn a12_who_only_heard_the_announcement_was_not_answered(
        #[case] note: &str,
        #[case] destination: &str,
        #[case] disposition: Disposition,
    ) {
        let mut fields = answered();
        fields.insert("UserField", note.to_owned());
        fields.insert("DestinationChannel", destination.to_owned());
        let part = of_fields(&fields).unwrap().part;
        assert_eq!(part.disposition, disposition);
        assert_eq!(part.answered.is_some(), disposition == Disposition::Answered);
    }

    #[test]
    fn a11_a_record_of_asterisk_is_a_part_of_a_call() {
        let told = of_fields(&answered()).unwrap();
        assert_eq!(told.call.as_str(), "1795911390.0");
        assert_eq!(told.names[0], "acme.example.com");
        let part = told.part;
        assert_eq!(part.key.as_str(), "1795911390.0:0");
        let numbers = [&part.caller, &part.called].map(|phone| phone.as_ref().unwrap().number.as_str());
        assert_eq!(numbers, ["1001", "1002"]);
        assert_eq!(part.from_name, CallText::of("Ann"));
        assert_eq!(part.answered.unwrap().as_microsecond(), 1_795_911_390_412_897);
        assert!(!part.left && part.disposition == Disposition::Answered);
    }

    #[test]
    fn a11_each_field_that_is_read_is_one_that_asterisk_is_told_to_send() {
        let asked: Vec<&str> = MAPPINGS.iter().map(|(_, name)| *name).chain(OWN_FIELDS).collect();
        let mut sent: Vec<&str> = answered().into_keys().collect();
        sent.retain(|name| !asked.contains(name));
        assert!(sent.is_empty(), "{sent:?}");
        for (_, name) in MAPPINGS {
            let mut fields = answered();
            fields.remove(name);
            assert_eq!(of_fields(&fields), Err(UnreadableCdr::Lacks(name)));
        }
    }

    #[rstest]
    #[case("PJSIP/trunk-0000002a", true)]
    #[case("", false)]
    #[case("Local/1003@acme.example.com-00000001;1", false)]
    #[case("PJSIP/1002@acme.example.com-00000001", false)]
    fn a_call_leaves_by_what_is_nobodys_phone(#[case] called: &str, #[case] left: bool) {
        assert_eq!(with("DestinationChannel", called).unwrap().part.left, left);
    }

    #[test]
    fn a_call_that_the_pbx_makes_within_a_tenant_is_of_that_tenant_and_of_no_phone_whose_number_it_shows() {
        let told = with("Channel", "Local/1002@acme.example.com-00000000;2").unwrap();
        assert_eq!(told.names[0], "acme.example.com");
        assert_eq!((told.part.caller, told.part.is_of_called), (None, true));
    }

    #[rstest]
    #[case("\"Bob \"x\" =cmd\" <1002>", "Bob \"x\" =cmd")]
    #[case("<1002>", "")]
    #[case("\"a <b> <1002>", "\"a <b>")]
    #[case("\"\" <>", "")]
    #[case("1002", "1002")]
    fn a_callers_name_is_what_stands_before_the_number(#[case] caller_id: &str, #[case] expected: &str) {
        assert_eq!(name(caller_id), expected);
    }

    #[rstest]
    #[case("EndEpoch", "soon")]
    #[case("EndEpoch", "99999999999999999999.1")]
    #[case("StartEpoch", "1.1234567")]
    #[case("Sequence", "-1")]
    #[case("LinkedID", "../x")]
    fn what_is_no_record_is_refused(#[case] name: &'static str, #[case] value: &str) {
        assert_eq!(with(name, value), Err(UnreadableCdr::Wrong(name)));
    }

    #[test]
    fn nobody_answered_where_asterisk_says_so() {
        let told = with("Disposition", "NO ANSWER").unwrap();
        assert_eq!(
            (told.part.answered, told.part.disposition),
            (None, Disposition::NoAnswer)
        );
        assert_eq!(with("AnswerEpoch", "0.000000").unwrap().part.answered, None);
    }
}
