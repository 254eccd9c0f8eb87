//! Extensions: fields, isolation, batches and secrets.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use rstest::rstest;
use switchyard::domain::caller_id::CallerId;
use switchyard::domain::codec::{Codec, Codecs};
use switchyard::domain::extension::{
    Extension, ExtensionSettings, ExtensionStatus, Forward, MaxContacts, OutboundClass, Recording, RingTime,
    Transport, Voicemail,
};
use switchyard::domain::ids::{SystemIds, TenantId};
use switchyard::domain::query::ExtensionQuery;
use switchyard::store::{StoreError, Tx, extension_secrets, extensions, tenants};

use super::bench::Backend::{Postgres, Sqlite};
use super::bench::{Backend, Bench};
use super::samples::{World, at, extension, secrets, store_extension};

fn parsed<T: std::str::FromStr + std::fmt::Debug>(pattern: &'static str) -> impl Strategy<Value = T> {
    pattern.prop_filter_map("does not parse", |text| text.parse().ok())
}

fn one_of<T: Copy + std::fmt::Debug + 'static>(all: &'static [T]) -> impl Strategy<Value = T> {
    proptest::sample::select(all)
}

/// Settings with every field drawn.
fn settings() -> impl Strategy<Value = ExtensionSettings> {
    let dial = || proptest::option::of(parsed("\\+?[0-9]{2,15}"));
    let codecs = proptest::sample::subsequence(Codec::ALL.to_vec(), 1..=Codec::ALL.len()).prop_shuffle();
    let who = (
        parsed("\\PC{1,30}"),
        one_of(ExtensionStatus::ALL),
        (proptest::option::of(parsed("\\PC{1,30}")), dial()),
        (
            any::<bool>(),
            proptest::option::of(parsed("[a-z]{1,9}@[a-z]{1,9}\\.org")),
        ),
        (dial(), dial(), dial()),
    );
    let how = (
        5_i64..=300,
        one_of(Recording::ALL),
        1_i64..=10,
        codecs,
        one_of(Transport::ALL),
        one_of(OutboundClass::ALL),
    );
    (who, how).prop_map(|(who, how)| ExtensionSettings {
        name: who.0,
        status: who.1,
        caller_id: CallerId {
            name: who.2.0,
            number: who.2.1,
        },
        voicemail: Voicemail {
            enabled: who.3.0,
            email: who.3.1,
        },
        forward: Forward {
            always: who.4.0,
            busy: who.4.1,
            no_answer: who.4.2,
        },
        ring_time: RingTime::try_from(how.0).unwrap(),
        recording: how.1,
        max_contacts: MaxContacts::try_from(how.2).unwrap(),
        codecs: Codecs::try_from(how.3).unwrap(),
        transport: how.4,
        outbound_class: how.5,
    })
}

#[rstest]
#[tokio::test]
async fn any_settings_come_back_as_they_were(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let mut runner = TestRunner::default();
    let drawn = proptest::collection::vec((settings(), settings()), 250)
        .new_tree(&mut runner)
        .unwrap()
        .current();
    let given = secrets("CircleOfLife", "1234");

    let mut inserted = Vec::new();
    for (number, (settings, _)) in (2000..).zip(&drawn) {
        let row = extension(world.acme.id, &number.to_string(), "x");
        inserted.push(Extension {
            settings: settings.clone(),
            ..row
        });
    }
    let rows: Vec<_> = inserted.iter().map(|row| (row, &given)).collect();
    let mut tx = store.begin("insert").await.unwrap();
    extensions::insert_many(&mut tx, &rows).await.unwrap();
    assert_eq!(extensions::all(&mut tx, world.acme.id).await.unwrap(), inserted);

    for (row, (_, settings)) in inserted.iter_mut().zip(drawn) {
        row.settings = settings;
        row.version += 1;
        row.updated_at = at(77);
        let (id, settings) = (row.id, &row.settings);
        assert!(
            extensions::update_settings(&mut tx, world.acme.id, id, settings, at(77))
                .await
                .unwrap()
        );
    }
    assert_eq!(extensions::all(&mut tx, world.acme.id).await.unwrap(), inserted);
    tx.commit().await.unwrap();
}

