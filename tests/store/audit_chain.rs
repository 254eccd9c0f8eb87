//! The audit log as a chain: what is made of it behind the program's back is found.

use futures_util::future::join_all;
use rstest::rstest;
use serde_json::json;
use switchyard::domain::audit::{AuditEntry, AuditHead, AuditRecord, Salt};
use switchyard::domain::audit_check::{AuditCheck, AuditReport};
use switchyard::domain::audit_query::AuditQuery;
use switchyard::domain::ids::{SystemIds, TenantId};
use switchyard::domain::random::SystemRandom;
use switchyard::store::{Store, Tx, audit, audit_chain, tenants};

use super::bench::Backend::{Postgres, Sqlite};
use super::bench::{Backend, Bench};
use super::samples::{World, audit_entry, store_audit_entries};

/// Checks the log as the program does.
pub async fn check(store: &Store, kept: Option<AuditHead>) -> AuditReport {
    check_in(&mut store.read("check").await.unwrap(), kept).await
}

/// The same of what a transaction sees.
pub async fn check_in(tx: &mut Tx, kept: Option<AuditHead>) -> AuditReport {
    let mut check = AuditCheck::new(audit_chain::head(tx).await.unwrap(), kept);
    let mut last = i64::MIN;
    loop {
        // Few at once, so that entries are held to those of the batch before.
        let links = audit_chain::after(tx, last, 4).await.unwrap();
        let Some(end) = links.last() else { break };
        last = end.link.number;
        for link in links {
            check.see(link);
        }
    }
    check.finish()
}

/// The findings, such as `altered 3` or `removed 2-4`.
pub fn found(report: &AuditReport) -> Vec<String> {
    let findings = report.findings.iter();
    findings
        .map(|finding| match (finding.entry, finding.last) {
            (entry, last) if entry == last => format!("{} {entry}", finding.code),
            (entry, last) => format!("{} {entry}-{last}", finding.code),
        })
        .collect()
}

