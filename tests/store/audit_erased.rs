//! Payloads that an erasure has blanked: told by an entry of the daemon that names each of them, and found where somebody else did
//! that.

use rstest::rstest;
use serde_json::json;
use switchyard::domain::audit::{Actor, ActorKind, AuditEntry, CERTIFIED, ERASED, RETAINED, Salt};
use switchyard::domain::ids::{AuditId, TenantId};
use switchyard::domain::random::SystemRandom;
use switchyard::store::{Tx, audit, audit_retention};

use super::audit_chain::{check, check_in, found, ten};
use super::audit_retained::{age, retain};
use super::bench::Backend::{Postgres, Sqlite};
use super::bench::{Backend, Bench};
use super::samples::{World, at, audit_entry, store_audit_entries};

/// The entry of a daemon that names what it blanks.
fn teller(tenant: TenantId, when: i64, entries: &[AuditId]) -> AuditEntry {
    AuditEntry {
        actor: Actor::named(ActorKind::System, "system:auto"),
        after: Some(json!({"erasure_id": tenant, "entries": entries})),
        ..audit_entry(Some(tenant), when, ERASED)
    }
}

async fn blank(tx: &mut Tx, tenant: TenantId, ids: &[AuditId], told_by: AuditId) {
    for id in ids {
        assert!(
            audit_retention::blank(tx, tenant, *id, told_by).await.unwrap(),
            "{id}"
        );
    }
}

/// The tenant's own three, which have the numbers 3, 6 and 9.
fn own(entries: &[AuditEntry]) -> [AuditId; 3] {
    [3, 6, 9].map(|number: usize| entries[number - 1].id)
}

const ALL: [&str; 3] = ["untold 3", "untold 6", "untold 9"];

