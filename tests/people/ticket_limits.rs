//! How many tickets and comments there may be: of a tenant, in a ticket, and of one person within an hour.

use futures_util::future::join_all;
use jiff::Timestamp;
use rstest::rstest;
use switchyard::app::error::AppError;
use switchyard::app::ticket_guards::{
    MOST_BYTES, MOST_BYTES_OF_ONE, MOST_COMMENTS, MOST_COMMENTS_OF_ONE, MOST_OPENED, MOST_SAID, MOST_TICKETS,
    MOST_WAITING, MOST_WAITING_OF_ONE,
};
use switchyard::app::tickets;
use switchyard::domain::ids::{CommentId, SystemIds, TicketId};
use switchyard::domain::ticket::{Ticket, TicketComment, TicketState};
use switchyard::store::{ticket_comments, tickets as rows};

use super::support::database::Backend::{self, Postgres, Sqlite};
use super::tickets::{ANY, becomes, input};
use super::world::{World, code};

impl World {
    /// Puts so many like it beside a ticket, as many hosts would over the years, opened in the name of whoever opened it, long
    /// ago, or of nobody.
    async fn more_tickets(&self, like: &Ticket, count: i64, by_opener: bool) {
        let text = "x".parse().unwrap();
        let mut tx = self.store.begin("more").await.unwrap();
        for _ in 0..count {
            let mut more = like.clone();
            more.id = TicketId::fresh(&SystemIds);
            more.opened_by.id = more.opened_by.id.filter(|_| by_opener);
            more.created_at = Timestamp::UNIX_EPOCH;
            rows::insert(&mut tx, &more, &text).await.unwrap();
        }
        tx.commit().await.unwrap();
    }

    /// Says so much about a ticket, in the name of whoever opened it or of nobody.
    async fn more_comments(&self, ticket: &Ticket, count: i64, by_opener: bool) {
        self.more_texts(ticket, count, by_opener, "x").await;
    }

    async fn more_texts(&self, ticket: &Ticket, count: i64, by_opener: bool, text: &str) {
        let mut author = ticket.opened_by.clone();
        author.id = author.id.filter(|_| by_opener);
        let mut tx = self.store.begin("more").await.unwrap();
        for _ in 0..count {
            let comment = TicketComment {
                id: CommentId::fresh(&SystemIds),
                author: author.clone(),
                text: text.parse().unwrap(),
                created_at: ticket.created_at,
            };
            let tenant = ticket.tenant_id;
            assert!(
                ticket_comments::insert(&mut tx, tenant, ticket.id, &comment)
                    .await
                    .unwrap()
            );
        }
        tx.commit().await.unwrap();
    }
}

/// The code of what comes too fast, if that is why it was refused, and it says for how long.
fn too_many<T>(done: &Result<T, AppError>) -> Option<&'static str> {
    match done {
        Err(AppError::TooMany { code, seconds, .. }) if (1..=3601).contains(seconds) => Some(code),
        _ => None,
    }
}

#[rstest]
#[tokio::test]
async fn a16_nobody_floods_a_tenant_with_tickets_also_not_with_many_at_once(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let (_, as_ann) = world.of_acme("ann", "agent").await;
    let (_, as_bob) = world.of_acme("bob", "agent").await;
    let more = usize::try_from(MOST_OPENED).unwrap() + 5;
    let tries = (0..more).map(|_| tickets::create(&world.app, &as_ann, input("x"), None));
    let done = join_all(tries).await;
    let opened = done.iter().filter(|done| done.is_ok()).count();
    let refused = done
        .iter()
        .filter(|done| too_many(done) == Some("too_many_tickets"))
        .count();
    assert_eq!((opened, refused), (more - 5, 5), "{done:?}");
    // Others are not held back by it.
    world.ticket(&as_bob, "y").await;
}

