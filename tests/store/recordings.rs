//! Recordings: each of one tenant, listed with their calls, on both databases.

use rstest::rstest;
use switchyard::domain::ids::{InstanceId, RecordingId, RevisionId, SystemIds, TenantId};
use switchyard::domain::instance::{InstanceSettings, PbxInstance};
use switchyard::domain::recording::{FoundRecording, RecordingQuery};
use switchyard::monitor::recordings::{SearchError, search};
use switchyard::store::call_records::{self, Seen};
use switchyard::store::{Store, recordings, revisions, tenant_lifecycle, tenants};
use tempfile::TempDir;

use super::bench::Backend::{self, Postgres, Sqlite};
use super::bench::Bench;
use super::call_records::{ACME, keep, part};
use super::samples::{World, at, store_extension, store_revision, tenant};

pub fn found(path: &str, bytes: i64, written: i64) -> FoundRecording {
    FoundRecording {
        path: path.parse().unwrap(),
        bytes,
        written_at: at(written),
    }
}

pub async fn put(store: &Store, tenant: TenantId, instance: InstanceId, found: &FoundRecording) {
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
    assert_eq!(first, std::slice::from_ref(&grown));
    let (second, next) = list(&mut tx, acme, Seen::All, &RecordingQuery { after: next, ..one }).await;
    assert_eq!((second, next), (vec![unknown], None));
    // Who sees own calls only, sees none of nobody's.
    assert!(list(&mut tx, acme, Seen::Own(None), &usual).await.0.is_empty());
    let call = call_records::list(
        &mut tx,
        acme,
        Seen::All,
        &switchyard::domain::call_record::CallQuery::default(),
    )
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
    for (domain, whose) in [(ACME, Some(acme)), ("globex.example.com", None)] {
        let found = recordings::whose(
            &mut tx,
            instance,
            &"1.0".parse().unwrap(),
            &domain.parse().unwrap(),
        )
        .await;
        assert_eq!(found.unwrap(), whose, "{domain}");
    }
    drop(tx);

    let mut tx = store.begin("delete").await.unwrap();
    assert!(!recordings::delete(&mut tx, globex, id).await.unwrap());
    assert!(recordings::delete(&mut tx, acme, id).await.unwrap());
    let left = recordings::of_tenant(&mut tx, acme, instance, None).await;
    assert_eq!(left.unwrap().len(), 1);
    recordings::lose(&mut tx, instance, &"acme.example.com/9.9.wav".parse().unwrap())
        .await
        .unwrap();
    let left = recordings::of_tenant(&mut tx, acme, instance, None).await;
    assert!(left.unwrap().is_empty());
    let left = recordings::known(&mut tx, instance, None).await;
    assert_eq!(left.unwrap().len(), 1);
}

/// The instance with its recordings in a directory of this test.
pub fn recording_into(world: &World, directory: &TempDir) -> PbxInstance {
    let mut instance = world.instance.clone();
    if let InstanceSettings::Asterisk(settings) = &mut instance.settings {
        settings.recordings_dir = directory.path().join("spool").to_str().unwrap().parse().ok();
    }
    instance
}

/// A file that was last written to at this time.
pub fn recorded(directory: &TempDir, path: &str, written: i64) {
    let file = directory.path().join("spool").join(path);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    let file = std::fs::File::create(file).unwrap();
    file.set_modified(at(written).into()).unwrap();
}

/// Where the known recordings of a tenant are.
pub async fn known_of(store: &Store, tenant: TenantId) -> Vec<String> {
    let mut tx = store.read("known").await.unwrap();
    let page = recordings::list(&mut tx, tenant, Seen::All, &RecordingQuery::default()).await;
    let known = page.unwrap().recordings;
    let mut paths: Vec<String> = known.iter().map(|known| known.path.to_string()).collect();
    paths.sort();
    paths
}

#[rstest]
#[tokio::test]
async fn a12_a_recording_is_not_given_to_whoever_took_the_domain_over(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let directory = tempfile::tempdir().unwrap();
    let instance = recording_into(&world, &directory);
    let acme = world.acme.id;
    store_revision(&store, acme).await;
    // Before its first revision, which is of 10, no PBX served the tenant so.
    recorded(&directory, &format!("{ACME}/1.0.wav"), 9);
    recorded(&directory, &format!("{ACME}/2.0.wav"), 10);
    search(&store, &SystemIds, &instance).await.unwrap();
    assert_eq!(known_of(&store, acme).await, [format!("{ACME}/2.0.wav")]);

    // Acme goes, and another tenant takes the domain.
    let mut tx = store.begin("take_over").await.unwrap();
    tenant_lifecycle::delete(&mut tx, acme).await.unwrap();
    let next = tenant(instance.id, "Acme");
    tenants::insert(&mut tx, &next).await.unwrap();
    let head = revisions::head(&mut tx, next.id).await.unwrap().unwrap();
    revisions::take(&mut tx, next.id, &head, RevisionId::fresh(&SystemIds), at(30))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    recorded(&directory, &format!("{ACME}/3.0.wav"), 30);
    search(&store, &SystemIds, &instance).await.unwrap();
    assert_eq!(known_of(&store, next.id).await, [format!("{ACME}/3.0.wav")]);
    // What a record tells is believed of whoever has or had the domain, and of nobody else.
    let mut tx = store.begin("keep").await.unwrap();
    let told = part("1.0", 1, ("1001", "1002"), ACME, 0);
    keep(&mut tx, next.id, instance.id, "1.0", &told).await;
    let told = part("2.0", 1, ("1001", "1002"), "globex.example.com", 0);
    keep(&mut tx, world.globex.id, instance.id, "2.0", &told).await;
    tx.commit().await.unwrap();
    search(&store, &SystemIds, &instance).await.unwrap();
    let own = ["1.0", "3.0"].map(|channel| format!("{ACME}/{channel}.wav"));
    assert_eq!(known_of(&store, next.id).await, own);
    assert_eq!(known_of(&store, world.globex.id).await, [""; 0]);
}

