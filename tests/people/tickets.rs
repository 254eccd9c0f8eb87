//! Tickets: who sees which, who changes what, and what nobody does.

use rstest::rstest;
use switchyard::app::error::AppError;
use switchyard::app::patch::Patch;
use switchyard::app::precondition::IfMatch;
use switchyard::app::ticket_comments::{self, CommentInput};
use switchyard::app::tickets::{self, TicketInput, TicketPatch};
use switchyard::app::users;
use switchyard::auth::caller::Caller;
use switchyard::auth::denied::Denied;
use switchyard::domain::ids::{TicketId, UserId};
use switchyard::domain::ticket::{Ticket, WholeTicket};
use switchyard::domain::ticket_query::{TicketFilter, TicketQuery};
use switchyard::domain::user::User;

use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::{World, code, fields};

pub const ANY: IfMatch = IfMatch::Any;

pub fn input(subject: &str) -> TicketInput {
    TicketInput {
        subject: Some(subject.to_owned()),
        text: Some("No dial tone\r\nsince noon".to_owned()),
        extension_id: None,
    }
}

pub fn becomes(state: &str) -> TicketPatch {
    TicketPatch {
        state: Some(state.to_owned()),
        ..TicketPatch::default()
    }
}

pub fn to(user: &User) -> TicketPatch {
    TicketPatch {
        assignee_id: Patch::Set(user.id),
        ..TicketPatch::default()
    }
}

pub fn to_nobody() -> TicketPatch {
    TicketPatch {
        assignee_id: Patch::Clear,
        ..TicketPatch::default()
    }
}

impl World {
    pub async fn ticket(&self, caller: &Caller, subject: &str) -> Ticket {
        let done = tickets::create(&self.app, caller, input(subject), None).await;
        done.unwrap().into_inner().ticket
    }

    /// Somebody of Acme, and as whom they call.
    pub async fn of_acme(&self, name: &str, role: &str) -> (User, Caller) {
        let person = self.person(name, &self.acme, role).await;
        (person.user, self.caller(&person.token).await)
    }

    pub async fn patch(&self, caller: &Caller, id: TicketId, patch: TicketPatch) -> Result<Ticket, AppError> {
        tickets::change(&self.app, caller, id, patch, &ANY).await
    }

    pub async fn comment(&self, caller: &Caller, id: TicketId) -> Result<(), AppError> {
        self.say(caller, id, "Have you tried the other phone?").await
    }

    pub async fn say(&self, caller: &Caller, id: TicketId, text: &str) -> Result<(), AppError> {
        let input = CommentInput {
            text: text.to_owned(),
        };
        let done = ticket_comments::create(&self.app, caller, id, &input, &ANY, None).await;
        done.map(drop)
    }

    pub async fn see(&self, caller: &Caller, id: TicketId) -> Result<WholeTicket, AppError> {
        tickets::find(&self.app, caller, id).await
    }

    /// The subjects of the tickets that somebody is shown.
    pub async fn listed(&self, caller: &Caller, archived: bool) -> Vec<String> {
        let query = TicketQuery {
            filter: TicketFilter {
                archived,
                ..TicketFilter::default()
            },
            ..TicketQuery::default()
        };
        let page = tickets::list(&self.app, caller, &query).await.unwrap();
        let subjects = page.tickets.iter().map(|ticket| ticket.subject.to_string());
        subjects.collect()
    }
}

pub fn absent<T>(done: &Result<T, AppError>) -> bool {
    matches!(done, Err(AppError::NotFound))
}

