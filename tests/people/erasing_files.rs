//! Recordings and messages in mail boxes of an erasure: gone from the disk and from the running Asterisk, counted once, and told
//! where they stay.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::PathBuf;

use rstest::rstest;
use serde_json::json;
use switchyard::app::erasures;
use switchyard::domain::erasure::{Erasure, ErasureStatus};
use tempfile::TempDir;

use super::erasing::amounts;
use super::gone::{kept_out, world};
use super::mail_boxes::Mailed;
use super::purging::{ago, inside};
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::support::wait::until;
use super::world::World;

impl World {
    /// Calls of Acme's extension, each with a recording; gives the files.
    pub async fn recorded_calls(&self, count: usize) -> Vec<PathBuf> {
        self.extension(&inside(&self.acme), "1001").await.unwrap();
        let mut files = Vec::new();
        for number in 0..count {
            self.call(&self.acme, &format!("179000000{number}.1"), "Ann", 3)
                .await;
            let file = format!("179000000{number}.1.wav");
            files.push(self.recording(&self.acme, &file, 3).await);
        }
        files
    }

    /// Where recordings are, as it is noted with them.
    pub fn disk(&self) -> String {
        let root = self.bench.folder.path().join("recordings");
        let metadata = fs::metadata(&root).unwrap();
        format!("node1 {}:{} {}", metadata.dev(), metadata.ino(), root.display())
    }

    /// As whoever was killed leaves it who had noted what there is, and that the removal of all recordings began there.
    pub async fn half_erased(&self, place: &str) -> Erasure {
        let phone = self.phone(&self.acme, "1001").await;
        let caller = inside(&self.acme);
        let asked = self.look_for(&caller, json!({"extension": phone})).await.unwrap();
        self.run(&caller, asked.id).await.unwrap();
        for sql in [
            "update erasures set noted_at = run_at returning status".to_owned(),
            "insert into erasure_parts (erasure_id, position, place, instance_id, found) \
             select e.id, 0, 'recordings', i.id, (select count(*) from recordings) from erasures e cross join instances i \
             returning place"
                .to_owned(),
            format!(
                "insert into erasure_targets (erasure_id, position, target, begun_at) \
                 select e.id, 0, f.id, '{place}' from erasures e cross join recordings f returning begun_at"
            ),
        ] {
            assert!(!self.texts(&sql).await.is_empty());
        }
        asked
    }
}

#[rstest]
#[tokio::test]
async fn a22_killed_between_removing_and_counting_each_recording_counts_once(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[values(false, true)] is_searched: bool,
) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    let files = world.recorded_calls(3).await;
    let asked = world.half_erased(&world.disk()).await;
    fs::remove_file(&files[0]).unwrap();
    fs::remove_file(&files[1]).unwrap();
    if is_searched {
        // Whoever looks for recordings comes first, and finds that this one is not there.
        let sql = "delete from recordings where path like '%1790000000.1.wav' returning path";
        world.texts(sql).await;
    }
    world.erase().await;
    let done = world.erasure(&world.acme, asked.id).await;
    assert_eq!(amounts(&done), [("recordings", 3, 3, 0)]);
    assert_eq!(done.status, ErasureStatus::Done);
    assert!(!files[2].exists());
    assert_eq!(world.texts("select path from recordings").await, [""; 0]);
    assert_eq!(world.texts("select begun_at from erasure_targets").await, [""; 0]);
}

#[rstest]
#[tokio::test]
async fn a22_what_began_on_another_disk_or_is_not_there_is_not_taken_to_be_erased_until_it_is_run_again(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    let files = world.recorded_calls(2).await;
    let place = world.disk().replace("node1", "node2");
    let asked = world.half_erased(&place).await;
    let aside = files[0].with_extension("aside");
    fs::rename(&files[0], &aside).unwrap();
    world.erase().await;
    let partial = world.erasure(&world.acme, asked.id).await;
    assert_eq!(amounts(&partial), [("recordings", 2, 1, 1)]);
    assert_eq!(partial.status, ErasureStatus::Partial);
    assert!(partial.marks.is_some(), "it is needed to run it again");
    assert_eq!(world.texts("select path from recordings").await.len(), 1);
    let told = partial.parts[0].detail.as_ref().unwrap();
    assert!(told.contains("disk is mounted"), "{told}");

    // The disk is back.
    fs::rename(&aside, &files[0]).unwrap();
    let caller = inside(&world.acme);
    let before = erasures::digest(&partial);
    world.run(&caller, asked.id).await.unwrap();
    world.erase().await;
    let again = world.erasure(&world.acme, asked.id).await;
    assert!(
        amounts(&again).starts_with(&[("recordings", 2, 2, 0)]),
        "{again:#?}"
    );
    assert_eq!(world.texts("select path from recordings").await, [""; 0]);
    assert!(!files[0].exists());
    assert_ne!(erasures::digest(&again), before);
    let ends = "select action from audit_entries where action = 'data.erasure_end'";
    assert_eq!(world.texts(ends).await.len(), 2);
}

