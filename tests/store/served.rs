//! What an instance was last proven to serve.

use std::collections::{BTreeMap, BTreeSet};

use rstest::rstest;
use switchyard::domain::digest::Digest;
use switchyard::domain::served::Served;
use switchyard::domain::tenant::Service;
use switchyard::store::{domains, instances, platform_tenants, served, tenants};

use super::bench::Backend::{Postgres, Sqlite};
use super::bench::{Backend, Bench};
use super::samples::{
    World, at, instance, instance_secrets, store_extension, store_generation, store_revision,
};

#[rstest]
#[tokio::test]
async fn what_is_served_is_replaced_as_a_whole(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    store_extension(&store, world.acme.id, "1001", "Ann").await;
    let acme = store_revision(&store, world.acme.id).await;
    let globex = store_revision(&store, world.globex.id).await;
    let row = |revision_id, service, text: &str| Served {
        revision_id,
        secrets_version: 7,
        service,
        fragments: BTreeMap::from([
            ("pjsip".into(), Digest::of(text)),
            ("voicemail".into(), Digest::of("v")),
        ]),
    };
    let id = world.instance.id;
    let both = BTreeMap::from([
        (world.acme.id, row(acme.id, Service::Open, "a")),
        (world.globex.id, row(globex.id, Service::Blocked, "g")),
    ]);
    let one = BTreeMap::from([(world.acme.id, row(acme.id, Service::Open, "changed"))]);
    for wanted in [&both, &both, &one, &BTreeMap::new(), &both] {
        let mut tx = store.begin("replace").await.unwrap();
        served::replace(&mut tx, id, wanted).await.unwrap();
        assert_eq!(served::all(&mut tx, id).await.unwrap(), *wanted);
        tx.commit().await.unwrap();
    }
    let mut tx = store.begin("other").await.unwrap();
    let other = instance("other");
    instances::insert(&mut tx, &other, &instance_secrets())
        .await
        .unwrap();
    assert_eq!(served::all(&mut tx, other.id).await.unwrap(), BTreeMap::new());
    tx.commit().await.unwrap();
}

