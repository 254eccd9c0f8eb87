//! What arrives, and how often.

use std::time::Duration;

use rstest::rstest;
use switchyard::outbox::worker::Rest;
use switchyard::store::outbox;

use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::{ADDRESS, TOKEN, World};

#[rstest]
#[tokio::test]
async fn o28_an_invitation_arrives_whole_and_once(#[values(Sqlite, Postgres)] backend: Backend) {
    let world = World::new(backend).await;
    let subject = world.post(&world.invitation_to("Zoë Müller", "Söhne & Co")).await;
    assert_eq!(world.work_off().await, Rest::NothingDue);
    world.clock.forward(Duration::from_hours(48));
    assert_eq!(world.work_off().await, Rest::NothingDue);

    world.server.assert_correct();
    let accepted = world.server.accepted();
    let [mail] = accepted.as_slice() else {
        panic!("{accepted:?}")
    };
    assert_eq!(
        (mail.from.as_str(), mail.to.as_slice()),
        ("pbx@example.com", &[ADDRESS.to_owned()][..])
    );
    let standing = world.standing(&subject).await.unwrap();
    let header = |name| mail.header(name).unwrap();
    assert_eq!(header("From"), "Switchyard <pbx@example.com>");
    assert_eq!(header("To"), format!("Zoë Müller <{ADDRESS}>"));
    assert_eq!(header("Subject"), "You are invited to Söhne & Co");
    assert_eq!(header("Message-ID"), format!("<{}@example.com>", standing.id));
    assert_eq!(header("Auto-Submitted"), "auto-generated");
    let date = mailparse::dateparse(&header("Date")).unwrap();
    assert_eq!(date, standing.created_at.as_second());

    let parts = mail.parts();
    let kinds: Vec<&str> = parts.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["text/plain", "text/html"]);
    let link = format!("https://pbx.example.com/invitation#token={TOKEN}");
    for (kind, text) in &parts {
        assert!(
            text.contains("Hello Zoë Müller,") && text.contains(&link),
            "{kind}: {text}"
        );
    }
    assert!(parts[0].1.contains("the telephone system of Söhne & Co"));
    assert!(parts[1].1.contains("Söhne &amp; Co"));

    assert_eq!(standing.attempts, 1);
    assert!(standing.sent_at.is_some() && standing.gave_up_at.is_none() && standing.last_error.is_none());
}

#[rstest]
#[tokio::test]
async fn o28_what_is_not_committed_is_never_sent(#[values(Sqlite, Postgres)] backend: Backend) {
    let world = World::new(backend).await;
    let (message, subject) = world.message(&world.invitation());
    let mut tx = world.begin().await;
    outbox::push(&mut tx, &message).await.unwrap();
    drop(tx);
    assert_eq!(world.work_off().await, Rest::NothingDue);
    assert!(world.server.accepted().is_empty());
    assert_eq!(world.standing(&subject).await, None);
}

#[rstest]
#[tokio::test]
async fn o28_what_was_taken_back_before_it_was_sent_is_never_sent(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let mut world = World::new(backend).await;
    // It has been tried already, so it waits.
    world.server.stop().await;
    let revoked = world.post(&world.invitation()).await;
    assert_eq!(world.work_off().await, Rest::ServerDown);
    let other = world.post(&world.invitation_to("Other", "Acme Inc.")).await;
    let mut tx = world.begin().await;
    assert_eq!(outbox::revoke(&mut tx, None, &revoked).await.unwrap(), 1);
    tx.commit().await.unwrap();

    world.server.start_again().await;
    world.clock.forward(Duration::from_hours(1));
    assert_eq!(world.work_off().await, Rest::NothingDue);
    assert_eq!(world.standing(&revoked).await, None);
    assert!(world.standing(&other).await.unwrap().sent_at.is_some());
    let accepted = world.server.accepted();
    assert_eq!(accepted.len(), 1);
    assert_eq!(accepted[0].header("To").unwrap(), format!("Other <{ADDRESS}>"));
}

#[tokio::test]
async fn a_sent_mail_cannot_be_taken_back_and_says_nothing_any_more() {
    let world = World::new(Sqlite).await;
    let subject = world.post(&world.invitation()).await;
    world.work_off().await;
    let mut tx = world.begin().await;
    assert_eq!(outbox::revoke(&mut tx, None, &subject).await.unwrap(), 0);
    tx.commit().await.unwrap();
    let rows = world
        .bench
        .ask("select 'left' from outbox where payload is not null".to_owned());
    assert_eq!(rows.await, [""; 0]);
}

#[tokio::test]
async fn an_offer_that_has_expired_is_not_sent() {
    let world = World::new(Sqlite).await;
    let expired = world.post(&world.invitation()).await;
    world.clock.forward(Duration::from_hours(7 * 24));
    let lasting = world.post(&world.password_changed()).await;
    assert_eq!(world.work_off().await, Rest::NothingDue);
    let standing = world.standing(&expired).await.unwrap();
    assert!(standing.gave_up_at.is_some() && standing.last_error.unwrap().contains("has expired"));
    assert!(world.standing(&lasting).await.unwrap().sent_at.is_some());
    assert_eq!(world.server.accepted().len(), 1);
}

#[tokio::test]
async fn mails_go_out_in_the_order_in_which_they_were_written() {
    let world = World::new(Sqlite).await;
    for number in 0..20 {
        world
            .post(&world.invitation_to(&format!("Ann {number}"), "Acme Inc."))
            .await;
    }
    world.work_off().await;
    let to: Vec<String> = world
        .server
        .accepted()
        .iter()
        .map(|mail| mail.header("To").unwrap())
        .collect();
    let wanted: Vec<String> = (0..20)
        .map(|number| format!("\"Ann {number}\" <{ADDRESS}>"))
        .collect();
    assert_eq!(to, wanted);
}
