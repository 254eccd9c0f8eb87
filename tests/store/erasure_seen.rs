//! What the log still says of what is gone: as what it was last seen, and what somebody made.

use std::collections::BTreeSet;

use rstest::rstest;
use serde_json::{Value, json};
use switchyard::domain::audit::AuditEntry;
use switchyard::domain::ids::{IdSource as _, SystemIds, TenantId};
use switchyard::store::{audit_retention, erasure_finds};

use super::bench::Backend::{self, Postgres, Sqlite};
use super::bench::Bench;
use super::samples::{World, at, audit_entry, store_audit_entries};

#[rstest]
#[tokio::test]
async fn a22_as_what_something_was_last_seen_is_read_newest_first_of_the_one_tenant_and_resource(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let (acme, globex) = (world.acme.id, world.globex.id);
    let [what, other] = [SystemIds.next(), SystemIds.next()].map(|id| id.to_string());
    let entry = |tenant: TenantId, resource: &str, target: &str, said: [Option<Value>; 2]| {
        let [before, after] = said;
        AuditEntry {
            resource: resource.to_owned(),
            target_id: target.to_owned(),
            before,
            after,
            ..audit_entry(Some(tenant), 10, "user.change")
        }
    };
    let named = |name: &str| Some(json!({"email": name}));
    let entries = [
        entry(acme, "user", &what, [None, named("first")]),
        entry(acme, "user", &what, [named("second"), named("third")]),
        entry(acme, "user", &what, [None, None]),
        entry(acme, "extension", &what, [None, named("an extension")]),
        entry(acme, "user", &other, [None, named("another")]),
        entry(globex, "user", &what, [None, named("theirs")]),
        // Of an earlier time by its clock, and written after the others.
        AuditEntry {
            at: at(1),
            ..entry(acme, "user", &what, [named("fourth"), None])
        },
    ];
    store_audit_entries(&store, &entries.iter().collect::<Vec<_>>()).await;
    let mut tx = store.begin("seen").await.unwrap();
    for (tenant, resource, target, expected) in [
        (acme, "user", &what, vec!["fourth", "third", "first"]),
        (acme, "extension", &what, vec!["an extension"]),
        (acme, "user", &other, vec!["another"]),
        (globex, "user", &what, vec!["theirs"]),
        (globex, "user", &other, vec![]),
        (acme, "%", &what, vec![]),
    ] {
        let seen = erasure_finds::last_seen(&mut tx, tenant, resource, target).await;
        let expected: Vec<Value> = expected.into_iter().filter_map(named).collect();
        assert_eq!(seen.unwrap(), expected, "{resource} {target}");
    }
    let pattern = erasure_finds::last_seen(&mut tx, acme, "user", "%").await;
    assert_eq!(pattern.unwrap(), [Value::Null; 0]);
    // What was blanked says nothing of it any more.
    for blanked in [&entries[6], &entries[1]] {
        let done = audit_retention::blank(&mut tx, acme, blanked.id, entries[2].id).await;
        assert!(done.unwrap());
    }
    let seen = erasure_finds::last_seen(&mut tx, acme, "user", &what).await;
    assert_eq!(seen.unwrap(), [json!({"email": "first"})]);
}

#[rstest]
#[tokio::test]
async fn a22_what_somebody_made_is_known_by_the_action_and_the_one_tenant(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let (acme, globex) = (world.acme.id, world.globex.id);
    let (who, other) = (SystemIds.next(), SystemIds.next());
    let ids: Vec<_> = (0..6).map(|_| SystemIds.next()).collect();
    let entry = |tenant, actor, action: &str, target: String| {
        let mut entry = audit_entry(Some(tenant), 10, action);
        entry.actor.id = actor;
        entry.target_id = target;
        entry
    };
    let create = "api_key.create";
    let entries = [
        entry(acme, Some(who), create, ids[0].to_string()),
        entry(acme, Some(who), create, ids[1].to_string()),
        entry(acme, Some(who), create, ids[1].to_string()),
        entry(acme, Some(who), "api_key.delete", ids[2].to_string()),
        entry(acme, Some(other), create, ids[3].to_string()),
        entry(acme, None, create, ids[4].to_string()),
        entry(globex, Some(who), create, ids[5].to_string()),
        entry(acme, Some(who), create, "no id".to_owned()),
    ];
    store_audit_entries(&store, &entries.iter().collect::<Vec<_>>()).await;
    let mut tx = store.begin("made").await.unwrap();
    // The id of what was made is no payload: it stays where that is blanked.
    let done = audit_retention::blank(&mut tx, acme, entries[0].id, entries[7].id).await;
    assert!(done.unwrap());
    for (tenant, by, action, expected) in [
        (acme, who, create, &ids[..2]),
        (acme, who, "api_key.delete", &ids[2..3]),
        (acme, other, create, &ids[3..4]),
        (globex, who, create, &ids[5..]),
        (globex, other, create, &[]),
        (acme, who, "api_key.%", &[]),
    ] {
        let made = erasure_finds::made(&mut tx, tenant, by, action).await;
        let expected: BTreeSet<_> = expected.iter().copied().collect();
        assert_eq!(made.unwrap(), expected, "{action}");
    }
}