#[rstest]
#[tokio::test]
async fn c02_the_id_of_another_tenant_is_absent(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let ann = store_extension(&store, world.acme.id, "1001", "Ann").await;
    let (own, other) = (world.acme.id, world.globex.id);
    let mut tx = store.begin("intrude").await.unwrap();

    assert_eq!(extensions::find(&mut tx, other, ann.id).await.unwrap(), None);
    assert_eq!(
        extensions::find_by_number(&mut tx, other, &ann.number)
            .await
            .unwrap(),
        None
    );
    assert_eq!(extensions::all(&mut tx, other).await.unwrap(), []);
    assert_eq!(
        extensions::list(&mut tx, other, &ExtensionQuery::default())
            .await
            .unwrap()
            .total,
        0
    );
    assert!(
        !extensions::update_settings(&mut tx, other, ann.id, &ann.settings, at(9))
            .await
            .unwrap()
    );
    assert!(
        !extensions::count_rotation(&mut tx, other, ann.id, at(9))
            .await
            .unwrap()
    );
    assert!(!extensions::delete(&mut tx, other, ann.id).await.unwrap());
    assert!(
        extension_secrets::find(&mut tx, other, ann.id)
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        extension_secrets::of_tenant(&mut tx, other)
            .await
            .unwrap()
            .is_empty()
    );
    let given = secrets("OtherSecret99", "9999");
    assert!(
        !extension_secrets::set_sip(&mut tx, other, ann.id, given.sip.password().unwrap())
            .await
            .unwrap()
    );
    assert!(
        !extension_secrets::set_pin(&mut tx, other, ann.id, &given.pin)
            .await
            .unwrap()
    );

    assert_eq!(
        extensions::find(&mut tx, own, ann.id).await.unwrap().as_ref(),
        Some(&ann)
    );
    assert_eq!(
        extensions::find_by_number(&mut tx, own, &ann.number)
            .await
            .unwrap(),
        Some(ann)
    );
    for tenant in [own, other] {
        assert_eq!(
            tenants::find(&mut tx, tenant)
                .await
                .unwrap()
                .unwrap()
                .secrets_version,
            1
        );
    }
    tx.commit().await.unwrap();
}

#[rstest]
#[tokio::test]
async fn a_number_is_unique_in_its_tenant_only(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    store_extension(&store, world.acme.id, "1001", "Ann").await;
    store_extension(&store, world.globex.id, "1001", "Bob").await;
    let mut tx = store.begin("insert").await.unwrap();
    let again = extension(world.acme.id, "1001", "Eve");
    let error = extensions::insert(&mut tx, &again, &secrets("CircleOfLife", "1234"))
        .await
        .unwrap_err();
    let StoreError::Conflict { table, columns } = &error else {
        panic!("{error}")
    };
    assert_eq!(
        (table.as_str(), columns.as_slice()),
        ("extensions", ["tenant_id".into(), "number".into()].as_slice())
    );
}

#[rstest]
#[tokio::test]
async fn a_batch_with_one_bad_row_leaves_nothing(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let given = secrets("CircleOfLife", "1234");
    let mut rows: Vec<_> = (0..150)
        .map(|n| extension(world.acme.id, &(3000 + n).to_string(), "x"))
        .collect();
    rows.push(extension(world.acme.id, "3000", "twice"));
    let rows: Vec<_> = rows.iter().map(|row| (row, &given)).collect();
    let mut tx = store.begin("import").await.unwrap();
    let error = extensions::insert_many(&mut tx, &rows).await.unwrap_err();
    assert!(error.is_conflict_on("extensions", "number"), "{error:?}");
    drop(tx);
    let mut tx = store.begin("import_again").await.unwrap();
    assert_eq!(extensions::all(&mut tx, world.acme.id).await.unwrap(), []);
    extensions::insert_many(&mut tx, &[]).await.unwrap();
    tx.commit().await.unwrap();
}

