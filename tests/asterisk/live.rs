//! Good generations: they go live, the running Asterisk shows all of it, and no log complains.

use serde_json::{Value, json};
use switchyard::domain::artifact::Artifact;
use switchyard::domain::instance::PbxKind;
use switchyard::driver::PbxDriver;

use super::support::bench::Bench;
use super::support::tenants::{TestTenant, generation};

/// Every option of an extension, each value at least once.
fn every_option() -> Vec<Value> {
    vec![
        json!({"number": "1001", "name": "Plain"}),
        json!({"number": "1002", "name": "Tcp", "transport": "tcp", "recording": "inbound"}),
        json!({"number": "1003", "name": "Tls", "transport": "tls", "recording": "outbound"}),
        json!({"number": "1004", "name": "Web", "transport": "websocket", "recording": "always"}),
        json!({"number": "1005", "name": "Away", "forward": {"always": "+4930123456"}}),
        json!({"number": "1006", "name": "Busy", "forward": {"busy": "1001", "no_answer": "1002"}, "ring_time": 5}),
        json!({"number": "1007", "name": "Mail", "voicemail": {"enabled": true, "email": "mail@acme.example.com"}}),
        json!({"number": "1008", "name": "Box", "voicemail": {"enabled": true}, "ring_time": 300}),
        json!({"number": "1009", "name": "Many", "max_contacts": 10, "codecs": ["opus", "g722", "alaw", "ulaw", "gsm", "g729"]}),
        json!({"number": "1010", "name": "One", "max_contacts": 1, "codecs": ["ulaw"]}),
        json!({"number": "1011", "name": "Shown", "caller_id": {"name": "Acme Inc.", "number": "+493012345"}}),
        json!({"number": "1012", "name": "Gone", "status": "disabled"}),
        json!({"number": "20", "name": "Short", "outbound_class": "internal"}),
        json!({"number": "12345678", "name": "Long", "outbound_class": "international"}),
    ]
}

fn acme() -> TestTenant {
    TestTenant::new("acme.example.com", &every_option())
}

fn globex() -> TestTenant {
    TestTenant::new("globex.example.com", &[json!({"number": "1001", "name": "Gina"})])
}

#[tokio::test]
async fn two_tenants_with_the_same_number_are_proven_live() {
    let mut bench = Bench::start().await;
    bench.driver.ready().await.unwrap();
    assert_eq!(bench.driver.standing().await.unwrap(), None);
    let (texts, expected) = generation(&[acme(), globex()]);
    bench.stage(&texts).await;
    assert_eq!(bench.driver.standing().await.unwrap(), None);
    bench.apply(Artifact::of(PbxKind::Asterisk)).await;
    assert_eq!(bench.verify(&expected).await, []);
    assert_eq!(bench.driver.log_since_apply().await, []);
    assert_eq!(bench.driver.standing().await.unwrap(), Some(1));
}

#[tokio::test]
async fn a_rehearsal_of_a_good_generation_finds_nothing() {
    let mut bench = Bench::start().await;
    let (texts, _) = generation(&[acme(), globex()]);
    bench.stage(&texts).await;
    let rehearsal = bench.rehearse().await;
    assert_eq!(rehearsal.findings, []);
    assert!(rehearsal.detail.contains("Asterisk 22"), "{}", rehearsal.detail);
}

#[tokio::test]
async fn the_empty_generation_serves_nothing() {
    let mut bench = Bench::start().await;
    let (_, mut expected) = bench.serve(&[acme()]).await;
    let (texts, nothing) = generation(&[]);
    bench.live(&texts).await;
    assert_eq!(bench.verify(&nothing).await, []);
    expected.markers.clear();
    assert!(!bench.verify(&expected).await.is_empty());
}

#[tokio::test]
async fn the_daemons_account_may_do_all_that_the_driver_does() {
    let bench = Bench::start().await;
    let checks = bench.driver.test().await;
    let failed: Vec<_> = checks.iter().filter(|check| !check.ok).collect();
    assert!(failed.is_empty() && checks.len() == 20, "{checks:?}");
}
