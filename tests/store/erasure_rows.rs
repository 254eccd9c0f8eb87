//! What an erasure does to one row: who is named in it goes, and nothing else of it, and nothing of another tenant.

use rstest::rstest;
use serde_json::json;
use switchyard::domain::change::NOT_KEPT;
use switchyard::domain::deployment::{Deployment, DeploymentStatus, Scope};
use switchyard::domain::ids::{IdSource as _, RevisionId, SystemIds, TicketId};
use switchyard::domain::role::Rank;
use switchyard::domain::ticket::TicketState;
use switchyard::store::{Tx, audit_retention, deployments, erasure_rows, ticket_comments};

use super::bench::Backend::{self, Postgres, Sqlite};
use super::bench::{Bench, key};
use super::call_records::{ACME, SECOND};
use super::erasure_finds::{GLOBEX, deployed};
use super::erasure_payloads::queued;
use super::samples::{World, at, audit_entry, store_audit_entries};
use super::tickets::{comment, looked_after, opened};
use super::users::{add, two_tenants};

const PSEUDONYM: &str = "erased-4711";

#[rstest]
#[tokio::test]
async fn a22_of_a_ticket_goes_what_its_opener_wrote_and_what_its_assignee_is_called(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (bench, store) = Bench::migrated(backend).await;
    let (acme, beta) = two_tenants(&store).await;
    let mut tx = store.begin("tickets").await.unwrap();
    let ann = add(&mut tx, "ann@example.com", Some((acme, Rank::Agent))).await;
    let bob = add(&mut tx, "bob@example.com", Some((acme, Rank::Manager))).await;
    let mut ids = Vec::new();
    for (after, opener, assignee) in [
        (1, &ann, None),
        (2, &ann, Some(&bob)),
        (3, &bob, Some(&ann)),
        (4, &ann, Some(&ann)),
        (5, &bob, Some(&bob)),
    ] {
        let mut ticket = opened(&mut tx, acme, opener, after).await;
        if let Some(assignee) = assignee {
            ticket = looked_after(&mut tx, ticket, assignee, TicketState::Open).await;
        }
        ids.push(ticket.id.uuid());
    }
    let words = [comment(&ann, 1), comment(&bob, 2)];
    for said in &words {
        let ticket = TicketId::from_uuid(ids[0]);
        ticket_comments::insert(&mut tx, acme, ticket, said)
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
    let shown = "select subject || '|' || text || '|' || opened_by_name || '|' || coalesce(assignee_name, '-') || '|' \
                 || updated_at || '|' || version from tickets order by created_at";
    let before = bench.ask(shown.to_owned()).await;
    let who = ann.id.uuid();
    for (tenant, who) in [(beta, who), (acme, SystemIds.next())] {
        let mut tx = store.begin("empty").await.unwrap();
        for id in &ids {
            let emptied = erasure_rows::empty_ticket(&mut tx, tenant, *id, who, at(SECOND)).await;
            assert!(!emptied.unwrap());
        }
        tx.commit().await.unwrap();
    }
    assert_eq!(bench.ask(shown.to_owned()).await, before);
    let mut tx = store.begin("empty").await.unwrap();
    let mut emptied = Vec::new();
    for id in &ids {
        emptied.push(
            erasure_rows::empty_ticket(&mut tx, acme, *id, who, at(SECOND))
                .await
                .unwrap(),
        );
    }
    assert_eq!(emptied, [true, true, true, true, false]);
    let said = words[0].id.uuid();
    assert!(!erasure_rows::empty_comment(&mut tx, beta, said).await.unwrap());
    assert!(erasure_rows::empty_comment(&mut tx, acme, said).await.unwrap());
    let nothing = SystemIds.next();
    assert!(!erasure_rows::empty_comment(&mut tx, acme, nothing).await.unwrap());
    tx.commit().await.unwrap();
    let rows = bench.ask(shown.to_owned()).await;
    let changed = at(SECOND).as_microsecond();
    let words_of_bob = "No dial tone\nsince noon";
    assert!(
        rows[0].starts_with(&format!("erased|erased|erased|-|{changed}|")),
        "{rows:?}"
    );
    assert!(
        rows[1].starts_with(&format!("erased|erased|erased|bob|{changed}|")),
        "{rows:?}"
    );
    assert!(
        rows[2].starts_with(&format!("Subject 3|{words_of_bob}|bob|erased|{changed}|")),
        "{rows:?}"
    );
    assert!(
        rows[3].starts_with(&format!("erased|erased|erased|erased|{changed}|")),
        "{rows:?}"
    );
    assert_eq!(rows[4], before[4]);
    let version = |row: &String| row.rsplit('|').next().unwrap().parse::<i64>().unwrap();
    for (before, after) in before.iter().zip(&rows).take(4) {
        assert_eq!(version(after), version(before) + 1, "{after}");
    }
    let comments = "select text || '|' || author_name from ticket_comments order by created_at";
    assert_eq!(
        bench.ask(comments.to_owned()).await,
        ["erased|erased", "Have you tried \u{1F50C}?|bob"]
    );
}

#[rstest]
#[tokio::test]
async fn a22_of_a_deploys_record_goes_what_it_says_of_the_tenants_own_extension(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let (acme, globex, here) = (world.acme.id, world.globex.id, world.instance.id);
    let of = |tenant_id| Scope::TenantStatus {
        tenant_id,
        revision_id: RevisionId::fresh(&SystemIds),
    };
    let (ann, desk, other) = ("extension 1001", "voicemail 1001", "extension 1002");
    let mut platforms = deployed(here, Scope::Platform, 10, acme, [ann, other]);
    for (tenant, objects) in [
        (acme, [other, ann]),
        (globex, [ann, ann]),
        (acme, [desk, desk]),
        (globex, [desk, desk]),
    ] {
        let more = deployed(here, Scope::Platform, 10, tenant, objects);
        platforms.changes.extend(more.changes);
        platforms.findings.extend(more.findings);
    }
    let mut expected = platforms.clone();
    // Of what is no extension no field is a person's.
    let change = &mut expected.changes[0].fields[0];
    (change.before, change.after) = (json!(NOT_KEPT), json!(NOT_KEPT));
    for own in [1, 3] {
        NOT_KEPT.clone_into(&mut expected.findings[own].message);
        expected.findings[own].quote = None;
    }
    let unnamed = deployed(here, of(acme), 20, acme, [other, "extension 10011"]);
    let theirs = deployed(here, of(globex), 20, acme, [ann, ann]);
    let queued = Deployment {
        ended_at: None,
        status: DeploymentStatus::Queued,
        ..deployed(here, of(acme), 30, acme, [ann, ann])
    };
    let mut tx = store.begin("deploys").await.unwrap();
    for row in [&platforms, &unnamed, &theirs, &queued] {
        deployments::insert(&mut tx, row).await.unwrap();
    }
    let objects = [ann, desk].map(str::to_owned);
    let empty = async |tx: &mut Tx, row: &Deployment| {
        erasure_rows::empty_deployment(tx, acme, row.id.uuid(), &objects)
            .await
            .unwrap()
    };
    let found =
        async |tx: &mut Tx, row: &Deployment| deployments::find_anywhere(tx, row.id).await.unwrap().unwrap();
    let none = erasure_rows::empty_deployment(&mut tx, acme, platforms.id.uuid(), &[]).await;
    assert!(!none.unwrap());
    assert!(empty(&mut tx, &platforms).await);
    assert_eq!(found(&mut tx, &platforms).await, expected);
    assert!(!empty(&mut tx, &platforms).await, "nothing is left of it");
    for row in [&unnamed, &theirs, &queued] {
        assert!(!empty(&mut tx, row).await);
        assert_eq!(&found(&mut tx, row).await, row);
    }
}

/// Both have read it before either has written it.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a22_two_tenants_that_empty_the_platforms_record_at_once_both_do(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let (acme, globex, other) = (
        world.acme.id,
        world.globex.id,
        bench.another_store(Some(key('a'))).await,
    );
    let ann = "extension 1001";
    let mut row = deployed(world.instance.id, Scope::Platform, 10, acme, [ann, ann]);
    let more = deployed(world.instance.id, Scope::Platform, 10, globex, [ann, ann]);
    row.changes.extend(more.changes);
    row.findings.extend(more.findings);
    let mut tx = store.begin("deploy").await.unwrap();
    deployments::insert(&mut tx, &row).await.unwrap();
    tx.commit().await.unwrap();
    let (id, objects) = (row.id.uuid(), [ann.to_owned()]);
    let mut first = store.begin("first").await.unwrap();
    let done = erasure_rows::empty_deployment(&mut first, acme, id, &objects).await;
    assert!(done.unwrap());
    let second = async {
        let mut tx = other.begin("second").await.unwrap();
        let done = erasure_rows::empty_deployment(&mut tx, globex, id, &objects).await;
        tx.commit().await.unwrap();
        done.unwrap()
    };
    let ends = async {
        bench.others_wait().await;
        first.commit().await.unwrap();
    };
    let (done, ()) = tokio::join!(second, ends);
    assert!(done);
    let mut tx = store.read("left").await.unwrap();
    let left = deployments::find_anywhere(&mut tx, row.id)
        .await
        .unwrap()
        .unwrap();
    let values = left.changes.iter().flat_map(|change| &change.fields);
    let kept = values.flat_map(|field| [&field.before, &field.after]);
    assert!(kept.clone().all(|value| value == NOT_KEPT), "{left:?}");
    assert_eq!(kept.count(), 4);
    let messages: Vec<&str> = left.findings.iter().map(|one| one.message.as_str()).collect();
    assert_eq!(messages, [NOT_KEPT; 2]);
}

