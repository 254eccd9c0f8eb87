//! Pages of an export while what it goes through changes and grows between them: each row of its beginning once, and no others.

use rstest::rstest;
use sqlx::{AssertSqlSafe, Connection as _};
use switchyard::domain::audit::{Actor, ActorKind, AuditEntry, Salt};
use switchyard::domain::export::Span;
use switchyard::domain::ids::{
    AuditId, CallRecordId, ExtensionId, RecordingId, SystemIds, TenantId, TicketId, UserId,
};
use switchyard::domain::random::SystemRandom;
use switchyard::domain::recording::FoundRecording;
use switchyard::domain::ticket::{Assignee, Ticket, TicketAuthor, TicketState};
use switchyard::store::{Store, audit, audit_of_person, exports, recordings, ticket_lists, tickets};

use super::bench::Backend::{self, Postgres, Sqlite};
use super::bench::Bench;
use super::call_records::{ACME, SECOND, keep, part};
use super::samples::{World, at, store_extension};

/// As many are on each of the pages.
const PAGE: i64 = 2;
const ROWS: i64 = 7;

/// Has something changed by others, between two pages.
pub async fn change(bench: &Bench, sql: &str) {
    let sql = AssertSqlSafe(sql.to_owned());
    match bench.backend {
        Sqlite => {
            let mut connection = sqlx::SqliteConnection::connect(&bench.text).await.unwrap();
            sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        }
        Postgres => {
            let mut connection = sqlx::PgConnection::connect(&bench.text).await.unwrap();
            sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        }
    }
}

