//! Purges that meet a disk which refuses, a policy that is changed meanwhile, a clock that jumped, another host, and tenants
//! that are suspended or go.

use std::fs;
use std::time::Duration;

use jiff::tz::TimeZone;
use rstest::rstest;
use serde_json::json;
use switchyard::app::error::AppError;
use switchyard::app::precondition::IfMatch;
use switchyard::app::{operator, purges, retention, trusted_time};
use switchyard::domain::clock::{Clock as _, SystemClock};
use switchyard::domain::error_chain::error_chain;
use switchyard::domain::purge::PurgeStatus::{Done, Partial, Running};
use switchyard::domain::retention::RetentionInput;
use switchyard::domain::retention::RetentionKind::{CallRecords, Recordings};
use switchyard::domain::trusted_time::{Heart, TrustedTime};
use tempfile::TempDir;

use super::gone::world;
use super::purging::{ago, inside};
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::World;

impl World {
    /// So many calls of Acme, from so many days ago.
    pub async fn calls_from(&self, calls: u64, days: i64) {
        let id = match self.bench.backend {
            Sqlite => "randomblob(16)",
            Postgres => "gen_random_uuid()",
        };
        let at = ago(days).as_microsecond();
        self.texts(&format!(
            "with recursive n(n) as (select 1 union all select n + 1 from n where n < {calls}) \
             insert into call_records (id, tenant_id, instance_id, call, direction, started_at, ended_at, duration, billable, \
             disposition) select {id}, t.id, t.instance_id, 'call' || n, 'internal', {at} + n, {at} + n, 0, 0, 'answered' \
             from tenants t cross join n where t.name = 'Acme' returning call"
        ))
        .await;
    }

    pub async fn calls_left(&self) -> i64 {
        let left = self.texts("select count(*) || '' from call_records").await;
        left[0].parse().unwrap()
    }
}

#[rstest]
#[tokio::test]
async fn a20_a_file_that_cannot_be_removed_stays_with_its_row_and_is_tried_again(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    let acme = &world.acme;
    let mut files = Vec::new();
    // More than go at once.
    for number in 0..45 {
        files.push(
            world
                .recording(acme, &format!("17900000{number:02}.1.wav"), 60 - number)
                .await,
        );
    }
    // No file can be removed that is a directory.
    for file in [&files[0], &files[21]] {
        fs::remove_file(file).unwrap();
        fs::create_dir(file).unwrap();
    }
    // One has gone already, and one was written to since it was looked at.
    fs::remove_file(&files[1]).unwrap();
    fs::write(&files[2], "RIFF").unwrap();
    world.keep(acme, json!({"recordings": 10})).await;
    let id = world.purge(acme).await;
    world.work().await;
    assert_eq!(world.counts(acme, id).await, [(Recordings, 45, 41, 2)]);
    let report = world.report(acme, id).await;
    assert_eq!((report.status, report.parts[0].bytes), (Partial, 41 * 4));
    assert!(
        report.parts[0]
            .detail
            .as_ref()
            .unwrap()
            .contains("cannot be removed")
    );
    let there: Vec<_> = files.iter().filter(|file| file.exists()).collect();
    assert_eq!(there, [&files[0], &files[2], &files[21]]);
    for number in [0, 21] {
        fs::remove_dir(&files[number]).unwrap();
        let days = 60 - i64::try_from(number).unwrap();
        world
            .recording(acme, &format!("17900000{number:02}.1.wav"), days)
            .await;
    }
    let again = world.purge(acme).await;
    world.work().await;
    assert_eq!(world.counts(acme, again).await, [(Recordings, 4, 2, 0)]);
    assert_eq!(world.report(acme, again).await.status, Done);
    // Of what is not there, whoever looks for recordings finds that out; of what was written to, how old it is.
    assert_eq!(world.texts("select path from recordings").await.len(), 2);
}

#[rstest]
#[tokio::test]
async fn a20_where_the_directory_of_recordings_is_missing_nothing_is_taken_to_have_gone(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    let acme = &world.acme;
    for number in 0..3 {
        world
            .recording(acme, &format!("179000000{number}.1.wav"), 60)
            .await;
    }
    let all = world.bench.folder.path().join("recordings");
    let elsewhere = world.bench.folder.path().join("elsewhere");
    fs::rename(&all, &elsewhere).unwrap();
    world.keep(acme, json!({"recordings": 10})).await;
    let id = world.purge(acme).await;
    world.work().await;
    assert_eq!(world.counts(acme, id).await, [(Recordings, 3, 0, 3)]);
    assert_eq!(world.report(acme, id).await.status, Partial);
    assert_eq!(world.texts("select path from recordings").await.len(), 3);
    fs::rename(&elsewhere, &all).unwrap();
    let again = world.purge(acme).await;
    world.work().await;
    assert_eq!(world.counts(acme, again).await, [(Recordings, 3, 3, 0)]);
    assert_eq!(fs::read_dir(world.recorded(acme)).unwrap().count(), 0);
}

