//! A clock that jumps as it likes, and what is believed of it.

use proptest::collection::vec;
use proptest::prelude::*;
use rstest::rstest;

use super::*;

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

/// So much up-time with a beat each minute, by a clock that goes well but for being ahead.
fn run(mut trusted: TrustedTime, wall: &mut i64, hours: i64) -> TrustedTime {
    for _ in 0..hours * 60 {
        *wall += 60;
        trusted = trusted.beat(at(*wall), MINUTE);
    }
    trusted
}

#[test]
fn a20_a_clock_that_goes_well_is_believed_from_the_first_beat_on() {
    let mut wall = 0;
    let mut trusted = TrustedTime::first(at(0));
    assert_eq!(trusted.time(), at(0));
    for _ in 0..3 {
        trusted = run(trusted, &mut wall, 20);
        assert_eq!(trusted.time(), at(wall));
        assert_eq!((trusted.held_back(), trusted.seen().len()), (None, 1));
    }
}

#[rstest]
#[case::an_hour(HOUR)]
#[case::a_month(30 * DAY)]
fn a20_a_jump_forward_is_believed_after_a_day_of_up_time(#[case] jump: i64) {
    let mut wall = 0;
    let trusted = run(TrustedTime::first(at(0)), &mut wall, 1);
    wall += jump;
    let mut trusted = run(trusted, &mut wall, 23);
    assert_eq!(trusted.time(), at(wall - jump));
    let held = trusted.held_back().unwrap();
    assert_eq!(held.by, SignedDuration::from_secs(jump));
    // The last beat before the jump was 23 hours ago.
    assert_eq!((held.until, held.is_leap()), (Some(at(wall + HOUR)), false));
    trusted = run(trusted, &mut wall, 1);
    assert_eq!((trusted.time(), trusted.held_back()), (at(wall), None));
}

#[test]
fn a20_a_leap_makes_nothing_older_however_long_it_lasts_until_somebody_says_that_it_is_right() {
    let (mut wall, jump) = (0, 30 * DAY + 60);
    let trusted = run(TrustedTime::first(at(0)), &mut wall, 1);
    wall += jump;
    let trusted = run(trusted, &mut wall, 23);
    assert_eq!(
        (trusted.time(), trusted.waited()),
        (at(wall - jump), at(wall - jump))
    );
    let trusted = run(trusted, &mut wall, 9 * 24);
    assert_eq!((trusted.time(), trusted.waited()), (at(wall - jump), at(wall)));
    let held = trusted.held_back().unwrap();
    assert_eq!(held.by, SignedDuration::from_secs(jump));
    assert!(held.is_leap(), "{held:?}");
    // A step that comes on top of it changes nothing of that, nor does another leap.
    wall += HOUR;
    let trusted = run(trusted, &mut wall, 48);
    assert_eq!(trusted.time(), at(wall - jump - HOUR));
    assert!(trusted.held_back().is_some_and(HeldBack::is_leap));
    let believed = trusted.believing(at(wall));
    assert_eq!((believed.time(), believed.held_back()), (at(wall), None));
    assert_eq!(
        (believed.waited(), believed.up()),
        (at(wall), (1 + 23 + 9 * 24 + 48) * HOUR * 1_000_000)
    );
    assert_eq!(
        believed.believed().ahead,
        at(wall).as_microsecond() - believed.up()
    );
    // From then on it is a clock like any other.
    wall += HOUR;
    let trusted = run(believed, &mut wall, 1);
    assert_eq!(trusted.time(), at(wall - HOUR));
    let trusted = run(trusted, &mut wall, 24);
    assert_eq!(trusted.time(), at(wall));
}

#[test]
fn a20_a_step_before_a_leap_is_believed_after_its_day_and_the_leap_is_not() {
    let mut wall = 0;
    let trusted = run(TrustedTime::first(at(0)), &mut wall, 1);
    wall += HOUR;
    let trusted = run(trusted, &mut wall, 1);
    wall += 400 * DAY;
    let trusted = run(trusted, &mut wall, 48);
    assert_eq!(trusted.time(), at(wall - 400 * DAY));
    assert!(trusted.held_back().unwrap().is_leap());
    // It was put right: a clock that is put back is believed at once.
    wall -= 399 * DAY;
    let trusted = run(trusted, &mut wall, 1);
    assert_eq!((trusted.time(), trusted.held_back()), (at(wall), None));
}

