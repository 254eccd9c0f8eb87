//! What an export goes through: every row once, page by page, and of one tenant only.

use rstest::rstest;
use switchyard::domain::audit::ActorKind;
use switchyard::domain::dial::ExtensionNumber;
use switchyard::domain::ids::{CommentId, RevisionId, SystemIds, TicketId, UserId};
use switchyard::domain::ticket::{Ticket, TicketAuthor, TicketComment, TicketState};
use switchyard::store::{Store, exports, extensions, revisions, ticket_comments, tickets};

use super::bench::Backend::{self, Postgres, Sqlite};
use super::bench::Bench;
use super::samples::{World, at, extension, secrets};

async fn filled(store: &Store, world: &World) {
    let mut tx = store.begin("fill").await.unwrap();
    for tenant in [world.acme.id, world.globex.id] {
        for number in 10..17 {
            let row = extension(tenant, &number.to_string(), "Ann");
            extensions::insert(&mut tx, &row, &secrets("CircleOfLife", "1234"))
                .await
                .unwrap();
        }
    }
    tx.commit().await.unwrap();
}

#[rstest]
#[tokio::test]
async fn a46_extensions_are_gone_through_once_each_and_another_tenants_not(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[values(1, 3, 7, 100)] most: i64,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    filled(&store, &world).await;
    let mut seen = Vec::new();
    let mut after = String::new();
    for _ in 0..20 {
        let mut tx = store.read("page").await.unwrap();
        let page = exports::extensions(&mut tx, world.acme.id, &after, most)
            .await
            .unwrap();
        assert!(i64::try_from(page.len()).unwrap() <= most);
        let Some((_, last)) = page.last() else { break };
        after.clone_from(last);
        for (id, number) in page {
            let found = extensions::find(&mut tx, world.acme.id, id)
                .await
                .unwrap()
                .unwrap();
            assert_eq!(found.number, number.parse::<ExtensionNumber>().unwrap());
            seen.push(number);
        }
    }
    let expected: Vec<String> = (10..17).map(|number| number.to_string()).collect();
    assert_eq!(seen, expected);
}

#[rstest]
#[tokio::test]
async fn a46_revisions_come_one_by_one_with_their_configuration(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let take = async |number: i64| {
        let mut tx = store.begin("take").await.unwrap();
        let row = extension(world.acme.id, &number.to_string(), "Ann");
        extensions::insert(&mut tx, &row, &secrets("CircleOfLife", "1234"))
            .await
            .unwrap();
        let fresh = RevisionId::fresh(&SystemIds);
        revisions::take_head(&mut tx, world.acme.id, fresh, at(5))
            .await
            .unwrap();
        tx.commit().await.unwrap();
    };
    take(11).await;
    take(12).await;
    let (mut numbers, mut before) = (Vec::new(), None);
    for more in 13..18 {
        let mut tx = store.read("revisions").await.unwrap();
        let revision = exports::revision(&mut tx, world.acme.id, before).await.unwrap();
        let Some(revision) = revision else { break };
        let config: serde_json::Value = serde_json::from_str(revision.config.get()).unwrap();
        assert_eq!(config["domain"], world.acme.domain.as_str());
        numbers.push(config["extensions"].as_array().unwrap().len());
        before = Some(revision.number);
        drop(tx);
        // What is taken meanwhile is in none.
        take(more).await;
    }
    assert_eq!(numbers, [2, 1]);
    let mut tx = store.read("revisions").await.unwrap();
    assert!(
        exports::revision(&mut tx, world.globex.id, None)
            .await
            .unwrap()
            .is_none()
    );
}

#[rstest]
#[tokio::test]
async fn a46_what_somebody_said_is_found_about_every_ticket_and_nobody_elses(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let [ann, bob] = [0, 1].map(|_| UserId::fresh(&SystemIds));
    let author = |user: UserId| TicketAuthor {
        kind: ActorKind::User,
        id: Some(user.uuid()),
        name: "Ann".to_owned(),
        has_left: false,
    };
    let mut tx = store.begin("say").await.unwrap();
    for tenant in [world.acme.id, world.globex.id] {
        for _ in 0..2 {
            let ticket = Ticket {
                id: TicketId::fresh(&SystemIds),
                tenant_id: tenant,
                subject: "x".parse().unwrap(),
                state: TicketState::Open,
                opened_by: author(bob),
                assignee: None,
                extension: None,
                comments: 0,
                archived_at: None,
                version: 1,
                created_at: at(1),
                updated_at: at(1),
            };
            tickets::insert(&mut tx, &ticket, &"x".parse().unwrap())
                .await
                .unwrap();
            for user in [ann, bob, ann] {
                let comment = TicketComment {
                    id: CommentId::fresh(&SystemIds),
                    author: author(user),
                    text: "x".parse().unwrap(),
                    // Several at one moment.
                    created_at: at(2),
                };
                ticket_comments::insert(&mut tx, tenant, ticket.id, &comment)
                    .await
                    .unwrap();
            }
        }
    }
    tx.commit().await.unwrap();
    let mut tx = store.read("said").await.unwrap();
    let mut seen = Vec::new();
    let mut after = None;
    for _ in 0..10 {
        let page = exports::said(&mut tx, world.acme.id, ann.uuid(), after, 1)
            .await
            .unwrap();
        let Some(last) = page.last() else { break };
        after = Some(switchyard::domain::call_record::CallCursor {
            at: last.created_at,
            id: last.id.uuid(),
        });
        seen.push(last.id);
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 4);
}
