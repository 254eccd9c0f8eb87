//! Tickets: the same on both databases, each tenant's own, and of whoever sees only their own, no other.

use jiff::SignedDuration;
use rstest::rstest;
use switchyard::domain::audit::ActorKind;
use switchyard::domain::ids::{CommentId, ExtensionId, SystemIds, TenantId, TicketId};
use switchyard::domain::role::Rank;
use switchyard::domain::ticket::{
    Assignee, Ticket, TicketAuthor, TicketComment, TicketExtension, TicketState,
};
use switchyard::domain::ticket_query::{AssignedTo, TicketFilter, TicketQuery};
use switchyard::domain::ticket_text::TicketText;
use switchyard::domain::user::User;
use switchyard::store::tickets::Sight;
use switchyard::store::{Tx, ticket_comments, ticket_lists, tickets};

use super::bench::Backend::{self, Postgres, Sqlite};
use super::bench::Bench;
use super::samples::at;
use super::users::{add, now, two_tenants};

pub fn by(user: &User) -> TicketAuthor {
    TicketAuthor {
        kind: ActorKind::User,
        id: Some(user.id.uuid()),
        name: user.name.to_string(),
        has_left: false,
    }
}

fn assigned(user: &User) -> Assignee {
    Assignee {
        id: user.id,
        name: user.name.clone(),
        has_left: false,
    }
}

pub fn text(text: &str) -> TicketText {
    text.parse().unwrap()
}

/// A ticket of a tenant that was opened so many seconds after the others' first moment.
pub async fn opened(tx: &mut Tx, tenant: TenantId, opener: &User, after: i64) -> Ticket {
    let created_at = now() + SignedDuration::from_secs(after);
    let ticket = Ticket {
        id: TicketId::fresh(&SystemIds),
        tenant_id: tenant,
        subject: format!("Subject {after}").parse().unwrap(),
        state: TicketState::Open,
        opened_by: by(opener),
        assignee: None,
        extension: None,
        comments: 0,
        archived_at: None,
        version: 1,
        created_at,
        updated_at: created_at,
    };
    tickets::insert(tx, &ticket, &text("No dial tone\nsince noon"))
        .await
        .unwrap();
    ticket
}

/// The same, assigned and in a state.
pub async fn looked_after(tx: &mut Tx, ticket: Ticket, user: &User, state: TicketState) -> Ticket {
    let after = Ticket {
        assignee: Some(assigned(user)),
        state,
        ..ticket
    };
    assert!(tickets::update(tx, after.tenant_id, &after, now()).await.unwrap());
    after
}

pub fn comment(author: &User, after: i64) -> TicketComment {
    TicketComment {
        id: CommentId::fresh(&SystemIds),
        author: by(author),
        text: text("Have you tried \u{1F50C}?"),
        created_at: now() + SignedDuration::from_secs(after),
    }
}

pub async fn ids(tx: &mut Tx, tenant: TenantId, sight: Sight, filter: TicketFilter) -> Vec<TicketId> {
    let query = TicketQuery {
        filter,
        ..TicketQuery::default()
    };
    let page = ticket_lists::list(tx, tenant, sight, &query).await.unwrap();
    assert!(page.next.is_none());
    page.tickets.into_iter().map(|ticket| ticket.id).collect()
}

