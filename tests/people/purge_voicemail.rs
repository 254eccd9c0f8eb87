//! Messages in mail boxes, which lie on a PBX: what is old goes from a real Asterisk, is counted once, and everything else
//! stays and can be heard.

use std::fs;

use rstest::rstest;
use serde_json::json;
use switchyard::app::instances::{self, NewInstance};
use switchyard::app::precondition::IfMatch;
use switchyard::app::{operator, purges, voicemail};
use switchyard::domain::ids::InstanceId;
use switchyard::domain::instance::{FreeSwitchSettings, InstanceSettings};
use switchyard::domain::instance_secrets::InstanceSecrets;
use switchyard::domain::purge::PurgeStatus::{Done, Partial};
use switchyard::domain::retention::RetentionKind;
use switchyard::domain::voicemail::{MailFolder, Voicemail};
use tempfile::TempDir;

use super::gone::world;
use super::mail_boxes::Mailed;
use super::purging::inside;
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::support::wait::until;
use super::world::World;

const KIND: RetentionKind = RetentionKind::Voicemail;

#[rstest]
#[tokio::test]
async fn a20_old_messages_go_from_the_pbx_and_newer_ones_and_others_stay(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let mailed = Mailed::open(backend).await;
    let (world, acme) = (&mailed.world, &mailed.world.acme);
    // Whoever had the domain then is not known.
    mailed.put(acme, "1001", 0, 500);
    mailed.put(acme, "1001", 1, 60);
    mailed.put(acme, "1001", 2, 5);
    mailed.put(acme, "1001", 3, 20);
    mailed.put(acme, "1002", 0, 9);
    mailed.put(acme, "1002", 1, 11);
    mailed.put(&world.globex, "1001", 0, 60);
    mailed.look().await;
    assert_eq!(
        mailed.world.callers(acme).await,
        ["5550001", "5550003", "5550001", "5550000", "5550002"]
    );
    assert_eq!(mailed.world.callers(&world.globex).await, ["5550000"]);
    world.keep(acme, json!({"voicemail": 10})).await;
    let preview = purges::preview(&world.app, &inside(acme), &IfMatch::Any)
        .await
        .unwrap();
    let [(KIND, _, amount)] = preview.parts.as_slice() else {
        panic!("{preview:?}");
    };
    assert_eq!(amount.found, 3);
    // One comes of which nobody knows before the purge looks.
    mailed.put(acme, "1002", 2, 12);

    let id = world.purge(acme).await;
    world.work().await;
    let purge = world.report(acme, id).await;
    assert_eq!(purge.status, Done, "{purge:?}");
    assert_eq!(world.counts(acme, id).await, [(KIND, 4, 4, 0)]);
    assert_eq!(purge.parts[0].instance_id, Some(mailed.place));
    assert!(purge.parts[0].bytes > 400, "{purge:?}");
    assert_eq!(
        mailed.names(acme, "1001"),
        ["msg0000.txt", "msg0000.wav", "msg0001.txt", "msg0001.wav"]
    );
    assert_eq!(mailed.names(acme, "1002"), ["msg0000.txt", "msg0000.wav"]);
    assert_eq!(mailed.names(&world.globex, "1001").len(), 2);
    assert_eq!(mailed.world.callers(acme).await, ["5550000", "5550002"]);
    // It is not old for a second one, and what is found again is known already.
    mailed.look().await;
    assert_eq!(mailed.world.callers(acme).await, ["5550000", "5550002"]);
}

#[tokio::test]
async fn a20_what_was_removed_by_one_that_was_killed_is_counted_once() {
    let mailed = Mailed::open(Sqlite).await;
    let (world, acme) = (&mailed.world, &mailed.world.acme);
    let id = mailed.purge_of(3).await;
    mailed.note().await;
    for name in ["msg0002.wav", "msg0002.txt"] {
        fs::remove_file(mailed.folder(acme, "1001").join(name)).unwrap();
    }
    // Whoever looks meanwhile forgets that one, and not that it is to be counted.
    mailed.look().await;
    assert_eq!(mailed.world.callers(acme).await, ["5550000", "5550001"]);
    world.work().await;
    assert_eq!(world.counts(acme, id).await, [(KIND, 3, 3, 0)]);
    assert_eq!(world.report(acme, id).await.status, Done);
    assert!(mailed.names(acme, "1001").is_empty() && mailed.world.callers(acme).await.is_empty());
    assert_eq!(world.texts("select message from purge_messages").await, [""; 0]);
}

