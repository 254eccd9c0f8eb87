//! What becomes of tickets: their ways, what is archived, what is audited, and who wins.

use futures_util::future::join_all;
use rstest::rstest;
use switchyard::app::error::AppError;
use switchyard::app::patch::Patch;
use switchyard::app::precondition::{IfMatch, tag_of_ticket};
use switchyard::app::tickets::{self, TicketPatch};
use switchyard::domain::audit::ActorKind;
use switchyard::domain::ticket::Ticket;

use super::support::database::Backend::{self, Postgres, Sqlite};
use super::tickets::{ANY, absent, becomes, to};
use super::world::{MANY, World, code, fields};

#[rstest]
#[tokio::test]
async fn a16_a_way_that_a_ticket_does_not_go_is_refused_with_those_that_it_goes(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let (_, as_ann) = world.of_acme("ann", "agent").await;
    let ticket = world.ticket(&as_ann, "x").await;
    for (state, allowed) in [
        ("pending", None),
        ("resolved", None),
        ("pending", Some("open closed")),
        ("closed", None),
        ("resolved", Some("open")),
        ("pending", Some("open")),
        ("open", None),
        ("closed", None),
        ("open", None),
        ("resolved", None),
        ("open", None),
    ] {
        match (world.patch(&as_ann, ticket.id, becomes(state)).await, allowed) {
            (Ok(after), None) => assert_eq!(after.state.as_str(), state),
            (Err(AppError::BadTransition { allowed, .. }), Some(expected)) => {
                assert_eq!(allowed.join(" "), expected);
            }
            (done, _) => panic!("{state}: {done:?}"),
        }
    }
    let unknown = world.patch(&as_ann, ticket.id, becomes("reopened")).await;
    assert_eq!(fields(unknown), ["state"]);
    // Nothing is said about what is over; what is resolved is still talked about.
    world
        .patch(&as_ann, ticket.id, becomes("resolved"))
        .await
        .unwrap();
    world.comment(&as_ann, ticket.id).await.unwrap();
    world.patch(&as_ann, ticket.id, becomes("closed")).await.unwrap();
    assert_eq!(code(world.comment(&as_ann, ticket.id).await), "ticket_closed");
}

#[rstest]
#[tokio::test]
async fn a16_an_archived_ticket_is_read_by_who_saw_it_and_changed_by_nobody(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let (ann, as_ann) = world.of_acme("ann", "agent").await;
    let (_, as_bob) = world.of_acme("bob", "agent").await;
    let (_, as_manager) = world.of_acme("mary", "manager").await;
    let ticket = world.ticket(&as_ann, "x").await;
    tickets::archive(&world.app, &as_manager, ticket.id, &ANY)
        .await
        .unwrap();
    let entries = world.audited().await;
    for caller in [&as_ann, &as_manager] {
        let whole = world.see(caller, ticket.id).await.unwrap();
        assert!(whole.ticket.archived_at.is_some());
        assert!(world.listed(caller, false).await.is_empty());
        assert_eq!(world.listed(caller, true).await, ["x"]);
        for patch in [becomes("closed"), TicketPatch::default()] {
            assert_eq!(code(world.patch(caller, ticket.id, patch).await), "archived");
        }
        assert_eq!(code(world.comment(caller, ticket.id).await), "archived");
    }
    assert_eq!(
        code(world.patch(&as_manager, ticket.id, to(&ann)).await),
        "archived"
    );
    assert!(absent(&world.see(&as_bob, ticket.id).await));
    assert!(world.listed(&as_bob, true).await.is_empty());
    // Once more it is archived already.
    tickets::archive(&world.app, &as_manager, ticket.id, &ANY)
        .await
        .unwrap();
    assert_eq!(world.audited().await, entries);
}

#[rstest]
#[tokio::test]
async fn a16_each_change_is_audited_once_and_one_that_changes_nothing_is_not(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let (_, as_ann) = world.of_acme("ann", "agent").await;
    let boss = world.manager("boss").await;
    let as_operator = world.inside(&boss, &world.acme).await;
    let ticket = world.ticket(&as_ann, "x").await;
    let same = TicketPatch {
        subject: Some("x".to_owned()),
        assignee_id: Patch::Clear,
        extension_id: Patch::Clear,
        ..becomes("open")
    };
    let unchanged = world.patch(&as_ann, ticket.id, same).await.unwrap();
    assert_eq!(unchanged, ticket);
    world.comment(&as_operator, ticket.id).await.unwrap();
    world
        .patch(&as_ann, ticket.id, becomes("resolved"))
        .await
        .unwrap();
    tickets::archive(&world.app, &as_operator, ticket.id, &ANY)
        .await
        .unwrap();
    assert_eq!(
        world.audited().await,
        [
            "ticket.create user ann@example.com",
            "ticket.comment manager boss@example.com",
            "ticket.change user ann@example.com",
            "ticket.archive manager boss@example.com",
        ]
    );
    // What was said is in the ticket, and in the log is that something was.
    let logged = world
        .texts("select coalesce(cast(after as text), '') from audit_entries where resource = 'ticket'")
        .await;
    assert!(
        logged
            .iter()
            .all(|after| !after.contains("phone") && !after.contains("dial"))
    );
    // By name: who reads a ticket may not read addresses. To the tenant, the operator's people are nobody of its own.
    let whole = world.see(&as_ann, ticket.id).await.unwrap();
    let said = &whole.comments[0].author;
    assert_eq!(
        (said.kind, said.name.as_str(), said.has_left),
        (ActorKind::Manager, "boss", false)
    );
    assert_eq!(whole.ticket.opened_by.name, "ann");
}

#[rstest]
#[tokio::test]
async fn a16_of_many_who_assign_the_same_version_one_wins(#[values(Sqlite, Postgres)] backend: Backend) {
    let world = World::new(backend).await;
    let (ann, _) = world.of_acme("ann", "agent").await;
    let (bob, _) = world.of_acme("bob", "agent").await;
    let (_, as_mary) = world.of_acme("mary", "manager").await;
    let (_, as_adam) = world.of_acme("adam", "admin").await;
    let ticket = world.ticket(&as_mary, "x").await;
    let tag = IfMatch::OneOf(vec![tag_of_ticket(&ticket)]);
    let tries = (0..MANY).map(|number| {
        let (caller, user) = if number % 2 == 0 {
            (&as_mary, &ann)
        } else {
            (&as_adam, &bob)
        };
        tickets::change(&world.app, caller, ticket.id, to(user), &tag)
    });
    let done = join_all(tries).await;
    let won: Vec<&Ticket> = done.iter().filter_map(|done| done.as_ref().ok()).collect();
    let lost = done
        .iter()
        .filter(|done| matches!(done, Err(AppError::PreconditionFailed)))
        .count();
    assert_eq!((won.len(), lost), (1, MANY - 1), "{done:?}");
    let there = world.see(&as_mary, ticket.id).await.unwrap().ticket;
    assert_eq!(&there, won[0]);
    // A comment is another version, too.
    let tag = IfMatch::OneOf(vec![tag_of_ticket(&there)]);
    world.comment(&as_adam, ticket.id).await.unwrap();
    let late = tickets::change(&world.app, &as_mary, ticket.id, becomes("closed"), &tag).await;
    assert!(matches!(late, Err(AppError::PreconditionFailed)), "{late:?}");
}
