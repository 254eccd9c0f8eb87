//! Webhooks that would do harm: they hang, redirect, flood, lead into the house or are gone, and nobody else notices.

use std::time::Duration;

use rstest::rstest;
use switchyard::app::webhooks::{self as use_cases, WebhookInput};
use switchyard::outbox::webhooks::Limits;
use tokio::task::JoinSet;

use super::hooked::{Hooked, inside};
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::support::receiver::Manner::{Flood, FloodInHead, Hang, HangInAnswer, Late, Redirect, Status};
use super::support::receiver::Receiver;
use super::support::wait::until;

const EVENT: &[&str] = &["user.created"];

#[rstest]
#[tokio::test]
async fn a_webhook_that_hangs_delays_no_other(#[values(Sqlite, Postgres)] backend: Backend) {
    let hooked = Hooked::new(backend).await;
    let (hanging, other) = (Receiver::start().await, Receiver::start().await);
    hanging.behave(&[Hang]);
    hooked.hook(&hanging, EVENT).await;
    hooked.hook(&other, EVENT).await;
    // It waits for longer than the test may take.
    let patient = Limits {
        connect: Duration::from_hours(1),
        total: Duration::from_hours(1),
        rest: Duration::from_hours(1),
    };
    let sender = hooked.sender_on(hooked.store.clone(), super::hooked::ALLOWED, patient);
    let mut running = JoinSet::new();
    // What this process puts into queues is nudged for; the first is looked for at the start.
    hooked.user("ann", &hooked.acme).await;
    running.spawn(sender.run(hooked.store.events(), hooked.stop.clone()));
    until("the one hangs", || hanging.got().len() == 1).await;
    until("the other has it", || other.numbers() == [1]).await;
    let bob = hooked.user("bob", &hooked.globex).await;
    let mut tx = hooked.store.begin("another").await.unwrap();
    tx.tell([hooked.created(bob)]);
    tx.commit().await.unwrap();
    until("and the next", || other.numbers() == [1, 2]).await;
    assert_eq!(hanging.got().len(), 1);
    hooked.stop.cancel();
    assert!(running.join_next().await.unwrap().unwrap().is_ok());
}

#[rstest]
#[tokio::test]
async fn a_webhook_that_hangs_is_tried_again_later(#[values(Sqlite, Postgres)] backend: Backend) {
    let (hooked, receiver) = (Hooked::new(backend).await, Receiver::start().await);
    receiver.behave(&[Hang, Status(200)]);
    let made = hooked.hook(&receiver, EVENT).await;
    hooked.user("ann", &hooked.acme).await;
    assert_eq!(hooked.impatient().work_off(&hooked.stop).await.unwrap(), 1);
    let standing = hooked.standing(&made).await.standing;
    assert_eq!(standing.last_error.as_deref(), Some("does not answer in time"));
    hooked.clock.jump(10);
    assert_eq!(hooked.work_off().await, 1);
    assert_eq!(receiver.numbers(), [1, 1]);
}

#[rstest]
#[tokio::test]
async fn an_answer_that_does_not_end_is_one_and_nobody_waits_for_its_end(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[values(HangInAnswer, Flood(10 * 1024 * 1024), Flood(1 << 40))] manner: super::support::receiver::Manner,
) {
    let (hooked, receiver) = (Hooked::new(backend).await, Receiver::start().await);
    let floods = matches!(manner, Flood(_));
    receiver.behave(&[manner]);
    let made = hooked.hook(&receiver, EVENT).await;
    hooked.user("ann", &hooked.acme).await;
    assert_eq!(hooked.work_off().await, 1);
    let standing = hooked.standing(&made).await.standing;
    assert!(standing.last_delivered_at.is_some(), "{standing:?}");
    if floods {
        until("the connection ends", || receiver.flooded().is_some()).await;
        // What lies in the kernel's buffers was taken by nobody.
        assert!(
            receiver.flooded() < Some(10 * 1024 * 1024),
            "{:?}",
            receiver.flooded()
        );
    }
}

#[rstest]
#[tokio::test]
async fn a_flood_of_headers_is_a_failure_and_is_not_taken_in(#[values(Sqlite, Postgres)] backend: Backend) {
    let (hooked, receiver) = (Hooked::new(backend).await, Receiver::start().await);
    receiver.behave(&[FloodInHead(1 << 40)]);
    let made = hooked.hook(&receiver, EVENT).await;
    hooked.user("ann", &hooked.acme).await;
    assert_eq!(hooked.work_off().await, 1);
    let standing = hooked.standing(&made).await.standing;
    assert!(standing.last_error.is_some(), "{standing:?}");
    until("the connection ends", || receiver.flooded().is_some()).await;
    assert!(
        receiver.flooded() < Some(10 * 1024 * 1024),
        "{:?}",
        receiver.flooded()
    );
}

