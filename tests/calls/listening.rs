//! How well calls are known while a PBX tells, answers late or not at all, breaks off and comes back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use switchyard::domain::call::{Call, Presence};
use switchyard::domain::clock::{Clock as _, SystemClock};
use switchyard::domain::instance_secrets::InstanceSecrets;
use switchyard::driver::feed::News;
use tempfile::TempDir;

use super::instances::{secrets, settings};
use super::keeper::record;
use super::rig::{Monitor, soon};
use super::scripted::{Feeds, Link, leg, phone};
use super::support::database::Backend;
use super::support::wait::until;
use super::support::world::{Phone, Tenant, World};

const ANN: &str = "1001@acme.example.com";
/// Nothing is asked for because time goes by.
const NEVER: Duration = Duration::from_mins(5);

struct Rig {
    world: World,
    acme: Tenant,
    ann: Phone,
    monitor: Monitor,
    home: TempDir,
}

impl Rig {
    /// Listens to these one after the other.
    async fn start<const N: usize>(lag: Duration) -> (Self, [Link; N]) {
        let home = tempfile::tempdir().unwrap();
        let world = World::new(Backend::Sqlite, settings(1, home.path()), secrets(), home.path()).await;
        let acme = world.tenant("acme").await;
        let ann = world.extension(&acme, "1001", "Ann").await;
        let (mut links, mut feeds) = (Vec::new(), Vec::new());
        for _ in 0..N {
            let (link, feed) = Link::new(lag);
            links.push(link);
            feeds.push(feed);
        }
        let monitor = Monitor::start_with(&world, Feeds::of(feeds), NEVER);
        let rig = Self {
            world,
            acme,
            ann,
            monitor,
            home,
        };
        (rig, links.try_into().ok().unwrap())
    }

    /// The same, with one that is up and known to have no call.
    async fn known() -> (Self, Link) {
        let (rig, [mut link]) = Self::start(Duration::ZERO).await;
        rig.comes_up(&mut link).await;
        (rig, link)
    }

    async fn comes_up(&self, link: &mut Link) {
        link.tell(News::LinkUp);
        link.asked().await.answer(Vec::new());
        self.until_fresh().await;
    }

    async fn until_fresh(&self) {
        until("it is known", || self.monitor.is_fresh()).await;
    }

    async fn until_stale(&self) {
        let is_stale = || {
            self.monitor
                .figures()
                .is_some_and(|figures| figures.freshness.stale)
        };
        until("it is stale", is_stale).await;
    }

    async fn until_calls(&self, count: usize) {
        until("the calls are told", || self.calls().len() == count).await;
    }

    fn calls(&self) -> Vec<Arc<Call>> {
        let board = &self.monitor.board;
        board
            .of_tenant(self.acme.id, self.world.instance_id, SystemClock.now())
            .0
    }

    fn as_of(&self) -> Option<Timestamp> {
        self.monitor.figures().and_then(|figures| figures.freshness.as_of)
    }

    fn presence(&self) -> Option<Presence> {
        let asked = [(self.ann.extension.id, &self.ann.extension.number)];
        let board = &self.monitor.board;
        board.presences(self.acme.id, self.world.instance_id, &asked, SystemClock.now())[0]
    }

    async fn until_presence(&self, presence: Presence) {
        until("who is there is told", || self.presence() == Some(presence)).await;
    }
}

#[tokio::test]
async fn o10_while_news_were_lost_it_is_stale_until_a_poll_that_was_begun_after_that() {
    let (rig, mut link) = Rig::known().await;
    for lost in [News::Lost, News::LegLost] {
        link.tell(lost);
        // Nobody answers it before it is seen.
        let asked = link.asked().await;
        assert!(!rig.monitor.is_fresh());
        asked.answer(vec![leg(1, ANN)]);
        rig.until_fresh().await;
        assert_eq!(rig.calls().len(), 1);
    }
}

#[tokio::test]
async fn o10_a_poll_that_is_not_answered_makes_stale_what_was_known_until_another_is() {
    let (rig, mut link) = Rig::known().await;
    link.tell(News::Moved);
    let asked = link.asked().await;
    assert!(rig.monitor.is_fresh(), "a poll more does no harm");
    asked.fail();
    let again = link.asked().await;
    assert!(!rig.monitor.is_fresh());
    again.answer(Vec::new());
    rig.until_fresh().await;
}

#[tokio::test]
async fn o10_a_pbx_that_answered_no_poll_for_long_is_known_within_two_seconds_once_it_does() {
    let (rig, mut link) = Rig::known().await;
    link.tell(News::Moved);
    // So often that pauses which grow would have grown.
    for _ in 0..6 {
        link.asked().await.fail();
    }
    let since = Instant::now();
    link.asked().await.answer(vec![leg(1, ANN)]);
    rig.until_fresh().await;
    soon(since, "it answers");
    assert_eq!(rig.calls().len(), 1);
}