#[rstest]
#[tokio::test]
async fn a16_an_agent_sees_own_and_assigned_tickets_and_everybody_above_sees_all_of_the_tenant(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let (ann, as_ann) = world.of_acme("ann", "agent").await;
    let (_, as_bob) = world.of_acme("bob", "agent").await;
    let of_ann = world.ticket(&as_ann, "of ann").await;
    let of_bob = world.ticket(&as_bob, "of bob").await;
    let (_, as_owner) = world.of_acme("olga", "owner").await;
    let (_, as_admin) = world.of_acme("adam", "admin").await;
    let (_, as_manager) = world.of_acme("mary", "manager").await;
    let boss = world.manager("boss").await;
    let as_operator = world.inside(&boss, &world.acme).await;
    for caller in [&as_owner, &as_admin, &as_manager, &as_operator] {
        assert_eq!(world.listed(caller, false).await, ["of bob", "of ann"]);
        let whole = world.see(caller, of_ann.id).await.unwrap();
        assert_eq!(whole.text.as_str(), "No dial tone\nsince noon");
        world.comment(caller, of_ann.id).await.unwrap();
    }
    assert_eq!(world.listed(&as_ann, false).await, ["of ann"]);
    assert_eq!(world.see(&as_ann, of_ann.id).await.unwrap().comments.len(), 4);

    // What is not hers is not there, whatever she asks for.
    assert!(absent(&world.see(&as_ann, of_bob.id).await));
    assert!(absent(&tickets::exists(&world.app, &as_ann, of_bob.id).await));
    assert!(absent(&world.patch(&as_ann, of_bob.id, becomes("closed")).await));
    assert!(absent(&world.comment(&as_ann, of_bob.id).await));
    let archived = tickets::archive(&world.app, &as_ann, of_ann.id, &ANY).await;
    assert!(matches!(archived, Err(AppError::Denied(Denied::Permission))));

    // Until it is assigned to her, and as long as it is.
    world.patch(&as_manager, of_bob.id, to(&ann)).await.unwrap();
    assert_eq!(world.listed(&as_ann, false).await, ["of bob", "of ann"]);
    assert!(world.see(&as_ann, of_bob.id).await.is_ok());
    world.comment(&as_ann, of_bob.id).await.unwrap();
    world.patch(&as_ann, of_bob.id, becomes("pending")).await.unwrap();
    // He who opened it sees it all the same.
    assert_eq!(world.listed(&as_bob, false).await, ["of bob"]);
    world.patch(&as_manager, of_bob.id, to_nobody()).await.unwrap();
    assert!(absent(&world.see(&as_ann, of_bob.id).await));
    assert_eq!(world.listed(&as_ann, false).await, ["of ann"]);
}

#[rstest]
#[tokio::test]
async fn c02_a_ticket_of_another_tenant_is_not_there_for_anybody(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let (_, as_ann) = world.of_acme("ann", "agent").await;
    let ticket = world.ticket(&as_ann, "of acme").await;
    let eve = world.person("eve", &world.globex, "owner").await;
    let as_eve = world.caller(&eve.token).await;
    let (_, key) = world
        .key(&as_eve, &["tickets.view", "tickets.update", "tickets.delete"])
        .await;
    let as_key = world.caller(key.expose()).await;
    let boss = world.manager("boss").await;
    let as_operator = world.inside(&boss, &world.globex).await;
    for caller in [&as_eve, &as_key, &as_operator] {
        assert!(absent(&world.see(caller, ticket.id).await));
        assert!(absent(&world.patch(caller, ticket.id, becomes("closed")).await));
        assert!(absent(&world.comment(caller, ticket.id).await));
        assert!(absent(
            &tickets::archive(&world.app, caller, ticket.id, &ANY).await
        ));
        for archived in [false, true] {
            assert!(world.listed(caller, archived).await.is_empty());
        }
    }
    // Neither is anything of another tenant put into a ticket.
    let (_, as_owner) = world.of_acme("olga", "owner").await;
    let assigned = world.patch(&as_owner, ticket.id, to(&eve.user)).await;
    assert_eq!(fields(assigned), ["assignee_id"]);
    let theirs = world.extension(&as_eve, "1001").await.unwrap();
    let about = TicketInput {
        extension_id: Some(theirs.id),
        ..input("theirs")
    };
    let opened = tickets::create(&world.app, &as_owner, about, None).await;
    assert_eq!(fields(opened), ["extension_id"]);
    let about = TicketPatch {
        extension_id: Patch::Set(theirs.id),
        ..TicketPatch::default()
    };
    let changed = world.patch(&as_owner, ticket.id, about).await;
    assert_eq!(fields(changed), ["extension_id"]);
    assert_eq!(world.see(&as_ann, ticket.id).await.unwrap().ticket, ticket);
}

