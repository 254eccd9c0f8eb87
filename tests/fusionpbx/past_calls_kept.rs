//! Calls that were missed and are not to be kept: those that would have gone by now, those that somebody may have been erased
//! from, and legs of calls that are on record.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use rstest::rstest;
use serde_json::json;
use switchyard::app::erasures::{self, work};
use switchyard::app::precondition::IfMatch;
use switchyard::app::setbacks::Setbacks;
use switchyard::domain::clock::Clock as _;
use switchyard::domain::ids::SystemIds;
use switchyard::domain::retention::{Days, Keep, RetentionKind, RetentionPolicy};
use switchyard::driver::feed::News;
use switchyard::monitor::records::Keeper;
use switchyard::store::{recorded_calls, retention};
use tokio_util::sync::CancellationToken;

use super::past_calls_world::{Missed, Row, archive, import};

/// By the time that is believed, as a purge would have it.
#[rstest]
#[tokio::test]
async fn a11_a20_what_a_tenant_would_keep_no_longer_does_not_come_back(
    #[values(true, false)] is_believed: bool,
) {
    let missed = Missed::new().await;
    missed.import_around().await;
    for tenant in [&missed.acme, &missed.globex] {
        import(&missed.world, &[Row::of(tenant, missed.at(5), 9)]).await;
    }
    let mut policy = RetentionPolicy::default();
    policy.set(RetentionKind::CallRecords, Keep::Days(Days::new(1).unwrap()));
    let mut tx = missed.world.store.begin("retention").await.unwrap();
    retention::put(&mut tx, missed.acme.id, &policy).await.unwrap();
    tx.commit().await.unwrap();
    // A day after the calls, and not after the end of the gap.
    let before = missed.world.clock.now();
    missed.world.clock.forward(Duration::from_mins(24 * 60 - 12));
    let believed = if is_believed {
        missed.world.clock.now()
    } else {
        before
    };
    missed.believe(believed).await;
    missed.look_for(&mut missed.looker(), 3).await;
    let calls = missed.calls(&missed.acme).await;
    let (young, old): (Vec<_>, Vec<_>) = calls.iter().partition(|call| call.started_at > missed.at(20));
    assert_eq!(
        (young.len(), old.len()),
        (1, usize::from(!is_believed)),
        "{calls:#?}"
    );
    assert_eq!(missed.calls(&missed.globex).await.len(), 1);
}

/// Has somebody erased from the calls of a tenant, as far as that goes without the PBX.
async fn erase(missed: &Missed, number: &str, call_records: &str) {
    let (app, caller) = (&missed.world.app, &missed.acme.caller);
    let whom = serde_json::from_value(json!({"number": number, "call_records": call_records})).unwrap();
    let asked = erasures::request(app, caller, whom, None).await.unwrap();
    let id = asked.into_inner().id;
    erasures::run(app, caller, id, &IfMatch::Any, None).await.unwrap();
    let (stop, mut setbacks) = (CancellationToken::new(), Setbacks::default());
    while work::work(app, &mut setbacks, &stop).await.unwrap() {}
}

#[rstest]
#[case::removed("remove", 0)]
#[case::pseudonymised("pseudonymise", 1)]
#[tokio::test]
async fn a11_a22_whoever_was_erased_does_not_come_back(#[case] call_records: &str, #[case] left: usize) {
    let missed = Missed::new().await;
    let row = |minutes| Row::of(&missed.acme, missed.at(minutes), 9);
    import(&missed.world, &[row(5), Row::of(&missed.globex, missed.at(5), 9)]).await;
    let mut looker = missed.looker();
    missed.look_for(&mut looker, 1).await;
    assert_eq!(missed.calls(&missed.acme).await.len(), 1);
    // Beyond what the clocks of the two hosts may differ by.
    missed.world.clock.forward(Duration::from_mins(5));
    erase(&missed, "1001", call_records).await;
    assert_eq!(missed.calls(&missed.acme).await.len(), left);
    // What FusionPBX writes down only now is not known to be of somebody else; the other tenant's is.
    import(&missed.world, &[row(6), Row::of(&missed.globex, missed.at(6), 9)]).await;
    for mut looker in [looker, missed.looker()] {
        missed.look_for(&mut looker, 20).await;
        let calls = missed.calls(&missed.acme).await;
        assert_eq!(calls.len(), left, "{calls:#?}");
        let shown = format!("{calls:?}");
        assert!(!shown.contains("1001") && !shown.contains("Ann"), "{shown}");
    }
    assert_eq!(missed.calls(&missed.globex).await.len(), 2);
    // What begins later is of whoever calls then.
    let from = missed.world.clock.now();
    missed.world.clock.forward(Duration::from_mins(90));
    missed.note_from(from).await;
    let later = Row::of(&missed.acme, from + SignedDuration::from_mins(80), 9);
    import(&missed.world, std::slice::from_ref(&later)).await;
    missed.look_for(&mut missed.looker(), 1).await;
    let calls = missed.calls(&missed.acme).await;
    assert_eq!(
        (calls.len(), calls[0].call.as_str()),
        (left + 1, later.id.as_str())
    );
}