#[tokio::test]
async fn o10_after_a_break_calls_and_phones_are_not_known_before_each_was_asked_for() {
    let (rig, mut link) = Rig::known().await;
    link.asked_phones().await.answer(vec![phone(ANN)]);
    rig.until_presence(Presence::Available).await;
    link.tell(News::Leg(leg(1, ANN)));
    rig.until_presence(Presence::OnCall).await;
    link.tell(News::LinkDown);
    rig.until_stale().await;
    assert_eq!(
        (rig.calls().len(), rig.presence()),
        (1, None),
        "what was known is shown"
    );
    link.tell(News::LinkUp);
    let asked = link.asked().await;
    assert!(!rig.monitor.is_fresh());
    asked.answer(Vec::new());
    // Only once calls are known.
    let asked = link.asked_phones().await;
    assert_eq!((rig.monitor.is_fresh(), rig.calls().len()), (true, 0));
    assert_eq!(rig.presence(), None);
    asked.answer(Vec::new());
    rig.until_presence(Presence::Offline).await;
}

#[tokio::test]
async fn o10_what_a_poll_told_is_as_of_its_begin_however_long_the_answer_took() {
    let (rig, [mut link]) = Rig::start(Duration::ZERO).await;
    link.hears(Some(false));
    link.tell(News::LinkUp);
    let asked = link.asked().await;
    let begun = asked.at;
    tokio::time::sleep(Duration::from_millis(5)).await;
    asked.answer(Vec::new());
    until("it is told", || rig.as_of().is_some()).await;
    let first = rig.as_of().unwrap();
    assert!(first <= begun, "{first} is after {begun}");
    // Nothing is heard of calls: whatever else is heard makes them no newer.
    link.tell(News::SignedIn(phone(ANN)));
    link.tell(News::Moved);
    let asked = link.asked().await;
    assert_eq!((rig.as_of(), rig.monitor.is_fresh()), (Some(first), false));
    asked.answer(Vec::new());
    until("the next is told", || rig.as_of() > Some(first)).await;
    assert!(!rig.monitor.is_fresh());
}

#[tokio::test]
async fn o10_what_was_heard_on_one_link_is_no_proof_that_the_next_one_hears() {
    let (rig, mut link) = Rig::known().await;
    link.asked_phones().await.answer(Vec::new());
    link.tell(News::Leg(leg(1, ANN)));
    rig.until_calls(1).await;
    link.tell(News::LinkDown);
    link.hears(Some(false));
    link.tell(News::LinkUp);
    link.asked().await.answer(vec![leg(1, ANN)]);
    // Once phones are asked for, the answer was taken.
    link.asked_phones().await.answer(Vec::new());
    assert!(!rig.monitor.is_fresh());
}

#[tokio::test]
async fn o10_a_link_that_is_made_anew_since_it_should_hear_by_now_is_believed_at_its_second_poll_only() {
    let (rig, [mut link, mut next]) = Rig::start(Duration::ZERO).await;
    link.hears(Some(false));
    link.tell(News::LinkUp);
    link.asked().await.answer(Vec::new());
    until("it is told", || rig.as_of().is_some()).await;
    link.hears(Some(true));
    link.tell(News::Moved);
    link.asked().await.answer(Vec::new());
    until("it is let go", || link.is_let_go()).await;
    next.tell(News::LinkUp);
    next.asked().await.answer(Vec::new());
    // Once phones are asked for, the answer was taken.
    next.asked_phones().await.answer(Vec::new());
    assert!(
        !rig.monitor.is_fresh(),
        "its PBX may not have read yet what it says"
    );
    next.tell(News::Moved);
    next.asked().await.answer(Vec::new());
    rig.until_fresh().await;
}

#[tokio::test]
async fn o10_the_table_is_asked_for_no_sooner_than_it_has_caught_up_with_the_news() {
    const LAG: Duration = Duration::from_millis(300);
    let (rig, [mut link]) = Rig::start(LAG).await;
    let told = Instant::now();
    link.tell(News::LinkUp);
    let asked = link.asked().await;
    assert!(asked.since.duration_since(told) >= LAG);
    asked.answer(Vec::new());
    rig.until_fresh().await;
}

#[tokio::test]
async fn o10_more_calls_than_are_followed_are_asked_for_at_once_and_stale_until_they_are_fewer() {
    const FOLLOWED: usize = 20_000;
    let (rig, mut link) = Rig::known().await;
    let outside = "1001@nobody.example.com";
    let legs: Vec<_> = (0..=FOLLOWED).map(|id| leg(id, outside)).collect();
    for leg in &legs {
        link.tell(News::Leg(leg.clone()));
    }
    let asked = link.asked().await;
    assert!(!rig.monitor.is_fresh());
    asked.answer(legs.clone());
    // It was taken once somebody asks for phones, or for whatever comes next.
    link.tell(News::Moved);
    let asked = link.asked().await;
    assert!(!rig.monitor.is_fresh(), "one is not followed");
    asked.answer(legs.into_iter().skip(1).collect());
    rig.until_fresh().await;
    assert_eq!(rig.monitor.figures().unwrap().total, FOLLOWED);
}

