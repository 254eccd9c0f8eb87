//! What the running Asterisk has recorded is played back as it was said.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::json;
use switchyard::app::error::AppError;
use switchyard::app::recordings::{self, Bytes, Use};
use switchyard::domain::deployment::DeploymentStatus;
use switchyard::domain::ids::SystemIds;
use switchyard::domain::recording::RecordingQuery;
use switchyard::monitor::recordings::search;
use switchyard::store::instances;

use super::support::database::{Backend::Sqlite, key};
use super::support::host::Host;

/// Of a WAV file, what stands before the sound.
const HEADER: usize = 44;

impl Host {
    /// Looks at the disk as the daemon does each half minute.
    async fn search(&self) {
        let store = self.database.another_store(Some(key('a'))).await;
        let mut tx = store.read("instance").await.unwrap();
        let found = instances::find(&mut tx, self.instance).await.unwrap().unwrap();
        drop(tx);
        search(&store, &SystemIds, &found).await.unwrap();
    }
}

#[tokio::test]
async fn a12_what_asterisk_recorded_of_a_real_call_is_played_back_as_it_was_said() {
    let mut host = Host::new(Sqlite, 2).await;
    host.patch(&host.tenants[0], json!({"recording": "always"})).await;
    let _daemon = host.daemon();
    let deployment = host.request().await;
    assert_eq!(host.ended(&deployment).await.0.status, DeploymentStatus::Live);
    host.recorded_call().await;
    let deadline = Instant::now() + Duration::from_mins(1);
    while host.ask("select call from call_records").await.is_empty() {
        assert!(Instant::now() < deadline, "the call is not on record");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    host.search().await;
    let caller = &host.tenants[0].caller;
    let page = recordings::list(&host.app, caller, &RecordingQuery::default())
        .await
        .unwrap();
    let [recording] = &page.recordings[..] else {
        panic!("{:#?}", page.recordings);
    };
    assert!(recording.call_id.is_some());
    let written = fs::read(&host.sounds("monitor")[0]).unwrap();

    let opened = recordings::open(&host.app, caller, Use::Listen, recording.id, |length| {
        assert_eq!(length, u64::try_from(written.len()).unwrap());
        Ok::<_, AppError>(Bytes::Whole)
    });
    let mut sound = opened.await.unwrap();
    let mut heard = Vec::new();
    loop {
        let piece = sound.next().await.unwrap();
        if piece.is_empty() {
            break;
        }
        heard.extend(piece);
    }
    assert!(heard == written && heard.starts_with(b"RIFF") && &heard[8..12] == b"WAVE");
    // Samples of 16 bits, 8,000 a second: somebody has spoken.
    let samples = heard[HEADER..].chunks_exact(2);
    let loud = samples.filter(|sample| i16::from_le_bytes([sample[0], sample[1]]).unsigned_abs() > 1_000);
    assert!(loud.count() > 1_000, "it is silent");
    assert_eq!(
        host.ask("select action from audit_entries where action like 'recording.%'")
            .await,
        ["recording.listen"]
    );
    // Nobody of another tenant hears it.
    let stranger = &host.tenants[1].caller;
    let refused = recordings::open(&host.app, stranger, Use::Listen, recording.id, |_| {
        Ok::<_, AppError>(Bytes::Whole)
    });
    assert!(matches!(refused.await.err(), Some(AppError::NotFound)));
}
