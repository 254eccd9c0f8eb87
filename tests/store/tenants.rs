//! Tenants.

use std::collections::BTreeMap;

use rstest::rstest;
use switchyard::domain::ids::{InstanceId, RevisionId, SystemIds, TenantId};
use switchyard::domain::page::PageRequest;
use switchyard::domain::query::{TenantQuery, TenantSort};
use switchyard::domain::served::Served;
use switchyard::domain::tenant::{Service, SuspensionPolicy, Tenant, TenantStatus};
use switchyard::store::tenants::TenantState;
use switchyard::store::{
    Store, StoreError, Tx, instances, revisions, served, tenant_lifecycle, tenant_overviews, tenants,
};

use super::bench::Backend::{Postgres, Sqlite};
use super::bench::{Backend, Bench};
use super::samples::{World, at, instance, instance_secrets, tenant};
use super::support::suspension::pause;

/// The names of the page that a query gives, without "Tenant ".
async fn names(store: &Store, query: &TenantQuery) -> Vec<String> {
    let mut tx = store.read("names").await.unwrap();
    let page = tenant_overviews::list(&mut tx, query).await.unwrap();
    page.items
        .iter()
        .map(|found| found.tenant.name.as_str().replace("Tenant ", ""))
        .collect()
}

/// Four tenants on two instances; names, domains, states and times all sort differently.
async fn four(store: &Store) -> (InstanceId, InstanceId) {
    let (one, two) = (instance("one"), instance("two"));
    let mut tx = store.begin("four").await.unwrap();
    instances::insert(&mut tx, &one, &instance_secrets())
        .await
        .unwrap();
    instances::insert(&mut tx, &two, &instance_secrets())
        .await
        .unwrap();
    let rows = [
        ("beta", "d.example.com", TenantStatus::Active, one.id, 3),
        ("Alpha", "b.example.com", TenantStatus::Suspended, one.id, 4),
        ("Élan 50%", "c.example.com", TenantStatus::Active, two.id, 1),
        ("Zulu_x", "a.example.com", TenantStatus::Suspended, one.id, 2),
    ];
    for (name, domain, status, instance_id, created) in rows {
        let made = Tenant {
            name: format!("Tenant {name}").parse().unwrap(),
            domain: domain.parse().unwrap(),
            status,
            created_at: at(created),
            ..tenant(instance_id, "x")
        };
        tenants::insert(&mut tx, &made).await.unwrap();
    }
    tx.commit().await.unwrap();
    (one.id, two.id)
}

#[rstest]
#[tokio::test]
async fn every_field_comes_back(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let full = Tenant {
        name: "Zoë & Søn \"GmbH\"".parse().unwrap(),
        status: TenantStatus::Suspended,
        timezone: "Europe/Berlin".parse().unwrap(),
        secrets_version: i64::MAX,
        ..tenant(world.instance.id, "full")
    };
    let mut tx = store.begin("insert").await.unwrap();
    tenants::insert(&mut tx, &full).await.unwrap();
    assert_eq!(
        tenants::find(&mut tx, full.id).await.unwrap().as_ref(),
        Some(&full)
    );
    assert_eq!(
        tenants::find_by_domain(&mut tx, &full.domain)
            .await
            .unwrap()
            .as_ref(),
        Some(&full)
    );
    tx.commit().await.unwrap();
}

#[rstest]
#[tokio::test]
async fn what_is_absent_is_absent(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let id = TenantId::fresh(&SystemIds);
    let mut tx = store.begin("look").await.unwrap();
    assert_eq!(tenants::find(&mut tx, id).await.unwrap(), None);
    let domain = "nowhere.example.com".parse().unwrap();
    assert_eq!(tenants::find_by_domain(&mut tx, &domain).await.unwrap(), None);
    assert_eq!(tenants::bump_secrets_version(&mut tx, id).await.unwrap(), None);
    assert!(
        !tenant_lifecycle::suspend(&mut tx, id, &pause(at(9)))
            .await
            .unwrap()
    );
    assert!(!tenant_lifecycle::reactivate(&mut tx, id, at(9)).await.unwrap());
    assert!(!tenant_lifecycle::let_go(&mut tx, id, at(9)).await.unwrap());
    assert_eq!(tenant_lifecycle::standing(&mut tx, id).await.unwrap(), None);
    assert!(!tenants::lock(&mut tx, id).await.unwrap());
    assert_eq!(
        tenants::states_of_instance(&mut tx, InstanceId::fresh(&SystemIds))
            .await
            .unwrap(),
        []
    );
    tx.commit().await.unwrap();
}

