//! What rows of calls tell, whatever is written there.

use rstest::rstest;

use super::*;
use crate::domain::call_part::WholeCall;
use crate::domain::call_record::{CallDirection, Disposition};

const ACME: &str = "acme.example.com";
const CALLER: &str = "20b13f5e-8da5-4b94-ba0f-f7d7946ddb6b";
const PHONE: &str = "d1b7b7c5-395d-45f7-9a2f-38a0c6a6c2d2";
/// When the recorded call began.
const BEGIN: i64 = 1_795_186_157;

/// As FusionPBX writes the caller's leg of the recorded call.
fn row() -> CallRow {
    let text = |text: &str| Some(text.to_owned());
    CallRow {
        at: BEGIN * 1_000_000,
        id: CALLER.parse().unwrap(),
        domain_id: Uuid::from_u128(7),
        domain: text(ACME),
        leg: text("a"),
        originating_leg: None,
        is_loopback: false,
        direction: text("local"),
        caller_number: text("1001"),
        caller_name: text("Ann"),
        dialled: text("1002"),
        destination: text("1002"),
        is_extension: true,
        is_caller: true,
        dialled_extension: None,
        extension: text("1002"),
        answered: text("1795186158"),
        ended: text("1795186161"),
        cause: text("NORMAL_CLEARING"),
    }
}

fn part(row: &CallRow) -> EndedPart {
    row.part().unwrap()
}

fn whole(rows: &[CallRow]) -> WholeCall {
    let parts: Vec<CallPart> = rows.iter().map(|row| part(row).part).collect();
    WholeCall::of(&parts, |domain| domain == ACME).unwrap()
}

#[test]
fn a11_a_row_tells_of_the_call_by_the_ids_of_the_event() {
    let told = part(&row());
    assert_eq!(told.call.as_str(), CALLER);
    assert_eq!(told.part.key.as_str(), CALLER);
    assert_eq!(told.part.channel.as_str(), CALLER);
    assert_eq!(told.names, [Uuid::from_u128(7).to_string(), ACME.to_owned()]);
    let call = whole(&[row()]);
    assert_eq!((call.duration, call.billable), (4, 3));
    assert_eq!(call.direction, CallDirection::Internal);
    assert_eq!(call.disposition, Disposition::Answered);
    assert_eq!(call.cause.unwrap().as_str(), "NORMAL_CLEARING");
    assert_eq!(call.numbers.into_iter().collect::<Vec<_>>(), ["1001", "1002"]);
}

#[test]
fn a11_a_leg_that_was_called_is_a_part_of_the_call_that_led_to_it() {
    let phone = CallRow {
        id: PHONE.parse().unwrap(),
        leg: Some("b".to_owned()),
        originating_leg: Some(CALLER.to_owned()),
        ..row()
    };
    let told = part(&phone);
    assert_eq!((told.call.as_str(), told.part.key.as_str()), (CALLER, PHONE));
    assert!(told.part.is_of_called && !told.part.left);
    assert_eq!(told.part.called, Phone::of("1002", ACME));
    assert_eq!(told.part.caller, None);
    // It says not by whom: the caller's own row does.
    let alone = CallRow {
        originating_leg: None,
        ..phone.clone()
    };
    assert_eq!(alone.part(), Err(Untold::NoCaller));
    let half = CallRow {
        is_loopback: true,
        ..phone
    };
    assert_eq!(half.part(), Err(Untold::NoSip));
}

#[test]
fn a11_a_call_that_left_is_told_by_the_callers_row_alone() {
    let out = CallRow {
        direction: Some("outbound".to_owned()),
        caller_number: Some("493012345".to_owned()),
        extension: Some("1001".to_owned()),
        is_extension: false,
        dialled: Some("+4989123456".to_owned()),
        destination: Some("4989123456".to_owned()),
        ..row()
    };
    let call = whole(std::slice::from_ref(&out));
    assert_eq!(call.direction, CallDirection::Outbound);
    assert_eq!(call.from_number, CallText::of("1001"));
    assert_eq!(call.to, CallText::of("+4989123456"));
    // Of one that 1001 forwarded, it is not who called.
    let other = CallRow {
        dialled: Some("1001".to_owned()),
        ..out
    };
    let caller = |row: &CallRow| row.part().unwrap().part.caller;
    assert!(caller(&other).is_some(), "a prefix was dialled");
    let forwarded = CallRow {
        dialled_extension: Some("1001".to_owned()),
        ..other
    };
    assert_eq!(caller(&forwarded), None);
}

#[test]
fn a11_without_a_direction_the_number_that_was_shown_is_nobodys() {
    let unanswered = CallRow {
        direction: None,
        caller_number: Some("4989123456".to_owned()),
        ..row()
    };
    let part = unanswered.part().unwrap().part;
    assert_eq!(
        (part.caller, part.from_number, part.from_name),
        (None, None, None)
    );
}

#[test]
fn a11_whoever_shows_the_number_that_they_call_from_outside_has_shown_it() {
    let inbound = CallRow {
        direction: Some("inbound".to_owned()),
        caller_number: Some("1002".to_owned()),
        ..row()
    };
    assert_eq!(inbound.part().unwrap().part.from_number, CallText::of("1002"));
}

