//! Whose fault it is that a webhook takes nothing, and for how long it was: only what is its own, and lasts, disables it.

use jiff::{SignedDuration, Timestamp};
use rstest::rstest;
use switchyard::app::precondition::IfMatch;
use switchyard::app::webhooks::{self as use_cases, WebhookInput};
use switchyard::domain::clock::Clock as _;
use switchyard::outbox::webhooks::Limits;
use switchyard::store::webhook_queue::{self, Claimed};
use switchyard::store::{Tx, webhook_turns, webhooks};

use super::hooked::{ALLOWED, Hooked, inside};
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::support::receiver::Manner::{Late, Status};
use super::support::receiver::Receiver;
use super::support::wait::until;

const EVENT: &[&str] = &["user.created"];
const HOUR: i64 = 3600;
const YEAR: i64 = 365 * 24 * HOUR;

async fn claim(tx: &mut Tx, now: Timestamp) -> Claimed {
    let minute = std::time::Duration::from_mins(1);
    let claimed = webhook_queue::claim_due(tx, "x", now, minute, &[]).await;
    claimed.unwrap().unwrap()
}

/// As where the host has lost its sealing key.
#[rstest]
#[tokio::test]
async fn a_fault_of_the_host_is_not_held_against_a_webhook_however_long_it_lasts(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (hooked, receiver) = (Hooked::new(backend).await, Receiver::start().await);
    let made = hooked.hook(&receiver, EVENT).await;
    hooked.user("ann", &hooked.acme).await;
    let keyless = hooked.bench.another_store(None).await;
    let sender = hooked.sender_on(keyless, ALLOWED, Limits::default());
    for _ in 0..40 {
        assert_eq!(sender.work_off(&hooked.stop).await.unwrap(), 1);
        hooked.clock.jump(HOUR);
    }
    let webhook = hooked.standing(&made).await;
    let standing = webhook.standing;
    assert!(webhook.is_active);
    assert_eq!((standing.pending, standing.failing_since), (1, None));
    assert!(standing.next_attempt_at.is_some());
    assert!(standing.last_error.is_some() && receiver.connections() == 0);
    assert_eq!(hooked.work_off().await, 1);
    assert_eq!(receiver.numbers(), [1]);
    assert_eq!(hooked.standing(&made).await.standing.last_error, None);
}

#[rstest]
#[tokio::test]
async fn a_webhook_that_refused_an_event_and_fails_once_a_week_later_is_not_disabled(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (hooked, receiver) = (Hooked::new(backend).await, Receiver::start().await);
    let made = hooked.hook(&receiver, EVENT).await;
    receiver.behave(&[Status(422)]);
    hooked.user("ann", &hooked.acme).await;
    for _ in 0..5 {
        assert_eq!(hooked.work_off().await, 1);
        hooked.clock.jump(600);
    }
    let standing = hooked.standing(&made).await.standing;
    assert_eq!((standing.pending, standing.dropped), (0, 1));
    hooked.clock.jump(7 * 24 * HOUR);
    receiver.behave(&[Status(503), Status(200)]);
    hooked.user("bob", &hooked.acme).await;
    assert_eq!(hooked.work_off().await, 1);
    assert!(hooked.standing(&made).await.is_active);
    hooked.clock.jump(10);
    assert_eq!(hooked.work_off().await, 1);
    assert_eq!(receiver.numbers(), [1, 1, 1, 1, 1, 2, 2]);
}

#[rstest]
#[tokio::test]
async fn a_webhook_that_refuses_whatever_comes_for_a_day_is_disabled_with_a_note(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (hooked, receiver) = (Hooked::new(backend).await, Receiver::start().await);
    let made = hooked.hook(&receiver, EVENT).await;
    receiver.behave(&[Status(400)]);
    let user = hooked.user("ann", &hooked.globex).await;
    let mut tx = hooked.store.begin("many").await.unwrap();
    tx.tell(std::iter::repeat_with(|| hooked.created(user)).take(30));
    tx.commit().await.unwrap();
    let mut attempts = 0;
    for _ in 0..24 * 3 + 20 {
        attempts += hooked.work_off().await;
        hooked.clock.jump(HOUR / 3);
    }
    let webhook = hooked.standing(&made).await;
    let note = "disabled: it refused 20 events and took none; the last time: answers with status 400";
    assert_eq!(webhook.note.as_deref(), Some(note));
    assert_eq!(
        (webhook.is_active, webhook.standing.dropped, attempts),
        (false, 30, 100)
    );
}

