//! Messages in the mail boxes of a FreeSWITCH and of a FusionPBX: what is old or somebody's goes from the PBX's list and from the
//! disk, and all else stays.

use std::fs;
use std::time::Duration;

use rstest::rstest;
use serde_json::json;
use switchyard::domain::erasure::ErasureStatus;
use switchyard::domain::instance::PbxKind::{self, FreeSwitch, FusionPbx};
use switchyard::domain::purge::PurgeStatus::Done;
use switchyard::domain::recording::SoundFormat;
use switchyard::domain::retention::RetentionKind;
use switchyard::domain::voicemail::MailFolder;
use switchyard::driver::mail::MailError;

use super::erasing::amounts;
use super::purging::{ago, inside};
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::switched_mail::Switched;

const KIND: RetentionKind = RetentionKind::Voicemail;

#[rstest]
#[tokio::test]
async fn a20_old_messages_go_from_the_list_and_from_the_disk_and_newer_ones_and_others_stay(
    #[values(FreeSwitch, FusionPbx)] kind: PbxKind,
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let switched = Switched::open(kind, backend).await;
    let (world, acme) = (&switched.world, &switched.world.acme);
    switched.put(acme, "1001", "5550001", 60).await;
    let newer = switched.put(acme, "1001", "5550002", 5).await;
    switched.put(acme, "1002", "5550003", 20).await;
    let others = switched.put(&world.globex, "1001", "5550004", 60).await;
    // Greetings are no messages.
    switched.lay(acme, "1001", "greeting_1.wav", 60);
    switched.look().await;
    assert_eq!(
        switched.world.callers(acme).await,
        ["5550001", "5550003", "5550002"]
    );
    assert_eq!(switched.world.callers(&world.globex).await, ["5550004"]);
    world.keep(acme, json!({"voicemail": 10})).await;
    // One comes of which nobody knows before the purge looks, and a sound is left that stands in no list.
    switched.put(acme, "1002", "5550005", 30).await;
    switched.lay(acme, "1002", "msg_6f2b7c1e-0000-4000-8000-000000000001.wav", 30);

    let id = world.purge(acme).await;
    world.work().await;
    let purge = world.report(acme, id).await;
    assert_eq!(purge.status, Done, "{purge:?}");
    assert_eq!(world.counts(acme, id).await, [(KIND, 4, 4, 0)]);
    assert_eq!(purge.parts[0].instance_id, Some(switched.place));
    assert_eq!(purge.parts[0].bytes, 400);
    let mut left = vec![newer, others];
    left.sort();
    assert_eq!(switched.listed().await, left);
    let names = switched.names(acme, "1001");
    assert_eq!(names.len(), 2, "{names:?}");
    assert_eq!(names[0], "greeting_1.wav");
    assert_eq!(switched.names(acme, "1002"), [""; 0]);
    assert_eq!(switched.names(&world.globex, "1001").len(), 1);
    assert_eq!(switched.world.callers(acme).await, ["5550002"]);
    switched.look().await;
    assert_eq!(switched.world.callers(acme).await, ["5550002"]);
    if kind == FusionPbx {
        // Its phones hear of it, each time.
        let told = switched.freeswitch.journal().with("luarun app.lua voicemail mwi");
        assert_eq!(told.len(), 4, "{told:?}");
        assert!(
            told.iter()
                .any(|line| line.command.ends_with(&format!("1001@{}", acme.domain)))
        );
    }
}