#[rstest]
#[tokio::test]
async fn o23_a_domain_that_is_taken_is_a_conflict(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let mut tx = store.begin("insert").await.unwrap();
    let error = tenants::insert(&mut tx, &tenant(world.instance.id, "ACME"))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, StoreError::Conflict { table, columns } if table == "tenants" && *columns == ["domain"]),
        "{error:?}"
    );
}

#[rstest]
#[tokio::test]
async fn an_absent_instance_is_a_bad_reference(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let mut tx = store.begin("insert").await.unwrap();
    let orphan = tenant(InstanceId::fresh(&SystemIds), "orphan");
    let error = tenants::insert(&mut tx, &orphan).await.unwrap_err();
    assert!(
        matches!(&error, StoreError::Reference { statement } if statement.ends_with("tenants::INSERT")),
        "{error:?}"
    );
}

#[rstest]
#[case(TenantSort::Name, ["Alpha", "beta", "Zulu_x", "Élan 50%"])]
#[case(TenantSort::Domain, ["Zulu_x", "Alpha", "Élan 50%", "beta"])]
#[case(TenantSort::CreatedAt, ["Élan 50%", "Zulu_x", "beta", "Alpha"])]
#[tokio::test]
async fn o20_each_sort_goes_both_ways(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[case] sort: TenantSort,
    #[case] expected: [&str; 4],
) {
    let (_bench, store) = Bench::migrated(backend).await;
    four(&store).await;
    let mut query = TenantQuery {
        sort,
        ..TenantQuery::default()
    };
    assert_eq!(names(&store, &query).await, expected);
    query.descending = true;
    let mut reversed = names(&store, &query).await;
    reversed.reverse();
    assert_eq!(reversed, expected);
}

#[rstest]
#[tokio::test]
async fn o20_equal_states_are_sorted_by_id(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    four(&store).await;
    let mut query = TenantQuery {
        sort: TenantSort::Status,
        ..TenantQuery::default()
    };
    assert_eq!(
        names(&store, &query).await,
        ["beta", "Élan 50%", "Alpha", "Zulu_x"]
    );
    query.descending = true;
    assert_eq!(
        names(&store, &query).await,
        ["Zulu_x", "Alpha", "Élan 50%", "beta"]
    );
}

#[rstest]
#[case::part_of_a_name("ALPH", &["Alpha"])]
#[case::beyond_ascii("éLAN", &["Élan 50%"])]
#[case::domain("D.EXAMPLE", &["beta"])]
#[case::percent_is_no_wildcard("0%", &["Élan 50%"])]
#[case::underscore_is_no_wildcard("u_x", &["Zulu_x"])]
#[case::underscore_alone("_", &["Zulu_x"])]
#[case::nothing("nobody", &[])]
#[case::backslash("\\", &[])]
#[case::quote("'", &[])]
#[case::nul("\0", &[])]
#[case::everything("", &["Alpha", "beta", "Zulu_x", "Élan 50%"])]
#[tokio::test]
async fn o20_a_search_finds_parts_of_name_and_domain(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[case] search: &str,
    #[case] expected: &[&str],
) {
    let (_bench, store) = Bench::migrated(backend).await;
    four(&store).await;
    let query = TenantQuery {
        search: Some(search.to_owned()),
        ..TenantQuery::default()
    };
    assert_eq!(names(&store, &query).await, expected);
}

#[rstest]
#[tokio::test]
async fn o20_filters_and_pages_agree_with_the_total(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let (one, two) = four(&store).await;
    let mut query = TenantQuery {
        instance_id: Some(two),
        ..TenantQuery::default()
    };
    assert_eq!(names(&store, &query).await, ["Élan 50%"]);
    query = TenantQuery {
        status: Some(TenantStatus::Suspended),
        instance_id: Some(one),
        page: PageRequest::new(2, 1).unwrap(),
        ..TenantQuery::default()
    };
    assert_eq!(names(&store, &query).await, ["Zulu_x"]);
    let mut tx = store.read("page").await.unwrap();
    let page = tenant_overviews::list(&mut tx, &query).await.unwrap();
    assert_eq!((page.total, page.last_page(), page.request), (2, 2, query.page));
    query.page = PageRequest::new(1_000_000_000, 100).unwrap();
    let beyond = tenant_overviews::list(&mut tx, &query).await.unwrap();
    assert_eq!((beyond.total, beyond.items), (2, vec![]));
}

