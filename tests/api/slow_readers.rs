//! `GET /events` of somebody who stays connected and does not read.

use std::time::Duration;

use serde_json::json;
use switchyard::domain::call::Call;
use switchyard::domain::ids::{ExtensionId, InstanceId};
use uuid::Uuid;

use super::live_calls::call;
use super::server::Server;
use super::sse::Stream;
use super::support::database::Backend::Sqlite;

/// Calls that begin while nobody reads.
const CALLS: usize = 2_000;
/// The most events of a tenant that are kept.
const KEPT: usize = 512;

/// One in which so many take part that 2,000 fit into no socket.
fn large(pbx: InstanceId, link: &str, tenant: &str) -> Call {
    let nobody = ExtensionId::from_uuid(Uuid::nil());
    Call {
        extension_ids: vec![nobody; 600],
        ..call(pbx, link, tenant, &[])
    }
}

#[tokio::test]
async fn o10_who_stays_connected_and_does_not_read_is_told_once_how_much_they_missed_and_all_calls_then() {
    let server = Server::start(Sqlite).await;
    let pbx = server.listened_to().await;
    server.report(pbx, &[]);
    let mut stream = Stream::open(server.get("/events").without("x-reason")).await;
    assert_eq!(stream.next().await.unwrap().name, "calls");
    for number in 0..CALLS {
        server.report(pbx, &[large(pbx, &format!("large-{number}"), &server.acme)]);
        // The service takes as much of it as it can.
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let mut told = 0;
    let missed = loop {
        let event = stream.next().await.unwrap();
        if event.name != "call.began" {
            break event;
        }
        told += 1;
        assert!(
            told < CALLS,
            "the service has kept all of them for who does not read"
        );
    };
    assert_eq!(missed.name, "missed");
    let calls = stream.next().await.unwrap();
    assert_eq!(
        (calls.name.as_str(), &calls.data["meta"]["total"]),
        ("calls", &json!(CALLS))
    );
    assert_eq!(calls.data["data"].as_array().unwrap().len(), CALLS);
    // What is kept follows, and what happens from now on; nothing is missed twice.
    server.report(pbx, &[call(pbx, "last", &server.acme, &[])]);
    for _ in 0..=KEPT {
        let event = stream.next().await.unwrap();
        assert_eq!(event.name, "call.began");
        told += 1;
    }
    assert_eq!(missed.data, json!({"missed": CALLS + 1 - told}));
}
