//! Recordings that nobody can look at, or that lie where the tenant is no more: nothing is said to be gone that is there.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use rstest::rstest;
use serde_json::json;
use switchyard::app::error::AppError;
use switchyard::app::{instances, operator, purges, tenant_deletion};
use switchyard::domain::purge::PurgeStatus;
use switchyard::domain::retention::RetentionKind;
use switchyard::driver::spool::LANDMARK;
use switchyard::store::recordings;
use tempfile::TempDir;

use super::erasing::amounts;
use super::gone::{kept_out, world};
use super::purging::inside;
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::{World, instance};

impl World {
    /// The PBX names a directory of recordings, or none any more.
    async fn names_directory(&self, is_named: bool) {
        let directory = self.bench.folder.path().join("recordings");
        let directory = directory.display();
        let settings = match (self.bench.backend, is_named) {
            (Sqlite, true) => format!("json_set(settings, '$.recordings_dir', '{directory}')"),
            (Sqlite, false) => "json_remove(settings, '$.recordings_dir')".to_owned(),
            (Postgres, true) => {
                format!("jsonb_set(settings, '{{recordings_dir}}', to_jsonb('{directory}'::text))")
            }
            (Postgres, false) => "settings - 'recordings_dir'".to_owned(),
        };
        let sql = format!("update instances set settings = {settings} returning name");
        assert_eq!(self.texts(&sql).await.len(), 1);
    }

    /// The directory of recordings is known again by what is not there.
    pub async fn has_another_directory(&self) {
        fs::remove_file(self.recorded(&self.acme).with_file_name(LANDMARK)).unwrap();
        let mut tx = self.store.begin("landmark").await.unwrap();
        let kept = recordings::set_landmark(&mut tx, self.acme.instance_id, "another\nfile 1").await;
        kept.unwrap();
        tx.commit().await.unwrap();
    }

    async fn records(&self, policy: &str) {
        let sql = format!("update tenants set recording = '{policy}' returning name");
        assert!(!self.texts(&sql).await.is_empty());
    }
}

#[rstest]
#[tokio::test]
async fn a22_where_calls_are_recorded_and_no_directory_is_named_the_records_of_calls_stay(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[values("always", "never")] policy: &str,
) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    let caller = inside(&world.acme);
    let phone = world.extension(&caller, "1001").await.unwrap().id;
    world.call(&world.acme, "1790000001.1", "Ann", 3).await;
    let file = world.recording(&world.acme, "1790000001.1.wav", 3).await;
    world.texts("delete from recordings returning path").await;
    world.revision(&world.acme).await;
    world.names_directory(false).await;
    world.records(policy).await;
    let ended = world.erased(&world.acme, json!({"extension": phone})).await;
    let (recordings, calls) = (amounts(&ended)[0], amounts(&ended)[2]);
    if policy == "never" {
        assert_eq!(recordings, ("recordings", 0, 0, 0));
        assert_eq!(calls, ("call_records", 1, 1, 0), "{ended:#?}");
        return;
    }
    assert_eq!(recordings, ("recordings", 0, 0, 1));
    assert_eq!(calls, ("call_records", 1, 0, 1), "{ended:#?}");
    let told = ended.parts[0].detail.as_ref().unwrap();
    assert!(told.contains("set `recordings_dir`"), "{told}");
    // Named before its disk is there, nobody can look either.
    let root = world.bench.folder.path().join("recordings");
    let away = root.with_extension("away");
    fs::rename(&root, &away).unwrap();
    world.names_directory(true).await;
    world.run(&caller, ended.id).await.unwrap();
    world.erase().await;
    let still = world.erasure(&world.acme, ended.id).await;
    assert_eq!(amounts(&still)[0], ("recordings", 0, 0, 1));
    assert_eq!(amounts(&still)[2], ("call_records", 1, 0, 1), "{still:#?}");
    fs::rename(&away, &root).unwrap();
    // Once it is there, all of it goes.
    world.run(&caller, ended.id).await.unwrap();
    world.erase().await;
    let again = world.erasure(&world.acme, ended.id).await;
    assert_eq!(amounts(&again)[0], ("recordings", 1, 1, 0));
    assert_eq!(amounts(&again)[2], ("call_records", 1, 1, 0));
    assert!(!file.exists());
}

/// Recording was switched on, and no call was recorded since.
#[rstest]
#[tokio::test]
async fn a22_who_never_had_a_recording_has_none_where_others_have_theirs(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[values(false, true)] have_others: bool,
) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    let caller = inside(&world.acme);
    let phone = world.extension(&caller, "1001").await.unwrap().id;
    world.call(&world.acme, "1790000001.1", "Ann", 3).await;
    if have_others {
        world.recording(&world.globex, "1790000009.1.wav", 3).await;
    }
    world.revision(&world.acme).await;
    world.records("always").await;
    let ended = world.erased(&world.acme, json!({"extension": phone})).await;
    let kept = i64::from(!have_others);
    assert_eq!(amounts(&ended)[0], ("recordings", 0, 0, kept));
    assert_eq!(amounts(&ended)[2], ("call_records", 1, 1 - kept, kept));
}

