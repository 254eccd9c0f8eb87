//! The places for sending are shared fairly: one tenant's webhooks that hang leave some to the others.

use std::time::Duration;

use rstest::rstest;
use switchyard::domain::clock::Clock as _;
use switchyard::domain::tenant::Tenant;
use switchyard::outbox::webhooks::Limits;
use switchyard::store::{webhook_queue, webhook_turns};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::hooked::{ALLOWED, Hooked};
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::support::receiver::Manner::{Hang, Late};
use super::support::receiver::Receiver;
use super::support::wait::until;

const EVENT: &[&str] = &["tenant.changed"];
/// As many webhooks as a tenant may have.
const MOST: usize = 20;
/// As many of them as are sent to at once.
const SHARE: usize = 8;
/// As many tenants as take all places for sending, if nobody shares.
const CROWD: usize = 7;

impl Hooked {
    /// A tenant that has as many webhooks as it may, all at this receiver.
    async fn crowded(&self, tenant: &Tenant, receiver: &Receiver) {
        for _ in 0..MOST {
            self.hook_at(tenant, &receiver.url(), EVENT).await;
        }
    }

    /// Sends until the stop, and waits for each answer for longer than a test may take.
    fn send(&self, running: &mut JoinSet<()>) {
        let patient = Limits {
            connect: Duration::from_hours(1),
            total: Duration::from_hours(1),
            rest: Duration::from_hours(1),
        };
        let sender = self.sender_on(self.store.clone(), ALLOWED, patient);
        let (nudge, stop) = (self.store.events(), self.stop.clone());
        running.spawn(async move { sender.run(nudge, stop).await.unwrap() });
    }
}

#[rstest]
#[tokio::test]
async fn tenants_whose_webhooks_hang_leave_places_to_the_events_of_others(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let hooked = Hooked::new(backend).await;
    let (hanging, other) = (Receiver::start().await, Receiver::start().await);
    hanging.behave(&[Hang]);
    let mut crowd = Vec::new();
    for number in 0..CROWD {
        let tenant = hooked.tenant(&format!("Crowd{number}")).await;
        hooked.crowded(&tenant, &hanging).await;
        crowd.push(tenant);
    }
    hooked.hook_at(&hooked.globex, &other.url(), EVENT).await;
    let mut running = JoinSet::new();
    hooked.send(&mut running);
    let crowd: Vec<&Tenant> = crowd.iter().collect();
    hooked.tell_of(&crowd).await;
    until("each has its share", || hanging.got().len() >= CROWD * SHARE).await;
    hooked.tell_of(&[&hooked.globex]).await;
    until("the other has its event", || other.numbers() == [1]).await;
    assert_eq!(hanging.got().len(), CROWD * SHARE);
    hooked.stop.cancel();
    until("it ends", || running.try_join_next().is_some()).await;
}

#[rstest]
#[tokio::test]
async fn a_tenant_alone_gets_its_share_at_once_and_the_next_place_as_soon_as_one_is_free(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (hooked, late) = (Hooked::new(backend).await, Receiver::start().await);
    late.behave(&[Late(200)]);
    hooked.crowded(&hooked.acme, &late).await;
    let mut running = JoinSet::new();
    hooked.send(&mut running);
    hooked.tell_of(&[&hooked.acme]).await;
    for answered in 0..=MOST - SHARE {
        until("it has its share", || late.got().len() == answered + SHARE).await;
        // What waits for a place is not sent meanwhile.
        sleep(Duration::from_millis(50)).await;
        assert_eq!(late.got().len(), answered + SHARE);
        late.go_on();
    }
    hooked.stop.cancel();
    until("it ends", || running.try_join_next().is_some()).await;
}

#[rstest]
#[tokio::test]
async fn what_is_passed_over_is_neither_claimed_nor_due(#[values(Sqlite, Postgres)] backend: Backend) {
    let (hooked, receiver) = (Hooked::new(backend).await, Receiver::start().await);
    let made = hooked.hook(&receiver, EVENT).await;
    hooked.tell_of(&[&hooked.acme]).await;
    let (acme, globex) = (hooked.acme.id, hooked.globex.id);
    let mut tx = hooked.store.begin("claim").await.unwrap();
    for but_of in [vec![acme], vec![globex, acme]] {
        let (now, minute) = (hooked.clock.now(), Duration::from_mins(1));
        let earliest = webhook_turns::earliest(&mut tx, &but_of, now).await;
        assert_eq!(earliest.unwrap(), None);
        let claimed = webhook_queue::claim_due(&mut tx, "x", now, minute, &but_of).await;
        assert!(claimed.unwrap().is_none());
    }
    let (now, minute) = (hooked.clock.now(), Duration::from_mins(1));
    let earliest = webhook_turns::earliest(&mut tx, &[globex], now).await;
    assert!(earliest.unwrap().is_some());
    let claimed = webhook_queue::claim_due(&mut tx, "x", now, minute, &[globex]).await;
    assert_eq!(claimed.unwrap().unwrap().id, made.id);
}