/// The disk went after they were noted, and beneath it is a copy.
#[rstest]
#[tokio::test]
async fn a22_where_another_directory_is_there_by_then_nothing_in_it_is_erased(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    let files = world.recorded_calls(2).await;
    let asked = world.half_erased(&world.disk()).await;
    world.has_another_directory().await;
    world.erase().await;
    let partial = world.erasure(&world.acme, asked.id).await;
    assert_eq!(amounts(&partial), [("recordings", 2, 0, 2)]);
    let told = partial.parts[0].detail.as_ref().unwrap();
    assert!(told.contains("another one"), "{told}");
    assert!(files.iter().all(|file| file.exists()));
    assert_eq!(world.texts("select path from recordings").await.len(), 2);
}

#[rstest]
#[tokio::test]
async fn a22_where_the_disk_is_away_recordings_stay_with_the_records_and_go_once_it_is_run_again(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[values(false, true)] is_unknown: bool,
) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    let files = world.recorded_calls(2).await;
    let all = world.bench.folder.path().join("recordings");
    fs::rename(&all, all.with_extension("away")).unwrap();
    // Of who has no call nothing is a recording, wherever it is.
    let nobody = world.erased(&world.acme, json!({"number": "+4930"})).await;
    assert_eq!(amounts(&nobody)[0], ("recordings", 0, 0, 0));
    let phone = world.phone(&world.acme, "1001").await;
    let partial = world
        .erased(&world.acme, json!({"extension": phone, "call_records": "remove"}))
        .await;
    assert_eq!(partial.status, ErasureStatus::Partial);
    let parts = amounts(&partial);
    let (_, found, erased, kept) = parts[0];
    assert!((found, erased) == (2, 0) && kept >= 2, "{partial:#?}");
    assert_eq!(parts[2], ("call_records", 2, 0, 2));
    let told = partial.parts[2].detail.as_ref().unwrap();
    assert!(told.contains("`recordings`"), "{told}");
    assert_eq!(world.texts("select call from call_records").await.len(), 2);
    fs::rename(all.with_extension("away"), &all).unwrap();
    if is_unknown {
        // What was found of them on another day is on record no more: the calls tell whose they are.
        world
            .texts("delete from erasure_targets where position = 0 returning cast(position as text)")
            .await;
        world.texts("delete from recordings returning path").await;
    }
    assert!(files.iter().all(|file| file.exists()));
    let caller = inside(&world.acme);
    world.run(&caller, partial.id).await.unwrap();
    world.erase().await;
    assert!(files.iter().all(|file| !file.exists()));
    let again = world.erasure(&world.acme, partial.id).await;
    assert_eq!(amounts(&again)[0], ("recordings", 2, 2, 0));
    assert_eq!(amounts(&again)[2], ("call_records", 2, 2, 0));
    assert_eq!(world.texts("select call from call_records").await, [""; 0]);
}

/// Of what could not be looked at, only the tenant's own keeps its records of calls.
#[rstest]
fn a22_what_cannot_be_looked_at_of_another_tenant_keeps_nothing(#[values(false, true)] is_own: bool) {
    kept_out(move || async move {
        let state = TempDir::new().unwrap();
        let world = world(Sqlite, &state).await;
        let files = world.recorded_calls(1).await;
        world.recording(&world.globex, "1790000009.1.wav", 3).await;
        for tenant in [&world.acme, &world.globex] {
            world.revision(tenant).await;
        }
        let closed = world.recorded(if is_own { &world.acme } else { &world.globex });
        let mode = |mode| fs::set_permissions(&closed, Permissions::from_mode(mode)).unwrap();
        mode(0o000);
        let phone = world.phone(&world.acme, "1001").await;
        let ended = world.erased(&world.acme, json!({"extension": phone})).await;
        mode(0o700);
        let calls = amounts(&ended)[2];
        let expected = if is_own { (0, 1) } else { (1, 0) };
        assert_eq!((calls.2, calls.3), expected, "{ended:#?}");
        assert_eq!(files[0].exists(), is_own);
        // Nobody looked at the other's, and none of it is taken to have gone.
        let paths = world.texts("select path from recordings").await;
        let theirs = format!("{}/1790000009.1.wav", world.globex.domain);
        assert!(paths.contains(&theirs), "{paths:?}");
    });
}