#[rstest]
#[tokio::test]
async fn a16_what_is_stored_of_a_ticket_is_read_back_by_its_own_tenant_only(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let (acme, beta) = two_tenants(&store).await;
    let mut tx = store.begin("tickets").await.unwrap();
    let ann = add(&mut tx, "ann@example.com", Some((acme, Rank::Agent))).await;
    let bob = add(&mut tx, "bob@example.com", Some((acme, Rank::Manager))).await;
    let before = opened(&mut tx, acme, &ann, 0).await;
    let all = Sight::All;
    let found = tickets::find(&mut tx, acme, all, before.id).await.unwrap();
    assert_eq!(found.as_ref(), Some(&before));
    let words = tickets::text(&mut tx, acme, before.id).await.unwrap();
    assert_eq!(words, Some(text("No dial tone\nsince noon")));

    let after = Ticket {
        subject: "Another".parse().unwrap(),
        state: TicketState::Pending,
        assignee: Some(assigned(&bob)),
        extension: Some(TicketExtension {
            id: ExtensionId::fresh(&SystemIds),
            number: "1001".parse().unwrap(),
        }),
        version: 2,
        updated_at: at(77),
        ..before.clone()
    };
    assert!(tickets::update(&mut tx, acme, &after, at(77)).await.unwrap());
    let found = tickets::find(&mut tx, acme, all, before.id).await.unwrap();
    assert_eq!(found.as_ref(), Some(&after));
    assert!(tickets::archive(&mut tx, acme, before.id, at(78)).await.unwrap());
    let found = tickets::find(&mut tx, acme, all, before.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (found.archived_at, found.version, found.updated_at),
        (Some(at(78)), 3, at(78))
    );

    // C02: for another tenant there is none, also for who saw it before they were moved there.
    for sight in [all, Sight::Own(ann.id.uuid()), Sight::Own(bob.id.uuid())] {
        assert_eq!(
            tickets::find(&mut tx, beta, sight, before.id).await.unwrap(),
            None
        );
        for archived in [false, true] {
            let filter = TicketFilter {
                archived,
                ..TicketFilter::default()
            };
            assert!(ids(&mut tx, beta, sight, filter).await.is_empty());
        }
    }
    let said = comment(&ann, 1);
    assert_eq!(tickets::text(&mut tx, beta, before.id).await.unwrap(), None);
    assert!(!tickets::update(&mut tx, beta, &after, at(79)).await.unwrap());
    assert!(!tickets::archive(&mut tx, beta, before.id, at(79)).await.unwrap());
    assert!(
        !ticket_comments::insert(&mut tx, beta, before.id, &said)
            .await
            .unwrap()
    );
    assert!(
        ticket_comments::insert(&mut tx, acme, before.id, &said)
            .await
            .unwrap()
    );
    assert!(
        ticket_comments::list(&mut tx, beta, before.id)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        ticket_comments::find(&mut tx, beta, before.id, said.id)
            .await
            .unwrap(),
        None
    );
    assert_eq!(tickets::waiting(&mut tx, beta).await.unwrap(), 0);
}

