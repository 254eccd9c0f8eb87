//! How much of an archive is asked for at once, and whose a call of it is.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use switchyard::domain::call_part::EndedPart;
use switchyard::domain::call_record::CallGap;
use switchyard::domain::ids::SystemIds;
use switchyard::driver::DriverError;
use switchyard::driver::feed::{Archive, Asked, Page, Place, Skipped};
use switchyard::monitor::past_calls::PastCalls;
use switchyard::store::call_gaps;
use uuid::Uuid;

use super::keeper::{Bench, at, ended};
use super::rig::ACME;

/// By how much more than a gap is asked for.
const CLOCKS: SignedDuration = SignedDuration::from_mins(2);

/// An archive of so many pages, each with these calls, that notes what it is asked for.
#[derive(Clone, Default)]
struct Pages {
    last: i64,
    parts: Vec<EndedPart>,
    asked: Arc<Mutex<Vec<(Timestamp, i64)>>>,
}

impl Pages {
    /// The begin of each gap that was asked for, and which page of it.
    fn asked(&self) -> Vec<(Timestamp, i64)> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    fn looker(&self, bench: &Bench) -> PastCalls {
        PastCalls::new(
            bench.world.store.clone(),
            Arc::new(bench.clock.clone()),
            Arc::new(SystemIds),
            bench.world.instance_id,
            Arc::new(self.clone()),
        )
    }
}

#[async_trait]
impl Archive for Pages {
    async fn page(&self, asked: &Asked, behind: Option<Place>) -> Result<Page, DriverError> {
        let page = behind.map_or(1, |place| place.at + 1);
        self.asked.lock().unwrap().push((asked.from + CLOCKS, page));
        let id = Uuid::nil();
        Ok(Page {
            parts: self.parts.clone(),
            skipped: Skipped::default(),
            next: (page < self.last).then_some(Place { at: page, id }),
        })
    }
}

/// Nobody listened in each of these seconds; by now it is the thousandth.
async fn missed(seconds: impl IntoIterator<Item = i64>) -> Bench {
    let bench = Bench::listening().await;
    bench.clock.set(1_000);
    let mut tx = bench.world.store.begin("gaps").await.unwrap();
    for second in seconds {
        let gap = CallGap {
            instance_id: bench.world.instance_id,
            from: at(second),
            to: at(second + 1),
        };
        call_gaps::insert(&mut tx, gap).await.unwrap();
    }
    tx.commit().await.unwrap();
    bench
}

#[tokio::test]
async fn a11_a_gap_of_many_pages_has_a_hundred_in_one_turn_and_goes_on_behind_them_in_the_next() {
    let bench = missed([0, 100]).await;
    let pages = Pages {
        last: 120,
        ..Pages::default()
    };
    let mut looker = pages.looker(&bench);
    let of = |second, pages: std::ops::RangeInclusive<i64>| pages.map(move |page| (at(second), page));
    looker.turn().await.unwrap();
    let both: Vec<_> = of(0, 1..=100).chain(of(100, 1..=100)).collect();
    assert_eq!(pages.asked(), both, "the other one has its turn too");
    looker.turn().await.unwrap();
    let both: Vec<_> = of(0, 101..=120).chain(of(100, 101..=120)).collect();
    assert_eq!(pages.asked(), both);
}

#[tokio::test]
async fn a11_of_many_gaps_twenty_are_looked_at_in_one_turn_and_the_others_in_the_next() {
    let bench = missed((0..25).map(|number| number * 10)).await;
    let pages = Pages::default();
    let mut looker = pages.looker(&bench);
    for numbers in [0..20, 20..25, 0..0] {
        looker.turn().await.unwrap();
        let due: Vec<_> = numbers.map(|number| (at(number * 10), 1)).collect();
        assert_eq!(pages.asked(), due);
    }
}

#[tokio::test]
async fn a11_a_call_of_an_archive_is_of_whom_its_first_name_says_alone() {
    let bench = missed([0]).await;
    bench
        .sql("insert into domain_tenures (domain, tenant_id, since) select domain, id, 0 from tenants")
        .await;
    let [elsewhere, here] = [1, 2].map(|call| ended(call, ACME, 0));
    let names = vec!["nobody.example.com".to_owned(), ACME.to_owned()];
    let pages = Pages {
        parts: vec![EndedPart { names, ..elsewhere }, here],
        ..Pages::default()
    };
    pages.looker(&bench).turn().await.unwrap();
    assert_eq!(bench.calls(bench.acme.id).await, ["2.0"]);
}
