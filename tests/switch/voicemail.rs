//! `mod_voicemail`'s list of messages, as its source has it, asked over the event socket.

use std::fs;

use switchyard::wire::esl::Error;

use crate::freeswitch::{Effect, Fault, FreeSwitch, Message};
use crate::rig::{LONG, word};

#[tokio::test]
async fn a_list_a_message_and_a_removal_are_of_one_box() {
    let mut freeswitch = FreeSwitch::start().await;
    let folder = tempfile::tempdir().unwrap();
    for (at, (uuid, domain, mailbox, read)) in [
        ("0f-1", "demo.local", "1001", 0),
        ("0f-2", "demo.local", "1001", 5),
        ("0f-1", "demo.local", "1002", 0),
        ("0f-1", "other.local", "1001", 0),
        ("0f-3", "demo.local", "1001", 0),
        ("0f-3", "demo.local", "1001", 7),
    ]
    .into_iter()
    .enumerate()
    {
        let path = folder.path().join(at.to_string());
        fs::write(&path, "hello").unwrap();
        freeswitch.voicemail().messages.push(Message {
            uuid: uuid.to_owned(),
            domain: domain.to_owned(),
            mailbox: mailbox.to_owned(),
            created: 1_795_969_452,
            read,
            caller_name: "</cid-name>\n</message>".to_owned(),
            caller_number: "\"1002\"".to_owned(),
            path,
            flags: String::new(),
        });
    }
    let client = freeswitch.client().await;
    let (mailbox, domain) = (word("1001"), word("demo.local"));
    let listed = client.voice_messages(&mailbox, &domain, LONG).await.unwrap();
    let listed: Vec<(&str, usize)> = listed
        .iter()
        .map(|(name, count)| (name.as_str(), *count))
        .collect();
    assert_eq!(listed, [("0f-1", 1), ("0f-2", 1), ("0f-3", 2)]);
    let of = async |uuid| {
        let asked = client.voice_message(&mailbox, &domain, &word(uuid), LONG).await;
        asked.unwrap()
    };
    let heard = of("0f-2").await.unwrap();
    assert_eq!((heard.heard_at, heard.left_at), (5, 1_795_969_452));
    assert_eq!(heard.caller_number, "\"1002\"");
    // Of several the last one.
    assert_eq!(of("0f-3").await.unwrap().heard_at, 7);
    assert_eq!(of("0f-9").await, None);
    // A yes, whatever it did.
    for uuid in ["0f-9", "0f-1"].map(word) {
        let deleted = client.delete_voice_message(&mailbox, &domain, &uuid, LONG);
        deleted.await.unwrap();
    }
    assert_eq!(of("0f-1").await, None);
    assert_eq!(freeswitch.voicemail().messages.len(), 5);
    assert!(!folder.path().join("0").exists());
    assert!((1..6).all(|at| folder.path().join(at.to_string()).exists()));
}

#[tokio::test]
async fn without_the_module_there_is_no_empty_list() {
    let mut freeswitch = FreeSwitch::start().await;
    let missing = Effect::Print("-ERR vm_fsdb_msg_list Command not found!\n".to_owned());
    freeswitch.faults().add(Fault::at("vm_fsdb_msg_list", missing));
    let client = freeswitch.client().await;
    let listed = client
        .voice_messages(&word("1001"), &word("demo.local"), LONG)
        .await;
    assert!(matches!(listed, Err(Error::Refused { .. })), "{listed:?}");
}