fn tenants(world: &World) -> [(TenantId, &'static str); 2] {
    [(world.acme.id, ACME), (world.globex.id, "globex.example.com")]
}

async fn store_call(store: &Store, world: &World, (tenant, domain): (TenantId, &str), call: i64) {
    let mut tx = store.begin("keep").await.unwrap();
    let channel = format!("{call}.0");
    let numbers = if call == 3 {
        ("1002", "1003")
    } else {
        ("1001", "1002")
    };
    let part = part(&channel, 1, numbers, domain, call);
    keep(&mut tx, tenant, world.instance.id, &channel, &part).await;
    tx.commit().await.unwrap();
}

async fn store_calls(store: &Store, world: &World) {
    for of in tenants(world) {
        for call in 0..ROWS {
            store_call(store, world, of, call).await;
        }
    }
}

async fn store_recording(store: &Store, world: &World, (tenant, domain): (TenantId, &str), file: i64) {
    let found = FoundRecording {
        path: format!("{domain}/{file}.0.wav").parse().unwrap(),
        bytes: 44,
        written_at: at(file),
    };
    let mut tx = store.begin("put").await.unwrap();
    let id = RecordingId::fresh(&SystemIds);
    recordings::put(&mut tx, id, tenant, world.instance.id, &found)
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

fn once<I: Ord>(mut ids: Vec<I>, rows: i64) {
    assert_eq!(i64::try_from(ids.len()).unwrap(), rows);
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(i64::try_from(ids.len()).unwrap(), rows, "one came twice");
}

#[rstest]
#[case::moves_down("update call_records set started_at = started_at - 1000000000")]
#[case::moves_up("update call_records set started_at = started_at + 1000000000")]
#[case::is_turned_round("update call_records set started_at = -started_at")]
#[tokio::test]
async fn a46_a_call_of_which_more_is_told_meanwhile_is_exported_once(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[case] sql: &str,
) {
    let (bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    store_calls(&store, &world).await;
    let (mut seen, mut after) = (Vec::new(), None);
    for more in ROWS..2 * ROWS {
        let mut tx = store.read("page").await.unwrap();
        let page = exports::calls(&mut tx, world.acme.id, after, PAGE).await.unwrap();
        let Some(last) = page.last() else { break };
        let parts = exports::parts(&mut tx, world.acme.id, after, last.id)
            .await
            .unwrap();
        let with_parts: Vec<CallRecordId> = parts.keys().copied().collect();
        assert_eq!(
            with_parts,
            page.iter().rev().map(|call| call.id).collect::<Vec<_>>()
        );
        after = Some(last.id);
        seen.extend(page.iter().map(|call| call.id));
        assert!(page.iter().all(|call| call.tenant_id == world.acme.id));
        drop(tx);
        change(&bench, sql).await;
        store_call(&store, &world, (world.acme.id, ACME), more).await;
    }
    once(seen, ROWS);
}

#[rstest]
#[case::is_written_to("update recordings set written_at = written_at + 1000000000")]
#[case::is_restored("update recordings set written_at = written_at - 1000000000")]
#[case::is_turned_round("update recordings set written_at = -written_at")]
#[tokio::test]
async fn a46_a_recording_whose_file_is_written_to_meanwhile_is_exported_once(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[case] sql: &str,
) {
    let (bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    for of in tenants(&world) {
        for file in 0..ROWS {
            store_recording(&store, &world, of, file).await;
        }
    }
    let (mut seen, mut after) = (Vec::new(), None);
    for more in ROWS..2 * ROWS {
        let mut tx = store.read("page").await.unwrap();
        let page = recordings::behind(&mut tx, world.acme.id, after, PAGE)
            .await
            .unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        seen.extend(page.iter().map(|recording| recording.id));
        assert!(page.iter().all(|recording| recording.tenant_id == world.acme.id));
        drop(tx);
        change(&bench, sql).await;
        store_recording(&store, &world, (world.acme.id, ACME), more).await;
    }
    once(seen, ROWS);
}

fn author(user: UserId) -> TicketAuthor {
    TicketAuthor {
        kind: ActorKind::User,
        id: Some(user.uuid()),
        name: "Ann".to_owned(),
        has_left: false,
    }
}

async fn store_ticket(
    store: &Store,
    tenant: TenantId,
    opened_by: UserId,
    assignee: Option<UserId>,
    number: i64,
) -> TicketId {
    let ticket = Ticket {
        id: TicketId::fresh(&SystemIds),
        tenant_id: tenant,
        subject: "x".parse().unwrap(),
        state: TicketState::Open,
        opened_by: author(opened_by),
        assignee: assignee.map(|id| Assignee {
            id,
            name: "Ann".parse().unwrap(),
            has_left: false,
        }),
        extension: None,
        comments: 0,
        archived_at: None,
        version: 1,
        created_at: at(number),
        updated_at: at(number),
    };
    let mut tx = store.begin("open").await.unwrap();
    tickets::insert(&mut tx, &ticket, &"x".parse().unwrap())
        .await
        .unwrap();
    tickets::update(&mut tx, tenant, &ticket, at(number))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    ticket.id
}

#[rstest]
#[tokio::test]
async fn a46_a_ticket_that_is_archived_meanwhile_is_exported_once(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[values("all", "opened", "assigned")] whose: &str,
) {
    let (bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let [ann, bob] = [0, 1].map(|_| UserId::fresh(&SystemIds));
    let (by, of_her) = if whose == "assigned" {
        (bob, Some(ann))
    } else {
        (ann, None)
    };
    for number in 0..ROWS {
        store_ticket(&store, world.acme.id, by, of_her, number).await;
        store_ticket(&store, world.globex.id, by, of_her, number).await;
        // Those that are archived are somebody else's.
        let id = store_ticket(&store, world.acme.id, bob, None, number).await;
        let mut tx = store.begin("archive").await.unwrap();
        tickets::archive(&mut tx, world.acme.id, id, at(9)).await.unwrap();
        tx.commit().await.unwrap();
    }
    let of = (whose != "all").then_some(ann);
    let (mut seen, mut after) = (Vec::new(), None);
    for _ in 0..2 * ROWS {
        let mut tx = store.read("page").await.unwrap();
        let page = ticket_lists::behind(&mut tx, world.acme.id, of, after, PAGE)
            .await
            .unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        seen.extend(page.iter().map(|ticket| ticket.id));
        assert!(page.iter().all(|ticket| ticket.tenant_id == world.acme.id));
        drop(tx);
        change(&bench, "update tickets set archived = true, archived_at = 9").await;
        store_ticket(&store, world.acme.id, by, of_her, ROWS).await;
    }
    once(seen, if of.is_none() { 2 * ROWS } else { ROWS });
}

#[rstest]
#[tokio::test]
async fn a46_calls_of_an_extension_or_number_are_found_within_the_time_that_it_was_somebodys(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let ann: ExtensionId = store_extension(&store, world.acme.id, "1001", "Ann").await.id;
    store_calls(&store, &world).await;
    let span = |from: Option<i64>, to: Option<i64>| Span {
        from: from.map(|second| at(second * SECOND)),
        to: to.map(|second| at(second * SECOND)),
    };
    let number = "1001".parse().unwrap();
    // The fourth is between others.
    let expected = [
        (span(None, None), 6),
        (span(Some(2), None), 4),
        (span(None, Some(5)), 4),
        (span(Some(2), Some(5)), 2),
        (span(Some(7), None), 0),
    ];
    let mut tx = store.read("calls").await.unwrap();
    for (within, count) in expected {
        let of_extension = exports::calls_of_extension(&mut tx, world.acme.id, ann, within).await;
        assert_eq!(of_extension.unwrap().len(), count, "{within:?}");
        let of_number = exports::calls_of_number(&mut tx, world.acme.id, &number, within).await;
        assert_eq!(of_number.unwrap().len(), count, "{within:?}");
    }
    let foreign = exports::calls_of_extension(&mut tx, world.globex.id, ann, span(None, None)).await;
    assert!(foreign.unwrap().is_empty());
    // From it and to it is one call.
    let called =
        exports::calls_of_number(&mut tx, world.acme.id, &"1002".parse().unwrap(), span(None, None)).await;
    assert_eq!(called.unwrap().len(), 7);
}

#[rstest]
#[tokio::test]
async fn a46_the_log_is_looked_through_portion_by_portion_for_somebody_however_rare_they_are(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let [ann, bob] = [0, 1].map(|_| UserId::fresh(&SystemIds));
    let email = "ann_x@example.com".parse().unwrap();
    let portion = audit_of_person::PORTION;
    let entry = |number: i64, by: UserId, target: String, after: &str| AuditEntry {
        id: AuditId::fresh(&SystemIds),
        // Several at one moment.
        at: at(number / 3),
        actor: Actor {
            kind: ActorKind::User,
            id: Some(by.uuid()),
            name: "somebody".to_owned(),
        },
        operating_as: false,
        action: "extension.change".to_owned(),
        resource: "extension".to_owned(),
        target_id: target,
        tenant_id: Some(world.acme.id),
        before: None,
        after: Some(serde_json::json!({"text": after})),
        reason: None,
        request_id: None,
        address: None,
        agent: None,
    };
    let mut tx = store.begin("fill").await.unwrap();
    for number in 0..2 * portion + 5 {
        let (by, target, after) = match number {
            0 | 2_004 => (ann, "x".to_owned(), "x"),
            700 => (bob, ann.to_string(), "x"),
            1_500 => (bob, "x".to_owned(), "ann_x@example.com"),
            _ => (bob, "x".to_owned(), "annyx@example.org"),
        };
        let salt = Salt::generate(&SystemRandom).unwrap();
        audit::append(&mut tx, &entry(number, by, target, after), salt).unwrap();
    }
    tx.commit().await.unwrap();
    let of = audit_of_person::Named {
        user: ann,
        email: &email,
    };
    let mut tx = store.read("found").await.unwrap();
    let (mut found, mut after) = (Vec::new(), None);
    for pages in 1.. {
        let page = audit_of_person::list(&mut tx, world.acme.id, &of, after)
            .await
            .unwrap();
        found.extend(page.entries.iter().map(|record| record.number));
        after = page.next;
        if after.is_none() {
            assert_eq!(pages, 3);
            break;
        }
        assert!(pages < 9);
    }
    let numbers = [2_005, 1_501, 701, 1].map(|number| number + found[0] - 2_005);
    assert_eq!(found, numbers);
    let page = audit_of_person::list(&mut tx, world.globex.id, &of, None)
        .await
        .unwrap();
    assert!(page.entries.is_empty() && page.next.is_none());
}
