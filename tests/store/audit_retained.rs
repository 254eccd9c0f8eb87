//! Payloads that a tenant keeps no longer: blanked by an entry that names the time they are from before, and found where
//! somebody else did that.

use jiff::Timestamp;
use rstest::rstest;
use serde_json::json;
use switchyard::domain::audit::{Actor, ActorKind, AuditEntry, RETAINED, Salt};
use switchyard::domain::ids::{AuditId, TenantId};
use switchyard::domain::random::SystemRandom;
use switchyard::store::audit_retention::{self, Age};
use switchyard::store::{Tx, audit};

use super::audit_chain::{check, check_in, found, ten};
use super::bench::Backend::{Postgres, Sqlite};
use super::bench::{Backend, Bench};
use super::samples::{World, at, audit_entry, store_audit_entries};

/// The entry of a daemon that blanks what is from before that.
fn teller(tenant: TenantId, when: i64, cutoff: Timestamp) -> AuditEntry {
    AuditEntry {
        actor: Actor::named(ActorKind::System, "system:auto"),
        target_id: cutoff.to_string(),
        after: Some(json!({"purge_id": tenant})),
        ..audit_entry(Some(tenant), when, RETAINED)
    }
}

pub fn age(before: Timestamp) -> Age {
    Age {
        before,
        now: at(1_000),
    }
}

/// Blanks as a purge does; gives how many were, and how many are not what was written.
pub async fn retain(
    tx: &mut Tx,
    tenant: TenantId,
    cutoff: Timestamp,
    told_by: AuditId,
    most: i64,
) -> (u64, u64) {
    let (mut blanked, mut kept, mut after) = (0, 0, None);
    // More than there are entries.
    for _ in 0..100 {
        let old = audit_retention::old(tx, tenant, age(cutoff), told_by, after, most)
            .await
            .unwrap();
        after = old.after;
        for payload in old.payloads {
            if payload.is_as_written {
                let done = audit_retention::blank(tx, tenant, payload.id, told_by)
                    .await
                    .unwrap();
                blanked += u64::from(done);
            } else {
                kept += 1;
            }
        }
        if old.is_last {
            return (blanked, kept);
        }
    }
    panic!("it does not end")
}

/// A certificate is held against what stands there.
#[rstest]
#[tokio::test]
async fn a22_the_payload_of_what_a_certificate_is_held_against_stays_and_keeps_nothing_else(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[values(1, 100)] most: i64,
) {
    let (bench, store) = Bench::migrated(backend).await;
    let tenant = World::store(&store).await.acme.id;
    let entries = [
        (10, "data.erasure_end"),
        (20, "extension.change"),
        (30, "data.erasure_end"),
        (40, "data.erasure_run"),
        // Young, and so would be all behind it, were it one that goes.
        (900, "data.erasure_end"),
        (50, "extension.change"),
        (60, "data.erasure_end"),
    ];
    let entries = entries.map(|(when, action)| audit_entry(Some(tenant), when, action));
    store_audit_entries(&store, &entries.each_ref()).await;
    let told = teller(tenant, 1_000, at(100));
    store_audit_entries(&store, &[&told]).await;
    let mut tx = store.begin("retain").await.unwrap();
    for (before, expected) in [(20, 0), (21, 1), (41, 2), (100, 3)] {
        let counted = audit_retention::count(&mut tx, tenant, age(at(before)))
            .await
            .unwrap();
        assert_eq!(counted.found, expected, "{before}");
        let any = audit_retention::any(&mut tx, tenant, age(at(before))).await;
        assert_eq!(any.unwrap(), expected > 0, "{before}");
    }
    assert_eq!(retain(&mut tx, tenant, at(100), told.id, most).await, (3, 0));
    let any = audit_retention::any(&mut tx, tenant, age(at(100))).await;
    assert!(!any.unwrap());
    tx.commit().await.unwrap();
    let left = "select action from audit_entries where salt is not null order by number";
    let stay = ["data.erasure_end"; 4].into_iter().chain([RETAINED]);
    assert_eq!(bench.ask(left.to_owned()).await, stay.collect::<Vec<_>>());
    let report = check(&store, None).await;
    assert_eq!((found(&report), report.blanked), (vec![], 3));
}

/// A host or a program that begins in 1970 writes so; so does one whose clock is years ahead.
#[rstest]
#[tokio::test]
async fn a20_no_payload_is_older_than_one_that_was_written_before_it(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[values(1, 100)] most: i64,
) {
    let (bench, store) = Bench::migrated(backend).await;
    let tenant = World::store(&store).await.acme.id;
    let told = teller(tenant, 1_000, at(100));
    let entries = [10, 5_000, 20, 500, 1, 30].map(|when| audit_entry(Some(tenant), when, "extension.change"));
    store_audit_entries(&store, &entries.iter().collect::<Vec<_>>()).await;
    store_audit_entries(&store, &[&told]).await;
    let mut tx = store.begin("retain").await.unwrap();
    for (before, expected) in [(10, 0), (20, 1), (100, 2), (500, 2), (501, 5), (1_000, 5)] {
        let counted = audit_retention::count(&mut tx, tenant, age(at(before)))
            .await
            .unwrap();
        assert_eq!(counted.found, expected, "{before}");
        let any = audit_retention::any(&mut tx, tenant, age(at(before)))
            .await
            .unwrap();
        assert_eq!(any, expected > 0, "{before}");
    }
    assert_eq!(retain(&mut tx, tenant, at(100), told.id, most).await, (2, 0));
    tx.commit().await.unwrap();
    let left = bench
        .ask("select at || '' from audit_entries where salt is not null and action = 'extension.change' order by number".to_owned())
        .await;
    let stay = [5_000, 500, 1, 30].map(|when| at(when).as_microsecond().to_string());
    assert_eq!(left, stay);
    let report = check(&store, None).await;
    assert_eq!((found(&report), report.blanked), (vec![], 2));
}

