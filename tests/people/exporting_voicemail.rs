//! Messages of mail boxes in exports: each with what was said in it, from a real Asterisk, or with why not.

use std::fs;

use rstest::rstest;
use serde_json::{Value, json};
use switchyard::app::exports::Job;
use switchyard::domain::ids::{SystemIds, VoicemailId};
use switchyard::domain::tenant::Tenant;
use switchyard::domain::voicemail::{FoundMessage, MailFolder};
use switchyard::store::voicemail;
use tokio::sync::mpsc::Receiver;

use super::exported::Archive;
use super::mail_boxes::Mailed;
use super::purging::{ago, inside};
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::World;

impl World {
    /// A message in a mail box that was left so many days ago by this number, as it is known.
    pub async fn message(&self, tenant: &Tenant, mailbox: &str, caller: &str, days: i64) {
        let left_at = ago(days);
        let found = FoundMessage {
            mailbox: mailbox.parse().unwrap(),
            folder: MailFolder::Inbox,
            id: format!("{}-0000000a", left_at.as_second()).parse().unwrap(),
            left_at,
            caller: caller.parse().ok(),
            seconds: Some(5),
            bytes: 100,
        };
        let mut tx = self.store.begin("message").await.unwrap();
        let id = VoicemailId::fresh(&SystemIds);
        voicemail::put(&mut tx, id, tenant.id, tenant.instance_id, &tenant.domain, &found)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }
}

impl Mailed {
    /// A message in which this is said.
    fn say(&self, tenant: &Tenant, mailbox: &str, number: usize, days: i64, words: &str) {
        self.put(tenant, mailbox, number, days);
        let sound = self.folder(tenant, mailbox).join(format!("msg{number:04}.wav"));
        fs::write(sound, words).unwrap();
    }

    /// An archive of Acme.
    async fn exported(&self, maker: &mut Receiver<Job>, subject: Value) -> Archive {
        let owner = inside(&self.world.acme);
        let archive = self.world.exported(maker, &owner, subject).await.unwrap();
        assert!(archive.is_whole);
        archive.check();
        archive
    }
}

/// What is said in the messages of an archive, by mail box and caller.
fn said(archive: &Archive) -> Vec<String> {
    let mut said = Vec::new();
    for row in archive.rows("voicemail") {
        let words = row["file"].as_str().map_or_else(
            || row["missing"].as_str().unwrap().to_owned(),
            |file| String::from_utf8(archive.files[file].clone()).unwrap(),
        );
        let of = |field: &str| row[field].as_str().unwrap().to_owned();
        said.push(format!("{} {}: {words}", of("mailbox"), of("caller")));
    }
    said.sort();
    said
}

#[rstest]
#[tokio::test]
async fn a46_an_export_holds_what_callers_said_in_mail_boxes_and_nothing_of_another_tenants(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let mailed = Mailed::open(backend).await;
    let (world, acme) = (&mailed.world, &mailed.world.acme);
    let mut maker = world.maker();
    let ann = world.extension(&inside(acme), "1001").await.unwrap();
    mailed.say(acme, "1001", 0, 40, "long ago");
    mailed.say(acme, "1001", 1, 9, "hello Ann");
    mailed.say(acme, "1002", 1, 5, "hello Bob");
    mailed.say(acme, "1002", 2, 5, "");
    mailed.say(&world.globex, "1001", 1, 5, "hello Eve");
    mailed.look().await;
    let archive = mailed.exported(&mut maker, json!({"tenant": true})).await;
    assert_eq!(
        said(&archive),
        [
            "1001 5550000: long ago",
            "1001 5550001: hello Ann",
            "1002 5550001: hello Bob",
            "1002 5550002: "
        ]
    );
    let rows = archive.rows("voicemail");
    assert!(
        rows.iter().all(|row| {
            row["file"] == json!(format!("voicemail/{}.wav", row["id"].as_str().unwrap()))
                && row["domain"] == json!(acme.domain)
                && row["folder"] == "INBOX"
                && row["seconds"] == 5
        }),
        "{rows:?}"
    );
    assert_eq!(
        archive.manifest()["voicemail"],
        json!({"files": 4, "bytes": 26, "missing": {}})
    );
    assert_eq!(archive.manifest()["kinds"]["voicemail"]["rows"], 4);
    assert!(!archive.holds("hello Eve"));
    let came_of = world.came_of().await;
    assert_eq!(
        (&came_of["voicemail"], &came_of["voicemail_missing"]),
        (&json!(4), &json!({}))
    );

    let of_ann = mailed.exported(&mut maker, json!({"extension": ann.id})).await;
    assert_eq!(
        said(&of_ann),
        ["1001 5550000: long ago", "1001 5550001: hello Ann"]
    );
    assert!(!of_ann.holds("hello Bob"));
    let since = mailed
        .exported(
            &mut maker,
            json!({"extension": ann.id, "from": ago(20), "to": ago(1)}),
        )
        .await;
    assert_eq!(said(&since), ["1001 5550001: hello Ann"]);
    let of_caller = mailed.exported(&mut maker, json!({"number": "5550001"})).await;
    assert_eq!(
        said(&of_caller),
        ["1001 5550001: hello Ann", "1002 5550001: hello Bob"]
    );
    let of_both = mailed
        .exported(&mut maker, json!({"number": "1002", "to": ago(1)}))
        .await;
    assert_eq!(said(&of_both), ["1002 5550001: hello Bob", "1002 5550002: "]);
}

#[rstest]
#[tokio::test]
async fn a46_a_message_that_cannot_be_had_is_told_with_why_and_keeps_nothing_else_back(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let mailed = Mailed::open(backend).await;
    let (world, acme) = (&mailed.world, &mailed.world.acme);
    let mut maker = world.maker();
    for number in 0..3 {
        mailed.say(acme, "1001", number, 9, "hello");
    }
    mailed.look().await;
    // One that its owner has deleted since, and one of which the text is left alone.
    let folder = mailed.folder(acme, "1001");
    for name in ["msg0001.txt", "msg0001.wav", "msg0002.wav"] {
        fs::remove_file(folder.join(name)).unwrap();
    }
    let archive = mailed.exported(&mut maker, json!({"tenant": true})).await;
    assert_eq!(
        said(&archive),
        [
            "1001 5550000: hello",
            "1001 5550001: file_is_not_there",
            "1001 5550002: file_is_not_there"
        ]
    );
    assert_eq!(
        archive.manifest()["voicemail"],
        json!({"files": 1, "bytes": 5, "missing": {"file_is_not_there": 2}})
    );
    super::support::pbx::kill(super::support::pbx::pid(&mailed.pbx.pbx.home()));
    let archive = mailed.exported(&mut maker, json!({"tenant": true})).await;
    assert_eq!(
        archive.manifest()["voicemail"],
        json!({"files": 0, "bytes": 0, "missing": {"pbx_does_not_answer": 3}})
    );
    world
        .texts("update instances set node = 'another' returning name")
        .await;
    let archive = mailed.exported(&mut maker, json!({"tenant": true})).await;
    assert_eq!(
        archive.manifest()["voicemail"]["missing"],
        json!({"other_host": 3})
    );
}
