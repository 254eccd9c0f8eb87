//! Missed calls that are looked for while others are at work: another daemon, an erasure, and whoever takes long to answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use rstest::rstest;
use serde_json::json;
use switchyard::app::erasures as erasing;
use switchyard::app::webhooks;
use switchyard::domain::clock::Clock as _;
use switchyard::domain::erasure::Marks;
use switchyard::driver::DriverError;
use switchyard::driver::feed::{Archive, Asked, Page, Place};
use switchyard::store::{erasures, tenants};
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio::time::timeout;
use uuid::Uuid;

use super::past_calls_world::{Missed, Row, archive, import};
use super::support::clock::Shifted;
use super::support::database::Backend;

/// An archive whose page nobody has before another has one too.
struct Together(Box<dyn Archive>, Arc<Barrier>);

#[async_trait]
impl Archive for Together {
    async fn page(&self, asked: &Asked, behind: Option<Place>) -> Result<Page, DriverError> {
        let page = self.0.page(asked, behind).await;
        self.1.wait().await;
        page
    }
}

#[rstest]
#[tokio::test]
async fn a11_two_daemons_that_look_at_the_same_gap_write_and_tell_each_call_once(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let missed = Missed::on(backend).await;
    let hook = json!({"url": "https://hooks.example.com/", "events": ["call.ended"]});
    let hook = serde_json::from_value(hook).unwrap();
    webhooks::create(&missed.world.app, &missed.acme.caller, hook)
        .await
        .unwrap();
    let rows: Vec<Row> = (0..120)
        .map(|number| Row::of(&missed.acme, missed.at(number % 20), 9))
        .collect();
    import(&missed.world, &rows).await;
    let barrier = Arc::new(Barrier::new(2));
    let mut lookers = JoinSet::new();
    for _ in 0..2 {
        let store = missed.world.database.another_store(None).await;
        let together = Together(archive(&missed.world), Arc::clone(&barrier));
        let mut looker = missed.looker_over(store, Box::new(together));
        lookers.spawn(async move { looker.turn().await });
    }
    while let Some(turned) = lookers.join_next().await {
        turned.unwrap().unwrap();
    }
    assert_eq!(missed.calls(&missed.acme).await.len(), 120);
    let told = "select cast(count(*) as text) from webhook_events where kind = 'call.ended'";
    assert_eq!(missed.world.database.ask(told.to_owned()).await, ["120"]);
}

#[tokio::test]
async fn a11_a22_a_call_that_is_about_to_be_kept_as_an_erasure_begins_is_not_kept_behind_its_back() {
    let missed = Missed::on(Backend::Postgres).await;
    let (app, caller, acme) = (&missed.world.app, &missed.acme.caller, missed.acme.id);
    let whom = serde_json::from_value(json!({"number": "1001", "call_records": "remove"})).unwrap();
    let asked = erasing::request(app, caller, whom, None)
        .await
        .unwrap()
        .into_inner();
    import(&missed.world, &[Row::of(&missed.acme, missed.at(5), 9)]).await;
    // As whoever has it run does.
    let mut tx = missed.world.store.begin("run_erasure").await.unwrap();
    assert!(tenants::lock(&mut tx, acme).await.unwrap());
    let mut looker = missed.looker();
    let mut looking = JoinSet::new();
    looking.spawn(async move { looker.turn().await });
    missed.world.database.others_wait().await;
    let now = missed.world.clock.now();
    let runs = erasures::run(&mut tx, acme, asked.id, "somebody", &Marks::default(), now).await;
    assert!(runs.unwrap());
    tx.commit().await.unwrap();
    looking.join_next().await.unwrap().unwrap().unwrap();
    assert!(missed.calls(&missed.acme).await.is_empty());
}

/// An archive whose pages are of one row each.
struct OneByOne(Box<dyn Archive>);