#[rstest]
#[tokio::test]
async fn a22_messages_of_an_extension_and_of_a_number_are_erased_and_those_of_others_stay(
    #[values(FreeSwitch, FusionPbx)] kind: PbxKind,
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let switched = Switched::open(kind, backend).await;
    let (world, acme) = (&switched.world, &switched.world.acme);
    world.extension(&inside(acme), "1001").await.unwrap();
    switched.put(acme, "1001", "5550001", 40).await;
    switched.put(acme, "1001", "5550002", 20).await;
    switched.put(acme, "1002", "5550002", 20).await;
    switched.put(acme, "1002", "5550003", 20).await;
    switched.put(&world.globex, "1001", "5550002", 20).await;
    switched.look().await;
    let phone = world.phone(acme, "1001").await;
    let done = world
        .erased(acme, json!({"extension": phone, "from": ago(50), "to": ago(1)}))
        .await;
    assert_eq!(done.status, ErasureStatus::Done, "{done:#?}");
    assert_eq!(amounts(&done)[1], ("voicemail", 2, 2, 0));
    assert_eq!(done.parts[1].instance_id, Some(switched.place));
    assert_eq!(switched.names(acme, "1001"), [""; 0]);
    assert_eq!(switched.names(acme, "1002").len(), 2);
    // By the number that the caller showed, in whichever box.
    let done = world.erased(acme, json!({"number": "5550002"})).await;
    assert_eq!(done.status, ErasureStatus::Done, "{done:#?}");
    assert_eq!(amounts(&done)[1], ("voicemail", 1, 1, 0));
    assert_eq!(switched.names(acme, "1002").len(), 1);
    assert_eq!(switched.listed().await.len(), 2);
    assert_eq!(switched.world.callers(acme).await, ["5550003"]);
    assert_eq!(switched.world.callers(&world.globex).await, ["5550002"]);
}

#[rstest]
#[tokio::test]
async fn a20_a_sound_that_a_caller_may_be_speaking_into_is_no_message_yet(
    #[values(FreeSwitch, FusionPbx)] kind: PbxKind,
) {
    let switched = Switched::open(kind, Sqlite).await;
    let acme = &switched.world.acme;
    let name = "msg_6f2b7c1e-0000-4000-8000-000000000001.wav";
    switched.lay(acme, "1001", name, 0);
    switched.look().await;
    assert_eq!(switched.world.callers(acme).await, [""; 0]);
    // Nobody has written it for long, and it stands in no list: somebody hung up at the wrong moment.
    let path = switched.lay(acme, "1001", name, 1);
    switched.look().await;
    let [message] = &switched.world.messages(acme).await[..] else {
        panic!("{:?}", switched.world.messages(acme).await);
    };
    assert_eq!(message.found.id.as_str(), "6f2b7c1e-0000-4000-8000-000000000001");
    assert_eq!((message.found.bytes, &message.found.caller), (100, &None));
    let driver = switched.driver();
    let mail = driver.mail().unwrap();
    let (domain, found) = (&acme.domain, &message.found);
    let removed = mail.remove(domain, &found.mailbox, &found.id, found.left_at);
    assert!(removed.await.unwrap() && !path.exists());
    let again = mail.remove(domain, &found.mailbox, &found.id, found.left_at);
    assert!(!again.await.unwrap());
}

#[rstest]
#[tokio::test]
async fn a22_a_sound_of_a_day_that_is_to_come_is_a_message_all_the_same(
    #[values(FreeSwitch, FusionPbx)] kind: PbxKind,
) {
    let switched = Switched::open(kind, Sqlite).await;
    let (world, acme) = (&switched.world, &switched.world.acme);
    let path = switched.lay(acme, "1001", "msg_6f2b7c1e-0000-4000-8000-000000000001.wav", -2);
    switched.look().await;
    assert_eq!(world.callers(acme).await, ["-"]);
    world.extension(&inside(acme), "1001").await.unwrap();
    let phone = world.phone(acme, "1001").await;
    let done = world.erased(acme, json!({"extension": phone})).await;
    assert_eq!(done.status, ErasureStatus::Done, "{done:#?}");
    assert!(!path.exists());
}