#[tokio::test]
async fn a20_what_was_noted_of_another_place_is_kept_and_not_taken_to_have_been_removed() {
    let mailed = Mailed::open(Sqlite).await;
    let (world, acme) = (&mailed.world, &mailed.world.acme);
    let id = mailed.purge_of(2).await;
    mailed.note().await;
    world
        .texts("update purge_messages set place = 'elsewhere' returning message")
        .await;
    for name in ["msg0001.wav", "msg0001.txt"] {
        fs::remove_file(mailed.folder(acme, "1001").join(name)).unwrap();
    }
    world.work().await;
    assert_eq!(world.counts(acme, id).await, [(KIND, 3, 0, 2)]);
    let purge = world.report(acme, id).await;
    assert_eq!(purge.status, Partial, "{purge:?}");
    let detail = purge.parts[0].detail.as_ref().unwrap();
    assert!(detail.contains("another host or disk"), "{detail}");
    assert_eq!(mailed.names(acme, "1001"), ["msg0000.txt", "msg0000.wav"]);
    assert_eq!(world.texts("select message from purge_messages").await, [""; 0]);
}

#[tokio::test]
async fn a20_what_is_kept_longer_by_now_stays() {
    let mailed = Mailed::open(Sqlite).await;
    let (world, acme) = (&mailed.world, &mailed.world.acme);
    mailed.put(acme, "1001", 0, 60);
    mailed.look().await;
    world.keep(acme, json!({"voicemail": 10})).await;
    let id = world.purge(acme).await;
    world.keep(acme, json!({"voicemail": 100})).await;
    world.work().await;
    assert_eq!(world.counts(acme, id).await, [(KIND, 1, 0, 0)]);
    assert_eq!(mailed.names(acme, "1001").len(), 2);
    // Also what was noted before.
    world.keep(acme, json!({"voicemail": 10})).await;
    let id = world.purge(acme).await;
    mailed.note().await;
    world.keep(acme, json!({"voicemail": 100})).await;
    world.work().await;
    assert_eq!(world.counts(acme, id).await, [(KIND, 3, 0, 0)]);
    assert_eq!(mailed.names(acme, "1001").len(), 2);
    assert_eq!(world.texts("select message from purge_messages").await, [""; 0]);
}

#[tokio::test]
async fn a20_messages_of_a_box_that_somebody_listens_to_are_kept_for_the_next_purge() {
    let mailed = Mailed::open(Sqlite).await;
    let (world, acme) = (&mailed.world, &mailed.world.acme);
    mailed.put(acme, "1001", 0, 60);
    mailed.put(acme, "1002", 0, 60);
    mailed.look().await;
    let mut ami = mailed.listened(acme, "1001").await;
    world.keep(acme, json!({"voicemail": 10})).await;
    let id = world.purge(acme).await;
    world.work().await;
    assert_eq!(world.counts(acme, id).await, [(KIND, 2, 1, 1)]);
    let purge = world.report(acme, id).await;
    assert_eq!(purge.status, Partial);
    assert!(
        purge.parts[0].detail.as_ref().unwrap().contains("listened"),
        "{purge:?}"
    );
    assert_eq!(
        (mailed.names(acme, "1001").len(), mailed.names(acme, "1002").len()),
        (2, 0)
    );

    ami.ask("Hangup", &[("Channel", "/^Local.*/"), ("Cause", "16")]);
    until("nobody is in the mail box", || {
        mailed.pbx.pbx.ami().list("CoreShowChannels", &[]).is_empty()
    })
    .await;
    let id = world.purge(acme).await;
    world.work().await;
    assert_eq!(world.counts(acme, id).await, [(KIND, 1, 1, 0)]);
    assert!(mailed.names(acme, "1001").is_empty());
}

#[tokio::test]
async fn a20_where_the_pbx_is_down_messages_are_kept_and_still_known() {
    let mailed = Mailed::open(Sqlite).await;
    let (world, acme) = (&mailed.world, &mailed.world.acme);
    mailed.put(acme, "1001", 0, 60);
    mailed.look().await;
    world.keep(acme, json!({"voicemail": 10})).await;
    super::support::pbx::kill(super::support::pbx::pid(&mailed.pbx.pbx.home()));
    assert!(voicemail::look(&world.app, mailed.place, None).await.is_err());
    assert_eq!(mailed.world.callers(acme).await, ["5550000"]);
    let id = world.purge(acme).await;
    world.work().await;
    assert_eq!(world.counts(acme, id).await, [(KIND, 1, 0, 1)]);
    assert_eq!(world.report(acme, id).await.status, Partial);
    assert_eq!(
        (
            mailed.names(acme, "1001").len(),
            mailed.world.callers(acme).await.len()
        ),
        (2, 1)
    );
}