/// The bodies of the events with a number, of all webhooks of a tenant.
fn shown(which: &str, number: u8) -> String {
    format!(
        "select e.body from webhook_events e join webhooks w on w.id = e.webhook_id \
         join tenants t on t.id = w.tenant_id where t.domain = '{which}' and e.number = {number}"
    )
}

#[rstest]
#[tokio::test]
async fn a22_an_event_is_changed_wherever_it_waits_for_the_tenant_and_nothing_else_is(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let bodies = [
        r#"{"+4930123":1,"call":{"from":"+4930123","to":["+4930123","+49301234","ann@x.example"]},"n":1.5}"#,
        r#"{"from":"+4930123"}"#,
        r#"{"from":"+49301234"}"#,
    ];
    let [event, other, third] = queued(&bench, &world, bodies).await;
    let named = ["+4930123", "ann@x.example"];
    let acme = world.acme.id;
    let mut tx = store.begin("empty").await.unwrap();
    let mut done = Vec::new();
    for (tenant, id) in [
        (acme, event),
        (acme, event),
        (acme, third),
        (acme, SystemIds.next()),
    ] {
        let emptied = erasure_rows::empty_event(&mut tx, tenant, id, &named, PSEUDONYM).await;
        done.push(emptied.unwrap());
    }
    assert_eq!(done, [true, false, false, false]);
    tx.commit().await.unwrap();
    let emptied = json!({"+4930123": 1, "n": 1.5,
        "call": {"from": PSEUDONYM, "to": [PSEUDONYM, "+49301234", PSEUDONYM]}});
    let own = bench.ask(shown(ACME, 1)).await;
    assert_eq!(own.len(), 2);
    for body in own {
        assert_eq!(serde_json::from_str::<serde_json::Value>(&body).unwrap(), emptied);
    }
    assert_eq!(bench.ask(shown(GLOBEX, 1)).await, [bodies[0]]);
    for (number, body) in [(2, bodies[1]), (3, bodies[2])] {
        assert_eq!(bench.ask(shown(ACME, number)).await, [body, body]);
    }
    let mut tx = store.begin("empty").await.unwrap();
    let emptied = erasure_rows::empty_event(&mut tx, world.globex.id, other, &named, PSEUDONYM).await;
    assert!(emptied.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(bench.ask(shown(ACME, 2)).await, [bodies[1], bodies[1]]);
}

#[rstest]
#[tokio::test]
async fn a22_of_an_event_the_name_beside_who_is_named_goes_too_and_nobody_elses(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let bodies = [
        r#"{"from":{"number":"+4930123","name":"Ann","title":"Ms"},"to":{"number":"1002","name":"Bob"}}"#,
        r#"{"calls":[{"from_number":"+4930123","from_name":"Ann","n":1},{"from_number":"1002","from_name":"Bob"}]}"#,
        r#"{"a":{"number":"+4930123","name":null,"from_name":7},"b":{"name":"+4930123"},"c":{"name":["x"],"id":"+4930123"}}"#,
    ];
    let events = queued(&bench, &world, bodies).await;
    let mut tx = store.begin("empty").await.unwrap();
    for event in events {
        let emptied =
            erasure_rows::empty_event(&mut tx, world.acme.id, event, &["+4930123"], PSEUDONYM).await;
        assert!(emptied.unwrap());
    }
    tx.commit().await.unwrap();
    let left = [
        json!({"from": {"number": PSEUDONYM, "name": PSEUDONYM, "title": "Ms"}, "to": {"number": "1002", "name": "Bob"}}),
        json!({"calls": [{"from_number": PSEUDONYM, "from_name": PSEUDONYM, "n": 1},
            {"from_number": "1002", "from_name": "Bob"}]}),
        json!({"a": {"number": PSEUDONYM, "name": null, "from_name": 7}, "b": {"name": PSEUDONYM},
            "c": {"name": ["x"], "id": PSEUDONYM}}),
    ];
    for (which, webhooks) in [(ACME, 2), (GLOBEX, 1)] {
        for (number, (body, left)) in (1..).zip(bodies.iter().zip(&left)) {
            let shown = bench.ask(shown(which, number)).await;
            assert_eq!(shown.len(), webhooks);
            for now in shown {
                let now: serde_json::Value = serde_json::from_str(&now).unwrap();
                let was: serde_json::Value = serde_json::from_str(body).unwrap();
                assert_eq!(&now, if which == ACME { left } else { &was });
            }
        }
    }
}

#[rstest]
#[tokio::test]
async fn a22_what_somebody_made_of_an_entry_since_is_told_from_what_was_written(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let acme = world.acme.id;
    let entries = [1, 2, 3].map(|when| audit_entry(Some(acme), when, "extension.change"));
    store_audit_entries(&store, &entries.each_ref()).await;
    bench
        .sql("update audit_entries set reason = 'x' where number = 2")
        .await;
    let mut tx = store.begin("written").await.unwrap();
    let blanked = audit_retention::blank(&mut tx, acme, entries[2].id, entries[0].id).await;
    assert!(blanked.unwrap());
    for (entry, expected) in entries.iter().zip([Some(true), Some(false), None]) {
        let written = erasure_rows::is_as_written(&mut tx, acme, entry.id).await;
        assert_eq!(written.unwrap(), expected);
        let theirs = erasure_rows::is_as_written(&mut tx, world.globex.id, entry.id).await;
        assert_eq!(theirs.unwrap(), None);
    }
}
