//! Mail boxes of a FreeSWITCH and of a FusionPBX of which something lacks: nothing is lost, and nothing is said to have gone that has
//! not.

use std::fs;

use rstest::rstest;
use serde_json::json;
use switchyard::domain::erasure::ErasureStatus;
use switchyard::domain::instance::InstanceSettings;
use switchyard::domain::instance::PbxKind::{self, FreeSwitch, FusionPbx};
use switchyard::domain::purge::PurgeStatus::{Done, Partial};
use switchyard::domain::retention::RetentionKind;
use switchyard::driver::Check;

use super::erasing::amounts;
use super::freeswitch::{Effect, Fault};
use super::purging::{ago, inside};
use super::support::database::Backend::Sqlite;
use super::switched_mail::Switched;

const KIND: RetentionKind = RetentionKind::Voicemail;

#[rstest]
#[tokio::test]
async fn a20_a_message_whose_sound_is_not_there_is_neither_lost_nor_said_to_have_gone(
    #[values(FreeSwitch, FusionPbx)] kind: PbxKind,
) {
    let switched = Switched::open(kind, Sqlite).await;
    let (world, acme) = (&switched.world, &switched.world.acme);
    let gone = switched.put(acme, "1001", "5550001", 60).await;
    switched.put(acme, "1002", "5550002", 60).await;
    switched.look().await;
    // As beneath a disk that is not mounted there.
    for name in switched.names(acme, "1001") {
        fs::remove_file(switched.folder(acme, "1001").join(name)).unwrap();
    }
    let unseen = switched.unseen().await;
    assert!(
        unseen.contains(&gone) && unseen.contains("see whether that is the right one"),
        "{unseen}"
    );
    assert_eq!(switched.world.callers(acme).await, ["5550001", "5550002"]);
    world.keep(acme, json!({"voicemail": 10})).await;
    let id = world.purge(acme).await;
    world.work().await;
    assert_eq!(world.report(acme, id).await.status, Partial);
    // The other box is read all the same.
    let [(KIND, 2, 1, kept @ 1..)] = world.counts(acme, id).await[..] else {
        panic!("{:?}", world.counts(acme, id).await);
    };
    assert!(kept <= 2, "{kept}");
    assert_eq!(switched.listed().await, [gone]);
    assert_eq!(switched.world.callers(acme).await, ["5550001"]);
}

#[rstest]
#[case::it_says_nothing("vm_fsdb_msg_list", Effect::CloseUndone, "mod_voicemail")]
#[case::no_module("vm_fsdb_msg_list", Effect::Print("-ERR vm_fsdb_msg_list Command not found!\n".to_owned()), "mod_voicemail")]
#[case::no_list("vm_fsdb_msg_list", Effect::Print("{}".to_owned()), "VM-List-Count")]
#[case::no_message("vm_fsdb_msg_get", Effect::Print("<xml/>".to_owned()), "an object of JSON")]
#[tokio::test]
async fn a20_a_list_that_cannot_be_read_loses_no_message(
    #[case] at: &str,
    #[case] effect: Effect,
    #[case] told: &str,
) {
    let switched = Switched::open(FreeSwitch, Sqlite).await;
    let (world, acme) = (&switched.world, &switched.world.acme);
    switched.put(acme, "1001", "5550001", 60).await;
    switched.look().await;
    switched.freeswitch.faults().add(Fault::at(at, effect).always());
    let unseen = switched.unseen().await;
    assert!(unseen.contains(told), "{unseen}");
    world.keep(acme, json!({"voicemail": 10})).await;
    let id = world.purge(acme).await;
    world.work().await;
    assert_eq!(world.report(acme, id).await.status, Partial);
    assert_eq!(switched.world.callers(acme).await, ["5550001"]);
    assert_eq!(switched.names(acme, "1001").len(), 1);
    switched.freeswitch.faults().clear();
    let id = world.purge(acme).await;
    world.work().await;
    assert_eq!(world.report(acme, id).await.status, Done);
    assert_eq!(switched.names(acme, "1001"), [""; 0]);
}

#[rstest]
#[tokio::test]
async fn a20_a_directory_that_is_another_one_is_not_looked_at(
    #[values(FreeSwitch, FusionPbx)] kind: PbxKind,
) {
    let switched = Switched::open(kind, Sqlite).await;
    let (world, acme) = (&switched.world, &switched.world.acme);
    switched.put(acme, "1001", "5550001", 60).await;
    switched.look().await;
    let aside = switched.root().with_file_name("aside");
    fs::rename(switched.root(), &aside).unwrap();
    fs::create_dir_all(switched.folder(acme, "1001")).unwrap();
    switched.unseen().await;
    world.keep(acme, json!({"voicemail": 10})).await;
    let id = world.purge(acme).await;
    world.work().await;
    assert_eq!(world.report(acme, id).await.status, Partial);
    assert_eq!(switched.world.callers(acme).await, ["5550001"]);
    assert_eq!(switched.listed().await.len(), 1);
    fs::remove_dir_all(switched.root()).unwrap();
    fs::rename(&aside, switched.root()).unwrap();
    switched.look().await;
    let id = world.purge(acme).await;
    world.work().await;
    assert_eq!(world.report(acme, id).await.status, Done);
    assert_eq!(switched.listed().await, [""; 0]);
}

