//! Whatever comes, and in whatever order: after a poll the table is what the PBX says.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::domain::leg::WireText;

const LIMIT: usize = 40;

fn id(number: usize) -> LegId {
    LegId::new(&format!("1795184873.{number}")).unwrap()
}

fn leg(number: usize, call: usize, is_up: bool) -> Leg {
    Leg {
        id: id(number),
        call: id(call),
        domains: Vec::new(),
        endpoint: None,
        is_local: false,
        is_up,
        number: WireText::default(),
        connected: WireText::default(),
        dialled: None,
        created_at: None,
        answered_at: None,
    }
}

fn at() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

/// Each leg with its call and whether it is up, and each call with its legs.
type Kept = (BTreeMap<LegId, (LegId, bool)>, BTreeMap<LegId, BTreeSet<LegId>>);

fn kept(table: &Table) -> Kept {
    let legs = table
        .legs
        .values()
        .map(|leg| (leg.id.clone(), (leg.call.clone(), leg.is_up)));
    let calls = table
        .calls
        .iter()
        .map(|(call, legs)| (call.clone(), legs.clone()));
    (legs.collect(), calls.collect())
}

/// What a table holds that never heard of anything but these.
fn only(legs: &[Leg]) -> Kept {
    let mut table = Table::new(usize::MAX);
    let begun = table.begin_poll();
    table.end_poll(&begun, legs.to_vec()).unwrap();
    kept(&table)
}

#[derive(Clone, Debug)]
enum Step {
    Leg(usize, usize, bool),
    End(usize),
    Lose,
    Poll(Vec<(usize, usize, bool)>),
}

fn step() -> impl Strategy<Value = Step> {
    let one = || (0..60_usize, 0..20_usize, any::<bool>());
    prop_oneof![
        6 => one().prop_map(|(number, call, up)| Step::Leg(number, call, up)),
        4 => (0..60_usize).prop_map(Step::End),
        1 => Just(Step::Lose),
        1 => prop::collection::vec(one(), 0..30).prop_map(Step::Poll),
    ]
}

fn legs(of: &[(usize, usize, bool)]) -> Vec<Leg> {
    let by_number: BTreeMap<usize, Leg> = of
        .iter()
        .map(|(number, call, up)| (*number, leg(*number, *call, *up)))
        .collect();
    by_number.into_values().collect()
}

