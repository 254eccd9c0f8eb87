//! Recordings: each of one tenant, listed with their calls, on both databases.

use rstest::rstest;
use switchyard::domain::ids::{InstanceId, RecordingId, SystemIds, TenantId};
use switchyard::domain::recording::{FoundRecording, RecordingQuery};
use switchyard::store::call_records::{self, Seen};
use switchyard::store::{Store, recordings};

use super::bench::Backend::{self, Postgres, Sqlite};
use super::bench::Bench;
use super::call_records::{ACME, keep, part};
use super::samples::{World, at, store_extension};

fn found(path: &str, bytes: i64, written: i64) -> FoundRecording {
    FoundRecording {
        path: path.parse().unwrap(),
        bytes,
        written_at: at(written),
    }
}

async fn put(store: &Store, tenant: TenantId, instance: InstanceId, found: &FoundRecording) {
    let mut tx = store.begin("put").await.unwrap();
    let id = RecordingId::fresh(&SystemIds);
    recordings::put(&mut tx, id, tenant, instance, found)
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

#[rstest]
#[tokio::test]
async fn a12_a_recording_is_its_tenants_and_is_listed_with_its_call(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let (acme, globex, instance) = (world.acme.id, world.globex.id, world.instance.id);
    store_extension(&store, acme, "1001", "Ann").await;
    put(&store, acme, instance, &found("acme.example.com/1.0.wav", 44, 1)).await;
    put(&store, acme, instance, &found("acme.example.com/9.9.wav", 44, 2)).await;
    put(
        &store,
        globex,
        instance,
        &found("globex.example.com/1.0.wav", 7, 3),
    )
    .await;
    // It has grown; whose it is stays.
    put(
        &store,
        globex,
        instance,
        &found("acme.example.com/1.0.wav", 99, 4),
    )
    .await;
    let mut tx = store.begin("keep").await.unwrap();
    keep(
        &mut tx,
        acme,
        instance,
        "1.0",
        &part("1.0", 1, ("1001", "1002"), ACME, 0),
    )
    .await;
    tx.commit().await.unwrap();

    let mut tx = store.read("recordings").await.unwrap();
    let list = async |tx: &mut _, tenant, seen, query: &RecordingQuery| {
        let page = recordings::list(tx, tenant, seen, query).await.unwrap();
        let shown = |recording: &switchyard::domain::recording::Recording| {
            (
                recording.path.to_string(),
                recording.bytes,
                recording.call_id.is_some(),
            )
        };
        (page.recordings.iter().map(shown).collect::<Vec<_>>(), page.next)
    };
    let usual = RecordingQuery::default();
    let grown = ("acme.example.com/1.0.wav".to_owned(), 99, true);
    let unknown = ("acme.example.com/9.9.wav".to_owned(), 44, false);
    let (all, next) = list(&mut tx, acme, Seen::All, &usual).await;
    assert_eq!((all, next), (vec![grown.clone(), unknown.clone()], None));
    let one = RecordingQuery {
        per_page: 1,
        ..usual.clone()
    };
    let (first, next) = list(&mut tx, acme, Seen::All, &one).await;
    assert_eq!(first, [grown.clone()]);
    let (second, next) = list(&mut tx, acme, Seen::All, &RecordingQuery { after: next, ..one }).await;
    assert_eq!((second, next), (vec![unknown], None));
    // Who sees own calls only, sees none of nobody's.
    assert!(list(&mut tx, acme, Seen::Own(None), &usual).await.0.is_empty());
    let call = call_records::list(&mut tx, acme, Seen::All, &Default::default())
        .await
        .unwrap()
        .calls
        .remove(0);
    assert_eq!(call.recording_ids.len(), 1);
    let of_call = RecordingQuery {
        call: Some(call.id),
        ..usual.clone()
    };
    assert_eq!(list(&mut tx, acme, Seen::All, &of_call).await.0, [grown]);
    // C02: for another tenant there is none.
    let id = call.recording_ids[0];
    assert!(
        recordings::find(&mut tx, acme, Seen::All, id)
            .await
            .unwrap()
            .is_some()
    );
    assert!(
        recordings::find(&mut tx, globex, Seen::All, id)
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!(list(&mut tx, globex, Seen::All, &usual).await.0.len(), 1);
    let whose = recordings::whose(&mut tx, instance, &"1.0".parse().unwrap())
        .await
        .unwrap();
    assert_eq!(whose, Some(acme));
    drop(tx);

    let mut tx = store.begin("delete").await.unwrap();
    assert!(!recordings::delete(&mut tx, globex, id).await.unwrap());
    assert!(recordings::delete(&mut tx, acme, id).await.unwrap());
    assert_eq!(recordings::of_tenant(&mut tx, acme).await.unwrap().len(), 1);
    recordings::lose(&mut tx, instance, &"acme.example.com/9.9.wav".parse().unwrap())
        .await
        .unwrap();
    assert!(recordings::of_tenant(&mut tx, acme).await.unwrap().is_empty());
    assert_eq!(recordings::known(&mut tx, instance).await.unwrap().len(), 1);
}