#[rstest]
#[tokio::test]
async fn a_change_of_secrets_counts_and_a_status_says_what_is_served(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let mut tx = store.begin("change").await.unwrap();
    assert_eq!(
        tenants::bump_secrets_version(&mut tx, world.acme.id)
            .await
            .unwrap(),
        Some(2)
    );
    assert!(
        tenant_lifecycle::suspend(&mut tx, world.acme.id, &pause(at(99)))
            .await
            .unwrap()
    );
    let changed = Tenant {
        status: TenantStatus::Suspended,
        secrets_version: 2,
        updated_at: at(99),
        ..world.acme.clone()
    };
    assert_eq!(
        tenants::find(&mut tx, world.acme.id).await.unwrap(),
        Some(changed)
    );
    let state = |id, service, secrets_version| TenantState {
        id,
        service,
        secrets_version,
        head_revision: None,
    };
    let globex = state(world.globex.id, Service::Open, 1);
    for (policy, service) in [
        (SuspensionPolicy::ApiOnly, Service::Open),
        (SuspensionPolicy::BlockOutbound, Service::Open),
        (SuspensionPolicy::BlockAll, Service::Blocked),
    ] {
        tenant_lifecycle::set_policy(&mut tx, world.acme.id, policy)
            .await
            .unwrap();
        assert_eq!(TenantStatus::Suspended.service(policy), service);
        assert_eq!(
            tenants::states_of_instance(&mut tx, world.instance.id)
                .await
                .unwrap(),
            [state(world.acme.id, service, 2), globex]
        );
    }
    // One that is to go is none of the instance's any more.
    tenant_lifecycle::let_go(&mut tx, world.acme.id, at(100))
        .await
        .unwrap();
    assert_eq!(
        tenants::states_of_instance(&mut tx, world.instance.id)
            .await
            .unwrap(),
        [globex]
    );
    let gone = tenants::state_of(&mut tx, world.acme.id).await.unwrap();
    assert_eq!(gone, Some(state(world.acme.id, Service::Gone, 2)));
    assert_eq!(
        tenants::find(&mut tx, world.globex.id).await.unwrap(),
        Some(world.globex)
    );
    tx.commit().await.unwrap();
}

#[rstest]
#[tokio::test]
async fn what_is_not_served_as_it_stands_is_pending(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let (acme, instance) = (world.acme.id, world.instance.id);
    let mut tx = store.begin("change").await.unwrap();
    let all = tenants::pending_of_instance(&mut tx, instance).await.unwrap();
    let ids: Vec<_> = all.iter().map(|state| state.id).collect();
    assert_eq!(ids, [acme, world.globex.id], "never served");

    let fresh = RevisionId::fresh(&SystemIds);
    let head = revisions::take_head(&mut tx, acme, fresh, at(1)).await.unwrap();
    let as_it_stands = Served {
        revision_id: head.unwrap(),
        secrets_version: 1,
        service: Service::Open,
        fragments: BTreeMap::new(),
    };
    let serve = async |tx: &mut Tx, served: Served| {
        let served = BTreeMap::from([(acme, served)]);
        served::replace(tx, instance, &served).await.unwrap();
        tenants::pending(tx, acme).await.unwrap().is_some()
    };
    assert!(!serve(&mut tx, as_it_stands.clone()).await);
    let other_secrets = Served {
        secrets_version: 0,
        ..as_it_stands.clone()
    };
    assert!(serve(&mut tx, other_secrets).await);
    let blocked = Served {
        service: Service::Blocked,
        ..as_it_stands.clone()
    };
    assert!(serve(&mut tx, blocked).await);
    let otherwise = tenant_lifecycle::served_otherwise(&mut tx).await.unwrap();
    assert_eq!(otherwise.into_iter().collect::<Vec<_>>(), [(instance, acme)]);
    assert!(!serve(&mut tx, as_it_stands).await);
    let left = tenants::pending_of_instance(&mut tx, instance).await.unwrap();
    assert_eq!(left.len(), 1, "another tenant is none of its business");
    tx.commit().await.unwrap();
}