fn take(table: &mut Table, step: Step) {
    match step {
        Step::Leg(number, call, up) => table.hear(leg(number, call, up), at()),
        Step::End(number) => table.end(id(number)),
        Step::Lose => table.lose(),
        Step::Poll(of) => {
            let begun = table.begin_poll();
            let _ = table.end_poll(&begun, legs(&of));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Even news that were never true: a forged end, a leg that never was.
    #[test]
    fn o10_whatever_was_heard_polls_put_it_right_and_memory_is_bounded(
        steps in prop::collection::vec(step(), 0..200),
        truth in prop::collection::vec((0..60_usize, 0..20_usize, any::<bool>()), 0..30),
    ) {
        let mut table = Table::new(LIMIT);
        for step in steps {
            take(&mut table, step);
            prop_assert!(table.size() <= LIMIT);
        }
        let truth = legs(&truth);
        for _ in 0..2 {
            let begun = table.begin_poll();
            table.end_poll(&begun, truth.clone()).unwrap();
        }
        prop_assert_eq!(kept(&table), only(&truth));
        prop_assert!(table.is_current());
    }

    /// What really happens at a PBX: legs begin, change and end, each once. News are told in their order, some late, some
    /// twice, some never; a poll shows how things stood at a moment between its begin and its end.
    #[test]
    fn o10_one_poll_puts_right_what_lost_news_left(
        events in prop::collection::vec((0..40_usize, 0..3_u8, 0..8_u8), 1..150),
        cut in 0..150_usize,
        begin in 0..150_usize,
        look in 0..150_usize,
        end in 0..150_usize,
    ) {
        let mut times = [cut.min(events.len()), begin.min(events.len()), look.min(events.len()), end.min(events.len())];
        times.sort_unstable();
        let [cut, begin, look, end] = times;
        let mut pbx: BTreeMap<usize, Leg> = BTreeMap::new();
        let mut gone: BTreeSet<usize> = BTreeSet::new();
        let mut table = Table::new(1000);
        let (mut begun, mut seen) = (None, Vec::new());
        for (now, (number, what, fate)) in events.iter().enumerate() {
            if now == begin {
                table.lose();
                begun = Some(table.begin_poll());
            }
            if now == look { seen = pbx.values().cloned().collect(); }
            if now == end && let Some(begun) = begun.take() {
                table.end_poll(&begun, seen.clone()).unwrap();
            }
            if gone.contains(number) { continue; }
            let news = if *what == 2 {
                let was = pbx.remove(number);
                gone.insert(*number);
                was.map(|leg| (leg, true))
            } else {
                let leg = leg(*number, *number / 2, *what == 1);
                pbx.insert(*number, leg.clone());
                Some((leg, false))
            };
            // Between the cut and the begin of the poll news are lost; before and after they are not.
            let is_lost = (cut..begin).contains(&now) && *fate < 6;
            let Some((leg, is_end)) = news else { continue };
            for _ in 0..if is_lost { 0 } else { 1 + usize::from(*fate == 7) } {
                if is_end { table.end(leg.id.clone()); } else { table.hear(leg.clone(), at()); }
            }
        }
        if let Some(begun) = begun.take() {
            if look >= events.len() { seen = pbx.values().cloned().collect(); }
            table.end_poll(&begun, seen).unwrap();
        } else if begin >= events.len() {
            let begun = table.begin_poll();
            table.end_poll(&begun, pbx.values().cloned().collect()).unwrap();
        }
        let truth: Vec<Leg> = pbx.into_values().collect();
        prop_assert_eq!(kept(&table), only(&truth));
    }
}

#[test]
fn o10_a_poll_neither_brings_back_what_ended_meanwhile_nor_ends_what_began() {
    let mut table = Table::new(LIMIT);
    table.hear(leg(1, 1, true), at());
    let begun = table.begin_poll();
    table.end(id(1));
    table.hear(leg(2, 2, false), at());
    table.end_poll(&begun, vec![leg(1, 1, true)]).unwrap();
    assert_eq!(kept(&table), only(&[leg(2, 2, false)]));
    // And late news of the one that ended do not either.
    table.hear(leg(1, 1, true), at());
    assert_eq!(kept(&table), only(&[leg(2, 2, false)]));
}

#[test]
fn o10_a_poll_ends_a_ghost_and_finds_a_call_that_nobody_told_of() {
    let mut table = Table::new(LIMIT);
    table.hear(leg(1, 1, true), at());
    let begun = table.begin_poll();
    table.end_poll(&begun, vec![leg(3, 3, true)]).unwrap();
    assert_eq!(kept(&table), only(&[leg(3, 3, true)]));
}

#[test]
fn o10_what_polls_put_right_is_counted_unless_the_news_of_it_were_only_late() {
    let mut table = Table::new(LIMIT);
    let poll = |table: &mut Table, legs: &[Leg]| {
        let begun = table.begin_poll();
        table.end_poll(&begun, legs.to_vec()).unwrap()
    };
    let before = [leg(1, 1, true), leg(5, 5, true)];
    table.hear(leg(1, 1, true), at());
    for _ in 0..=LATE {
        assert_eq!(
            poll(&mut table, &before),
            0,
            "before the first poll nothing is known"
        );
    }
    // One ghost, one hidden, one whose news is late.
    let now = [leg(5, 5, true), leg(2, 2, true), leg(3, 3, true)];
    for _ in 0..LATE {
        assert_eq!(poll(&mut table, &now), 0);
    }
    table.hear(leg(3, 3, true), at());
    assert_eq!(poll(&mut table, &now), 2);
    assert_eq!(poll(&mut table, &now), 0);
}

#[test]
fn o10_what_a_poll_says_is_not_taken_when_news_were_lost_meanwhile() {
    let mut table = Table::new(LIMIT);
    let begun = table.begin_poll();
    table.lose();
    assert_eq!(
        table.end_poll(&begun, vec![leg(1, 1, true)]),
        Err(NotTaken::Outdated)
    );
    assert!(!table.is_current() && table.legs.is_empty());
    let first = table.begin_poll();
    let second = table.begin_poll();
    assert_eq!(table.end_poll(&first, Vec::new()), Err(NotTaken::Outdated));
    assert_eq!(table.end_poll(&second, Vec::new()), Ok(0));
}

#[test]
fn o10_more_than_is_kept_is_said() {
    let mut table = Table::new(3);
    let begun = table.begin_poll();
    table
        .end_poll(&begun, (0..3).map(|n| leg(n, n, true)).collect())
        .unwrap();
    assert!(table.is_current());
    table.hear(leg(3, 3, true), at());
    assert!(!table.is_current());
    let begun = table.begin_poll();
    let many = (0..4).map(|n| leg(n, n, true)).collect();
    assert_eq!(table.end_poll(&begun, many), Err(NotTaken::TooMany(3)));
    assert!(!table.is_current() && table.legs.len() == 3);
}

#[test]
fn o10_more_ends_than_are_kept_are_no_more_memory() {
    let mut table = Table::new(3);
    let begun = table.begin_poll();
    table.end_poll(&begun, Vec::new()).unwrap();
    (0..3).for_each(|number| table.end(id(number)));
    assert!(table.is_current());
    table.end(id(3));
    assert!(!table.is_current() && table.size() <= 3);
}

#[test]
fn what_was_dialled_and_when_it_was_answered_outlive_a_poll_that_does_not_say() {
    let mut table = Table::new(LIMIT);
    let mut dialled = leg(1, 1, false);
    dialled.dialled = Some(WireText::of("1002"));
    table.hear(dialled, at());
    table.hear(leg(1, 1, true), Timestamp::from_second(7).unwrap());
    let begun = table.begin_poll();
    table.end_poll(&begun, vec![leg(1, 1, true)]).unwrap();
    let kept = table.legs_of(&id(1))[0];
    assert_eq!(kept.dialled, Some(WireText::of("1002")));
    assert_eq!(kept.answered_at.map(Timestamp::as_second), Some(7));
}

#[test]
fn a_leg_that_joins_another_call_leaves_its_own() {
    let mut table = Table::new(LIMIT);
    table.hear(leg(1, 1, true), at());
    table.hear(leg(2, 2, true), at());
    table.take_changed();
    table.hear(leg(2, 1, true), at());
    assert_eq!(table.take_changed(), [id(1), id(2)].into());
    assert_eq!(table.calls().count(), 1);
    assert_eq!(table.legs_of(&id(1)).len(), 2);
}

#[test]
fn o10_what_polls_put_right_and_ended_or_was_lost_meanwhile_is_not_counted() {
    let poll = |table: &mut Table, legs: &[Leg]| {
        let begun = table.begin_poll();
        table.end_poll(&begun, legs.to_vec()).unwrap()
    };
    for is_lost in [false, true] {
        let mut table = Table::new(LIMIT);
        assert_eq!(poll(&mut table, &[]), 0);
        assert_eq!(poll(&mut table, &[leg(1, 1, true)]), 0);
        if is_lost {
            // Whatever news of it there were may be among those.
            table.lose();
        } else {
            table.end(id(1));
        }
        for _ in 0..=LATE {
            assert_eq!(poll(&mut table, &[]), 0, "{is_lost}");
        }
    }
}

#[test]
fn o10_a_leg_that_ended_comes_back_with_the_second_poll_that_shows_it_and_by_no_late_news() {
    let mut table = Table::new(LIMIT);
    table.hear(leg(1, 1, true), at());
    table.end(id(1));
    let shown = [leg(1, 1, true)];
    let begun = table.begin_poll();
    table.end_poll(&begun, shown.to_vec()).unwrap();
    table.hear(leg(1, 1, true), at());
    assert_eq!(kept(&table), only(&[]), "the PBX's table may be behind");
    let begun = table.begin_poll();
    table.end_poll(&begun, shown.to_vec()).unwrap();
    assert_eq!(kept(&table), only(&shown));
}
