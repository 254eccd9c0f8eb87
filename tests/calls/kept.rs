//! What the keeper of call records keeps and notes when one call cannot be kept, a clock is put back, or the daemon ends.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use jiff::Timestamp;
use switchyard::domain::leg::{Contact, Leg};
use switchyard::driver::DriverError;
use switchyard::driver::feed::{News, Past, Poll};
use switchyard::monitor::desk::Desk;
use switchyard::store::tenant_lifecycle;

use super::keeper::{Bench, Told, at, ended, nothing, record};
use super::rig::{ACME, GLOBEX};

#[tokio::test]
async fn a11_a_call_of_a_tenant_that_has_just_gone_keeps_no_other_from_being_kept() {
    let mut bench = Bench::listening().await;
    // From here on it is known for a while whose each domain is.
    bench.keeper.hear(&record(1, ACME, 0));
    bench.keeper.write().await.unwrap();
    let mut tx = bench.world.store.begin("go").await.unwrap();
    assert!(tenant_lifecycle::delete(&mut tx, bench.acme.id).await.unwrap());
    tx.commit().await.unwrap();
    bench
        .sql("update tenants set domain = 'acme.example.com' where domain = 'globex.example.com'")
        .await;
    for (call, domain) in [(2, ACME), (3, GLOBEX)] {
        bench.keeper.hear(&record(call, domain, 0));
    }
    bench.keeper.write().await.unwrap();
    // As the domains are by then.
    assert_eq!(bench.calls(bench.globex.id).await, ["2.0"]);
    assert!(!bench.keeper.has_work());
}

#[tokio::test]
async fn a11_a_call_that_cannot_be_kept_is_missed_from_when_it_began() {
    let mut bench = Bench::listening().await;
    bench
        .sql(
            "create trigger refuses before insert on call_records when new.call = '1.0' \
             begin select raise(abort, 'as a test wants it'); end",
        )
        .await;
    bench.clock.set(1_000);
    let mut long = ended(1, ACME, 900);
    long.part.started = at(5);
    bench.keeper.hear(&News::Record(Box::new(long)));
    bench.keeper.hear(&record(2, ACME, 1_000));
    bench.keeper.write().await.unwrap();
    assert_eq!(bench.calls(bench.acme.id).await, ["2.0"]);
    bench.assert_missed(5, 900).await;
}

#[tokio::test]
async fn a11_at_the_end_it_is_noted_until_when_it_was_listened() {
    let bench = Bench::listening().await;
    let desk = bench.desk().await;
    bench.clock.set(70);
    desk.close().await;
    assert_eq!(bench.heard_until().await, Some(at(64)));
}

/// A PBX that breaks whoever asks what it still tells.
struct Breaks;

#[async_trait]
impl Poll for Breaks {
    fn lag(&self) -> Duration {
        Duration::ZERO
    }

    async fn legs(&self, _: Timestamp) -> Result<Vec<Leg>, DriverError> {
        Ok(Vec::new())
    }

    async fn ended_since(&self, _: Timestamp) -> Option<Past> {
        panic!("as a test wants it")
    }

    async fn contacts(&self) -> Result<Vec<Contact>, DriverError> {
        Ok(Vec::new())
    }
}

impl Bench {
    /// Has the keeper break, once the time before is noted.
    async fn breaks(&self, desk: &Desk) {
        self.clock.set(100);
        desk.hear(&News::LinkDown);
        self.clock.set(150);
        desk.hear_up(Box::new(Breaks));
        for _ in 0..500 {
            if self.heard_until().await == Some(at(94)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("nothing is noted");
    }
}

#[tokio::test]
async fn a11_a_keeper_that_broke_has_a_successor_and_the_time_since_it_wrote_is_told_as_missed() {
    let bench = Bench::listening().await;
    let desk = bench.desk().await;
    bench.breaks(&desk).await;
    desk.hear(&record(1, ACME, 150));
    for _ in 0..1_500 {
        // The first is of the time before the desk was there.
        if bench.gaps().await.len() > 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    bench.assert_missed(100, 150).await;
    assert_eq!(bench.calls(bench.acme.id).await, ["1.0"]);
}

#[tokio::test]
async fn a11_what_waits_while_a_keeper_rests_is_written_before_the_end() {
    let bench = Bench::listening().await;
    let desk = bench.desk().await;
    bench.breaks(&desk).await;
    // By then it rests.
    tokio::time::sleep(Duration::from_millis(100)).await;
    desk.hear(&record(1, ACME, 150));
    let begun = Instant::now();
    desk.close().await;
    let took = begun.elapsed();
    assert_eq!(bench.calls(bench.acme.id).await, ["1.0"]);
    assert!(took < Duration::from_secs(4), "it went on resting: {took:?}");
}

#[tokio::test]
async fn a11_a_clock_that_was_put_back_leaves_no_gap_that_ends_before_it_begins() {
    let mut bench = Bench::listening().await;
    bench.clock.set(100);
    bench.keeper.hear(&News::LinkDown);
    bench.keeper.write().await.unwrap();
    bench.clock.set(50);
    bench.keeper.hear_up(nothing());
    bench.keeper.write().await.unwrap();
    let gaps = bench.gaps().await;
    assert!(gaps.iter().all(|gap| gap.from <= gap.to), "{gaps:?}");
    assert_eq!(bench.heard_until().await, Some(at(94)));
}

#[tokio::test]
async fn a11_a_break_while_what_was_told_afterwards_waits_does_not_say_that_it_was_heard() {
    let mut bench = Bench::listening().await;
    bench.keeper.hear_of(&News::LinkDown, at(10));
    bench.keeper.write().await.unwrap();
    bench
        .sql("alter table tenant_domain_aliases rename to away")
        .await;
    let past = Past {
        parts: vec![ended(1, ACME, 20)],
        known_from: None,
    };
    bench.clock.set(100);
    bench.keeper.hear_up(Box::new(Told(Some(past))));
    bench.keeper.write().await.unwrap_err();
    bench.keeper.hear_of(&News::LinkDown, at(200));
    bench.keeper.write().await.unwrap_err();
    // Whoever comes after it has to look back as far.
    assert_eq!(bench.heard_until().await, Some(at(4)));
}

#[tokio::test]
async fn a11_while_the_link_is_broken_no_time_is_noted_as_heard() {
    let bench = Bench::listening().await;
    let desk = bench.desk().await;
    bench.clock.set(100);
    desk.hear(&News::LinkDown);
    bench.clock.set(200);
    desk.close().await;
    assert_eq!(bench.heard_until().await, Some(at(94)));
}

#[tokio::test]
async fn a11_what_was_missed_is_told_before_a_later_time_is_noted_as_heard() {
    let mut bench = Bench::listening().await;
    bench.keeper.hear_of(&News::Lost, at(100));
    bench.keeper.hear_of(&News::LinkDown, at(200));
    bench.sql("alter table call_gaps rename to away").await;
    bench.keeper.write().await.unwrap_err();
    assert_eq!(bench.heard_until().await, Some(at(-6)));
    bench.sql("alter table away rename to call_gaps").await;
    bench.keeper.write().await.unwrap();
    bench.assert_missed(100, 100).await;
    assert_eq!(bench.heard_until().await, Some(at(194)));
}
