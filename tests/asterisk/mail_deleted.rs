//! Messages that Asterisk keeps though their owner has deleted them.

use std::fs;

use super::mail::Mailed;
use super::office::ACME;

impl Mailed {
    /// Has Asterisk keep so many messages of each box that were deleted.
    fn keep_deleted(&self, count: usize) {
        let pbx = &self.office.bench.pbx;
        let path = pbx.home().join("etc/voicemail.conf");
        let text = fs::read_to_string(&path).unwrap();
        let kept = format!("[general]\nbackupdeleted = {count}");
        fs::write(&path, text.replace("[general]", &kept)).unwrap();
        pbx.ami().console("voicemail reload");
    }
}

#[tokio::test]
async fn a20_what_asterisk_keeps_of_deleted_messages_goes_too() {
    let mailed = Mailed::open().await;
    mailed.keep_deleted(10);
    mailed.put("1001", "INBOX", 0, "\"Ann\" <5550001>");
    mailed.put("1001", "Old", 1, "\"Bob\" <5550002>");
    mailed.put("1001", "Deleted", 2, "\"Eve\" <5550003>");
    for caller in ["5550001", "5550003"] {
        assert!(mailed.remove("1001", caller).await.unwrap(), "{caller}");
    }
    assert_eq!(mailed.callers("1001").await, ["5550002"]);
    for folder in ["INBOX", "Deleted"] {
        assert_eq!(mailed.names("1001", folder), [""; 0], "{folder}");
    }
}

#[tokio::test]
async fn a20_one_that_goes_puts_out_no_other_that_asterisk_keeps_of_deleted_messages() {
    let mailed = Mailed::open().await;
    mailed.keep_deleted(2);
    mailed.put("1001", "INBOX", 0, "\"Ann\" <5550001>");
    mailed.put("1001", "INBOX", 1, "\"Bob\" <5550002>");
    for (number, caller) in ["5550003", "5550004"].iter().enumerate() {
        mailed.put("1001", "Deleted", number, &format!("\"Eve\" <{caller}>"));
        let text = mailed
            .folder(ACME, "1001", "Deleted")
            .join(format!("msg{number:04}.txt"));
        // Each box has numbers of its own.
        let other = fs::read_to_string(&text)
            .unwrap()
            .replace("1700000000", "1700000001");
        fs::write(&text, other).unwrap();
    }
    assert!(mailed.remove("1001", "5550001").await.unwrap());
    assert_eq!(mailed.callers("1001").await, ["5550002", "5550003", "5550004"]);
    assert_eq!(mailed.new_messages("1001"), "1");
}

/// Where it is full, Asterisk moves each one down as far as to a gap, and puts the next one over the last.
#[tokio::test]
async fn a20_what_goes_from_deleted_messages_leaves_room_for_the_next_ones_that_are_deleted() {
    let mailed = Mailed::open().await;
    mailed.keep_deleted(5);
    for number in 0..5 {
        mailed.put("1001", "Deleted", number, &format!("\"C\" <555000{number}>"));
    }
    for caller in ["5550000", "5550002"] {
        assert!(mailed.remove("1001", caller).await.unwrap(), "{caller}");
    }
    // Its owner deletes one.
    mailed.put("1001", "INBOX", 0, "\"Ann\" <5550009>");
    let message = mailed.messages("1001").await.remove(0);
    let headers = [
        ("Context", ACME),
        ("Mailbox", "1001"),
        ("Folder", "INBOX"),
        ("ID", message.id.as_str()),
    ];
    mailed.office.bench.pbx.ami().ask("VoicemailRemove", &headers);
    assert_eq!(mailed.names("1001", "INBOX"), [""; 0]);
    assert_eq!(
        mailed.callers("1001").await,
        ["5550001", "5550003", "5550004", "5550009"]
    );
    let names = mailed.names("1001", "Deleted");
    let numbers: Vec<_> = names
        .iter()
        .filter_map(|name| name.strip_suffix(".txt"))
        .collect();
    assert_eq!(numbers, ["msg0000", "msg0001", "msg0002", "msg0003"]);
}