#[rstest]
#[tokio::test]
async fn a20_from_the_answer_on_that_something_is_kept_longer_no_purge_removes_it(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[values(0, 15, 60)] milliseconds: u64,
) {
    const CALLS: i64 = 3_000;
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    let acme = &world.acme;
    world.calls_from(CALLS.unsigned_abs(), 60).await;
    world.keep(acme, json!({"call_records": 30})).await;
    let id = world.purge(acme).await;
    let lengthened = async {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        world.keep(acme, json!({"call_records": 90})).await;
        world.calls_left().await
    };
    let ((), left) = tokio::join!(world.work(), lengthened);
    assert_eq!(world.calls_left().await, left);
    assert_eq!(
        world.counts(acme, id).await,
        [(CallRecords, CALLS, CALLS - left, 0)]
    );
    let report = world.report(acme, id).await;
    let detail = report.parts[0].detail.as_deref();
    // It may have been through before.
    if left > 0 {
        assert!(detail.unwrap().contains("kept longer"), "{detail:?}");
    }
    assert_eq!(report.status, Done);
}

#[rstest]
#[tokio::test]
async fn a20_what_is_kept_forever_by_now_and_what_was_asked_for_by_another_policy_is_not_removed(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    let acme = &world.acme;
    world.calls_from(5, 60).await;
    let seen = world.keep(acme, json!({"call_records": 30})).await;
    let id = world.purge(acme).await;
    world.keep(acme, json!({})).await;
    world.work().await;
    assert_eq!(world.counts(acme, id).await, [(CallRecords, 5, 0, 0)]);
    assert_eq!(world.calls_left().await, 5);
    // Somebody looked, and somebody else said something else meanwhile.
    world.keep(acme, json!({"call_records": 20})).await;
    let of_seen = IfMatch::OneOf(vec![seen.tag()]);
    let refused = purges::request(&world.app, &inside(acme), &of_seen, None).await;
    assert!(matches!(refused, Err(AppError::PreconditionFailed)));
    let refused = purges::preview(&world.app, &inside(acme), &of_seen).await;
    assert!(matches!(refused, Err(AppError::PreconditionFailed)));
    let input = RetentionInput::default();
    let refused = retention::replace(&world.app, &inside(acme), input, &of_seen).await;
    assert!(matches!(refused, Err(AppError::PreconditionFailed)));
}

/// By the host's clock the calls are two months old; by what is believed it is not known yet that so much time has passed.
#[rstest]
#[tokio::test]
async fn a20_a_jump_of_the_clock_purges_nothing_and_is_told(#[values(Sqlite, Postgres)] backend: Backend) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    let acme = &world.acme;
    world.calls_from(5, 60).await;
    world.keep(acme, json!({"call_records": 45})).await;
    let minute = Duration::from_mins(1);
    let before = TrustedTime::first(ago(20)).beat(ago(20) + minute, minute);
    let beat = async |time: &TrustedTime| world.beat(2, time).await;
    beat(&before.clone().beat(SystemClock.now(), minute)).await;
    let known = retention::find(&world.app, &inside(acme)).await.unwrap().time;
    assert!(known.time < ago(19) && known.time > ago(21), "{known:?}");
    let held = known.held_back.unwrap();
    let hours = held.until.unwrap().duration_since(SystemClock.now()).as_hours();
    assert!((22..=24).contains(&hours), "{held:?}");
    let id = world.purge(acme).await;
    world.work().await;
    assert_eq!(world.counts(acme, id).await, [(CallRecords, 0, 0, 0)]);
    assert_eq!(purges::request_due(&world.app).await.unwrap(), 0);
    // A purge that was asked for by a clock that was believed stops as soon as the clock is put right.
    beat(&TrustedTime::first(SystemClock.now())).await;
    let id = world.purge(acme).await;
    beat(&before).await;
    world.work().await;
    assert_eq!(world.counts(acme, id).await, [(CallRecords, 5, 0, 0)]);
    assert_eq!(world.calls_left().await, 5);
    beat(&TrustedTime::first(SystemClock.now())).await;
    world.purge(acme).await;
    world.work().await;
    assert_eq!(world.calls_left().await, 0);
}