/// A host that starts without a battery shows 2000 until a server of times tells it better.
#[test]
fn a20_a_clock_that_was_behind_for_a_moment_comes_back_without_a_word() {
    let mut wall = 0;
    let mut trusted = run(TrustedTime::first(at(0)), &mut wall, 1);
    for behind in [26 * 365 * DAY, 40 * DAY] {
        trusted = trusted.beat(at(wall - behind), Duration::ZERO);
        assert_eq!(trusted.time(), at(wall - behind));
        trusted = run(trusted, &mut wall, 1);
        assert!(!trusted.held_back().unwrap().is_leap());
        trusted = run(trusted, &mut wall, 24);
        assert_eq!((trusted.time(), trusted.held_back()), (at(wall), None));
    }
    // From there on a leap is one as before, also for who has kept it meanwhile.
    let kept = TrustedTime::kept(trusted.up(), trusted.seen().to_vec(), Some(trusted.believed()));
    trusted = kept.unwrap().beat(at(wall - 40 * DAY), Duration::ZERO);
    wall += 31 * DAY;
    trusted = run(trusted, &mut wall, 48);
    assert_eq!(trusted.time(), at(wall - 71 * DAY));
    assert!(trusted.held_back().unwrap().is_leap());
}

/// As servers of times do it all the time.
#[test]
fn a20_a_clock_that_was_put_back_a_little_days_ago_comes_back_without_a_word_too() {
    let mut wall = 0;
    let trusted = run(TrustedTime::first(at(0)), &mut wall, 240);
    wall -= 2;
    let trusted = run(trusted, &mut wall, 30);
    let trusted = trusted.beat(at(wall - 26 * 365 * DAY), Duration::ZERO);
    let trusted = run(trusted, &mut wall, 25);
    assert_eq!((trusted.time(), trusted.held_back()), (at(wall), None));
}

/// What was believed once by mistake lets no later leap pass.
#[test]
fn a20_a_clock_that_was_believed_too_far_ahead_and_put_right_raises_nothing_for_long() {
    let mut wall = 0;
    let trusted = TrustedTime::first(at(3_650 * DAY));
    let trusted = run(trusted, &mut wall, 47);
    assert!(trusted.believed().ahead > at(3_000 * DAY).as_microsecond());
    let trusted = run(trusted, &mut wall, 2);
    assert_eq!(trusted.believed().ahead, at(wall).as_microsecond() - trusted.up());
    wall += 3_600 * DAY;
    let trusted = run(trusted, &mut wall, 48);
    assert_eq!(trusted.time(), at(wall - 3_600 * DAY));
    assert!(trusted.held_back().unwrap().is_leap());
}

/// What only waits is not kept waiting by what came after a leap.
#[test]
fn a20_while_a_leap_waits_later_steps_grow_old_as_ever() {
    let mut wall = 0;
    let trusted = run(TrustedTime::first(at(0)), &mut wall, 1);
    wall += 40 * DAY;
    let mut trusted = run(trusted, &mut wall, 1);
    for _ in 0..100 {
        wall += 16 * HOUR;
        trusted = run(trusted, &mut wall, 8);
    }
    let behind = at(wall).duration_since(trusted.waited());
    assert!(behind <= SignedDuration::from_hours(3 * 24), "{behind}");
    assert!(trusted.seen().len() < 10 && trusted.held_back().unwrap().is_leap());
    assert!(trusted.time() < at(wall - 40 * DAY));
}

#[test]
fn a20_a_jump_that_is_put_right_leaves_nothing_behind() {
    let mut wall = 0;
    let trusted = run(TrustedTime::first(at(0)), &mut wall, 1);
    wall += 400 * DAY;
    let trusted = run(trusted, &mut wall, 20);
    wall -= 400 * DAY;
    let trusted = run(trusted, &mut wall, 1);
    assert_eq!((trusted.time(), trusted.held_back()), (at(wall), None));
}

#[test]
fn a20_a_clock_that_is_put_back_is_believed_at_once() {
    let mut wall = 0;
    let trusted = run(TrustedTime::first(at(0)), &mut wall, 48);
    wall -= 30 * DAY;
    assert_eq!(trusted.beat(at(wall + 60), MINUTE).time(), at(wall + 60));
}

