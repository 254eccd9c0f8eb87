//! Several processes on one outbox: each mail goes out once, and one that a dead process had claimed goes out too.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use rstest::rstest;
use switchyard::domain::clock::Clock as _;
use switchyard::domain::outbox::MessageKind;
use switchyard::outbox::worker::Rest;
use switchyard::store::Tx;
use switchyard::store::outbox::{self, Claimed};

use super::support::database::Backend::{self, Postgres, Sqlite};
use super::support::database::key;
use super::support::smtp::At::{Command, Content};
use super::support::smtp::Fault::{Answer, Silence};
use super::support::wait::until;
use super::world::World;

const TTL: Duration = Duration::from_mins(5);

async fn claim(tx: &mut Tx, now: Timestamp) -> Option<Claimed> {
    let claimed = outbox::claim_due(tx, MessageKind::Mail, "x", now, TTL).await;
    claimed.unwrap()
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn o28_four_processes_send_sixty_mails_once_each(#[values(Sqlite, Postgres)] backend: Backend) {
    let world = World::new(backend).await;
    let mut workers = Vec::new();
    for number in 0..4 {
        let store = world.bench.another_store(Some(key('a'))).await;
        workers.push(world.worker_on(store, &format!("process {number}")));
    }
    for number in 0..60 {
        world
            .post(&world.invitation_to(&format!("Ann {number}"), "Acme Inc."))
            .await;
    }
    for rest in join_all(workers.iter().map(|worker| worker.work_off(&world.stop))).await {
        assert_eq!(rest.unwrap(), Rest::NothingDue);
    }
    let accepted = world.server.accepted();
    let ids: BTreeSet<String> = accepted
        .iter()
        .map(|mail| mail.header("Message-ID").unwrap())
        .collect();
    assert_eq!((accepted.len(), ids.len()), (60, 60));
    let attempts = world
        .bench
        .ask("select cast(max(attempts) as text) from outbox".to_owned());
    assert_eq!(attempts.await, ["1"]);
    world.server.assert_correct();
}

/// Both look at the same moment, and neither waits for the other.
#[tokio::test]
async fn on_postgresql_a_row_that_is_just_being_claimed_is_passed_over() {
    let world = World::new(Postgres).await;
    let first = world.post(&world.invitation()).await;
    let second = world.post(&world.invitation()).await;
    let other = world.bench.another_store(Some(key('a'))).await;
    let now = world.standing(&second).await.unwrap().created_at;
    let (mut one, mut two) = (world.begin().await, other.begin("test").await.unwrap());
    assert_eq!(claim(&mut one, now).await.unwrap().subject, first);
    assert_eq!(claim(&mut two, now).await.unwrap().subject, second);
    assert!(claim(&mut two, now).await.is_none());
    one.commit().await.unwrap();
    two.commit().await.unwrap();
}

#[rstest]
#[tokio::test]
async fn o28_a_mail_whose_process_died_after_sending_it_arrives_again_as_the_same(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let subject = world.post(&world.invitation()).await;
    world.server.set(Some((Content, Silence)));
    {
        // Dropped between the sending and the note of it.
        let worker = world.worker();
        let work = worker.work_off(&world.stop);
        tokio::pin!(work);
        let sent = until("the server has it", || world.server.accepted().len() == 1);
        tokio::select! {
            () = sent => {}
            _ = &mut work => panic!("it did not wait for the answer"),
        }
    }
    world.server.set(None);
    let other = world.another_worker().await;
    world.clock.forward(Duration::from_mins(4));
    assert_eq!(
        other.work_off(&world.stop).await.unwrap(),
        Rest::NothingDue,
        "it is still claimed"
    );
    assert_eq!(world.server.accepted().len(), 1);
    world.clock.forward(Duration::from_mins(2));
    assert_eq!(other.work_off(&world.stop).await.unwrap(), Rest::NothingDue);
    let accepted = world.server.accepted();
    assert_eq!(accepted.len(), 2);
    assert_eq!(accepted[0], accepted[1]);
    let standing = world.standing(&subject).await.unwrap();
    assert!(
        standing.sent_at.is_some() && standing.attempts == 2,
        "{standing:?}"
    );
}

#[rstest]
#[tokio::test]
async fn what_is_taken_back_while_the_server_is_waited_for_is_not_sent(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let subject = world.post(&world.invitation()).await;
    world.server.set(Some((Command("EHLO"), Silence)));
    let worker = world.worker();
    let work = worker.work_off(&world.stop);
    let revoke = async {
        until("the server is greeted", || world.server.heard().contains("EHLO")).await;
        let mut tx = world.begin().await;
        assert_eq!(outbox::revoke(&mut tx, None, &subject).await.unwrap(), 1);
        tx.commit().await.unwrap();
        world.server.go_on();
    };
    let (rest, ()) = tokio::join!(work, revoke);
    assert_eq!(rest.unwrap(), Rest::NothingDue);
    let heard = world.server.heard();
    assert!(heard.contains("QUIT") && !heard.contains("MAIL FROM"), "{heard}");
    assert!(world.server.accepted().is_empty());
}

/// A process that was stopped for longer than its claim, and goes on.
#[rstest]
#[tokio::test]
async fn a_claim_that_lapsed_decides_nothing_any_more(#[values(Sqlite, Postgres)] backend: Backend) {
    let world = World::new(backend).await;
    let subject = world.post(&world.invitation()).await;
    let now = world.standing(&subject).await.unwrap().created_at;
    let mut tx = world.begin().await;
    let stopped = claim(&mut tx, now).await.unwrap();
    assert!(claim(&mut tx, now + TTL / 2).await.is_none());
    let going = claim(&mut tx, now + TTL).await.unwrap();
    assert_eq!((stopped.attempt, going.attempt), (1, 2));
    assert!(!outbox::renew(&mut tx, &stopped, now, TTL).await.unwrap());
    assert!(
        !outbox::retry_later(&mut tx, &stopped, now, Some("x"))
            .await
            .unwrap()
    );
    assert!(!outbox::give_up(&mut tx, &stopped, now, "x").await.unwrap());
    assert!(outbox::renew(&mut tx, &going, now + TTL, TTL).await.unwrap());
    // But what it sent, it sent.
    assert!(outbox::done(&mut tx, stopped.id, now).await.unwrap());
    assert!(!outbox::renew(&mut tx, &going, now + TTL, TTL).await.unwrap());
    assert!(
        !outbox::retry_later(&mut tx, &going, now, Some("x"))
            .await
            .unwrap()
    );
    tx.commit().await.unwrap();
    assert_eq!(world.standing(&subject).await.unwrap().sent_at, Some(now));
}

/// Written, or claimed by a process that died, while the clock was a year ahead.
#[rstest]
#[tokio::test]
async fn o28_a_mail_goes_out_at_once_after_a_clock_that_was_ahead_was_put_right(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let year = 365 * 24 * 3600;
    world.clock.jump(year);
    world.post(&world.invitation()).await;
    world.clock.jump(-year);
    assert_eq!(world.work_off().await, Rest::NothingDue);
    assert_eq!(world.server.accepted().len(), 1, "it was written then");
    world.post(&world.invitation()).await;
    let now = world.clock.now();
    let mut tx = world.begin().await;
    assert!(
        claim(&mut tx, now + Duration::from_secs(year.unsigned_abs()))
            .await
            .is_some()
    );
    tx.commit().await.unwrap();
    assert_eq!(world.work_off().await, Rest::NothingDue);
    assert_eq!(world.server.accepted().len(), 2, "it was claimed then");
    world.post(&world.invitation()).await;
    let mut tx = world.begin().await;
    assert!(claim(&mut tx, world.clock.now()).await.is_some());
    assert!(
        claim(&mut tx, world.clock.now()).await.is_none(),
        "it is claimed by a clock that is right"
    );
}

/// Of two hosts on one database, each of which finds that the time has come by its own clock.
#[rstest]
#[tokio::test]
async fn o28_a_mail_that_two_hosts_try_whose_clocks_differ_is_not_given_up_within_minutes(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let refused = Answer("550 5.1.1 no such user here".to_owned());
    world.server.set(Some((Command("RCPT"), refused)));
    let subject = world.post(&world.invitation()).await;
    for _ in 0..5 {
        for jump in [2 * 3600, -2 * 3600] {
            assert_eq!(world.work_off().await, Rest::NothingDue);
            world.clock.jump(jump);
        }
    }
    let standing = world.standing(&subject).await.unwrap();
    assert_eq!(standing.gave_up_at, None, "{standing:?}");
    let error = standing.last_error.unwrap();
    assert!(error.contains("no such user"), "{error}");
}