#[rstest]
#[tokio::test]
async fn a16_nobody_floods_a_tenant_with_comments(#[values(Sqlite, Postgres)] backend: Backend) {
    let world = World::new(backend).await;
    let (_, as_ann) = world.of_acme("ann", "agent").await;
    let (_, as_mary) = world.of_acme("mary", "manager").await;
    let (first, second) = (world.ticket(&as_ann, "x").await, world.ticket(&as_ann, "y").await);
    let half = MOST_SAID / 2;
    world.more_comments(&first, half, true).await;
    world.more_comments(&second, MOST_SAID - half - 1, true).await;
    let third = world.ticket(&as_ann, "z").await;
    world.comment(&as_ann, third.id).await.unwrap();
    let refused = world.comment(&as_ann, third.id).await;
    assert_eq!(too_many(&refused), Some("too_many_comments"), "{refused:?}");
    world.comment(&as_mary, third.id).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn a16_a_ticket_holds_so_many_comments(#[values(Sqlite, Postgres)] backend: Backend) {
    let world = World::new(backend).await;
    let (_, as_ann) = world.of_acme("ann", "agent").await;
    let ticket = world.ticket(&as_ann, "x").await;
    world.more_comments(&ticket, MOST_COMMENTS - 1, false).await;
    world.comment(&as_ann, ticket.id).await.unwrap();
    let refused = world.comment(&as_ann, ticket.id).await;
    assert_eq!(code(refused), "max_comments_reached");
}

#[rstest]
#[tokio::test]
async fn a16_a_tickets_comments_hold_so_many_bytes(#[values(Sqlite, Postgres)] backend: Backend) {
    let world = World::new(backend).await;
    let (_, as_ann) = world.of_acme("ann", "agent").await;
    let ticket = world.ticket(&as_ann, "x").await;
    // Of four bytes each: characters are not what is counted.
    let text = "\u{1F50C}".repeat(8192);
    let texts = MOST_BYTES / i64::try_from(text.len()).unwrap();
    world.more_texts(&ticket, texts - 1, false, &text).await;
    let mut left = text.len();
    for some in [10_000, 10_000, 9000] {
        world.say(&as_ann, ticket.id, &"x".repeat(some)).await.unwrap();
        left -= some;
    }
    let refused = world.say(&as_ann, ticket.id, &"x".repeat(left + 1)).await;
    assert_eq!(code(refused), "max_comments_reached");
    world.say(&as_ann, ticket.id, &"x".repeat(left)).await.unwrap();
    let refused = world.say(&as_ann, ticket.id, "x").await;
    assert_eq!(code(refused), "max_comments_reached");
}

#[rstest]
#[tokio::test]
async fn a16_nobody_takes_the_room_of_a_ticket_from_the_others(#[values(Sqlite, Postgres)] backend: Backend) {
    let world = World::new(backend).await;
    let (_, as_ann) = world.of_acme("ann", "agent").await;
    let (_, as_mary) = world.of_acme("mary", "manager").await;
    let ticket = world.ticket(&as_ann, "many").await;
    world.more_comments(&ticket, MOST_COMMENTS_OF_ONE - 1, true).await;
    world.comment(&as_ann, ticket.id).await.unwrap();
    let refused = world.comment(&as_ann, ticket.id).await;
    assert_eq!(code(refused), "max_comments_reached");
    world.comment(&as_mary, ticket.id).await.unwrap();

    let ticket = world.ticket(&as_ann, "long").await;
    let text = "x".repeat(8192);
    world
        .more_texts(&ticket, MOST_BYTES_OF_ONE / 8192, true, &text)
        .await;
    let refused = world.say(&as_ann, ticket.id, "x").await;
    assert_eq!(code(refused), "max_comments_reached");
    world.say(&as_mary, ticket.id, &text).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn a16_nobody_takes_the_room_for_tickets_from_the_others(#[values(Sqlite, Postgres)] backend: Backend) {
    let world = World::new(backend).await;
    let (_, as_ann) = world.of_acme("ann", "agent").await;
    let (_, as_bob) = world.of_acme("bob", "agent").await;
    let (_, as_mary) = world.of_acme("mary", "manager").await;
    let closed = world.ticket(&as_ann, "closed").await;
    world.patch(&as_ann, closed.id, becomes("closed")).await.unwrap();
    let open = world.ticket(&as_ann, "open").await;
    world.more_tickets(&open, MOST_WAITING_OF_ONE - 2, true).await;
    world.ticket(&as_ann, "the last").await;
    let refused = tickets::create(&world.app, &as_ann, input("x"), None).await;
    assert_eq!(code(refused), "max_tickets_reached");
    let refused = world.patch(&as_ann, closed.id, becomes("open")).await;
    assert_eq!(code(refused), "max_tickets_reached");
    // Others have room, and whoever sees all reopens it.
    world.ticket(&as_bob, "y").await;
    world.patch(&as_mary, closed.id, becomes("open")).await.unwrap();
    // What is over takes none.
    world.patch(&as_ann, open.id, becomes("resolved")).await.unwrap();
    world
        .patch(&as_ann, closed.id, becomes("resolved"))
        .await
        .unwrap();
    world.ticket(&as_ann, "z").await;
}

#[rstest]
#[tokio::test]
async fn a16_a_tenant_has_so_many_tickets_archived_ones_among_them(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let (_, as_mary) = world.of_acme("mary", "manager").await;
    let ticket = world.ticket(&as_mary, "x").await;
    let over = Ticket {
        state: TicketState::Closed,
        ..ticket.clone()
    };
    world.more_tickets(&over, MOST_TICKETS - 2, false).await;
    let last = world.ticket(&as_mary, "the last").await;
    tickets::archive(&world.app, &as_mary, last.id, &ANY)
        .await
        .unwrap();
    let refused = tickets::create(&world.app, &as_mary, input("x"), None).await;
    assert_eq!(code(refused), "max_tickets_reached");
    // What there is goes on.
    world.patch(&as_mary, ticket.id, becomes("closed")).await.unwrap();
    world.patch(&as_mary, ticket.id, becomes("open")).await.unwrap();
    world.comment(&as_mary, ticket.id).await.unwrap();
    // Another tenant has room of its own.
    let eve = world.person("eve", &world.globex, "agent").await;
    let as_eve = world.caller(&eve.token).await;
    world.ticket(&as_eve, "y").await;
}

#[rstest]
#[tokio::test]
async fn a16_a_tenant_has_so_many_tickets_that_wait_and_a_reopened_one_is_one_of_them(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let (_, as_mary) = world.of_acme("mary", "manager").await;
    let closed = world.ticket(&as_mary, "closed").await;
    world.patch(&as_mary, closed.id, becomes("closed")).await.unwrap();
    let open = world.ticket(&as_mary, "open").await;
    world.more_tickets(&open, MOST_WAITING - 2, false).await;
    let last = world.ticket(&as_mary, "the last").await;
    let refused = tickets::create(&world.app, &as_mary, input("x"), None).await;
    assert_eq!(code(refused), "max_tickets_reached");
    let refused = world.patch(&as_mary, closed.id, becomes("open")).await;
    assert_eq!(code(refused), "max_tickets_reached");
    // What waits already may wait for something else.
    world.patch(&as_mary, open.id, becomes("pending")).await.unwrap();
    world.patch(&as_mary, open.id, becomes("open")).await.unwrap();
    world.patch(&as_mary, last.id, becomes("resolved")).await.unwrap();
    world.patch(&as_mary, closed.id, becomes("open")).await.unwrap();
    // Another tenant has room of its own.
    let eve = world.person("eve", &world.globex, "agent").await;
    let as_eve = world.caller(&eve.token).await;
    world.ticket(&as_eve, "y").await;
}