/// Each jump has its own day: one that is about to be believed takes no later one with it.
#[test]
fn a20_a_jump_behind_another_one_waits_for_itself() {
    let mut wall = 0;
    let trusted = run(TrustedTime::first(at(0)), &mut wall, 1);
    wall += HOUR;
    let trusted = run(trusted, &mut wall, 23);
    wall += 20 * DAY;
    let trusted = run(trusted, &mut wall, 2);
    // The first one is believed by now, the second is not.
    assert_eq!(trusted.time(), at(wall - 20 * DAY));
    let trusted = run(trusted, &mut wall, 22);
    assert_eq!(trusted.time(), at(wall));
}

/// A host that is up for some hours a day falls no further behind than what it takes to have been up for a day.
#[test]
fn a20_a_host_that_sleeps_each_night_is_believed_in_the_end() {
    let mut wall = 0;
    let mut trusted = TrustedTime::first(at(0));
    for _ in 0..60 {
        trusted = run(trusted, &mut wall, 8);
        wall += 16 * HOUR;
    }
    let behind = at(wall).duration_since(trusted.time());
    assert!(behind <= SignedDuration::from_hours(3 * 24), "{behind}");
}

#[rstest]
#[case::nothing(0, &[])]
#[case::seen_later_than_there_was(5, &[(1, 6)])]
#[case::out_of_order(9, &[(2, 1), (1, 2)])]
#[case::back_in_time(9, &[(1, 2), (2, 1)])]
#[case::negative(-1, &[(1, -2)])]
fn what_cannot_have_been_kept_is_not_taken(#[case] up: i64, #[case] seen: &[(i64, i64)]) {
    let seen = seen.iter().map(|(ahead, last)| Standing {
        ahead: *ahead,
        last: *last,
    });
    assert_eq!(TrustedTime::kept(up, seen.collect(), None), None);
}

#[test]
fn a20_of_two_daemons_one_beats_and_the_time_goes_no_faster() {
    let start = Instant::now();
    let mut hearts = [Heart::default(), Heart::default()];
    let mut kept: Option<Beat> = None;
    let mut beats = [0, 0];
    // Their clock was put forward before the first of them was started.
    let jump = 400 * DAY;
    for second in 0..6 * HOUR {
        // Each looks every minute, half a minute after the other.
        for (place, heart) in hearts.iter_mut().enumerate() {
            if second % 60 != 30 * i64::try_from(place).unwrap() {
                continue;
            }
            let wall = if second == 0 { at(0) } else { at(second + jump) };
            let now = start + Duration::from_secs(second.unsigned_abs());
            if let Some(next) = heart.beat(kept.clone(), wall, now) {
                kept = Some(next);
                beats[place] += 1;
            }
        }
    }
    let time = kept.unwrap().time.time();
    assert!(time <= at(6 * HOUR) && time >= at(6 * HOUR - 120), "{time}");
    assert_eq!(beats[1], 0);
}

/// Whoever beats: the host whose clock is behind is up too.
#[test]
fn a20_the_clock_of_the_host_that_beats_is_not_believed_while_another_one_is_behind_it() {
    let start = Instant::now();
    let (mut wrong, mut right) = (Heart::default(), Heart::default());
    let mut kept = Some(Beat {
        number: 1,
        time: TrustedTime::first(at(0)),
    });
    for half in 0_i64..60 * 60 {
        let seconds = half * 30;
        let now = start + Duration::from_secs(seconds.unsigned_abs());
        let (heart, wall) = if half % 2 == 0 {
            (&mut wrong, at(seconds + 400 * DAY))
        } else {
            (&mut right, at(seconds))
        };
        let number = kept.as_ref().map(|kept| kept.number);
        if let Some(next) = heart.beat(kept.clone(), wall, now) {
            assert_eq!(Some(next.number) == number, half % 2 == 1, "one of them counts");
            kept = Some(next);
        }
        let time = kept.as_ref().unwrap().time.time();
        assert!(time <= at(seconds + 60), "{time} after {seconds} seconds");
    }
    let time = kept.unwrap().time;
    assert!(
        time.time() >= at(30 * HOUR - 240) && time.up() > 29 * 3_600_000_000,
        "{time:?}"
    );
}