#[rstest]
#[tokio::test]
async fn a16_an_agent_assigns_nothing_and_gives_back_what_is_theirs(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let (ann, as_ann) = world.of_acme("ann", "agent").await;
    let (bob, as_bob) = world.of_acme("bob", "agent").await;
    let (_, as_manager) = world.of_acme("mary", "manager").await;
    let ticket = world.ticket(&as_ann, "of ann").await;
    // Whether there is somebody by that id is not told either.
    let nobody = UserId::from_uuid(ticket.id.uuid());
    let unknown = TicketPatch {
        assignee_id: Patch::Set(nobody),
        ..TicketPatch::default()
    };
    for patch in [to(&ann), to(&bob), unknown] {
        assert_eq!(code(world.patch(&as_ann, ticket.id, patch).await), "rank");
    }
    world.patch(&as_manager, ticket.id, to(&bob)).await.unwrap();
    // She opened it; he looks after it, and so he alone gives it back.
    assert_eq!(code(world.patch(&as_ann, ticket.id, to_nobody()).await), "rank");
    let back = world.patch(&as_bob, ticket.id, to_nobody()).await.unwrap();
    assert_eq!(back.assignee, None);
    assert!(absent(&world.see(&as_bob, ticket.id).await));
}

#[rstest]
#[tokio::test]
async fn a16_what_a_ticket_is_about_is_rewritten_by_who_opened_it_and_by_who_sees_all_tickets(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let (_, as_ann) = world.of_acme("ann", "agent").await;
    let (bob, as_bob) = world.of_acme("bob", "agent").await;
    let (_, as_manager) = world.of_acme("mary", "manager").await;
    let ticket = world.ticket(&as_ann, "of ann").await;
    world.patch(&as_manager, ticket.id, to(&bob)).await.unwrap();
    let subject = |subject: &str| TicketPatch {
        subject: Some(subject.to_owned()),
        ..becomes("pending")
    };
    let refused = world.patch(&as_bob, ticket.id, subject("of bob")).await;
    assert_eq!(code(refused), "rank");
    let kept = world.see(&as_bob, ticket.id).await.unwrap().ticket;
    assert_eq!((kept.subject.as_str(), kept.state.as_str()), ("of ann", "open"));
    // To say again what stands there is no change of it.
    let same = world.patch(&as_bob, ticket.id, subject("of ann")).await.unwrap();
    assert_eq!(same.state.as_str(), "pending");
    for (caller, text) in [(&as_ann, "of Ann"), (&as_manager, "of Mary")] {
        let renamed = world.patch(caller, ticket.id, subject(text)).await.unwrap();
        assert_eq!(renamed.subject.as_str(), text);
    }
}

#[rstest]
#[tokio::test]
async fn a16_a_ticket_is_assigned_to_somebody_who_can_look_after_it(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let (_, as_owner) = world.of_acme("olga", "owner").await;
    let (ann, _) = world.of_acme("ann", "agent").await;
    let (invited, _) = world.invited(&as_owner, "ida", "agent").await;
    let (suspended, _) = world.of_acme("sam", "agent").await;
    users::suspend(&world.app, &as_owner, suspended.id, &ANY)
        .await
        .unwrap();
    let boss = world.manager("boss").await;
    world.role(&as_owner, "porter", &["users.list"]).await;
    let (porter, _) = world.of_acme("paul", "porter").await;
    let ticket = world.ticket(&as_owner, "x").await;
    for user in [&invited, &suspended, &boss.user, &porter] {
        let refused = world.patch(&as_owner, ticket.id, to(user)).await;
        assert_eq!(fields(refused), ["assignee_id"], "{}", user.email);
    }
    let given = world.patch(&as_owner, ticket.id, to(&ann)).await.unwrap();
    assert_eq!(given.assignee.as_ref().map(|assignee| assignee.id), Some(ann.id));
    // Who is suspended may come back.
    users::suspend(&world.app, &as_owner, ann.id, &ANY).await.unwrap();
    let kept = world.see(&as_owner, ticket.id).await.unwrap().ticket;
    assert!(!kept.assignee.unwrap().has_left);
    // Who leaves takes nothing with them: it stays theirs until somebody else has it.
    users::delete(&world.app, &as_owner, ann.id, &ANY).await.unwrap();
    let left = world.see(&as_owner, ticket.id).await.unwrap().ticket;
    let assignee = left.assignee.as_ref().unwrap();
    assert_eq!((assignee.name.as_str(), assignee.has_left), ("ann", true));
    assert_eq!(
        fields(world.patch(&as_owner, ticket.id, to(&porter)).await),
        ["assignee_id"]
    );
    let closed = world
        .patch(&as_owner, ticket.id, becomes("closed"))
        .await
        .unwrap();
    assert_eq!(closed.assignee, left.assignee);
}
