//! Which domains each tenant had, and since when: known for longer than the revisions that told it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use rstest::rstest;
use switchyard::domain::ids::{RevisionId, SystemIds, TenantId};
use switchyard::domain::sip_domain::SipDomain;
use switchyard::monitor::recordings::search;
use switchyard::store::{Store, domains, revisions};

use super::bench::Backend::{Postgres, Sqlite};
use super::bench::{Backend, Bench};
use super::call_records::{ACME, keep, part};
use super::recordings::{known_of, recorded, recording_into};
use super::revisions_go::{forget, taken};
use super::samples::{World, at};

/// Since when whoever has or had a domain may have been served so, and every domain that each tenant had.
type Told = (Vec<BTreeMap<TenantId, Timestamp>>, Vec<BTreeSet<SipDomain>>);

async fn told(store: &Store, world: &World) -> Told {
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

fn handed_over(world: &World) -> Told {
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
    let (bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    hand_over(&store, &world).await;
    assert_eq!(told(&store, &world).await, handed_over(&world));
    for (tenant, gone) in [(world.acme.id, 4), (world.globex.id, 2)] {
        assert_eq!(forget(&store, tenant, at(0)).await, gone);
    }
    let domains = "select domain from revision_domains".to_owned();
    assert_eq!(bench.ask(domains).await, [""; 0]);
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

/// Acme has another domain, and Globex its former one.
#[rstest]
#[tokio::test]
async fn a12_whose_a_recording_is_stays_the_same_once_revisions_have_gone(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[values(false, true)] have_gone: bool,
) {
    let (bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let directory = tempfile::tempdir().unwrap();
    let instance = recording_into(&world, &directory);
    let (acme, globex) = (world.acme.id, world.globex.id);
    taken(&store, acme, "Edited", at(10)).await;
    bench
        .sql("update tenants set domain = 'acme-two.example.com' where domain = 'acme.example.com'")
        .await;
    bench
        .sql("update tenants set domain = 'acme.example.com' where domain = 'globex.example.com'")
        .await;
    taken(&store, acme, "Edited again", at(20)).await;
    taken(&store, globex, "Edited", at(30)).await;
    let mut tx = store.begin("keep").await.unwrap();
    for (tenant, call) in [(acme, "1.0"), (acme, "3.0"), (globex, "4.0")] {
        let told = part(call, 1, ("1001", "1002"), ACME, 0);
        keep(&mut tx, tenant, instance.id, call, &told).await;
    }
    tx.commit().await.unwrap();
    if have_gone {
        assert_eq!(forget(&store, acme, at(0)).await, 2);
        assert_eq!(forget(&store, globex, at(0)).await, 1);
    }
    // 1 is Acme's by the record of its call, and 2 nobody's: it has no record. 3 to 5 are of whoever had the domain then.
    for (call, written) in [("1.0", 15), ("2.0", 15), ("3.0", 29), ("4.0", 30), ("5.0", 31)] {
        recorded(&directory, &format!("{ACME}/{call}.wav"), written);
    }
    search(&store, &SystemIds, &instance).await.unwrap();
    let own = |calls: &[&str]| -> Vec<String> {
        let paths = calls.iter().map(|call| format!("{ACME}/{call}.wav"));
        paths.collect()
    };
    assert_eq!(known_of(&store, acme).await, own(&["1.0", "3.0"]));
    assert_eq!(known_of(&store, globex).await, own(&["4.0", "5.0"]));
}

/// A daemon of a former version has taken it, and noted nothing.
#[rstest]
#[tokio::test]
async fn a12_since_when_a_domain_is_had_is_noted_again_with_a_revision_that_is_there(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let (acme, globex) = (world.acme.id, world.globex.id);
    let first = taken(&store, acme, "Edited", at(10)).await;
    let theirs = taken(&store, globex, "Edited", at(11)).await;
    bench.sql("delete from domain_tenures").await;
    assert_eq!(taken(&store, acme, "Edited", at(40)).await, first);
    let (since, _) = told(&store, &world).await;
    // From its own time on, and not from the time of whoever notes it.
    let own = BTreeMap::from([(acme, at(10))]);
    assert_eq!(since, [own, BTreeMap::new(), BTreeMap::new()]);
    // What was noted of an earlier one stays.
    bench.sql("update domain_tenures set since = since - 5").await;
    assert_eq!(taken(&store, acme, "Edited", at(41)).await, first);
    assert_eq!(taken(&store, globex, "Edited", at(42)).await, theirs);
    let (since, _) = told(&store, &world).await;
    let (own, others) = (
        BTreeMap::from([(acme, at(5))]),
        BTreeMap::from([(globex, at(11))]),
    );
    assert_eq!(since, [own, BTreeMap::new(), others]);
    // Under which domains it is served is there once.
    let served = "select domain from revision_domains order by domain".to_owned();
    assert_eq!(bench.ask(served).await, [ACME, "globex.example.com"]);
}
