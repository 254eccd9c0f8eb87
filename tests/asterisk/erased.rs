//! Somebody is erased of whom the running Asterisk and the daemon made all that there is: a recorded call, a message, a name.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::json;
use switchyard::app::precondition::IfMatch;
use switchyard::app::{audit_log, erasures, operator};
use switchyard::domain::deployment::DeploymentStatus;
use switchyard::domain::erasure::{Erasure, ErasureStatus};

use super::spoken::{WHO, files, spoken};
use super::support::host::Host;

impl Host {
    async fn erased(&self, whom: serde_json::Value) -> Erasure {
        let caller = &self.tenants[0].caller;
        let input = serde_json::from_value(whom).unwrap();
        let asked = erasures::request(&self.app, caller, input, None).await;
        let id = asked.unwrap().into_inner().id;
        erasures::run(&self.app, caller, id, &IfMatch::Any, None)
            .await
            .unwrap();
        let deadline = Instant::now() + Duration::from_mins(2);
        loop {
            let now = erasures::find(&self.app, caller, id).await.unwrap();
            if now.status != ErasureStatus::Running {
                return now;
            }
            assert!(Instant::now() < deadline, "{now:#?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test]
async fn a22_of_a_call_and_a_message_that_asterisk_recorded_nothing_is_left_in_its_spool_or_the_database() {
    let (mut host, _daemon) = spoken().await;
    let before = host.naming().await;
    for table in ["audit_entries", "call_record_parts", "call_records", "extensions"] {
        assert!(before.iter().any(|naming| naming == table), "{before:?}");
    }
    assert_eq!(host.sounds("monitor").len(), 1);

    let extension = host.tenants[0].extension;
    let done = host.erased(json!({"extension": extension})).await;
    assert_eq!(done.status, ErasureStatus::Done, "{done:#?}");
    let counts = |place: &str| {
        let part = done
            .parts
            .iter()
            .find(|part| part.place.as_str() == place)
            .unwrap();
        (part.found.unwrap(), part.erased, part.kept)
    };
    for place in ["recordings", "voicemail", "call_records", "extension"] {
        assert_eq!(counts(place), (1, 1, 0), "{place}");
    }
    for what in ["monitor", "voicemail"] {
        assert_eq!(files(&host.spool(what)), Vec::<PathBuf>::new(), "{what}");
    }
    // What was deployed is told as what stays; the next deploy takes it from the PBX.
    let left = host.naming().await;
    assert_eq!(left, ["revisions"]);
    let live = host.config_dir().join("live/");
    let serves = || {
        let texts = files(&live);
        let texts = texts
            .iter()
            .map(|file| fs::read_to_string(file).unwrap().to_lowercase());
        texts.filter(|text| text.contains(WHO[0])).count()
    };
    assert!(serves() > 0);
    let deployment = host.request().await;
    assert_eq!(host.ended(&deployment).await.0.status, DeploymentStatus::Live);
    assert_eq!(serves(), 0);
    let log = audit_log::verify(&host.app, &operator::platform(None), None).await;
    assert!(log.unwrap().ok);
}