#[rstest]
#[tokio::test]
async fn a22_recordings_on_a_pbx_that_the_tenant_has_left_are_looked_for_and_go(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    let caller = inside(&world.acme);
    let phone = world.extension(&caller, "1001").await.unwrap().id;
    world.call(&world.acme, "1790000001.1", "Ann", 3).await;
    let file = world.recording(&world.acme, "1790000001.1.wav", 3).await;
    world.texts("delete from recordings returning path").await;
    // It was served there, and no generation tells of it any more.
    world.revision(&world.acme).await;
    let other = instance(&world.bench, "pbx2", "elsewhere");
    instances::create(&world.app, &operator::platform(None), other)
        .await
        .unwrap();
    let moved = "update tenants set instance_id = (select id from instances where name = 'pbx2') \
        where name = 'Acme' returning name";
    assert_eq!(world.texts(moved).await, ["Acme"]);
    let ended = world.erased(&world.acme, json!({"extension": phone})).await;
    let left = ended
        .parts
        .iter()
        .find(|part| part.instance_id == Some(world.acme.instance_id) && part.place.as_str() == "recordings");
    let left = left.unwrap();
    assert_eq!(
        (left.found, left.erased, left.kept),
        (Some(1), 1, 0),
        "{ended:#?}"
    );
    assert!(!file.exists());
}

#[rstest]
#[tokio::test]
async fn a20_a_purge_tells_of_recordings_that_nobody_can_look_at(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[values("always", "never")] policy: &str,
) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    let caller = inside(&world.acme);
    world.extension(&caller, "1001").await.unwrap();
    world.keep(&world.acme, json!({"recordings": 30})).await;
    world.names_directory(false).await;
    world.records(policy).await;
    let id = world.purge(&world.acme).await;
    world.work().await;
    let ended = purges::find(&world.app, &caller, id).await.unwrap();
    let parts: Vec<_> = ended.parts.iter().map(|part| (part.kind, part.kept)).collect();
    if policy == "never" {
        assert_eq!((ended.status, parts), (PurgeStatus::Done, Vec::new()));
        return;
    }
    assert_eq!(parts, [(RetentionKind::Recordings, 1)]);
    assert_eq!(ended.status, PurgeStatus::Partial);
    let told = ended.parts[0].detail.as_ref().unwrap();
    assert!(told.contains("set `recordings_dir`"), "{told}");
    assert!(!fs::exists(world.recorded(&world.acme)).unwrap());
}

/// Recording is on, none was ever found, and no tenant's directory is where they should be: or only nothing was recorded so far.
#[rstest]
#[tokio::test]
async fn a20_a_purge_of_recordings_that_were_never_found_says_done_only_where_it_could_look(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    let caller = inside(&world.acme);
    world.extension(&caller, "1001").await.unwrap();
    world.keep(&world.acme, json!({"recordings": 30})).await;
    world.revision(&world.acme).await;
    world.records("always").await;
    let purged = async || {
        let id = world.purge(&world.acme).await;
        world.work().await;
        let ended = purges::find(&world.app, &caller, id).await.unwrap();
        let parts = ended.parts.into_iter();
        let parts = parts.map(|part| (part.kept, part.removed, part.detail.unwrap_or_default()));
        (ended.status, parts.collect::<Vec<_>>())
    };
    let (status, parts) = purged().await;
    assert_eq!(status, PurgeStatus::Partial);
    assert_eq!((parts[0].0, parts.len()), (1, 1));
    assert!(parts[0].2.contains("not every recording"), "{parts:?}");
    // Others have theirs there: this one has none.
    world.recording(&world.globex, "1790000009.1.wav", 3).await;
    assert_eq!(purged().await, (PurgeStatus::Done, vec![(0, 0, String::new())]));
    // An old one that nobody had found is found, and goes.
    world.call(&world.acme, "1790000001.1", "Ann", 99).await;
    let file = world.recording(&world.acme, "1790000001.1.wav", 99).await;
    world
        .texts("delete from recordings where path not like 'globex%' returning path")
        .await;
    assert_eq!(purged().await, (PurgeStatus::Done, vec![(0, 1, String::new())]));
    assert!(!file.exists());
}

/// A part of the tenant's directory cannot be looked at.
#[rstest]
fn a20_where_not_all_could_be_looked_at_what_was_found_is_purged_and_the_rest_is_told(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    kept_out(move || half_is_purged(backend));
}