#[rstest]
#[tokio::test]
async fn what_is_served_of_a_few_is_read_alone(#[values(Sqlite, Postgres)] backend: Backend) {
    let (bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let acme = store_revision(&store, world.acme.id).await;
    let globex = store_revision(&store, world.globex.id).await;
    let row = |revision_id| Served {
        revision_id,
        secrets_version: 1,
        service: Service::Open,
        fragments: BTreeMap::from([("pjsip.conf".into(), Digest::of("p"))]),
    };
    let both = BTreeMap::from([(world.acme.id, row(acme.id)), (world.globex.id, row(globex.id))]);
    let other = instance("other");
    let mut tx = store.begin("serve").await.unwrap();
    instances::insert(&mut tx, &other, &instance_secrets())
        .await
        .unwrap();
    served::replace(&mut tx, world.instance.id, &both).await.unwrap();
    tx.commit().await.unwrap();

    let (id, few) = (world.instance.id, BTreeSet::from([world.globex.id]));
    let mut tx = store.read("few").await.unwrap();
    let found = served::of(&mut tx, id, &few).await.unwrap();
    assert_eq!(found, BTreeMap::from([(world.globex.id, row(globex.id))]));
    assert_eq!(
        served::of(&mut tx, other.id, &few).await.unwrap(),
        BTreeMap::new()
    );
    assert_eq!(served::count(&mut tx, id).await.unwrap(), 2);
    assert_eq!(served::count(&mut tx, other.id).await.unwrap(), 0);
    assert_eq!(served::gone(&mut tx, id).await.unwrap(), []);
    drop(tx);

    bench
        .sql(
            "update tenants set instance_id = (select id from instances where name = 'other') \
             where domain = 'acme.example.com'",
        )
        .await;
    let mut tx = store.read("gone").await.unwrap();
    assert_eq!(served::gone(&mut tx, id).await.unwrap(), [world.acme.id]);
    assert_eq!(served::gone(&mut tx, other.id).await.unwrap(), []);
}

/// Its last deploy may have ended without an answer: then nobody takes a tenant away from where it was.
#[rstest]
#[tokio::test]
async fn c18_an_instance_that_may_serve_anything_is_not_known_to_serve_who_moved_there(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let (acme, main, other) = (world.acme.id, world.instance.id, instance("other"));
    let revision = store_revision(&store, acme).await;
    let mut tx = store.begin("serve").await.unwrap();
    instances::insert(&mut tx, &other, &instance_secrets())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let generation = store_generation(&store, other.id, &[&revision]).await;
    bench
        .sql(
            "update tenants set instance_id = (select id from instances where name = 'other') \
             where domain = 'acme.example.com'",
        )
        .await;
    let row = Served {
        revision_id: revision.id,
        secrets_version: 1,
        service: Service::Open,
        fragments: BTreeMap::new(),
    };
    let acme_alone = BTreeMap::from([(acme, row)]);
    let mut tx = store.begin("move").await.unwrap();
    for (serving, applying, there) in [
        (main, None, false),
        (other.id, None, true),
        (other.id, Some(generation.id), false),
        (other.id, None, true),
    ] {
        served::replace(&mut tx, serving, &acme_alone).await.unwrap();
        instances::set_applying(&mut tx, other.id, applying)
            .await
            .unwrap();
        let known = served::assigned_elsewhere(&mut tx, main).await.unwrap();
        assert_eq!(known, BTreeMap::from([(acme, there)]));
    }
}

#[rstest]
#[tokio::test]
async fn only_rows_that_differ_are_written(#[values(Sqlite, Postgres)] backend: Backend) {
    let (bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let (acme, globex) = (
        store_revision(&store, world.acme.id).await,
        store_revision(&store, world.globex.id).await,
    );
    let row = |revision_id, secrets_version| Served {
        revision_id,
        secrets_version,
        service: Service::Open,
        fragments: BTreeMap::new(),
    };
    let mut wanted = BTreeMap::from([
        (world.acme.id, row(acme.id, 1)),
        (world.globex.id, row(globex.id, 1)),
    ]);
    let mut tx = store.begin("first").await.unwrap();
    served::replace(&mut tx, world.instance.id, &wanted)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    // A trigger that refuses any write to Globex' row.
    bench.sql(match backend {
        Sqlite => "create trigger guard before update on served when new.revision_id = (select r.revision_id from served r join tenants t on t.id = r.tenant_id where t.domain = 'globex.example.com') begin select raise(abort, 'written'); end",
        Postgres => "create function guard() returns trigger language plpgsql as $$ begin \
            if exists (select 1 from tenants t where t.id = new.tenant_id and t.domain = 'globex.example.com') \
            then raise exception 'written'; end if; return new; end $$; \
            create trigger guard before update on served for each row execute function guard()",
    }).await;
    wanted.insert(world.acme.id, row(acme.id, 2));
    let mut tx = store.begin("second").await.unwrap();
    served::replace(&mut tx, world.instance.id, &wanted)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    wanted.insert(world.globex.id, row(globex.id, 2));
    let mut tx = store.begin("third").await.unwrap();
    assert!(
        served::replace(&mut tx, world.instance.id, &wanted)
            .await
            .is_err()
    );
}

impl Bench {
    /// Until somebody waits for somebody else; on SQLite nobody but its writer is told.
    async fn somebody_waits(&self) {
        let sql = "select pid::text from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
        while self.backend == Postgres && self.ask(sql.to_owned()).await.is_empty() {
            tokio::task::yield_now().await;
        }
    }
}

/// Whoever changes a tenant takes its row before those of its domains; so does whoever notes what was proven.
#[rstest]
#[tokio::test]
async fn what_is_proven_waits_for_whoever_changes_the_tenant_before_it_takes_a_row_of_its_domains(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let (acme, instance) = (world.acme.id, world.instance.id);
    let former = "former.example.com".parse().unwrap();
    let mut tx = store.begin("moved").await.unwrap();
    domains::put_alias(&mut tx, acme, &former).await.unwrap();
    platform_tenants::set_moving(&mut tx, acme).await.unwrap();
    tx.commit().await.unwrap();
    let row = Served {
        revision_id: store_revision(&store, acme).await.id,
        secrets_version: 1,
        service: Service::Open,
        fragments: BTreeMap::new(),
    };
    let proven = BTreeMap::from([(acme, row)]);

    let mut changing = store.begin("changing").await.unwrap();
    assert!(tenants::lock(&mut changing, acme).await.unwrap());
    let proving = async {
        let mut tx = store.begin("proving").await.unwrap();
        served::prove(&mut tx, instance, &proven, at(20)).await.unwrap();
        tx.commit().await.unwrap();
    };
    let change = async {
        bench.somebody_waits().await;
        domains::drop_alias(&mut changing, acme, &former).await.unwrap();
        domains::put_alias(&mut changing, acme, &former).await.unwrap();
        changing.commit().await.unwrap();
    };
    tokio::join!(proving, change);

    let mut tx = store.read("proven").await.unwrap();
    let there = platform_tenants::whereabouts(&mut tx, acme).await.unwrap();
    assert!(there.here && !there.moving, "{there:?}");
    // Long after its time has begun.
    let expired = domains::with_expired_aliases(&mut tx, at(i64::pow(10, 15))).await;
    assert_eq!(expired.unwrap(), [acme]);
}