#[rstest]
#[tokio::test]
async fn what_the_former_address_answers_is_not_held_against_the_new_one(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let hooked = Hooked::new(backend).await;
    let (former, new) = (Receiver::start().await, Receiver::start().await);
    former.behave(&[Late(410)]);
    let made = hooked.hook(&former, EVENT).await;
    hooked.user("ann", &hooked.acme).await;
    let sender = hooked.sender();
    let sending = sender.work_off(&hooked.stop);
    let mending = async {
        until("it is on its way", || former.got().len() == 1).await;
        let input = WebhookInput {
            url: Some(new.url()),
            ..WebhookInput::default()
        };
        let (caller, any) = (inside(&hooked.acme), IfMatch::default());
        use_cases::change(&hooked.app, &caller, made.id, input, &any)
            .await
            .unwrap();
        assert_eq!(hooked.work_off().await, 1, "it is not waited for");
        former.go_on();
    };
    let (sent, ()) = tokio::join!(sending, mending);
    assert_eq!(sent.unwrap(), 1);
    let webhook = hooked.standing(&made).await;
    assert_eq!((webhook.is_active, webhook.note), (true, None));
    assert_eq!((new.numbers(), webhook.standing.pending), (vec![1], 0));
}

#[rstest]
#[tokio::test]
async fn a_webhook_that_was_deleted_or_claimed_by_another_is_disabled_by_nobody(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (hooked, receiver) = (Hooked::new(backend).await, Receiver::start().await);
    let made = hooked.hook(&receiver, EVENT).await;
    hooked.user("ann", &hooked.acme).await;
    let mut tx = hooked.store.begin("claim").await.unwrap();
    let claimed = claim(&mut tx, hooked.clock.now()).await;
    tx.commit().await.unwrap();
    let (app, tenant) = (&hooked.app, hooked.acme.id);
    let disable = |claim| use_cases::disable_failing(app, tenant, made.id, claim, "gone");
    assert!(!disable(claimed.claim - 1).await.unwrap());
    assert!(hooked.standing(&made).await.is_active);
    let (caller, any) = (inside(&hooked.acme), IfMatch::default());
    use_cases::delete(app, &caller, made.id, &any).await.unwrap();
    assert!(!disable(claimed.claim).await.unwrap());
    let no_tenant = switchyard::domain::ids::TenantId::from_uuid(made.id.uuid());
    let of_none = use_cases::disable_failing(app, no_tenant, made.id, claimed.claim, "gone").await;
    assert!(!of_none.unwrap());
}

/// Both want the webhook's row and its events'; PostgreSQL would refuse one of two that wait for each other.
#[tokio::test]
async fn who_notes_an_event_and_who_disables_the_webhook_never_wait_for_each_other() {
    let (hooked, receiver) = (Hooked::new(Postgres).await, Receiver::start().await);
    let made = hooked.hook(&receiver, EVENT).await;
    for (name, is_given_up) in [("ann", false), ("bob", true)] {
        hooked.user(name, &hooked.acme).await;
        let now = hooked.clock.now();
        let mut tx = hooked.store.begin("claim").await.unwrap();
        let claimed = claim(&mut tx, now).await;
        tx.commit().await.unwrap();
        let mut disabling = hooked.store.begin("disable").await.unwrap();
        // It has the row, and is about to delete the events.
        let tenant = hooked.acme.id;
        assert!(
            webhooks::enable(&mut disabling, tenant, made.id, now)
                .await
                .unwrap()
        );
        let noting = async {
            let mut tx = hooked.store.begin("note").await.unwrap();
            let noted = if is_given_up {
                webhook_queue::give_up(&mut tx, &claimed, now, "x").await
            } else {
                webhook_queue::delivered(&mut tx, &claimed, now).await
            };
            noted.unwrap()
        };
        let disabling = async {
            hooked.bench.others_wait().await;
            let disabled = webhooks::disable(&mut disabling, tenant, made.id, None, now).await;
            assert!(disabled.unwrap());
            webhooks::enable(&mut disabling, tenant, made.id, now)
                .await
                .unwrap();
            disabling.commit().await.unwrap();
        };
        let (noted, ()) = tokio::join!(noting, disabling);
        assert!(!noted, "the claim is gone");
    }
}

