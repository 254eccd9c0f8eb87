//! What somebody changes between a purge and its carrying out: how long something is kept, where a PBX's recordings lie and which
//! host drives it; and several daemons that carry out the same purge.

use std::time::Duration;

use rstest::rstest;
use serde_json::json;
use switchyard::app::{audit_log, operator, retention, trusted_time};
use switchyard::domain::clock::{Clock as _, SystemClock};
use switchyard::domain::purge::PurgeStatus::{Done, Partial, Running};
use switchyard::domain::retention::RetentionKind::{AuditPayloads, CallRecords, Recordings};
use switchyard::domain::trusted_time::{Heart, TrustedTime};
use tempfile::TempDir;

use super::gone::world;
use super::purging::{ago, inside};
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::World;

impl World {
    async fn payloads_left(&self, reason: &str) -> usize {
        let left = format!("select reason from audit_entries where reason = '{reason}'");
        self.texts(&left).await.len()
    }
}

#[rstest]
#[tokio::test]
async fn a20_recordings_and_payloads_that_are_kept_longer_by_now_stay_and_younger_ones_of_the_same_purge_too(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    let acme = &world.acme;
    world.forget_log().await;
    world.did(acme, "oldest", 100).await;
    world.did(acme, "old", 60).await;
    let oldest = world.recording(acme, "1790000001.1.wav", 100).await;
    let old = world.recording(acme, "1790000002.1.wav", 60).await;
    world
        .keep(acme, json!({"recordings": 30, "audit_payloads": 30}))
        .await;
    let id = world.purge(acme).await;
    world
        .keep(acme, json!({"recordings": 90, "audit_payloads": 90}))
        .await;
    world.work().await;
    let counts = world.counts(acme, id).await;
    assert_eq!(counts, [(Recordings, 2, 1, 0), (AuditPayloads, 2, 1, 0)]);
    assert_eq!((oldest.exists(), old.exists()), (false, true));
    assert_eq!(
        (
            world.payloads_left("oldest").await,
            world.payloads_left("old").await
        ),
        (0, 1)
    );
    let report = world.report(acme, id).await;
    assert_eq!(report.status, Done);
    for part in &report.parts {
        let detail = part.detail.as_deref().unwrap();
        assert!(detail.starts_with("it is kept longer by now"), "{part:?}");
        assert!(
            detail.contains("after 1 had gone, nothing more from 2"),
            "{part:?}"
        );
    }
    let platform = operator::platform(None);
    let log = audit_log::verify(&world.app, &platform, None).await.unwrap();
    assert!(log.ok && log.blanked == 1, "{log:?}");
}

/// Each of them looks for what is left to do at the same time.
#[rstest]
#[tokio::test]
async fn a20_several_daemons_that_carry_out_the_same_purge_count_each_thing_once(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    const CALLS: i64 = 1_500;
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    let acme = &world.acme;
    world.forget_log().await;
    world.calls_from(CALLS.unsigned_abs(), 60).await;
    let mut files = Vec::new();
    for number in 0..30_i64 {
        files.push(
            world
                .recording(acme, &format!("17900000{number:02}.1.wav"), 60)
                .await,
        );
    }
    for _ in 0..30 {
        world.did(acme, "old", 60).await;
    }
    world
        .keep(
            acme,
            json!({"call_records": 30, "recordings": 30, "audit_payloads": 30}),
        )
        .await;
    let id = world.purge(acme).await;
    tokio::join!(world.work(), world.work(), world.work());
    world.work().await;
    assert_eq!(
        world.counts(acme, id).await,
        [
            (CallRecords, CALLS, CALLS, 0),
            (Recordings, 30, 30, 0),
            (AuditPayloads, 30, 30, 0)
        ]
    );
    let report = world.report(acme, id).await;
    assert_eq!((report.status, report.parts[1].bytes), (Done, 120));
    assert!(files.iter().all(|file| !file.exists()));
    let told =
        "select action from audit_entries where action in ('compliance.purged', 'compliance.purge_end')";
    assert_eq!(world.texts(told).await.len(), 2);
}

#[rstest]
#[tokio::test]
async fn a20_a_pbx_whose_settings_name_no_directory_by_now_keeps_its_recordings(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    let acme = &world.acme;
    let file = world.recording(acme, "1790000001.1.wav", 60).await;
    world.keep(acme, json!({"recordings": 30})).await;
    let id = world.purge(acme).await;
    let without = match backend {
        Sqlite => "json_remove(settings, '$.recordings_dir')",
        Postgres => "settings - 'recordings_dir'",
    };
    world
        .texts(&format!(
            "update instances set settings = {without} returning name"
        ))
        .await;
    world.work().await;
    let report = world.report(acme, id).await;
    assert_eq!(world.counts(acme, id).await, [(Recordings, 1, 0, 1)]);
    assert_eq!(report.status, Partial);
    assert!(
        report.parts[0]
            .detail
            .as_deref()
            .unwrap()
            .contains("`recordings_dir`")
    );
    assert!(file.exists());
}