#[rstest]
#[tokio::test]
async fn a12_of_a_call_of_two_tenants_each_has_what_lies_in_its_directory(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let directory = tempfile::tempdir().unwrap();
    let instance = recording_into(&world, &directory);
    let (acme, globex) = (world.acme.id, world.globex.id);
    store_revision(&store, acme).await;
    store_revision(&store, globex).await;
    let mut tx = store.begin("keep").await.unwrap();
    for (tenant, domain) in [(acme, ACME), (globex, "globex.example.com")] {
        let told = part("1.0", 1, ("1001", "1002"), domain, 0);
        keep(&mut tx, tenant, instance.id, "1.0", &told).await;
    }
    tx.commit().await.unwrap();
    for domain in [ACME, "globex.example.com"] {
        recorded(&directory, &format!("{domain}/1.0.wav"), 20);
    }
    search(&store, &SystemIds, &instance).await.unwrap();
    assert_eq!(known_of(&store, acme).await, [format!("{ACME}/1.0.wav")]);
    assert_eq!(known_of(&store, globex).await, ["globex.example.com/1.0.wav"]);
}

#[rstest]
#[tokio::test]
async fn a13_a_disk_that_is_away_loses_no_recording(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let directory = tempfile::tempdir().unwrap();
    let instance = recording_into(&world, &directory);
    // Nothing was ever recorded: no directory is needed.
    search(&store, &SystemIds, &instance).await.unwrap();
    store_revision(&store, world.acme.id).await;
    recorded(&directory, &format!("{ACME}/1.0.wav"), 20);
    recorded(&directory, &format!("{ACME}/2.0.wav"), 20);
    search(&store, &SystemIds, &instance).await.unwrap();
    let (spool, away) = (directory.path().join("spool"), directory.path().join("away"));
    std::fs::rename(&spool, &away).unwrap();
    // Not there, a mount point, another directory that was named by mistake, and a mount point into which the PBX goes on to record.
    for there in [None, Some(""), Some("other.example.com"), Some(ACME)] {
        if let Some(there) = there {
            std::fs::create_dir(spool.join(there)).unwrap();
        }
        if there == Some(ACME) {
            recorded(&directory, &format!("{ACME}/3.0.wav"), 30);
            // It is known from here on, and tells nothing of the others.
            search(&store, &SystemIds, &instance).await.unwrap_err();
        }
        let error = search(&store, &SystemIds, &instance).await.unwrap_err();
        assert!(matches!(error, SearchError::Unseen { .. }), "{error:?}");
        let kept = 2 + usize::from(there == Some(ACME));
        assert_eq!(known_of(&store, world.acme.id).await.len(), kept);
    }
    std::fs::remove_dir_all(&spool).unwrap();
    std::fs::rename(&away, &spool).unwrap();
    std::fs::remove_file(spool.join(ACME).join("1.0.wav")).unwrap();
    let searched = search(&store, &SystemIds, &instance).await.unwrap();
    assert_eq!((searched.kept, searched.lost), (0, 2));
    assert_eq!(known_of(&store, world.acme.id).await, [format!("{ACME}/2.0.wav")]);
    // What was removed on purpose has gone, with its directory too.
    std::fs::remove_dir_all(spool.join(ACME)).unwrap();
    assert_eq!(search(&store, &SystemIds, &instance).await.unwrap().lost, 1);
}

#[rstest]
#[tokio::test]
async fn a12_of_thousands_what_has_gone_is_forgotten_and_nothing_else(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let directory = tempfile::tempdir().unwrap();
    let instance = recording_into(&world, &directory);
    let (acme, globex) = (world.acme.id, world.globex.id);
    store_revision(&store, acme).await;
    store_revision(&store, globex).await;
    let path = |number: i64| {
        let domain = if number % 3 == 0 {
            "globex.example.com"
        } else {
            ACME
        };
        format!("{domain}/{number}.0.wav")
    };
    for number in 0..2_300 {
        recorded(&directory, &path(number), 20);
    }
    let searched = search(&store, &SystemIds, &instance).await.unwrap();
    assert_eq!((searched.kept, searched.lost), (2_300, 0));
    let searched = search(&store, &SystemIds, &instance).await.unwrap();
    assert_eq!((searched.kept, searched.lost), (0, 0));

    // More than are looked at in one go have gone, some are new, and one was written to.
    for number in 0..1_200 {
        std::fs::remove_file(directory.path().join("spool").join(path(number))).unwrap();
    }
    for number in 2_300..2_310 {
        recorded(&directory, &path(number), 20);
    }
    recorded(&directory, &path(2_000), 30);
    let searched = search(&store, &SystemIds, &instance).await.unwrap();
    assert_eq!((searched.kept, searched.lost), (11, 1_200));
    let mut left = Vec::new();
    for tenant in [acme, globex] {
        let mut last = None;
        loop {
            let mut tx = store.read("left").await.unwrap();
            let portion = recordings::of_tenant(&mut tx, tenant, instance.id, last)
                .await
                .unwrap();
            let Some((end, _)) = portion.last() else {
                break;
            };
            last = Some(*end);
            left.extend(portion.into_iter().map(|(_, path)| path.to_string()));
        }
    }
    let mut expected: Vec<String> = (1_200..2_310).map(path).collect();
    left.sort();
    expected.sort();
    assert_eq!(left, expected);
}