/// As where the answer to the commit was lost, and it is tried again.
#[rstest]
#[tokio::test]
async fn what_is_noted_twice_counts_once(#[values(Sqlite, Postgres)] backend: Backend) {
    let (hooked, receiver) = (Hooked::new(backend).await, Receiver::start().await);
    let made = hooked.hook(&receiver, EVENT).await;
    for name in ["ann", "bob", "cid"] {
        hooked.user(name, &hooked.acme).await;
    }
    let now = hooked.clock.now();
    let mut tx = hooked.store.begin("claim").await.unwrap();
    let claimed = claim(&mut tx, now).await;
    assert!(webhook_queue::delivered(&mut tx, &claimed, now).await.unwrap());
    tx.commit().await.unwrap();
    let before = hooked.standing(&made).await.standing;
    assert_eq!((before.pending, before.dropped), (2, 0));
    let mut tx = hooked.store.begin("again").await.unwrap();
    assert!(!webhook_queue::delivered(&mut tx, &claimed, now).await.unwrap());
    assert!(!webhook_queue::give_up(&mut tx, &claimed, now, "x").await.unwrap());
    assert!(
        !webhook_queue::retry_later(&mut tx, &claimed, now, now, "x")
            .await
            .unwrap()
    );
    assert!(!webhook_queue::wait(&mut tx, &claimed, now, "x").await.unwrap());
    assert!(!webhook_queue::let_go(&mut tx, &claimed).await.unwrap());
    // Whoever claims it next gets the second one, as its first attempt.
    let next = claim(&mut tx, now).await;
    assert_eq!((next.event.number, next.attempt), (2, 1));
    tx.commit().await.unwrap();
    let after = hooked.standing(&made).await.standing;
    assert_eq!((after.pending, after.dropped, after.last_error), (2, 0, None));
}

/// Delivered, failed or claimed by a process that died: what a clock that was ahead has left of it holds nobody up.
#[rstest]
#[tokio::test]
async fn a_webhook_is_sent_to_at_once_after_a_clock_that_was_ahead_was_put_right(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (hooked, receiver) = (Hooked::new(backend).await, Receiver::start().await);
    let made = hooked.hook(&receiver, EVENT).await;
    hooked.clock.jump(YEAR);
    hooked.user("ann", &hooked.acme).await;
    assert_eq!(hooked.work_off().await, 1);
    hooked.clock.jump(-YEAR);
    hooked.user("bob", &hooked.acme).await;
    assert_eq!(hooked.work_off().await, 1, "it had taken one");
    hooked.clock.jump(YEAR);
    receiver.behave(&[Status(503), Status(200)]);
    hooked.user("cid", &hooked.acme).await;
    assert_eq!(hooked.work_off().await, 1);
    hooked.clock.jump(-YEAR);
    assert_eq!(hooked.work_off().await, 1, "it had failed");
    assert_eq!(receiver.numbers(), [1, 2, 3, 3]);
    hooked.user("dan", &hooked.acme).await;
    let now = hooked.clock.now();
    let mut tx = hooked.store.begin("claim").await.unwrap();
    claim(&mut tx, now + SignedDuration::from_secs(YEAR)).await;
    let again = claim(&mut tx, now).await;
    assert_eq!((again.id, again.claim), (made.id, 6));
    let minute = std::time::Duration::from_mins(1);
    let third = webhook_queue::claim_due(&mut tx, "x", now, minute, &[]).await;
    assert!(third.unwrap().is_none(), "it is claimed by a clock that is right");
    let earliest = webhook_turns::earliest(&mut tx, &[], now).await.unwrap();
    assert_eq!(earliest, Some(now + SignedDuration::from_mins(1)));
}

/// Of two hosts on one database, each of which finds that the time has come by its own clock.
#[rstest]
#[tokio::test]
async fn a_webhook_that_two_hosts_try_whose_clocks_differ_by_a_year_is_not_disabled_within_minutes(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (hooked, receiver) = (Hooked::new(backend).await, Receiver::start().await);
    let made = hooked.hook(&receiver, EVENT).await;
    receiver.behave(&[Status(503)]);
    hooked.user("ann", &hooked.acme).await;
    for _ in 0..20 {
        assert_eq!(hooked.work_off().await, 1);
        hooked.clock.jump(YEAR);
        assert_eq!(hooked.work_off().await, 1);
        hooked.clock.jump(-YEAR);
    }
    let webhook = hooked.standing(&made).await;
    assert_eq!((webhook.is_active, webhook.standing.pending), (true, 1));
}
