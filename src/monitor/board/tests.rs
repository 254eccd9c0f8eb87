//! What is told of calls is kept by tenant, and told on.

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::*;
use crate::domain::call::{CallDirection, CallState};
use crate::domain::leg::WireText;
use crate::monitor::stream::Heard;

const PBX: InstanceId = InstanceId::from_uuid(Uuid::from_u128(1));

fn tenant(number: u128) -> TenantId {
    TenantId::from_uuid(Uuid::from_u128(number))
}

fn link(text: &str) -> LegId {
    LegId::new(text).unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn call(text: &str, tenant_id: Option<TenantId>) -> Call {
    Call {
        id: CallId::of(PBX, &link(text)),
        instance_id: PBX,
        link: link(text),
        tenant_id,
        from: WireText::of("1001"),
        to: WireText::of("1002"),
        direction: CallDirection::Internal,
        state: CallState::Ringing,
        started_at: None,
        answered_at: None,
        extension_ids: Vec::new(),
        legs: Vec::new(),
    }
}

fn report(calls: Vec<(LegId, Option<Call>)>, second: i64) -> Report {
    Report {
        calls: Told {
            items: calls,
            are_all: false,
            are_stale: false,
        },
        are_calls_polled: false,
        phones: Told {
            items: Vec::new(),
            are_all: false,
            are_stale: false,
        },
        corrected: 0,
        tenants: None,
        at: at(second),
        stop: CancellationToken::new(),
    }
}

fn board() -> Board {
    let board = Board::new(Streams::new(1), SignedDuration::from_secs(10));
    board.add(PBX);
    board
}

fn began(text: &str, tenant: Option<TenantId>) -> (LegId, Option<Call>) {
    (link(text), Some(call(text, tenant)))
}

#[test]
fn o10_each_figure_is_of_its_tenant_its_pbx_and_its_moment() {
    let board = board();
    let (acme, globex) = (tenant(1), tenant(2));
    assert_eq!(
        board.of_tenant(acme, PBX, at(5)),
        (Vec::new(), Freshness::UNKNOWN)
    );
    board.report(
        PBX,
        report(
            vec![began("1", Some(acme)), began("2", Some(globex)), began("3", None)],
            7,
        ),
    );
    let (calls, freshness) = board.of_tenant(acme, PBX, at(8));
    assert_eq!(
        (calls.len(), freshness),
        (
            1,
            Freshness {
                as_of: Some(at(7)),
                stale: false
            }
        )
    );
    assert_eq!(board.call(acme, calls[0].id).unwrap().link, link("1"));
    assert_eq!(board.call(globex, calls[0].id), None);
    let figures = board.figures(at(8)).remove(0);
    assert_eq!(
        (figures.total, figures.by_tenant),
        (3, [(acme, 1), (globex, 1)].into())
    );
    board.report(PBX, report(vec![(link("1"), None)], 9));
    assert_eq!(board.of_tenant(acme, PBX, at(9)).0, []);
    assert_eq!(board.figures(at(9))[0].by_tenant, [(globex, 1)].into());
}

#[test]
fn o10_what_is_old_is_stale_whatever_its_listener_last_said() {
    let board = board();
    board.report(PBX, report(vec![began("1", Some(tenant(1)))], 7));
    assert!(!board.of_tenant(tenant(1), PBX, at(17)).1.stale);
    assert!(board.of_tenant(tenant(1), PBX, at(18)).1.stale);
    board.report(PBX, report(Vec::new(), 18));
    assert!(!board.figures(at(18))[0].freshness.stale);
    board.doubt(PBX);
    assert_eq!(
        board.figures(at(18))[0].freshness,
        Freshness {
            as_of: Some(at(18)),
            stale: true
        }
    );
}

#[test]
fn o10_what_is_all_leaves_nothing_of_before() {
    let board = board();
    board.report(
        PBX,
        report(vec![began("1", Some(tenant(1))), began("2", Some(tenant(1)))], 7),
    );
    let mut all = report(vec![began("2", Some(tenant(1)))], 8);
    all.calls.are_all = true;
    board.report(PBX, all);
    assert_eq!(board.figures(at(8))[0].total, 1);
    assert_eq!(board.of_tenant(tenant(1), PBX, at(8)).0[0].link, link("2"));
}

#[test]
fn o10_what_another_host_listens_to_is_not_known_here() {
    let board = board();
    board.report(PBX, report(vec![began("1", Some(tenant(1)))], 7));
    board.remove(PBX);
    assert_eq!(
        board.of_tenant(tenant(1), PBX, at(7)),
        (Vec::new(), Freshness::UNKNOWN)
    );
    board.report(PBX, report(vec![began("1", Some(tenant(1)))], 7));
    assert_eq!(
        board.figures(at(7)),
        [],
        "a late report of a listener that was stopped"
    );
}

#[test]
fn o10_a_call_that_becomes_a_tenants_begins_for_it_and_ends_for_whose_it_was() {
    let board = board();
    let mut readers = [1, 2].map(|number| board.streams().follow(tenant(number), None));
    board.report(PBX, report(vec![began("1", None)], 7));
    board.report(PBX, report(vec![began("1", Some(tenant(1)))], 7));
    board.report(PBX, report(vec![began("1", Some(tenant(1)))], 7));
    board.report(PBX, report(vec![began("1", Some(tenant(2)))], 7));
    let mut heard = |reader: usize| {
        let mut heard = Vec::new();
        while let Some(Heard::Event(_, happening)) = readers[reader].ready() {
            if let Happening::Call { before, now } = &*happening {
                heard.push((before.is_some(), now.is_some()));
            }
        }
        heard
    };
    assert_eq!(heard(0), [(false, true), (true, false)]);
    assert_eq!(heard(1), [(false, true)]);
}

#[test]
fn o10_presence_is_of_phones_and_calls_and_not_known_while_stale() {
    let board = board();
    let numbers: [ExtensionNumber; 4] =
        ["1001", "1002", "1003", "1004"].map(|number| number.parse().unwrap());
    let ids = [1, 2, 3, 4].map(|number| ExtensionId::from_uuid(Uuid::from_u128(number)));
    let asked: Vec<(ExtensionId, &ExtensionNumber)> = ids.into_iter().zip(&numbers).collect();
    let presences = |of: u128, second: i64| board.presences(tenant(of), PBX, &asked, at(second));
    assert_eq!(presences(1, 7), [None; 4]);
    let (mut rings, mut talks) = (call("1", Some(tenant(1))), call("2", Some(tenant(1))));
    rings.extension_ids = vec![ids[1], ids[2]];
    talks.extension_ids = vec![ids[2]];
    talks.state = CallState::Answered;
    let mut phones = report(vec![(link("1"), Some(rings)), (link("2"), Some(talks))], 7);
    phones.phones.items = vec![(tenant(1), numbers[0].clone(), None, 2)];
    phones.tenants = Some([tenant(1), tenant(2)].into());
    board.report(PBX, phones);
    let known = [
        Presence::Available,
        Presence::Ringing,
        Presence::OnCall,
        Presence::Offline,
    ]
    .map(Some);
    assert_eq!(presences(1, 7), known);
    assert_eq!(presences(2, 7), [Some(Presence::Offline); 4]);
    assert_eq!(
        presences(3, 7),
        [None; 4],
        "whoever serves it is not listened to here"
    );
    let mut gone = report(Vec::new(), 7);
    gone.phones.items = vec![(tenant(1), numbers[0].clone(), None, 0)];
    board.report(PBX, gone);
    assert_eq!(presences(1, 7)[0], Some(Presence::Offline));
    board.doubt(PBX);
    assert_eq!(presences(1, 7), [None; 4]);
}

/// A report of phones of one extension of tenant 1, by a PBX that serves the tenant.
fn phones(number: &ExtensionNumber, contacts: usize) -> Report {
    let mut report = report(Vec::new(), 7);
    report.phones.items = vec![(tenant(1), number.clone(), None, contacts)];
    report.tenants = Some([tenant(1)].into());
    report
}

#[test]
fn o10_presence_is_told_by_the_pbx_that_is_to_serve_the_tenant_and_not_by_one_that_served_it() {
    let board = board();
    let other = InstanceId::from_uuid(Uuid::from_u128(2));
    let numbers: [ExtensionNumber; 3] = ["1001", "1002", "1003"].map(|number| number.parse().unwrap());
    let ids = [1, 2, 3].map(|number| ExtensionId::from_uuid(Uuid::from_u128(number)));
    let asked: Vec<(ExtensionId, &ExtensionNumber)> = ids.into_iter().zip(&numbers).collect();
    let presences = |instance| board.presences(tenant(1), instance, &asked, at(7));
    let (offline, available) = (Some(Presence::Offline), Some(Presence::Available));
    board.report(PBX, phones(&numbers[0], 1));
    assert_eq!(presences(other), [None; 3], "it is not listened to here");
    board.add(other);
    assert_eq!(presences(other), [None; 3], "it has told nothing yet");
    board.report(other, phones(&numbers[1], 1));
    assert_eq!(presences(other), [available, available, offline]);
    let mut talks = call("1", Some(tenant(1)));
    talks.extension_ids = vec![ids[2]];
    board.report(PBX, report(vec![(link("1"), Some(talks))], 7));
    assert_eq!(presences(other)[2], Some(Presence::Ringing));
    // What is not known of the former one makes doubtful what it had a part in, and no more.
    board.doubt(PBX);
    assert_eq!(presences(other), [None, available, None]);
    board.remove(PBX);
    assert_eq!(presences(other), [offline, available, offline]);
}

#[test]
fn o10_phones_that_are_not_among_all_of_them_any_more_are_told_of() {
    let board = board();
    let mut reader = board.streams().follow(tenant(1), None);
    board.report(PBX, phones(&"1001".parse().unwrap(), 2));
    let mut all = phones(&"1002".parse().unwrap(), 1);
    all.phones.are_all = true;
    board.report(PBX, all);
    let mut told = Vec::new();
    while let Some(Heard::Event(_, happening)) = reader.ready() {
        if let Happening::Phones { number, contacts, .. } = &*happening {
            told.push((number.to_string(), *contacts));
        }
    }
    let expected = [("1001", 2), ("1002", 1), ("1001", 0)];
    assert_eq!(
        told,
        expected.map(|(number, contacts)| (number.to_owned(), contacts))
    );
}

#[test]
fn o10_who_follows_is_told_that_calls_are_doubted_and_before_they_end_that_they_are_not_known() {
    let board = board();
    let mut reader = board.streams().follow(tenant(1), None);
    board.report(PBX, report(vec![began("1", Some(tenant(1)))], 7));
    board.doubt(PBX);
    board.doubt(PBX);
    board.remove(PBX);
    let mut told = Vec::new();
    while let Some(Heard::Event(_, happening)) = reader.ready() {
        told.push(match &*happening {
            Happening::Known(freshness) => format!("stale: {}", freshness.stale),
            Happening::Call { now, .. } => format!("up: {}", now.is_some()),
            other => panic!("{other:?}"),
        });
    }
    let expected = [
        "up: true",
        "stale: false",
        "stale: true",
        "stale: true",
        "up: false",
    ];
    assert_eq!(told, expected);
}

#[test]
fn o10_what_a_stopped_listener_tells_late_is_not_of_its_successor() {
    let board = board();
    let mut late = report(vec![began("1", Some(tenant(1)))], 7);
    let stop = CancellationToken::new();
    late.stop = stop.clone();
    stop.cancel();
    board.remove(PBX);
    board.add(PBX);
    board.report(PBX, late);
    assert_eq!(
        board.of_tenant(tenant(1), PBX, at(7)),
        (Vec::new(), Freshness::UNKNOWN)
    );
}

#[test]
fn o10_what_its_listener_says_may_be_otherwise_is_stale_and_as_of_when_it_was_not() {
    let board = board();
    let number: ExtensionNumber = "1001".parse().unwrap();
    let asked = [(ExtensionId::from_uuid(Uuid::nil()), &number)];
    let told = |board: &Board| {
        let Freshness { as_of, stale } = board.figures(at(9))[0].freshness;
        let presence = board.presences(tenant(1), PBX, &asked, at(9))[0];
        (as_of.map(Timestamp::as_second), stale, presence)
    };
    board.report(PBX, phones(&number, 1));
    assert_eq!(told(&board), (Some(7), false, Some(Presence::Available)));
    let mut lost = report(Vec::new(), 8);
    lost.calls.are_stale = true;
    board.report(PBX, lost);
    assert_eq!(told(&board), (Some(7), true, None));
    let mut polled = report(Vec::new(), 8);
    polled.are_calls_polled = true;
    board.report(PBX, polled);
    assert_eq!(told(&board), (Some(8), true, None));
    let mut unknown = report(Vec::new(), 9);
    unknown.phones.are_stale = true;
    board.report(PBX, unknown);
    assert_eq!(told(&board), (Some(9), false, None), "of phones alone");
    board.doubt(PBX);
    board.report(PBX, report(Vec::new(), 9));
    assert_eq!(told(&board), (Some(9), false, Some(Presence::Available)));
}

#[test]
fn o10_calls_that_go_on_where_the_tenant_was_before_are_as_well_known_as_they_are_there() {
    let board = board();
    let other = InstanceId::from_uuid(Uuid::from_u128(2));
    board.add(other);
    board.report(PBX, report(vec![began("1", Some(tenant(1)))], 7));
    board.report(other, report(Vec::new(), 8));
    let known = |of: u128| board.freshness(tenant(of), other, at(8));
    assert_eq!((known(1).as_of, known(1).stale), (Some(at(7)), false));
    board.doubt(PBX);
    assert!(known(1).stale && !known(2).stale);
}

#[test]
fn o10_who_follows_hears_that_a_call_began_before_they_hear_that_it_is_known_no_more() {
    let board = board();
    // What they make of it takes a while.
    let _reader = board.streams().follow(tenant(1), None);
    // As many as a hearer has room for, of which each begins and ends.
    let links: Vec<String> = (0..NEWS / 2).map(|number| number.to_string()).collect();
    let first = call("0", None).id;
    for round in 0..40 {
        let mut hearer = board.calls();
        let calls = links.iter().map(|link| began(link, Some(tenant(1))));
        let stop = CancellationToken::new();
        let late = Report {
            stop: stop.clone(),
            ..report(calls.collect(), 7)
        };
        std::thread::scope(|threads| {
            threads.spawn(|| board.report(PBX, late));
            // The listener is stopped as soon as anything of what it tells is there.
            while board.call(tenant(1), first).is_none() {
                std::hint::spin_loop();
            }
            stop.cancel();
            board.remove(PBX);
        });
        let mut up = HashSet::new();
        for _ in 0..NEWS {
            let (before, now) = hearer.try_recv().unwrap();
            if let Some(over) = before {
                up.remove(&over.id);
            }
            up.extend(now.map(|call| call.id));
        }
        assert!(up.is_empty(), "round {round}: {} calls are left", up.len());
        board.add(PBX);
    }
}
