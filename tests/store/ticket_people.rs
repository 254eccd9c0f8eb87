//! Tickets of those who leave, of those who write much, and of tenants that go.

use jiff::SignedDuration;
use rstest::rstest;
use switchyard::domain::audit::ActorKind;
use switchyard::domain::ids::{SystemIds, UserId};
use switchyard::domain::role::Rank;
use switchyard::domain::ticket::{Ticket, TicketAuthor, TicketState};
use switchyard::domain::ticket_query::{AssignedTo, TicketFilter};
use switchyard::store::ticket_comments::Held;
use switchyard::store::tickets::Sight;
use switchyard::store::{Tx, tenant_lifecycle, ticket_comments, tickets, users};

use super::bench::Backend::{self, Postgres, Sqlite};
use super::bench::Bench;
use super::tickets::{comment, ids, looked_after, opened};
use super::users::{add, now, two_tenants};

#[rstest]
#[tokio::test]
async fn a16_who_leaves_stays_named_and_is_said_to_have_left(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let (acme, beta) = two_tenants(&store).await;
    let mut tx = store.begin("tickets").await.unwrap();
    let ann = add(&mut tx, "ann@example.com", Some((acme, Rank::Agent))).await;
    let bob = add(&mut tx, "bob@example.com", Some((acme, Rank::Agent))).await;
    let ticket = opened(&mut tx, acme, &ann, 0).await;
    let ticket = looked_after(&mut tx, ticket, &bob, TicketState::Open).await;
    let said = comment(&ann, 1);
    ticket_comments::insert(&mut tx, acme, ticket.id, &said)
        .await
        .unwrap();
    let mut by_key = comment(&ann, 2);
    by_key.author = TicketAuthor {
        kind: ActorKind::ApiKey,
        id: Some(UserId::fresh(&SystemIds).uuid()),
        name: "crm".to_owned(),
        has_left: false,
    };
    ticket_comments::insert(&mut tx, acme, ticket.id, &by_key)
        .await
        .unwrap();

    // Whoever is called otherwise by now is called so.
    let anna = "Anna".parse().unwrap();
    users::set_person(&mut tx, ann.id, &anna, &ann.contact, None, now())
        .await
        .unwrap();
    let named = async |tx: &mut Tx| {
        let found = tickets::find(tx, acme, Sight::All, ticket.id)
            .await
            .unwrap()
            .unwrap();
        let assignee = found.assignee.unwrap();
        let comments = ticket_comments::list(tx, acme, ticket.id).await.unwrap();
        let authors = comments.into_iter().map(|comment| comment.author);
        let mut named = vec![
            (found.opened_by.name, found.opened_by.has_left),
            (assignee.name.to_string(), assignee.has_left),
        ];
        named.extend(authors.map(|author| (author.name, author.has_left)));
        named
    };
    let all = |named: [(&str, bool); 4]| named.map(|(name, left)| (name.to_owned(), left)).to_vec();
    let there = all([("Anna", false), ("bob", false), ("Anna", false), ("crm", false)]);
    assert_eq!(named(&mut tx).await, there);
    // One is deleted, the other works for another tenant.
    users::delete(&mut tx, ann.id).await.unwrap();
    let agent = bob.membership.as_ref().unwrap().role_id;
    users::set_membership(&mut tx, bob.id, Some((beta, agent)), now())
        .await
        .unwrap();
    let left = all([("ann", true), ("bob", true), ("ann", true), ("crm", false)]);
    assert_eq!(named(&mut tx).await, left);
    // In the other tenant there is nothing of it for him.
    let bobs = Sight::Own(bob.id.uuid());
    assert!(ids(&mut tx, beta, bobs, TicketFilter::default()).await.is_empty());
}

#[rstest]
#[tokio::test]
async fn a16_who_left_is_named_as_they_were_when_they_were_given_the_ticket(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let (acme, _) = two_tenants(&store).await;
    let mut tx = store.begin("tickets").await.unwrap();
    let ann = add(&mut tx, "ann@example.com", Some((acme, Rank::Agent))).await;
    let bob = add(&mut tx, "bob@example.com", Some((acme, Rank::Agent))).await;
    let ticket = opened(&mut tx, acme, &ann, 0).await;
    looked_after(&mut tx, ticket.clone(), &bob, TicketState::Open).await;
    let robert = "Robert".parse().unwrap();
    users::set_person(&mut tx, bob.id, &robert, &bob.contact, None, now())
        .await
        .unwrap();
    let named = async |tx: &mut Tx| {
        let found = tickets::find(tx, acme, Sight::All, ticket.id)
            .await
            .unwrap()
            .unwrap();
        (found.assignee.clone().unwrap().name.to_string(), found)
    };
    // Changed while he is called otherwise, it is still the same one that he was given.
    let (name, found) = named(&mut tx).await;
    assert_eq!(name, "Robert");
    assert!(tickets::update(&mut tx, acme, &found, now()).await.unwrap());
    users::delete(&mut tx, bob.id).await.unwrap();
    assert_eq!(named(&mut tx).await.0, "bob");
    // Given to somebody else, or to nobody, it names them.
    looked_after(&mut tx, found.clone(), &ann, TicketState::Open).await;
    assert_eq!(named(&mut tx).await.0, "ann");
    let free = Ticket {
        assignee: None,
        ..found
    };
    assert!(tickets::update(&mut tx, acme, &free, now()).await.unwrap());
    let found = tickets::find(&mut tx, acme, Sight::All, ticket.id).await.unwrap();
    assert_eq!(found.unwrap().assignee, None);
}

