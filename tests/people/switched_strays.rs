//! Messages that a FusionPBX lists in no box any more, and boxes of which nothing is left: what is known of the ones stays, and of the
//! others goes.

use std::fs;

use serde_json::json;
use switchyard::domain::instance::PbxKind::FusionPbx;
use switchyard::domain::purge::PurgeStatus::{Done, Partial};
use switchyard::domain::retention::RetentionKind;

use super::purging::ago;
use super::support::database::Backend::Sqlite;
use super::switched_mail::Switched;

const KIND: RetentionKind = RetentionKind::Voicemail;

#[tokio::test]
async fn a20_a_message_of_a_box_that_is_no_more_is_in_the_box_in_which_its_sound_lies() {
    let switched = Switched::open(FusionPbx, Sqlite).await;
    let (world, acme) = (&switched.world, &switched.world.acme);
    let stray = switched.put(acme, "1001", "5550001", 60).await;
    let other = switched.put(acme, "1002", "5550002", 60).await;
    let fusionpbx = switched.fusionpbx.as_ref().unwrap();
    // As a deploy leaves it that takes an extension away.
    fusionpbx
        .run("delete from v_voicemails where voicemail_id = '1001'")
        .await;
    switched.look().await;
    assert_eq!(switched.world.callers(acme).await, ["5550001", "5550002"]);
    // Where its sound is nowhere, nobody knows whose it was.
    let path = switched.folder(acme, "1001").join(format!("msg_{stray}.wav"));
    let aside = switched.root().with_file_name("aside");
    fs::rename(&path, &aside).unwrap();
    let unseen = switched.unseen().await;
    assert!(unseen.contains("that it has no more"), "{unseen}");
    world.keep(acme, json!({"voicemail": 10})).await;
    let id = world.purge(acme).await;
    world.work().await;
    assert_eq!(world.report(acme, id).await.status, Partial);
    assert!(switched.listed().await.contains(&stray));
    assert_eq!(switched.world.callers(acme).await, ["5550001"]);
    fs::rename(&aside, &path).unwrap();
    let id = world.purge(acme).await;
    world.work().await;
    assert_eq!(world.report(acme, id).await.status, Done);
    assert!(!path.exists() && switched.listed().await.is_empty(), "{other}");
}

#[tokio::test]
async fn a20_strays_of_a_domain_of_which_nothing_else_is_there_are_told() {
    let switched = Switched::open(FusionPbx, Sqlite).await;
    let (world, acme) = (&switched.world, &switched.world.acme);
    let id = "6f2b7c1e-0000-4000-8000-000000000001";
    switched
        .list(acme, "1001", (id, "5550001"), ago(60), "".into())
        .await;
    let fusionpbx = switched.fusionpbx.as_ref().unwrap();
    fusionpbx
        .run("update v_voicemail_messages set message_base64 = repeat('UklG', 20)")
        .await;
    fusionpbx.run("delete from v_voicemails").await;
    fs::remove_dir_all(switched.root().join(acme.domain.as_str())).unwrap();
    let unseen = switched.unseen().await;
    assert!(unseen.contains("that it has no more"), "{unseen}");
    world.keep(acme, json!({"voicemail": 10})).await;
    let purge = world.purge(acme).await;
    world.work().await;
    assert_eq!(world.report(acme, purge).await.status, Partial);
    assert_eq!(switched.listed().await, [id]);
}

#[tokio::test]
async fn a20_a_message_whose_sound_is_in_the_list_stays_known_when_its_box_is_no_more_and_goes_by_what_is_known()
 {
    let switched = Switched::open(FusionPbx, Sqlite).await;
    let (world, acme) = (&switched.world, &switched.world.acme);
    let id = "6f2b7c1e-0000-4000-8000-000000000001";
    switched
        .list(acme, "1001", (id, "5550001"), ago(60), "".into())
        .await;
    let fusionpbx = switched.fusionpbx.as_ref().unwrap();
    fusionpbx
        .run("update v_voicemail_messages set message_base64 = repeat('UklG', 20)")
        .await;
    switched.look().await;
    fusionpbx
        .run("delete from v_voicemails where voicemail_id = '1001'")
        .await;
    fs::remove_dir_all(switched.folder(acme, "1001")).unwrap();
    let unseen = switched.unseen().await;
    assert!(unseen.contains("that it has no more"), "{unseen}");
    assert_eq!(world.callers(acme).await, ["5550001"]);
    world.keep(acme, json!({"voicemail": 10})).await;
    let purge = world.purge(acme).await;
    world.work().await;
    assert_eq!(world.counts(acme, purge).await, [(KIND, 1, 1, 1)]);
    assert_eq!(switched.listed().await, [""; 0]);
    assert_eq!(world.callers(acme).await, [""; 0]);
    let purge = world.purge(acme).await;
    world.work().await;
    assert_eq!(world.report(acme, purge).await.status, Done);
}

#[tokio::test]
async fn a20_what_is_known_of_a_box_of_which_nothing_is_left_goes() {
    let switched = Switched::open(FusionPbx, Sqlite).await;
    let (world, acme) = (&switched.world, &switched.world.acme);
    switched.put(acme, "1001", "5550001", 60).await;
    switched.put(acme, "1002", "5550002", 60).await;
    switched.look().await;
    let fusionpbx = switched.fusionpbx.as_ref().unwrap();
    fusionpbx
        .run(
            "delete from v_voicemail_messages where caller_id_number = '5550001'; \
             delete from v_voicemails where voicemail_id = '1001'",
        )
        .await;
    fs::remove_dir_all(switched.folder(acme, "1001")).unwrap();
    switched.look().await;
    assert_eq!(world.callers(acme).await, ["5550002"]);
}
