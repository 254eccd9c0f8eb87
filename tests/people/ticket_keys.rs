//! Tickets of programs: what a key opens, sees and assigns, and what it is told again.

use rstest::rstest;
use switchyard::app::error::AppError;
use switchyard::app::tickets::{self, TicketPatch};
use switchyard::app::{api_keys, users};
use switchyard::auth::caller::Caller;
use switchyard::auth::denied::Denied;
use switchyard::domain::audit::ActorKind;
use switchyard::domain::ticket::{TicketState, WholeTicket};

use super::clicks::once;
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::tickets::{ANY, absent, becomes, input, to, to_nobody};
use super::world::{World, code};

fn denied<T>(done: &Result<T, AppError>) -> bool {
    matches!(done, Err(AppError::Denied(Denied::Permission)))
}

impl World {
    /// A program with these rights, as far as its author has them.
    async fn program(&self, author: &Caller, permissions: &[&str]) -> Caller {
        let (_, secret) = self.key(author, permissions).await;
        self.caller(secret.expose()).await
    }

    /// Opens a ticket under a key of idempotency.
    async fn open_once(&self, caller: &Caller, key: &str) -> (bool, WholeTicket) {
        let done = tickets::create(&self.app, caller, input("x"), Some(&once(key))).await;
        let done = done.unwrap();
        (done.is_repeated(), done.into_inner())
    }
}

#[rstest]
#[tokio::test]
async fn a16_a_program_opens_tickets_by_its_own_name_and_reads_with_the_right_to(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let (_, as_owner) = world.of_acme("olga", "owner").await;
    let (key, secret) = world.key(&as_owner, &["tickets.create", "tickets.update"]).await;
    let as_key = world.caller(secret.expose()).await;
    let ticket = world.ticket(&as_key, "disk full").await;
    let opener = &ticket.opened_by;
    assert_eq!((opener.kind, opener.name.as_str()), (ActorKind::ApiKey, "crm"));
    world.comment(&as_key, ticket.id).await.unwrap();
    let resolved = world
        .patch(&as_key, ticket.id, becomes("resolved"))
        .await
        .unwrap();
    assert_eq!(resolved.state, TicketState::Resolved);
    assert!(denied(&world.see(&as_key, ticket.id).await));
    // Once it is revoked, what it opened is still its own: a key is nobody who works for the tenant, and has not left.
    api_keys::revoke(&world.app, &as_owner, key.id).await.unwrap();
    let whole = world.see(&as_owner, ticket.id).await.unwrap();
    let (opener, said) = (&whole.ticket.opened_by, &whole.comments[0].author);
    for author in [opener, said] {
        assert_eq!((author.id, author.name.as_str()), (Some(key.id.uuid()), "crm"));
        assert!(!author.has_left);
    }
}

#[rstest]
#[tokio::test]
async fn a16_a_program_that_may_not_read_tickets_is_told_again_no_more_than_it_wrote(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let (_, as_owner) = world.of_acme("olga", "owner").await;
    let opens = world.program(&as_owner, &["tickets.create"]).await;
    let reads = world
        .program(&as_owner, &["tickets.create", "tickets.view"])
        .await;
    for (caller, comments) in [(&opens, 0), (&reads, 1)] {
        let (repeated, first) = world.open_once(caller, "a").await;
        assert!(!repeated && first.comments.is_empty());
        world.comment(&as_owner, first.ticket.id).await.unwrap();
        let (repeated, again) = world.open_once(caller, "a").await;
        assert!(repeated);
        assert_eq!((again.ticket.id, &again.text), (first.ticket.id, &first.text));
        assert_eq!(again.comments.len(), comments);
    }
}

#[rstest]
#[tokio::test]
async fn a16_a_program_of_somebody_who_sees_all_tickets_sees_and_assigns_them(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let (_, as_owner) = world.of_acme("olga", "owner").await;
    let (ann, as_ann) = world.of_acme("ann", "agent").await;
    let ticket = world.ticket(&as_ann, "of ann").await;
    let program = world
        .program(&as_owner, &["tickets.view", "tickets.update"])
        .await;
    assert_eq!(world.listed(&program, false).await, ["of ann"]);
    let given = world.patch(&program, ticket.id, to(&ann)).await.unwrap();
    assert_eq!(given.assignee.map(|assignee| assignee.id), Some(ann.id));
    let renamed = TicketPatch {
        subject: Some("of Ann".to_owned()),
        ..TicketPatch::default()
    };
    assert!(world.patch(&program, ticket.id, renamed).await.is_ok());
}

#[rstest]
#[tokio::test]
async fn a16_a_program_whose_author_became_an_agent_sees_what_it_opened_itself_and_assigns_nothing(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let (_, as_owner) = world.of_acme("olga", "owner").await;
    let (oscar, as_oscar) = world.of_acme("oscar", "owner").await;
    let rights = ["tickets.view", "tickets.create", "tickets.update"];
    let (_, secret) = world.key(&as_oscar, &rights).await;
    let of_oscar = world.ticket(&as_oscar, "of oscar").await;
    users::assign_role(&world.app, &as_owner, oscar.id, "agent", &ANY)
        .await
        .unwrap();
    let program = world.caller(secret.expose()).await;
    let own = world.ticket(&program, "its own").await;
    // What its author opened, or looks after, is not its own.
    world.patch(&as_owner, of_oscar.id, to(&oscar)).await.unwrap();
    assert_eq!(world.listed(&program, false).await, ["its own"]);
    assert!(world.see(&program, own.id).await.is_ok());
    assert!(absent(&world.see(&program, of_oscar.id).await));
    assert!(absent(
        &world.patch(&program, of_oscar.id, becomes("closed")).await
    ));
    assert!(absent(&world.comment(&program, of_oscar.id).await));
    // It assigns nothing, and gives back nothing: nothing is ever assigned to it.
    assert_eq!(code(world.patch(&program, own.id, to(&oscar)).await), "rank");
    world.patch(&as_owner, own.id, to(&oscar)).await.unwrap();
    assert_eq!(code(world.patch(&program, own.id, to_nobody()).await), "rank");
}