#[test]
fn a11_a_call_from_outside_is_nobodys_phone_whatever_number_it_shows() {
    let inbound = CallRow {
        direction: Some("inbound".to_owned()),
        ..row()
    };
    assert_eq!(part(&inbound).part.caller, None);
    assert_eq!(whole(&[inbound]).direction, CallDirection::Inbound);
    let unknown = CallRow {
        direction: None,
        ..row()
    };
    assert_eq!(part(&unknown).part.caller, None);
}

/// As FusionPBX writes what somebody called from a program: their own phone rang first.
#[rstest]
#[case::of_a_colleague("local", "1002", true)]
#[case::outside("outbound", "4989123456", false)]
#[case::outside_told_as_internal("local", "4989123456", false)]
fn a11_who_had_their_own_phone_rung_is_unknown(
    #[case] direction: &str,
    #[case] to: &str,
    #[case] is_extension: bool,
    #[values("", "+")] before: &str,
) {
    let clicked = CallRow {
        direction: Some(direction.to_owned()),
        caller_number: Some(to.to_owned()),
        dialled: Some(format!("{before}{to}")),
        destination: Some(to.to_owned()),
        // Of whoever it names, nothing says whether they called.
        extension: Some("1001".to_owned()),
        is_extension,
        is_caller: is_extension,
        ..row()
    };
    let part = part(&clicked).part;
    assert_eq!(
        (&part.caller, &part.from_number, &part.from_name),
        (&None, &None, &None)
    );
    assert_eq!(part.called, is_extension.then(|| Phone::of(to, ACME)).flatten());
    let call = whole(&[clicked]);
    assert_eq!(call.from_number, None);
    assert!(!call.numbers.contains("1001"), "{:?}", call.numbers);
}

#[rstest]
#[case::came_in_and_left_again("outbound", true)]
#[case::is_no_phone_of_the_domain("local", false)]
fn a11_a_number_that_was_merely_shown_makes_nobody_of_the_tenant_call(
    #[case] direction: &str,
    #[case] is_caller: bool,
) {
    let shown = CallRow {
        direction: Some(direction.to_owned()),
        dialled: Some("4989123456".to_owned()),
        destination: Some("4989123456".to_owned()),
        extension: None,
        is_extension: false,
        is_caller,
        ..row()
    };
    let part = part(&shown).part;
    assert_eq!((part.caller, part.from_number), (None, CallText::of("1001")));
    let call = whole(&[shown]);
    assert_eq!(call.direction, CallDirection::Inbound);
    assert!(!call.numbers.contains("1001"), "{:?}", call.numbers);
}

#[test]
fn a11_what_was_not_answered_is_not() {
    for never in [Some("0"), Some("0.000"), Some(" "), None] {
        let missed = CallRow {
            answered: never.map(str::to_owned),
            cause: Some("USER_BUSY".to_owned()),
            ..row()
        };
        let part = part(&missed).part;
        assert_eq!(
            (part.answered, part.disposition),
            (None, Disposition::Busy),
            "{never:?}"
        );
    }
}

#[rstest]
#[case::nothing(None)]
#[case::no_number(Some("NaN"))]
#[case::a_word(Some("';drop table v_xml_cdr"))]
#[case::before_all_time(Some("-99999999999999999999"))]
#[case::after_all_time(Some("9223372036854775807"))]
#[case::longer_than_any(Some("99999999999"))]
#[case::never(Some("0"))]
fn a11_a_row_without_an_end_cannot_be_read(#[case] ended: Option<&str>) {
    let row = CallRow {
        ended: ended.map(str::to_owned),
        ..row()
    };
    assert_eq!(row.part(), Err(Untold::NoTimes));
}

#[test]
fn a11_hostile_words_are_data_and_times_stay_in_their_order() {
    let hostile = CallRow {
        domain: Some("ACME.example.com'\0".to_owned()),
        direction: Some("\u{202E}outbound".to_owned()),
        caller_number: Some("1001\r\nAction: Originate".to_owned()),
        caller_name: Some("\u{200B}=cmd|' /C calc'!A0\u{7}".to_owned()),
        dialled: Some("\t".to_owned()),
        destination: Some("<script>".repeat(40)),
        extension: Some("../1002".to_owned()),
        answered: Some("1".to_owned()),
        cause: Some("normal clearing\n".to_owned()),
        ..row()
    };
    let part = part(&hostile).part;
    assert_eq!((part.caller, part.called), (None, None));
    assert_eq!(part.from_number, CallText::of("1001Action: Originate"));
    assert_eq!(part.from_name.unwrap().as_str(), "=cmd|' /C calc'!A0");
    assert_eq!(part.to.unwrap().as_str().len(), 128);
    assert_eq!(part.answered, Some(part.started));
    assert_eq!(part.cause, None);
    let other_id = CallRow {
        originating_leg: Some("../../etc/passwd".to_owned()),
        ..row()
    };
    assert_eq!(other_id.part(), Err(Untold::NoId));
}

#[test]
fn a11_the_question_is_bounded_and_leaves_out_what_a_version_lacks() {
    let all = question(Texts::Cut, |_| true);
    let old = question(Texts::Cut, |column| NEEDED.contains(&column));
    for sql in [&all, &old] {
        assert!(sql.ends_with("limit $6::bigint"), "{sql}");
        assert!(sql.contains("domain_uuid = any ($1)"), "{sql}");
        assert!(sql.contains("c.start_stamp >="), "{sql}");
    }
    for column in MAY_LACK {
        assert!(all.contains(&format!("c.{column}")), "{column}: {all}");
        assert!(!old.contains(&format!("c.{column}")), "{column}: {old}");
    }
}
