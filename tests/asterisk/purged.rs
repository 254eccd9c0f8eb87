//! What the running Asterisk and the daemon made of a call and a message goes once it is kept no longer.

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use switchyard::app::precondition::IfMatch;
use switchyard::app::{purges, retention};
use switchyard::domain::clock::{Clock as _, SystemClock};
use switchyard::domain::purge::{Purge, PurgeStatus};
use switchyard::domain::retention::RetentionKind;

use super::spoken::{files, spoken};
use super::support::host::Host;

fn days_ago(days: i64) -> Timestamp {
    SystemClock.now() - SignedDuration::from_hours(24 * days)
}

impl Host {
    /// All that was recorded and left is so many days old.
    async fn ages(&self, days: i64) {
        let then = days_ago(days);
        for file in ["monitor", "voicemail"]
            .iter()
            .flat_map(|what| files(&self.spool(what)))
        {
            if file.extension().is_some_and(|ending| ending == "txt") {
                let text = fs::read_to_string(&file).unwrap();
                let lines = text.lines().map(|line| match line.split_once('=') {
                    Some(("origtime", _)) => format!("origtime={}\n", then.as_second()),
                    _ => format!("{line}\n"),
                });
                fs::write(&file, lines.collect::<String>()).unwrap();
            }
            let open = File::options().write(true).open(&file).unwrap();
            open.set_modified(SystemTime::from(then)).unwrap();
        }
        // Whose the domain was then is known.
        let tenures = "update domain_tenures set since = since - 864000000000 returning domain";
        assert!(!self.ask(tenures).await.is_empty());
        let began = then.as_microsecond();
        let aged = format!("update call_records set started_at = {began} returning call");
        assert_eq!(self.ask(&aged).await.len(), 1);
        // A file that was written to since it was looked at is not old.
        let seen = format!(
            "select path from recordings where written_at < {}",
            began + 1_000_000
        );
        let deadline = Instant::now() + Duration::from_mins(2);
        while self.ask(&seen).await.is_empty() {
            assert!(Instant::now() < deadline, "nobody looks at the recording");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn purged(&self) -> Purge {
        let caller = &self.tenants[0].caller;
        let asked = purges::request(&self.app, caller, &IfMatch::Any, None).await;
        let id = asked.unwrap().into_inner().id;
        let deadline = Instant::now() + Duration::from_mins(2);
        loop {
            let now = purges::find(&self.app, caller, id).await.unwrap();
            if !matches!(now.status, PurgeStatus::Running) {
                return now;
            }
            assert!(Instant::now() < deadline, "{now:#?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test]
async fn a20_of_a_call_and_a_message_that_asterisk_recorded_nothing_is_left_once_they_are_kept_no_longer() {
    let (host, _daemon) = spoken().await;
    let policy = json!({"call_records": 3, "recordings": 3, "voicemail": 3});
    let policy = serde_json::from_value(policy).unwrap();
    let caller = &host.tenants[0].caller;
    retention::replace(&host.app, caller, policy, &IfMatch::Any)
        .await
        .unwrap();
    // As old as today, all of it stays.
    let kept = host.purged().await;
    assert_eq!(kept.status, PurgeStatus::Done, "{kept:#?}");
    assert!(kept.parts.iter().all(|part| part.removed == 0), "{kept:#?}");
    assert!(!files(&host.spool("monitor")).is_empty() && !files(&host.spool("voicemail")).is_empty());

    host.ages(4).await;
    let purged = host.purged().await;
    assert_eq!(purged.status, PurgeStatus::Done, "{purged:#?}");
    for kind in [
        RetentionKind::CallRecords,
        RetentionKind::Recordings,
        RetentionKind::Voicemail,
    ] {
        let parts = purged.parts.iter().filter(|part| part.kind == kind);
        let removed: i64 = parts.map(|part| part.removed).sum();
        assert_eq!(removed, 1, "{kind:?}: {purged:#?}");
    }
    for what in ["monitor", "voicemail"] {
        let mut left = files(&host.spool(what));
        // Which directory this is.
        left.retain(|file| !file.ends_with("switchyard/.switchyard-recordings"));
        assert_eq!(left, Vec::<PathBuf>::new(), "{what}");
    }
    for table in [
        "call_records",
        "call_record_parts",
        "recordings",
        "voicemail_messages",
    ] {
        let left = host.ask(&format!("select 'left' from {table}")).await;
        assert_eq!(left, [""; 0], "{table}");
    }
    // Who has left the message stands nowhere any more; whose extension it is is in what is deployed, and in the log.
    let naming = host.naming().await;
    assert_eq!(naming, ["audit_entries", "extensions", "revisions"]);
}