#[rstest]
#[tokio::test]
async fn an_absent_tenant_is_a_bad_reference(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let mut tx = store.begin("insert").await.unwrap();
    let orphan = extension(TenantId::fresh(&SystemIds), "1001", "Ann");
    let error = extensions::insert(&mut tx, &orphan, &secrets("CircleOfLife", "1234"))
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::Reference { .. }), "{error:?}");
}

#[rstest]
#[tokio::test]
async fn secrets_survive_the_deletion_of_their_extension(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let ann = store_extension(&store, world.acme.id, "1001", "Ann").await;
    let mut tx = store.begin("delete").await.unwrap();
    assert!(extensions::delete(&mut tx, world.acme.id, ann.id).await.unwrap());
    assert!(!extensions::delete(&mut tx, world.acme.id, ann.id).await.unwrap());
    assert_eq!(
        extensions::find(&mut tx, world.acme.id, ann.id).await.unwrap(),
        None
    );

    assert!(
        extension_secrets::find(&mut tx, world.acme.id, ann.id)
            .await
            .unwrap()
            .is_none()
    );
    let given = secrets("OtherSecret99", "9999");
    assert!(
        !extension_secrets::set_sip(&mut tx, world.acme.id, ann.id, given.sip.password().unwrap())
            .await
            .unwrap()
    );
    assert!(
        !extension_secrets::set_pin(&mut tx, world.acme.id, ann.id, &given.pin)
            .await
            .unwrap()
    );
    let kept = extension_secrets::of_tenant(&mut tx, world.acme.id)
        .await
        .unwrap();
    assert_eq!(
        kept.get(&ann.id).unwrap().sip.password().unwrap().expose(),
        "CircleOfLife"
    );
    tx.commit().await.unwrap();
}

#[rstest]
#[tokio::test]
async fn each_changed_secret_counts_once(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let ann = store_extension(&store, world.acme.id, "1001", "Ann").await;
    let bob = store_extension(&store, world.acme.id, "1002", "Bob").await;
    let given = secrets("OtherSecret99", "9999");
    let mut tx = store.begin("rotate").await.unwrap();
    assert!(
        extension_secrets::set_sip(&mut tx, world.acme.id, ann.id, given.sip.password().unwrap())
            .await
            .unwrap()
    );
    assert!(
        extension_secrets::set_pin(&mut tx, world.acme.id, bob.id, &given.pin)
            .await
            .unwrap()
    );
    let all = extension_secrets::of_tenant(&mut tx, world.acme.id)
        .await
        .unwrap();
    let shown = |id| {
        all.get(id)
            .map(|found| (found.sip.password().unwrap().expose(), found.pin.expose()))
    };
    assert_eq!(all.len(), 2);
    assert_eq!(shown(&ann.id), Some(("OtherSecret99", "1234")));
    assert_eq!(shown(&bob.id), Some(("CircleOfLife", "9999")));
    assert_eq!(
        tenants::find(&mut tx, world.acme.id)
            .await
            .unwrap()
            .unwrap()
            .secrets_version,
        3
    );
    tx.commit().await.unwrap();
}

#[rstest]
#[tokio::test]
async fn c18_a_digest_is_sealed_and_read_as_one_until_a_rotation_makes_the_secret_known(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let digest = "HA1:asterisk:6581963f7e7c44b15a0e3dc3b2ce6bc7";
    let ann = Extension {
        secret_known: false,
        ..extension(world.acme.id, "1001", "Ann")
    };
    let mut tx = store.begin("test").await.unwrap();
    extensions::insert(&mut tx, &ann, &secrets(digest, "1234"))
        .await
        .unwrap();
    let found = extension_secrets::find(&mut tx, ann.tenant_id, ann.id)
        .await
        .unwrap()
        .unwrap();
    assert!(found.sip.password().is_none() && found.shown().is_none());
    assert_eq!(found.sip.realm(&world.acme.domain).as_str(), "asterisk");
    let known = async |tx: &mut Tx| {
        let found = extensions::find(tx, ann.tenant_id, ann.id).await.unwrap();
        found.unwrap().secret_known
    };
    assert!(!known(&mut tx).await);
    extensions::count_rotation(&mut tx, ann.tenant_id, ann.id, at(9))
        .await
        .unwrap();
    assert!(known(&mut tx).await);
}
