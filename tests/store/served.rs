//! What an instance was last proven to serve.

use std::collections::{BTreeMap, BTreeSet};

use rstest::rstest;
use switchyard::domain::digest::Digest;
use switchyard::domain::served::Served;
use switchyard::domain::tenant::TenantStatus;
use switchyard::store::{instances, served};

use super::bench::Backend::{Postgres, Sqlite};
use super::bench::{Backend, Bench};
use super::samples::{World, ami_secret, instance, store_extension, store_revision};

#[rstest]
#[tokio::test]
async fn what_is_served_is_replaced_as_a_whole(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    store_extension(&store, world.acme.id, "1001", "Ann").await;
    let acme = store_revision(&store, world.acme.id).await;
    let globex = store_revision(&store, world.globex.id).await;
    let row = |revision_id, status, text: &str| Served {
        revision_id,
        secrets_version: 7,
        status,
        fragments: BTreeMap::from([
            ("pjsip".into(), Digest::of(text)),
            ("voicemail".into(), Digest::of("v")),
        ]),
    };
    let id = world.instance.id;
    let both = BTreeMap::from([
        (world.acme.id, row(acme.id, TenantStatus::Active, "a")),
        (world.globex.id, row(globex.id, TenantStatus::Suspended, "g")),
    ]);
    let one = BTreeMap::from([(world.acme.id, row(acme.id, TenantStatus::Active, "changed"))]);
    for wanted in [&both, &both, &one, &BTreeMap::new(), &both] {
        let mut tx = store.begin("replace").await.unwrap();
        served::replace(&mut tx, id, wanted).await.unwrap();
        assert_eq!(served::all(&mut tx, id).await.unwrap(), *wanted);
        tx.commit().await.unwrap();
    }
    let mut tx = store.begin("other").await.unwrap();
    let other = instance("other");
    instances::insert(&mut tx, &other, &ami_secret()).await.unwrap();
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
        status: TenantStatus::Active,
        fragments: BTreeMap::from([("pjsip.conf".into(), Digest::of("p"))]),
    };
    let both = BTreeMap::from([(world.acme.id, row(acme.id)), (world.globex.id, row(globex.id))]);
    let other = instance("other");
    let mut tx = store.begin("serve").await.unwrap();
    instances::insert(&mut tx, &other, &ami_secret()).await.unwrap();
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
        status: TenantStatus::Active,
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
