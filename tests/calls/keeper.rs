//! What the keeper of call records says that it missed: breaks that are looked at late, more news than wait, a database
//! that is away, and domains that change hands.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use switchyard::domain::call_part::{CallPart, EndedPart};
use switchyard::domain::call_record::{CallFilter, CallGap, CallQuery, Disposition};
use switchyard::domain::clock::Clock;
use switchyard::domain::ids::{SystemIds, TenantId};
use switchyard::domain::leg::{Contact, Leg};
use switchyard::driver::DriverError;
use switchyard::driver::feed::{News, Past, Poll};
use switchyard::monitor::Tools;
use switchyard::monitor::board::Board;
use switchyard::monitor::desk::Desk;
use switchyard::monitor::records::Keeper;
use switchyard::monitor::stream::Streams;
use switchyard::store::call_records::{self, Seen};
use switchyard::store::{Store, call_gaps};
use tempfile::TempDir;

use super::instances::{secrets, settings};
use super::rig::ACME;
use super::support::database::Backend;
use super::support::world::{Tenant, World};

/// Later than any tenant of a test was made.
const BEGIN: i64 = 4_000_000_000;

pub fn at(second: i64) -> Timestamp {
    Timestamp::from_second(BEGIN + second).unwrap()
}

/// A clock that a test sets.
#[derive(Clone)]
pub struct Hand(Arc<AtomicI64>);

impl Hand {
    pub fn set(&self, second: i64) {
        self.0.store(second, Ordering::SeqCst);
    }
}

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        at(self.0.load(Ordering::SeqCst))
    }
}

/// What a PBX still tells; nothing where it keeps no file.
pub struct Told(pub Option<Past>);

#[async_trait]
impl Poll for Told {
    fn lag(&self) -> Duration {
        Duration::ZERO
    }

    async fn legs(&self, _: Timestamp) -> Result<Vec<Leg>, DriverError> {
        Ok(Vec::new())
    }

    async fn ended_since(&self, _: Timestamp) -> Option<Past> {
        self.0.clone()
    }

    async fn contacts(&self) -> Result<Vec<Contact>, DriverError> {
        Ok(Vec::new())
    }
}

pub fn nothing() -> Box<dyn Poll> {
    Box::new(Told(None))
}

pub fn ended(call: usize, domain: &str, second: i64) -> EndedPart {
    let id = format!("{call}.0");
    EndedPart {
        call: id.parse().unwrap(),
        names: vec![domain.to_owned()],
        part: CallPart {
            key: format!("{id}:{call}").parse().unwrap(),
            channel: id.parse().unwrap(),
            caller: None,
            called: None,
            left: false,
            is_of_called: false,
            from_number: None,
            from_name: None,
            to: None,
            started: at(second),
            answered: None,
            ended: at(second),
            disposition: Disposition::NoAnswer,
            cause: None,
        },
    }
}

pub fn record(call: usize, domain: &str, second: i64) -> News {
    News::Record(Box::new(ended(call, domain, second)))
}

pub struct Bench {
    pub world: World,
    pub acme: Tenant,
    pub globex: Tenant,
    pub clock: Hand,
    pub keeper: Keeper,
    _home: TempDir,
}