#[rstest]
#[tokio::test]
async fn a16_tickets_of_those_who_left_are_found_by_that(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let (acme, beta) = two_tenants(&store).await;
    let mut tx = store.begin("tickets").await.unwrap();
    let [ann, bob, eve, zoe] = [
        add(&mut tx, "ann@example.com", Some((acme, Rank::Agent))).await,
        add(&mut tx, "bob@example.com", Some((acme, Rank::Agent))).await,
        add(&mut tx, "eve@example.com", Some((acme, Rank::Agent))).await,
        add(&mut tx, "zoe@example.com", Some((beta, Rank::Agent))).await,
    ];
    let mut given = Vec::new();
    for (after, opener, assignee, state) in [
        (0, &ann, &bob, TicketState::Open),
        (1, &eve, &bob, TicketState::Closed),
        (2, &ann, &eve, TicketState::Open),
        (3, &ann, &ann, TicketState::Open),
        (4, &eve, &ann, TicketState::Open),
    ] {
        let ticket = opened(&mut tx, acme, opener, after).await;
        given.push(looked_after(&mut tx, ticket, assignee, state).await.id);
    }
    let free = opened(&mut tx, acme, &ann, 5).await.id;
    let of_beta = opened(&mut tx, beta, &zoe, 0).await;
    looked_after(&mut tx, of_beta, &zoe, TicketState::Open).await;
    let filter = |assignee, state| TicketFilter {
        assignee: Some(assignee),
        state,
        ..TicketFilter::default()
    };
    let left = AssignedTo::SomebodyWhoLeft;
    let (all, anns) = (Sight::All, Sight::Own(ann.id.uuid()));
    assert!(ids(&mut tx, acme, all, filter(left, None)).await.is_empty());
    // One is deleted, the other works for another tenant.
    users::delete(&mut tx, bob.id).await.unwrap();
    let agent = zoe.membership.as_ref().unwrap().role_id;
    users::set_membership(&mut tx, eve.id, Some((beta, agent)), now())
        .await
        .unwrap();
    let to_ann = AssignedTo::User(ann.id);
    for (assignee, state, of_all, of_ann) in [
        (left, None, vec![2, 1, 0], vec![2, 0]),
        (left, Some(TicketState::Open), vec![2, 0], vec![2, 0]),
        (left, Some(TicketState::Closed), vec![1], vec![]),
        (AssignedTo::User(eve.id), None, vec![2], vec![2]),
        (AssignedTo::User(bob.id), None, vec![1, 0], vec![0]),
        (
            AssignedTo::User(bob.id),
            Some(TicketState::Closed),
            vec![1],
            vec![],
        ),
        // What is assigned to her she sees, whoever opened it.
        (to_ann, None, vec![4, 3], vec![4, 3]),
        (to_ann, Some(TicketState::Open), vec![4, 3], vec![4, 3]),
        (to_ann, Some(TicketState::Closed), vec![], vec![]),
    ] {
        for (sight, expected) in [(all, of_all), (anns, of_ann)] {
            let expected: Vec<_> = expected.into_iter().map(|number: usize| given[number]).collect();
            let found = ids(&mut tx, acme, sight, filter(assignee, state)).await;
            assert_eq!(found, expected, "{sight:?} {assignee} {state:?}");
        }
    }
    for sight in [all, anns] {
        let nobodys = ids(&mut tx, acme, sight, filter(AssignedTo::Nobody, None)).await;
        assert_eq!(nobodys, [free], "{sight:?}");
    }
    for tenant in [acme, beta] {
        let of_zoe = ids(&mut tx, tenant, Sight::Own(zoe.id.uuid()), filter(left, None)).await;
        assert!(of_zoe.is_empty());
    }
    assert!(ids(&mut tx, beta, all, filter(left, None)).await.is_empty());
}