#[rstest]
#[tokio::test]
async fn a20_what_is_in_another_box_or_was_left_later_is_not_removed(
    #[values(FreeSwitch, FusionPbx)] kind: PbxKind,
) {
    let switched = Switched::open(kind, Sqlite).await;
    let (acme, globex) = (&switched.world.acme, &switched.world.globex);
    let own = switched.put(acme, "1001", "5550001", 60).await;
    let others = switched.put(globex, "1001", "5550002", 60).await;
    let driver = switched.driver();
    let mail = driver.mail().unwrap();
    let (box_1001, box_1002) = ("1001".parse().unwrap(), "1002".parse().unwrap());
    let [own_id, others_id] = [&own, &others].map(|id| id.parse().unwrap());
    for (domain, mailbox, id) in [
        (&acme.domain, &box_1001, &others_id),
        (&acme.domain, &box_1002, &own_id),
        (&globex.domain, &box_1001, &own_id),
    ] {
        assert!(!mail.holds(domain, mailbox, id, ago(60)).await.unwrap());
        assert!(!mail.remove(domain, mailbox, id, ago(0)).await.unwrap());
    }
    let later = mail.remove(&acme.domain, &box_1001, &own_id, ago(61)).await;
    assert!(later.unwrap_err().full().contains("was left later"));
    assert_eq!(switched.listed().await.len(), 2);
    assert!(
        mail.holds(&acme.domain, &box_1001, &own_id, ago(60))
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn a20_where_something_stands_is_told_by_what_freeswitch_knows_of_it() {
    let switched = Switched::open(FreeSwitch, Sqlite).await;
    let acme = &switched.world.acme;
    switched.put(acme, "1001", "5550001", 9).await;
    switched.put(acme, "1001", "5550002", 8).await;
    switched.put(acme, "1001", "", 7).await;
    {
        let mut list = switched.freeswitch.voicemail();
        list.messages[1].read = ago(1).as_second();
        list.messages[2].flags = "delete".to_owned();
        list.messages[2].read = 1;
    }
    switched.look().await;
    let messages = switched.world.messages(acme).await;
    let folders: Vec<MailFolder> = messages.iter().map(|message| message.found.folder).collect();
    assert_eq!(folders, [MailFolder::Inbox, MailFolder::Old, MailFolder::Deleted]);
    assert_eq!(switched.world.callers(acme).await, ["5550001", "5550002", "-"]);
    assert_eq!(messages[0].found.seconds, Some(5));
    let created = switched.freeswitch.voicemail().messages[0].created;
    assert_eq!(messages[0].found.left_at.as_second(), created);
}

#[tokio::test]
async fn a46_a_sound_that_fusionpbx_keeps_in_its_database_is_exported_and_goes_with_its_row() {
    let switched = Switched::open(FusionPbx, Sqlite).await;
    let (world, acme) = (&switched.world, &switched.world.acme);
    let uuid = "6f2b7c1e-0000-4000-8000-000000000001";
    switched
        .list(acme, "1001", (uuid, "5550001"), ago(20), "".into())
        .await;
    // There is no directory of a box in which no sound ever lay.
    fs::remove_dir(switched.folder(acme, "1001")).unwrap();
    let said = format!("RIFF{}", "hello Ann ".repeat(10));
    let fusionpbx = switched.fusionpbx.as_ref().unwrap();
    let sql = format!(
        "update v_voicemail_messages set message_base64 = replace(encode('{said}'::bytea, 'base64'), e'\\n', '')"
    );
    fusionpbx.run(&sql).await;
    switched.look().await;
    let [message] = &switched.world.messages(acme).await[..] else {
        panic!("{:?}", switched.world.messages(acme).await);
    };
    let length = i64::try_from(said.len()).unwrap();
    assert!((message.found.bytes - length).abs() <= 2, "{message:?}");
    let driver = switched.driver();
    let mail = driver.mail().unwrap();
    let (domain, found) = (&acme.domain, &message.found);
    let sound = mail.sound(domain, &found.mailbox, &found.id).await.unwrap();
    let mut sound = sound.unwrap();
    assert_eq!(sound.format, Some(SoundFormat::Wav));
    let heard = sound.sound.next(1_000, Duration::from_secs(5)).await.unwrap();
    assert_eq!(String::from_utf8(heard).unwrap(), said);
    world.keep(acme, json!({"voicemail": 10})).await;
    let id = world.purge(acme).await;
    world.work().await;
    assert_eq!(world.report(acme, id).await.status, Done);
    assert_eq!(switched.listed().await, [""; 0]);
}

#[tokio::test]
async fn a46_a_sound_in_the_list_that_is_none_is_an_error_of_that_message_alone() {
    let switched = Switched::open(FusionPbx, Sqlite).await;
    let acme = &switched.world.acme;
    let ids = ["1", "2"].map(|n| format!("6f2b7c1e-0000-4000-8000-00000000000{n}"));
    for id in &ids {
        switched
            .list(acme, "1001", (id, "5550001"), ago(20), "".into())
            .await;
    }
    let sql = format!(
        "update v_voicemail_messages set message_base64 = case voicemail_message_uuid::text \
         when '{}' then repeat('*', 80) else repeat('UklG', 20) end",
        ids[0]
    );
    switched.fusionpbx.as_ref().unwrap().run(&sql).await;
    let driver = switched.driver();
    let mail = driver.mail().unwrap();
    let mailbox = "1001".parse().unwrap();
    let [none, right] = ids.map(|id| id.parse().unwrap());
    let refused = mail.sound(&acme.domain, &mailbox, &none).await.err().unwrap();
    assert!(matches!(refused, MailError::Refused { .. }), "{refused:?}");
    assert!(
        mail.sound(&acme.domain, &mailbox, &right)
            .await
            .unwrap()
            .is_some()
    );
}

#[rstest]
#[tokio::test]
async fn a46_the_sound_of_a_message_is_opened_where_it_lies(#[values(FreeSwitch, FusionPbx)] kind: PbxKind) {
    let switched = Switched::open(kind, Sqlite).await;
    let acme = &switched.world.acme;
    let id = switched.put(acme, "1001", "5550001", 20).await.parse().unwrap();
    let driver = switched.driver();
    let mail = driver.mail().unwrap();
    let (mailbox, other) = ("1001".parse().unwrap(), "1002".parse().unwrap());
    let sound = mail.sound(&acme.domain, &mailbox, &id).await.unwrap().unwrap();
    assert_eq!((sound.format, sound.sound.length), (Some(SoundFormat::Wav), 100));
    assert!(mail.sound(&acme.domain, &other, &id).await.unwrap().is_none());
}

#[tokio::test]
async fn a20_what_was_said_before_a_message_that_was_passed_on_goes_with_it() {
    let switched = Switched::open(FusionPbx, Sqlite).await;
    let (world, acme) = (&switched.world, &switched.world.acme);
    let id = switched.put(acme, "1001", "5550001", 60).await;
    switched.lay(acme, "1001", &format!("intro_{id}.wav"), 60);
    switched.lay(acme, "1001", &format!("intro_msg_{id}.wav"), 60);
    world.keep(acme, json!({"voicemail": 10})).await;
    let purge = world.purge(acme).await;
    world.work().await;
    assert_eq!(world.report(acme, purge).await.status, Done);
    assert_eq!(world.counts(acme, purge).await, [(KIND, 1, 1, 0)]);
    assert_eq!(switched.names(acme, "1001"), [""; 0]);
}

#[tokio::test]
async fn a22_a_copy_of_a_message_that_has_its_name_stays_in_other_boxes() {
    let switched = Switched::open(FreeSwitch, Sqlite).await;
    let (world, acme, globex) = (&switched.world, &switched.world.acme, &switched.world.globex);
    // Left in one call, or copied by `vm-cc`.
    let name = switched.put(acme, "1001", "5550001", 20).await;
    for (n, (tenant, mailbox)) in [(acme, "1002"), (globex, "1001")].into_iter().enumerate() {
        let file = format!("msg_6f2b7c1e-0000-4000-8000-00000000000{n}.wav");
        let path = switched.lay(tenant, mailbox, &file, 20);
        switched
            .list(tenant, mailbox, (&name, "5550001"), ago(20), path)
            .await;
    }
    switched.look().await;
    world.extension(&inside(acme), "1001").await.unwrap();
    let phone = world.phone(acme, "1001").await;
    let done = world
        .erased(acme, json!({"extension": phone, "from": ago(50), "to": ago(1)}))
        .await;
    assert_eq!(done.status, ErasureStatus::Done, "{done:#?}");
    assert_eq!(amounts(&done)[1], ("voicemail", 1, 1, 0));
    assert_eq!(switched.names(acme, "1001"), [""; 0]);
    assert_eq!(switched.names(acme, "1002").len(), 1);
    assert_eq!(switched.names(globex, "1001").len(), 1);
    assert_eq!(switched.listed().await, [name.clone(), name]);
}
