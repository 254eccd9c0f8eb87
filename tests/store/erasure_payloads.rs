//! Entries of the audit log with a payload, and events that wait, that have to do with a person: found by whole values only.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rstest::rstest;
use serde_json::{Value, json};
use switchyard::domain::audit::{AuditEntry, Salt};
use switchyard::domain::audit_query::AuditCursor;
use switchyard::domain::call_text::CallText;
use switchyard::domain::export::Span;
use switchyard::domain::ids::{AuditId, IdSource as _, SystemIds, TenantId};
use switchyard::domain::random::SystemRandom;
use switchyard::store::audit_of_person::PORTION;
use switchyard::store::erasure_finds::{self, Traces};
use switchyard::store::{Store, audit, audit_retention};
use uuid::Uuid;

use super::bench::Backend::{self, Postgres, Sqlite};
use super::bench::Bench;
use super::call_records::{ACME, part};
use super::erasure_finds::{span, sql_id, told};
use super::export_pages::change;
use super::samples::{World, at, audit_entry, store_audit_entries};

/// All that have these traces, in the order in which they were made, and how many portions were looked through.
async fn traced(store: &Store, tenant: TenantId, traces: &Traces) -> (Vec<AuditId>, usize) {
    let mut tx = store.read("traces").await.unwrap();
    let (mut all, mut after): (Vec<AuditId>, Option<AuditCursor>) = (Vec::new(), None);
    for portions in 1..100 {
        let (found, next) = erasure_finds::payloads(&mut tx, tenant, traces, after)
            .await
            .unwrap();
        all.extend(found);
        after = next;
        if after.is_none() {
            all.sort();
            return (all, portions);
        }
    }
    panic!("it does not end")
}

fn named(text: &str) -> Traces {
    Traces {
        named: [None, Some(text.to_owned())],
        ..Traces::default()
    }
}

fn saying(tenant: TenantId, when: i64, after: Value) -> AuditEntry {
    AuditEntry {
        after: Some(after),
        ..audit_entry(Some(tenant), when, "extension.change")
    }
}

#[rstest]
#[tokio::test]
async fn a22_entries_are_found_by_a_whole_value_and_no_sign_of_a_pattern(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let (acme, globex) = (world.acme.id, world.globex.id);
    let texts = [
        json!({"email": "a_b@x.example"}),
        json!({"list": [1, {"deep": ["x", "a_b@x.example"]}]}),
        json!("a_b@x.example"),
        json!({"email": "axb@x.example"}),
        json!({"email": "xa_b@x.example"}),
        json!({"email": "a_b@x.example.org"}),
        json!({"text": "write to \"a_b@x.example\" please"}),
        json!({"text": "a_b@x.example is theirs"}),
        json!({"number": "+493012"}),
        json!({"number": "+4930123"}),
        json!({"number": "493012"}),
        json!({"name": "50%\\\"_."}),
        json!({"name": "50x\\\"_."}),
        json!({"name": "50%\\\"x."}),
        json!({"name": "50%\""}),
        json!({"name": "Zoë \u{1F50C}\n\t"}),
    ];
    let entries: Vec<AuditEntry> = (0..)
        .zip(texts)
        .map(|(when, text)| saying(acme, when, text))
        .collect();
    let mut before = saying(acme, 50, json!({}));
    before.before = Some(json!({"email": "a_b@x.example"}));
    let theirs = saying(globex, 51, json!({"email": "a_b@x.example"}));
    let nobodys = AuditEntry {
        tenant_id: None,
        ..saying(acme, 52, json!({"email": "a_b@x.example"}))
    };
    store_audit_entries(&store, &entries.iter().collect::<Vec<_>>()).await;
    store_audit_entries(&store, &[&before, &theirs, &nobodys]).await;
    for (text, expected) in [
        ("+493012", vec![8]),
        ("+4930123", vec![9]),
        ("493012", vec![10]),
        ("+49301_", vec![]),
        ("axb@x.example", vec![3]),
        ("50%\\\"_.", vec![11]),
        ("50%\"", vec![14]),
        ("Zoë \u{1F50C}\n\t", vec![15]),
        ("%", vec![]),
        ("\\", vec![]),
        ("\\%", vec![]),
        ("\"", vec![]),
        ("_", vec![]),
    ] {
        let expected: Vec<AuditId> = expected
            .into_iter()
            .map(|index: usize| entries[index].id)
            .collect();
        assert_eq!(traced(&store, acme, &named(text)).await.0, expected, "{text}");
    }
    let email = named("a_b@x.example");
    let own = [entries[0].id, entries[1].id, entries[2].id, before.id];
    assert_eq!(traced(&store, acme, &email).await.0, own);
    assert_eq!(traced(&store, globex, &email).await.0, [theirs.id]);
    // Both of two names, and nothing by none.
    let both = Traces {
        named: ["+493012", "axb@x.example"].map(|text| Some(text.to_owned())),
        ..Traces::default()
    };
    let found = traced(&store, acme, &both).await.0;
    assert_eq!(found, [entries[3].id, entries[8].id]);
    assert_eq!(traced(&store, acme, &Traces::default()).await.0, []);
}

