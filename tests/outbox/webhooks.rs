//! Events on their way to webhooks: signed, in order, again until they are taken, and dropped only where that is told.

use std::process::Command;

use rstest::rstest;
use switchyard::app::precondition::IfMatch;
use switchyard::app::webhooks as use_cases;
use switchyard::domain::email::EmailAddress;

use super::hooked::{Hooked, inside};
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::support::receiver::Manner::Status;
use super::support::receiver::Receiver;

#[rstest]
#[tokio::test]
async fn an_event_is_delivered_signed_with_what_the_receiver_needs(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (hooked, receiver) = (Hooked::new(backend).await, Receiver::start().await);
    let made = hooked.hook(&receiver, &["user.created"]).await;
    assert_eq!(hooked.work_off().await, 0);
    let ann = hooked.user("ann", &hooked.acme).await;
    assert_eq!(hooked.work_off().await, 1);
    let all = receiver.got();
    let [got] = &all[..] else { panic!("{all:?}") };
    assert!(got.is_signed_by(&[&made.secret]), "{got:?}");
    assert!(!got.is_signed_by(&["whs_another"]));
    let body = got.json();
    let entry = "select id from audit_entries where action = 'user.create'";
    let entry = match backend {
        Sqlite => entry.replace("select id", "select lower(hex(id))"),
        Postgres => entry.replace("select id", "select replace(id::text, '-', '')"),
    };
    let id = body["id"].as_str().unwrap();
    assert_eq!(hooked.bench.ask(entry).await, [id.replace('-', "")]);
    assert_eq!(got.headers["switchyard-event-id"], id);
    assert_eq!(got.headers["switchyard-event"], "user.created");
    assert_eq!(got.headers["content-type"], "application/json");
    assert_eq!(got.path, "/hook?token=T0kenInThePath");
    assert_eq!(
        (&body["type"], &body["number"]),
        (&"user.created".into(), &1.into())
    );
    assert_eq!(body["tenant_id"], hooked.acme.id.to_string());
    let email: EmailAddress = "ann@example.com".parse().unwrap();
    assert_eq!(
        body["data"],
        serde_json::json!({"user": {
            "id": ann, "email": email, "name": "ann", "status": "active", "role": "agent", "extension_id": null,
        }})
    );
    let standing = hooked.standing(&made).await.standing;
    assert_eq!(
        (standing.pending, standing.dropped, standing.last_error),
        (0, 0, None)
    );
    assert!(standing.last_delivered_at.is_some());
    assert_eq!(hooked.work_off().await, 0);
}

#[rstest]
#[tokio::test]
async fn events_come_in_order_and_the_next_one_waits_for_the_first(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (hooked, receiver) = (Hooked::new(backend).await, Receiver::start().await);
    let made = hooked.hook(&receiver, &["user.created"]).await;
    receiver.behave(&[Status(500), Status(404), Status(204)]);
    for name in ["ann", "bob", "cid"] {
        hooked.user(name, &hooked.acme).await;
    }
    for attempt in 1..=2 {
        assert_eq!(hooked.work_off().await, 1);
        let standing = hooked.standing(&made).await.standing;
        assert_eq!((standing.pending, receiver.numbers().len()), (3, attempt));
        assert!(standing.failing_since.is_some() && standing.next_attempt_at.is_some());
        assert_eq!(hooked.work_off().await, 0, "it is left alone for a while");
        hooked.clock.jump(30);
    }
    let error = hooked.standing(&made).await.standing.last_error;
    assert_eq!(error.as_deref(), Some("answers with status 404"));
    assert_eq!(hooked.work_off().await, 3);
    assert_eq!(receiver.numbers(), [1, 1, 1, 2, 3]);
    let got = receiver.got();
    assert_eq!(got[0].body, got[2].body, "the same bytes at each attempt");
    assert_eq!(hooked.standing(&made).await.standing.failing_since, None);
}