#[rstest]
#[tokio::test]
async fn a_redirect_is_a_failure_and_is_not_followed(#[values(Sqlite, Postgres)] backend: Backend) {
    let hooked = Hooked::new(backend).await;
    let (receiver, elsewhere) = (Receiver::start().await, Receiver::start().await);
    receiver.behave(&[Redirect(elsewhere.url())]);
    let made = hooked.hook(&receiver, EVENT).await;
    hooked.user("ann", &hooked.acme).await;
    assert_eq!(hooked.work_off().await, 1);
    let error = hooked.standing(&made).await.standing.last_error;
    assert_eq!(
        error.as_deref(),
        Some("answers with status 307; redirects are not followed")
    );
    assert_eq!((receiver.connections(), elsewhere.connections()), (1, 0));
}

/// However the address is written, and also where only its name's resolver knows it.
#[rstest]
#[tokio::test]
async fn nothing_is_sent_to_an_address_that_is_not_allowed(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[values(
        "https://127.0.0.1:{}/",
        "https://localhost:{}/",
        "https://[::ffff:127.0.0.1]:{}/",
        "http://127.0.0.1:{}/",
        "http://localhost:{}/"
    )]
    url: &str,
) {
    let (hooked, receiver) = (Hooked::new(backend).await, Receiver::start().await);
    let url = url.replace("{}", &receiver.address.port().to_string());
    let made = hooked.hook_at(&hooked.acme, &url, EVENT).await;
    hooked.user("ann", &hooked.acme).await;
    // The configuration is another one by now.
    for allowed in ["", "10.0.0.0/8"] {
        let strict = hooked.sender_on(hooked.store.clone(), allowed, Limits::default());
        assert_eq!(strict.work_off(&hooked.stop).await.unwrap(), 1);
        let standing = hooked.standing(&made).await.standing;
        let error = standing.last_error.unwrap();
        assert_eq!(error, "leads to no address that webhooks may reach");
        hooked.clock.jump(60);
    }
    assert_eq!(receiver.connections(), 0);
    // It would be reached.
    assert_eq!(hooked.work_off().await, 1);
    assert_eq!(receiver.connections(), 1);
}

#[rstest]
#[tokio::test]
async fn a_webhook_that_takes_nothing_for_a_day_is_disabled_with_a_note_and_begins_anew(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (hooked, receiver) = (Hooked::new(backend).await, Receiver::start().await);
    receiver.behave(&[Status(503)]);
    let made = hooked.hook(&receiver, EVENT).await;
    for name in ["ann", "bob"] {
        hooked.user(name, &hooked.acme).await;
    }
    let mut attempts = 0;
    for _ in 0..24 * 60 + 2 {
        attempts += hooked.work_off().await;
        hooked.clock.jump(60);
    }
    assert!((20..60).contains(&attempts), "{attempts}");
    let webhook = hooked.standing(&made).await;
    assert!(!webhook.is_active);
    assert_eq!((webhook.standing.pending, webhook.standing.dropped), (0, 2));
    let note = "disabled: it took nothing for 24 hours; the last time: answers with status 503";
    assert_eq!(webhook.note.as_deref(), Some(note));
    let sql =
        "select actor_name || ' ' || action from audit_entries where resource = 'webhook' order by number";
    let entries = hooked.bench.ask(sql.to_owned()).await;
    assert_eq!(
        entries,
        ["system:cli webhook.create", "system:auto webhook.disable"]
    );
    assert_eq!(hooked.work_off().await, 0);

    // What happens meanwhile is nothing to it.
    hooked.user("cid", &hooked.acme).await;
    receiver.behave(&[]);
    let webhook = hooked.active(&made, true).await;
    assert_eq!((webhook.is_active, webhook.note), (true, None));
    hooked.user("dan", &hooked.acme).await;
    assert_eq!(hooked.work_off().await, 1);
    let last = receiver.got().pop().unwrap().json();
    assert_eq!(
        (&last["data"]["user"]["name"], &last["number"]),
        (&"dan".into(), &3.into())
    );
}

#[rstest]
#[tokio::test]
async fn a_webhook_that_says_it_is_gone_is_disabled_at_once(#[values(Sqlite, Postgres)] backend: Backend) {
    let (hooked, receiver) = (Hooked::new(backend).await, Receiver::start().await);
    receiver.behave(&[Status(410)]);
    let made = hooked.hook(&receiver, EVENT).await;
    hooked.user("ann", &hooked.acme).await;
    assert_eq!(hooked.work_off().await, 1);
    let webhook = hooked.standing(&made).await;
    assert!(!webhook.is_active && webhook.note.unwrap().contains("410"));
    let standing = webhook.standing;
    assert!(standing.last_failed_at.is_some() && standing.last_error.unwrap().contains("410"));
}