#[tokio::test]
async fn o10_while_the_database_does_not_say_whose_domains_are_calls_are_stale_and_then_right() {
    let (rig, mut link) = Rig::known().await;
    link.tell(News::Leg(leg(1, ANN)));
    rig.until_calls(1).await;
    let sql = async |sql| rig.world.database.sql(sql).await;
    sql("alter table tenant_domain_aliases rename to away").await;
    link.tell(News::Moved);
    link.asked().await.answer(vec![leg(1, ANN)]);
    rig.until_stale().await;
    sql("alter table away rename to tenant_domain_aliases").await;
    sql("update tenants set domain = 'new.example.com' where domain = 'acme.example.com'").await;
    rig.until_fresh().await;
    assert_eq!(rig.calls().len(), 0, "it is at nobody's domain");
}

#[tokio::test]
async fn o10_a_listener_that_broke_leaves_what_it_told_stale_and_its_successor_no_ghost() {
    let (rig, [mut link, mut next]) = Rig::start(Duration::ZERO).await;
    rig.comes_up(&mut link).await;
    link.tell(News::Leg(leg(1, ANN)));
    rig.until_calls(1).await;
    link.panic();
    rig.until_stale().await;
    assert_eq!(rig.calls().len(), 1);
    next.tell(News::LinkUp);
    let asked = next.asked().await;
    assert!(!rig.monitor.is_fresh());
    asked.answer(Vec::new());
    rig.until_fresh().await;
    assert_eq!(rig.calls().len(), 0, "it ended while nobody listened");
}

#[tokio::test]
async fn o10_of_a_link_that_has_ended_nothing_is_known_while_its_records_are_written_yet() {
    let (rig, link) = Rig::known().await;
    link.tell(News::Leg(leg(1, ANN)));
    rig.until_calls(1).await;
    // Nothing can be written for now.
    let held = rig.world.store.begin("held").await.unwrap();
    link.tell(record(1, "acme.example.com", 0));
    link.end();
    rig.until_stale().await;
    assert!(!link.is_let_go(), "its records are written");
    held.commit().await.unwrap();
}

#[tokio::test]
async fn o10_a_pbx_that_is_another_ones_by_now_is_let_go_and_what_it_tells_on_is_not_its_successors() {
    let (rig, [mut link, mut next]) = Rig::start(Duration::ZERO).await;
    rig.comes_up(&mut link).await;
    link.tell(News::Leg(leg(1, ANN)));
    rig.until_calls(1).await;
    rig.world.reach(settings(2, rig.home.path()), &secrets()).await;
    until("the first is let go", || link.is_let_go()).await;
    rig.comes_up(&mut next).await;
    assert_eq!(rig.calls().len(), 0);
    let elsewhere = "update instances set node = 'elsewhere'";
    rig.world.database.sql(elsewhere).await;
    until("the other is let go", || next.is_let_go()).await;
    assert_eq!(rig.monitor.figures(), None);
}

#[tokio::test]
async fn o10_of_a_pbx_that_nobody_can_listen_to_any_more_nothing_is_told() {
    let (rig, link) = Rig::known().await;
    link.tell(News::Leg(leg(1, ANN)));
    rig.until_calls(1).await;
    // The same PBX, and there is no second link to it.
    let other = InstanceSecrets::of_control("other".to_owned().into());
    rig.world.reach(settings(1, rig.home.path()), &other).await;
    until("nothing is told", || rig.monitor.figures().is_none()).await;
    assert_eq!(rig.calls().len(), 0);
}

#[tokio::test]
async fn o10_an_extension_that_was_made_since_takes_part_in_its_next_call() {
    let (rig, link) = Rig::known().await;
    link.tell(News::Leg(leg(1, ANN)));
    rig.until_calls(1).await;
    rig.world.extension(&rig.acme, "1002", "Bob").await;
    // They were read no longer than so ago.
    tokio::time::sleep(Duration::from_secs(2)).await;
    link.tell(News::Leg(leg(2, "1002@acme.example.com")));
    rig.until_calls(2).await;
    let parts = rig.calls();
    assert!(
        parts.iter().all(|call| call.extension_ids.len() == 1),
        "{parts:#?}"
    );
}

#[tokio::test]
async fn o10_once_a_tenant_is_gone_its_calls_are_nobodys_although_its_pbx_is_not_reached() {
    let (rig, link) = Rig::known().await;
    link.tell(News::Leg(leg(1, ANN)));
    rig.until_calls(1).await;
    link.tell(News::LinkDown);
    rig.until_stale().await;
    let gone = "update tenants set domain = 'gone.example.com' where domain = 'acme.example.com'";
    rig.world.database.sql(gone).await;
    // Within half a minute, and nothing else happens meanwhile.
    for _ in 0..3_000 {
        if rig.calls().is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!((rig.calls().len(), rig.monitor.figures().unwrap().total), (0, 1));
}
