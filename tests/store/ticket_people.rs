//! Tickets of those who leave, of those who write much, and of tenants that go.

use jiff::SignedDuration;
use rstest::rstest;
use switchyard::domain::audit::ActorKind;
use switchyard::domain::ids::{SystemIds, UserId};
use switchyard::domain::role::Rank;
use switchyard::domain::ticket::{TicketAuthor, TicketState};
use switchyard::domain::ticket_query::TicketFilter;
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