/// A log of ten entries of two tenants and the platform, each with a whole payload.
pub async fn ten(store: &Store) -> (TenantId, Vec<AuditEntry>) {
    let tenants = [TenantId::fresh(&SystemIds), TenantId::fresh(&SystemIds)];
    let entry = |n: i64| AuditEntry {
        before: Some(json!({"name": "Zoë", "n": n})),
        after: Some(json!({"z": 1.5, "a": null})),
        reason: Some("asked by phone".into()),
        request_id: Some(format!("req-{n}")),
        address: Some("192.0.2.1".into()),
        agent: Some("curl/8.5.0".into()),
        ..audit_entry(
            tenants.get(usize::try_from(n % 3).unwrap()).copied(),
            n,
            "extension.change",
        )
    };
    let entries: Vec<AuditEntry> = (1..=10).map(entry).collect();
    for entry in &entries {
        store_audit_entries(store, &[entry]).await;
    }
    (tenants[0], entries)
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn o61_fifty_writers_at_the_same_time_leave_no_gap(#[values(Sqlite, Postgres)] backend: Backend) {
    let (bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let other = bench.another_store(None).await;
    let writer = async |n: i64| {
        // Two processes; some lock a row that all want after they have added their entry, some before; some give up.
        let store = if n % 2 == 0 { &store } else { &other };
        let mut tx = store.begin("write").await.unwrap();
        if n % 3 == 0 {
            tenants::lock(&mut tx, world.acme.id).await.unwrap();
        }
        let entry = audit_entry(Some(world.acme.id), n, "extension.change");
        audit::append(&mut tx, &entry, Salt::generate(&SystemRandom).unwrap()).unwrap();
        if n % 3 != 0 {
            tenants::lock(&mut tx, world.acme.id).await.unwrap();
        }
        if n % 10 != 9 {
            tx.commit().await.unwrap();
        }
    };
    join_all((0..50).map(writer)).await;
    let report = check(&store, None).await;
    assert_eq!((found(&report), report.entries), (vec![], 45));
    assert_eq!(report.head.unwrap().number, 45);
}

#[rstest]
#[tokio::test]
async fn o61_what_was_taken_back_takes_no_number(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let entry = audit_entry(None, 1, "instance.create");
    let mut tx = store.begin("given_up").await.unwrap();
    audit::append(&mut tx, &entry, Salt::generate(&SystemRandom).unwrap()).unwrap();
    drop(tx);
    store_audit_entries(&store, &[&entry, &audit_entry(None, 2, "instance.change")]).await;
    // The same id again: the commit as a whole is refused.
    let mut tx = store.begin("refused").await.unwrap();
    audit::append(&mut tx, &entry, Salt::generate(&SystemRandom).unwrap()).unwrap();
    assert!(tx.commit().await.is_err());
    let report = check(&store, None).await;
    assert_eq!((found(&report), report.entries), (vec![], 2));
}

#[rstest]
#[tokio::test]
async fn o61_a_check_reads_one_moment_and_keeps_nobody_from_writing(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    ten(&store).await;
    let mut tx = store.read("check").await.unwrap();
    let mut check = AuditCheck::new(audit_chain::head(&mut tx).await.unwrap(), None);
    for link in audit_chain::after(&mut tx, 0, 4).await.unwrap() {
        check.see(link);
    }
    store_audit_entries(&store, &[&audit_entry(None, 11, "instance.change")]).await;
    for link in audit_chain::after(&mut tx, 4, 100).await.unwrap() {
        check.see(link);
    }
    let report = check.finish();
    assert_eq!((found(&report), report.entries), (vec![], 10));
}

/// What somebody may do to ten entries, and what is found of it.
const TAMPERED: [(&str, &str); 30] = [
    ("delete from audit_entries where number = 1", "removed 1"),
    ("delete from audit_entries where number = 5", "removed 5"),
    ("delete from audit_entries where number = 10", "removed 10"),
    ("delete from audit_entries where number > 7", "removed 8-10"),
    ("delete from audit_entries", "removed 1-10"),
    (
        "delete from audit_entries where number = 10; update audit_head set number = 9",
        "head_altered 9",
    ),
    (
        "update audit_entries set at = at + 1 where number = 4",
        "altered 4",
    ),
    (
        "update audit_entries set actor_kind = 'system' where number = 4",
        "altered 4",
    ),
    (
        "update audit_entries set actor_id = null where number = 4",
        "altered 4",
    ),
    (
        "update audit_entries set action = 'extension.delete' where number = 4",
        "altered 4",
    ),
    (
        "update audit_entries set resource = 'x' where number = 4",
        "altered 4",
    ),
    (
        "update audit_entries set target_id = 'x' where number = 4",
        "altered 4",
    ),
    (
        "update audit_entries set tenant_id = null where number = 4",
        "altered 4",
    ),
    (
        "update audit_entries set id = tenant_id where number = 4",
        "altered 4",
    ),
    (
        "update audit_entries set digest = payload_digest where number = 4",
        "altered 4",
    ),
    (
        "update audit_entries set digest = payload_digest where number = 10",
        "altered 10",
    ),
    (
        "update audit_entries set actor_name = 'Eve' where number = 4",
        "payload_altered 4",
    ),
    (
        "update audit_entries set before = '{}' where number = 4",
        "payload_altered 4",
    ),
    (
        "update audit_entries set after = after || ' ' where number = 4",
        "payload_altered 4",
    ),
    (
        "update audit_entries set reason = null where number = 4",
        "payload_altered 4",
    ),
    (
        "update audit_entries set request_id = '' where number = 4",
        "payload_altered 4",
    ),
    (
        "update audit_entries set address = '192.0.2.2' where number = 4",
        "payload_altered 4",
    ),
    (
        "update audit_entries set agent = 'x' where number = 4",
        "payload_altered 4",
    ),
    (
        "update audit_entries set salt = digest where number = 4",
        "payload_altered 4",
    ),
    (
        "update audit_entries set number = 99 where number = 4; update audit_entries set number = 4 where number = 5; \
     update audit_entries set number = 5 where number = 99",
        "swapped 4-5",
    ),
    (
        "update audit_entries set number = 11 where number = 10",
        "removed 10, forged 11",
    ),
    (
        "update audit_head set digest = (select digest from audit_entries where number = 9)",
        "head_altered 10",
    ),
    ("delete from audit_head", "head_altered 10"),
    (
        "update audit_entries set salt = null, actor_name = null, before = null, after = null, reason = null, \
     request_id = null, address = null, agent = null, blanked_by = id where number = 4",
        "untold 4",
    ),
    (
        "update audit_entries set salt = null, actor_name = null, before = null, \
     blanked_by = (select id from audit_entries where number = 8) where number = 4",
        "payload_altered 4",
    ),
];

#[rstest]
#[tokio::test]
async fn o61_what_somebody_makes_of_the_log_is_found_and_named(#[values(Sqlite, Postgres)] backend: Backend) {
    let (bench, store) = Bench::migrated(backend).await;
    ten(&store).await;
    bench
        .sql("create table kept_entries as select * from audit_entries")
        .await;
    bench
        .sql("create table kept_head as select * from audit_head")
        .await;
    for (tamper, expected) in TAMPERED {
        assert_eq!(found(&check(&store, None).await), [""; 0]);
        bench.sql(tamper).await;
        let report = check(&store, None).await;
        assert_eq!(found(&report).join(", "), expected, "{tamper}");
        assert!(!report.ok);
        bench
            .sql(
                "delete from audit_entries; insert into audit_entries select * from kept_entries; \
                 delete from audit_head; insert into audit_head select * from kept_head",
            )
            .await;
    }
}

/// A copy of an entry under a number of its own, with another id.
#[rstest]
#[case(11, "forged 11")]
#[case(0, "forged 0")]
#[case(-3, "forged -3")]
#[tokio::test]
async fn o61_a_forged_entry_is_found(
    #[case] number: i64,
    #[case] expected: &str,
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (bench, store) = Bench::migrated(backend).await;
    ten(&store).await;
    let id = match backend {
        Sqlite => "x'0198c0de000070008000000000000001'",
        Postgres => "'0198c0de-0000-7000-8000-000000000001'::uuid",
    };
    let columns = "at, actor_kind, actor_id, operating_as, action, resource, target_id, tenant_id, payload_digest, \
                   digest, salt, actor_name, before, after, reason, request_id, address, agent";
    let sql = format!(
        "insert into audit_entries (id, number, {columns}) \
         select {id}, {number}, {columns} from audit_entries where number = 10"
    );
    bench.sql(Box::leak(sql.into_boxed_str())).await;
    assert_eq!(found(&check(&store, None).await), [expected]);
    if number == 11 {
        // With the head moved to it.
        bench.sql("update audit_head set number = 11").await;
        assert_eq!(found(&check(&store, None).await), ["altered 11"]);
    }
}

#[rstest]
#[tokio::test]
async fn o61_a_head_that_was_kept_tells_a_log_that_was_written_anew(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (bench, store) = Bench::migrated(backend).await;
    ten(&store).await;
    let kept = check(&store, None).await.head;
    store_audit_entries(&store, &[&audit_entry(None, 11, "instance.change")]).await;
    assert!(check(&store, kept).await.ok);
    // Everything is written anew, by the program's own means: whole in itself, and not what it was.
    bench
        .sql("delete from audit_entries; update audit_head set number = 0, digest = (select digest from audit_head)")
        .await;
    let beginning = match backend {
        Sqlite => "update audit_head set digest = zeroblob(32)",
        Postgres => "update audit_head set digest = decode(repeat('00', 32), 'hex')",
    };
    bench.sql(beginning).await;
    ten(&store).await;
    assert!(check(&store, None).await.ok);
    assert_eq!(found(&check(&store, kept).await), ["not_the_kept 10"]);
}

/// The newest hundred entries, by number.
pub async fn records(store: &Store) -> Vec<AuditRecord> {
    let mut tx = store.read("list").await.unwrap();
    let query = AuditQuery {
        per_page: 100,
        ..AuditQuery::default()
    };
    let mut all = audit::list_all(&mut tx, None, &query).await.unwrap().entries;
    all.sort_by_key(|record| record.number);
    all
}
