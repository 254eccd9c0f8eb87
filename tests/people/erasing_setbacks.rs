//! Erasures that fail: others of the tenant come to their turn after a day, nothing is said to be erased that is not, and one that
//! cannot be read keeps none from being forgotten.

use std::time::Duration;

use rstest::rstest;
use serde_json::json;
use switchyard::app::erasures;
use switchyard::domain::clock::{Clock as _, SystemClock};
use switchyard::domain::erasure::{Erasure, ErasureStatus};
use switchyard::domain::trusted_time::TrustedTime;
use tempfile::TempDir;

use super::erasing::amounts;
use super::gone::world;
use super::purging::{ago, inside};
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::{World, code};

const DAY: i64 = 24 * 3_600 * 1_000_000;

impl World {
    /// What fails has failed for so much longer, and often, and the clock was looked at since.
    async fn fails_longer(&self, micros: i64) {
        self.beat(2, &TrustedTime::first(SystemClock.now())).await;
        let sql = format!(
            "update erasures set failing_since = failing_since - {micros}, failures = 20 where failures > 0 returning status"
        );
        assert!(!self.texts(&sql).await.is_empty());
    }

    async fn rename(&self, from: &str, to: &str) {
        let sql = format!("alter table {from} rename to {to}");
        self.texts(&sql).await;
    }

    async fn status(&self, id: &Erasure) -> ErasureStatus {
        self.erasure(&self.acme, id.id).await.status
    }
}

/// What is known of a clock that showed so many days less two days of up-time ago.
fn put_forward(days: i64) -> TrustedTime {
    let before = TrustedTime::first(ago(days));
    let beat = |time: TrustedTime, days| time.beat(ago(days), Duration::from_hours(24));
    [2, 1, 0].into_iter().fold(before, beat)
}

#[rstest]
#[tokio::test]
async fn a22_what_cannot_be_noted_for_a_day_is_given_up_and_told_to_stay(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    let caller = inside(&world.acme);
    world.of_acme("quince", "owner").await;
    let (ann, _) = world.of_acme("medlar", "owner").await;
    let asked = world.look_for(&caller, json!({"user": ann.id})).await.unwrap();
    let other = world
        .look_for(&caller, json!({"number": "+49301"}))
        .await
        .unwrap();
    world.run(&caller, asked.id).await.unwrap();
    world.rename("webhook_events", "aside").await;
    // That it was run a day ago, and nobody came, is no failure.
    let sql = format!(
        "update erasures set run_at = run_at - {} where status = 'running' returning status",
        2 * DAY
    );
    world.texts(&sql).await;
    world.erase().await;
    world.fails_longer(DAY - 60_000_000).await;
    world.erase().await;
    assert_eq!(world.status(&asked).await, ErasureStatus::Running);
    assert_eq!(code_in_use(&world, &other).await, "in_use");
    world.fails_longer(120_000_000).await;
    // For long, and not often: it was not tried.
    world
        .texts("update erasures set failures = 3 where failures > 0 returning status")
        .await;
    world.erase().await;
    assert_eq!(world.status(&asked).await, ErasureStatus::Running);
    world.fails_longer(0).await;
    world.erase().await;
    let partial = world.erasure(&world.acme, asked.id).await;
    assert_eq!(partial.status, ErasureStatus::Partial);
    let parts = amounts(&partial);
    assert_eq!(
        parts,
        [("account", 1, 1, 0), ("audit_payloads", -1, 0, 1)],
        "her login has gone"
    );
    let told = partial.parts[1].detail.as_ref().unwrap();
    assert!(told.contains("failed again and again"), "{told}");
    // What is mended is erased when it is run again, and the login is not said to be there.
    world.rename("aside", "webhook_events").await;
    world.run(&caller, asked.id).await.unwrap();
    world.erase().await;
    let done = world.erasure(&world.acme, asked.id).await;
    assert_eq!(done.status, ErasureStatus::Done, "{done:#?}");
    assert_eq!(amounts(&done)[0], ("account", 1, 1, 0));
    world.run(&caller, other.id).await.unwrap();
}

async fn code_in_use(world: &World, erasure: &Erasure) -> &'static str {
    match world.run(&inside(&world.acme), erasure.id).await {
        Err(switchyard::app::error::AppError::InUse { .. }) => "in_use",
        other => code(other),
    }
}