#[rstest]
#[tokio::test]
async fn o61_what_an_erasure_blanked_is_told_by_a_later_entry_of_the_daemon_that_names_it(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let (tenant, entries) = ten(&store).await;
    let other = entries[0].tenant_id.unwrap();
    let ids = own(&entries);
    let by_somebody = AuditEntry {
        actor: audit_entry(None, 1, "x").actor,
        ..teller(tenant, 30, &ids)
    };
    let by_key = AuditEntry {
        actor: Actor::named(ActorKind::ApiKey, "system:auto"),
        ..teller(tenant, 30, &ids)
    };
    let of_nobody = AuditEntry {
        tenant_id: None,
        ..teller(tenant, 30, &ids)
    };
    let as_another = |action: &str| AuditEntry {
        action: action.to_owned(),
        ..teller(tenant, 30, &ids)
    };
    let before = AuditEntry {
        before: Some(json!({"entries": ids})),
        after: None,
        ..teller(tenant, 30, &[])
    };
    let said = |after| AuditEntry {
        after: Some(after),
        ..teller(tenant, 30, &[])
    };
    let as_text = said(json!({"entries": format!("{ids:?}"), "x": ids}));
    let tellers = [
        (teller(tenant, 20, &ids), vec![]),
        (teller(tenant, 20, &ids[..1]), ALL[1..].to_vec()),
        (teller(tenant, 20, &[ids[0], ids[2]]), vec!["untold 6"]),
        (teller(tenant, 20, &[]), ALL.to_vec()),
        (teller(other, 20, &ids), ALL.to_vec()),
        (by_somebody, ALL.to_vec()),
        (by_key, ALL.to_vec()),
        (of_nobody, ALL.to_vec()),
        (as_another("data.erasure_end"), ALL.to_vec()),
        (as_another("extension.erase"), ALL.to_vec()),
        (as_another(RETAINED), ALL.to_vec()),
        (as_another("tenant.gone"), ALL.to_vec()),
        (before, ALL.to_vec()),
        (as_text, ALL.to_vec()),
        (said(json!({"moves": ids})), ALL.to_vec()),
        (said(json!(ids)), ALL.to_vec()),
    ];
    for (told, _) in &tellers {
        store_audit_entries(&store, &[told]).await;
    }
    for (told, expected) in &tellers {
        let mut tx = store.begin("blank").await.unwrap();
        blank(&mut tx, tenant, &ids, told.id).await;
        let report = check_in(&mut tx, None).await;
        assert_eq!(
            (&found(&report), report.blanked),
            (&strings(expected), 3),
            "{told:?}"
        );
    }
    // Another tenant's entry is not this tenant's to tell of.
    let theirs = teller(tenant, 40, &[entries[0].id]);
    store_audit_entries(&store, &[&theirs]).await;
    let mut tx = store.begin("blank").await.unwrap();
    blank(&mut tx, other, &[entries[0].id], theirs.id).await;
    assert_eq!(found(&check_in(&mut tx, None).await), ["untold 1"]);
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[rstest]
#[tokio::test]
async fn o61_an_entry_that_was_written_before_what_it_names_tells_nothing_of_it(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let (tenant, _) = ten(&store).await;
    // By a host whose clock is behind: it is not the time that counts.
    let late = audit_entry(Some(tenant), 2, "extension.change");
    let mut early = teller(tenant, 20, &[late.id]);
    early.after = Some(json!({"entries": [late.id, early.id]}));
    store_audit_entries(&store, &[&early]).await;
    store_audit_entries(&store, &[&late]).await;
    let mut tx = store.begin("blank").await.unwrap();
    blank(&mut tx, tenant, &[late.id], early.id).await;
    assert_eq!(found(&check_in(&mut tx, None).await), ["untold 12"]);
    drop(tx);
    // Nor of itself.
    let mut tx = store.begin("blank").await.unwrap();
    blank(&mut tx, tenant, &[early.id], early.id).await;
    assert_eq!(found(&check_in(&mut tx, None).await), ["untold 11"]);
}

#[rstest]
#[tokio::test]
async fn o61_what_tells_of_others_is_told_by_no_erasure(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let (tenant, entries) = ten(&store).await;
    let ids = own(&entries);
    let first = teller(tenant, 20, &ids[..1]);
    let purge = AuditEntry {
        action: RETAINED.to_owned(),
        target_id: at(7).to_string(),
        ..teller(tenant, 21, &[])
    };
    let certified = AuditEntry {
        action: CERTIFIED.to_owned(),
        ..teller(tenant, 21, &[])
    };
    let last = teller(tenant, 22, &[first.id, purge.id, certified.id]);
    for entry in [&first, &purge, &certified, &last] {
        store_audit_entries(&store, &[entry]).await;
    }
    let mut tx = store.begin("blank").await.unwrap();
    blank(&mut tx, tenant, &ids[..1], first.id).await;
    blank(&mut tx, tenant, &[ids[1]], purge.id).await;
    tx.commit().await.unwrap();
    assert_eq!(found(&check(&store, None).await), [""; 0]);
    for (entry, expected) in [
        (&first, "untold 11"),
        (&purge, "untold 12"),
        (&certified, "untold 13"),
    ] {
        let mut tx = store.begin("blank").await.unwrap();
        blank(&mut tx, tenant, &[entry.id], last.id).await;
        assert_eq!(found(&check_in(&mut tx, None).await), [expected]);
    }
    // Nor by a purge.
    let purge = AuditEntry {
        target_id: at(100).to_string(),
        action: RETAINED.to_owned(),
        ..teller(tenant, 23, &[])
    };
    store_audit_entries(&store, &[&purge]).await;
    for (entry, expected) in [(&first, "untold 11"), (&certified, "untold 13")] {
        let mut tx = store.begin("blank").await.unwrap();
        blank(&mut tx, tenant, &[entry.id], purge.id).await;
        assert_eq!(found(&check_in(&mut tx, None).await), [expected]);
    }
}

/// Whoever can write to the database blanks an entry of the platform, which is nobody's to erase.
#[rstest]
#[tokio::test]
async fn o61_an_entry_of_no_tenant_is_told_by_no_erasure(
    #[values("session.begin", "user.move")] action: &str,
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (bench, store) = Bench::migrated(backend).await;
    let deed = audit_entry(None, 1, action);
    let told = AuditEntry {
        tenant_id: None,
        after: Some(json!({"entries": [deed.id], "moves": [deed.id]})),
        ..teller(World::store(&store).await.acme.id, 2, &[])
    };
    store_audit_entries(&store, &[&deed]).await;
    store_audit_entries(&store, &[&told]).await;
    bench
        .sql(
            "update audit_entries set salt = null, actor_name = null, blanked_by = \
             (select t.id from audit_entries t where t.number = 2) where number = 1",
        )
        .await;
    assert_eq!(found(&check(&store, None).await), ["untold 1"]);
}

#[rstest]
#[tokio::test]
async fn o61_once_the_tenant_is_gone_what_it_erased_before_is_told_still(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (bench, store) = Bench::migrated(backend).await;
    let (tenant, entries) = ten(&store).await;
    let ids = own(&entries);
    let told = teller(tenant, 20, &ids[..2]);
    store_audit_entries(&store, &[&told]).await;
    let mut tx = store.begin("erase").await.unwrap();
    blank(&mut tx, tenant, &ids[..2], told.id).await;
    tx.commit().await.unwrap();
    let report = check(&store, None).await;
    assert_eq!((found(&report), report.blanked), (vec![], 2));
    let gone = AuditEntry {
        target_id: tenant.to_string(),
        ..audit_entry(None, 30, "tenant.gone")
    };
    let mut tx = store.begin("delete_tenant").await.unwrap();
    audit::append(&mut tx, &gone, Salt::generate(&SystemRandom).unwrap()).unwrap();
    // The one that is left, and what tells of the others.
    assert_eq!(audit::blank_tenant(&mut tx, tenant, gone.id).await.unwrap(), 2);
    tx.commit().await.unwrap();
    let report = check(&store, None).await;
    assert_eq!((found(&report), report.blanked), (vec![], 4));
    // What tells of them cannot be blanked by somebody instead: it is found itself.
    bench
        .sql("update audit_entries set blanked_by = (select e.id from audit_entries e where e.number = 1) where number = 11")
        .await;
    assert_eq!(found(&check(&store, None).await), ["untold 11"]);
    // Nor can it go.
    bench.sql("delete from audit_entries where number = 11").await;
    assert_eq!(
        found(&check(&store, None).await),
        ["untold 3", "untold 6", "removed 11"]
    );
}

#[rstest]
#[tokio::test]
async fn a22_what_tells_of_an_erasure_is_kept_however_old_it_is(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[values(1, 100)] most: i64,
) {
    let (bench, store) = Bench::migrated(backend).await;
    let tenant = World::store(&store).await.acme.id;
    let counted = async |before| {
        let mut tx = store.read("count").await.unwrap();
        let counted = audit_retention::count(&mut tx, tenant, age(at(before)))
            .await
            .unwrap();
        let any = audit_retention::any(&mut tx, tenant, age(at(before)))
            .await
            .unwrap();
        assert_eq!(any, counted.found > 0, "{before}");
        counted.found
    };
    // Alone it is nothing that is old; neither is what is behind it younger for its sake.
    let erased = audit_entry(Some(tenant), 10, "extension.change");
    store_audit_entries(&store, &[&teller(tenant, 5, &[erased.id])]).await;
    assert_eq!(counted(900).await, 0);
    store_audit_entries(&store, &[&erased]).await;
    store_audit_entries(&store, &[&teller(tenant, 500, &[erased.id])]).await;
    store_audit_entries(&store, &[&audit_entry(Some(tenant), 20, "extension.change")]).await;
    assert_eq!(
        [counted(10).await, counted(20).await, counted(100).await],
        [0, 1, 2]
    );
    let told = AuditEntry {
        target_id: at(900).to_string(),
        action: RETAINED.to_owned(),
        ..teller(tenant, 950, &[])
    };
    store_audit_entries(&store, &[&told]).await;
    let mut tx = store.begin("retain").await.unwrap();
    assert_eq!(retain(&mut tx, tenant, at(900), told.id, most).await, (2, 0));
    tx.commit().await.unwrap();
    assert_eq!(counted(960).await, 0);
    let left = bench
        .ask("select action from audit_entries where salt is not null order by number".to_owned())
        .await;
    assert_eq!(left, [ERASED, ERASED, RETAINED]);
    let report = check(&store, None).await;
    assert_eq!((found(&report), report.blanked), (vec![], 2));
}