async fn half_is_purged(backend: Backend) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    world.extension(&inside(&world.acme), "1001").await.unwrap();
    world.keep(&world.acme, json!({"recordings": 30})).await;
    world.revision(&world.acme).await;
    world.records("always").await;
    world.call(&world.acme, "1790000001.1", "Ann", 99).await;
    let file = world.recording(&world.acme, "1790000001.1.wav", 99).await;
    world.texts("delete from recordings returning path").await;
    let closed = world.recorded(&world.acme).join("archive");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, Permissions::from_mode(0o000)).unwrap();
    let id = world.purge(&world.acme).await;
    world.work().await;
    let counts = world.counts(&world.acme, id).await;
    assert_eq!(counts, [(RetentionKind::Recordings, 1, 1, 1)]);
    let ended = world.report(&world.acme, id).await;
    assert_eq!(ended.status, PurgeStatus::Partial);
    let told = ended.parts[0].detail.as_ref().unwrap();
    assert!(told.contains("not every recording"), "{told}");
    assert!(!file.exists());
    fs::set_permissions(&closed, Permissions::from_mode(0o700)).unwrap();
    let again = world.purge(&world.acme).await;
    world.work().await;
    assert_eq!(world.report(&world.acme, again).await.status, PurgeStatus::Done);
}

/// Nothing says that it is the directory that they were in, or an operator does.
#[rstest]
#[tokio::test]
async fn a20_recordings_that_are_not_there_are_kept_unless_it_is_known_which_directory_that_is(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[values(false, true)] is_known: bool,
) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    for number in 1..4 {
        let file = format!("179000000{number}.1.wav");
        world.recording(&world.acme, &file, 60).await;
    }
    fs::remove_file(world.recorded(&world.acme).join("1790000002.1.wav")).unwrap();
    if !is_known {
        fs::remove_file(world.recorded(&world.acme).with_file_name(LANDMARK)).unwrap();
    }
    world.keep(&world.acme, json!({"recordings": 30})).await;
    let id = world.purge(&world.acme).await;
    world.work().await;
    let kept = i64::from(!is_known);
    let counts = world.counts(&world.acme, id).await;
    assert_eq!(counts, [(RetentionKind::Recordings, 3, 2, kept)]);
    let ended = world.report(&world.acme, id).await;
    let told = ended.parts[0].detail.as_deref().unwrap_or_default();
    assert_eq!(ended.status == PurgeStatus::Partial, !is_known);
    assert_eq!(told.contains("mounted"), !is_known, "{told}");
}

/// The disk went after the last look, and beneath it is a copy.
#[rstest]
#[tokio::test]
async fn a20_where_another_directory_is_there_nothing_in_it_is_purged_and_all_is_kept(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    let files = [
        world.recording(&world.acme, "1790000001.1.wav", 60).await,
        world.recording(&world.acme, "1790000002.1.wav", 60).await,
    ];
    world.has_another_directory().await;
    world.keep(&world.acme, json!({"recordings": 30})).await;
    let id = world.purge(&world.acme).await;
    world.work().await;
    let counts = world.counts(&world.acme, id).await;
    assert_eq!(counts, [(RetentionKind::Recordings, 2, 0, 2)]);
    let ended = world.report(&world.acme, id).await;
    let told = ended.parts[0].detail.as_ref().unwrap();
    assert!(told.contains("another one"), "{told}");
    assert!(files.iter().all(|file| file.exists()));
    fs::write(world.recorded(&world.acme).with_file_name(LANDMARK), "").unwrap();
    let again = world.purge(&world.acme).await;
    world.work().await;
    let counts = world.counts(&world.acme, again).await;
    assert_eq!(counts, [(RetentionKind::Recordings, 2, 2, 0)]);
}

#[rstest]
fn a13_what_of_a_tenant_cannot_be_looked_at_or_removed_stays_known_and_keeps_it_from_being_gone(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    kept_out(move || tenant_is_kept(backend));
}

async fn tenant_is_kept(backend: Backend) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    let (platform, acme) = (operator::platform(None), &world.acme);
    world.recorded_call(acme, "70017001", "kunigunde").await;
    world.let_go(acme).await;
    let directory = world.recordings(acme);
    let is_refused = async |mode| {
        fs::set_permissions(&directory, Permissions::from_mode(mode)).unwrap();
        let finished = tenant_deletion::finish(&world.app, &platform, acme.id).await;
        matches!(finished, Err(AppError::Recordings(_)))
    };
    // It cannot be written in.
    assert!(is_refused(0o500).await);
    assert_eq!(world.texts("select path from recordings").await.len(), 1);
    // Nobody has found what is in it, and nobody can.
    world.texts("delete from recordings returning path").await;
    assert!(is_refused(0o000).await);
    fs::set_permissions(&directory, Permissions::from_mode(0o700)).unwrap();
    let finished = tenant_deletion::finish(&world.app, &platform, acme.id).await;
    assert!(finished.unwrap());
    assert!(!directory.exists());
}
