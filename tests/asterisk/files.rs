//! The files of a generation: swapped whole, kept where they did not change, and read again only where they did.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::{Value, json};
use switchyard::domain::artifact::Artifact::{self, Extensions, Pjsip, Voicemail};
use switchyard::domain::instance::PbxKind;
use switchyard::driver::{Drifted, PbxDriver};

use super::support::ami::{Ami, field};
use super::support::bench::{Bench, codes};
use super::support::tenants::{TestTenant, Texts, generation};

fn tenant(ring_time: u16, count: usize) -> TestTenant {
    let extensions: Vec<Value> = (0..count)
        .map(|index| {
            json!({"number": (1000 + index).to_string(), "name": "Ann", "ring_time": ring_time,
                   "voicemail": {"enabled": true}})
        })
        .collect();
    TestTenant::new("acme.example.com", &extensions)
}

/// Inode and time of change of each live file.
fn live_files(bench: &Bench) -> BTreeMap<Artifact, (u64, i64, i64)> {
    let live = bench.pbx.home().join("config/live");
    let identity = |file: &Artifact| {
        let metadata = fs::metadata(live.join(file.as_str())).unwrap();
        (*file, (metadata.ino(), metadata.mtime(), metadata.mtime_nsec()))
    };
    Artifact::of(PbxKind::Asterisk).iter().map(identity).collect()
}

#[tokio::test]
async fn what_did_not_change_stays_the_same_file_and_is_not_read_again() {
    let mut bench = Bench::start().await;
    bench.serve(&[tenant(20, 3)]).await;
    let before = live_files(&bench);
    let mut ami = Ami::listening(&bench.pbx.private);

    // A ring time stands in the dialplan alone.
    let (texts, expected) = generation(&[tenant(25, 3)]);
    bench.stage(&texts).await;
    bench.apply(&[Extensions]).await;
    assert_eq!(bench.verify(&expected).await, []);

    let after = live_files(&bench);
    assert_eq!(
        (after[&Pjsip], after[&Voicemail]),
        (before[&Pjsip], before[&Voicemail])
    );
    assert_ne!(after[&Extensions], before[&Extensions]);

    // The next order that is heard of came later than every reload.
    bench.apply(&[Voicemail]).await;
    let is_reload_of = |event: &super::support::ami::Fields, file: Artifact| {
        field(event, "Event") == Some("Reload") && field(event, "Module") == Some(file.module())
    };
    let heard = ami.heard_until(|event| is_reload_of(event, Voicemail));
    assert_eq!(
        heard
            .iter()
            .filter(|event| is_reload_of(event, Extensions))
            .count(),
        1
    );
    assert_eq!(heard.iter().filter(|event| is_reload_of(event, Pjsip)).count(), 0);
}

#[tokio::test]
async fn a_changed_file_of_the_same_size_is_read() {
    let mut bench = Bench::start().await;
    // Asterisk takes a file for unchanged by its size and its time; both names are of one length.
    for name in ["Ann", "Eve", "Ann", "Eve"] {
        let extension = json!({"number": "1001", "name": name});
        bench
            .serve(&[TestTenant::new("acme.example.com", &[extension])])
            .await;
    }
}

#[tokio::test]
async fn a_rollback_makes_the_former_files_live_again() {
    let mut bench = Bench::start().await;
    let (_, former) = bench.serve(&[tenant(20, 3)]).await;
    let before = live_files(&bench);
    bench.serve(&[tenant(25, 2)]).await;
    assert!(!bench.verify(&former).await.is_empty());
    bench
        .driver
        .apply(1, Artifact::of(PbxKind::Asterisk))
        .await
        .unwrap();
    assert_eq!(bench.verify(&former).await, []);
    assert_eq!(live_files(&bench), before);
    assert_eq!(bench.driver.standing().await.unwrap(), Some(1));
}

#[tokio::test]
async fn a_file_that_was_edited_where_it_lies_is_named_and_replaced() {
    let mut bench = Bench::start().await;
    let (texts, expected) = bench.serve(&[tenant(20, 3)]).await;
    let live = bench.pbx.home().join("config/live/pjsip.conf");
    fs::write(
        &live,
        texts[&Pjsip].replace("context=acme.example.com", "context=evil"),
    )
    .unwrap();
    bench.apply(&[Pjsip]).await;
    assert!(codes(&bench.verify(&expected).await).contains(&"endpoint_altered"));

    let mut files = super::support::bench::staged_files(&texts);
    for file in files.values_mut() {
        file.unchanged = true;
    }
    let staged = bench.driver.stage(2, files).await.unwrap();
    assert_eq!(staged.drifted, BTreeMap::from([(Pjsip, Drifted::Edited)]));
    bench.driver.apply(2, &[Pjsip]).await.unwrap();
    assert_eq!(bench.verify(&expected).await, []);
}

/// Reads like Asterisk does, and tells what it saw that is no whole generation.
fn read_until(stop: &AtomicBool, live: &Path, known: &[Texts]) -> Result<usize, String> {
    let mut readings = 0;
    while !stop.load(Ordering::Relaxed) {
        for file in Artifact::of(PbxKind::Asterisk) {
            let text = fs::read_to_string(live.join(file.as_str())).map_err(|error| error.to_string())?;
            if !known.iter().any(|texts| texts[file] == text) {
                return Err(format!("{file} of {} bytes is of no generation", text.len()));
            }
        }
        let generation = fs::canonicalize(live).map_err(|error| error.to_string())?;
        let texts: Texts = Artifact::of(PbxKind::Asterisk)
            .iter()
            .map(|file| Ok((*file, fs::read_to_string(generation.join(file.as_str()))?)))
            .collect::<Result<_, std::io::Error>>()
            .map_err(|error| error.to_string())?;
        if !known.contains(&texts) {
            return Err(format!("{} mixes generations", generation.display()));
        }
        readings += 1;
    }
    Ok(readings)
}

#[tokio::test]
async fn a_reader_sees_whole_generations_only() {
    let rounds = if std::env::var_os("SWITCHYARD_TEST_ALL").is_some() {
        1_000
    } else {
        100
    };
    let mut bench = Bench::start().await;
    let known = [10, 20, 30].map(|ring_time| generation(&[tenant(ring_time, 400)]).0);
    bench.stage(&known[0]).await;
    bench.apply(&[]).await;
    let stop = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let (stop, known) = (Arc::clone(&stop), known.clone());
            let live = bench.pbx.home().join("config/live");
            thread::spawn(move || read_until(&stop, &live, &known))
        })
        .collect();
    for round in 0..rounds {
        bench.stage(&known[round % known.len()]).await;
        bench.apply(&[]).await;
    }
    stop.store(true, Ordering::Relaxed);
    for reader in readers {
        let readings = reader.join().unwrap();
        assert!(
            readings.as_ref().is_ok_and(|readings| *readings > 0),
            "{readings:?}"
        );
    }
}