#[rstest]
#[tokio::test]
async fn a22_one_that_cannot_be_read_is_left_after_a_day_and_keeps_no_other_from_being_forgotten(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    let caller = inside(&world.acme);
    let asked = world
        .look_for(&caller, json!({"number": "+49301"}))
        .await
        .unwrap();
    let other = world
        .look_for(&caller, json!({"number": "+49302"}))
        .await
        .unwrap();
    world.run(&caller, asked.id).await.unwrap();
    let spoil = |from, to| {
        format!(
            "update erasures set call_records = '{to}' where call_records = '{from}' and status <> 'open' returning status"
        )
    };
    world.texts(&spoil("pseudonymise", "nonsense")).await;
    world.erase().await;
    assert_eq!(code_in_use(&world, &other).await, "in_use");
    world.fails_longer(DAY + 1).await;
    // For nobody's word either.
    world.beat(3, &put_forward(50)).await;
    world.erase().await;
    world.beat(4, &TrustedTime::first(SystemClock.now())).await;
    // Another one comes to its turn, and is partial: there is no Asterisk in whose mail boxes somebody could look.
    world.run(&caller, other.id).await.unwrap();
    world.erase().await;
    assert_eq!(world.status(&other).await, ErasureStatus::Partial);
    let ends = world
        .texts("select after from audit_entries where action = 'data.erasure_end' order by number")
        .await;
    assert_eq!(ends.len(), 2);
    assert_eq!(ends[0], "{\"status\":\"partial\"}");
    let old = format!(
        "update erasures set ended_at = ended_at - {} returning status",
        31 * DAY
    );
    world.texts(&old).await;
    assert_eq!(erasures::forget_old(&world.app).await.unwrap(), 2);
    assert_eq!(code(world.run(&caller, other.id).await), "forgotten");
    world.texts(&spoil("nonsense", "pseudonymise")).await;
    assert_eq!(world.status(&asked).await, ErasureStatus::Partial);
    // Nobody read what it did, so nobody certifies it.
    let certificate = erasures::certificate(&world.app, &caller, asked.id).await;
    assert_eq!(code(certificate), "not_certified");
}

#[tokio::test]
async fn a22_what_fails_once_some_is_noted_is_given_up_as_a_whole_too() {
    let state = TempDir::new().unwrap();
    let world = world(Sqlite, &state).await;
    let caller = inside(&world.acme);
    world.call(&world.acme, "1790000001.1", "Ann", 3).await;
    let asked = world.look_for(&caller, json!({"number": "1001"})).await.unwrap();
    world.run(&caller, asked.id).await.unwrap();
    let broken =
        "create trigger broken before insert on erasure_targets begin select raise(abort, 'a disk'); end";
    world.bench.sql(broken).await;
    world.erase().await;
    world.fails_longer(DAY).await;
    world.erase().await;
    let partial = world.erasure(&world.acme, asked.id).await;
    assert_eq!(partial.status, ErasureStatus::Partial);
    assert!(partial.parts.len() > 3, "{partial:#?}");
    assert!(partial.parts.iter().all(|part| part.kept == 1), "{partial:#?}");
    world.bench.sql("drop trigger broken").await;
    world.run(&caller, asked.id).await.unwrap();
    world.erase().await;
    let again = world.erasure(&world.acme, asked.id).await;
    assert_eq!(amounts(&again)[2], ("call_records", 1, 1, 0));
}

/// Half of it was noted by a host that was killed, in another order than this one would.
#[rstest]
#[tokio::test]
async fn a22_who_goes_on_with_noting_keeps_to_the_parts_that_are_there(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    let caller = inside(&world.acme);
    for call in 0..3 {
        world
            .call(&world.acme, &format!("179000000{call}.1"), "Ann", 3)
            .await;
    }
    let file = world.recording(&world.acme, "1790000001.1.wav", 3).await;
    let asked = world.look_for(&caller, json!({"number": "1001"})).await.unwrap();
    world.run(&caller, asked.id).await.unwrap();
    for (position, place) in [(0, "audit_payloads"), (1, "call_records")] {
        let part = format!(
            "insert into erasure_parts (erasure_id, position, place) select id, {position}, '{place}' from erasures returning place"
        );
        world.texts(&part).await;
    }
    let one = "insert into erasure_targets (erasure_id, position, target) select e.id, 1, \
        (select min(cast(r.id as text)) from call_records r) from erasures e returning cast(position as text)";
    let one = match backend {
        Sqlite => one.replace("min(cast(r.id as text))", "min(r.id)"),
        Postgres => one.replace("min(cast(r.id as text))", "cast(min(cast(r.id as text)) as uuid)"),
    };
    world.texts(&one).await;
    world.erase().await;
    let ended = world.erasure(&world.acme, asked.id).await;
    let places: Vec<_> = amounts(&ended);
    assert_eq!(places[1], ("call_records", 3, 3, 0), "{ended:#?}");
    let recordings: Vec<_> = places.iter().filter(|part| part.0 == "recordings").collect();
    assert_eq!(recordings, [&("recordings", 1, 1, 0)]);
    let calls = places.iter().filter(|part| part.0 == "call_records");
    assert_eq!(calls.count(), 1, "{ended:#?}");
    assert!(!file.exists());
}

