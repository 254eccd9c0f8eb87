//! Parts of calls that are told at once or without end, and times of which nothing is known, on both databases.

use jiff::SignedDuration;
use rstest::rstest;
use switchyard::domain::call_part::CallPart;
use switchyard::domain::call_record::{CallFilter, CallGap, Disposition};
use switchyard::domain::ids::{InstanceId, SystemIds};
use switchyard::store::call_records::{MOST_PARTS, Seen};
use switchyard::store::{call_gaps, recorded_calls};

use super::bench::Backend::{self, Postgres, Sqlite};
use super::call_records::{ACME, Office, keep, part};
use super::samples::at;

#[rstest]
#[tokio::test]
async fn two_hosts_that_tell_of_one_call_at_once_make_one_record(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let office = Office::new(backend).await;
    let acme = office.world.acme.id;
    let parts: Vec<CallPart> = (0..8)
        .map(|sequence| part("1.0", sequence, ("1001", "1002"), ACME, i64::from(sequence)))
        .collect();
    let telling = parts.iter().map(|part| office.keep(acme, "1.0", part));
    futures_util::future::join_all(telling).await;
    let calls = office.seen(Seen::All).await;
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].duration, 7 + 5);
}

#[rstest]
#[tokio::test]
async fn a_call_of_endless_parts_is_kept_as_far_as_a_call_goes(#[values(Sqlite, Postgres)] backend: Backend) {
    let office = Office::new(backend).await;
    let acme = office.world.acme.id;
    let mut tx = office.store.begin("keep").await.unwrap();
    for sequence in 0..=u32::try_from(MOST_PARTS).unwrap() {
        let second = i64::from(sequence);
        let part = part("1.0", sequence, ("1001", "1002"), ACME, second);
        keep(&mut tx, acme, office.world.instance.id, "1.0", &part).await;
    }
    tx.commit().await.unwrap();
    let call = office.seen(Seen::All).await.remove(0);
    // It ends when its last part does.
    assert_eq!(call.duration, i64::try_from(MOST_PARTS).unwrap() + 5);
}

#[rstest]
#[tokio::test]
async fn a11_a_call_of_endless_parts_is_answered_whenever_somebody_answered_it(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let office = Office::new(backend).await;
    let acme = office.world.acme.id;
    let most = u32::try_from(MOST_PARTS).unwrap();
    let mut tx = office.store.begin("keep").await.unwrap();
    for sequence in 0..=most + 1 {
        let mut part = part("1.0", sequence, ("1001", "1002"), ACME, i64::from(sequence));
        if sequence == 0 {
            // The caller's own rings on and on.
            part.ended = at(9_000 * 1_000_000);
        }
        if sequence != most {
            (part.answered, part.disposition) = (None, Disposition::NoAnswer);
        }
        keep(&mut tx, acme, office.world.instance.id, "1.0", &part).await;
    }
    tx.commit().await.unwrap();
    let call = office.seen(Seen::All).await.remove(0);
    assert_eq!(call.disposition, Disposition::Answered);
    assert_eq!((call.duration, call.billable), (9_000, 4));
}

#[rstest]
#[tokio::test]
async fn a11_recent_gaps_of_a_pbx_are_found_oldest_first(#[values(Sqlite, Postgres)] backend: Backend) {
    let office = Office::new(backend).await;
    let instance_id = office.world.instance.id;
    let gap = |from: i64, to: i64| CallGap {
        instance_id,
        from: at(from),
        to: at(to),
    };
    let mut tx = office.store.begin("gaps").await.unwrap();
    for gap in [gap(100, 200), gap(300, 400), gap(500, 600)] {
        call_gaps::insert(&mut tx, gap).await.unwrap();
    }
    let others = CallGap {
        instance_id: InstanceId::fresh(&SystemIds),
        ..gap(300, 400)
    };
    call_gaps::insert(&mut tx, others).await.unwrap();
    let recent = call_gaps::recent(&mut tx, instance_id, at(400)).await.unwrap();
    assert_eq!(recent, [gap(300, 400), gap(500, 600)]);
}

