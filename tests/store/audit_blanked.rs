//! Payloads of the audit log that had to go: the chain holds, and the log tells of it.

use rstest::rstest;
use switchyard::domain::audit::Salt;
use switchyard::domain::random::SystemRandom;
use switchyard::store::audit;

use super::audit_chain::{check, found, records, ten};
use super::bench::Backend::{Postgres, Sqlite};
use super::bench::{Backend, Bench};
use super::samples::{audit_entry, store_audit_entries};

#[rstest]
#[tokio::test]
async fn a20_the_payloads_of_a_tenant_go_and_the_chain_still_holds(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (bench, store) = Bench::migrated(backend).await;
    let (tenant, entries) = ten(&store).await;
    let before = records(&store).await;
    let told = audit_entry(Some(tenant), 20, "tenant.delete");
    let mut tx = store.begin("delete_tenant").await.unwrap();
    audit::append(&mut tx, &told, Salt::generate(&SystemRandom).unwrap()).unwrap();
    let blanked = audit::blank_tenant(&mut tx, tenant, told.id).await.unwrap();
    tx.commit().await.unwrap();
    let own = entries
        .iter()
        .filter(|entry| entry.tenant_id == Some(tenant))
        .count();
    assert_eq!(blanked, u64::try_from(own).unwrap());

    let after = records(&store).await;
    for (before, after) in before.iter().zip(&after) {
        if before.entry.tenant_id != Some(tenant) {
            assert_eq!(after, before);
            continue;
        }
        assert_eq!(after.blanked_by, Some(told.id));
        let mut without = before.entry.clone();
        without.actor.name = String::new();
        let payload = [
            &mut without.reason,
            &mut without.request_id,
            &mut without.address,
            &mut without.agent,
        ];
        for text in payload {
            *text = None;
        }
        (without.before, without.after) = (None, None);
        assert_eq!(after.entry, without);
        assert_eq!(
            (after.digest, after.payload_digest),
            (before.digest, before.payload_digest)
        );
    }
    assert_eq!((after[10].blanked_by, &after[10].entry), (None, &told));
    // Neither is the salt left, with which a guess could be tried.
    let salts =
        bench.ask("select action from audit_entries where salt is null and actor_name is null".into());
    assert_eq!(salts.await.len(), own);
    let report = check(&store, None).await;
    assert_eq!((found(&report), report.blanked), (vec![], blanked));
    // A second time there is nothing left to blank.
    let mut tx = store.begin("again").await.unwrap();
    assert_eq!(audit::blank(&mut tx, &[entries[2].id], told.id).await.unwrap(), 0);
}

#[rstest]
#[tokio::test]
async fn a20_single_payloads_go_and_the_chain_still_holds(#[values(Sqlite, Postgres)] backend: Backend) {
    let (bench, store) = Bench::migrated(backend).await;
    let (_, entries) = ten(&store).await;
    let told = audit_entry(None, 20, "retention.purge");
    let ids = [entries[0].id, entries[4].id, entries[9].id];
    let mut tx = store.begin("purge").await.unwrap();
    audit::append(&mut tx, &told, Salt::generate(&SystemRandom).unwrap()).unwrap();
    assert_eq!(audit::blank(&mut tx, &ids, told.id).await.unwrap(), 3);
    tx.commit().await.unwrap();
    let blanked: Vec<i64> = records(&store)
        .await
        .iter()
        .filter(|record| record.blanked_by.is_some())
        .map(|record| record.number)
        .collect();
    assert_eq!(blanked, [1, 5, 10]);
    assert_eq!(found(&check(&store, None).await), [""; 0]);
    // What stays of a blanked entry is still held by the chain.
    bench
        .sql("update audit_entries set target_id = 'x' where number = 5")
        .await;
    assert_eq!(found(&check(&store, None).await), ["altered 5"]);
    // So is the entry that tells of it, and it cannot go unnoticed.
    bench.sql("delete from audit_entries where number = 11").await;
    let codes = found(&check(&store, None).await);
    assert_eq!(
        codes,
        ["untold 1", "untold 5", "altered 5", "untold 10", "removed 11"]
    );
}

/// A blanking that only another tenant's entry tells of.
#[rstest]
#[tokio::test]
async fn o61_a_blanking_is_not_told_by_another_tenants_entry(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let (tenant, entries) = ten(&store).await;
    let foreign = entries
        .iter()
        .find(|entry| entry.tenant_id.is_some_and(|id| id != tenant))
        .unwrap();
    let told = audit_entry(Some(tenant), 20, "extension.change");
    store_audit_entries(&store, &[&told]).await;
    let mut tx = store.begin("blank").await.unwrap();
    audit::blank(&mut tx, &[foreign.id], told.id).await.unwrap();
    tx.commit().await.unwrap();
    let report = check(&store, None).await;
    assert_eq!(
        (report.findings.len(), report.findings[0].code.as_str()),
        (1, "untold")
    );
    assert_eq!(report.findings[0].id, Some(foreign.id.uuid()));
}
