//! Which recordings a search takes for gone, for somebody's, or for not looked at, on both databases.

use rstest::rstest;
use switchyard::domain::ids::SystemIds;
use switchyard::monitor::recordings::{SearchError, search, search_for};
use switchyard::store::instances;

use super::bench::Backend::{self, Postgres, Sqlite};
use super::bench::Bench;
use super::call_records::{ACME, GLOBEX};
use super::recordings::{found, known_of, put, recorded, recording_into};
use super::samples::{World, at, instance, instance_secrets, store_revision};

#[rstest]
#[tokio::test]
async fn a12_who_looks_for_one_tenants_recordings_takes_nobodys_for_gone(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let directory = tempfile::tempdir().unwrap();
    let instance = recording_into(&world, &directory);
    let (acme, globex) = (world.acme.id, world.globex.id);
    for (tenant, domain) in [(acme, ACME), (globex, GLOBEX)] {
        store_revision(&store, tenant).await;
        for call in ["1.0", "2.0"] {
            recorded(&directory, &format!("{domain}/{call}.wav"), 20);
        }
    }
    search(&store, &SystemIds, &instance).await.unwrap();
    for domain in [ACME, GLOBEX] {
        std::fs::remove_file(directory.path().join("spool").join(domain).join("1.0.wav")).unwrap();
    }
    recorded(&directory, &format!("{ACME}/3.0.wav"), 20);
    search_for(&store, &SystemIds, &instance, acme, true)
        .await
        .unwrap();
    assert_eq!(known_of(&store, acme).await.len(), 3);
    assert_eq!(known_of(&store, globex).await.len(), 2);
}

#[rstest]
#[tokio::test]
async fn a12_what_lies_where_a_tenant_has_its_domain_no_more_is_looked_at_and_has_not_gone(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let directory = tempfile::tempdir().unwrap();
    let instance = recording_into(&world, &directory);
    let acme = world.acme.id;
    store_revision(&store, acme).await;
    recorded(&directory, &format!("{ACME}/1.0.wav"), 20);
    search(&store, &SystemIds, &instance).await.unwrap();
    bench
        .sql("update tenants set domain = 'acme-two.example.com' where domain = 'acme.example.com'")
        .await;
    let searched = search(&store, &SystemIds, &instance).await.unwrap();
    assert_eq!((searched.kept, searched.lost), (0, 0));
    assert_eq!(known_of(&store, acme).await, [format!("{ACME}/1.0.wav")]);
    // Nor where nothing tells any more that it ever had that domain.
    bench.sql("delete from domain_tenures").await;
    search_for(&store, &SystemIds, &instance, acme, true)
        .await
        .unwrap();
    assert_eq!(known_of(&store, acme).await, [format!("{ACME}/1.0.wav")]);
}

#[rstest]
#[tokio::test]
async fn a12_of_a_tenant_that_this_pbx_does_not_serve_nothing_is_found_in_its_directory(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let directory = tempfile::tempdir().unwrap();
    let here = recording_into(&world, &directory);
    store_revision(&store, world.acme.id).await;
    let mut tx = store.begin("elsewhere").await.unwrap();
    instances::insert(&mut tx, &instance("elsewhere"), &instance_secrets())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    bench
        .sql(
            "update tenants set instance_id = (select id from instances where name = 'elsewhere') \
             where domain = 'acme.example.com'",
        )
        .await;
    // Something is looked at there, so that it could be found.
    put(
        &store,
        world.globex.id,
        here.id,
        &found(&format!("{ACME}/9.0.wav"), 0, 20),
    )
    .await;
    for call in ["1.0", "9.0"] {
        recorded(&directory, &format!("{ACME}/{call}.wav"), 20);
    }
    search(&store, &SystemIds, &here).await.unwrap();
    assert_eq!(known_of(&store, world.acme.id).await, [""; 0]);
    assert_eq!(known_of(&store, world.globex.id).await.len(), 1);
    // Whoever looks for its own all the same finds them.
    search_for(&store, &SystemIds, &here, world.acme.id, true)
        .await
        .unwrap();
    assert_eq!(known_of(&store, world.acme.id).await, [format!("{ACME}/1.0.wav")]);
    assert_eq!(known_of(&store, world.globex.id).await.len(), 1);
}

#[rstest]
#[tokio::test]
async fn a22_where_a_tenants_known_recordings_have_no_directory_they_are_not_looked_at_although_others_are(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let directory = tempfile::tempdir().unwrap();
    let instance = recording_into(&world, &directory);
    let acme = world.acme.id;
    store_revision(&store, acme).await;
    for (is_recorded, is_none) in [(false, true), (true, false)] {
        let looked = search_for(&store, &SystemIds, &instance, acme, is_recorded).await;
        assert_eq!(looked.is_ok(), is_none, "no disk is there: {looked:?}");
    }
    recorded(&directory, &format!("{GLOBEX}/1.0.wav"), 20);
    // While none of its own is known, it has none.
    search_for(&store, &SystemIds, &instance, acme, true)
        .await
        .unwrap();
    put(
        &store,
        acme,
        instance.id,
        &found(&format!("{ACME}/1.0.wav"), 0, 20),
    )
    .await;
    for is_recorded in [false, true] {
        let looked = search_for(&store, &SystemIds, &instance, acme, is_recorded).await;
        assert!(matches!(looked, Err(SearchError::Unseen { .. })), "{looked:?}");
    }
}

#[rstest]
#[tokio::test]
async fn a12_a_recording_of_another_length_is_noticed_although_its_time_is_the_same(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let directory = tempfile::tempdir().unwrap();
    let instance = recording_into(&world, &directory);
    store_revision(&store, world.acme.id).await;
    recorded(&directory, &format!("{ACME}/1.0.wav"), 20);
    search(&store, &SystemIds, &instance).await.unwrap();
    let file = directory.path().join("spool").join(ACME).join("1.0.wav");
    std::fs::write(&file, "sound").unwrap();
    let file = std::fs::File::options().write(true).open(&file).unwrap();
    file.set_modified(at(20).into()).unwrap();
    let searched = search(&store, &SystemIds, &instance).await.unwrap();
    assert_eq!((searched.kept, searched.lost), (1, 0));
}
