//! Revisions that nothing needs any more go, and nothing else: what they told of domains stays.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use rstest::rstest;
use switchyard::domain::deployment::DeploymentStatus::{self, Planning, Validating};
use switchyard::domain::deployment::Scope;
use switchyard::domain::ids::{RevisionId, SystemIds, TenantId};
use switchyard::domain::page::PageRequest;
use switchyard::domain::revision::Revision;
use switchyard::domain::served::Served;
use switchyard::domain::sip_domain::SipDomain;
use switchyard::domain::tenant::Service;
use switchyard::store::{Store, deployments, domains, generations, leases, revisions, served, tenants};

use super::bench::Backend::{Postgres, Sqlite};
use super::bench::{Backend, Bench};
use super::samples::{World, at, deployment, store_extension, store_generation};

const TTL: Duration = Duration::from_micros(100);
/// Whatever lease there is may be held.
const ALL_HELD: i64 = -1_000_000;

/// Takes a revision of what the head would be under another name.
async fn taken(store: &Store, tenant: TenantId, name: &str, now: Timestamp) -> Revision {
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
async fn forget(store: &Store, tenant: TenantId, lapsed: Timestamp) -> u64 {
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

/// Since when whoever has or had a domain may have been served so, and every domain that each tenant had.
async fn told(
    store: &Store,
    world: &World,
) -> (Vec<BTreeMap<TenantId, Timestamp>>, Vec<BTreeSet<SipDomain>>) {
    let mut tx = store.read("told").await.unwrap();
    let (mut since, mut had) = (Vec::new(), Vec::new());
    for domain in ["acme.example.com", "acme-two.example.com", "globex.example.com"] {
        let holders = domains::holders(&mut tx, &domain.parse().unwrap()).await.unwrap();
        since.push(holders.into_iter().collect());
    }
    for tenant in [world.acme.id, world.globex.id] {
        had.push(domains::ever_of(&mut tx, tenant).await.unwrap());
    }
    (since, had)
}

/// Acme gives its domain up for another one, and Globex takes it; each is in revisions of several times, as an own domain and
/// as a former one.
async fn hand_over(store: &Store, world: &World) {
    let (acme, globex) = (world.acme.id, world.globex.id);
    let renamed = async |tenant, domain: &str, aliases: &[&str], when| {
        let mut tx = store.begin("take").await.unwrap();
        let mut config = revisions::head(&mut tx, tenant).await.unwrap().unwrap();
        config.domain = domain.parse().unwrap();
        config.aliases = aliases.iter().map(|alias| alias.parse().unwrap()).collect();
        config.name = format!("Edited {when}").parse().unwrap();
        revisions::take(&mut tx, tenant, &config, RevisionId::fresh(&SystemIds), at(when))
            .await
            .unwrap();
        tx.commit().await.unwrap();
    };
    renamed(acme, "acme.example.com", &[], 12).await;
    // By the clock of a host that is behind.
    renamed(acme, "acme.example.com", &[], 10).await;
    renamed(globex, "globex.example.com", &[], 11).await;
    renamed(acme, "acme-two.example.com", &["acme.example.com"], 20).await;
    renamed(acme, "acme-two.example.com", &[], 25).await;
    renamed(globex, "acme.example.com", &["globex.example.com"], 30).await;
}

fn handed_over(world: &World) -> (Vec<BTreeMap<TenantId, Timestamp>>, Vec<BTreeSet<SipDomain>>) {
    let (acme, globex) = (world.acme.id, world.globex.id);
    let set = |domains: &[&str]| domains.iter().map(|domain| domain.parse().unwrap()).collect();
    (
        vec![
            BTreeMap::from([(acme, at(10)), (globex, at(30))]),
            BTreeMap::from([(acme, at(20))]),
            BTreeMap::from([(globex, at(11))]),
        ],
        vec![
            set(&["acme.example.com", "acme-two.example.com"]),
            set(&["acme.example.com", "globex.example.com"]),
        ],
    )
}

#[rstest]
#[tokio::test]
async fn a12_since_when_each_had_a_domain_is_known_after_the_revisions_with_it_have_gone(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    hand_over(&store, &world).await;
    assert_eq!(told(&store, &world).await, handed_over(&world));
    for (tenant, gone) in [(world.acme.id, 4), (world.globex.id, 2)] {
        assert_eq!(forget(&store, tenant, at(0)).await, gone);
    }
    assert_eq!(told(&store, &world).await, handed_over(&world));
    // Nor does it begin anew with the next one.
    hand_over(&store, &world).await;
    assert_eq!(told(&store, &world).await, handed_over(&world));
}

/// What an earlier version has left: every revision there ever was.
#[rstest]
#[tokio::test]
async fn a12_an_upgrade_takes_over_what_revisions_tell_of_domains_and_their_numbers(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    hand_over(&store, &world).await;
    bench.sql("drop table domain_tenures").await;
    bench.sql("alter table tenants drop column last_revision").await;
    bench.sql("drop index deployments_open_by_revision").await;
    bench.forget_migration("domain_tenures").await;
    store.database().migrate().await.unwrap();
    assert_eq!(told(&store, &world).await, handed_over(&world));
    for (tenant, gone) in [(world.acme.id, 4), (world.globex.id, 2)] {
        assert_eq!(forget(&store, tenant, at(0)).await, gone);
    }
    assert_eq!(told(&store, &world).await, handed_over(&world));
    assert_eq!(taken(&store, world.acme.id, "Next", at(40)).await.number, 5);
    assert_eq!(taken(&store, world.globex.id, "Next", at(40)).await.number, 3);
}