#[rstest]
#[tokio::test]
async fn a22_messages_of_an_extension_and_of_a_number_go_from_the_running_pbx_and_those_of_others_stay(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let mailed = Mailed::open(backend).await;
    let (world, acme) = (&mailed.world, &mailed.world.acme);
    world.extension(&inside(acme), "1001").await.unwrap();
    mailed.put(acme, "1001", 0, 40);
    mailed.put(acme, "1001", 1, 20);
    mailed.put(acme, "1002", 1, 20);
    mailed.put(acme, "1002", 2, 20);
    mailed.put(&world.globex, "1001", 1, 20);
    mailed.look().await;
    // It is nobody's in this time, and one comes of which nobody knows before it is run.
    let phone = world.phone(acme, "1001").await;
    let caller = inside(acme);
    let whom = json!({"extension": phone, "from": ago(30), "to": ago(1)});
    let asked = world.look_for(&caller, whom).await.unwrap();
    mailed.put(acme, "1001", 2, 10);
    world.run(&caller, asked.id).await.unwrap();
    world.erase().await;
    let done = world.erasure(acme, asked.id).await;
    assert_eq!(done.status, ErasureStatus::Done, "{done:#?}");
    assert_eq!(amounts(&done)[1], ("voicemail", 2, 2, 0));
    assert_eq!(done.parts[1].instance_id, Some(mailed.place));
    assert_eq!(mailed.names(acme, "1001").len(), 2, "it was left before");
    assert_eq!(mailed.names(acme, "1002").len(), 4);
    // By the number that the caller showed, in whichever box.
    let done = world.erased(acme, json!({"number": "5550001"})).await;
    assert_eq!(done.status, ErasureStatus::Done, "{done:#?}");
    assert_eq!(amounts(&done)[1], ("voicemail", 1, 1, 0));
    assert_eq!(mailed.names(acme, "1002").len(), 2);
    assert_eq!(mailed.names(&world.globex, "1001").len(), 2);
    mailed.look().await;
    assert_eq!(mailed.world.callers(acme).await, ["5550000", "5550002"]);
}

#[tokio::test]
async fn a22_where_the_pbx_is_down_messages_stay_and_go_once_it_is_run_again() {
    let mailed = Mailed::open(Sqlite).await;
    let (world, acme) = (&mailed.world, &mailed.world.acme);
    for number in 0..3 {
        mailed.put(acme, "1001", number, 20);
    }
    mailed.look().await;
    mailed.break_off_at("VoicemailRemove").await;
    let partial = world.erased(acme, json!({"number": "1001"})).await;
    assert_eq!(partial.status, ErasureStatus::Partial, "{partial:#?}");
    let (_, found, erased, kept) = amounts(&partial)[1];
    assert!(found == 3 && kept > 0 && erased + kept == 3, "{partial:#?}");
    assert_eq!(
        mailed.world.callers(acme).await.len(),
        3 - usize::try_from(erased).unwrap()
    );
}