#[test]
fn a20_a_time_in_which_nobody_could_look_is_not_counted() {
    let start = Instant::now();
    let mut heart = Heart::default();
    let first = heart.beat(None, at(0), start).unwrap();
    let second = heart.beat(Some(first), at(60), start + MINUTE).unwrap();
    let late = start + Duration::from_hours(30);
    let third = heart.beat(Some(second), at(30 * HOUR + 400 * DAY), late).unwrap();
    assert_eq!(third.time.time(), at(60 + 300));
}

#[test]
fn a20_where_the_daemon_that_beats_is_gone_another_one_goes_on() {
    let start = Instant::now();
    let after = |minutes: u64| start + Duration::from_mins(minutes);
    let (mut one, mut other) = (Heart::default(), Heart::default());
    let first = one.beat(None, at(0), after(0)).unwrap();
    assert_eq!(other.beat(Some(first.clone()), at(30), after(0)), None);
    let second = one.beat(Some(first), at(60), after(1)).unwrap();
    assert_eq!(other.beat(Some(second.clone()), at(90), after(1)), None);
    // It has seen the second one, and since then nothing.
    let third = other.beat(Some(second), at(150), after(2)).unwrap();
    assert_eq!((third.number, third.time.up()), (3, 120_000_000));
    // One that is started anew knows of no time that has passed.
    let mut anew = Heart::default();
    assert_eq!(anew.beat(Some(third.clone()), at(9_000), after(90)), None);
    assert_eq!(one.beat(Some(third), at(9_000), after(90)), None);
}

/// What the clock does between two beats, and how long that was, in seconds.
fn steps() -> impl Strategy<Value = Vec<(i64, u64)>> {
    let jump = prop_oneof![
        8 => Just(0),
        1 => -3 * DAY..3 * DAY,
        1 => -2_i64..3,
        1 => -5_000 * DAY..5_000 * DAY,
    ];
    vec((jump, 1_u64..7_200), 1..200)
}

proptest! {
    /// The one thing that counts: no clock of the last day of up-time, had it gone on well, would show less.
    #[test]
    fn a20_it_is_never_ahead_of_any_clock_of_the_last_day(steps in steps()) {
        let mut trusted = TrustedTime::first(at(0));
        let (mut wall, mut up) = (0, 0_i64);
        let mut shown = vec![(0, 0)];
        for (jump, seconds) in steps {
            let elapsed = i64::try_from(seconds).unwrap();
            wall += elapsed + jump;
            up += elapsed;
            shown.push((up, wall));
            trusted = trusted.beat(at(wall), Duration::from_secs(seconds));
            let of_the_day = shown.iter().filter(|(then, _)| up - then < DAY);
            let least = of_the_day.map(|(then, wall)| wall + (up - then)).min().unwrap();
            prop_assert!(trusted.time() <= trusted.waited());
            prop_assert!(trusted.waited() <= at(least), "{} is ahead of {}", trusted.waited(), at(least));
            prop_assert!(trusted.seen().len() <= MOST);
            // Nor is it ever held back for longer than that, but for what counts as no jump.
            if shown.len() <= MOST {
                prop_assert!(at(least).duration_since(trusted.waited()) <= SignedDuration::from_secs(1));
            }
            let kept = TrustedTime::kept(trusted.up(), trusted.seen().to_vec(), Some(trusted.believed()));
            prop_assert_eq!(kept, Some(trusted.clone()));
        }
    }

    #[test]
    fn a20_after_a_day_without_a_jump_it_is_the_clock(steps in steps()) {
        let mut trusted = TrustedTime::first(at(0));
        let mut wall = 0;
        for (jump, seconds) in steps {
            wall += i64::try_from(seconds).unwrap() + jump;
            trusted = trusted.beat(at(wall), Duration::from_secs(seconds));
        }
        let trusted = run(trusted, &mut wall, 25);
        prop_assert!(at(wall).duration_since(trusted.waited()) <= SignedDuration::from_secs(1));
        match trusted.held_back() {
            None => prop_assert_eq!(trusted.time(), trusted.waited()),
            Some(held) => prop_assert!(held.is_leap() && held.by > LEAP, "{:?}", held),
        }
        prop_assert_eq!(trusted.believing(at(wall)).held_back(), None);
    }
}
