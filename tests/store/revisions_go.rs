//! Revisions that nothing needs any more go, and nothing else.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use rstest::rstest;
use switchyard::domain::deployment::DeploymentStatus::{self, Planning, Validating};
use switchyard::domain::deployment::Scope;
use switchyard::domain::ids::{RevisionId, SystemIds, TenantId};
use switchyard::domain::page::PageRequest;
use switchyard::domain::revision::Revision;
use switchyard::domain::served::Served;
use switchyard::domain::tenant::Service;
use switchyard::store::{Store, deployments, generations, leases, revisions, served, tenants};

use super::bench::Backend::{Postgres, Sqlite};
use super::bench::{Backend, Bench, key};
use super::samples::{World, at, deployment, store_extension, store_generation};

const TTL: Duration = Duration::from_micros(100);
/// Whatever lease there is may be held.
const ALL_HELD: i64 = -1_000_000;

/// Takes a revision of what the head would be under another name.
pub async fn taken(store: &Store, tenant: TenantId, name: &str, now: Timestamp) -> Revision {
    let mut tx = store.begin("take").await.unwrap();
    let mut config = revisions::head(&mut tx, tenant).await.unwrap().unwrap();
    config.name = name.parse().unwrap();
    let fresh = RevisionId::fresh(&SystemIds);
    let revision = revisions::take(&mut tx, tenant, &config, fresh, now)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    revision
}

/// The numbers of a tenant's revisions.
async fn left(store: &Store, tenant: TenantId) -> Vec<i64> {
    let mut tx = store.read("left").await.unwrap();
    let page = revisions::list(&mut tx, tenant, PageRequest::new(1, 100).unwrap());
    let mut numbers: Vec<i64> = page.await.unwrap().items.iter().map(|one| one.number).collect();
    numbers.sort_unstable();
    numbers
}

/// Removes some as the daemon does; gives how many.
pub async fn forget(store: &Store, tenant: TenantId, lapsed: Timestamp) -> u64 {
    let mut tx = store.begin("forget").await.unwrap();
    assert!(tenants::lock(&mut tx, tenant).await.unwrap());
    let gone = revisions::forget_unneeded(&mut tx, tenant, lapsed).await.unwrap();
    tx.commit().await.unwrap();
    gone
}

async fn next(store: &Store, after: Option<TenantId>, lapsed: Timestamp) -> Option<TenantId> {
    let mut tx = store.read("next").await.unwrap();
    revisions::with_unneeded(&mut tx, after, lapsed).await.unwrap()
}

/// Why a revision is needed.
#[derive(Clone, Copy, Debug)]
enum Reason {
    Head,
    Served,
    Generation,
    Deployment,
}

impl Reason {
    async fn begin(self, store: &Store, world: &World, needed: &Revision) {
        let (tenant_id, instance) = (world.acme.id, world.instance.id);
        if matches!(self, Self::Generation) {
            store_generation(store, instance, &[needed]).await;
            return;
        }
        let mut tx = store.begin("need").await.unwrap();
        let revision_id = needed.id;
        match self {
            // The name that it was taken with is the tenant's own.
            Self::Head => {
                let head = revisions::take_head(&mut tx, tenant_id, RevisionId::fresh(&SystemIds), at(50));
                assert_eq!(head.await.unwrap(), Some(revision_id));
            }
            Self::Served => {
                let row = Served {
                    revision_id,
                    secrets_version: 1,
                    service: Service::Open,
                    fragments: BTreeMap::new(),
                };
                let rows = BTreeMap::from([(tenant_id, row)]);
                served::replace(&mut tx, instance, &rows).await.unwrap();
            }
            Self::Deployment | Self::Generation => {
                let scope = Scope::TenantRollback {
                    tenant_id,
                    revision_id,
                };
                deployments::insert(&mut tx, &deployment(instance, scope, 50))
                    .await
                    .unwrap();
            }
        }
        tx.commit().await.unwrap();
    }

    async fn end(self, store: &Store, world: &World) {
        let instance = world.instance.id;
        let mut tx = store.begin("need_no_more").await.unwrap();
        match self {
            Self::Head => {
                drop(tx);
                store_extension(store, world.acme.id, "1001", "Ann").await;
                return;
            }
            Self::Served => served::replace(&mut tx, instance, &BTreeMap::new())
                .await
                .unwrap(),
            Self::Generation => {
                assert_eq!(generations::forget_attempts(&mut tx, instance).await.unwrap(), 1);
            }
            Self::Deployment => {
                let queued = deployments::next_queued(&mut tx, instance)
                    .await
                    .unwrap()
                    .unwrap();
                deployments::end(&mut tx, queued.id, DeploymentStatus::Live, &[], at(60))
                    .await
                    .unwrap();
            }
        }
        tx.commit().await.unwrap();
    }
}

#[rstest]
#[tokio::test]
async fn a42_a_revision_stays_for_any_one_reason_and_goes_without(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[values(Reason::Head, Reason::Served, Reason::Generation, Reason::Deployment)] reason: Reason,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let acme = world.acme.id;
    taken(&store, acme, "Before", at(10)).await;
    let needed = taken(&store, acme, world.acme.name.as_str(), at(20)).await;
    taken(&store, acme, "After", at(30)).await;
    taken(&store, world.globex.id, "Theirs", at(10)).await;
    reason.begin(&store, &world, &needed).await;
    assert_eq!(forget(&store, acme, at(100)).await, 2);
    assert_eq!(left(&store, acme).await, [2]);
    assert_eq!(left(&store, world.globex.id).await, [1], "nobody asked");
    let mut tx = store.read("held").await.unwrap();
    let held = revisions::find(&mut tx, acme, needed.id).await.unwrap();
    assert_eq!(held.as_ref(), Some(&needed));
    drop(tx);
    assert_eq!(next(&store, None, at(100)).await, Some(world.globex.id));

    reason.end(&store, &world).await;
    assert_eq!(next(&store, None, at(100)).await, Some(acme));
    assert_eq!(forget(&store, acme, at(100)).await, 1);
    assert_eq!(left(&store, acme).await, [0; 0]);
}