#[tokio::test]
async fn a11_a_leg_whose_caller_is_on_record_under_another_call_makes_no_call_of_its_own() {
    let missed = Missed::new().await;
    let caller = Row::of(&missed.acme, missed.at(5), 9);
    let mut phone = Row::of(&missed.acme, missed.at(6), 9);
    phone.leg = "'b'".to_owned();
    phone.originating = format!("'{}'", caller.id);
    import(&missed.world, std::slice::from_ref(&caller)).await;
    let page = archive(&missed.world).page(&missed.asked(), None).await;
    let mut told = page.unwrap().parts.remove(0);
    told.call = "heard-of-another".parse().unwrap();
    let clock = Arc::new(missed.world.clock.clone());
    let (store, instance) = (missed.world.store.clone(), missed.world.instance_id);
    let mut keeper = Keeper::new(store, clock, Arc::new(SystemIds), instance);
    keeper.hear(&News::Record(Box::new(told)));
    keeper.write().await.unwrap();
    import(&missed.world, &[phone]).await;
    let before = missed.calls(&missed.acme).await;
    missed.look_for(&mut missed.looker(), 3).await;
    assert_eq!(before.len(), 1);
    assert_eq!(missed.calls(&missed.acme).await, before);
}

#[tokio::test]
async fn a11_a_leg_that_was_heard_of_another_call_is_no_part_of_a_second_one() {
    let missed = Missed::new().await;
    let caller = Row::of(&missed.acme, missed.at(5), 9);
    let mut phone = Row::of(&missed.acme, missed.at(6), 9);
    phone.leg = "'b'".to_owned();
    phone.originating = format!("'{}'", caller.id);
    import(&missed.world, &[caller, phone.clone()]).await;
    let page = archive(&missed.world).page(&missed.asked(), None).await;
    let parts = page.unwrap().parts;
    let told = parts.iter().find(|told| told.part.channel.as_str() == phone.id);
    let mut told = told.unwrap().clone();
    let channel = told.part.channel.clone();
    told.call = "heard-of-another".parse().unwrap();
    let heard = told.call.clone();
    let clock = Arc::new(missed.world.clock.clone());
    let (store, instance) = (missed.world.store.clone(), missed.world.instance_id);
    let mut keeper = Keeper::new(store, clock, Arc::new(SystemIds), instance);
    keeper.hear(&News::Record(Box::new(told)));
    keeper.write().await.unwrap();
    missed.look_for(&mut missed.looker(), 3).await;
    assert_eq!(missed.calls(&missed.acme).await.len(), 2);
    let mut tx = missed.world.store.read("told").await.unwrap();
    let elsewhere = recorded_calls::is_told(&mut tx, missed.acme.id, instance, &channel, Some(&heard)).await;
    assert!(!elsewhere.unwrap());
}

#[tokio::test]
async fn a11_a_leg_that_was_called_makes_no_call_where_its_callers_is_missing() {
    let missed = Missed::new().await;
    let mut phone = Row::of(&missed.acme, missed.at(6), 9);
    phone.leg = "'b'".to_owned();
    phone.originating = "'00000000-0000-4000-8000-00000000000a'".to_owned();
    import(&missed.world, &[phone]).await;
    missed.look_for(&mut missed.looker(), 3).await;
    assert_eq!(missed.calls(&missed.acme).await, []);
}

#[tokio::test]
async fn a11_what_ended_before_the_gap_by_less_than_clocks_may_differ_is_read_in() {
    let missed = Missed::new().await;
    for minute in [-1, -5] {
        import(&missed.world, &[Row::of(&missed.acme, missed.at(minute), 9)]).await;
    }
    missed.look_for(&mut missed.looker(), 3).await;
    let calls = missed.calls(&missed.acme).await;
    let begun: Vec<i64> = calls.iter().map(|call| call.started_at.as_second()).collect();
    assert_eq!(begun, [missed.at(-1).as_second()]);
}