#[rstest]
#[tokio::test]
async fn a20_a_pbx_that_another_host_drives_by_now_and_then_this_one_again_is_purged_once(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    let acme = &world.acme;
    let mut files = Vec::new();
    for number in 0..25 {
        files.push(
            world
                .recording(acme, &format!("17900000{number:02}.1.wav"), 60)
                .await,
        );
    }
    world.keep(acme, json!({"recordings": 30})).await;
    let id = world.purge(acme).await;
    let moved = async |node: &str| {
        world
            .texts(&format!("update instances set node = '{node}' returning name"))
            .await
    };
    let away = async {
        for _ in 0..1_000 {
            if files.iter().any(|file| !file.exists()) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        moved("another").await;
    };
    tokio::join!(world.work(), away);
    let left = files.iter().filter(|file| file.exists()).count();
    let removed = i64::try_from(files.len() - left).unwrap();
    // What has gone by then is counted by whoever removed it, or when it comes back.
    let (_, _, counted, _) = world.counts(acme, id).await[0];
    assert!(counted <= removed, "{counted} of {removed}");
    world.work().await;
    assert_eq!(files.iter().filter(|file| file.exists()).count(), left);
    moved("node1").await;
    world.work().await;
    assert_eq!(world.counts(acme, id).await, [(Recordings, 25, 25, 0)]);
    assert_eq!(world.report(acme, id).await.status, Done);
}

/// As a daemon does each minute.
#[rstest]
#[tokio::test]
async fn a20_a_clock_that_jumped_is_held_back_by_what_the_daemon_noted_before(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    let acme = &world.acme;
    world.calls_from(5, 60).await;
    world.keep(acme, json!({"call_records": 45})).await;
    world.texts("delete from trusted_time returning clock").await;
    let known = async || retention::find(&world.app, &inside(acme)).await.unwrap().time;
    let mut heart = Heart::default();
    let mut is_leap = async || trusted_time::beat(&world.app, &mut heart).await.unwrap();
    assert!(!is_leap().await);
    let at_first = known().await;
    assert!(
        at_first.time > ago(1) && at_first.held_back.is_none(),
        "{at_first:?}"
    );
    // As if the clock had stood twenty days earlier at that beat.
    world.beat(1, &TrustedTime::first(ago(20))).await;
    assert!(!is_leap().await);
    let jumped = known().await;
    assert!(jumped.time < ago(19), "{jumped:?}");
    let until = jumped.held_back.unwrap().until.unwrap();
    assert!((22..=24).contains(&until.duration_since(SystemClock.now()).as_hours()));
    let id = world.purge(acme).await;
    world.work().await;
    assert_eq!(world.counts(acme, id).await, [(CallRecords, 0, 0, 0)]);
    assert_ne!(world.report(acme, id).await.status, Running);
    assert_eq!(world.calls_left().await, 5);
    // More than a month is told as long as nobody has said that it is right.
    world.beat(2, &TrustedTime::first(ago(50))).await;
    assert!(is_leap().await && is_leap().await);
}

#[rstest]
#[tokio::test]
async fn a20_where_the_clock_or_what_is_kept_cannot_be_read_nothing_goes_and_the_purge_rests(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    let acme = &world.acme;
    world.calls_from(5, 60).await;
    world.keep(acme, json!({"call_records": 30})).await;
    let id = world.purge(acme).await;
    world.texts("update retention set days = 0 returning kind").await;
    for _ in 0..3 {
        world.work().await;
        let report = world.report(acme, id).await;
        assert_eq!((report.status, report.parts[0].setbacks), (Running, 1));
    }
    world.texts("update retention set days = 30 returning kind").await;
    world
        .texts("update trusted_time set seen = '[]' returning clock")
        .await;
    world
        .texts("update purge_parts set retry_at = null returning kind")
        .await;
    let known = retention::find(&world.app, &inside(acme)).await.unwrap().time;
    assert_eq!(known.time, jiff::Timestamp::UNIX_EPOCH);
    world.work().await;
    assert_eq!(world.counts(acme, id).await, [(CallRecords, 5, 0, 0)]);
    assert_eq!(world.calls_left().await, 5);
}
