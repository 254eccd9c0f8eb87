//! The audit log.

use std::slice::from_ref;

use rstest::rstest;
use serde_json::json;
use switchyard::domain::audit::{AuditCursor, AuditEntry, AuditFilter};
use switchyard::domain::ids::{AuditId, SystemIds, TenantId};
use switchyard::store::{Store, audit};

use super::bench::Backend::{Postgres, Sqlite};
use super::bench::{Backend, Bench};
use super::samples::at;

fn entry(tenant_id: Option<TenantId>, when: i64, action: &str) -> AuditEntry {
    AuditEntry {
        id: AuditId::fresh(&SystemIds),
        at: at(when),
        actor: "ann@example.com".into(),
        action: action.into(),
        resource: "extension".into(),
        target_id: "0198c0de-0000-7000-8000-000000000001".into(),
        tenant_id,
        before: None,
        after: None,
        reason: None,
        request_id: None,
        address: None,
    }
}

async fn append(store: &Store, entries: &[&AuditEntry]) {
    let mut tx = store.begin("append").await.unwrap();
    for entry in entries {
        audit::append(&mut tx, entry).await.unwrap();
    }
    tx.commit().await.unwrap();
}

#[rstest]
#[tokio::test]
async fn o61_every_field_comes_back(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let tenant = TenantId::fresh(&SystemIds);
    let full = AuditEntry {
        before: Some(json!({"b": [1, 2.5, null, true, "é"], "a": {"x": -1}})),
        after: Some(json!(null)),
        reason: Some("asked for by mail".into()),
        request_id: Some("req-1".into()),
        address: Some("2001:db8::1".into()),
        ..entry(Some(tenant), 1, "update")
    };
    let with_nul = AuditEntry {
        reason: Some("a\0b".into()),
        ..entry(None, 2, "update")
    };
    append(&store, &[&full, &with_nul]).await;
    let mut tx = store.read("list").await.unwrap();
    let page = audit::list(&mut tx, tenant, &AuditFilter::default(), None)
        .await
        .unwrap();
    assert_eq!((page.entries, page.next), (vec![full], None));
    let all = audit::list_all(&mut tx, None, &AuditFilter::default(), None)
        .await
        .unwrap();
    assert_eq!(all.entries[0].reason.as_deref(), Some("a\u{FFFD}b"));
}

#[rstest]
#[tokio::test]
async fn c02_a_tenant_reads_its_own_entries_only(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let (acme, globex) = (TenantId::fresh(&SystemIds), TenantId::fresh(&SystemIds));
    let (own, foreign, platform) = (
        entry(Some(acme), 1, "create"),
        entry(Some(globex), 2, "create"),
        entry(None, 3, "create"),
    );
    append(&store, &[&own, &foreign, &platform]).await;
    let mut tx = store.read("list").await.unwrap();
    let filter = AuditFilter::default();
    let page = audit::list(&mut tx, acme, &filter, None).await.unwrap();
    assert_eq!(page.entries, from_ref(&own));
    let past_everything = AuditCursor {
        at: at(9),
        id: platform.id,
    };
    let page = audit::list(&mut tx, acme, &filter, Some(past_everything))
        .await
        .unwrap();
    assert_eq!(page.entries, from_ref(&own));
    let page = audit::list_all(&mut tx, Some(globex), &filter, None)
        .await
        .unwrap();
    assert_eq!(page.entries, from_ref(&foreign));
    let page = audit::list_all(&mut tx, None, &filter, None).await.unwrap();
    assert_eq!(page.entries, [platform, foreign, own]);
}

#[rstest]
#[tokio::test]
async fn o61_each_filter_restricts(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let tenant = TenantId::fresh(&SystemIds);
    let first = AuditEntry {
        actor: "bob".into(),
        ..entry(Some(tenant), 1, "create")
    };
    let second = AuditEntry {
        resource: "tenant".into(),
        ..entry(Some(tenant), 2, "create")
    };
    let third = entry(Some(tenant), 3, "delete");
    append(&store, &[&first, &second, &third]).await;
    let some = |text: &str| Some(text.to_owned());
    let cases = [
        (
            AuditFilter {
                actor: some("bob"),
                ..AuditFilter::default()
            },
            vec![&first],
        ),
        (
            AuditFilter {
                action: some("create"),
                ..AuditFilter::default()
            },
            vec![&second, &first],
        ),
        (
            AuditFilter {
                resource: some("tenant"),
                ..AuditFilter::default()
            },
            vec![&second],
        ),
        (
            AuditFilter {
                from: Some(at(2)),
                ..AuditFilter::default()
            },
            vec![&third, &second],
        ),
        (
            AuditFilter {
                to: Some(at(2)),
                ..AuditFilter::default()
            },
            vec![&first],
        ),
        (
            AuditFilter {
                actor: some("bob\0"),
                ..AuditFilter::default()
            },
            vec![],
        ),
        (
            AuditFilter {
                actor: some("ann@example.com"),
                action: some("create"),
                resource: some("tenant"),
                from: Some(at(1)),
                to: Some(at(3)),
            },
            vec![&second],
        ),
    ];
    let mut tx = store.read("list").await.unwrap();
    for (filter, expected) in cases {
        let page = audit::list(&mut tx, tenant, &filter, None).await.unwrap();
        assert_eq!(page.entries.iter().collect::<Vec<_>>(), expected, "{filter:?}");
    }
}

#[rstest]
#[tokio::test]
async fn o61_pages_follow_each_other_without_gap_or_repetition(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let tenant = TenantId::fresh(&SystemIds);
    // Many entries of the same moment: the id decides among them.
    let entries: Vec<_> = (0..200).map(|n| entry(Some(tenant), n / 50, "create")).collect();
    append(&store, &entries.iter().collect::<Vec<_>>()).await;
    let mut tx = store.read("list").await.unwrap();
    let filter = AuditFilter::default();
    let first = audit::list(&mut tx, tenant, &filter, None).await.unwrap();
    assert_eq!(first.entries.len(), 100);
    let cursor: AuditCursor = first.next.unwrap().to_string().parse().unwrap();
    let second = audit::list(&mut tx, tenant, &filter, Some(cursor)).await.unwrap();
    assert_eq!(second.next, None);
    let mut listed = [first.entries, second.entries].concat();
    listed.reverse();
    assert_eq!(listed, entries);
}