#[rstest]
#[tokio::test]
async fn a22_entries_are_found_by_who_caused_them_and_what_they_are_about_while_they_have_a_payload(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let (acme, globex) = (world.acme.id, world.globex.id);
    let (who, what) = (SystemIds.next(), SystemIds.next().to_string());
    let caused = |tenant, when, action: &str| {
        let mut entry = audit_entry(Some(tenant), when, action);
        entry.actor.id = Some(who);
        entry
    };
    let about = |tenant, when, action: &str| AuditEntry {
        target_id: what.clone(),
        ..audit_entry(Some(tenant), when, action)
    };
    let entries = [
        caused(acme, 10, "extension.change"),
        about(acme, 20, "extension.change"),
        caused(globex, 20, "extension.change"),
        about(globex, 20, "extension.change"),
        about(acme, 30, "compliance.erased"),
        caused(acme, 30, "compliance.purged"),
        about(acme, 30, "data.erasure_end"),
        // Of another time than those before it.
        caused(acme, 5, "extension.change"),
        about(acme, 20, "blanked.before"),
    ];
    store_audit_entries(&store, &entries.iter().collect::<Vec<_>>()).await;
    let mut tx = store.begin("blank").await.unwrap();
    assert!(
        audit_retention::blank(&mut tx, acme, entries[8].id, entries[4].id)
            .await
            .unwrap()
    );
    tx.commit().await.unwrap();
    let traces = |from: Option<i64>, to: Option<i64>| Traces {
        actors: BTreeSet::from([who]),
        targets: BTreeSet::from([what.clone()]),
        within: span(from.map(at), to.map(at)),
        ..Traces::default()
    };
    for (from, to, expected) in [
        (None, None, vec![1, 0, 7]),
        (Some(10), None, vec![1, 0]),
        (Some(11), Some(30), vec![1]),
        (None, Some(10), vec![7]),
        (Some(31), None, vec![]),
    ] {
        let mut expected: Vec<AuditId> = expected
            .into_iter()
            .map(|index: usize| entries[index].id)
            .collect();
        let found = traced(&store, acme, &traces(from, to)).await.0;
        expected.sort();
        assert_eq!(found, expected, "{from:?} {to:?}");
    }
    // What it is about is no pattern.
    let pattern = Traces {
        targets: BTreeSet::from(["%".to_owned()]),
        ..Traces::default()
    };
    assert_eq!(traced(&store, acme, &pattern).await.0, []);
}