#[tokio::test]
async fn a20_where_the_pbx_goes_away_in_the_middle_what_has_gone_is_counted_and_the_rest_is_kept() {
    let mailed = Mailed::open(Sqlite).await;
    let (world, acme) = (&mailed.world, &mailed.world.acme);
    for number in 0..3 {
        mailed.put(acme, "1001", number, 60);
    }
    mailed.look().await;
    mailed.break_off_at("VoicemailRemove").await;
    world.keep(acme, json!({"voicemail": 10})).await;
    let id = world.purge(acme).await;
    world.work().await;
    assert_eq!(world.counts(acme, id).await, [(KIND, 3, 1, 2)]);
    let purge = world.report(acme, id).await;
    assert_eq!(purge.status, Partial, "{purge:?}");
    assert!(
        purge.parts[0].detail.as_ref().unwrap().contains("the PBX"),
        "{purge:?}"
    );
    assert_eq!(world.texts("select message from purge_messages").await, [""; 0]);
    assert_eq!(
        (
            mailed.names(acme, "1001").len(),
            mailed.world.callers(acme).await.len()
        ),
        (4, 2)
    );
}

#[tokio::test]
async fn a20_a_look_forgets_what_has_gone_and_knows_what_was_moved_as_the_same() {
    let mailed = Mailed::open(Sqlite).await;
    let acme = &mailed.world.acme;
    for number in 0..3 {
        mailed.put(acme, "1001", number, 9);
    }
    mailed.put(acme, "1002", 5, 9);
    mailed.look().await;
    let before = mailed.world.messages(acme).await;
    assert_eq!(before.len(), 4);
    let folder = mailed.folder(acme, "1001");
    let old = folder.parent().unwrap().join("Old");
    fs::create_dir_all(&old).unwrap();
    for name in ["msg0001.wav", "msg0001.txt"] {
        fs::rename(folder.join(name), old.join(name)).unwrap();
    }
    fs::remove_file(folder.join("msg0002.txt")).unwrap();
    fs::remove_dir_all(mailed.folder(acme, "1002").parent().unwrap()).unwrap();
    mailed.look().await;
    let mut after = mailed.world.messages(acme).await;
    let by_caller = |messages: &[Voicemail], caller: &str| {
        let of = |message: &&Voicemail| {
            let shown = message.found.caller.as_ref();
            shown.is_some_and(|shown| shown.as_str() == caller)
        };
        messages.iter().find(of).cloned().unwrap()
    };
    let moved = by_caller(&after, "5550001");
    assert_eq!(moved.id, by_caller(&before, "5550001").id);
    assert_eq!(moved.found.folder, MailFolder::Old);
    after.retain(|message| message.id != moved.id);
    assert_eq!(after, [by_caller(&before, "5550000")]);
}

impl World {
    /// All tenants are on a FreeSWITCH by now.
    pub async fn is_on_freeswitch(&self, state: &TempDir) -> InstanceId {
        let new = NewInstance {
            name: "pbx2".parse().unwrap(),
            node: "node1".parse().unwrap(),
            settings: InstanceSettings::FreeSwitch(FreeSwitchSettings {
                event_socket_host: "127.0.0.1".parse().unwrap(),
                event_socket_port: 1,
                config_dir: state.path().join("freeswitch").to_str().unwrap().parse().unwrap(),
                recordings_dir: None,
                voicemail_dir: None,
                emergency_numbers: Vec::new(),
            }),
            secrets: InstanceSecrets::of_control("secret".into()),
        };
        let made = instances::create(&self.app, &operator::platform(None), new).await;
        let made = made.unwrap();
        self.bench
            .sql("update tenants set instance_id = (select id from instances where name = 'pbx2')")
            .await;
        made.id
    }
}

#[tokio::test]
async fn a20_where_no_mail_boxes_are_looked_after_a_purge_says_so() {
    let state = TempDir::new().unwrap();
    let world = world(Sqlite, &state).await;
    let place = world.is_on_freeswitch(&state).await;
    let looked = voicemail::look(&world.app, place, None).await.unwrap();
    assert_eq!(looked, switchyard::monitor::voicemail::Looked::default());
    world.keep(&world.acme, json!({"voicemail": 10})).await;
    let id = world.purge(&world.acme).await;
    world.work().await;
    let purge = world.report(&world.acme, id).await;
    assert_eq!(purge.status, Partial, "{purge:?}");
    let detail = purge.parts[0].detail.as_deref().unwrap();
    assert!(
        detail.contains("voicemail_dir") && detail.contains("nobody looks after"),
        "{detail}"
    );
}