impl Bench {
    async fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let world = World::new(Backend::Sqlite, settings(1, home.path()), secrets(), home.path()).await;
        let clock = Hand(Arc::default());
        let keeper = Keeper::new(
            world.store.clone(),
            Arc::new(clock.clone()),
            Arc::new(SystemIds),
            world.instance_id,
        );
        Self {
            acme: world.tenant("acme").await,
            globex: world.tenant("globex").await,
            world,
            clock,
            keeper,
            _home: home,
        }
    }

    /// Listens since the second 0, which is noted.
    pub async fn listening() -> Self {
        let mut bench = Self::new().await;
        bench.keeper.hear_up(nothing());
        bench.keeper.write().await.unwrap();
        assert_eq!(bench.gaps().await, []);
        bench
    }

    /// At the second 50, at which all that it heard is noted.
    pub async fn desk(&self) -> Desk {
        self.clock.set(50);
        let tools = Tools {
            store: self.world.store.clone(),
            board: Board::new(Streams::new(1), SignedDuration::from_secs(9)),
            clock: Arc::new(self.clock.clone()),
            period: Duration::from_secs(1),
            anew: switchyard::monitor::ANEW,
        };
        let desk = Desk::open(self.world.instance_id, &tools);
        desk.hear_up(nothing());
        for _ in 0..500 {
            if self.heard_until().await == Some(at(44)) {
                return desk;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the desk notes nothing");
    }

    fn store(&self) -> &Store {
        &self.world.store
    }

    pub async fn gaps(&self) -> Vec<CallGap> {
        let mut tx = self.store().read("gaps").await.unwrap();
        call_gaps::of_tenant(&mut tx, self.acme.id, &CallFilter::default(), 99)
            .await
            .unwrap()
    }

    pub async fn calls(&self, tenant: TenantId) -> Vec<String> {
        let mut tx = self.store().read("calls").await.unwrap();
        let page = call_records::list(&mut tx, tenant, Seen::All, &CallQuery::default()).await;
        let calls = page.unwrap().calls;
        calls.iter().map(|call| call.call.to_string()).collect()
    }

    /// One of the gaps has all of this time in it.
    pub async fn assert_missed(&self, from: i64, to: i64) {
        let gaps = self.gaps().await;
        let covers = |gap: &CallGap| gap.from <= at(from) && at(to) <= gap.to;
        assert!(gaps.iter().any(covers), "{from} to {to}: {gaps:?}");
    }

    pub async fn sql(&self, sql: &'static str) {
        self.world.database.sql(sql).await;
    }

    pub async fn heard_until(&self) -> Option<Timestamp> {
        let mut tx = self.store().read("heard").await.unwrap();
        call_gaps::heard_until(&mut tx, self.world.instance_id)
            .await
            .unwrap()
    }
}

#[tokio::test]
async fn a11_a_break_that_is_looked_at_late_is_missed_from_when_it_was() {
    let bench = Bench::listening().await;
    let desk = bench.desk().await;
    // The test runs on one thread: the desk looks at nothing before the close.
    bench.clock.set(100);
    desk.hear(&News::LinkDown);
    bench.clock.set(150);
    desk.hear_up(nothing());
    bench.clock.set(160);
    desk.close().await;
    bench.assert_missed(100, 150).await;
}

#[tokio::test]
async fn a11_a_break_while_the_database_stands_still_is_missed_from_when_it_was() {
    let mut bench = Bench::listening().await;
    bench.clock.set(100);
    bench.keeper.hear(&record(1, ACME, 100));
    let held = bench.world.store.begin("held").await.unwrap();
    let (written, ()) = tokio::join!(bench.keeper.write(), async {
        bench.clock.set(160);
        held.commit().await.unwrap();
    });
    written.unwrap();
    assert_eq!(bench.heard_until().await, Some(at(94)), "it was noted");
    bench.keeper.hear_of(&News::LinkDown, at(101));
    bench.keeper.hear_up(nothing());
    bench.keeper.write().await.unwrap();
    bench.assert_missed(101, 160).await;
}

#[tokio::test]
async fn a11_a_second_break_before_the_first_is_noted_hides_nothing_of_it() {
    let mut bench = Bench::listening().await;
    bench.sql("alter table call_listening rename to away").await;
    bench.keeper.hear_of(&News::LinkDown, at(10));
    bench.clock.set(600);
    bench.keeper.hear_up(nothing());
    bench.keeper.write().await.unwrap_err();
    bench.keeper.hear_of(&News::LinkDown, at(620));
    bench.keeper.write().await.unwrap_err();
    bench.sql("alter table away rename to call_listening").await;
    bench.clock.set(630);
    bench.keeper.write().await.unwrap();
    bench.assert_missed(10, 600).await;
    bench.clock.set(700);
    bench.keeper.hear_up(nothing());
    bench.keeper.write().await.unwrap();
    bench.assert_missed(620, 700).await;
}

#[tokio::test]
async fn a11_a_second_break_before_the_first_is_looked_back_upon_hides_nothing_of_it() {
    let mut bench = Bench::listening().await;
    bench.keeper.hear_of(&News::LinkDown, at(10));
    bench.keeper.write().await.unwrap();
    bench.sql("alter table call_listening rename to away").await;
    bench.clock.set(600);
    bench.keeper.hear_up(nothing());
    bench.keeper.write().await.unwrap_err();
    bench.keeper.hear_of(&News::LinkDown, at(620));
    bench.sql("alter table away rename to call_listening").await;
    bench.clock.set(630);
    bench.keeper.write().await.unwrap();
    bench.assert_missed(10, 600).await;
}

#[tokio::test]
async fn a11_more_news_than_wait_are_missed_from_the_first_on_and_the_links_are_heeded() {
    let bench = Bench::listening().await;
    let desk = bench.desk().await;
    bench.clock.set(100);
    for call in 0..4_096 {
        desk.hear(&record(call, "nobody.example.com", 99));
    }
    bench.clock.set(110);
    desk.hear(&record(5_000, ACME, 110));
    bench.clock.set(150);
    desk.hear(&News::LinkDown);
    bench.clock.set(200);
    // The first is of the time before the desk was there.
    for _ in 0..500 {
        if bench.gaps().await.len() > 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    bench.assert_missed(110, 110).await;
    bench.clock.set(400);
    desk.hear_up(nothing());
    desk.close().await;
    bench.assert_missed(150, 400).await;
}

#[tokio::test]
async fn a11_what_was_missed_before_stays_so_where_less_is_missed_after_it() {
    let mut bench = Bench::listening().await;
    bench.keeper.hear_of(&News::LinkDown, at(10));
    bench.keeper.hear_of(&News::Lost, at(101));
    bench.clock.set(110);
    let past = Past {
        parts: Vec::new(),
        known_from: Some(at(50)),
    };
    bench.keeper.hear_up(Box::new(Told(Some(past))));
    bench.keeper.write().await.unwrap();
    bench.assert_missed(10, 50).await;
    bench.assert_missed(101, 101).await;
}

#[tokio::test]
async fn a11_times_that_touch_are_one_and_an_unreadable_leg_is_no_lost_record() {
    let mut bench = Bench::listening().await;
    bench.keeper.hear_of(&News::LegLost, at(50));
    bench.keeper.write().await.unwrap();
    assert_eq!(bench.gaps().await, []);
    for second in [100, 103, 106] {
        bench.keeper.hear_of(&News::Lost, at(second));
        bench.keeper.write().await.unwrap();
    }
    assert_eq!(bench.gaps().await.len(), 1);
    bench.assert_missed(100, 106).await;
    bench.keeper.hear_of(&News::RecordLost, at(200));
    bench.keeper.write().await.unwrap();
    assert_eq!(bench.gaps().await.len(), 2);
}

#[tokio::test]
async fn a11_however_much_is_told_afterwards_no_live_record_is_lost_for_it() {
    let mut bench = Bench::listening().await;
    bench.keeper.hear_of(&News::LinkDown, at(10));
    bench
        .sql("alter table tenant_domain_aliases rename to away")
        .await;
    let past = Past {
        parts: (0..10_050)
            .map(|call| ended(call, "nobody.example.com", 20))
            .collect(),
        known_from: None,
    };
    bench.clock.set(1_000);
    bench.keeper.hear_up(Box::new(Told(Some(past))));
    bench.keeper.write().await.unwrap_err();
    bench.keeper.hear(&record(20_000, ACME, 1_000));
    bench
        .sql("alter table away rename to tenant_domain_aliases")
        .await;
    bench.keeper.write().await.unwrap();
    assert_eq!(bench.gaps().await, []);
    assert_eq!(bench.calls(bench.acme.id).await, ["20000.0"]);
}

#[tokio::test]
async fn a11_a_record_that_finds_no_room_is_missed_when_it_was() {
    let mut bench = Bench::listening().await;
    bench.clock.set(1_000);
    for call in 0..=10_000 {
        let second = if call == 0 { 5 } else { 999 };
        bench.keeper.hear(&record(call, "nobody.example.com", second));
    }
    bench.keeper.write().await.unwrap();
    bench.assert_missed(5, 5).await;
}

#[tokio::test]
async fn a11_calls_at_a_domain_that_changed_hands_are_not_the_former_holders() {
    let mut bench = Bench::listening().await;
    bench.keeper.hear(&record(1, ACME, 0));
    bench.keeper.write().await.unwrap();
    bench
        .sql(
            "update tenants set domain = 'new.example.com' where domain = 'acme.example.com'; \
             update tenants set domain = 'acme.example.com' where domain = 'globex.example.com'",
        )
        .await;
    bench.clock.set(5);
    bench.keeper.hear(&record(2, ACME, 5));
    bench.keeper.write().await.unwrap();
    assert_eq!(bench.calls(bench.acme.id).await, ["1.0"]);
    assert_eq!(bench.calls(bench.globex.id).await, ["2.0"]);
}
