//! Purges of messages in mail boxes where not all can be looked at or removed: what nobody could see is never told as nothing.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::json;
use switchyard::app::setbacks::Setbacks;
use switchyard::app::{purge_work, purges};
use switchyard::domain::page::PageRequest;
use switchyard::domain::purge::PurgeStatus::{Done, Partial, Running};
use switchyard::domain::retention::RetentionKind;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::gone::world;
use super::mail_boxes::Mailed;
use super::purging::inside;
use super::support::database::Backend::Sqlite;

const KIND: RetentionKind = RetentionKind::Voicemail;

impl Mailed {
    /// What the only part of Acme's newest purge says.
    async fn detail(&self) -> String {
        let (world, acme) = (&self.world, &self.world.acme);
        let page = purges::list(&world.app, &inside(acme), PageRequest::default())
            .await
            .unwrap();
        let purge = world.report(acme, page.items[0].id).await;
        assert_eq!(purge.status, Partial, "{purge:?}");
        purge.parts[0].detail.clone().unwrap()
    }

    async fn try_again(&self) {
        self.world
            .texts("update purge_parts set retry_at = null where ended_at is null returning kind")
            .await;
        self.world.work().await;
    }
}

#[tokio::test]
async fn a20_mail_boxes_that_nobody_could_look_at_are_told_though_no_message_is_known() {
    let mailed = Mailed::open(Sqlite).await;
    let (world, acme) = (&mailed.world, &mailed.world.acme);
    mailed.put(acme, "1001", 0, 60);
    let spool = mailed.pbx.pbx.home().join("spool");
    let moved = mailed.pbx.pbx.home().join("moved");
    fs::rename(&spool, &moved).unwrap();
    world.keep(acme, json!({"voicemail": 10})).await;
    // The daemon asks, though nobody knows of an old one.
    assert_eq!(purges::request_due(&world.app).await.unwrap(), 1);
    world.work().await;
    let detail = mailed.detail().await;
    assert!(detail.contains("could not be looked at"), "{detail}");
    fs::rename(&moved, &spool).unwrap();
    let id = world.purge(acme).await;
    world.work().await;
    assert_eq!(world.counts(acme, id).await, [(KIND, 1, 1, 0)]);
    assert_eq!(world.report(acme, id).await.status, Done);
    // Whoever has none has none.
    let id = world.purge(acme).await;
    world.work().await;
    assert_eq!(world.counts(acme, id).await, [(KIND, 0, 0, 0)]);
    assert_eq!(world.report(acme, id).await.status, Done);
}

#[tokio::test]
async fn a20_a_mail_box_that_cannot_be_read_is_told_and_keeps_no_other_one() {
    let mailed = Mailed::open(Sqlite).await;
    let (world, acme) = (&mailed.world, &mailed.world.acme);
    mailed.put(acme, "1001", 0, 60);
    mailed.put(acme, "1002", 0, 60);
    // Its operator has put it on a larger disk.
    let mailbox = mailed.folder(acme, "1001").parent().unwrap().to_owned();
    let elsewhere = mailed.pbx.pbx.home().join("larger");
    fs::rename(&mailbox, &elsewhere).unwrap();
    symlink(&elsewhere, &mailbox).unwrap();
    world.keep(acme, json!({"voicemail": 10})).await;
    let id = world.purge(acme).await;
    world.work().await;
    assert_eq!(world.counts(acme, id).await, [(KIND, 1, 1, 1)]);
    let detail = mailed.detail().await;
    assert!(detail.contains("some mail boxes cannot be read"), "{detail}");
    assert_eq!(
        (mailed.names(acme, "1001").len(), mailed.names(acme, "1002").len()),
        (2, 0)
    );
}

#[tokio::test]
async fn a20_what_was_noted_waits_for_a_pbx_that_is_away_and_is_counted_then() {
    let mailed = Mailed::open(Sqlite).await;
    let (world, acme) = (&mailed.world, &mailed.world.acme);
    let id = mailed.purge_of(3).await;
    mailed.note().await;
    for name in ["msg0002.wav", "msg0002.txt"] {
        fs::remove_file(mailed.folder(acme, "1001").join(name)).unwrap();
    }
    // As after the host was started again.
    let away = mailed.is_away().await;
    world.work().await;
    let purge = world.report(acme, id).await;
    assert_eq!((purge.status, purge.parts[0].setbacks), (Running, 1), "{purge:?}");
    let port = mailed.pbx.pbx.private.settings().ami_port;
    mailed.answers_at(away, port).await;
    mailed.try_again().await;
    assert_eq!(world.counts(acme, id).await, [(KIND, 3, 3, 0)]);
    assert_eq!(world.report(acme, id).await.status, Done);
}