#[rstest]
#[tokio::test]
async fn a22_entries_of_several_actors_and_targets_and_names_are_found_in_one_walk_once_each(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let (acme, globex) = (world.acme.id, world.globex.id);
    let (user, key, other) = (SystemIds.next(), SystemIds.next(), SystemIds.next());
    let targets = [SystemIds.next(), SystemIds.next()].map(|id| id.to_string());
    let entry = |tenant, actor, target: &str, said: Option<&str>| {
        let mut entry = audit_entry(Some(tenant), 10, "extension.change");
        entry.actor.id = actor;
        target.clone_into(&mut entry.target_id);
        entry.after = said.map(|said| json!({"number": said}));
        entry
    };
    let of_erasure = |entry| AuditEntry {
        resource: "erasure".to_owned(),
        ..entry
    };
    let [first, second] = targets.each_ref().map(String::as_str);
    let own = [
        entry(acme, Some(user), "x", None),
        entry(acme, Some(key), "x", None),
        entry(acme, Some(other), first, None),
        entry(acme, None, second, Some("1002")),
        // By each of its traces, and found once.
        entry(acme, Some(user), first, Some("1001")),
        entry(acme, Some(other), "x", Some("1001")),
        of_erasure(entry(acme, Some(key), "x", Some("1001"))),
    ];
    let others = [
        entry(acme, Some(other), "x", Some("1002")),
        entry(acme, None, "x", None),
        // Who was erased by what number: an erasure has it until it forgets that itself.
        of_erasure(entry(acme, Some(other), "x", Some("1001"))),
        entry(globex, Some(user), first, Some("1001")),
    ];
    store_audit_entries(&store, &own.iter().chain(&others).collect::<Vec<_>>()).await;
    let traces = Traces {
        actors: BTreeSet::from([user, key]),
        targets: BTreeSet::from(targets.clone()),
        ..named("1001")
    };
    let (found, portions) = traced(&store, acme, &traces).await;
    let mut expected = own.each_ref().map(|entry| entry.id);
    expected.sort();
    assert_eq!((&found[..], portions), (&expected[..], 1));
    assert_eq!(traced(&store, globex, &traces).await.0, [others[3].id]);
    let by_key = Traces {
        actors: BTreeSet::from([key]),
        ..Traces::default()
    };
    let mut expected = [own[1].id, own[6].id];
    expected.sort();
    assert_eq!(traced(&store, acme, &by_key).await.0, expected);
}

#[rstest]
#[tokio::test]
async fn a22_the_log_is_looked_through_portion_by_portion_each_entry_once(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let (acme, globex) = (world.acme.id, world.globex.id);
    // On both sides of where a portion ends, which stand at one moment.
    let wanted = [0, 1, 5, 6, 7, 1_004, 1_005, 1_006, 2_004];
    let mut tx = store.begin("fill").await.unwrap();
    let mut expected = Vec::new();
    for number in 0..2 * PORTION + 5 {
        let is_wanted = wanted.contains(&number);
        let text = if is_wanted {
            "a_b@x.example"
        } else {
            "axb@x.example"
        };
        for tenant in [acme, globex] {
            let entry = saying(tenant, number / 4, json!({"email": text}));
            if is_wanted && tenant == acme {
                expected.push(entry.id);
            }
            audit::append(&mut tx, &entry, Salt::generate(&SystemRandom).unwrap()).unwrap();
        }
    }
    tx.commit().await.unwrap();
    let (found, portions) = traced(&store, acme, &named("a_b@x.example")).await;
    assert_eq!(portions, 3);
    expected.sort();
    assert_eq!(found, expected);
    let many = traced(&store, acme, &named("axb@x.example")).await.0;
    assert_eq!(
        many.len(),
        usize::try_from(2 * PORTION + 5).unwrap() - wanted.len()
    );
    let within = span(Timestamp::from_microsecond(0).ok(), Some(at(1)));
    let of_a_time = Traces {
        within,
        ..named("a_b@x.example")
    };
    assert_eq!(traced(&store, acme, &of_a_time).await.0.len(), 2);
}