#[rstest]
#[tokio::test]
async fn a20_payloads_from_before_the_cutoff_are_blanked_and_the_log_holds_to_its_tenants_end(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[values(1, 100)] most: i64,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    // The tenant's entries have the numbers and times 3, 6 and 9.
    let (tenant, _) = ten(&store).await;
    let cutoff = at(9);
    let told = teller(tenant, 20, cutoff);
    store_audit_entries(&store, &[&told]).await;
    let mut tx = store.begin("retain").await.unwrap();
    let counted = audit_retention::count(&mut tx, tenant, age(cutoff))
        .await
        .unwrap();
    assert_eq!(counted.found, 2);
    assert_eq!(retain(&mut tx, tenant, cutoff, told.id, most).await, (2, 0));
    assert_eq!(retain(&mut tx, tenant, cutoff, told.id, most).await, (0, 0));
    tx.commit().await.unwrap();
    let report = check(&store, None).await;
    assert_eq!((found(&report), report.blanked), (vec![], 2));
    // Neither does a later purge blank what tells of the former one.
    let later = teller(tenant, 40, at(30));
    store_audit_entries(&store, &[&later]).await;
    let mut tx = store.begin("retain").await.unwrap();
    assert_eq!(retain(&mut tx, tenant, at(30), later.id, most).await, (1, 0));
    let left = audit_retention::count(&mut tx, tenant, age(at(50)))
        .await
        .unwrap();
    assert_eq!(left.found, 0);
    // Once the tenant is gone, those that tell of it have no payload either.
    let gone = AuditEntry {
        target_id: tenant.to_string(),
        ..audit_entry(None, 60, "tenant.gone")
    };
    audit::append(&mut tx, &gone, Salt::generate(&SystemRandom).unwrap()).unwrap();
    assert_eq!(audit::blank_tenant(&mut tx, tenant, gone.id).await.unwrap(), 2);
    tx.commit().await.unwrap();
    let report = check(&store, None).await;
    assert_eq!((found(&report), report.blanked), (vec![], 5));
}

/// Whoever can write to the database names the entry of a purge for what it did not blank.
#[rstest]
#[tokio::test]
async fn o61_a_payload_that_is_younger_than_the_purge_says_is_told(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let (tenant, entries) = ten(&store).await;
    let other = entries[0].tenant_id.unwrap();
    let cutoff = at(6);
    let own = teller(tenant, 20, cutoff);
    let by_somebody = AuditEntry {
        actor: audit_entry(None, 1, "x").actor,
        ..teller(tenant, 21, at(100))
    };
    let without_time = AuditEntry {
        target_id: tenant.to_string(),
        ..teller(tenant, 22, at(100))
    };
    let tellers = [
        (own, vec!["untold 6", "untold 9"]),
        (by_somebody, vec!["untold 3", "untold 6", "untold 9"]),
        (without_time, vec!["untold 3", "untold 6", "untold 9"]),
        (
            teller(other, 23, at(100)),
            vec!["untold 3", "untold 6", "untold 9"],
        ),
        (teller(tenant, 24, at(100)), vec![]),
    ];
    for (told, _) in &tellers {
        store_audit_entries(&store, &[told]).await;
    }
    for (told, expected) in &tellers {
        let mut tx = store.begin("blank").await.unwrap();
        for number in [3, 6, 9] {
            let id = entries[number - 1].id;
            assert!(
                audit_retention::blank(&mut tx, tenant, id, told.id)
                    .await
                    .unwrap()
            );
        }
        assert_eq!(&found(&check_in(&mut tx, None).await), expected, "{told:?}");
    }
    // What tells of others is not told by another one.
    let mut tx = store.begin("blank").await.unwrap();
    let (first, last) = (tellers[0].0.id, tellers[4].0.id);
    assert!(
        audit_retention::blank(&mut tx, tenant, first, last)
            .await
            .unwrap()
    );
    assert_eq!(found(&check_in(&mut tx, None).await), ["untold 11"]);
    drop(tx);
    // Nor is it told by one that was written before it.
    let late = audit_entry(Some(tenant), 2, "extension.change");
    store_audit_entries(&store, &[&late]).await;
    let mut tx = store.begin("blank").await.unwrap();
    assert!(
        audit_retention::blank(&mut tx, tenant, late.id, last)
            .await
            .unwrap()
    );
    assert_eq!(found(&check_in(&mut tx, None).await), ["untold 16"]);
}

#[rstest]
#[tokio::test]
async fn o61_what_was_altered_or_written_after_the_purge_began_is_not_blanked(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (bench, store) = Bench::migrated(backend).await;
    let (tenant, _) = ten(&store).await;
    let cutoff = at(1_000);
    let told = teller(tenant, 20, cutoff);
    store_audit_entries(&store, &[&told]).await;
    // By a host whose clock is behind.
    store_audit_entries(&store, &[&audit_entry(Some(tenant), 4, "extension.change")]).await;
    bench
        .sql("update audit_entries set reason = 'something else' where number = 6")
        .await;
    let mut tx = store.begin("retain").await.unwrap();
    assert_eq!(retain(&mut tx, tenant, cutoff, told.id, 100).await, (2, 1));
    tx.commit().await.unwrap();
    let report = check(&store, None).await;
    assert_eq!(
        (found(&report), report.blanked),
        (vec!["payload_altered 6".to_owned()], 2)
    );
}