#[rstest]
#[tokio::test]
async fn a42_the_oldest_go_first_some_at_a_time_and_no_number_is_given_twice(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let (acme, globex) = (world.acme.id, world.globex.id);
    for number in 0..45 {
        taken(&store, acme, &format!("Edited {number}"), at(100 - number)).await;
    }
    taken(&store, globex, "Theirs", at(10)).await;
    assert_eq!(next(&store, None, at(0)).await, Some(acme));
    assert_eq!(next(&store, Some(acme), at(0)).await, Some(globex));
    assert_eq!(next(&store, Some(globex), at(0)).await, None);
    assert_eq!(forget(&store, acme, at(0)).await, 20);
    assert_eq!(left(&store, acme).await, (21..=45).collect::<Vec<_>>());
    for gone in [20, 5, 0] {
        assert_eq!(forget(&store, acme, at(0)).await, gone);
    }
    assert_eq!(next(&store, None, at(0)).await, Some(globex));
    // What was there before is a new one, too.
    assert_eq!(taken(&store, acme, "Edited 44", at(200)).await.number, 46);
}

/// What it takes is named by nothing where a tenant is edited, or moved to another instance, before it has planned.
#[rstest]
#[tokio::test]
async fn a42_none_goes_while_a_deploy_of_an_instance_is_being_planned_by_anybody(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let (acme, id) = (world.acme.id, world.instance.id);
    taken(&store, acme, "Taken", at(10)).await;
    let planned = deployment(id, Scope::Platform, 20);
    let mut tx = store.begin("plan").await.unwrap();
    deployments::insert(&mut tx, &planned).await.unwrap();
    let now = at(30);
    let epoch = leases::acquire(&mut tx, id, "daemon", None, now, TTL)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let held = at(129);
    // One that waits has taken nothing.
    assert_eq!(next(&store, None, held).await, Some(acme));
    let moved_on = async |status| {
        let mut tx = store.begin("move_on").await.unwrap();
        assert!(
            deployments::set_status(&mut tx, planned.id, status)
                .await
                .unwrap()
        );
        tx.commit().await.unwrap();
    };
    moved_on(Planning).await;
    assert_eq!(next(&store, None, held).await, None);
    assert_eq!(forget(&store, acme, held).await, 0);
    // Its process was killed: whoever takes the lease next takes everything anew.
    assert_eq!(next(&store, None, at(130)).await, Some(acme));
    let mut tx = store.begin("release").await.unwrap();
    assert!(leases::release(&mut tx, id, epoch.unwrap()).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(next(&store, None, at(ALL_HELD)).await, Some(acme));
    let mut tx = store.begin("again").await.unwrap();
    leases::acquire(&mut tx, id, "daemon", None, now, TTL)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(next(&store, None, held).await, None);
    // From here on its generation names all that it serves.
    moved_on(Validating).await;
    assert_eq!(next(&store, None, held).await, Some(acme));
    assert_eq!(forget(&store, acme, held).await, 1);
}

#[rstest]
#[tokio::test]
async fn a42_a_tenants_own_deploy_keeps_nothing_but_what_it_names(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let (acme, id) = (world.acme.id, world.instance.id);
    let named = taken(&store, acme, "Named", at(10)).await;
    taken(&store, acme, "Taken", at(11)).await;
    let scope = Scope::Tenant {
        tenant_id: acme,
        revision_id: named.id,
    };
    let planned = deployment(id, scope, 20);
    let mut tx = store.begin("plan").await.unwrap();
    deployments::insert(&mut tx, &planned).await.unwrap();
    deployments::set_status(&mut tx, planned.id, Planning)
        .await
        .unwrap();
    leases::acquire(&mut tx, id, "daemon", None, at(30), TTL)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(forget(&store, acme, at(129)).await, 1);
    assert_eq!(left(&store, acme).await, [1]);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a42_a_head_that_is_taken_while_its_equal_goes_is_taken_anew(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let (acme, other) = (world.acme.id, bench.another_store(Some(key('a'))).await);
    let equal = taken(&store, acme, world.acme.name.as_str(), at(10)).await;
    let mut going = store.begin("forget").await.unwrap();
    assert!(tenants::lock(&mut going, acme).await.unwrap());
    let gone = revisions::forget_unneeded(&mut going, acme, at(100)).await;
    assert_eq!(gone.unwrap(), 1);
    let takes = async {
        let mut tx = other.begin("take_head").await.unwrap();
        let head = revisions::take_head(&mut tx, acme, RevisionId::fresh(&SystemIds), at(20));
        let head = head.await.unwrap().unwrap();
        tx.commit().await.unwrap();
        head
    };
    let goes = async {
        bench.others_wait().await;
        going.commit().await.unwrap();
    };
    let (head, ()) = tokio::join!(takes, goes);
    assert_ne!(head, equal.id);
    assert_eq!(left(&store, acme).await, [2]);
}
