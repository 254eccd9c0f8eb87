//! A mail server that is dead, full, slow to decide or broken: nothing is lost, nothing is asked without end.

use std::time::Duration;

use rstest::rstest;
use switchyard::outbox::worker::Rest;

use super::support::database::Backend::{self, Postgres, Sqlite};
use super::support::smtp::At::{self, Command, Content, Greeting, MidContent};
use super::support::smtp::Fault::{self, Cut};
use super::world::World;

fn code_of(answer: &str) -> &str {
    answer.split(' ').next().unwrap()
}

fn answer(text: &str) -> Fault {
    Fault::Answer(text.to_owned())
}

#[rstest]
#[tokio::test]
async fn o28_a_dead_mail_server_loses_nothing_and_the_mail_arrives_once_it_is_back(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let mut world = World::new(backend).await;
    world.server.stop().await;
    let first = world.post(&world.invitation()).await;
    for attempt in 1..=20 {
        assert_eq!(world.work_off().await, Rest::ServerDown);
        let standing = world.standing(&first).await.unwrap();
        assert_eq!(standing.attempts, attempt);
        let error = standing.last_error.unwrap();
        assert!(
            error.contains("connecting") && error.contains("refused"),
            "{error}"
        );
        assert_eq!((standing.sent_at, standing.gave_up_at), (None, None));
        assert_eq!(world.work_off().await, Rest::NothingDue, "it waits for its time");
        world.clock.forward(Duration::from_hours(1));
    }
    let second = world.post(&world.password_changed()).await;
    world.server.start_again().await;
    assert_eq!(world.work_off().await, Rest::NothingDue);
    assert_eq!(world.server.accepted().len(), 2);
    for subject in [first, second] {
        let standing = world.standing(&subject).await.unwrap();
        assert!(standing.sent_at.is_some() && standing.last_error.is_none());
    }
}

#[tokio::test]
async fn a_server_that_is_down_is_not_asked_for_every_mail() {
    let mut world = World::new(Sqlite).await;
    world.server.stop().await;
    let mut subjects = Vec::new();
    for _ in 0..5 {
        subjects.push(world.post(&world.invitation()).await);
    }
    assert_eq!(world.work_off().await, Rest::ServerDown);
    let mut attempts = Vec::new();
    for subject in &subjects {
        attempts.push(world.standing(subject).await.unwrap().attempts);
    }
    assert_eq!(attempts, [1, 0, 0, 0, 0]);
    world.server.start_again().await;
    assert_eq!(world.work_off().await, Rest::NothingDue);
    assert_eq!(world.server.accepted().len(), 4);
}

#[rstest]
#[case::busy(Greeting, answer("421 too many of you"), "connecting: transient error (421)")]
#[case::gone(Greeting, Cut, "connecting")]
#[case::no_ehlo(Command("EHLO"), answer("451 later"), "connecting: transient error (451)")]
#[case::sender(Command("MAIL"), answer("451 later"), "MAIL FROM: transient error (451)")]
#[case::greylisted(
    Command("RCPT"),
    answer("450 4.2.0 greylisted"),
    "RCPT TO: transient error (450): 4.2.0 greylisted"
)]
#[case::data(Command("DATA"), answer("451 later"), "DATA: transient error (451)")]
#[case::full(
    Content,
    answer("452 4.3.1 disk full"),
    "DATA: transient error (452): 4.3.1 disk full"
)]
#[case::cut_at_the_recipient(Command("RCPT"), Cut, "RCPT TO")]
#[case::cut_in_the_content(MidContent, Cut, "DATA")]
#[case::nonsense(Command("RCPT"), answer("what?"), "RCPT TO: response error")]
#[case::half_a_yes(Content, answer("354 go on"), "DATA: it answered 354 to the content")]
#[tokio::test]
async fn a_passing_fault_at_any_step_delays_the_mail_and_no_more(
    #[case] at: At,
    #[case] fault: Fault,
    #[case] said: &str,
) {
    let world = World::new(Sqlite).await;
    world.server.set(Some((at, fault)));
    let subject = world.post(&world.invitation()).await;
    world.work_off().await;
    let standing = world.standing(&subject).await.unwrap();
    let error = standing.last_error.unwrap();
    assert!(error.contains(said), "{error}");
    let pause = standing.next_attempt_at.duration_since(standing.created_at);
    assert!(pause.as_secs() >= 5 && pause.as_secs() < 60, "{pause}");
    assert!(world.server.accepted().is_empty());

    world.server.set(None);
    world.clock.forward(Duration::from_mins(1));
    assert_eq!(world.work_off().await, Rest::NothingDue);
    assert_eq!(world.server.accepted().len(), 1);
    assert!(world.standing(&subject).await.unwrap().sent_at.is_some());
}