/// Another host's clock was ahead when it ended the parts.
#[rstest]
#[tokio::test]
async fn a22_run_again_each_part_is_begun_again_whatever_clocks_say(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    let caller = inside(&world.acme);
    world.call(&world.acme, "1790000001.1", "Ann", 3).await;
    let partial = world.erased(&world.acme, json!({"number": "1001"})).await;
    assert_eq!(
        partial.status,
        ErasureStatus::Partial,
        "nobody can look at mail boxes"
    );
    let ahead = format!("update erasure_parts set ended_at = ended_at + {DAY} returning place");
    world.texts(&ahead).await;
    world.call(&world.acme, "1790000002.1", "Ann", 3).await;
    world.run(&caller, partial.id).await.unwrap();
    world.erase().await;
    let again = world.erasure(&world.acme, partial.id).await;
    assert_eq!(amounts(&again)[2], ("call_records", 2, 2, 0), "{again:#?}");
    let numbers = world.texts("select from_number from call_records").await;
    assert!(
        numbers.iter().all(|number| number.starts_with("erased-")),
        "{numbers:?}"
    );
}

/// The user's login went with the run; then somebody else is given their address, before or after it was noted.
#[rstest]
#[tokio::test]
async fn a22_an_address_that_is_somebody_elses_since_it_was_run_is_no_trace(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[values(false, true)] is_again: bool,
) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    let caller = inside(&world.acme);
    world.of_acme("quince", "owner").await;
    let (ann, _) = world.of_acme("medlar", "owner").await;
    let asked = world.look_for(&caller, json!({"user": ann.id})).await.unwrap();
    world.run(&caller, asked.id).await.unwrap();
    if is_again {
        world.rename("webhook_events", "aside").await;
        world.erase().await;
        world.fails_longer(DAY).await;
        world.erase().await;
        world.rename("aside", "webhook_events").await;
    }
    world.of_acme("medlar", "agent").await;
    world.refused(&world.acme, "theirs", 1).await;
    world
        .texts("update deployments set requested_by = 'medlar@example.com' returning status")
        .await;
    if is_again {
        world.run(&caller, asked.id).await.unwrap();
    }
    world.erase().await;
    assert_eq!(world.status(&asked).await, ErasureStatus::Done);
    let by = world.texts("select requested_by from deployments").await;
    assert_eq!(by, ["medlar@example.com"]);
    let told =
        "select action from audit_entries where action = 'user.create' and after like '%medlar@example.com%'";
    assert_eq!(world.texts(told).await.len(), 1, "the new one's, and not hers");
}

/// By the host's clock a month has passed; by what is believed, it is not known yet that it has.
#[rstest]
#[tokio::test]
async fn a22_a_clock_that_was_put_forward_forgets_nobody_and_gives_nothing_up(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[values(false, true)] is_leap: bool,
) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    let (acme, globex) = (inside(&world.acme), inside(&world.globex));
    let number = json!({"number": "+49301"});
    let ended = world.erased(&world.acme, number.clone()).await;
    assert_eq!(ended.status, ErasureStatus::Partial);
    world.look_for(&acme, number.clone()).await.unwrap();
    let failing = world.look_for(&globex, number.clone()).await.unwrap();
    world.run(&globex, failing.id).await.unwrap();
    world.rename("webhook_events", "aside").await;
    world.erase().await;
    world.rename("aside", "webhook_events").await;
    world
        .texts("update instances set node = 'another' returning name")
        .await;
    let mut waiting = world.look_for(&acme, number).await.unwrap();
    waiting = world.run(&acme, waiting.id).await.unwrap();
    let (week, month) = (8 * DAY, 31 * DAY);
    for sql in [
        format!(
            "update erasures set ended_at = ended_at - {month} where status = 'partial' returning status"
        ),
        format!(
            "update erasures set requested_at = requested_at - {week} where status = 'open' returning status"
        ),
        format!("update erasures set run_at = run_at - {week} where status = 'running' returning status"),
        format!(
            "update erasures set failing_since = failing_since - {week}, failures = 20 where failures > 0 returning status"
        ),
    ] {
        assert!(!world.texts(&sql).await.is_empty(), "{sql}");
    }
    world.beat(2, &TrustedTime::first(ago(50))).await;
    world.rename("webhook_events", "aside").await;
    world.erase().await;
    world.rename("aside", "webhook_events").await;
    world.erase().await;
    assert_eq!(erasures::forget_old(&world.app).await.unwrap(), 0);
    assert_eq!(world.status(&waiting).await, ErasureStatus::Running);
    let failing = world.erasure(&world.globex, failing.id).await;
    assert_eq!(failing.status, ErasureStatus::Running, "{failing:#?}");
    // What waits does not wait for anybody's word; what is forgotten does.
    let time = put_forward(if is_leap { 50 } else { 2 });
    assert_eq!(time.held_back().is_some(), is_leap);
    world.beat(3, &time).await;
    world.erase().await;
    let forgotten = erasures::forget_old(&world.app).await.unwrap();
    assert_eq!(forgotten, if is_leap { 0 } else { 2 });
    if is_leap {
        world.beat(4, &time.believing(SystemClock.now())).await;
        assert_eq!(erasures::forget_old(&world.app).await.unwrap(), 2);
    }
    let late = world.erasure(&world.acme, waiting.id).await;
    assert_eq!(late.status, ErasureStatus::Partial);
    let told = format!("{late:?}");
    assert!(told.contains("did not come for them within a day"), "{told}");
}