#[async_trait]
impl Archive for OneByOne {
    async fn page(&self, asked: &Asked, behind: Option<Place>) -> Result<Page, DriverError> {
        let mut page = self.0.page(asked, None).await?;
        let count = behind.map_or(0, |place| place.at);
        let rest = page.parts.split_off(usize::try_from(count).unwrap());
        let is_last = rest.len() < 2;
        page.next = (!is_last).then_some(Place {
            at: count + 1,
            id: Uuid::nil(),
        });
        page.parts = rest.into_iter().take(1).collect();
        Ok(page)
    }
}

#[tokio::test]
async fn a11_a_tenant_that_somebody_holds_keeps_no_other_ones_calls_from_being_kept() {
    let missed = Missed::on(Backend::Postgres).await;
    let [acme, globex] = [&missed.acme, &missed.globex];
    for (before, held, other) in [(0, acme, globex), (1, globex, acme)] {
        let minutes = (1..9).map(|minute| missed.at(minute + if before == 0 { 0 } else { 9 }));
        let rows: Vec<Row> = minutes
            .flat_map(|at| [held, other].map(|tenant| Row::of(tenant, at, 9)))
            .collect();
        import(&missed.world, &rows).await;
        let mut tx = missed.world.store.begin("held").await.unwrap();
        assert!(tenants::lock(&mut tx, held.id).await.unwrap());
        let mut looker = missed.looker_at(Box::new(OneByOne(archive(&missed.world))));
        // Not at each of its calls anew.
        let turned = timeout(Duration::from_secs(25), looker.turn()).await;
        turned.expect("it waits for whoever holds a tenant").unwrap();
        let calls = [missed.calls(held).await.len(), missed.calls(other).await.len()];
        assert_eq!(calls, [8 * before, 8 * (before + 1)]);
        tx.commit().await.unwrap();
        missed.world.clock.forward(Duration::from_mins(1));
        looker.turn().await.unwrap();
        assert_eq!(missed.calls(held).await.len(), 8 * (before + 1));
    }
}

/// What is written behind the lock of a tenant is no lock of one.
#[tokio::test]
async fn a11_whoever_looks_waits_for_a_table_that_is_held_for_longer_than_a_tenant() {
    let missed = Missed::on(Backend::Postgres).await;
    import(&missed.world, &[Row::of(&missed.acme, missed.at(5), 9)]).await;
    let mut looker = missed.looker();
    let looks = async {
        // By then it is held.
        tokio::time::sleep(Duration::from_secs(1)).await;
        looker.turn().await.unwrap();
    };
    let holds = missed
        .world
        .database
        .sql("begin; lock table call_records in share mode; select pg_sleep(8); commit");
    tokio::join!(looks, holds);
    assert_eq!(missed.calls(&missed.acme).await.len(), 1);
}

/// An archive that takes ten minutes for each page.
struct Slow(Box<dyn Archive>, Shifted, Arc<AtomicUsize>);

#[async_trait]
impl Archive for Slow {
    async fn page(&self, asked: &Asked, behind: Option<Place>) -> Result<Page, DriverError> {
        let count = self.2.fetch_add(1, Ordering::SeqCst);
        self.1.forward(Duration::from_mins(10));
        if count % 2 == 1 {
            return Err(DriverError::unknown("a page", std::io::Error::other("it broke")));
        }
        self.0.page(asked, behind).await
    }
}

#[tokio::test]
async fn a11_however_long_a_look_takes_there_is_a_pause_behind_it() {
    let missed = Missed::new().await;
    let pages = Arc::new(AtomicUsize::new(0));
    let slow = Slow(
        archive(&missed.world),
        missed.world.clock.clone(),
        Arc::clone(&pages),
    );
    let mut looker = missed.looker_at(Box::new(slow));
    // One that comes to its end, and one that breaks.
    for looks in 1..=2 {
        for _ in 0..3 {
            looker.turn().await.unwrap();
            assert_eq!(pages.load(Ordering::SeqCst), looks);
        }
        missed.world.clock.forward(Duration::from_mins(1));
    }
}
