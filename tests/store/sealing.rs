//! Secrets at rest: unreadable, bound to their row, and only needed where a secret is needed.

use rstest::rstest;
use switchyard::crypto::OpenError;
use switchyard::domain::query::ExtensionQuery;
use switchyard::store::{Store, StoreError, extension_secrets, extensions, instances, sealing_keys};

use super::bench::Backend::{Postgres, Sqlite};
use super::bench::{Backend, Bench, key};
use super::samples::{World, extension, instance, instance_secrets, secrets, store_extension};

const CLEAR: [&str; 4] = [
    "CircleOfLife",
    "73915028",
    "control-secret-in-clear",
    "database-secret-in-clear",
];

#[tokio::test]
async fn no_secret_stands_in_the_file_in_clear() {
    let (bench, store) = Bench::migrated(Sqlite).await;
    let world = World::store(&store).await;
    let mut tx = store.begin("create").await.unwrap();
    let extension = extension(world.acme.id, "1001", "VisibleName");
    extensions::insert(&mut tx, &extension, &secrets("CircleOfLife", "73915028"))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let journal = std::fs::read(bench.file().with_file_name("test.db-wal")).unwrap();
    store.close().await;
    let bytes = [journal, std::fs::read(bench.file()).unwrap()].concat();
    let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("VisibleName"));
    assert_eq!(CLEAR.map(holds), [false; 4]);
}

#[tokio::test]
async fn no_secret_stands_in_a_postgresql_row_in_clear() {
    let (bench, store) = Bench::migrated(Postgres).await;
    let world = World::store(&store).await;
    store_extension(&store, world.acme.id, "1001", "Ann").await;
    let columns = "select encode(sip, 'escape') from extension_secrets \
        union all select encode(pin, 'escape') from extension_secrets \
        union all select encode(control_secret, 'escape') from instances \
        union all select encode(database_secret, 'escape') from instances";
    let rows = bench.ask(columns.to_owned()).await;
    assert_eq!(rows.len(), 4);
    for clear in [
        "CircleOfLife",
        "1234",
        "control-secret-in-clear",
        "database-secret-in-clear",
    ] {
        assert!(rows.iter().all(|row| !row.contains(clear)));
    }
}

