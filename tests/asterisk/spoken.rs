//! What is said on the running Asterisk and stays: a recorded call, and a message in a mail box.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::json;
use switchyard::app::extensions;
use switchyard::app::precondition::IfMatch;
use switchyard::domain::deployment::DeploymentStatus;

use super::calls::has_sound;
use super::support::ami::field;
use super::support::database::Backend::Sqlite;
use super::support::host::Host;
use super::support::media::Media;
use super::support::scan::tables_that_name;
use super::support::sipp::{Account, Sipp};
use super::support::victim::Victim;
use super::support::wait::until;

/// Whose extension it is, and who has left a message there.
pub const WHO: [&str; 2] = ["medlar", "+4930555123"];

impl Host {
    /// A phone of the first tenant, which is signed in.
    async fn signed_in(&self, number: &str) -> Account {
        let caller = &self.tenants[0].caller;
        let number_of = number.parse().unwrap();
        let found = extensions::find_by_number(&self.app, caller, &number_of).await;
        let id = found.unwrap().id;
        let shown = extensions::reveal_secret(&self.app, caller, id, &IfMatch::Any).await;
        let mut account = Account::new(number, &self.tenants[0].domain);
        account.secret = shown.unwrap().sip.unwrap().expose().to_owned();
        let mut register = self.phone("register", &account, &[("as", &account.address())]);
        assert!(register.ended().await, "{:#?}", register.heard());
        account
    }

    fn phone(&self, scenario: &str, account: &Account, keys: &[(&str, &str)]) -> Sipp {
        let pbx = &self.pbx;
        Sipp::start(scenario, pbx.private.sip(), account, keys, pbx.directory.path())
    }

    /// 1001 calls 1002, which is recorded.
    pub async fn recorded_call(&self) {
        let bobs = Media::start();
        let bob = self.signed_in("1002").await;
        let _bob = self.phone("answer", &bob, &[("media", &bobs.port())]);
        let port = format!(":{}", bob.port);
        until("1002 is reachable", || {
            let contacts = self.ami().list("PJSIPShowContacts", &[]);
            contacts.iter().any(|contact| {
                field(contact, "Uri").is_some_and(|uri| uri.contains(&port))
                    && field(contact, "Status") == Some("Reachable")
            })
        })
        .await;
        let anns = Media::start();
        let ann = self.signed_in("1001").await;
        let target = format!("1002@{}", ann.domain);
        let mut call = self.phone("call", &ann, &[("target", &target), ("media", &anns.port())]);
        call.status(200).await;
        anns.speak_to(call.media_of_the_other_side());
        until("1002 hears 1001", || bobs.hears_the_voice()).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        self.ami()
            .ask("Hangup", &[("Channel", "/^PJSIP.*/"), ("Cause", "16")]);
        assert!(call.ended().await, "{:#?}", call.heard());
        until("the recording is there", || {
            self.sounds("monitor").iter().any(|file| has_sound(file))
        })
        .await;
    }

    /// A caller from outside speaks into the mail box of 1001.
    pub async fn message(&self) {
        let box_of = format!("1001@{},s", self.tenants[0].domain);
        let caller = format!("Medlar <{}>", WHO[1]);
        let headers = [
            ("Channel", "Local/echo@switchyard-features/n"),
            ("Application", "VoiceMail"),
            ("Data", &box_of),
            ("CallerID", &caller),
            ("Async", "true"),
        ];
        let mut ami = self.ami();
        assert_eq!(
            field(&ami.ask("Originate", &headers), "Response"),
            Some("Success")
        );
        let speaks = || self.sounds("voicemail").iter().any(|file| is_long(file));
        until("somebody speaks", speaks).await;
        ami.ask("Hangup", &[("Channel", "/^Local.*/"), ("Cause", "16")]);
        until("the message is there", || {
            let texts = files(&self.spool("voicemail"));
            texts.iter().any(|file| file.ends_with("INBOX/msg0000.txt"))
        })
        .await;
    }

    pub fn spool(&self, what: &str) -> PathBuf {
        self.pbx.home().join("spool").join(what)
    }

    pub fn sounds(&self, what: &str) -> Vec<PathBuf> {
        let mut found = files(&self.spool(what));
        found.retain(|file| file.extension().is_some_and(|ending| ending == "wav"));
        found
    }

    /// The tables with rows that say who it was.
    pub async fn naming(&self) -> Vec<String> {
        tables_that_name(&self.database, &WHO).await
    }
}

fn is_long(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|metadata| metadata.len() > 60_000)
}

/// Every file below; none where there is no such directory.
pub fn files(below: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(below).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// A daemon that has both on record, of the first tenant's 1001.
pub async fn spoken() -> (Host, Victim) {
    let mut host = Host::new(Sqlite, 2).await;
    let own = json!({"name": "Medlar", "recording": "always", "voicemail": {"enabled": true}});
    host.patch(&host.tenants[0], own).await;
    let daemon = host.daemon();
    let deployment = host.request().await;
    assert_eq!(host.ended(&deployment).await.0.status, DeploymentStatus::Live);
    host.recorded_call().await;
    host.message().await;
    let deadline = Instant::now() + Duration::from_mins(1);
    while host.ask("select call from call_records").await.is_empty() {
        assert!(Instant::now() < deadline, "the call is not on record");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    (host, daemon)
}