/// Two webhooks of Acme and one of Globex, each with the same three events.
pub async fn queued(bench: &Bench, world: &World, bodies: [&str; 3]) -> [Uuid; 3] {
    let events = [SystemIds.next(), SystemIds.next(), SystemIds.next()];
    let secret = match bench.backend {
        Sqlite => "x''",
        Postgres => "''::bytea",
    };
    for tenant in [world.acme.id, world.acme.id, world.globex.id] {
        let id = |id| sql_id(bench.backend, id);
        let webhook = id(SystemIds.next());
        let tenant = id(tenant.uuid());
        let sql = format!(
            "insert into webhooks (id, tenant_id, url, events, secret, is_active, next_attempt_at, created_at, updated_at) \
             values ({webhook}, {tenant}, 'https://x.example', '', {secret}, true, 1, 1, 1)"
        );
        change(bench, &sql).await;
        for (number, (event, body)) in (1..).zip(events.into_iter().zip(bodies)) {
            let (event, body) = (id(event), body.replace('\'', "''"));
            let sql = format!(
                "insert into webhook_events (webhook_id, number, event_id, kind, body) \
                 values ({webhook}, {number}, {event}, 'x', '{body}')"
            );
            change(bench, &sql).await;
        }
    }
    events
}

#[rstest]
#[tokio::test]
async fn a22_events_that_wait_are_found_once_each_and_of_the_tenants_webhooks_only(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let bodies = [
        r#"{"from":"+493012","to":["x",{"email":"a_b@x.example"}]}"#,
        r#"{"from":"+4930123","to":"say \"+493012\"","email":"axb@x.example"}"#,
        r#"{"name":"50%\\x"}"#,
    ];
    let events = queued(&bench, &world, bodies).await;
    let other = World {
        globex: world.acme.clone(),
        instance: world.instance.clone(),
        acme: world.globex.clone(),
    };
    let theirs = queued(&bench, &other, ["{}", r#"{"number":"+4930555"}"#, "{}"]).await;
    let mut tx = store.read("events").await.unwrap();
    for (text, expected) in [
        ("+493012", vec![events[0]]),
        ("+4930123", vec![events[1]]),
        ("a_b@x.example", vec![events[0]]),
        ("axb@x.example", vec![events[1]]),
        ("50%\\x", vec![events[2]]),
        ("50_\\x", vec![]),
        ("%", vec![]),
        ("\\", vec![]),
        ("+4930555", vec![theirs[1]]),
    ] {
        let found = erasure_finds::events(&mut tx, world.acme.id, text).await;
        assert_eq!(found.unwrap(), expected, "{text}");
    }
}

/// Whoever calls chooses the name that is shown: one that ends in another's number in quotes.
#[rstest]
#[tokio::test]
async fn a22_a_text_that_ends_in_a_quote_and_a_number_is_not_that_number(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let (acme, here) = (world.acme.id, world.instance.id);
    let entry = saying(acme, 1, json!({"name": "x\"+493012"}));
    store_audit_entries(&store, &[&entry]).await;
    queued(&bench, &world, [r#"{"name":"x\"+493012"}"#, "{}", "{}"]).await;
    let mut tx = store.begin("call").await.unwrap();
    let mut call = part("1.0", 1, ("1001", "1002"), ACME, 1);
    call.from_name = CallText::of("x\"+493012");
    told(&mut tx, acme, here, "1.0", &call).await;
    let calls = erasure_finds::calls_naming(&mut tx, acme, "+493012", Span::default()).await;
    let events = erasure_finds::events(&mut tx, acme, "+493012").await;
    tx.commit().await.unwrap();
    let entries = traced(&store, acme, &named("+493012")).await.0;
    let found = (calls.unwrap().len(), events.unwrap().len(), entries.len());
    assert_eq!(found, (0, 0, 0), "calls, events, entries");
}