#[rstest]
#[tokio::test]
async fn a_webhook_whose_record_cannot_be_read_keeps_no_event_from_being_sent(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (hooked, receiver) = (Hooked::new(backend).await, Receiver::start().await);
    for _ in 0..2 {
        hooked.hook(&receiver, EVENT).await;
    }
    hooked
        .bench
        .sql(
            "update webhooks set failing_since = 9223372036854775807 where id = (select id from webhooks order by id limit 1)",
        )
        .await;
    hooked.user("ann", &hooked.acme).await;
    assert_eq!(hooked.work_off().await, 2);
    assert_eq!(receiver.got().len(), 2);
}

#[rstest]
#[tokio::test]
async fn an_event_that_is_refused_for_what_it_is_is_given_up_and_the_next_one_goes_out(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (hooked, receiver) = (Hooked::new(backend).await, Receiver::start().await);
    receiver.behave(&[
        Status(422),
        Status(422),
        Status(422),
        Status(422),
        Status(422),
        Status(200),
    ]);
    let made = hooked.hook(&receiver, EVENT).await;
    for name in ["ann", "bob"] {
        hooked.user(name, &hooked.acme).await;
    }
    for _ in 0..5 {
        hooked.work_off().await;
        hooked.clock.jump(600);
    }
    assert_eq!(receiver.numbers(), [1, 1, 1, 1, 1, 2]);
    let standing = hooked.standing(&made).await.standing;
    assert_eq!((standing.pending, standing.dropped), (0, 1));
}

#[rstest]
#[tokio::test]
async fn what_comes_beyond_a_full_queue_is_dropped_and_that_is_told(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    use switchyard::store::webhook_queue::MOST_PENDING;
    let (hooked, receiver) = (Hooked::new(backend).await, Receiver::start().await);
    let made = hooked.hook(&receiver, EVENT).await;
    let most = usize::try_from(MOST_PENDING).unwrap();
    let user = hooked.user("ann", &hooked.globex).await;
    let mut tx = hooked.store.begin("flood").await.unwrap();
    tx.tell(std::iter::repeat_with(|| hooked.created(user)).take(most + 3));
    tx.commit().await.unwrap();
    let standing = hooked.standing(&made).await.standing;
    assert_eq!((standing.pending, standing.dropped), (MOST_PENDING, 3));
    hooked
        .bench
        .sql("delete from webhook_events where number > 1")
        .await;
    hooked.bench.sql("update webhooks set pending = 1").await;
    hooked.work_off().await;
    hooked.user("bob", &hooked.acme).await;
    hooked.work_off().await;
    assert_eq!(receiver.numbers(), [1, MOST_PENDING + 4]);
}

#[rstest]
#[tokio::test]
async fn a_webhook_that_is_disabled_while_an_event_is_on_its_way_stays_disabled(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (hooked, receiver) = (Hooked::new(backend).await, Receiver::start().await);
    receiver.behave(&[Late(503)]);
    let made = hooked.hook(&receiver, EVENT).await;
    hooked.user("ann", &hooked.acme).await;
    let sender = hooked.sender();
    let sending = sender.work_off(&hooked.stop);
    let disabling = async {
        until("it is on its way", || receiver.got().len() == 1).await;
        let disabled = hooked.active(&made, false).await;
        receiver.go_on();
        disabled
    };
    let (sent, disabled) = tokio::join!(sending, disabling);
    assert_eq!((sent.unwrap(), disabled.note), (1, None));
    let webhook = hooked.standing(&made).await;
    assert_eq!((webhook.is_active, webhook.standing.pending), (false, 0));
    assert_eq!(
        webhook.standing.last_error, None,
        "nothing is noted of what was let go"
    );
}

#[rstest]
#[tokio::test]
async fn a_url_that_leads_into_the_house_is_refused_by_the_use_cases(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let hooked = Hooked::new(backend).await;
    for url in [
        "https://10.0.0.1/",
        "http://example.net@10.0.0.1/",
        "https://[fe80::1]/",
        "https://169.254.169.254/",
    ] {
        let input = WebhookInput {
            url: Some(url.to_owned()),
            events: Some(vec!["user.created".to_owned()]),
            active: None,
        };
        let refused = use_cases::create(&hooked.app, &inside(&hooked.acme), input).await;
        let error = refused.err().unwrap().to_string();
        assert!(error.starts_with("url must"), "{url}: {error}");
    }
}