#[tokio::test]
async fn a20_a_purge_that_is_stopped_in_the_middle_has_counted_what_has_gone_and_goes_on() {
    let mailed = Mailed::open(Sqlite).await;
    let (world, acme) = (&mailed.world, &mailed.world.acme);
    let id = mailed.purge_of(3).await;
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    mailed
        .when_told("VoicemailRemove", move || stopped.cancel())
        .await;
    purge_work::work(&world.app, &mut Setbacks::default(), &stop)
        .await
        .unwrap();
    assert_eq!(world.counts(acme, id).await, [(KIND, 3, 2, 0)]);
    let purge = world.report(acme, id).await;
    assert_eq!(
        (purge.status, purge.parts[0].bytes),
        (Running, 2 * 191),
        "{purge:?}"
    );
    assert_eq!(world.texts("select message from purge_messages").await.len(), 1);
    world.work().await;
    assert_eq!(world.counts(acme, id).await, [(KIND, 3, 3, 0)]);
    assert_eq!(world.report(acme, id).await.status, Done);
    assert!(mailed.names(acme, "1001").is_empty());
}

#[tokio::test]
async fn a20_more_messages_than_are_noted_at_once_go_and_those_that_cannot_be_removed_are_told_once() {
    const MANY: usize = 45;
    let mailed = Mailed::open(Sqlite).await;
    let (world, acme) = (&mailed.world, &mailed.world.acme);
    for number in 0..MANY {
        mailed.put(acme, "1001", number, 60);
    }
    mailed.put(acme, "1002", 0, 60);
    // Asterisk cannot tell which that is, and somebody keeps the folder locked.
    let folder = mailed.folder(acme, "1002");
    fs::write(folder.join("msg0000.txt"), "origtime=1770000000\n").unwrap();
    fs::write(folder.join(".lock"), "").unwrap();
    world.keep(acme, json!({"voicemail": 10})).await;
    let id = world.purge(acme).await;
    world.work().await;
    let gone = i64::try_from(MANY).unwrap();
    assert_eq!(world.counts(acme, id).await, [(KIND, gone + 1, gone, 1)]);
    let detail = mailed.detail().await;
    assert!(detail.contains("cannot be removed"), "{detail}");
    assert!(mailed.names(acme, "1001").is_empty());
    assert_eq!(mailed.names(acme, "1002").len(), 3);
}

#[tokio::test]
async fn a20_messages_whose_host_does_not_come_within_a_day_are_left_to_the_next_purge() {
    let mailed = Mailed::open(Sqlite).await;
    let (world, acme) = (&mailed.world, &mailed.world.acme);
    mailed.put(acme, "1001", 0, 60);
    mailed.look().await;
    world.keep(acme, json!({"voicemail": 10})).await;
    let id = world.purge(acme).await;
    world
        .texts("update instances set node = 'another' where name = 'pbx2' returning name")
        .await;
    world.work().await;
    assert_eq!(world.report(acme, id).await.status, Running);
    world
        .texts("update purges set counted_from = counted_from - 90000000000 returning status")
        .await;
    world.work().await;
    assert_eq!(world.counts(acme, id).await, [(KIND, -1, 0, 1)]);
    let detail = mailed.detail().await;
    assert!(detail.contains("another"), "{detail}");
    assert_eq!(mailed.names(acme, "1001").len(), 2);
}

#[tokio::test]
async fn a20_mail_boxes_whose_host_never_came_are_told_though_no_message_is_known() {
    let state = TempDir::new().unwrap();
    let world = world(Sqlite, &state).await;
    let acme = &world.acme;
    world.keep(acme, json!({"voicemail": 10})).await;
    let id = world.purge(acme).await;
    world
        .texts("update instances set node = 'another' returning name")
        .await;
    world
        .texts("update purges set counted_from = counted_from - 90000000000 returning status")
        .await;
    world.work().await;
    assert_eq!(world.counts(acme, id).await, [(KIND, -1, 0, 1)]);
    assert_eq!(world.report(acme, id).await.status, Partial);
}

#[tokio::test]
async fn a20_a_domain_without_its_directory_or_disk_keeps_its_messages_and_no_other_ones() {
    let mailed = Mailed::open(Sqlite).await;
    let (world, acme) = (&mailed.world, &mailed.world.acme);
    mailed.put(acme, "1001", 0, 60);
    mailed.put(acme, "1002", 0, 70);
    mailed.look().await;
    // One is of a domain that Acme had, and whose directory has gone.
    world
        .texts("update voicemail_messages set domain = 'old.example.com' where mailbox = '1002' returning message")
        .await;
    fs::remove_dir_all(mailed.folder(acme, "1002").parent().unwrap()).unwrap();
    world.keep(acme, json!({"voicemail": 10})).await;
    let id = world.purge(acme).await;
    world.work().await;
    // The directory was told once more as it was looked at.
    assert_eq!(world.counts(acme, id).await, [(KIND, 2, 1, 2)]);
    let detail = mailed.detail().await;
    assert!(detail.contains("cannot be removed"), "{detail}");
    assert_eq!(mailed.names(acme, "1001"), [""; 0]);
    assert_eq!(mailed.world.callers(acme).await, ["5550000"]);

    // A disk that is not mounted leaves an empty one: what was about to go has not gone.
    let spool = mailed.pbx.pbx.home().join("spool/voicemail");
    fs::create_dir(spool.join("old.example.com")).unwrap();
    let id = world.purge(acme).await;
    mailed.note().await;
    world.work().await;
    assert_eq!(world.counts(acme, id).await, [(KIND, 3, 0, 1)]);
    assert_eq!(mailed.world.callers(acme).await, ["5550000"]);
}