/// A host that starts with a clock that is ten years ahead, and stays up.
#[rstest]
#[tokio::test]
async fn a20_a_clock_that_is_years_ahead_purges_nothing_until_it_is_said_to_be_right(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    let acme = &world.acme;
    world.calls_from(5, 60).await;
    world.keep(acme, json!({"call_records": 30})).await;
    let day = Duration::from_hours(24);
    let mut time = TrustedTime::first(ago(3650));
    for _ in 0..20 {
        time = time.beat(SystemClock.now(), day);
    }
    world.beat(2, &time).await;
    let known = retention::find(&world.app, &inside(acme)).await.unwrap().time;
    assert!(known.time < ago(3600) && known.waited > ago(1), "{known:?}");
    assert!(known.held_back.unwrap().is_leap(), "{known:?}");
    assert_eq!(purges::request_due(&world.app).await.unwrap(), 0);
    let id = world.purge(acme).await;
    world.work().await;
    assert_eq!(world.counts(acme, id).await, [(CallRecords, 0, 0, 0)]);
    let platform = operator::platform(None);
    let yesterday = ago(1).to_zoned(TimeZone::UTC).date();
    let refused = trusted_time::believe(&world.app, &platform, yesterday).await;
    let told = error_chain(&refused.unwrap_err());
    assert!(told.contains("date"), "{told}");
    assert_eq!(purges::request_due(&world.app).await.unwrap(), 0);
    let today = SystemClock.now().to_zoned(TimeZone::UTC).date();
    for _ in 0..2 {
        let clock = trusted_time::believe(&world.app, &platform, today).await.unwrap();
        assert!(
            clock.known.time > ago(1) && clock.known.held_back.is_none(),
            "{clock:?}"
        );
    }
    let told = "select action from audit_entries where action like 'clock.%'";
    assert_eq!(world.texts(told).await, ["clock.believe"]);
    // What cannot be read is begun anew.
    world
        .texts("update trusted_time set seen = 'x' returning clock")
        .await;
    let known = async || trusted_time::look(&world.app, &platform).await.unwrap().known;
    assert!(known().await.time < ago(3650));
    trusted_time::believe(&world.app, &platform, today).await.unwrap();
    assert!(known().await.time > ago(1));
    let mut heart = Heart::default();
    trusted_time::beat(&world.app, &mut heart).await.unwrap();
    trusted_time::beat(&world.app, &mut heart).await.unwrap();
    assert!(known().await.time > ago(1) && known().await.held_back.is_none());
    let id = world.purge(acme).await;
    world.work().await;
    assert_eq!(world.counts(acme, id).await, [(CallRecords, 5, 5, 0)]);
    assert_eq!(world.calls_left().await, 0);
}

#[rstest]
#[tokio::test]
async fn a20_the_daemon_asks_once_a_day_where_something_is_older_also_of_the_suspended(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    let acme = &world.acme;
    let due = async || purges::request_due(&world.app).await.unwrap();
    assert_eq!(due().await, 0);
    world.keep(acme, json!({"call_records": 30})).await;
    world.calls_from(5, 20).await;
    assert_eq!(due().await, 0, "nothing is older");
    world.calls_left().await;
    world
        .texts("update call_records set call = call || 'x' returning call")
        .await;
    world.calls_from(5, 60).await;
    world.suspend(acme).await;
    assert_eq!(due().await, 1);
    assert_eq!(due().await, 0, "one runs");
    world.work().await;
    assert_eq!(world.calls_left().await, 5);
    world.calls_from(5, 60).await;
    assert_eq!(due().await, 0, "that was today");
    for hours in [25, -25] {
        let at = (ago(0) - jiff::SignedDuration::from_hours(hours)).as_microsecond();
        world
            .texts(&format!("update purges set requested_at = {at} returning status"))
            .await;
        assert_eq!(due().await, 1, "{hours}");
        world.work().await;
        world.calls_from(5, 60).await;
    }
    let asked = "select actor_name from audit_entries where action = 'compliance.purge'";
    assert_eq!(world.texts(asked).await, ["system:auto"; 3]);
    // One that goes is left to its deletion.
    let at = ago(2).as_microsecond();
    world
        .texts(&format!("update purges set requested_at = {at} returning status"))
        .await;
    world.let_go(acme).await;
    assert_eq!(due().await, 0);
    assert_eq!(world.calls_left().await, 10);
}

#[rstest]
#[tokio::test]
async fn a20_recordings_on_another_hosts_disk_are_left_to_it_for_a_day(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    let acme = &world.acme;
    let file = world.recording(acme, "1790000001.1.wav", 60).await;
    world.calls_from(5, 60).await;
    world
        .keep(acme, json!({"call_records": 30, "recordings": 30}))
        .await;
    let id = world.purge(acme).await;
    world
        .texts("update instances set node = 'another' returning name")
        .await;
    world.work().await;
    assert_eq!(world.report(acme, id).await.status, Running);
    let done = [(CallRecords, 5, 5, 0), (Recordings, -1, 0, 0)];
    assert_eq!(world.counts(acme, id).await, done);
    let running = purges::request(&world.app, &inside(acme), &IfMatch::Any, None).await;
    let Err(AppError::InUse { references, .. }) = running else {
        panic!("{running:?}");
    };
    assert_eq!(references, [json!({"kind": "purge", "id": id})]);
    // By the clock of this host that is long ago; by the time that is believed it is not.
    let at = ago(1).as_microsecond();
    world
        .texts(&format!("update purges set requested_at = {at} returning status"))
        .await;
    world.work().await;
    assert_eq!(world.report(acme, id).await.status, Running);
    let at = ago(2).as_microsecond();
    world
        .texts(&format!("update purges set counted_from = {at} returning status"))
        .await;
    world.work().await;
    let given_up = [(CallRecords, 5, 5, 0), (Recordings, -1, 0, 1)];
    assert_eq!(world.counts(acme, id).await, given_up);
    let report = world.report(acme, id).await;
    assert_eq!(report.status, Partial);
    assert!(
        report.parts[1]
            .detail
            .as_ref()
            .unwrap()
            .contains("the host another")
    );
    assert!(file.exists());
}
