//! Which call legs make.

use jiff::Timestamp;
use rstest::rstest;
use uuid::Uuid;

use super::*;
use crate::domain::leg::Endpoint;

const ACME: &str = "acme.example.com";
const NEIGHBOUR: &str = "my-acme.example.com";

fn id(text: &str) -> LegId {
    LegId::new(text).unwrap()
}

fn tenant(number: u128) -> TenantId {
    TenantId::from_uuid(Uuid::from_u128(number))
}

fn directory() -> Directory {
    let mut directory = Directory::default();
    let domains = [
        (tenant(1), ACME.parse().unwrap()),
        (tenant(2), NEIGHBOUR.parse().unwrap()),
    ];
    directory.know(domains);
    let extensions = [("1001", 11), ("1002", 12)];
    for number in [1, 2] {
        let ids = extensions.map(|(text, id)| {
            (
                text.parse().unwrap(),
                ExtensionId::from_uuid(Uuid::from_u128(number * 100 + id)),
            )
        });
        directory.learn(tenant(number), ids);
    }
    directory
}

fn leg(number: &str, endpoint: &str, is_up: bool) -> Leg {
    let endpoint = Endpoint::parse(endpoint);
    Leg {
        id: id(number),
        call: id("1.1"),
        domains: endpoint.iter().map(|endpoint| endpoint.domain.clone()).collect(),
        endpoint,
        is_local: false,
        is_up,
        number: WireText::of("+4930123456"),
        connected: WireText::default(),
        dialled: None,
        created_at: None,
        answered_at: is_up.then_some(Timestamp::UNIX_EPOCH),
    }
}

fn local(number: &str) -> Leg {
    Leg {
        is_local: true,
        domains: vec![ACME.parse().unwrap()],
        ..leg(number, "", true)
    }
}

fn call(legs: &[Leg]) -> Call {
    let legs: Vec<&Leg> = legs.iter().collect();
    of_legs(
        InstanceId::from_uuid(Uuid::nil()),
        &id("1.1"),
        &legs,
        &directory(),
    )
    .unwrap()
}

#[test]
fn o10_two_phones_of_a_tenant_are_one_call_of_it() {
    let mut first = leg("1.1", "1001@acme.example.com", false);
    first.dialled = Some(WireText::of("1002"));
    let call = call(&[leg("1.2", "1002@acme.example.com", false), first]);
    assert_eq!((call.from.as_str(), call.to.as_str()), ("1001", "1002"));
    assert_eq!(
        (call.direction, call.state),
        (CallDirection::Internal, CallState::Ringing)
    );
    assert_eq!(call.tenant_id, Some(tenant(1)));
    let ids: Vec<u128> = call.extension_ids.iter().map(|id| id.uuid().as_u128()).collect();
    assert_eq!(ids, [111, 112]);
}

#[test]
fn o10_a_domain_that_ends_alike_is_another_tenants() {
    let call = call(&[leg("1.1", "1001@my-acme.example.com", true)]);
    assert_eq!(call.tenant_id, Some(tenant(2)));
    assert_eq!(call.extension_ids.len(), 1);
    assert_eq!(call.extension_ids[0].uuid().as_u128(), 211);
}

#[test]
fn o10_of_a_call_that_has_two_tenants_the_other_ones_extension_is_not_shown() {
    let call = call(&[
        leg("1.1", "1001@acme.example.com", true),
        leg("1.2", "1002@my-acme.example.com", true),
    ]);
    assert_eq!(call.tenant_id, Some(tenant(1)));
    assert_eq!(call.extension_ids.len(), 1);
    assert_eq!(call.direction, CallDirection::Outbound);
}

#[test]
fn o10_local_halves_fold_into_the_call_and_are_one_where_there_is_nothing_else() {
    let with = call(&[
        leg("1.1", "1001@acme.example.com", true),
        local("1.2"),
        local("1.3"),
    ]);
    assert_eq!(
        (with.state, with.direction, with.legs.len()),
        (CallState::Answered, CallDirection::Internal, 3)
    );
    let only = call(&[local("1.1"), local("1.2")]);
    assert_eq!(
        (only.tenant_id, only.direction),
        (Some(tenant(1)), CallDirection::Internal)
    );
}

#[rstest]
#[case("", "1001@acme.example.com", CallDirection::Inbound)]
#[case("1001@acme.example.com", "", CallDirection::Outbound)]
#[case("1001@acme.example.com", "1002@acme.example.com", CallDirection::Internal)]
fn o10_direction_is_seen_from_the_tenant(
    #[case] first: &str,
    #[case] second: &str,
    #[case] direction: CallDirection,
) {
    let call = call(&[leg("1.1", first, false), leg("1.2", second, false)]);
    assert_eq!(call.direction, direction);
    assert_eq!(call.tenant_id, Some(tenant(1)));
}

#[rstest]
#[case(&[true], CallState::Answered)]
#[case(&[false], CallState::Ringing)]
#[case(&[true, false], CallState::Ringing)]
#[case(&[true, true, false], CallState::Answered)]
fn o10_a_call_is_answered_once_two_talk_or_one_with_the_pbx(#[case] up: &[bool], #[case] state: CallState) {
    let legs: Vec<Leg> = up
        .iter()
        .enumerate()
        .map(|(index, up)| leg(&format!("1.{}", index + 1), "1001@acme.example.com", *up))
        .collect();
    let call = call(&legs);
    assert_eq!(
        (call.state, call.answered_at.is_some()),
        (state, state == CallState::Answered)
    );
}

#[test]
fn no_legs_are_no_call() {
    assert_eq!(
        of_legs(InstanceId::from_uuid(Uuid::nil()), &id("1.1"), &[], &directory()),
        None
    );
}

#[test]
fn o10_who_called_is_at_the_leg_that_the_call_began_with_else_at_the_first_that_came() {
    let begun = |leg: Leg, second: i64| Leg {
        created_at: Timestamp::from_second(second).ok(),
        ..leg
    };
    let first = begun(leg("1.1", "1001@acme.example.com", true), 7);
    let other = begun(leg("1.0", "1002@acme.example.com", true), 7);
    assert_eq!(call(&[other.clone(), first]).from.as_str(), "1001");
    let later = begun(leg("0.9", "1001@acme.example.com", true), 8);
    let call = call(&[later, other]);
    assert_eq!((call.from.as_str(), call.to.as_str()), ("1002", "1001"));
}

#[test]
fn o10_halves_that_are_up_answer_no_call_and_it_is_answered_when_the_second_phone_was() {
    let ringing = [
        leg("1.1", "1001@acme.example.com", true),
        local("1.2"),
        local("1.3"),
        leg("1.4", "1002@acme.example.com", false),
    ];
    assert_eq!(call(&ringing).state, CallState::Ringing);
    let answered = |second: i64, leg: Leg| Leg {
        answered_at: Timestamp::from_second(second).ok(),
        ..leg
    };
    let talking = [
        answered(5, leg("1.1", "1001@acme.example.com", true)),
        answered(9, leg("1.4", "1002@acme.example.com", true)),
    ];
    let at = call(&talking).answered_at;
    assert_eq!(at.map(Timestamp::as_second), Some(9));
}

#[test]
fn o10_a_call_of_nobody_whom_we_know_is_of_no_tenant_and_comes_from_outside() {
    let call = call(&[leg("1.1", "1001@nobody.example.com", true)]);
    assert_eq!((call.tenant_id, call.direction), (None, CallDirection::Inbound));
}