#[rstest]
#[case("revoke delete on v_voicemail_messages from", "may not remove messages")]
#[case(
    "revoke select (caller_id_number) on v_voicemail_messages from",
    "permission denied"
)]
#[tokio::test]
async fn a20_a_right_that_lacks_is_told_by_the_connection_test(#[case] revoked: &str, #[case] told: &str) {
    let switched = Switched::open(FusionPbx, Sqlite).await;
    let check = |checks: Vec<Check>| {
        checks
            .into_iter()
            .find(|check| check.name == "mail_boxes")
            .unwrap()
    };
    let good = check(switched.driver().test().await);
    assert!(good.ok, "{good:?}");
    let InstanceSettings::FusionPbx(settings) = &switched.settings else {
        panic!();
    };
    let revoked = format!("{revoked} {}", settings.database_username);
    switched.fusionpbx.as_ref().unwrap().run(&revoked).await;
    let bad = check(switched.driver().test().await);
    assert!(!bad.ok && bad.detail.contains(told), "{bad:?}");
}

#[tokio::test]
async fn a20_a_directory_that_is_not_there_and_a_list_that_nobody_tells_fail_the_connection_test() {
    let switched = Switched::open(FreeSwitch, Sqlite).await;
    let check = |checks: Vec<Check>| {
        checks
            .into_iter()
            .find(|check| check.name == "mail_boxes")
            .unwrap()
    };
    let good = check(switched.driver().test().await);
    assert!(good.ok, "{good:?}");
    let missing = Effect::Print("-ERR vm_fsdb_msg_list Command not found!\n".to_owned());
    switched
        .freeswitch
        .faults()
        .add(Fault::at("vm_fsdb_msg_list", missing));
    let bad = check(switched.driver().test().await);
    assert!(!bad.ok && bad.detail.contains("mod_voicemail"), "{bad:?}");
    fs::remove_dir_all(switched.root().parent().unwrap()).unwrap();
    let bad = check(switched.driver().test().await);
    assert!(!bad.ok && bad.mend.unwrap().contains("voicemail_dir"));
}

#[tokio::test]
async fn a20_of_several_that_are_named_alike_in_one_box_none_is_taken_for_another_one() {
    let switched = Switched::open(FreeSwitch, Sqlite).await;
    let (world, acme) = (&switched.world, &switched.world.acme);
    let name = switched.put(acme, "1001", "5550001", 60).await;
    let path = switched.lay(acme, "1001", "msg_6f2b7c1e-0000-4000-8000-000000000001.wav", 5);
    switched
        .list(acme, "1001", (&name, "5550002"), ago(5), path)
        .await;
    let other = switched.put(acme, "1001", "5550003", 60).await;
    let unseen = switched.unseen().await;
    assert!(
        unseen.contains(&name) && unseen.contains("named alike"),
        "{unseen}"
    );
    world.keep(acme, json!({"voicemail": 10})).await;
    let id = world.purge(acme).await;
    world.work().await;
    assert_eq!(world.report(acme, id).await.status, Partial);
    assert_eq!(switched.names(acme, "1001").len(), 3);
    // Another one of that box can be removed all the same.
    let driver = switched.driver();
    let mail = driver.mail().unwrap();
    let (mailbox, other) = ("1001".parse().unwrap(), other.parse().unwrap());
    let removed = mail.remove(&acme.domain, &mailbox, &other, ago(0)).await;
    assert!(removed.unwrap());
    assert_eq!(switched.listed().await, [name.clone(), name]);
}

#[rstest]
#[case::a_directory_that_is_not_there("other", "is not there")]
#[case::the_one_above_it("..", "see whether that is the right one")]
#[tokio::test]
async fn a20_with_a_wrong_directory_nothing_is_said_to_have_gone(
    #[values(FreeSwitch, FusionPbx)] kind: PbxKind,
    #[case] wrong: &str,
    #[case] told: &str,
) {
    let switched = Switched::open(kind, Sqlite).await;
    let (world, acme) = (&switched.world, &switched.world.acme);
    world.extension(&inside(acme), "1001").await.unwrap();
    let name = switched.put(acme, "1001", "5550001", 60).await;
    let root = match wrong {
        ".." => switched.root().parent().unwrap().to_owned(),
        wrong => switched.root().with_file_name(wrong),
    };
    switched.lies_in(&root).await;
    let unseen = switched.unseen().await;
    assert!(unseen.contains(told), "{unseen}");
    world.keep(acme, json!({"voicemail": 10})).await;
    let id = world.purge(acme).await;
    world.work().await;
    assert_eq!(world.report(acme, id).await.status, Partial);
    let done = world.erased(acme, json!({"number": "5550001"})).await;
    assert_eq!(done.status, ErasureStatus::Partial, "{done:#?}");
    assert_eq!(switched.listed().await, [name]);
    assert_eq!(switched.names(acme, "1001").len(), 1);
}