#[rstest]
#[case::unknown(Command("RCPT"), "550 5.1.1 no such user here", "RCPT TO")]
#[case::sender(Command("MAIL"), "553 not your address", "MAIL FROM")]
#[case::spam(Content, "554 5.7.1 we do not like it", "DATA")]
#[tokio::test]
async fn a_mail_that_is_refused_for_good_is_tried_some_hours_and_keeps_no_other_waiting(
    #[case] at: At,
    #[case] text: &str,
    #[case] step: &str,
) {
    let world = World::new(Sqlite).await;
    world.server.set(Some((at, answer(text))));
    let refused = world.post(&world.invitation()).await;
    for _ in 1..=4 {
        world.work_off().await;
        let standing = world.standing(&refused).await.unwrap();
        assert_eq!(standing.gave_up_at, None);
        world.clock.forward(Duration::from_mins(59));
        assert_eq!(world.work_off().await, Rest::NothingDue);
        world.clock.forward(Duration::from_mins(2));
    }
    world.work_off().await;
    let standing = world.standing(&refused).await.unwrap();
    assert_eq!(standing.attempts, 5);
    let error = standing.last_error.unwrap();
    assert!(
        standing.gave_up_at.is_some() && error.contains(step) && error.contains(code_of(text)),
        "{error}"
    );

    world.server.set(None);
    let other = world.post(&world.password_changed()).await;
    world.clock.forward(Duration::from_hours(24));
    assert_eq!(world.work_off().await, Rest::NothingDue);
    assert!(world.standing(&other).await.unwrap().sent_at.is_some());
    assert_eq!(world.server.accepted().len(), 1);
}

#[rstest]
#[tokio::test]
async fn what_no_server_took_in_three_days_is_given_up_with_the_reason(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let mut world = World::new(backend).await;
    world.server.stop().await;
    let subject = world.post(&world.invitation()).await;
    world.work_off().await;
    world.clock.forward(Duration::from_hours(71));
    world.work_off().await;
    let waiting = world.standing(&subject).await.unwrap();
    assert_eq!(waiting.gave_up_at, None);
    world.clock.forward(Duration::from_hours(1));
    world.work_off().await;
    let standing = world.standing(&subject).await.unwrap();
    assert!(standing.gave_up_at.is_some(), "{standing:?}");
    assert!(standing.last_error.unwrap().contains("refused"));
    let rows = world
        .bench
        .ask("select 'left' from outbox where payload is not null".to_owned());
    assert_eq!(rows.await, [""; 0], "nothing of what it said is kept");
    // Even if the server comes back.
    world.server.start_again().await;
    world.clock.forward(Duration::from_hours(1));
    world.work_off().await;
    assert!(world.server.accepted().is_empty());
}

#[tokio::test]
async fn what_the_server_may_have_is_sent_again_as_the_very_same_mail() {
    let world = World::new(Sqlite).await;
    world.server.set(Some((Content, Cut)));
    let subject = world.post(&world.invitation()).await;
    world.work_off().await;
    assert_eq!(world.standing(&subject).await.unwrap().sent_at, None);
    world.server.set(None);
    world.clock.forward(Duration::from_mins(1));
    world.work_off().await;
    let accepted = world.server.accepted();
    assert_eq!(accepted.len(), 2);
    assert_eq!(accepted[0], accepted[1], "by its Message-ID and every other byte");
}

#[tokio::test]
async fn a_server_that_repeats_what_it_refuses_puts_no_secret_into_the_record() {
    let world = World::new(Sqlite).await;
    world
        .server
        .set(Some((Content, answer("554 5.7.1 blocked: {link}"))));
    let subject = world.post(&world.invitation()).await;
    world.work_off().await;
    let error = world.standing(&subject).await.unwrap().last_error.unwrap();
    assert!(
        error.ends_with("DATA: 554, its answer is withheld, since it repeats a secret"),
        "{error}"
    );
    world.server.set(Some((Content, answer("554 5.7.1 blocked"))));
    world.clock.forward(Duration::from_hours(1));
    world.work_off().await;
    let error = world.standing(&subject).await.unwrap().last_error.unwrap();
    assert!(
        error.ends_with("DATA: permanent error (554): 5.7.1 blocked"),
        "otherwise it is told: {error}"
    );
}