#[rstest]
#[tokio::test]
async fn a16_comments_are_read_in_the_order_in_which_they_were_said_and_each_is_another_version(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let (acme, _) = two_tenants(&store).await;
    let mut tx = store.begin("tickets").await.unwrap();
    let ann = add(&mut tx, "ann@example.com", Some((acme, Rank::Agent))).await;
    let ticket = opened(&mut tx, acme, &ann, 0).await;
    let other = opened(&mut tx, acme, &ann, 1).await;
    let said = [comment(&ann, 5), comment(&ann, 3), comment(&ann, 4)];
    for comment in &said {
        assert!(
            ticket_comments::insert(&mut tx, acme, ticket.id, comment)
                .await
                .unwrap()
        );
    }
    let list = ticket_comments::list(&mut tx, acme, ticket.id).await.unwrap();
    assert_eq!(list, [said[1].clone(), said[2].clone(), said[0].clone()]);
    let found = ticket_comments::find(&mut tx, acme, ticket.id, said[0].id)
        .await
        .unwrap();
    assert_eq!(found.as_ref(), Some(&said[0]));
    // A comment is looked for in its own ticket.
    assert_eq!(
        ticket_comments::find(&mut tx, acme, other.id, said[0].id)
            .await
            .unwrap(),
        None
    );
    let counted = tickets::find(&mut tx, acme, Sight::All, ticket.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((counted.comments, counted.version), (3, 4));
    assert_eq!(counted.updated_at, said[2].created_at);
}

#[rstest]
#[tokio::test]
async fn a16_who_sees_their_own_tickets_only_finds_those_they_opened_or_look_after_each_once(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let (acme, _) = two_tenants(&store).await;
    let mut tx = store.begin("tickets").await.unwrap();
    let ann = add(&mut tx, "ann@example.com", Some((acme, Rank::Agent))).await;
    let bob = add(&mut tx, "bob@example.com", Some((acme, Rank::Agent))).await;
    let eve = add(&mut tx, "eve@example.com", Some((acme, Rank::Agent))).await;
    let own = opened(&mut tx, acme, &ann, 0).await;
    let given = opened(&mut tx, acme, &bob, 1).await;
    let given = looked_after(&mut tx, given, &ann, TicketState::Pending).await;
    let both = opened(&mut tx, acme, &ann, 2).await;
    let both = looked_after(&mut tx, both, &ann, TicketState::Closed).await;
    let of_bob = opened(&mut tx, acme, &bob, 3).await;
    let anns = Sight::Own(ann.id.uuid());
    let all = TicketFilter::default();
    assert_eq!(ids(&mut tx, acme, anns, all).await, [both.id, given.id, own.id]);
    let bobs = Sight::Own(bob.id.uuid());
    assert_eq!(ids(&mut tx, acme, bobs, all).await, [of_bob.id, given.id]);
    assert!(
        ids(&mut tx, acme, Sight::Own(eve.id.uuid()), all)
            .await
            .is_empty()
    );
    for (sight, ticket, sees) in [
        (anns, &own, true),
        (anns, &given, true),
        (anns, &both, true),
        (anns, &of_bob, false),
        (bobs, &own, false),
        (bobs, &given, true),
        (Sight::All, &of_bob, true),
    ] {
        let found = tickets::find(&mut tx, acme, sight, ticket.id).await.unwrap();
        assert_eq!(found.is_some(), sees, "{sight:?} {}", ticket.subject);
    }
    // Each filter, for who sees all and for who sees their own.
    let state = |state| TicketFilter {
        state: Some(state),
        ..all
    };
    let to = |to| TicketFilter {
        assignee: Some(to),
        ..all
    };
    let ann_s = AssignedTo::User(ann.id);
    for (filter, of_all, of_ann) in [
        (state(TicketState::Open), vec![of_bob.id, own.id], vec![own.id]),
        (state(TicketState::Pending), vec![given.id], vec![given.id]),
        (state(TicketState::Resolved), vec![], vec![]),
        (to(ann_s), vec![both.id, given.id], vec![both.id, given.id]),
        (to(AssignedTo::User(bob.id)), vec![], vec![]),
        (to(AssignedTo::Nobody), vec![of_bob.id, own.id], vec![own.id]),
        (
            TicketFilter {
                state: Some(TicketState::Closed),
                ..to(ann_s)
            },
            vec![both.id],
            vec![both.id],
        ),
        (
            TicketFilter {
                state: Some(TicketState::Closed),
                ..to(AssignedTo::Nobody)
            },
            vec![],
            vec![],
        ),
    ] {
        assert_eq!(ids(&mut tx, acme, Sight::All, filter).await, of_all, "{filter:?}");
        assert_eq!(ids(&mut tx, acme, anns, filter).await, of_ann, "{filter:?}");
    }
    assert_eq!(tickets::waiting(&mut tx, acme).await.unwrap(), 3);
    // What is archived is listed by itself, and waits for nothing.
    tickets::archive(&mut tx, acme, given.id, now()).await.unwrap();
    let archived = TicketFilter {
        archived: true,
        ..all
    };
    for (sight, rest) in [
        (Sight::All, vec![of_bob.id, both.id, own.id]),
        (anns, vec![both.id, own.id]),
        (bobs, vec![of_bob.id]),
    ] {
        assert_eq!(ids(&mut tx, acme, sight, all).await, rest, "{sight:?}");
        assert_eq!(ids(&mut tx, acme, sight, archived).await, [given.id], "{sight:?}");
    }
    assert_eq!(tickets::waiting(&mut tx, acme).await.unwrap(), 2);
}

#[rstest]
#[tokio::test]
async fn a16_pages_follow_each_other_without_gap_or_repetition_also_within_one_moment(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let (acme, _) = two_tenants(&store).await;
    let mut tx = store.begin("tickets").await.unwrap();
    let ann = add(&mut tx, "ann@example.com", Some((acme, Rank::Agent))).await;
    let mut expected = Vec::new();
    for after in [0, 1, 1, 1, 2] {
        let ticket = opened(&mut tx, acme, &ann, after).await;
        looked_after(&mut tx, ticket.clone(), &ann, TicketState::Open).await;
        expected.push((ticket.created_at, ticket.id));
    }
    expected.sort();
    expected.reverse();
    let filters = [
        TicketFilter::default(),
        TicketFilter {
            state: Some(TicketState::Open),
            ..TicketFilter::default()
        },
        TicketFilter {
            assignee: Some(AssignedTo::User(ann.id)),
            ..TicketFilter::default()
        },
    ];
    let sights = [Sight::All, Sight::Own(ann.id.uuid())];
    for (filter, sight) in filters
        .iter()
        .flat_map(|filter| sights.map(|sight| (*filter, sight)))
    {
        let mut query = TicketQuery {
            filter,
            after: None,
            per_page: 2,
        };
        let mut seen = Vec::new();
        for _ in 0..3 {
            let page = ticket_lists::list(&mut tx, acme, sight, &query).await.unwrap();
            seen.extend(page.tickets.iter().map(|ticket| (ticket.created_at, ticket.id)));
            query.after = page.next;
        }
        assert_eq!((&seen, query.after), (&expected, None), "{filter:?} {sight:?}");
    }
}