#[rstest]
#[tokio::test]
async fn a22_who_has_called_is_known_of_a_sound_whose_entry_has_gone(#[values(20, 0)] days: i64) {
    let switched = Switched::open(FusionPbx, Sqlite).await;
    let (world, acme) = (&switched.world, &switched.world.acme);
    switched.put(acme, "1001", "5550001", days).await;
    switched.look().await;
    // As whoever was killed leaves it who had struck the entry.
    let fusionpbx = switched.fusionpbx.as_ref().unwrap();
    fusionpbx.run("delete from v_voicemail_messages").await;
    switched.look().await;
    assert_eq!(switched.world.callers(acme).await, ["5550001"]);
    assert_eq!(switched.world.messages(acme).await[0].found.seconds, Some(5));
    let done = world.erased(acme, json!({"number": "5550001"})).await;
    assert_eq!(done.status, ErasureStatus::Done, "{done:#?}");
    assert_eq!(amounts(&done)[1], ("voicemail", 1, 1, 0));
    assert_eq!(switched.names(acme, "1001"), [""; 0]);
}

#[tokio::test]
async fn a20_a_row_with_a_value_that_is_none_keeps_no_other_box_from_being_looked_at() {
    let switched = Switched::open(FusionPbx, Sqlite).await;
    let (acme, globex) = (&switched.world.acme, &switched.world.globex);
    let odd = switched.put(acme, "1001", "5550001", 60).await;
    switched.put(acme, "1002", "5550002", 60).await;
    switched.put(globex, "1001", "5550003", 60).await;
    let sql = format!(
        "update v_voicemail_messages set created_epoch = 1e30 where voicemail_message_uuid = '{odd}'"
    );
    switched.fusionpbx.as_ref().unwrap().run(&sql).await;
    switched.unseen().await;
    assert_eq!(switched.world.callers(acme).await, ["5550002"]);
    assert_eq!(switched.world.callers(globex).await, ["5550003"]);
}

#[tokio::test]
async fn a20_an_odd_answer_about_one_box_keeps_no_other_one_from_being_looked_at() {
    let switched = Switched::open(FreeSwitch, Sqlite).await;
    let (acme, globex) = (&switched.world.acme, &switched.world.globex);
    switched.put(acme, "1001", "5550001", 60).await;
    // A caller who chooses how his call is named.
    let path = switched.lay(acme, "1002", "msg_6f2b7c1e-0000-4000-8000-000000000001.wav", 5);
    switched
        .list(acme, "1002", ("a!b@host 1", "5550002"), ago(5), path)
        .await;
    switched.put(globex, "1001", "5550003", 60).await;
    // A box without a directory, of an extension that there is.
    switched.world.extension(&inside(globex), "1002").await.unwrap();
    fs::remove_dir(switched.folder(globex, "1002")).unwrap();
    let at = format!("vm_fsdb_msg_list json default {} 1002", globex.domain);
    let odd = Fault::at(at, Effect::Print("[]".to_owned())).always();
    switched.freeswitch.faults().add(odd);
    let unseen = switched.unseen().await;
    assert!(unseen.contains("callers choose the name"), "{unseen}");
    assert_eq!(switched.world.callers(acme).await, ["5550001"]);
    assert_eq!(switched.world.callers(globex).await, ["5550003"]);
}

#[rstest]
#[tokio::test]
async fn a20_a_box_whose_directory_has_gone_is_asked_for_all_the_same(
    #[values(FreeSwitch, FusionPbx)] kind: PbxKind,
) {
    let switched = Switched::open(kind, Sqlite).await;
    let acme = &switched.world.acme;
    let name = switched.put(acme, "1001", "5550001", 60).await;
    switched.put(acme, "1002", "5550002", 60).await;
    switched.look().await;
    fs::remove_dir_all(switched.folder(acme, "1001")).unwrap();
    let unseen = switched.unseen().await;
    assert!(unseen.contains(&name), "{unseen}");
    assert_eq!(switched.world.callers(acme).await, ["5550001", "5550002"]);
}

#[tokio::test]
async fn a22_an_entry_with_nothing_but_what_was_said_before_it_is_not_whole() {
    let switched = Switched::open(FusionPbx, Sqlite).await;
    let acme = &switched.world.acme;
    let id = "6f2b7c1e-0000-4000-8000-000000000001";
    let path = switched.lay(acme, "1001", &format!("intro_{id}.wav"), 1);
    switched.list(acme, "1001", (id, "5550001"), ago(1), path).await;
    let unseen = switched.unseen().await;
    assert!(unseen.contains(id), "{unseen}");
    let driver = switched.driver();
    let mail = driver.mail().unwrap();
    let (mailbox, message) = ("1001".parse().unwrap(), id.parse().unwrap());
    let removed = mail.remove(&acme.domain, &mailbox, &message, ago(0)).await;
    assert!(removed.is_err());
    assert_eq!(switched.listed().await, [id]);
}