#[rstest]
#[tokio::test]
async fn a16_how_much_there_is_is_counted_of_the_tenant_and_of_each_who_wrote_it(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let (acme, beta) = two_tenants(&store).await;
    let mut tx = store.begin("tickets").await.unwrap();
    let ann = add(&mut tx, "ann@example.com", Some((acme, Rank::Agent))).await;
    let bob = add(&mut tx, "bob@example.com", Some((acme, Rank::Agent))).await;
    let (of_ann, of_bob) = (ann.id.uuid(), bob.id.uuid());
    let first = opened(&mut tx, acme, &ann, 0).await;
    let second = opened(&mut tx, acme, &ann, 1).await;
    looked_after(&mut tx, second.clone(), &bob, TicketState::Pending).await;
    let third = opened(&mut tx, acme, &ann, 2).await;
    looked_after(&mut tx, third, &bob, TicketState::Closed).await;
    let fourth = opened(&mut tx, acme, &bob, 3).await;
    assert_eq!(tickets::waiting_of(&mut tx, acme, of_ann).await.unwrap(), 2);
    assert_eq!(tickets::waiting_of(&mut tx, acme, of_bob).await.unwrap(), 1);
    tickets::archive(&mut tx, acme, fourth.id, now()).await.unwrap();
    assert_eq!(tickets::waiting_of(&mut tx, acme, of_bob).await.unwrap(), 0);
    assert_eq!(tickets::count(&mut tx, acme).await.unwrap(), 4);
    assert_eq!(tickets::waiting_of(&mut tx, beta, of_ann).await.unwrap(), 0);
    assert_eq!(tickets::count(&mut tx, beta).await.unwrap(), 0);

    let nothing = Held {
        comments: 0,
        bytes: 0,
        own_comments: 0,
        own_bytes: 0,
    };
    let held = async |tx: &mut Tx, tenant, ticket: &Ticket, author| {
        ticket_comments::held(tx, tenant, ticket.id, author)
            .await
            .unwrap()
    };
    assert_eq!(held(&mut tx, acme, &first, Some(of_ann)).await, nothing);
    for (author, text) in [(&ann, "é"), (&bob, "\u{1F50C}"), (&ann, "abc")] {
        let mut said = comment(author, 1);
        said.text = text.parse().unwrap();
        ticket_comments::insert(&mut tx, acme, first.id, &said)
            .await
            .unwrap();
    }
    for (author, own_comments, own_bytes) in [(Some(of_ann), 2, 5), (Some(of_bob), 1, 4), (None, 0, 0)] {
        let all = Held {
            comments: 3,
            bytes: 9,
            own_comments,
            own_bytes,
        };
        assert_eq!(held(&mut tx, acme, &first, author).await, all);
    }
    assert_eq!(held(&mut tx, acme, &second, Some(of_ann)).await, nothing);
    assert_eq!(held(&mut tx, beta, &first, Some(of_ann)).await, nothing);
}

#[rstest]
#[tokio::test]
async fn a16_what_somebody_wrote_is_counted_by_the_one_that_lies_so_far_back(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let (acme, beta) = two_tenants(&store).await;
    let mut tx = store.begin("tickets").await.unwrap();
    let ann = add(&mut tx, "ann@example.com", Some((acme, Rank::Agent))).await;
    let bob = add(&mut tx, "bob@example.com", Some((acme, Rank::Agent))).await;
    let after = |seconds| now() + SignedDuration::from_secs(seconds);
    let mut ticket = None;
    for seconds in 1..=3 {
        ticket = Some(opened(&mut tx, acme, &ann, seconds).await);
        let said = comment(&ann, seconds);
        let id = ticket.as_ref().unwrap().id;
        ticket_comments::insert(&mut tx, acme, id, &said).await.unwrap();
    }
    // Archived ones count: whoever may archive could go on for ever.
    tickets::archive(&mut tx, acme, ticket.unwrap().id, now())
        .await
        .unwrap();
    for (who, tenant, since, later, expected) in [
        (&ann, acme, 0, 0, Some(after(3))),
        (&ann, acme, 0, 2, Some(after(1))),
        (&ann, acme, 1, 2, None),
        (&ann, acme, 0, 3, None),
        (&bob, acme, 0, 0, None),
        (&ann, beta, 0, 0, None),
    ] {
        let (id, since) = (who.id.uuid(), after(since));
        let opened = tickets::nth_opened(&mut tx, tenant, id, since, later)
            .await
            .unwrap();
        let said = ticket_comments::nth_said(&mut tx, tenant, id, since, later)
            .await
            .unwrap();
        assert_eq!((opened, said), (expected, expected), "{later} since {since}");
    }
}

#[rstest]
#[tokio::test]
async fn a16_a_tenant_takes_its_tickets_with_it(#[values(Sqlite, Postgres)] backend: Backend) {
    let (bench, store) = Bench::migrated(backend).await;
    let (acme, beta) = two_tenants(&store).await;
    let mut tx = store.begin("tickets").await.unwrap();
    for (tenant, email) in [(acme, "ann@example.com"), (beta, "eve@example.com")] {
        let user = add(&mut tx, email, Some((tenant, Rank::Agent))).await;
        let ticket = opened(&mut tx, tenant, &user, 0).await;
        ticket_comments::insert(&mut tx, tenant, ticket.id, &comment(&user, 1))
            .await
            .unwrap();
    }
    assert!(tenant_lifecycle::delete(&mut tx, acme).await.unwrap());
    tx.commit().await.unwrap();
    for table in ["tickets", "ticket_comments"] {
        let left = bench.ask(format!("select count(*) || '' from {table}")).await;
        assert_eq!(left, ["1"], "{table}");
    }
}