#[tokio::test]
async fn a22_a_message_of_a_box_that_somebody_listens_to_is_kept_once_and_goes_once_it_is_run_again() {
    let mailed = Mailed::open(Sqlite).await;
    let (world, acme) = (&mailed.world, &mailed.world.acme);
    mailed.put(acme, "1001", 0, 20);
    mailed.put(acme, "1001", 1, 20);
    mailed.look().await;
    let mut ami = mailed.listened(acme, "1001").await;
    let partial = world.erased(acme, json!({"number": "1001"})).await;
    assert_eq!(amounts(&partial)[1], ("voicemail", 2, 0, 2));
    // Its owner deletes one: that is not the erasure's to count.
    ami.ask("Hangup", &[("Channel", "/^Local.*/"), ("Cause", "16")]);
    until("nobody is in the mail box", || {
        mailed.pbx.pbx.ami().list("CoreShowChannels", &[]).is_empty()
    })
    .await;
    for end in ["txt", "wav"] {
        fs::remove_file(mailed.folder(acme, "1001").join(format!("msg0001.{end}"))).unwrap();
    }
    world.run(&inside(acme), partial.id).await.unwrap();
    world.erase().await;
    let done = world.erasure(acme, partial.id).await;
    assert_eq!(done.status, ErasureStatus::Done, "{done:#?}");
    assert_eq!(amounts(&done)[1], ("voicemail", 2, 1, 0));
    assert!(mailed.names(acme, "1001").is_empty());
}

#[rstest]
#[tokio::test]
async fn a22_a_recording_that_nobody_has_found_so_far_is_looked_for_and_goes(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[values("pseudonymise", "remove")] calls: &str,
) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    let files = world.recorded_calls(2).await;
    let sql = "delete from recordings where path like '%1790000001.1.wav' returning path";
    assert_eq!(world.texts(sql).await.len(), 1);
    let phone = world.phone(&world.acme, "1001").await;
    let done = world
        .erased(&world.acme, json!({"extension": phone, "call_records": calls}))
        .await;
    assert_eq!(amounts(&done)[0], ("recordings", 2, 2, 0));
    assert!(files.iter().all(|file| !file.exists()));
    assert_eq!(world.texts("select path from recordings").await, [""; 0]);
}

/// What tells whose recordings these are stays until the host that has them has looked.
#[tokio::test]
async fn a22_records_of_calls_wait_for_the_host_that_looks_for_recordings() {
    let state = TempDir::new().unwrap();
    let world = world(Sqlite, &state).await;
    let files = world.recorded_calls(1).await;
    world.texts("delete from recordings returning path").await;
    let phone = world.phone(&world.acme, "1001").await;
    let to_node = async |node: &str| {
        let sql = format!("update instances set node = '{node}' returning name");
        assert!(!world.texts(&sql).await.is_empty());
    };
    to_node("node2").await;
    let running = world
        .erased(&world.acme, json!({"extension": phone, "call_records": "remove"}))
        .await;
    assert_eq!(running.status, ErasureStatus::Running);
    assert_eq!(world.texts("select call from call_records").await.len(), 1);
    to_node("node1").await;
    world.erase().await;
    let ended = world.erasure(&world.acme, running.id).await;
    assert_eq!(amounts(&ended)[0], ("recordings", 1, 1, 0));
    assert!(!files[0].exists());
    assert_eq!(world.texts("select call from call_records").await, [""; 0]);
}

/// A file that cannot be removed keeps the record of its call, and of no other.
#[rstest]
fn a22_a_recording_that_stays_keeps_the_record_of_its_call(
    #[values("pseudonymise", "remove")] calls: &'static str,
) {
    kept_out(move || async move {
        let state = TempDir::new().unwrap();
        let world = world(Sqlite, &state).await;
        let files = world.recorded_calls(1).await;
        world.call(&world.acme, "1790000009.1", "Ann", 3).await;
        world.revision(&world.acme).await;
        let directory = world.recorded(&world.acme);
        let mode = |mode| fs::set_permissions(&directory, Permissions::from_mode(mode)).unwrap();
        // It can be looked at, and nothing be removed from it.
        mode(0o500);
        let phone = world.phone(&world.acme, "1001").await;
        let whom = json!({"extension": phone, "call_records": calls});
        let partial = world.erased(&world.acme, whom).await;
        mode(0o700);
        assert_eq!(amounts(&partial)[0], ("recordings", 1, 0, 1));
        assert_eq!(amounts(&partial)[2], ("call_records", 2, 1, 1));
        let named = "select call from call_records where from_number = '1001'";
        assert_eq!(world.texts(named).await, ["1790000000.1"]);
        // Also whoever asks for another one finds it.
        let other = world.erased(&world.acme, json!({"extension": phone})).await;
        assert_eq!(amounts(&other)[0], ("recordings", 1, 1, 0));
        assert_eq!(amounts(&other)[2], ("call_records", 1, 1, 0));
        assert!(!files[0].exists());
    });
}
