//! What a FreeSWITCH leaves of a message that it was to remove: an entry whose sound it may not remove, or a sound that nothing names.

use std::fs;

use serde_json::json;
use switchyard::domain::erasure::ErasureStatus;
use switchyard::domain::instance::PbxKind::FreeSwitch;

use super::freeswitch::{Effect, Fault};
use super::support::database::Backend::Sqlite;
use super::switched_mail::Switched;

/// As where its owner deletes it by phone, and FreeSWITCH cannot remove the file: it takes the entry off all the same.
#[tokio::test]
async fn a22_a_message_has_not_gone_with_its_entry_where_a_sound_lies_that_may_be_its() {
    let switched = Switched::open(FreeSwitch, Sqlite).await;
    let (world, acme) = (&switched.world, &switched.world.acme);
    switched.put(acme, "1001", "5550001", 20).await;
    switched.put(acme, "1002", "5550001", 20).await;
    // Of another day, and so of another message.
    switched.lay(acme, "1002", "msg_6f2b7c1e-0000-4000-8000-000000000002.wav", 19);
    switched.look().await;
    let message = switched.world.messages(acme).await.remove(0);
    let found = &message.found;
    switched.freeswitch.voicemail().messages.clear();
    for name in switched.names(acme, "1002") {
        if !name.contains("000000000002") {
            fs::remove_file(switched.folder(acme, "1002").join(name)).unwrap();
        }
    }
    let unseen = switched.unseen().await;
    assert!(unseen.contains("may lie there all the same"), "{unseen}");
    // The other one has gone with its sound.
    let mut known = switched.world.callers(acme).await;
    known.sort();
    assert_eq!(known, ["-", "-", "5550001"]);
    let driver = switched.driver();
    let mail = driver.mail().unwrap();
    for told in [
        mail.remove(&acme.domain, &found.mailbox, &found.id, found.left_at)
            .await,
        mail.holds(&acme.domain, &found.mailbox, &found.id, found.left_at)
            .await,
    ] {
        let told = told.unwrap_err().full();
        assert!(told.contains("may be its lies there"), "{told}");
    }
    for _ in 0..2 {
        let erased = world.erased(acme, json!({"number": "5550001"})).await;
        assert_eq!(erased.status, ErasureStatus::Partial, "{erased:#?}");
    }
    assert_eq!(switched.names(acme, "1001").len(), 1);
    // Once that sound has gone, so has the message.
    let lying = switched.names(acme, "1001").remove(0);
    fs::remove_file(switched.folder(acme, "1001").join(lying)).unwrap();
    assert!(
        !mail
            .remove(&acme.domain, &found.mailbox, &found.id, found.left_at)
            .await
            .unwrap()
    );
    let erased = world.erased(acme, json!({"number": "5550001"})).await;
    assert_eq!(erased.status, ErasureStatus::Done, "{erased:#?}");
}

#[tokio::test]
async fn a20_a_yes_of_freeswitch_is_not_believed() {
    let switched = Switched::open(FreeSwitch, Sqlite).await;
    let acme = &switched.world.acme;
    switched.put(acme, "1001", "5550001", 60).await;
    switched.look().await;
    let message = switched.world.messages(acme).await.remove(0);
    let (domain, found) = (&acme.domain, &message.found);
    let driver = switched.driver();
    let mail = driver.mail().unwrap();
    let remove = || mail.remove(domain, &found.mailbox, &found.id, found.left_at);
    // Its database takes no change: it stands in the list, and what it says is yes.
    switched.freeswitch.voicemail().keeps_rows = true;
    switched.freeswitch.voicemail().keeps_files = true;
    let told = remove().await.unwrap_err().full();
    assert!(told.contains("lists it all the same"), "{told}");
    assert_eq!(switched.names(acme, "1001").len(), 1);
    // There was no mark to take off.
    for unmarking in ["vm_fsdb_msg_undelete", "vm_fsdb_msg_save"] {
        assert!(switched.freeswitch.journal().with(unmarking).is_empty());
    }
    // It may not remove the file.
    switched.freeswitch.voicemail().keeps_rows = false;
    for flags in ["", "save", "delete"] {
        flags.clone_into(&mut switched.freeswitch.voicemail().messages[0].flags);
        let told = remove().await.unwrap_err().full();
        assert!(told.contains("lists it all the same"), "{told}");
        assert_eq!(switched.names(acme, "1001").len(), 1);
        // Its owner has it as before.
        assert_eq!(switched.freeswitch.voicemail().messages[0].flags, flags);
    }
    switched.freeswitch.voicemail().keeps_files = false;
    assert!(remove().await.unwrap());
    assert_eq!(switched.names(acme, "1001"), [""; 0]);
    assert_eq!(switched.listed().await, [""; 0]);
}

#[tokio::test]
async fn a22_a_mark_is_taken_off_whatever_freeswitch_answers_meanwhile() {
    let switched = Switched::open(FreeSwitch, Sqlite).await;
    let acme = &switched.world.acme;
    switched.put(acme, "1001", "5550001", 60).await;
    switched.look().await;
    let message = switched.world.messages(acme).await.remove(0);
    let (domain, found) = (&acme.domain, &message.found);
    let driver = switched.driver();
    let mail = driver.mail().unwrap();
    let remove = || mail.remove(domain, &found.mailbox, &found.id, found.left_at);
    switched.freeswitch.voicemail().keeps_files = true;
    let odd = || Effect::Print("?".to_owned());
    for (at, effect) in [
        ("vm_fsdb_msg_delete", odd()),
        ("vm_fsdb_msg_purge", odd()),
        ("vm_fsdb_msg_delete", Effect::CloseDone),
        ("vm_fsdb_msg_purge", Effect::CloseDone),
    ] {
        let named = format!("{at}: {effect:?}");
        switched.freeswitch.faults().add(Fault::at(at, effect));
        remove().await.unwrap_err();
        assert_eq!(switched.freeswitch.voicemail().messages[0].flags, "", "{named}");
        switched.freeswitch.faults().clear();
    }
    switched.freeswitch.voicemail().keeps_files = false;
    assert!(remove().await.unwrap());
    assert_eq!(switched.listed().await, [""; 0]);
}
