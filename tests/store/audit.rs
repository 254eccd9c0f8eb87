//! The audit log.

use std::slice::from_ref;

use rstest::rstest;
use serde_json::json;
use switchyard::domain::audit::{Actor, AuditEntry};
use switchyard::domain::audit_query::{AuditCursor, AuditFilter, AuditPage, AuditQuery};
use switchyard::domain::ids::{SystemIds, TenantId};
use switchyard::store::audit;

use super::bench::Backend::{Postgres, Sqlite};
use super::bench::{Backend, Bench};
use super::samples::{at, audit_entry as entry, store_audit_entries as append};

/// What a page says, without the places in the log.
fn said(page: AuditPage) -> Vec<AuditEntry> {
    page.entries.into_iter().map(|record| record.entry).collect()
}

fn all() -> AuditQuery {
    AuditQuery {
        per_page: 100,
        ..AuditQuery::default()
    }
}

fn matching(filter: AuditFilter) -> AuditQuery {
    AuditQuery { filter, ..all() }
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
        agent: Some("curl/8.5.0".into()),
        operating_as: true,
        ..entry(Some(tenant), 1, "update")
    };
    let with_nul = AuditEntry {
        reason: Some("a\0b".into()),
        ..entry(None, 2, "update")
    };
    append(&store, &[&full, &with_nul]).await;
    let mut tx = store.read("list").await.unwrap();
    let page = audit::list(&mut tx, tenant, &all()).await.unwrap();
    assert_eq!((page.next, page.entries[0].number), (None, 1));
    assert_eq!(said(page), [full]);
    let page = audit::list_all(&mut tx, None, &all()).await.unwrap();
    assert_eq!(page.entries[0].entry.reason.as_deref(), Some("a\u{FFFD}b"));
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
    let page = audit::list(&mut tx, acme, &all()).await.unwrap();
    assert_eq!(said(page), from_ref(&own));
    let past_everything = AuditQuery {
        after: Some(AuditCursor {
            at: at(9),
            id: platform.id,
        }),
        ..all()
    };
    let page = audit::list(&mut tx, acme, &past_everything).await.unwrap();
    assert_eq!(said(page), from_ref(&own));
    let page = audit::list_all(&mut tx, Some(globex), &all()).await.unwrap();
    assert_eq!(said(page), from_ref(&foreign));
    let page = audit::list_all(&mut tx, None, &all()).await.unwrap();
    assert_eq!(said(page), [platform, foreign, own]);
}

#[rstest]
#[tokio::test]
async fn o61_each_filter_restricts(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let tenant = TenantId::fresh(&SystemIds);
    let ann = entry(None, 0, "").actor;
    let first = AuditEntry {
        actor: Actor {
            name: "bob".into(),
            ..ann.clone()
        },
        ..entry(Some(tenant), 1, "create")
    };
    let second = AuditEntry {
        resource: "tenant".into(),
        ..entry(Some(tenant), 2, "create")
    };
    let third = entry(Some(tenant), 3, "delete");
    append(&store, &[&first, &second, &third]).await;
    let some = |text: &str| Some(text.to_owned());
    let word = |text: &str| Some(text.parse().unwrap());
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
                action: word("create"),
                ..AuditFilter::default()
            },
            vec![&second, &first],
        ),
        (
            AuditFilter {
                resource: word("tenant"),
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
                actor: some(&second.actor.id.unwrap().to_string()),
                ..AuditFilter::default()
            },
            vec![&second],
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
                action: word("create"),
                resource: word("tenant"),
                from: Some(at(1)),
                to: Some(at(3)),
            },
            vec![&second],
        ),
    ];
    let mut tx = store.read("list").await.unwrap();
    for (filter, expected) in cases {
        let page = audit::list(&mut tx, tenant, &matching(filter.clone()))
            .await
            .unwrap();
        assert_eq!(said(page).iter().collect::<Vec<_>>(), expected, "{filter:?}");
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
    let first = audit::list(&mut tx, tenant, &all()).await.unwrap();
    assert_eq!(first.entries.len(), 100);
    let cursor: AuditCursor = first.next.unwrap().to_string().parse().unwrap();
    let behind = AuditQuery {
        after: Some(cursor),
        ..all()
    };
    let second = audit::list(&mut tx, tenant, &behind).await.unwrap();
    assert_eq!(second.next, None);
    let mut listed = [said(first), said(second)].concat();
    listed.reverse();
    assert_eq!(listed, entries);
}