#[rstest]
#[tokio::test]
async fn another_key_does_not_open_and_both_keys_are_named(#[values(Sqlite, Postgres)] backend: Backend) {
    let (bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let extension = store_extension(&store, world.acme.id, "1001", "Ann").await;
    let other = bench.another_store(Some(key('b'))).await;
    let mut tx = other.read("reveal").await.unwrap();
    let error = extension_secrets::find(&mut tx, world.acme.id, extension.id)
        .await
        .err()
        .unwrap();
    let StoreError::Unsealable { place, source } = error else {
        panic!("{error}")
    };
    assert_eq!(
        place,
        format!("extension_secrets.sip/{}/{}", world.acme.id, extension.id)
    );
    assert_eq!(
        source,
        OpenError::WrongKey {
            sealed_with: key('a').id(),
            configured: key('b').id()
        }
    );
    assert!(matches!(
        instances::secrets(&mut tx, world.instance.id).await,
        Err(StoreError::Unsealable { .. })
    ));
}

#[rstest]
#[tokio::test]
async fn without_a_key_all_works_that_needs_no_secret(#[values(Sqlite, Postgres)] backend: Backend) {
    let (bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let ann = store_extension(&store, world.acme.id, "1001", "Ann").await;
    let keyless = bench.another_store(None).await;

    let mut tx = keyless.begin("no_key").await.unwrap();
    let page = extensions::list(&mut tx, world.acme.id, &ExtensionQuery::default())
        .await
        .unwrap();
    assert_eq!(page.items, std::slice::from_ref(&ann));
    assert!(
        extensions::update_settings(&mut tx, world.acme.id, ann.id, &ann.settings, ann.updated_at)
            .await
            .unwrap()
    );
    let new = extension(world.acme.id, "1002", "Bob");
    let given = secrets("CircleOfLife", "1234");
    let errors = [
        extension_secrets::find(&mut tx, world.acme.id, ann.id)
            .await
            .err(),
        extension_secrets::of_tenant(&mut tx, world.acme.id).await.err(),
        extension_secrets::set_sip(&mut tx, world.acme.id, ann.id, given.sip.password().unwrap())
            .await
            .err(),
        extension_secrets::set_pin(&mut tx, world.acme.id, ann.id, &given.pin)
            .await
            .err(),
        instances::secrets(&mut tx, world.instance.id).await.err(),
        instances::set_secrets(&mut tx, world.instance.id, &instance_secrets())
            .await
            .err(),
        instances::insert(&mut tx, &instance("second"), &instance_secrets())
            .await
            .err(),
    ];
    for error in errors {
        let error = error.unwrap();
        assert!(matches!(error, StoreError::NoSealingKey), "{error}");
        assert!(error.to_string().contains("sealing.key_file"), "{error}");
    }
    assert!(matches!(
        extensions::insert(&mut tx, &new, &given).await,
        Err(StoreError::NoSealingKey)
    ));
}

#[rstest]
#[tokio::test]
async fn a_foreign_key_seals_nothing(#[values(Sqlite, Postgres)] backend: Backend) {
    let (bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let ann = store_extension(&store, world.acme.id, "1001", "Ann").await;
    let foreign = bench.another_store(Some(key('b'))).await;
    // A database of an earlier version has no mark, and its key is known by what it sealed.
    for forget in [None, Some("delete from sealing_keys")] {
        if let Some(forget) = forget {
            bench.sql(forget).await;
        }
        let mut tx = foreign.begin("foreign_key").await.unwrap();
        let given = secrets("CircleOfLife", "1234");
        let new = extension(world.acme.id, "1002", "Bob");
        let errors = [
            sealing_keys::check(&mut tx).await.err(),
            instances::insert(&mut tx, &instance("second"), &instance_secrets())
                .await
                .err(),
            instances::set_secrets(&mut tx, world.instance.id, &instance_secrets())
                .await
                .err(),
            extensions::insert(&mut tx, &new, &given).await.err(),
            extension_secrets::set_sip(&mut tx, world.acme.id, ann.id, given.sip.password().unwrap())
                .await
                .err(),
        ];
        for error in errors {
            assert!(error.as_ref().is_some_and(StoreError::is_wrong_key), "{error:?}");
        }
        drop(tx);
        let mut tx = store.begin("right_key").await.unwrap();
        sealing_keys::check(&mut tx).await.unwrap();
        instances::set_secrets(&mut tx, world.instance.id, &instance_secrets())
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }
}

#[rstest]
#[tokio::test]
async fn of_two_keys_at_the_same_time_one_becomes_the_databases(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (bench, store) = Bench::migrated(backend).await;
    let other = bench.another_store(Some(key('b'))).await;
    let add = async |store: &Store, name: &str| {
        let mut tx = store.begin("first_instance").await?;
        instances::insert(&mut tx, &instance(name), &instance_secrets()).await?;
        tx.commit().await
    };
    let (one, two) = tokio::join!(add(&store, "one"), add(&other, "two"));
    let (winner, refused) = match (one, two) {
        (Ok(()), Err(refused)) => (store, refused),
        (Err(refused), Ok(())) => (other, refused),
        both => panic!("{both:?}"),
    };
    assert!(refused.is_wrong_key(), "{refused}");
    let mut tx = winner.read("check").await.unwrap();
    sealing_keys::check(&mut tx).await.unwrap();
    assert_eq!(instances::list(&mut tx).await.unwrap().len(), 1);
}

#[rstest]
#[case::from_another_extension(
    "update extension_secrets set sip = (select o.sip from extension_secrets o \
     where o.extension_id <> extension_secrets.extension_id)"
)]
#[case::from_another_column("update extension_secrets set sip = pin")]
#[tokio::test]
async fn copied_bytes_do_not_open(#[values(Sqlite, Postgres)] backend: Backend, #[case] copy: &'static str) {
    let (bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let ann = store_extension(&store, world.acme.id, "1001", "Ann").await;
    store_extension(&store, world.globex.id, "1001", "Bob").await;
    bench.sql(copy).await;
    let mut tx = store.read("reveal").await.unwrap();
    let error = extension_secrets::find(&mut tx, world.acme.id, ann.id)
        .await
        .err()
        .unwrap();
    assert!(
        matches!(
            error,
            StoreError::Unsealable {
                source: OpenError::WrongPlace,
                ..
            }
        ),
        "{error:?}"
    );
}

#[rstest]
#[tokio::test]
async fn a_secret_of_another_instance_does_not_open(#[values(Sqlite, Postgres)] backend: Backend) {
    let (bench, store) = Bench::migrated(backend).await;
    let (one, two) = (instance("one"), instance("two"));
    let mut tx = store.begin("insert").await.unwrap();
    instances::insert(&mut tx, &one, &instance_secrets())
        .await
        .unwrap();
    instances::insert(&mut tx, &two, &instance_secrets())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    bench
        .sql("update instances set control_secret = (select o.control_secret from instances o where o.name = 'two')")
        .await;
    let mut tx = store.read("reveal").await.unwrap();
    assert!(instances::secrets(&mut tx, two.id).await.is_ok());
    let error = instances::secrets(&mut tx, one.id).await.err().unwrap();
    assert!(
        matches!(
            error,
            StoreError::Unsealable {
                source: OpenError::WrongPlace,
                ..
            }
        ),
        "{error:?}"
    );
}

#[rstest]
#[tokio::test]
async fn changed_bytes_do_not_open(#[values(Sqlite, Postgres)] backend: Backend) {
    let (bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    bench
        .sql(match backend {
            Sqlite => "update instances set control_secret = substr(control_secret, 1, length(control_secret) - 1)",
            Postgres => {
                "update instances set control_secret = set_byte(control_secret, 40, 255 - get_byte(control_secret, 40))"
            }
        })
        .await;
    let mut tx = store.read("reveal").await.unwrap();
    let error = instances::secrets(&mut tx, world.instance.id)
        .await
        .err()
        .unwrap();
    assert!(
        matches!(
            error,
            StoreError::Unsealable {
                source: OpenError::Damaged,
                ..
            }
        ),
        "{error:?}"
    );
}

#[rstest]
#[tokio::test]
async fn secrets_come_back_as_they_were(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let ann = store_extension(&store, world.acme.id, "1001", "Ann").await;
    let mut tx = store.begin("reveal").await.unwrap();
    let found = extension_secrets::find(&mut tx, world.acme.id, ann.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (found.sip.password().unwrap().expose(), found.pin.expose()),
        ("CircleOfLife", "1234")
    );
    let kept = instances::secrets(&mut tx, world.instance.id).await.unwrap();
    assert!(kept.unwrap().same(&instance_secrets()));
}
