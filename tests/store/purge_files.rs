//! What a purge is about to remove the files of, tickets that it removes, and how many reports are kept, on both databases.

use rstest::rstest;
use switchyard::domain::ids::{CommentId, PurgeId, SystemIds};
use switchyard::domain::page::PageRequest;
use switchyard::domain::role::Rank;
use switchyard::domain::ticket::TicketComment;
use switchyard::store::purge_rows::{self, Rows};
use switchyard::store::tickets::Sight;
use switchyard::store::{purge_files, purges, recordings, tenant_lifecycle, ticket_comments, tickets};

use super::bench::Backend::{self, Postgres, Sqlite};
use super::bench::Bench;
use super::call_records::SECOND;
use super::purges::{purge, recorded};
use super::samples::{World, at};
use super::tickets::{by, opened, text};
use super::users::{add, two_tenants};

const PLACE: &str = "node1 1:2 /recordings";

#[rstest]
#[tokio::test]
async fn a20_what_files_are_about_to_go_is_noted_once_and_forgotten_by_part_or_by_recording(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let (acme, globex, here) = (world.acme.id, world.globex.id, world.instance.id);
    let mut ids = Vec::new();
    for second in 0..4 {
        ids.push(recorded(&store, &world, acme, here, second).await);
    }
    let theirs = recorded(&store, &world, globex, here, 0).await;
    let asked = purge(acme, 10);
    let mut tx = store.begin("note").await.unwrap();
    purges::insert(&mut tx, &asked, 2).await.unwrap();
    let before = at(3 * SECOND);
    for (id, noted) in [
        (ids[0], true),
        (ids[1], true),
        (ids[2], true),
        (ids[3], false),
        (theirs, false),
    ] {
        let done = purge_files::note(&mut tx, acme, asked.id, (1, id), before, PLACE).await;
        assert_eq!(done.unwrap(), noted);
    }
    let done = purge_files::note(&mut tx, globex, asked.id, (1, theirs), before, PLACE).await;
    assert!(!done.unwrap(), "of another tenant's purge");
    let noted = purge_files::noted(&mut tx, acme, asked.id, 1)
        .await
        .unwrap()
        .unwrap();
    let of = noted.recordings.iter().map(|noted| (noted.id, noted.bytes));
    assert_eq!(
        of.collect::<Vec<_>>(),
        [(ids[0], 100), (ids[1], 101), (ids[2], 102)]
    );
    assert_eq!(noted.place, PLACE);
    for (tenant, position) in [(globex, 1), (acme, 0)] {
        let none = purge_files::noted(&mut tx, tenant, asked.id, position).await;
        assert_eq!(none.unwrap(), None);
    }
    // They outlive their rows.
    recordings::delete(&mut tx, acme, ids[0]).await.unwrap();
    purge_files::forget_one(&mut tx, globex, ids[1]).await.unwrap();
    purge_files::forget_one(&mut tx, acme, ids[1]).await.unwrap();
    for (tenant, position) in [(globex, 1), (acme, 0)] {
        purge_files::forget(&mut tx, tenant, asked.id, position)
            .await
            .unwrap();
    }
    let noted = purge_files::noted(&mut tx, acme, asked.id, 1)
        .await
        .unwrap()
        .unwrap();
    let of = noted.recordings.iter().map(|noted| noted.id);
    assert_eq!(of.collect::<Vec<_>>(), [ids[0], ids[2]]);
    purge_files::forget(&mut tx, acme, asked.id, 1).await.unwrap();
    let noted = purge_files::noted(&mut tx, acme, asked.id, 1).await.unwrap();
    assert_eq!(noted, None);
}

#[rstest]
#[tokio::test]
async fn a20_archived_tickets_go_with_what_was_said_by_when_they_were_archived(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (bench, store) = Bench::migrated(backend).await;
    let (acme, beta) = two_tenants(&store).await;
    let mut tx = store.begin("tickets").await.unwrap();
    let ann = add(&mut tx, "ann@example.com", Some((acme, Rank::Agent))).await;
    let mut all = Vec::new();
    for (tenant, archived) in [
        (acme, Some(50)),
        (acme, Some(60)),
        (acme, Some(70)),
        (acme, None),
        (beta, Some(50)),
    ] {
        let ticket = opened(&mut tx, tenant, &ann, 1).await;
        let comment = TicketComment {
            id: CommentId::fresh(&SystemIds),
            author: by(&ann),
            text: text("Still"),
            created_at: at(20),
        };
        assert!(
            ticket_comments::insert(&mut tx, tenant, ticket.id, &comment)
                .await
                .unwrap()
        );
        if let Some(when) = archived {
            assert!(
                tickets::archive(&mut tx, tenant, ticket.id, at(when))
                    .await
                    .unwrap()
            );
        }
        all.push((tenant, ticket.id));
    }
    let rows = Rows::Tickets;
    let before = at(70);
    assert_eq!(
        purge_rows::count(&mut tx, acme, rows, before)
            .await
            .unwrap()
            .found,
        2
    );
    assert!(purge_rows::any(&mut tx, acme, rows, at(51)).await.unwrap());
    assert!(!purge_rows::any(&mut tx, acme, rows, at(50)).await.unwrap());
    let mut left = Vec::new();
    for deleted in [1, 1, 0] {
        let done = purge_rows::delete(&mut tx, acme, rows, before, 1).await.unwrap();
        assert_eq!(done, deleted);
        let mut there = Vec::new();
        for (tenant, id) in &all {
            there.push(
                tickets::find(&mut tx, *tenant, Sight::All, *id)
                    .await
                    .unwrap()
                    .is_some(),
            );
        }
        left.push(there);
    }
    // The one that was archived first goes first.
    assert_eq!(left[0], [false, true, true, true, true]);
    assert_eq!(left[2], [false, false, true, true, true]);
    tx.commit().await.unwrap();
    let comments = bench
        .ask("select count(*) || '' from ticket_comments".to_owned())
        .await;
    assert_eq!(comments, ["3"]);
}

#[rstest]
#[tokio::test]
async fn a20_the_newest_reports_are_kept_and_none_that_runs_is_lost(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let acme = world.acme.id;
    let mut tx = store.begin("purge").await.unwrap();
    let theirs = purge(world.globex.id, 1);
    purges::insert(&mut tx, &theirs, 2).await.unwrap();
    let mut asked = Vec::new();
    for second in 1..=4 {
        let mut one = purge(acme, second);
        one.parts.clear();
        purges::insert(&mut tx, &one, 2).await.unwrap();
        assert!(purges::end(&mut tx, &one, at(second)).await.unwrap());
        asked.push(one.id);
    }
    let page = PageRequest::default();
    let listed = purges::list(&mut tx, acme, page).await.unwrap();
    let ids: Vec<PurgeId> = listed.items.iter().map(|purge| purge.id).collect();
    assert_eq!((ids, listed.total), (vec![asked[3], asked[2]], 2));
    assert_eq!(
        purges::running(&mut tx).await.unwrap(),
        [(world.globex.id, theirs.id)]
    );
    // What goes with its tenant is nobody's to carry out any more.
    tenant_lifecycle::let_go(&mut tx, world.globex.id, at(9))
        .await
        .unwrap();
    assert_eq!(purges::running(&mut tx).await.unwrap(), []);
}
