//! Payloads of the audit log that had to go: the chain holds, and the log tells of it.

use rstest::rstest;
use serde_json::json;
use switchyard::domain::audit::{AuditEntry, Salt};
use switchyard::domain::ids::{AuditId, SystemIds, TenantId};
use switchyard::domain::random::SystemRandom;
use switchyard::store::audit;

use super::audit_chain::{check, check_in, found, records, ten};
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
    let told = gone(tenant);
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
    assert_eq!(audit::blank_tenant(&mut tx, tenant, told.id).await.unwrap(), 0);
    drop(tx);
    // What stays of a blanked entry is still held by the chain.
    bench
        .sql("update audit_entries set target_id = 'x' where number = 3")
        .await;
    assert_eq!(found(&check(&store, None).await), ["altered 3"]);
    // So is the entry that tells of it, and it cannot go unnoticed.
    bench.sql("delete from audit_entries where number = 11").await;
    let codes = found(&check(&store, None).await);
    assert_eq!(
        codes,
        ["untold 3", "altered 3", "untold 6", "untold 9", "removed 11"]
    );
}

/// The entry of a tenant's deletion.
fn gone(tenant: TenantId) -> AuditEntry {
    AuditEntry {
        target_id: tenant.to_string(),
        ..audit_entry(None, 20, "tenant.gone")
    }
}

/// Whoever can write to the database blanks what they did, and names an entry that is there.
#[rstest]
#[tokio::test]
async fn o61_payloads_that_went_by_another_hand_are_told_whatever_entry_they_name(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let (tenant, entries) = ten(&store).await;
    let other = entries[0].tenant_id.unwrap();
    assert_ne!(other, tenant);
    let telling = [
        audit_entry(None, 20, "session.begin"),
        audit_entry(Some(tenant), 21, "extension.change"),
        gone(other),
        AuditEntry {
            target_id: tenant.to_string(),
            ..audit_entry(None, 22, "tenant.change")
        },
    ];
    for entry in &telling {
        store_audit_entries(&store, &[entry]).await;
    }
    for by in &telling {
        let mut tx = store.begin("blank").await.unwrap();
        audit::blank_tenant(&mut tx, tenant, by.id).await.unwrap();
        let report = check_in(&mut tx, None).await;
        assert_eq!(
            found(&report),
            ["untold 3", "untold 6", "untold 9", "untold 12"],
            "{by:?}"
        );
    }
}

/// A move is no tenant's: the entry of the deletion has to name it, and be of a deletion.
#[rstest]
#[tokio::test]
async fn o61_a_move_whose_payload_went_is_told_unless_the_deletion_names_it(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let (tenant, _) = ten(&store).await;
    let of = |tenant: TenantId, when| AuditEntry {
        after: Some(json!({"tenant_id": tenant, "name": "Ann"})),
        ..audit_entry(None, when, "user.move")
    };
    let other = TenantId::fresh(&SystemIds);
    // Whoever moves chooses the name they have.
    let named = AuditEntry {
        after: Some(json!({"tenant_id": other, "name": format!("\"tenant_id\":\"{tenant}\"")})),
        ..audit_entry(None, 23, "user.move")
    };
    let moves = [of(tenant, 21), of(other, 22), named];
    store_audit_entries(&store, &moves.each_ref()).await;
    let mut tx = store.begin("delete_tenant").await.unwrap();
    let found_moves = audit::moves(&mut tx, tenant).await.unwrap();
    assert_eq!(found_moves, [moves[0].id]);
    let names = |ids: &[AuditId], tenant: TenantId, action: &str| AuditEntry {
        after: Some(json!({"moves": ids})),
        target_id: tenant.to_string(),
        ..audit_entry(None, 30, action)
    };
    let telling = [
        (names(&[moves[0].id], tenant, "tenant.gone"), vec![]),
        (names(&[moves[1].id], tenant, "tenant.gone"), vec!["untold 11"]),
        (names(&[moves[0].id], tenant, "tenant.change"), vec!["untold 11"]),
        (gone(tenant), vec!["untold 11"]),
    ];
    drop(tx);
    for (entry, _) in &telling {
        store_audit_entries(&store, &[entry]).await;
    }
    for (by, expected) in &telling {
        let mut tx = store.begin("blank").await.unwrap();
        audit::blank_moves(&mut tx, &found_moves, by.id).await.unwrap();
        assert_eq!(audit::moves(&mut tx, tenant).await.unwrap(), []);
        let report = check_in(&mut tx, None).await;
        assert_eq!(&found(&report), expected, "{by:?}");
        assert_eq!(report.blanked, 1);
    }
}

/// Whoever can write to the database has an entry of theirs tell of a tenant that is about to go, so that it goes with it.
#[rstest]
#[tokio::test]
async fn o61_a_move_that_was_changed_since_is_not_blanked_with_the_tenant_that_it_names_then(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (bench, store) = Bench::migrated(backend).await;
    let (tenant, _) = ten(&store).await;
    let to = |tenant: TenantId, when| AuditEntry {
        after: Some(json!({"tenant_id": tenant})),
        ..audit_entry(None, when, "user.move")
    };
    let elsewhere = TenantId::fresh(&SystemIds);
    let moves = [to(tenant, 21), to(elsewhere, 22)];
    store_audit_entries(&store, &moves.each_ref()).await;
    let sql = "update audit_entries set after = (select after from audit_entries where number = 11) where number = 12";
    bench.sql(sql).await;
    let mut tx = store.begin("delete_tenant").await.unwrap();
    let found_moves = audit::moves(&mut tx, tenant).await.unwrap();
    assert_eq!(found_moves, [moves[0].id]);
    drop(tx);
    assert_eq!(found(&check(&store, None).await), ["payload_altered 12"]);
}

#[rstest]
#[tokio::test]
async fn o61_no_other_entry_of_the_platform_is_blanked_as_if_it_were_a_move(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let (tenant, _) = ten(&store).await;
    let deed = audit_entry(None, 21, "user.grant_platform_manager");
    let told = AuditEntry {
        after: Some(json!({"moves": [deed.id]})),
        ..gone(tenant)
    };
    store_audit_entries(&store, &[&deed, &told]).await;
    let mut tx = store.begin("blank").await.unwrap();
    audit::blank_moves(&mut tx, &[deed.id], told.id).await.unwrap();
    assert_eq!(found(&check_in(&mut tx, None).await), ["untold 11"]);
}