/// A link that breaks each minute makes many.
#[rstest]
#[tokio::test]
async fn a13_of_very_many_gaps_the_oldest_are_told_as_one_and_none_is_forgotten(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let office = Office::new(backend).await;
    let (acme, instance_id) = (office.world.acme.id, office.world.instance.id);
    let gap = |from: i64, to: i64| CallGap {
        instance_id,
        from: at(from),
        to: at(to),
    };
    let mut tx = office.store.begin("gaps").await.unwrap();
    for number in 0..10_003 {
        let of_it = gap(1_000 * number, 1_000 * number + 100);
        call_gaps::insert(&mut tx, of_it).await.unwrap();
    }
    let told = async |tx: &mut _, most| {
        let all = call_gaps::of_tenant(tx, acme, &CallFilter::default(), most).await;
        all.unwrap()
    };
    let kept = told(&mut tx, 99_999).await;
    assert_eq!(kept.len(), 10_000);
    assert_eq!(kept[0], gap(10_002_000, 10_002_100));
    assert_eq!(kept[9_998], gap(4_000, 4_100));
    assert_eq!(kept[9_999], gap(0, 3_100));
    let few = told(&mut tx, 2).await;
    assert_eq!(few[..2], kept[..2]);
    assert_eq!(few[2..], [gap(0, 10_000_100)]);
    // Another one that comes undoes nothing of it, nor does one with the same begin that ends sooner.
    for other in [gap(50_000_000, 50_000_001), gap(0, 1)] {
        call_gaps::insert(&mut tx, other).await.unwrap();
    }
    let kept = told(&mut tx, 99_999).await;
    assert_eq!((kept.len(), kept[9_999]), (10_000, gap(0, 4_100)));
}

#[rstest]
#[tokio::test]
async fn a11_a_channel_is_on_record_of_the_tenant_and_the_pbx_that_it_was_of_alone(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let office = Office::new(backend).await;
    let (acme, instance) = (office.world.acme.id, office.world.instance.id);
    let mut tx = office.store.begin("keep").await.unwrap();
    let kept = part("1.0", 1, ("1001", "1002"), ACME, 0);
    keep(&mut tx, acme, instance, "another", &kept).await;
    let [channel, other, call] = [kept.channel.as_str(), "1.1", "another"].map(|id| id.parse().unwrap());
    let (globex, elsewhere) = (office.world.globex.id, InstanceId::fresh(&SystemIds));
    for (tenant, instance, channel, but_for, is_told) in [
        (acme, instance, &channel, None, true),
        (acme, instance, &channel, Some(&other), true),
        (acme, instance, &channel, Some(&call), false),
        (acme, instance, &other, None, false),
        (globex, instance, &channel, None, false),
        (acme, elsewhere, &channel, None, false),
    ] {
        let told = recorded_calls::is_told(&mut tx, tenant, instance, channel, but_for).await;
        assert_eq!(told.unwrap(), is_told, "{channel} {but_for:?}");
    }
}

#[rstest]
#[tokio::test]
async fn what_was_missed_is_told_to_the_tenants_of_that_pbx(#[values(Sqlite, Postgres)] backend: Backend) {
    let office = Office::new(backend).await;
    let (acme, instance) = (&office.world.acme, office.world.instance.id);
    let gap = |instance_id, from: i64, to: i64| CallGap {
        instance_id,
        from: at(from),
        to: at(to),
    };
    let mut tx = office.store.begin("gaps").await.unwrap();
    for gap in [
        gap(instance, 100, 200),
        gap(instance, 300, 400),
        gap(instance, 300, 500),
        // By a clock that was put back.
        gap(instance, 300, 450),
    ] {
        call_gaps::insert(&mut tx, gap).await.unwrap();
    }
    call_gaps::insert(&mut tx, gap(InstanceId::fresh(&SystemIds), 100, 200))
        .await
        .unwrap();
    // Before the tenant was there.
    call_gaps::insert(&mut tx, gap(instance, 0, 1)).await.unwrap();
    let all = call_gaps::of_tenant(&mut tx, acme.id, &CallFilter::default(), 9)
        .await
        .unwrap();
    assert_eq!(all, [gap(instance, 300, 500), gap(instance, 100, 200)]);
    let some = CallFilter {
        from: Some(at(201)),
        ..CallFilter::default()
    };
    assert_eq!(
        call_gaps::of_tenant(&mut tx, acme.id, &some, 9).await.unwrap(),
        all[..1]
    );
    assert_eq!(call_gaps::heard_until(&mut tx, instance).await.unwrap(), None);
    for until in [7, 5] {
        call_gaps::heard(&mut tx, instance, at(until)).await.unwrap();
    }
    assert_eq!(
        call_gaps::heard_until(&mut tx, instance).await.unwrap(),
        Some(at(7))
    );
    let later = at(0) + SignedDuration::from_mins(1);
    call_gaps::heard(&mut tx, instance, later).await.unwrap();
    assert_eq!(
        call_gaps::heard_until(&mut tx, instance).await.unwrap(),
        Some(later)
    );
    call_gaps::forget(&mut tx, instance).await.unwrap();
    assert_eq!(
        call_gaps::of_tenant(&mut tx, acme.id, &CallFilter::default(), 9)
            .await
            .unwrap(),
        []
    );
}