#[rstest]
#[tokio::test]
async fn a_change_that_is_not_kept_is_not_told(#[values(Sqlite, Postgres)] backend: Backend) {
    let (hooked, receiver) = (Hooked::new(backend).await, Receiver::start().await);
    let made = hooked.hook(&receiver, &["user.created"]).await;
    hooked.user("ann", &hooked.acme).await;
    let again = switchyard::app::platform_users::UserInput {
        tenant_id: Some(hooked.acme.id.to_string()),
        name: Some("ann".to_owned()),
        email: Some("ann@example.com".to_owned()),
        password: Some("quince medlar sloe".into()),
        ..Default::default()
    };
    let operator = switchyard::app::operator::platform(None);
    let taken = switchyard::app::platform_users::create(&hooked.app, &operator, again).await;
    assert!(taken.is_err());
    assert_eq!(hooked.work_off().await, 1);
    assert_eq!(hooked.standing(&made).await.standing.pending, 0);
    assert_eq!(receiver.numbers(), [1]);
}

#[rstest]
#[tokio::test]
async fn another_address_gets_at_once_what_the_former_one_did_not_take(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let hooked = Hooked::new(backend).await;
    let (receiver, other) = (Receiver::start().await, Receiver::start().await);
    receiver.behave(&[Status(503)]);
    let made = hooked.hook(&receiver, &["user.created"]).await;
    hooked.user("ann", &hooked.acme).await;
    assert_eq!(hooked.work_off().await, 1);
    let input = use_cases::WebhookInput {
        url: Some(other.url()),
        ..Default::default()
    };
    let (caller, any) = (inside(&hooked.acme), IfMatch::default());
    let changed = use_cases::change(&hooked.app, &caller, made.id, input, &any)
        .await
        .unwrap();
    assert_eq!(
        (changed.standing.pending, changed.standing.failing_since),
        (1, None)
    );
    assert_eq!(hooked.work_off().await, 1);
    assert_eq!((receiver.numbers(), other.numbers()), (vec![1], vec![1]));
}

#[rstest]
#[tokio::test]
async fn while_a_secret_is_rotated_both_sign_and_after_a_day_the_new_one_alone(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (hooked, receiver) = (Hooked::new(backend).await, Receiver::start().await);
    let made = hooked.hook(&receiver, &["user.created"]).await;
    let caller = inside(&hooked.acme);
    let (_, secret) = use_cases::rotate_secret(&hooked.app, &caller, made.id)
        .await
        .unwrap();
    hooked.user("ann", &hooked.acme).await;
    hooked.work_off().await;
    hooked.user("bob", &hooked.acme).await;
    hooked.clock.jump(24 * 3600);
    hooked.work_off().await;
    let got = receiver.got();
    assert!(got[0].is_signed_by(&[secret.expose(), &made.secret]));
    assert!(got[1].is_signed_by(&[secret.expose()]));
    // It is not kept for longer than it is needed.
    let rows = "select count(*) || '' from webhooks where former_secret is null and former_until is null";
    assert_eq!(hooked.bench.ask(rows.to_owned()).await, ["1"]);
}

/// The page's own line, run by a shell.
#[rstest]
#[tokio::test]
async fn the_signature_is_what_openssl_makes_of_a_request_as_the_documentation_shows(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (hooked, receiver) = (Hooked::new(backend).await, Receiver::start().await);
    let made = hooked.hook(&receiver, &["user.created"]).await;
    hooked.user("ann", &hooked.acme).await;
    assert_eq!(hooked.work_off().await, 1);
    let got = &receiver.got()[0];
    let page = include_str!("../../docs/webhooks.md");
    let line = page.lines().find(|line| line.contains("openssl dgst")).unwrap();
    let checked = Command::new("sh")
        .args(["-c", line])
        .env("TIMESTAMP", &got.headers["switchyard-timestamp"])
        .env("BODY", &got.body)
        .env("SECRET", &made.secret)
        .output()
        .unwrap();
    let told = String::from_utf8(checked.stdout).unwrap();
    let digits = told.split_whitespace().last().unwrap();
    assert_eq!(
        got.headers["switchyard-signature"],
        format!("v1={digits}"),
        "{told}"
    );
}
